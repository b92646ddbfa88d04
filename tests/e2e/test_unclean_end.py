"""The receiver's machine lost its power: what it had acknowledged shortly before is looked at again, and what is not whole
there is put again under its own name. Or the agent's machine did: what it had sent is known to be its own, though its
record of it is gone, and what the source has lost, or its users deleted, goes at the destination too."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import time
import unittest
import uuid

from maildirsync_testing import SANITIZED, SEED, LabTest, TreeSpec, deliver, make_tree


def times_of(path):
    status = os.stat(path)
    return status.st_atime_ns, status.st_mtime_ns


def shorten(path, size=0):
    """As a file system leaves it that has not written the body: the name and the time are there."""
    times = times_of(path)
    os.truncate(path, size)
    os.utime(path, ns=times)


def spoil(path):
    """As a device leaves it that lost a sector."""
    times = times_of(path)
    with open(path, "r+b") as file:
        file.seek(10)
        file.write(b"\0\0\0\0")
    os.utime(path, ns=times)


class UncleanEnd(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=171, median_size=2000))
        self.lab.start()
        self.lab.agent.wait_state("live")
        self.sent = [deliver(self.root.account(0), b"17000000%02d.M1P1.mail" % i, b"Subject: %d\n\n" % i + b"x" * 500) for i in range(6)]
        self.lab.flush()

    def at_destination(self, number):
        return self.root.at_destination(self.sent[number])

    def damage(self):
        shorten(self.at_destination(0))
        shorten(self.at_destination(1), 100)
        spoil(self.at_destination(2))
        os.unlink(self.at_destination(3))

    def end_uncleanly(self, *, boot="another boot", damage=True):
        self.lab.receiver.kill()
        if damage:
            self.damage()
        mark = os.path.join(self.lab.receiver.state_dir, "running")
        self.assertTrue(os.path.exists(mark))
        if boot:
            times = times_of(mark)
            with open(mark, "w", encoding="ascii") as file:
                file.write(boot)
            os.utime(mark, ns=times)

    def assert_mended(self):
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual(0, self.lab.agent.totals()["conflicts"])

    def test_of_the_receiver_alone(self):
        self.end_uncleanly()
        self.lab.receiver.start()
        self.assert_mended()
        self.assertRegex(self.lab.agent.log_text(), "receiver-unclean-end number=1 accounts=3")  # it has not run for long
        self.assertRegex(self.lab.agent.log_text(), "damaged-at-destination .*account=")
        self.assertRegex(self.lab.receiver.log_text(), "unclean-end number=1")

    def test_is_looked_at_before_the_state_is_live(self):
        self.end_uncleanly()
        self.lab.receiver.start()
        self.lab.agent.wait_log("receiver-unclean-end number=1")
        self.lab.agent.wait_log("receiver-looked-at unclean_end=1")
        self.lab.agent.wait_state("live")
        self.lab.assert_equal()

    def test_while_the_agent_is_away(self):
        self.lab.agent.stop()
        self.end_uncleanly()
        self.lab.receiver.start()
        self.lab.agent.start()
        self.assert_mended()

    def test_twice_before_the_agent_comes_back(self):
        self.lab.agent.stop()
        self.end_uncleanly()
        self.lab.receiver.start()
        self.end_uncleanly(boot="a third boot", damage=False)
        self.lab.receiver.start()
        self.lab.agent.start()
        self.assert_mended()
        self.assertRegex(self.lab.agent.log_text(), "receiver-unclean-end number=2")

    def test_only_roots_that_heard_lately_are_looked_at_after_a_restart_of_the_agent(self):
        other = self.lab.add_root("other")
        make_tree(other.source, TreeSpec(accounts=2, messages=6, seed=173, median_size=500))
        self.lab.agent.stop()
        self.lab.receiver.restart()
        self.lab.agent.start()
        self.lab.flush()
        self.lab.agent.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.lab.agent.state_dir, "state.db"))) as state, state:
            day_ago = str(int(time.time()) - 86400).encode()
            changed = state.execute("UPDATE setting SET value = ? WHERE key = ?", (day_ago, b"acknowledged:other"))
            self.assertEqual(1, changed.rowcount)
        self.end_uncleanly()
        self.lab.receiver.start()
        self.lab.agent.start()
        self.assert_mended()
        self.assertRegex(self.lab.agent.log_text(), "receiver-unclean-end number=1 accounts=3")

    def test_with_a_flag_set_meanwhile(self):
        """The damaged file has its old name at the destination, and must not stay beside the message."""
        self.end_uncleanly()
        for number in (0, 2):
            folder, name = os.path.split(self.sent[number])
            os.rename(self.sent[number], os.path.join(os.path.dirname(folder), b"cur", name + b":2,S"))
        self.lab.receiver.start()
        self.assert_mended()

    def test_is_dealt_with_once(self):
        self.end_uncleanly()
        self.lab.receiver.start()
        self.assert_mended()
        self.lab.agent.wait_log("receiver-looked-at unclean_end=1")
        self.lab.receiver.restart()
        self.lab.agent.restart()
        self.lab.flush()
        self.assertEqual(1, self.lab.agent.log_text().count("receiver-unclean-end"))

    def test_is_not_that_of_a_process(self):
        """The kernel has all that a killed process wrote: nothing is looked at."""
        self.end_uncleanly(boot=None, damage=False)
        self.lab.receiver.start()
        self.assert_mended()
        self.assertNotIn("unclean-end", self.lab.agent.log_text() + self.lab.receiver.log_text())

    def test_in_a_drained_root(self):
        """What its users deleted stays deleted; what is damaged comes again."""
        self.assertEqual(0, self.lab.agent.cli("drain", self.root.name).returncode)
        self.end_uncleanly()
        self.lab.receiver.start()
        self.lab.agent.wait_log("receiver-looked-at unclean_end=1")
        self.lab.agent.flush(complete=False)
        self.assertEqual(["conflict"], [problem["code"] for problem in self.lab.agent.problems()])  # of the right size: it is kept
        for number in (0, 1):
            with open(self.at_destination(number), "rb") as there, open(self.sent[number], "rb") as sent:
                self.assertEqual(sent.read(), there.read())
        self.assertFalse(os.path.exists(self.at_destination(3)))

    def test_mail_of_others_is_left_alone(self):
        """A shorter file of another time and content is somebody's; it is no part of ours."""
        self.end_uncleanly(damage=False)
        theirs = self.at_destination(4)
        with open(theirs, "wb") as file:
            file.write(b"somebody else's")
        self.lab.receiver.start()
        self.lab.agent.wait_log("receiver-looked-at unclean_end=1")
        self.lab.agent.wait_problem("conflict")
        with open(theirs, "rb") as file:
            self.assertEqual(b"somebody else's", file.read())


