"""What looks like a catastrophe at the source is held, and deletes nothing at the destination; what users do in a day goes
through. The rules as a table of cases are in tests/unit/common/sync/brake_test.cpp."""

import json
import os
import shutil
import subprocess
import unittest

from maildirsync_testing import TreeSpec, deliver, make_tree, wait_until
from brakes_lab import BrakeTest


class Brakes(BrakeTest):
    def test_a_release_outlives_the_agent_until_it_was_made_use_of(self):
        make_tree(self.root.source, TreeSpec(accounts=4, messages=60, seed=46))
        self.copied()
        accounts = [self.root.at_destination(self.root.account(number)) for number in range(4)]
        for name in os.listdir(self.root.source):
            shutil.rmtree(os.path.join(self.root.source, name))
        self.assert_held("root-gone")
        self.lab.receiver.stop()
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.lab.agent.kill()
        self.lab.agent.start()
        self.lab.receiver.start()
        wait_until(lambda: not any(map(os.path.exists, accounts)), "the accounts go without a second release", alive=self.lab.daemons)
        decisions = os.path.join(self.lab.agent.state_dir, "decisions")

        def kept() -> str:
            with open(decisions, encoding="utf-8") as file:
                return file.read()

        wait_until(lambda: "\nrelease " not in kept(), "it counts once", alive=self.lab.daemons)

    def test_a_release_of_a_destination_that_cannot_be_told_says_so(self):
        make_tree(self.root.source, TreeSpec(accounts=2, messages=20, seed=47))
        self.copied()
        os.unlink(os.path.join(self.root.destination, ".maildirsync.root"))
        self.lab.agent.wait_problem("destination-gone")
        self.lab.receiver.stop()
        wait_until(lambda: not self.lab.agent.status()["peer"]["connected"], "the receiver is away", alive=[self.lab.agent])
        done = self.lab.agent.cli("release")
        self.assert_exit(1, done)
        self.assertIn("the receiver holds the destination, and is not connected: nothing was released", done.stderr)

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
        self.assert_held("root-gone")
        self.assert_untouched()

    # -- directories that no user removes

    def test_one_account_of_few_messages_is_gone(self):
        account, other = self.account("a", 7), self.account("b", 7)
        self.copied()
        shutil.rmtree(os.path.dirname(account))
        self.assert_held("account-gone")
        self.assert_untouched()
        self.assertIn("maildirsync release --account 'a@example.org'", self.problems("account-gone")["a@example.org"])
        path = self.root.at_destination(deliver(other, b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "another account's mail arrives", alive=self.lab.daemons)
        # Over a restart, too.
        self.lab.agent.restart()
        self.wait_problems("account-gone", 1)
        self.assertEqual(7, self.count_at_destination(account))
        done = self.lab.agent.cli("release", "--account", "a@example.org")
        self.assert_exit(0, done)
        for words in ("a@example.org", "7 messages", "trash", "released: 1"):
            self.assertIn(words, done.stdout)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(7, len([path for path in self.in_trash() if "/cur/" in path]))

    def test_an_account_that_comes_back_goes_on_by_itself(self):
        account = self.account("a", 7)
        self.account("b", 7)
        self.copied()
        os.rename(account, account + b".away")
        self.wait_problems("account-gone", 1)
        os.rename(account + b".away", account)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_untouched()

    def domains(self, accounts: int = 8):
        """A domain that is a seventh of the root."""
        for domain in range(7):
            for i in range(accounts):
                self.account(f"u{i}", 3, f"domain{domain}.example")
        return os.path.join(self.root.source, "domain0.example")

    def test_rm_rf_of_a_domain(self):
        domain = self.domains()
        self.copied()
        shutil.rmtree(domain)
        problems = self.wait_problems("account-gone", 8)
        self.assertTrue(all(name.endswith("@domain0.example") for name in problems), problems)
        self.assert_exit(2, self.lab.agent.cli("status"))
        self.assert_untouched()
        # release names what goes before it goes.
        done = self.lab.agent.cli("release", "--account", "*@domain0.example")
        self.assert_exit(0, done)
        self.assertEqual(8, done.stdout.count("@domain0.example"), done.stdout)
        self.assertIn("24 messages", done.stdout)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(24, len([path for path in self.in_trash() if "/cur/" in path]))

    def test_a_slow_rm_rf_of_a_domain_while_it_lasts(self):
        domain = self.domains(accounts=3)
        self.copied()
        for name in sorted(os.listdir(domain)):
            for directory, directories, files in os.walk(os.path.join(domain, name), topdown=False):
                for file in files:
                    os.unlink(os.path.join(directory, file))
                for below in directories:
                    os.rmdir(os.path.join(directory, below))
            os.rmdir(os.path.join(domain, name))
            self.wait_problems("account-gone", int(name[1:]) + 1)
        os.rmdir(domain)
        self.assertEqual(9, sum(self.count_at_destination(os.path.join(os.fsencode(domain), b"u%d" % i, b"Maildir")) for i in range(3)))

    def test_a_domain_on_a_volume_that_is_unmounted_and_mounted_again(self):
        domain = os.path.join(self.root.source, "domain0.example")
        volume = os.path.join(self.lab.base, "volume")
        os.mkdir(domain, 0o755)
        os.mkdir(volume, 0o755)
        mount = lambda: subprocess.run(["mount", "--bind", volume, domain], capture_output=True, check=False).returncode == 0  # noqa: E731
        if not mount():
            self.skipTest("mounting is not permitted here")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", domain], capture_output=True, check=False))
        self.domains()
        self.copied()
        wait_until(lambda: subprocess.run(["umount", domain], capture_output=True, check=False).returncode == 0, "it is unmounted")
        wait_until(lambda: len(self.problems("mount-gone") | self.problems("account-gone")) == 8, "the accounts of the domain are held", alive=self.lab.daemons)
        self.assert_untouched()
        self.assertTrue(mount())
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_untouched()

    def test_rm_rf_of_all_that_is_in_an_account(self):
        account = self.account("a", 12)
        self.account("b", 7)
        self.copied()
        for name in os.listdir(account):
            path = os.path.join(account, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        self.assert_held("mass-deletion")
        self.assertIn("INBOX", self.problems("mass-deletion")["a@example.org"])
        self.assertEqual(12, self.count_at_destination(account))

    def test_many_accounts_lose_most_of_their_mail_at_once(self):
        accounts = [self.account(f"u{i}", 30) for i in range(12)]
        self.copied()
        for account in accounts[:6]:
            self.delete(account, 30)
        problems = self.wait_problems("mass-deletion", 6)
        self.assertIn("many other accounts", problems["u0@example.org"])
        self.assert_untouched()
        path = self.root.at_destination(deliver(accounts[7], b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "another account's mail arrives", alive=self.lab.daemons)
        held = json.loads(self.lab.agent.cli("--json", "release").stdout)
        self.assertEqual((6, 180), (held["released"], held["messages"]))
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(180, len(self.in_trash()))

    def test_many_accounts_emptied_while_the_agent_is_away(self):
        accounts = [self.account(f"u{i}", 30) for i in range(12)]
        self.copied()
        self.lab.agent.stop()
        for account in accounts[:6]:
            self.delete(account, 30)
        self.lab.agent.start()
        self.wait_problems("mass-deletion", 6)
        self.assert_untouched()

    # -- what users do

    def test_accounts_that_may_go_by_themselves_after_some_time(self):
        self.root.options["removed_accounts"] = "3s"
        domain = self.domains()
        gone = self.account("left", 3, "domain1.example")
        self.copied()
        shutil.rmtree(os.path.dirname(gone))
        self.lab.agent.wait_log("account-due .*left@domain1.example")
        wait_until(lambda: not os.path.exists(self.root.at_destination(gone)), "the account goes", alive=self.lab.daemons)
        shutil.rmtree(domain)  # too many at once to be users who left
        self.wait_problems("account-gone", 8)
        self.lab.agent.restart()
        self.wait_problems("account-gone", 8)
        self.lab.agent.wait_log("account-held .*domain0")
        self.assertEqual(24, sum(len(files) for _, _, files in os.walk(os.path.join(self.root.destination, "domain0.example"))))

    def test_without_a_trash_a_mass_deletion_is_held_until_release(self):
        self.root.landing["trash_days"] = 0
        account = self.account("a", 100)
        self.copied()
        self.delete(account, 60)
        self.assert_held("mass-deletion")
        self.assertIn("trash_days", self.problems("mass-deletion")["a@example.org"])
        new = deliver(account, b"1700000001.M1P1.mx")
        done = self.lab.agent.cli("release")
        self.assert_exit(0, done)
        self.assertIn("for good", done.stdout)
        wait_until(lambda: self.count_at_destination(account) == 40, "the deletion goes on after release", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(os.path.exists(self.root.at_destination(new)))
        self.assertFalse(os.path.exists(os.path.join(self.root.destination, ".maildirsync.trash")))


if __name__ == "__main__":
    unittest.main()
