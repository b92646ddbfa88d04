"""What looks like a catastrophe at the source is held, and deletes nothing at the destination."""

import os
import shutil
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir, read_tree


class Brakes(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.held_tree = read_tree(self.root.destination)

    def one_account(self, messages: int) -> bytes:
        account = os.path.join(os.fsencode(self.root.source), b"example.org", b"a", b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755)
        make_maildir(account, (5000, 5000), is_account=True)
        for i in range(messages):
            deliver(account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")
        return account

    def assert_held(self, code: str):
        status = self.lab.agent.wait_state("held")
        self.lab.agent.wait_problem(code)
        self.assert_exit(2, self.lab.agent.cli("status"))
        result = self.lab.agent.flush("--timeout", "2", complete=False)
        self.assertFalse(result["complete"])
        self.assertNotEqual([], result["left_out"])
        self.assertEqual(self.held_tree, read_tree(self.root.destination))
        return status

    def test_a_root_that_vanished_while_watched(self):
        make_tree(self.root.source, TreeSpec(accounts=4, messages=60, seed=41))
        self.copied()
        os.rename(self.root.source, self.root.source + ".away")
        self.assert_held("root-gone")
        os.rename(self.root.source + ".away", self.root.source)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_root_that_is_missing_at_the_start(self):
        make_tree(self.root.source, TreeSpec(accounts=4, messages=60, seed=42))
        self.copied()
        self.lab.agent.stop()
        os.rename(self.root.source, self.root.source + ".away")
        self.lab.agent.start()
        self.assert_held("root-gone")
        os.rename(self.root.source + ".away", self.root.source)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_an_empty_mount_at_the_start(self):
        make_tree(self.root.source, TreeSpec(accounts=4, messages=60, seed=43))
        self.copied()
        self.lab.agent.stop()
        os.rename(self.root.source, self.root.source + ".away")
        os.mkdir(self.root.source)
        self.lab.agent.start()
        self.assert_held("root-gone")
        os.rmdir(self.root.source)
        os.rename(self.root.source + ".away", self.root.source)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_rm_rf_of_everything_while_live(self):
        make_tree(self.root.source, TreeSpec(accounts=3, messages=300, seed=44))
        self.copied()
        for name in os.listdir(self.root.source):
            shutil.rmtree(os.path.join(self.root.source, name))
        status = self.lab.agent.wait_state("held")
        self.assertEqual("held", status["state"])
        # Accounts are below the brake or held; a root without any account is held as a whole.
        destination = read_tree(self.root.destination)
        self.assertGreaterEqual(len([e for e in destination.values() if e.kind == "file"]), 0.75 * len([e for e in self.held_tree.values() if e.kind == "file"]))

    def delete_sixty(self, account: bytes):
        cur = os.path.join(account, b"cur")
        for name in sorted(os.listdir(cur))[:60]:
            os.unlink(os.path.join(cur, name))

    def test_mass_deletion_is_held_until_release(self):
        account = self.one_account(100)
        self.copied()
        self.lab.agent.stop()
        self.delete_sixty(account)
        self.lab.agent.start()
        self.assert_held("mass-deletion")
        self.assert_exit(0, self.lab.agent.cli("release", "--account", "a@example.org"))
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(40, len(os.listdir(self.root.at_destination(os.path.join(account, b"cur")))))

    def test_mass_deletion_while_live(self):
        account = self.one_account(100)
        self.copied()
        self.delete_sixty(account)
        # What went before the brake knew is at most what it lets go: 25 % or 50 messages.
        self.lab.agent.wait_state("held")
        self.lab.agent.wait_problem("mass-deletion")
        cur = self.root.at_destination(os.path.join(account, b"cur"))
        self.assertGreaterEqual(len(os.listdir(cur)), 50)
        new = deliver(account, b"1700000001.M1P1.mx")
        self.assert_exit(0, self.lab.agent.cli("release"))
        wait_until(lambda: len(os.listdir(cur)) == 40, "the deletion goes on after release", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(os.path.exists(self.root.at_destination(new)))

    def test_a_held_account_holds_no_other(self):
        account = self.one_account(100)
        other = os.path.join(os.path.dirname(os.path.dirname(account)), b"b", b"Maildir")
        os.mkdir(os.path.dirname(other), 0o755)
        make_maildir(other, (5001, 5001), is_account=True)
        self.copied()
        self.lab.agent.stop()
        self.delete_sixty(account)
        self.lab.agent.start()
        self.lab.agent.wait_state("held")
        path = self.root.at_destination(deliver(other, b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "another account's mail arrives", alive=self.lab.daemons)

    def test_moving_everything_to_another_folder_is_no_deletion(self):
        account = self.one_account(100)
        make_maildir(os.path.join(account, b".Archive"), (5000, 5000))
        self.copied()
        for name in os.listdir(os.path.join(account, b"cur")):
            os.rename(os.path.join(account, b"cur", name), os.path.join(account, b".Archive", b"cur", name))
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
