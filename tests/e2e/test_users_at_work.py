"""The window was done by hand, and the drain was forgotten: what is missing or different at the destination of a mirrored root is users'
work where anything there speaks for users, and waits for a person; without such a sign it was lost, and is sent again."""

import os
import shutil
import unittest

from maildir_trees import make_maildir, read_tree, write_file
from maildirsync_testing import OWNER, LabTest, deliver, wait_until

SENT, DRAFTS, INBOX = 6, 4, 12


class UsersAtWork(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.agent, self.receiver = self.lab.agent, self.lab.receiver
        self.accounts = [self.root.make_account(name) for name in (b"a", b"b", b"c")]
        for account in self.accounts:
            for folder, messages in ((b"", INBOX), (b".Sent", SENT), (b".Drafts", DRAFTS)):
                path = os.path.join(account, folder)
                if folder:
                    make_maildir(path, OWNER)
                lines = [b"3 V1600000000 N%d\n" % (messages + 1)]
                for number in range(messages):
                    name = b"16%02d000000.M%d%s.mx" % (number, number, folder.replace(b".", b"P"))
                    deliver(path, name + b":2,", b"Subject: %d\n\nx\n" % number, area=b"cur")
                    os.utime(os.path.join(path, b"cur", name + b":2,"), (1600000000 + number * 1000000,) * 2)
                    lines.append(b"%d :%s\n" % (number + 1, name))
                self.old_file(os.path.join(path, b"dovecot-uidlist"), b"".join(lines))
            self.old_file(os.path.join(account, b"subscriptions"), b"Sent\nDrafts\n")
            self.old_file(os.path.join(account, b"sieve", b"main.sieve"), b"keep;\n")
        self.there = [self.root.at_destination(account) for account in self.accounts]
        self.lab.start()
        self.lab.flush()

    @staticmethod
    def old_file(path: bytes, content: bytes):
        if not os.path.isdir(os.path.dirname(path)):
            os.mkdir(os.path.dirname(path), 0o700)
            os.chown(os.path.dirname(path), *OWNER)
        write_file(path, content, OWNER, 0o600)
        os.utime(path, (1650000000, 1650000000))

    @staticmethod
    def written(path: bytes, more: bytes):
        with open(path, "ab") as file:
            file.write(more)

    def replaced(self, path: bytes, more: bytes):
        """As mail servers write what is users': aside, and renamed."""
        with open(path, "rb") as file:
            content = file.read()
        write_file(path + b".new", content + more, OWNER, 0o600)
        os.rename(path + b".new", path)

    def server_signs(self, account: int = 0):
        """A Dovecot delivers one message there."""
        there = self.there[account]
        write_file(os.path.join(there, b"dovecot.index.log"), b"x" * 100, OWNER, 0o600)
        self.written(os.path.join(there, b"dovecot-uidlist"), b"99 :1790000000.M5P5.new\n")
        write_file(os.path.join(there, b"new", b"1790000000.M5P5.new"), b"Subject: new\n\nx\n", OWNER, 0o600)

    def users_work(self, account: int = 0):
        cur = os.path.join(self.there[account], b"cur")
        for name in sorted(os.listdir(cur))[:3]:
            os.rename(os.path.join(cur, name), os.path.join(cur, name + b"FS"))

    def assert_asked(self, *numbers: str, account: str = "a@example.org"):
        """A flush leaves the account out, as often as it is called, and nothing of it is touched."""
        before = read_tree(self.root.destination)
        for how in ((), ("--full",)):
            result = self.agent.flush(*how, "--timeout", "20", complete=False)
            self.assertFalse(result["complete"], result)
            self.assertIn(("users-at-destination", account), {(one.get("code"), one.get("account")) for one in result["left_out"]})
        problem = self.agent.wait_problem("users-at-destination", account)
        for words in numbers:
            self.assertIn(words, problem["detail"])
        self.assertEqual("held", self.agent.status()["state"])
        self.assertEqual(before, read_tree(self.root.destination))

    def test_a_folder_that_users_removed(self):
        shutil.rmtree(os.path.join(self.there[0], b".Sent"))
        self.server_signs()
        self.assert_asked("6 messages of folders missing there", "1 message only there", "1 folder whose UIDs were given there")
        self.assert_exit(0, self.agent.cli("release", "--account", "a@example.org"))
        self.agent.wait_state("live")
        self.agent.flush()
        self.assertEqual(SENT, len(os.listdir(os.path.join(self.there[0], b".Sent", b"cur"))))

    def test_folders_that_users_removed_while_the_agents_state_was_lost(self):
        self.agent.stop()
        for folder in (b".Sent", b".Drafts"):
            shutil.rmtree(os.path.join(self.there[0], folder))
        self.server_signs()
        shutil.rmtree(self.agent.state_dir)
        self.agent.start()
        self.assert_asked("10 messages of folders missing there", "1 message only there")

    def test_a_folder_that_users_emptied(self):
        cur = os.path.join(self.there[0], b".Drafts", b"cur")
        for name in os.listdir(cur):
            os.unlink(os.path.join(cur, name))
        os.unlink(os.path.join(self.there[0], b".Drafts", b"dovecot-uidlist"))
        write_file(os.path.join(self.there[0], b"dovecot.index.log"), b"x" * 100, OWNER, 0o600)
        self.assert_asked("4 messages deleted there")

    def test_subscriptions_and_a_filter_that_users_changed(self):
        self.replaced(os.path.join(self.there[0], b"subscriptions"), b"New\n")
        self.replaced(os.path.join(self.there[0], b"sieve", b"main.sieve"), b"discard;\n")
        self.assert_asked("2 control files changed or removed there")

    def test_a_filter_where_a_mail_server_works(self):
        write_file(os.path.join(self.there[0], b"dovecot.index.log"), b"x" * 100, OWNER, 0o600)
        self.replaced(os.path.join(self.there[0], b"sieve", b"main.sieve"), b"discard;\n")
        self.assert_asked("1 control file changed or removed there")

    def late_mail(self):
        """The new server gives a UID; then the old one takes one more message, and gives it one, before anybody flushes."""
        self.replaced(os.path.join(self.there[0], b"dovecot-uidlist"), b"99 :1790000000.M5P5.new\n")
        late = deliver(self.accounts[0], b"1780000000.M7P7.late")
        self.replaced(os.path.join(self.accounts[0], b"dovecot-uidlist"), b"13 :1780000000.M7P7.late\n")
        wait_until(lambda: os.path.exists(self.root.at_destination(late)), "the message arrives", alive=self.lab.daemons)

    def uidlist(self) -> bytes:
        with open(os.path.join(self.there[0], b"dovecot-uidlist"), "rb") as file:
            return file.read()

    def test_the_uids_that_users_know_are_not_replaced_by_late_mail(self):
        self.users_work()
        self.late_mail()
        self.agent.wait_problem("users-at-destination", "a@example.org")
        self.assertIn(b"M5P5.new", self.uidlist())
        self.assertNotIn(b"M7P7.late", self.uidlist())

    def test_uids_that_nobody_knows_are_replaced_by_late_mail(self):
        self.late_mail()
        wait_until(lambda: b"M7P7.late" in self.uidlist(), "the source's uidlist arrives", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()

    def test_what_is_missing_of_others_where_some_users_are_at_work(self):
        """One account is gone, another has lost a folder, and only a third one shows users."""
        shutil.rmtree(os.path.dirname(self.there[1]))
        shutil.rmtree(os.path.join(self.there[2], b".Sent"))
        self.users_work(0)
        self.assert_asked("3 messages with other flags")
        self.assert_asked("users work on other accounts of this root", "22 messages of folders missing there", account="b@example.org")
        self.assert_asked("6 messages of folders missing there", account="c@example.org")
        self.assertFalse(os.path.exists(self.there[1]))
        self.agent.restart()
        self.assert_asked(account="b@example.org")
        self.assert_exit(0, self.agent.cli("mirror", "vhosts", "--undo-what-users-did"))
        self.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_without_a_sign_of_users_it_was_lost(self):
        shutil.rmtree(os.path.dirname(self.there[1]))
        shutil.rmtree(os.path.join(self.there[2], b".Sent"))
        cur = os.path.join(self.there[0], b"cur")
        for name in sorted(os.listdir(cur))[:5]:
            os.unlink(os.path.join(cur, name))
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.agent.problems())

    def test_a_test_login_stops_nothing(self):
        write_file(os.path.join(self.there[0], b"dovecot.index.log"), b"x" * 100, OWNER, 0o600)
        self.written(os.path.join(self.there[0], b"dovecot-uidlist"), b"99 :x\n")
        cur = os.path.join(self.there[0], b"cur")
        name = sorted(os.listdir(cur))[0]
        os.rename(os.path.join(cur, name), os.path.join(cur, name + b"S"))
        self.agent.flush("--full")
        self.assertTrue(os.path.exists(os.path.join(cur, name)))
        self.assertEqual({"stale-index"}, {problem["code"] for problem in self.agent.problems()})


if __name__ == "__main__":
    unittest.main()
