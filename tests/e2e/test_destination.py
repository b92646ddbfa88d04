"""The directory at the destination is known again: another one, or none, is not written to; an older one is compared."""

import ctypes
import os
import shutil
import subprocess
import unittest

from loop_mounts import make_image
from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir

MARKER = ".maildirsync.root"


class DestinationTest(LabTest):
    file_system = "ext4"  # of the volumes that a test mounts at the destination
    mkfs_options: tuple[str, ...] = ()

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = os.path.join(os.fsencode(self.root.source), b"example.org", b"a", b"Maildir")
        os.makedirs(os.path.dirname(self.account), 0o755)
        make_maildir(self.account, OWNER, is_account=True)
        make_maildir(os.path.join(self.account, b".Lists"), OWNER)
        for i in range(20):
            deliver(self.account, b"1700000000.M%dP1.mx:2," % i, b"Subject: %d\n\nx\n" % i, area=b"cur")
        self.serial = 0

    @property
    def there(self) -> str:
        return self.root.destination

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()

    def straggler(self) -> bytes:
        self.serial += 1
        return self.root.at_destination(deliver(self.account, b"1800000000.M%dP7.old" % self.serial))

    def own_mounts(self):
        """Mounts that only this process and its children see."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x4000 | 1 << 18, None):
            self.skipTest("a private mount namespace is not permitted here")
        self.lab.unmounts.append(lambda: [None for _ in range(4) if libc.umount2(os.fsencode(self.there), 2) == 0])

    def run_command(self, *command: str):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(0, done.returncode, f"{command}: {done.stderr}")

    def volume(self) -> str:
        """The destination becomes a volume of its own; the image."""
        self.own_mounts()
        image = self.image("volume")
        self.mount(image)
        return image

    def image(self, name: str) -> str:
        """A new file system in a file."""
        image = os.path.join(self.lab.base, name)
        make_image(image, self.file_system, *self.mkfs_options)
        return image

    def mount(self, image: str):
        self.run_command("mount", "-o", "loop", image, self.there)
        os.chmod(self.there, 0o755)

    def unmount(self, *options: str):
        self.run_command("umount", *options, self.there)

    def assert_held(self, reason: str):
        """Both sides say so, and `flush`, and `doctor`."""
        agent = self.lab.agent
        problem = agent.wait_problem("destination-gone", reason)
        self.assertEqual(("vhosts", ""), (problem["root"], problem["account"]))
        self.assertIn(self.there, problem["detail"])
        self.assertIn("nothing is written to it", problem["detail"])
        status = agent.status()
        self.assertEqual("held", status["state"])
        self.assertEqual(["held"], [root["state"] for root in status["roots"]])
        self.assert_exit(2, agent.cli("status"))
        receiver = self.lab.receiver
        problem = receiver.wait_problem("destination-gone", reason)
        self.assertEqual(("vhosts", self.there), (problem["root"], problem["path"]))
        done = receiver.cli("status")
        self.assert_exit(2, done)
        self.assertIn("MAILDIRSYNC CRITICAL - held", done.stdout)
        flushed = agent.flush(limit=20, complete=False)
        self.assertIn("destination-gone", [one.get("code") for one in flushed["left_out"]])
        for daemon in (agent, receiver):
            done = daemon.cli("doctor", "--config", daemon.config)
            self.assert_exit(1, done)
            self.assertIn(reason, done.stdout)

    def assert_goes_on(self):
        self.lab.agent.wait_state("live")
        wait_until(lambda: not self.lab.receiver.problems(), "the receiver has no problem", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()


class Identity(DestinationTest):
    """It is known again; another one is held."""

    def test_the_marker_is_the_services_own_and_no_mail(self):
        self.copied()
        status = os.stat(os.path.join(self.there, MARKER))
        self.assertEqual((0o600, os.geteuid()), (status.st_mode & 0o7777, status.st_uid))
        self.assert_exit(0, self.lab.agent.cli("verify", "--deep"))
        plan = self.lab.agent.cli("plan").stdout
        self.assertNotIn(MARKER, plan)

    def test_something_is_mounted_over_it_while_all_runs(self):
        self.own_mounts()
        self.copied()
        self.run_command("mount", "-t", "tmpfs", "maildirsync-test", self.there)
        self.straggler()
        self.assert_held("is empty")
        self.assertEqual([], os.listdir(self.there))
        self.unmount()
        self.assert_goes_on()

    def test_a_marker_that_was_removed_is_held_until_the_receiver_is_told(self):
        self.copied()
        os.unlink(os.path.join(self.there, MARKER))
        self.assert_held("lacks the file .maildirsync.root")
        done = self.lab.receiver.cli("release")
        self.assert_exit(0, done)
        self.assertIn("released: " + self.there, done.stdout)
        self.assert_goes_on()

    def test_a_root_that_was_emptied(self):
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        shutil.rmtree(os.path.join(self.there, "example.org"))
        self.assert_held("is empty, and there were accounts in it")
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.assert_goes_on()

    def test_a_root_that_is_emptied_bit_by_bit(self):
        """A look amid a removal sends nothing into it: the root is empty in the end, and held."""
        make_tree(self.root.source, TreeSpec(accounts=4, messages=80, seed=15))
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.there, "example.org")) for name in names]
        self.lab.receiver.stop()
        for path in paths[: len(paths) // 2]:
            os.unlink(path)
        self.lab.receiver.start()  # and with it, each account is looked at
        self.lab.agent.wait_log("destination-differs")
        for path in paths[len(paths) // 2 :]:
            self.assertFalse(os.path.exists(paths[0]), "nothing was sent into it")
            os.unlink(path)
        for name in os.listdir(self.there):
            if not name.startswith(".maildirsync."):
                shutil.rmtree(os.path.join(self.there, name))
        self.assert_held("is empty, and there were accounts in it")
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.assert_goes_on()

    def known_roots(self) -> str:
        with open(os.path.join(self.lab.receiver.state_dir, "roots.json"), encoding="utf-8") as file:
            return file.read()

    def test_an_account_that_is_removed_at_the_source_empties_the_root_and_holds_nothing(self):
        self.lab.agent.roots.clear()
        self.root = self.lab.add_root("flat", "%n")
        make_maildir(os.path.join(os.fsencode(self.root.source), b"a"), OWNER, is_account=True)
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        self.lab.agent.cli("release")
        shutil.rmtree(os.path.join(self.root.source, "a"))
        self.lab.agent.wait_problem("root-gone")
        self.assert_exit(0, self.lab.agent.cli("release"))
        wait_until(lambda: not os.path.exists(os.path.join(self.there, "a")), "the account goes", alive=self.lab.daemons)
        self.lab.receiver.restart()
        wait_until(lambda: self.lab.agent.status()["peer"]["connected"], "it is connected again", alive=self.lab.daemons)
        self.assertEqual([], self.lab.receiver.problems("destination-gone"))
        self.assertEqual([], self.lab.agent.problems("destination-gone"))

    def test_a_destination_that_was_filled_before_is_taken_as_it_is(self):
        shutil.copytree(self.root.source, self.there, dirs_exist_ok=True)
        self.lab.start()
        self.lab.flush()
        self.assertEqual([], self.lab.receiver.problems())
        self.assertTrue(os.path.exists(os.path.join(self.there, MARKER)))

    def test_the_marker_goes_with_the_root(self):
        self.copied()
        self.lab.agent.roots.clear()
        self.lab.receiver.write_config()
        self.lab.receiver.signal(1)
        wait_until(lambda: not os.path.exists(os.path.join(self.there, MARKER)), "the marker goes", alive=self.lab.daemons)
        self.lab.agent.roots.append(self.root)
        self.lab.receiver.write_config()
        self.lab.receiver.signal(1)
        wait_until(lambda: os.path.exists(os.path.join(self.there, MARKER)), "the marker is there again", alive=self.lab.daemons)
        self.assert_goes_on()

    def test_another_path_by_the_configuration_is_no_hold(self):
        self.copied()
        self.lab.receiver.stop()
        self.root.destination += "-elsewhere"
        os.mkdir(self.there, 0o755)
        self.lab.receiver.start()
        self.lab.flush()
        self.lab.assert_equal()


class BothTreesTest(DestinationTest):
    def setUp(self):
        super().setUp()
        make_tree(self.root.source, TreeSpec(accounts=6, messages=200, seed=14))

    def first(self) -> bytes:
        return os.path.join(self.root.at_destination(self.account), b"cur", b"1700000000.M0P1.mx:2,")

    def compared(self) -> int:
        return self.lab.agent.log_text().count("destination-differs")


class BothTrees(BothTreesTest):
    """`flush`, a new session and a clock compare the destination too, one look a folder."""

    def test_a_flush_with_nothing_pending_compares_no_account(self):
        self.copied()
        self.straggler()
        self.lab.flush()
        count = self.compared()
        self.lab.flush()
        self.assertEqual(count, self.compared(), self.lab.agent.tail())
        self.lab.agent.restart()
        self.lab.flush()
        self.assertEqual(count, self.compared(), self.lab.agent.tail())

    def test_what_is_under_way_when_a_session_begins_looks_like_no_one_elses_work(self):
        self.copied()
        for _ in range(3):
            self.lab.agent.stop()
            for directory, _, _ in os.walk(os.fsencode(self.root.source)):
                if os.path.basename(directory) == b"new":
                    for number in range(80):
                        self.serial += 1
                        deliver(os.path.dirname(directory), b"1800000000.M%dP8.old" % self.serial)
            self.lab.agent.start()
            self.lab.flush()
        self.assertEqual(0, self.compared(), self.lab.agent.tail())
        self.lab.assert_equal()

    def test_a_message_that_was_removed_at_the_destination_is_sent_again(self):
        self.copied()
        os.unlink(self.first())
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_flag_that_was_set_at_the_destination_and_a_message_that_was_put_there(self):
        self.copied()
        os.rename(self.first(), self.first() + b"S")
        deliver(os.path.dirname(os.path.dirname(self.first())), b"1900000000.M1P1.theirs")
        self.lab.flush()
        self.assertTrue(os.path.exists(self.first()))
        self.assertEqual(1, self.lab.agent.status()["roots"][0]["extra"])

    def test_a_folder_and_an_account_that_were_removed_at_the_destination(self):
        self.copied()
        for _ in range(3):  # one may be seen while the other has a turn, and the other way round
            shutil.rmtree(os.path.join(self.root.at_destination(self.account), b".Lists"))
            shutil.rmtree(os.path.dirname(self.root.at_destination(self.root.account(1))))
            self.lab.flush()
            self.lab.assert_equal()

    def test_a_change_between_two_messages_of_ours_is_not_taken_for_ours(self):
        self.copied()
        os.unlink(self.first())
        self.straggler()
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_new_session_finds_it_without_a_flush(self):
        self.copied()
        self.lab.receiver.stop()
        os.unlink(self.first())
        self.lab.receiver.start()
        wait_until(lambda: os.path.exists(self.first()), "the message is sent again", alive=self.lab.daemons)

    def test_a_drained_root_is_not_compared(self):
        self.copied()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        os.unlink(self.first())
        count = self.compared()
        self.lab.agent.flush()
        self.lab.receiver.restart()
        wait_until(lambda: self.lab.agent.status()["peer"]["connected"], "it is connected again", alive=self.lab.daemons)
        self.lab.agent.flush()
        self.assertFalse(os.path.exists(self.first()))
        self.assertEqual(count, self.compared())

    def test_a_mailbox_that_a_dovecot_opened_at_the_destination_is_seen_by_the_next_flush(self):
        self.copied()
        folder = self.root.at_destination(self.account)
        with open(os.path.join(folder, b"dovecot.index.log"), "wb") as file:
            file.write(b"index")
        self.lab.flush()
        problem = self.lab.agent.wait_problem("stale-index", "a@example.org")
        self.assertIn("repair-index", problem["detail"])


class Snapshots(BothTreesTest):
    """The destination is put back to an earlier time."""

    def test_a_snapshot_of_mail_and_receiver_is_put_back(self):
        self.copied()
        self.lab.receiver.stop()
        there, state = self.there + ".snapshot", self.lab.receiver.state_dir + ".snapshot"
        self.run_command("cp", "-a", self.there, there)
        self.run_command("cp", "-a", self.lab.receiver.state_dir, state)
        self.lab.receiver.start()
        late = [self.straggler() for _ in range(5)]
        for account in range(6):
            deliver(self.root.account(account), b"1850000000.M%dP7.late" % account)
        self.lab.flush()
        self.lab.assert_equal()
        self.lab.receiver.stop()
        for path, snapshot in ((self.there, there), (self.lab.receiver.state_dir, state)):
            shutil.rmtree(path)
            os.rename(snapshot, path)
        self.lab.receiver.start()
        wait_until(lambda: "destination-changed" in self.lab.agent.log_text(), "the agent hears of it", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(all(os.path.exists(path) for path in late))

    def test_a_snapshot_of_the_mail_alone(self):
        self.copied()
        self.lab.receiver.stop()
        there = self.there + ".snapshot"
        self.run_command("cp", "-a", self.there, there)
        self.lab.receiver.start()
        self.straggler()
        self.lab.flush()
        self.lab.receiver.stop()
        shutil.rmtree(self.there)
        os.rename(there, self.there)
        self.lab.receiver.start()
        self.lab.receiver.wait_log("destination-older")
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
