"""Both daemons under their units' restrictions, taken from the unit files: they do all their work, and no more is open to them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir
from service_units import USERS, check_privileges, run_as_service_user

BASE = b"1700000000.M%dP1.mx"
LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_in_unit.py")


class Units(LabTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can give a process to another user")
        self.root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "7000", "mail": "games"}, "groups": {"5000": "7000", "mail": "games"}})
        self.owners = {"map_owner": lambda uid, gid: ({5000: 7000, 8: 5}[uid], {5000: 7000, 8: 60}[gid])}
        make_tree(self.root.source, TreeSpec(accounts=5, messages=150, seed=401, owners=((5000, 5000), (8, 8))))
        for daemon in self.lab.daemons:
            run_as_service_user(daemon)

    def restrict(self, *daemons):
        for daemon in daemons:
            writable = [daemon.directory]
            if daemon is self.lab.receiver:
                writable += [root.destination for root in self.lab.agent.roots]
            daemon.prefix = [sys.executable, "-B", LAUNCHER, daemon.executable, self.lab.base, *writable, "--"]

    def assert_restricted(self, daemon):
        check_privileges(daemon)
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            status = dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), re.MULTILINE))
        self.assertEqual("1", status["NoNewPrivs"])
        self.assertEqual("2", status["Seccomp"])
        self.assertEqual("0077", status["Umask"])

    def test_the_whole_work(self):
        self.restrict(*self.lab.daemons)
        self.lab.start()
        for daemon in self.lab.daemons:
            self.assert_restricted(daemon)
        self.lab.flush()
        self.lab.assert_equal(**self.owners)
        account = self.root.account(0)
        cur = os.path.join(account, b"cur")
        names = sorted(name for name in os.listdir(cur) if os.lstat(os.path.join(cur, name)).st_nlink == 1)
        deliver(account, BASE % 1)
        os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0].partition(b":2,")[0] + b":2,DFT"))
        os.rename(os.path.join(cur, names[1]), os.path.join(account, b".Sent", b"cur", names[1]))
        os.link(os.path.join(cur, names[2]), os.path.join(account, b".Sent", b"cur", names[2]))
        os.unlink(os.path.join(cur, names[3]))
        os.chown(os.path.join(cur, names[4]), 8, 8)
        shared = os.path.join(account, b".Shared")
        make_maildir(shared, (5000, 8), 0o2770)
        for area in (b"", b"cur", b"new", b"tmp"):
            os.chmod(os.path.join(shared, area), 0o2770)
        deliver(shared, BASE % 2)
        shutil.rmtree(os.path.join(self.root.account(1), b".Drafts"))
        os.rename(os.path.join(self.root.account(2), b".Sent"), os.path.join(self.root.account(2), b".Dispatched"))
        with open(os.path.join(account, b"dovecot-uidlist"), "ab") as file:
            file.write(b"9999 :" + BASE % 1 + b"\n")
        shutil.rmtree(os.path.dirname(self.root.account(4)))
        self.lab.agent.wait_problem("account-gone")
        self.assertEqual(0, self.lab.agent.cli("release", "--account", "user004@*").returncode)
        self.lab.flush()
        self.lab.assert_equal(**self.owners)
        self.assertEqual([], self.lab.agent.problems())
        with self.lab.write_traffic(self.root, rate=100, seed=402):
            for daemon in self.lab.daemons:
                daemon.signal(signal.SIGHUP)
                wait_until(lambda: daemon.try_status() is not None, "an answer", alive=[daemon])
        self.lab.flush()
        self.lab.assert_equal(**self.owners)
        for daemon in self.lab.daemons:
            daemon.restart()
            self.assert_restricted(daemon)
        self.lab.agent.flush("--full")
        self.lab.assert_equal(**self.owners)
        for daemon in self.lab.daemons:
            self.assertEqual(0, daemon.stop())

    def test_a_killed_receiver_is_not_taken_for_a_power_cut(self):
        """For that, it must see the boot's id from within its unit."""
        self.restrict(self.lab.receiver)
        self.lab.start()
        self.lab.flush()
        self.lab.receiver.kill()
        self.lab.receiver.start()
        self.lab.flush()
        self.assertNotIn("unclean-end", self.lab.receiver.log_text() + self.lab.agent.log_text())

    def test_a_path_that_the_unit_does_not_open_is_a_problem_with_a_remedy(self):
        """ReadWritePaths= was forgotten for a second root."""
        self.restrict(self.lab.receiver)
        second = self.lab.add_root("second")
        make_tree(second.source, TreeSpec(accounts=1, messages=5, seed=403))
        self.lab.start()
        problem = self.lab.agent.wait_problem("permission", "second")
        self.assertRegex(problem["detail"], "read-only.*ReadWritePaths")
        self.assertRegex(self.lab.receiver.wait_problem("permission", "second")["detail"], "ReadWritePaths")
        self.lab.agent.roots = [self.root]
        wait_until(lambda: not self.lab.differences(**self.owners), "the first root arrives", alive=self.lab.daemons)

    def test_the_launcher_takes_what_the_units_take(self):
        """The restrictions are there: without that, the other tests would show nothing."""
        probe = os.path.join(self.lab.base, "probe.py")
        with open(probe, "w", encoding="utf-8") as file:
            file.write(PROBE)
        for daemon in self.lab.daemons:
            with self.subTest(daemon.name):
                self.restrict(daemon)
                command = [*daemon.prefix, sys.executable, "-B", probe, daemon.directory, self.root.source, self.root.destination]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                self.assertEqual("", done.stderr)
                said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
                is_receiver = daemon is self.lab.receiver
                self.assertEqual(str(USERS[daemon.executable]), said["uid"])
                self.assertEqual("ok", said["own"])
                self.assertEqual("30", said["source"])  # EROFS
                self.assertEqual("ok" if is_receiver else "30", said["destination"])
                self.assertEqual("30", said["etc"])
                self.assertEqual("1", said["unshare"])
                self.assertEqual("97", said["packet"])
                self.assertEqual("1", said["setuid"])
                self.assertEqual("ok" if is_receiver else "1", said["chown"])
                self.assertEqual("ok", said["tmp"])
                self.assertFalse(os.path.exists("/tmp/maildirsync-probe"))


PROBE = '''
import ctypes, os, socket, sys

def attempt(name, function):
    try:
        function()
        print(name, "ok")
    except OSError as error:
        print(name, error.errno)

def write(directory):
    path = os.path.join(directory, "maildirsync-probe")
    open(path, "w").close()
    os.unlink(path)

def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")

own, source, destination = sys.argv[1:]
print("uid", os.getuid())
attempt("own", lambda: write(own))
attempt("source", lambda: write(source))
attempt("destination", lambda: write(destination))
attempt("etc", lambda: write("/etc"))
attempt("tmp", lambda: open("/tmp/maildirsync-probe", "w").close())
attempt("unshare", unshare)
attempt("packet", lambda: socket.socket(17, socket.SOCK_RAW))
attempt("setuid", lambda: os.setuid(0))
def chown():
    path = os.path.join(own, "maildirsync-probe")
    open(path, "w").close()
    try:
        os.chown(path, 5000, 5000)
    finally:
        os.unlink(path)
attempt("chown", chown)
'''


if __name__ == "__main__":
    unittest.main()
