"""The ready-made hooks: `door-changed` brings the new server its maps over a real sshd."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

HOOKS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "hooks"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Hooks(unittest.TestCase):
    def test_they_can_be_run_and_say_what_they_are_for(self):
        for name in os.listdir(HOOKS):
            path = os.path.join(HOOKS, name)
            self.assertTrue(os.access(path, os.X_OK), name)
            self.assertEqual(0, subprocess.run(["sh", "-n", path]).returncode, name)
            with open(path, encoding="utf-8") as file:
                self.assertTrue(file.readlines()[1].startswith("# "), name)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("sshd") and shutil.which("ssh"), "root, ssh and sshd are needed")
class DoorChanged(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="maildirsync-hooks-")
        self.addCleanup(shutil.rmtree, self.base)
        self.door = self.directory("door")
        self.there = os.path.join(self.base, "there")
        for side in ("old", "new"):
            self.directory("door", side)
            for name in ("dovecot-proxy", "postfix-transport", "postfix-relay"):
                self.write(f"door/{side}/{name}", f"{side} {name}\n")
        self.write("door/changed", "alice@example.org\n")
        self.begin_sshd()
        self.settings = self.write("settings", f'NEW=root@127.0.0.1\nNEW_DIRECTORY={self.there}\nSSH="ssh -F {self.base}/ssh_config"\nDOVEADM=false\n')

    def directory(self, *names: str) -> str:
        path = os.path.join(self.base, *names)
        os.mkdir(path)
        return path

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def begin_sshd(self):
        for key in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(self.base, key)], check=True)
        port = free_port()
        os.makedirs("/run/sshd", exist_ok=True)
        config = self.write(
            "sshd_config",
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.base}/host_key\nAuthorizedKeysFile {self.base}/user_key.pub\n"
            f"StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\n",
        )
        self.write(
            "ssh_config",
            f"Host *\n  Port {port}\n  IdentityFile {self.base}/user_key\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  UserKnownHostsFile {self.base}/known_hosts\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
        )
        sshd = subprocess.Popen([shutil.which("sshd"), "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sshd.wait)
        self.addCleanup(sshd.terminate)
        end = time.monotonic() + 30
        while not answers(port):
            self.assertLess(time.monotonic(), end, "sshd does not come up")
            time.sleep(0.05)

    def run_hook(self, place: str) -> subprocess.CompletedProcess:
        environment = {"PATH": os.environ["PATH"], "MAILDIRSYNC_DOOR": self.door, "MAILDIRSYNC_PLACE": place, "MAILDIRSYNC_DOOR_SETTINGS": self.settings}
        return subprocess.run([os.path.join(HOOKS, "door-changed")], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_the_new_server_gets_its_maps_each_time(self):
        for version in ("first", "second"):
            self.write("door/new/dovecot-proxy", version)
            done = self.run_hook("moves")
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            with open(os.path.join(self.there, "dovecot-proxy"), encoding="utf-8") as file:
                self.assertEqual(version, file.read())
            with open(os.path.join(self.there, "postfix-transport"), encoding="utf-8") as file:
                self.assertEqual("new postfix-transport\n", file.read())
            self.assertFalse(os.path.exists(os.path.join(self.there, ".coming")))

    def test_a_server_that_cannot_be_reached_is_a_failure(self):
        self.write("settings", f'NEW=root@127.0.0.1\nNEW_DIRECTORY={self.there}\nSSH=false\n')
        self.assertNotEqual(0, self.run_hook("there").returncode)

    def test_sessions_that_do_not_end_are_a_failure(self):
        who = self.write("doveadm", "#!/bin/sh\nif [ $1 = who ]; then echo username; echo alice@example.org; fi\n")
        os.chmod(who, 0o755)
        self.write("settings", f"DOVEADM={who}\nSECONDS_TO_LEAVE=0\n")
        done = self.run_hook("moves")
        self.assertEqual(1, done.returncode)
        self.assertIn("sessions of alice@example.org do not end", done.stderr)
        self.assertEqual(0, self.run_hook("there").returncode)


if __name__ == "__main__":
    unittest.main()
