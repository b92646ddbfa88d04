"""From empty directories to a live mirror by `setup` and `pair` alone: no file is edited by hand."""

import json
import os
import pty
import signal
import stat
import subprocess
import unittest

from maildirsync_testing import LAYOUT, Lab, TreeSpec, cli, compare_trees, deliver, explain, free_port, make_tree, program, wait_until

VMAIL = (5000, 5000)


class Side:
    """What lies below one server's prefix, and its daemon."""

    def __init__(self, test: "SetupTest", name: str, role: str):
        self.test, self.role = test, role
        self.prefix = os.path.join(test.lab.base, name)
        self.executable = {"agent": "maildirsync-agent", "receiver": "maildirsyncd"}[role]
        self.config = os.path.join(self.prefix, "etc/maildirsync", f"{role}.toml")
        self.control = os.path.join(self.prefix, "run", self.executable, "control.sock")
        self.log = os.path.join(test.lab.base, f"{name}.log")
        self.process: subprocess.Popen | None = None

    def run(self, command: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        return cli(command, *arguments, "--prefix", self.prefix, **options)

    def setup(self, *arguments: str, **options) -> str:
        """The line for the other side."""
        return self.run("setup", self.role, *arguments, **{"check": True, **options}).stdout.strip()

    def pair(self, *arguments: str, **options) -> str:
        return self.run("pair", *arguments, **{"check": True, **options}).stdout.strip()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program(self.executable), "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self.test.addCleanup(self.stop)
        wait_until(lambda: os.path.exists(self.control), f"{self.executable} listens\n{self.text(self.log)}")

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            self.test.assertEqual(0, process.wait(30), self.text(self.log))

    def cli(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return cli("--control", self.control, *arguments, **options)

    @staticmethod
    def text(path: str) -> str:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    @property
    def toml(self) -> str:
        return self.text(self.config)

    @property
    def peers(self) -> dict[str, str]:
        """The files of receiver.d, by their names."""
        directory = os.path.join(self.prefix, "etc/maildirsync/receiver.d")
        return {name: self.text(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}


class SetupTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.lab = Lab()  # for its directory
        self.addCleanup(self.lab.close)
        self.port = free_port()
        self.source = os.path.join(self.lab.base, "mail-old")
        self.target = os.path.join(self.lab.base, "mail-new")
        self.old, self.new = Side(self, "old", "agent"), Side(self, "new", "receiver")

    def receiver_line(self, *arguments: str) -> str:
        return self.new.setup("--listen", f"127.0.0.1:{self.port}", *arguments)

    def make_mail(self) -> None:
        make_tree(self.source, TreeSpec(accounts=4, messages=80, seed=71, owners=(VMAIL,)))
        os.chmod(self.source, 0o755)

    def assert_wrong(self, done: subprocess.CompletedProcess, *words: str, status: int = 2):
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        self.assertEqual("", done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)


class LiveMirror(SetupTest):
    def test_five_commands(self):
        self.make_mail()
        receiver = self.receiver_line()
        self.assertRegex(receiver, rf"^maildirsync-pair v1 receiver 127\.0\.0\.1:{self.port} sha256:[0-9a-f]{{64}}$")
        self.old.setup("--root", f"vhosts={self.source}")
        agent = self.old.pair(receiver)
        self.assertRegex(agent, r"^maildirsync-pair v1 agent \S+ sha256:[0-9a-f]{64} root=vhosts,")
        self.new.pair(agent, "--path", self.target, "--owner", "5000:5000")
        self.assertEqual(VMAIL, (os.stat(self.target).st_uid, os.stat(self.target).st_gid))
        for side in (self.new, self.old):
            self.assertIn("good", subprocess.run([program(side.executable), "--check-config", "--config", side.config],
                                                 capture_output=True, text=True).stdout)
            side.start()
        self.assert_mirrored()
        for side in (self.new, self.old):
            done = side.run("doctor")
            self.assertEqual(0, done.returncode, done.stdout)
            self.assertIn("healthy", done.stdout)

    def assert_mirrored(self):
        self.flush()
        account = os.path.join(self.source, os.listdir(self.source)[0])
        account = os.path.join(account, os.listdir(account)[0], "Maildir")
        deliver(account, b"1700000000.M1P1.old", owner=VMAIL)
        self.flush()
        differences = compare_trees(self.source, self.target, LAYOUT)
        self.assertEqual([], differences, explain(differences, self.source, self.target))

    def flush(self):
        done = self.old.cli("flush", "--timeout", "60", limit=120)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr + self.old.text(self.old.log))

    def assert_at_rest(self):
        wait_until(lambda: self.status()["peer"]["connected"], "the agent is connected")
        self.assertEqual("paused", self.status()["state"])
        flushed = self.old.cli("--json", "flush", "--timeout", "60", limit=120)
        self.assertEqual(["paused"], [one["code"] for one in json.loads(flushed.stdout)["left_out"]])
        self.assertEqual([], [files for _, _, files in os.walk(self.target) if any(".M" in name for name in files)])

    def status(self) -> dict:
        return json.loads(self.old.cli("--json", "status").stdout)

    def test_pairing_says_that_a_root_would_land_in_its_own_source(self):
        """By a path that was mistyped, or left as it was on a mount that both servers have."""
        self.make_mail()
        before = sorted(files for _, _, files in os.walk(self.source))
        receiver = self.receiver_line()
        self.old.setup("--root", f"vhosts={self.source}")
        agent = self.old.pair(receiver)
        self.new.pair(agent, "--path", self.source, "--owner", "5000:5000")
        for side in (self.new, self.old):
            side.start()
        done = self.old.run("pair", receiver)
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertIn("the root vhosts is held: the source", done.stderr)
        self.assertIn("is itself the directory in which it lands at the destination", done.stderr)
        after = sorted([name for name in files if not name.startswith(".maildirsync.")] for _, _, files in os.walk(self.source))
        self.assertEqual(before, after)

    def test_a_paused_agent_copies_nothing_until_it_is_resumed(self):
        self.make_mail()
        line = self.receiver_line()
        done = self.old.run("setup", "agent", "--root", f"vhosts={self.source}", "--pair", line, "--paused", check=True)
        self.assertIn("nothing is copied until maildirsync resume", done.stderr)
        self.new.pair(done.stdout.strip(), "--path", self.target, "--owner", "5000:5000")
        self.new.start()
        self.old.start()
        self.assert_at_rest()
        self.old.stop()
        self.old.start()
        self.assert_at_rest()
        self.old.cli("resume", check=True)
        self.assert_mirrored()
        # Said again: of one that does not run, and of one that does.
        self.old.stop()
        self.old.pair(line, "--paused")
        self.old.start()
        self.assertEqual("paused", self.status()["state"])
        self.old.cli("resume", check=True)
        self.old.pair(line, "--paused")
        self.assertEqual("paused", self.status()["state"])

    def test_a_receiver_cannot_be_paused(self):
        done = self.new.run("setup", "receiver", "--paused")
        self.assert_wrong(done, "--paused is for the agent")
        self.assertFalse(os.path.exists(self.new.config))

    def test_the_layout_is_found_by_looking_and_setup_pairs_too(self):
        self.make_mail()
        self.old.setup("--root", self.source, "--pair", self.receiver_line())
        self.assertIn(f'accounts = "{LAYOUT}"', self.old.toml)
        self.assertIn(f'receiver = "127.0.0.1:{self.port}"', self.old.toml)
        self.assertNotIn("#receiver", self.old.toml)

    def test_a_receiver_that_runs_takes_a_second_agent_and_a_new_root(self):
        self.make_mail()
        self.old.setup("--root", f"vhosts={self.source}", "--pair", self.receiver_line())
        self.new.start()
        self.new.pair(self.old.pair(), "--path", self.target, "--owner", "5000:5000")
        self.old.start()
        self.assert_mirrored()
        with open(self.old.config, "a", encoding="utf-8") as file:
            second = os.path.join(self.lab.base, "second")
            os.mkdir(second)
            file.write(f'\n[[root]]\nname = "second"\npath = "{second}"\naccounts = "%u"\n')
        done = self.new.run("pair", self.old.pair(), "--path", f"second={self.target}-2", "--owner", "5000:5000", check=True)
        self.assertIn("known already", done.stderr)
        third = Side(self, "third", "agent")
        third.setup("--root", f"vhosts={self.source}")
        self.new.pair(third.pair(), "--name", "third", "--path", f"{self.target}-3", "--owner", "5000:5000")
        self.assertEqual(0, self.new.toml.count("\n[[peer]]"))
        self.assertEqual([2, 1], [text.count("[[peer.root]]") for name, text in sorted(self.new.peers.items(), key=lambda one: "third" in one[0])])
        self.assertIn("third.toml", self.new.peers)
        wait_until(lambda: len(json.loads(self.new.cli("--json", "status").stdout)["peers"]) == 2, "the receiver has read it anew")


class Files(SetupTest):
    def test_keys_are_secret_and_kept_and_a_configuration_is_not_overwritten(self):
        first = self.receiver_line()
        key = os.path.join(self.new.prefix, "etc/maildirsync/receiver.key")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(key).st_mode))
        before = self.new.toml
        self.assert_wrong(self.new.run("setup", "receiver"), self.new.config, "--force")
        self.assertEqual(before, self.new.toml)
        self.assertEqual(first, self.receiver_line("--force"))

    def test_comments_and_order_survive_pairing(self):
        self.make_mail()
        self.old.setup("--root", self.source)
        lines = self.old.toml.splitlines()
        self.old.pair(self.receiver_line())
        changed = [pair for pair in zip(lines, self.old.toml.splitlines()) if pair[0] != pair[1]]
        self.assertEqual(len(lines), len(self.old.toml.splitlines()))
        self.assertEqual(["#receiver", "#receiver_fingerprint"], [old.split()[0] for old, _ in changed])

    def test_the_drop_in_names_the_roots(self):
        self.make_mail()
        self.old.setup("--root", f"vhosts={self.source}", "--pair", self.receiver_line())
        self.new.pair(self.old.pair(), "--path", self.target, "--owner", "5000:5000")
        dropin = self.new.text(os.path.join(self.new.prefix, "etc/systemd/system/maildirsyncd.service.d/paths.conf"))
        self.assertIn(f"ReadWritePaths={self.target}\n", dropin)
        self.assertIn(f"RequiresMountsFor={self.target}\n", dropin)

    def test_dovecot_is_asked(self):
        folder = os.path.join(self.lab.base, "bin")
        os.mkdir(folder)
        for name, text in (("doveconf", "mail_location = maildir:/srv/mail/%d/%n\nmail_uid = vmail"), ("postconf", "")):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
            os.chmod(path, 0o755)
        done = self.old.run("setup", "agent", check=True, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
        self.assertIn("Dovecot's mail is in /srv/mail/%d/%n", done.stderr)
        self.assertIn('path     = "/srv/mail"\naccounts = "%d/%n"', self.old.toml)

    def test_a_terminal_is_asked_until_the_answer_is_good(self):
        self.make_mail()
        line = self.receiver_line()
        # Which directory (wrong, then right), which layout (the proposal), the receiver's line (wrong, then right).
        answers = f"relative\n{self.source}\n\nnonsense\n{line}\n"
        master, slave = pty.openpty()
        process = subprocess.Popen([program("maildirsync"), "setup", "agent", "--prefix", self.old.prefix],
                                   stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                   env={**os.environ, "PATH": "/nonexistent"})
        os.close(slave)
        os.write(master, answers.encode())
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # EIO: the other end is closed
            pass
        os.close(master)
        text = shown.decode(errors="replace")
        self.assertEqual(0, process.wait(60), text)
        self.assertIn(f'path     = "{self.source}"\naccounts = "{LAYOUT}"', self.old.toml, text)
        self.assertIn(f'receiver = "127.0.0.1:{self.port}"', self.old.toml)
        self.assertRegex(text, r"maildirsync pair 'maildirsync-pair v1 agent ")

    def test_json(self):
        done = self.new.run("setup", "receiver", "--json", "--listen", f"127.0.0.1:{self.port}", check=True)
        said = json.loads(done.stdout)
        self.assertEqual("receiver", said["role"])
        self.assertEqual(self.new.config, said["config"])
        self.assertTrue(said["line"].startswith("maildirsync-pair v1 receiver"))


class BadInput(SetupTest):
    def test_lines_that_are_none(self):
        self.make_mail()
        line = self.receiver_line()
        self.old.setup("--root", self.source)
        before = self.old.toml
        for text in ("nonsense", line[:-1], line.replace(" v1 ", " v9 "), line.replace("receiver", "agent")):
            self.assert_wrong(self.old.run("pair", text))
        self.assert_wrong(self.new.run("pair", line), "agent")
        self.assertEqual(before, self.old.toml)

    def test_nothing_set_up_yet(self):
        self.assert_wrong(self.old.run("pair"), "maildirsync setup agent")
        self.assert_wrong(self.old.run("pair", self.receiver_line()), "maildirsync setup agent")
        self.assert_wrong(self.old.run("doctor"), "maildirsync setup agent")

    def test_an_owner_that_is_not_here_and_a_directory_without_its_parent(self):
        self.make_mail()
        self.old.setup("--root", f"vhosts={self.source}", "--pair", self.receiver_line())
        before = self.new.toml
        agent = self.old.pair()
        self.assert_wrong(self.new.run("pair", agent, "--path", self.target), "5000", "--owner")
        self.assert_wrong(self.new.run("pair", agent, "--path", self.target, "--owner", "no-such-user:5000"), "no-such-user", "useradd")
        self.assert_wrong(self.new.run("pair", agent, "--path", os.path.join(self.target, "deep/er"), "--owner", "5000:5000"), "deep/er")
        self.assert_wrong(self.new.run("pair", agent, "--path", "nosuch=/srv", "--owner", "5000:5000"), "nosuch")
        self.assertEqual(before, self.new.toml)

    def test_another_key_of_a_known_agent_needs_a_word(self):
        self.make_mail()
        self.old.setup("--root", f"vhosts={self.source}", "--pair", self.receiver_line())
        mapping = ("--path", self.target, "--owner", "5000:5000")
        self.new.pair(self.old.pair(), *mapping)
        for kind in ("key", "crt"):
            os.unlink(os.path.join(self.old.prefix, "etc/maildirsync", f"agent.{kind}"))
        self.old.setup("--root", f"vhosts={self.source}", "--force")
        agent = self.old.pair()
        self.assert_wrong(self.new.run("pair", agent, *mapping), "--replace")
        self.new.pair(agent, "--replace", *mapping)
        (peer,) = self.new.peers.values()
        self.assertIn(agent.split()[4], peer)
        self.assertEqual(1, peer.count("\n[[peer]]"))

    def test_a_peer_in_the_main_file_stays_there(self):
        self.make_mail()
        self.old.setup("--root", f"vhosts={self.source}", "--pair", self.receiver_line())
        agent = self.old.pair()
        with open(self.new.config, "a", encoding="utf-8") as file:
            file.write(f'\n[[peer]]\nname = "by-hand"\nfingerprint = "{agent.split()[4]}"\n')
        self.new.pair(agent, "--path", self.target, "--owner", "5000:5000")
        self.assertEqual(1, self.new.toml.count("\n[[peer]]"))
        self.assertIn("[[peer.root]]", self.new.toml)
        self.assertFalse(os.path.exists(os.path.join(self.new.prefix, "etc/maildirsync/receiver.d")))

    def test_a_configuration_that_is_broken_is_named_and_left(self):
        self.receiver_line()
        with open(self.new.config, "a", encoding="utf-8") as file:
            file.write("listen =\n")
        self.make_mail()
        self.old.setup("--root", self.source)
        before = self.new.toml
        self.assert_wrong(self.new.run("pair", self.old.pair(), "--owner", "5000:5000"), self.new.config)
        self.assertEqual(before, self.new.toml)


if __name__ == "__main__":
    unittest.main()