class UncleanEndOfTheAgent(LabTest):
    """Its state directory is a file system in a file. A copy of that file is what a power cut leaves: what was synced."""

    BOOT = "/proc/sys/kernel/random/boot_id"

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=172, median_size=2000))
        os.mkdir(self.lab.agent.state_dir)
        self.mount_image(self.lab.agent.state_dir, "ext4")  # as it is made, it writes by itself after 5 to 30 s
        self.image = os.path.join(self.lab.base, "state.ext4")
        self.lab.start()
        self.lab.flush()

    def mount(self, *arguments):
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
        self.lab.unmounts.append(lambda: subprocess.run(["umount", "--lazy", arguments[-1]], check=True, capture_output=True))

    def cut(self):
        """The agent's machine has no power any more."""
        self.lab.agent.kill()
        left = f"{self.image}.{uuid.uuid4()}"
        shutil.copy(self.image, left)
        subprocess.run(["umount", self.lab.agent.state_dir], check=True, capture_output=True)
        self.lab.unmounts.pop()
        self.mount("-o", "loop", left, self.lab.agent.state_dir)
        self.image = left

    def boot(self):
        """The agent sees another boot."""
        boot = os.path.join(self.lab.base, f"boot.{uuid.uuid4()}")
        with open(boot, "w", encoding="ascii") as file:
            file.write(str(uuid.uuid4()))
        mounts = len(self.lab.unmounts)
        self.mount("--bind", boot, self.BOOT)
        self.lab.agent.start()
        subprocess.run(["umount", self.BOOT], check=True, capture_output=True)
        del self.lab.unmounts[mounts]

    def assert_mended(self, limit=None):
        self.lab.agent.flush(limit=limit)
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_what_went_meanwhile(self):
        """Expunged, or never durable at the source, whose delivery the agent had seen."""
        sent = [deliver(self.root.account(0), b"17000000%02d.M1P1.mail" % i, b"Subject: %d\n\n" % i) for i in range(4)]
        self.lab.flush()
        for path in sent[2:]:
            os.rename(path, os.path.join(self.root.account(0), b"cur", os.path.basename(path) + b":2,S"))
        self.lab.flush()
        self.cut()
        os.unlink(sent[0])
        os.unlink(os.path.join(self.root.account(0), b"cur", os.path.basename(sent[2]) + b":2,S"))
        self.boot()
        self.assert_mended()

    def test_with_traffic(self):
        rng = random.Random(173 + SEED)
        for number in range(2):
            with self.lab.write_traffic(self.root, rate=30 if SANITIZED else 100, seed=174 + SEED + number):
                time.sleep(rng.uniform(0.5, 2))
                self.cut()
                time.sleep(0.5)
                self.boot()
                time.sleep(0.5)
            self.assert_mended(limit=300)


if __name__ == "__main__":
    unittest.main()
