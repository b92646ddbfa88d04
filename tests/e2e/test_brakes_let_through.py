"""What users delete in a day goes through, to the trash where it is much."""

import os
import shutil
import unittest

from maildirsync_testing import deliver
from brakes_lab import BrakeTest
from maildir_trees import make_maildir


class LetThrough(BrakeTest):
    def test_what_a_user_deletes_goes_through_and_lies_in_the_trash(self):
        account = self.account("a", 140)
        other = self.account("b", 300)
        for folder, count in ((b".Trash", 60), (b".Junk", 45), (b".Old", 12)):
            make_maildir(os.path.join(account, folder), (5000, 5000))
            for i in range(count):
                deliver(os.path.join(account, folder), b"1600000000.M%dP2.mx:2,S" % i, area=b"cur")
        self.copied()
        self.delete(os.path.join(account, b".Trash"), 60)
        self.lab.flush()
        self.lab.assert_equal()
        self.delete(os.path.join(account, b".Junk"), 45)  # a spam purge
        shutil.rmtree(os.path.join(account, b".Old"))  # a folder deleted by IMAP
        self.delete(other, 300)  # all fetched by POP3
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual(60 + 45 + 12 + 300, len([path for path in self.in_trash() if "/cur/" in path]))

    def test_few_messages_leave_nothing_in_the_trash(self):
        account = self.account("a", 30)
        self.copied()
        self.delete(account, 9)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.in_trash())

    def test_a_little_of_each_account_again_and_again_lies_in_the_trash(self):
        """No account loses much, and the root loses all."""
        accounts = [self.account(f"u{i}", 4) for i in range(60)]
        self.copied()
        for account in accounts:
            self.delete(account, 2)
        self.lab.flush()
        before = len(self.in_trash())
        for account in accounts:
            self.delete(account, 1)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual(60, len(self.in_trash()) - before)

    def test_nightly_expiry_over_all_accounts(self):
        accounts = [self.account(f"u{i}", 30) for i in range(25)]
        self.copied()
        for account in accounts:
            self.delete(account, 10)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_a_mass_deletion_while_the_agent_is_away(self):
        account = self.account("a", 100)
        self.copied()
        self.lab.agent.stop()
        self.delete(account, 60)
        self.lab.agent.start()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(60, len(self.in_trash()))

    # -- settings

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
