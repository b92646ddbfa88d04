"""An account at the destination belongs to the agent and root that brought it; another is refused by name, and touches nothing."""

import json
import os
import shutil
import signal
import subprocess
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree, program, wait_until
from maildir_trees import make_maildir, read_tree


class OneOwner(LabTest):
    def setUp(self):
        super().setUp()
        self.first = self.lab.add_root()
        self.second_agent = self.lab.add_agent("second")
        self.second = self.lab.add_root(agent=self.second_agent)

    def account(self, root, name: str, messages: int, domain: str = "example.org") -> bytes:
        account = os.path.join(os.fsencode(root.source), domain.encode(), name.encode(), b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755, exist_ok=True)
        make_maildir(account, OWNER, is_account=True)
        for i in range(messages):
            deliver(account, b"1700000000.M%dP%s.mx:2,S" % (i, root.source[-9:].encode().replace(b"-", b"")), area=b"cur")
        return account

    def share(self, *, shared: bool = True):
        self.second.destination = self.first.destination
        if shared:
            self.first.landing["shared"] = self.second.landing["shared"] = True

    def check_config(self) -> subprocess.CompletedProcess:
        self.lab.receiver.write_config()
        return subprocess.run([program("maildirsyncd"), "--config", self.lab.receiver.config, "--check-config"], capture_output=True, text=True, check=False)

    def test_roots_in_one_directory_are_refused_by_name(self):
        self.share(shared=False)
        for path in (self.first.destination, self.first.destination + "/below", os.path.dirname(self.first.destination), os.path.join(self.lab.base, "link")):
            if path.endswith("link"):
                os.symlink(self.first.destination, path)
            self.second.destination = path
            done = self.check_config()
            self.assertEqual(2, done.returncode, done.stderr)
            for words in ('root "vhosts" of peer "second"', 'root "vhosts" of peer "agent"', "shared = true", self.first.destination):
                self.assertIn(words, done.stderr)
        self.second.landing["shared"] = True
        self.assertEqual(2, self.check_config().returncode)
        self.first.landing["shared"] = True
        self.assertEqual(0, self.check_config().returncode)
        self.second.landing.clear()
        self.second.destination = self.first.destination + "-other"
        self.assertEqual(0, self.check_config().returncode)

    def test_a_reload_refuses_them(self):
        self.lab.start()
        good = self.second.destination
        self.second.destination = self.first.destination
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.receiver.wait_log("reload-refused .*lands in the same directory")
        self.assertEqual(good, self.lab.receiver.status()["peers"][1]["roots"][0]["path"])

    def test_pair_refuses_them(self):
        self.lab.receiver.peers.remove(self.second_agent)
        self.lab.receiver.write_config()
        with open(self.lab.receiver.config, encoding="utf-8") as file:
            before = file.read()
        line = f"maildirsync-pair v1 agent other.example.org {self.second_agent.identity.fingerprint} root=vhosts,/var/mail,root:0,root:0"
        from maildirsync_testing import cli

        done = cli("pair", "--config", self.lab.receiver.config, "--path", self.first.destination, "--owner", "root:root", "--no-start", line)
        self.assert_exit(2, done)
        self.assertIn("lands in the same directory as", done.stderr)
        self.assertIn('of peer "agent"', done.stderr)
        with open(self.lab.receiver.config, encoding="utf-8") as file:
            self.assertEqual(before, file.read())

    def test_two_servers_are_merged_and_an_account_in_common_belongs_to_the_first(self):
        self.share()
        mine, both = self.account(self.first, "mine", 5), self.account(self.first, "both", 5)
        theirs, other = self.account(self.second, "theirs", 5), self.account(self.second, "both", 7)
        self.lab.receiver.start()
        self.lab.agent.start()
        self.lab.agent.flush()
        before = read_tree(self.first.destination)
        self.second_agent.start()
        problem = self.second_agent.wait_problem("owned-by-another", "both@example.org")
        for words in ('root "vhosts" of peer "agent"', "disown"):
            self.assertIn(words, problem["detail"])
        wait_until(lambda: os.path.exists(self.first.at_destination(os.path.join(self.first.source.encode(), os.path.relpath(theirs, os.fsencode(self.second.source)), b"dovecot-uidlist")))
                   or os.path.exists(os.path.join(self.first.destination, "example.org/theirs/Maildir/cur")), "the other account arrives", alive=self.lab.daemons)
        result = self.second_agent.flush("--timeout", "5", complete=False)
        self.assertFalse(result["complete"])
        self.assertIn("owned-by-another", json.dumps(result["left_out"]))
        # A deletion of the one deletes nothing of the other.
        shutil.rmtree(os.path.join(os.fsencode(self.second.source), b"example.org", b"both"))
        self.second_agent.wait_problem("account-gone") if self.second_agent.problems("account-gone") else None
        self.lab.agent.flush()
        after = read_tree(self.first.destination)
        for path in before:
            self.assertIn(path, after)
        # The first is as ever, and so after a restart of the receiver.
        path = self.first.at_destination(deliver(both, b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "the owner's mail arrives", alive=self.lab.daemons)
        self.lab.receiver.restart()
        path = self.first.at_destination(deliver(mine, b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "the owner's mail arrives", alive=self.lab.daemons)
        self.assertEqual([], self.lab.agent.problems())
        del other

    def test_two_servers_with_accounts_of_their_own_are_each_equal(self):
        """What the other one brought is theirs, and neither extra nor in a cutover's way."""
        self.share()
        self.account(self.first, "mine", 5)
        self.account(self.second, "theirs", 5)
        self.lab.start()
        self.lab.flush()
        for agent in (self.lab.agent, self.second_agent):
            result = agent.flush()
            self.assertEqual((0, []), (result["extra_whole_accounts"], result["extras"]))
            self.assertEqual("", agent.status()["extra_detail"])
            done = agent.cli("verify")
            self.assert_exit(0, done)

    def test_it_ends_with_the_peer(self):
        self.share()
        self.account(self.first, "both", 5)
        self.account(self.second, "both", 7)
        self.lab.receiver.start()
        self.lab.agent.start()
        self.lab.agent.flush()
        self.second_agent.start()
        self.second_agent.wait_problem("owned-by-another")
        self.lab.agent.stop()
        self.lab.receiver.peers.remove(self.lab.agent)
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        self.second_agent.wait_state("live")
        wait_until(lambda: self.second_agent.problems() == [], "the second has it", alive=[self.lab.receiver, self.second_agent])
        self.second_agent.flush()

    def test_an_account_is_handed_over(self):
        self.share()
        self.account(self.first, "both", 5)
        self.account(self.first, "mine", 5)
        self.account(self.second, "both", 7)
        self.lab.receiver.start()
        self.lab.agent.start()
        self.lab.agent.flush()
        self.second_agent.start()
        self.second_agent.wait_problem("owned-by-another")
        self.first.options["exclude"] = ["both@example.org"]
        self.lab.agent.write_config()
        self.lab.agent.signal(signal.SIGHUP)
        wait_until(lambda: self.lab.agent.status()["roots"][0]["accounts"] == 1, "it is excluded", alive=self.lab.daemons)
        self.assert_exit(2, self.lab.receiver.cli("disown", "nobody"))
        done = self.lab.receiver.cli("disown", "agent", "--account", "both@example.org")
        self.assert_exit(0, done)
        self.assertIn("1 account is free", done.stdout)
        wait_until(lambda: self.second_agent.problems() == [], "the second has it", alive=self.lab.daemons)
        self.second_agent.flush()
        self.lab.agent.flush()
        self.assertEqual([], self.lab.agent.problems())


class OtherLayout(LabTest):
    """`accounts` of a live root changes."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=5, messages=150, seed=71))
        for number in range(5):
            home = os.path.dirname(self.root.account(number))
            with open(os.path.join(home, b".dovecot.sieve"), "wb") as file:
                file.write(b"keep;\n")
            status = os.stat(home)
            os.chown(os.path.join(home, b".dovecot.sieve"), status.st_uid, status.st_gid)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()

    def inodes(self) -> dict:
        return {path: os.lstat(os.path.join(os.fsencode(self.root.destination), path)).st_ino for path, entry in read_tree(self.root.destination, "%d/%n").items() if entry.kind == "file"}

    def change(self, layout: str, *, restart: bool):
        before, sent = self.inodes(), self.lab.agent.totals()["messages_sent"]
        self.root.layout = layout
        if restart:
            self.lab.agent.restart()
            sent = 0
        else:
            self.lab.agent.write_config()
            self.lab.agent.signal(signal.SIGHUP)
            self.lab.agent.wait_log("reloaded")
        self.lab.agent.wait_log("layout-changed .*accounts=5")
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual(5, self.lab.agent.status()["roots"][0]["accounts"])
        after = self.inodes()
        self.assertEqual(before, {path: inode for path, inode in after.items() if path in before}, "nothing was deleted or copied again")
        self.assertEqual(sent, self.lab.agent.totals()["messages_sent"])
        self.assert_exit(0, self.lab.agent.cli("verify"))
        return set(after) - set(before)

    def test_the_filters_in_the_home_come_along_and_back_again(self):
        come = self.change("%d/%n", restart=False)
        self.assertEqual(5, len([path for path in come if path.endswith(b"/.dovecot.sieve")]), come)
        self.assertEqual(set(), self.change("%d/%n/Maildir", restart=False))
        path = self.root.at_destination(deliver(self.root.account(0), b"1700000001.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "mail arrives", alive=self.lab.daemons)

    def test_over_a_restart(self):
        self.change("%d/%n", restart=True)
        self.change("%d/%n/Maildir", restart=True)


if __name__ == "__main__":
    unittest.main()
