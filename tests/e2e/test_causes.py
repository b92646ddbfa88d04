"""What stands in the way is said by name: the side, the path, and the command, which then does it."""

import os
import re
import shutil
import subprocess
import unittest

from maildirsync_testing import OWNER, LabTest, deliver, wait_until
from maildir_trees import make_maildir


class CauseTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        make_maildir(os.path.join(self.account, b".Sent"), OWNER)
        self.messages = [deliver(self.account, b"1700000000.M%dP1.mx:2," % i, b"Subject: %d\n\nx\n" % i, area=b"cur") for i in range(5)]
        self.domain = os.path.join(self.root.destination, "example.org")

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()

    def late(self) -> bytes:
        return deliver(self.account, b"1800000000.M1P1.mx")

    def assert_said(self, code: str, *about: str) -> str:
        """By both sides, and the receiver is not OK. The sentence."""
        problem = self.lab.agent.wait_problem(code, about[0])
        there = self.lab.receiver.wait_problem(code, about[0])
        for one in (problem, there):
            for text in (*about, "at the destination"):
                self.assertIn(text, one["detail"])
        self.assertNotEqual(0, self.lab.receiver.cli("status").returncode)
        shown = self.lab.agent.cli("status").stdout
        self.assertRegex(shown, rf"(?m)^{code}: ")
        self.assertNotIn("rename it at the source", shown)
        left_out = self.lab.agent.flush(limit=20, complete=False)["left_out"]
        self.assertIn(code, [one.get("code") for one in left_out])
        return problem["detail"]

    def assert_goes_on(self):
        self.lab.flush()
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems(), "the agent has no problem", alive=self.lab.daemons)
        wait_until(lambda: not self.lab.receiver.problems(), "the receiver has no problem", alive=self.lab.daemons)


class InTheWay(CauseTest):
    def test_a_link_in_the_place_of_a_domain(self):
        self.copied()
        self.lab.receiver.stop()
        elsewhere = os.path.join(self.lab.base, "disk2")
        os.rename(self.domain, elsewhere)
        os.symlink(elsewhere, self.domain)
        self.lab.receiver.start()
        self.late()
        self.assert_said("in-the-way", f"{self.domain} is a symbolic link", "mount --bind")
        self.assertIn("in-the-way", self.lab.agent.cli("verify").stdout + self.lab.agent.cli("status").stdout)
        os.unlink(self.domain)
        os.rename(elsewhere, self.domain)
        self.assert_goes_on()

    def test_a_file_in_the_place_of_a_folder(self):
        self.copied()
        sent = os.fsdecode(self.root.at_destination(os.path.join(self.account, b".Sent")))
        shutil.rmtree(sent)
        with open(sent, "w", encoding="utf-8") as file:
            file.write("somebody's notes\n")
        deliver(os.path.join(self.account, b".Sent"), b"1800000000.M2P1.mx:2,S", area=b"cur")
        problem = wait_until(
            lambda: next((one for one in self.lab.agent.problems() if ".Sent" in one["path"]), None), "it is a problem", alive=self.lab.daemons
        )
        self.assertIn(problem["code"], ("in-the-way", "conflict"))
        self.assertNotIn("at the source", problem["detail"])
        os.unlink(sent)
        self.assert_goes_on()

    def test_two_folders_of_an_account_on_two_file_systems(self):
        sent = os.fsdecode(self.root.at_destination(os.path.join(self.account, b".Sent")))
        os.makedirs(sent)
        self.mount_small(sent, 1 << 20)
        self.copied()
        os.rename(self.messages[0], os.path.join(self.account, b".Sent", b"cur", os.path.basename(self.messages[0])))
        self.assert_said("in-the-way", "different file systems")


