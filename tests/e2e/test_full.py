"""A full destination: what does not fit waits until the receiver says that there is room, and nothing is sent in vain
meanwhile; what fits goes on."""

import os
import time
import unittest

from maildirsync_testing import LabTest, deliver, wait_until
from maildir_trees import write_file


class FullDestination(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def account(self, name: bytes) -> bytes:
        account = self.root.make_account(name)
        return account

    def fill(self, account: bytes, messages: int, size: int, number: int = 0) -> int:
        """Messages that do not compress, and a uidlist that names them."""
        uidlist = b"3 V1700000000 N%d G0123456789abcdef0123456789abcdef\n" % (messages + 1)
        for i in range(messages):
            name = b"17000%05d.M%dP1.mx" % (number, i)
            deliver(account, name + b":2,S", os.urandom(size), area=b"cur")
            uidlist += b"%d :%s\n" % (i + 1, name)
        write_file(os.path.join(account, b"dovecot-uidlist"), uidlist, (5000, 5000), 0o600)
        return messages * size

    def wire(self) -> int:
        return self.lab.agent.totals()["bytes_wire"]

    def assert_nothing_is_sent_in_vain(self, seconds: float = 6):
        """Pings, questions and listings are small."""
        before = self.wire()
        time.sleep(seconds)
        for _ in range(3):
            result = self.lab.agent.flush(limit=30, complete=False)
            self.assertEqual({"no-space"}, {one["code"] for one in result["left_out"]}, result["left_out"])
        self.assertLess(self.wire() - before, 100_000)

    def test_what_does_not_fit_waits_and_what_fits_goes_on(self):
        self.mount_small(self.root.destination, 8 << 20)
        mail = sum(self.fill(self.account(name), 30, 200_000, number) for number, name in enumerate((b"a", b"b", b"c")))
        ballast = os.path.join(self.root.destination, ".ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(2 << 20))
        self.lab.start()
        problem = self.lab.agent.wait_problem("no-space")
        self.assertIn("wait for room at the destination", problem["detail"])
        self.lab.agent.flush(limit=30, complete=False)
        self.assertIn("No space left on device", repr(self.lab.agent.problems("no-space")))
        self.assertLess(self.wire(), mail * 1.1, "each message was sent once at the most")
        self.assertLessEqual(len(self.lab.agent.problems("no-space")), 3, "one for each account")
        self.assert_nothing_is_sent_in_vain()
        # A small message of another account fits, and so does one in an account that waits.
        quiet = self.account(b"quiet")
        with open(ballast, "r+b") as file:
            file.truncate((2 << 20) - (150 << 10))
        small = [self.root.at_destination(deliver(account, b"1700099999.M1P1.mx")) for account in (quiet, os.path.dirname(os.path.dirname(quiet)) + b"/a/Maildir")]
        wait_until(lambda: all(os.path.exists(path) for path in small), "what fits goes on", alive=self.lab.daemons, limit=60)
        # Nothing names what is not there.
        for name in (b"a", b"b", b"c"):
            there = os.path.join(os.fsencode(self.root.destination), b"example.org", name, b"Maildir")
            uidlist = os.path.join(there, b"dovecot-uidlist")
            if os.path.exists(uidlist):
                with open(uidlist, "rb") as file:
                    named = {line.partition(b":")[2].strip() for line in file.readlines()[1:]}
                found = {entry.partition(b":2,")[0] for entry in os.listdir(os.path.join(there, b"cur"))}
                self.assertLessEqual(named, found)
        # Room for some, then for all: each comes once more at the most.
        before = self.wire()
        os.unlink(ballast)
        self.lab.agent.flush(limit=60, complete=False)
        os.makedirs(self.root.destination, exist_ok=True)
        self.assertEqual(0, os.system(f"mount -o remount,size=64m {self.root.destination}"))
        wait_until(lambda: not self.lab.agent.problems(), "by itself, when there is room", alive=self.lab.daemons, limit=120)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertLess(self.wire() - before, mail * 1.1)

    def test_no_inodes_are_left(self):
        self.mount_image(self.root.destination, "ext4", "-F", "-N", "128", size=32 << 20)
        account = self.account(b"a")
        self.fill(account, 200, 100)
        self.lab.start()
        self.lab.agent.wait_problem("no-space")
        self.lab.agent.flush(limit=30, complete=False)
        self.assert_nothing_is_sent_in_vain(3)
        arrived = len(os.listdir(self.root.at_destination(os.path.join(account, b"cur"))))
        self.assertGreater(arrived, 30)
        self.assertLess(arrived, 128)



class FullStateDirectory(LabTest):
    def test_the_receiver_says_it(self):
        root = self.lab.add_root()
        account = root.make_account(b"a")
        receiver = self.lab.receiver
        os.makedirs(receiver.state_dir)
        self.mount_small(receiver.state_dir, 1 << 20)
        self.lab.start()
        self.lab.flush()
        ballast = self.fill_up(receiver.state_dir)
        problem = receiver.wait_problem("state")
        self.assertEqual(receiver.state_dir, problem["path"])
        self.assertIn("No space left on device", problem["detail"])
        done = receiver.cli("status")
        self.assert_exit(1, done)
        self.assertIn("1 problem (state)", done.stdout)
        self.assertEqual([], [name for name in os.listdir(receiver.state_dir) if name.endswith(".new") or name == "probe"])
        os.unlink(ballast)
        wait_until(lambda: not receiver.problems("state"), "it is said no more", alive=self.lab.daemons)
        deliver(account, b"1700000000.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_decision_on_a_full_disk_leaves_nothing_half_written(self):
        root = self.lab.add_root()
        root.make_account(b"a")
        self.mount_small(root.destination, 1 << 20)
        self.lab.start()
        self.lab.flush()
        ballast = self.fill_up(root.destination)
        self.lab.agent.cli("drain", "vhosts")
        self.lab.receiver.restart()  # which marks its directory anew
        self.lab.agent.wait_state("draining", "initial")
        self.assertEqual([], [name for name in os.listdir(root.destination) if name.endswith(".new")])
        os.unlink(ballast)


if __name__ == "__main__":
    unittest.main()
