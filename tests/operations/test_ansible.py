"""The Ansible role passes its linter, and what it writes is what the programs take; run again, it changes what the inventory changed."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
ANSIBLE = os.path.join(SOURCE, "ansible")
LOCAL = f"ansible_connection: local, ansible_become: false, ansible_python_interpreter: {sys.executable}"
# Old and new server are this machine, in a mount namespace whose /etc and /var/cache are the test's own.
PRIVATE = 'mount --bind "$0/etc" /etc && mount --bind "$0/cache" /var/cache && exec "$@"'
ROOT = '{{name: {name}, path: /var/mail/{name}, accounts: "%d/%n/Maildir", destination: /srv/{name}, owner: {{policy: map, users: {{vmail: "5000"}}, groups: {{vmail: "5000"}}}}}}'


def run(*command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


def read(*path: str) -> str:
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(path: str, text: str, mode: int = 0o644) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Lint(unittest.TestCase):
    def test_the_linter_and_the_syntax_check_say_nothing(self):
        for command in (("ansible-lint", "--nocolor", "-q"), ("ansible-playbook", "--syntax-check", "-i", "inventory.example.yml", "site.yml")):
            with self.subTest(command[0]), tempfile.TemporaryDirectory() as home:
                done = run(*command, env={**os.environ, "HOME": home})
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                self.assertNotIn("WARNING", done.stdout + done.stderr)


class Role(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="maildirsync-ansible-")
        self.addCleanup(shutil.rmtree, self.base)
        shutil.copytree("/etc", os.path.join(self.base, "etc"), symlinks=True, ignore=shutil.ignore_patterns("maildirsync", "maildirsync*.d"))
        for name in ("cache", "bin", "packages", "home"):
            os.mkdir(os.path.join(self.base, name))
        for side in ("common", "agent", "receiver"):
            write(os.path.join(self.base, "packages", f"maildirsync-{side}_1_amd64.deb"), "")
        # The programs are the build's; a service manager and a package manager are not to be had in a test, only what they were told.
        write(os.path.join(self.base, "bin", "apt-get"), '#!/bin/sh\nmkdir -p /etc/maildirsync\necho "0 upgraded, 0 newly installed"\n', 0o755)
        self.calls = os.path.join(self.base, "calls")
        write(os.path.join(self.base, "bin", "systemctl"),
              f'#!/bin/sh\necho "$@" >>{self.calls}\n[ "$1" != show ] || printf "LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n"\n', 0o755)  # fmt: skip

    def play(self, *roots: str) -> tuple[set[str], list[str]]:
        """The tasks that changed something, and what systemctl was told to do."""
        inventory = os.path.join(self.base, "inventory.yml")
        write(inventory, f"""
all:
  vars: {{{LOCAL}, maildirsync_package_dir: {self.base}/packages, maildirsync_metrics_listen: "127.0.0.1:9465"}}
  children:
    maildirsync_receivers: {{hosts: {{new.example.org: }}}}
    maildirsync_agents:
      hosts:
        old.example.org:
          maildirsync_receiver: new.example.org
          maildirsync_roots: [{", ".join(ROOT.format(name=name) for name in roots)}]
""")  # fmt: skip
        write(self.calls, "")
        path = ":".join([os.path.join(self.base, "bin"), os.environ["MAILDIRSYNC_BIN"], os.environ["PATH"]])
        done = run(
            "unshare", "--mount", "sh", "-c", PRIVATE, self.base, "ansible-playbook", "-i", inventory, "site.yml",
            env={**os.environ, "PATH": path, "HOME": os.path.join(self.base, "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
        )  # fmt: skip
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        changed, task = set(), ""
        for line in done.stdout.splitlines():
            task = found[1] if (found := re.match(r"(?:TASK|RUNNING HANDLER) \[maildirsync : (.*)\]", line)) else task
            changed |= {task} if line.startswith("changed:") else set()
        return changed, sorted(call for call in read(self.calls).splitlines() if not call.startswith(("show", "is-", "daemon-reload")))

    def config(self, side: str) -> dict:
        return tomllib.loads(read(self.base, "etc", "maildirsync", side + ".toml"))

    def fingerprint(self, side: str) -> str:
        certificate = os.path.join(self.base, "etc", "maildirsync", side + ".crt")
        return run(os.path.join(os.environ["MAILDIRSYNC_BIN"], "maildirsync"), "fingerprint", certificate).stdout.strip()

    def test_it_pairs_both_sides_and_then_changes_only_what_the_inventory_changes(self):
        changed, _ = self.play("vhosts")
        self.assertIn("Make this server's key", changed)
        agent, receiver = self.config("agent"), self.config("receiver")
        self.assertEqual(self.fingerprint("receiver"), agent["tls"]["receiver_fingerprint"])
        self.assertEqual("new.example.org:4465", agent["receiver"])
        self.assertEqual([self.fingerprint("agent")], [peer["fingerprint"] for peer in receiver["peer"]])
        self.assertEqual(["/srv/vhosts"], [root["path"] for root in receiver["peer"][0]["root"]])
        drop_in = ("etc", "systemd", "system", "maildirsyncd.service.d", "paths.conf")
        self.assertRegex(read(self.base, *drop_in), r"(?m)^ReadWritePaths=/srv/vhosts$")

        changed, told = self.play("vhosts", "homes")
        self.assertEqual({"Write the configuration", "Let the unit write below the roots", "Reload maildirsync", "Restart maildirsync"}, changed)
        self.assertEqual(["reload maildirsync-agent", "reload maildirsyncd", "restart maildirsyncd"], told)
        self.assertEqual({"vhosts", "homes"}, {root["name"] for root in self.config("agent")["root"]})
        self.assertRegex(read(self.base, *drop_in), r"(?m)^ReadWritePaths=/srv/homes /srv/vhosts$")
        self.assertEqual(self.fingerprint("receiver"), self.config("agent")["tls"]["receiver_fingerprint"], "a key was made anew")


if __name__ == "__main__":
    unittest.main()