class Immutable(CauseTest):
    def mend(self, sentence: str):
        """By the command that was said."""
        flag, path = re.search(r"(\S+) has the flag \S+ at the destination.*chattr (-[ia])", sentence).groups()[::-1]
        self.assertEqual(0, subprocess.run(["chattr", flag, path], check=False).returncode)

    def test_a_message(self):
        self.copied()
        there = os.fsdecode(self.root.at_destination(self.messages[1]))
        if subprocess.run(["chattr", "+i", there], capture_output=True, check=False).returncode:
            self.skipTest("this file system has no such flag")
        self.addCleanup(lambda: subprocess.run(["chattr", "-i", there], capture_output=True, check=False))
        os.unlink(self.messages[1])
        sentence = self.assert_said("immutable", f"{there} has the flag immutable")
        done = self.lab.agent.cli("verify")
        self.assertNotIn("--aside-extra", done.stdout)
        self.mend(sentence)
        self.assert_goes_on()

    def test_a_message_whose_flags_change(self):
        """The flag is the file's, which has its former name there."""
        self.copied()
        there = os.fsdecode(self.root.at_destination(self.messages[3]))
        if subprocess.run(["chattr", "+i", there], capture_output=True, check=False).returncode:
            self.skipTest("this file system has no such flag")
        self.addCleanup(lambda: subprocess.run(["chattr", "-i", there], capture_output=True, check=False))
        os.rename(self.messages[3], self.messages[3] + b"S")
        self.mend(self.assert_said("immutable", f"{there} has the flag immutable"))
        self.assert_goes_on()

    def test_a_folder_that_only_takes_more(self):
        self.copied()
        there = os.fsdecode(self.root.at_destination(os.path.join(self.account, b"cur")))
        if subprocess.run(["chattr", "+a", there], capture_output=True, check=False).returncode:
            self.skipTest("this file system has no such flag")
        self.addCleanup(lambda: subprocess.run(["chattr", "-a", there], capture_output=True, check=False))
        os.rename(self.messages[2], self.messages[2] + b"S")
        self.mend(self.assert_said("immutable", f"{there} has the flag append-only"))
        self.assert_goes_on()


class ReadOnly(CauseTest):
    def test_a_domains_own_volume(self):
        os.mkdir(self.domain)
        self.mount_small(self.domain, 4 << 20)
        self.copied()
        subprocess.run(["mount", "-o", "remount,ro", self.domain], check=True)
        self.late()
        self.assert_said("read-only", "the file system is read-only")
        subprocess.run(["mount", "-o", "remount,rw", self.domain], check=True)
        self.assert_goes_on()


class Rights(CauseTest):
    def without_rights(self, daemon):
        """A service started by hand, as some user."""
        daemon.prefix = ["setpriv", "--reuid", "5009", "--regid", "5009", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--"]
        os.makedirs(daemon.state_dir, exist_ok=True)
        write_config = daemon.write_config

        def write_config_of_its_own():
            write_config()
            for directory, _, files in os.walk(daemon.directory):
                for name in ["", *files]:
                    os.chown(os.path.join(directory, name), 5009, 5009)

        daemon.write_config = write_config_of_its_own

    def test_of_the_receiver(self):
        self.copied()
        self.lab.receiver.stop()
        self.without_rights(self.lab.receiver)
        self.lab.receiver.start()
        self.late()
        problem = self.lab.agent.wait_problem("permission", "maildirsyncd runs without CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE")
        self.assertIn("systemctl start maildirsyncd", problem["detail"])
        plan = self.lab.agent.cli("plan")
        self.assert_exit(1, plan)
        self.assertIn("- permission: vhosts: ", plan.stdout)
        self.assertIn("maildirsyncd runs without CAP_CHOWN", plan.stdout)
        self.assertNotIn("root-gone", plan.stdout)
        self.assertNotIn("mount the root's path", plan.stdout)
        self.assertNotEqual(0, self.lab.receiver.cli("status").returncode)

    def test_of_the_agent(self):
        self.without_rights(self.lab.agent)
        self.lab.start()
        os.chmod(os.path.join(self.root.source, "example.org"), 0o700)
        self.lab.agent.restart()
        detail = self.lab.agent.wait_problem("permission", "example.org")["detail"]
        self.assertIn("maildirsync-agent runs without CAP_DAC_READ_SEARCH", detail)
        self.assertNotIn("CAP_CHOWN", detail)


if __name__ == "__main__":
    unittest.main()
