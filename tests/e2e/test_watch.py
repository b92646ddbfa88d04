"""Which watcher runs and why; what is mounted and unmounted while it does."""

import json
import os
import subprocess
import sys
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree, wait_until, why_no_fanotify
from maildir_trees import make_maildir
from service_units import DROP_IN, check_privileges, run_as_service_user

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_in_unit.py")
WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


class Choice(LabTest):
    def watcher(self, backend: str) -> dict:
        self.lab.agent.extra["watch"] = {"backend": backend}
        self.lab.agent.start()
        return self.lab.agent.status()["watcher"]

    def setUp(self):
        super().setUp()
        self.lab.add_root()

    def test_inotify_as_configured(self):
        self.assertEqual({"backend": "inotify", "reason": "as configured"}, self.watcher("inotify"))

    def test_auto_takes_fanotify_where_it_can(self):
        if reason := why_no_fanotify():
            self.skipTest(reason)
        watcher = self.watcher("auto")
        self.assertEqual("fanotify", watcher["backend"])
        self.lab.agent.wait_log("watch backend=fanotify reason=")
        self.assertIn("watching by fanotify", self.lab.agent.cli("status").stdout)

    def test_auto_takes_inotify_without_the_capability_and_says_so(self):
        self.lab.agent.prefix = WITHOUT_SYS_ADMIN
        watcher = self.watcher("auto")
        self.assertEqual("inotify", watcher["backend"])
        self.assertIn("CAP_SYS_ADMIN is missing", watcher["reason"])

    def test_fanotify_without_the_capability_ends_the_agent_with_2(self):
        self.lab.agent.extra["watch"] = {"backend": "fanotify"}
        self.lab.agent.prefix = WITHOUT_SYS_ADMIN
        self.lab.agent.start(ready=False)
        self.assertEqual(2, self.lab.agent.process.wait(60))
        self.lab.agent.process = None
        self.assertRegex(self.lab.agent.log_text(), "fanotify\" is not possible here: CAP_SYS_ADMIN is missing")


class Unit(LabTest):
    """Under the agent's unit, with and without the drop-in that lets it use fanotify."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can give a process to another user")
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=54))
        self.agent = self.lab.agent
        self.agent.extra["watch"] = {"backend": "auto"}

    def start(self):
        run_as_service_user(self.agent)
        self.agent.prefix = [sys.executable, "-B", LAUNCHER, self.agent.executable, self.lab.base, self.agent.directory, "--"]
        self.lab.start()
        check_privileges(self.agent)
        self.lab.flush()
        path = self.root.at_destination(deliver(self.root.account(0), b"1700000000.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "a delivery", alive=self.lab.daemons)
        self.lab.assert_equal()
        return self.agent.status()["watcher"]

    def test_without_the_drop_in_auto_is_inotify(self):
        watcher = self.start()
        self.assertEqual("inotify", watcher["backend"])
        self.assertIn("CAP_SYS_ADMIN is missing", watcher["reason"])

    def test_with_the_drop_in_auto_is_fanotify(self):
        if reason := why_no_fanotify():
            self.skipTest(reason)
        os.environ[DROP_IN] = "maildirsync-agent-fanotify.conf"
        self.addCleanup(os.environ.pop, DROP_IN)
        self.assertEqual("fanotify", self.start()["backend"])
        watches = json.loads(self.agent.cli("--json", "plan").stdout)["watches"]
        self.assertEqual((None, True), (watches["limit"], watches["enough"]))


class Mounts(LabTest):
    """A tmpfs takes the place of a directory of the lab."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.mounted = []
        self.addCleanup(self.unmount_all)
        probe = os.path.join(self.lab.base, "probe")
        os.mkdir(probe)
        if not self.mount(probe):
            self.skipTest("mounting is not permitted here")

    def mount(self, path) -> bool:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", path], capture_output=True, check=False)
        if done.returncode == 0:
            self.mounted.append(path)
        return done.returncode == 0

    def unmount(self, path):
        # Busy while the agent looks at it.
        wait_until(lambda: subprocess.run(["umount", path], capture_output=True, check=False).returncode == 0, f"{path} is unmounted")
        self.mounted.remove(path)

    def unmount_all(self):
        for path in self.mounted:
            subprocess.run(["umount", "-l", path], check=False)

    def becomes_equal(self, what: str):
        wait_until(lambda: not self.lab.differences(), what, alive=self.lab.daemons)

    def test_over_an_account_and_away_again(self):
        make_tree(self.root.source, TreeSpec(accounts=3, messages=30, seed=51))  # below the brake
        self.lab.start()
        self.lab.flush()
        account = self.root.account(0)
        self.mount_mail_over(account)
        self.lab.agent.wait_problem("mount-gone")
        self.unmount(account)
        wait_until(lambda: not self.lab.agent.problems("mount-gone"), "the account goes on by itself", alive=self.lab.daemons)
        self.becomes_equal("the account's own mail is what counts")
        self.mount_mail_over(account)
        self.lab.agent.wait_problem("mount-gone")
        self.assertEqual(0, self.lab.agent.cli("release", "--account", "user000@*").returncode)
        self.becomes_equal("what is mounted takes the account's place, since a person said so")
        path = self.root.at_destination(deliver(account, b"1700000000.M2P1.mx"))
        wait_until(lambda: os.path.exists(path), "a delivery on the mounted file system", alive=self.lab.daemons)

    def mount_mail_over(self, account):
        self.assertTrue(self.mount(account))
        os.chown(account, *OWNER)
        make_maildir(account, OWNER)
        deliver(account, b"1700000000.M1P1.mx")

    def test_a_root_that_is_mounted_later(self):
        os.rmdir(self.root.source)
        self.lab.start()
        self.lab.agent.wait_problem("root-gone")
        os.mkdir(self.root.source)
        self.assertTrue(self.mount(self.root.source))
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=52))
        self.becomes_equal("the root is copied")
        path = self.root.at_destination(deliver(self.root.account(1), b"1700000000.M1P1.mx"))
        wait_until(lambda: os.path.exists(path), "a delivery", alive=self.lab.daemons)

    def test_over_an_empty_root(self):
        self.lab.start()
        self.lab.flush()
        self.assertTrue(self.mount(self.root.source))
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=53))
        self.becomes_equal("what is mounted is copied")
        # Detached while the agent has the root's directory open: mail is not deleted for that.
        subprocess.run(["umount", "-l", self.root.source], check=True)
        self.mounted.remove(self.root.source)
        self.lab.agent.wait_problem("root-gone")
        self.assertTrue(os.listdir(self.root.destination))


if __name__ == "__main__":
    unittest.main()
