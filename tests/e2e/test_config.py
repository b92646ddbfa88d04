"""Wrong configurations and wrong commands: one sentence with file, line and remedy, and the right exit status."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import unittest

from maildirsync_testing import PATIENCE, Daemon, LabTest, cli, free_port, program

PROGRAMS = ("maildirsync-agent", "maildirsyncd", "maildirsync")


def run(name: str, *arguments: str) -> subprocess.CompletedProcess:
    """A program that is expected to end by itself."""
    return subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=60 * PATIENCE, stdin=subprocess.DEVNULL)


class Programs(unittest.TestCase):
    def test_version_and_help(self):
        for name in PROGRAMS:
            for option in ("--version", "--help"):
                done = run(name, option)
                self.assertEqual(0, done.returncode, f"{name} {option}: {done.stderr}")
                self.assertNotEqual("", done.stdout)
        self.assertRegex(run("maildirsyncd", "--version").stdout, r"\d+\.\d+\.\d+")

    def test_wrong_usage(self):
        for name in PROGRAMS:
            done = run(name, "--no-such-option")
            self.assertEqual(2, done.returncode, f"{name}: {done.stderr}")
            self.assertIn("no-such-option", done.stderr)
        for arguments in ([], ["frobnicate"], ["status", "--warn-lag", "soon"], ["keygen"], ["fingerprint"]):
            self.assertEqual(2, cli(*arguments).returncode, arguments)

    def test_unreachable_daemon(self):
        for command in (["status"], ["flush"], ["pause"], ["resume"], ["--json", "status"]):
            done = cli("--control", "/nonexistent/control.sock", *command)
            self.assertEqual(3, done.returncode, f"{command}: {done.stderr}")
            self.assertIn("/nonexistent/control.sock", done.stderr)


class Configuration(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        for daemon in self.lab.daemons:
            os.makedirs(daemon.state_dir)
            daemon.write_config()

    def edit(self, daemon: Daemon, pattern: str, replacement: str) -> int:
        """Changes the configuration; the line of the change."""
        with open(daemon.config, encoding="utf-8") as file:
            text = file.read()
        found = re.search(pattern, text, re.MULTILINE)
        self.assertIsNotNone(found, f"no {pattern} in {text}")
        with open(daemon.config, "w", encoding="utf-8") as file:
            file.write(text[: found.start()] + replacement + text[found.end() :])
        return text.count("\n", 0, found.start()) + 1

    def assert_wrong(self, daemon: Daemon, *words: str, check: bool = True):
        """Exit 2 and one sentence with the file and the words, from --check-config and from the start-up alike."""
        for arguments in (["--check-config"], []) if check else ([],):
            done = run(daemon.executable, "--config", daemon.config, *arguments)
            self.assertEqual(2, done.returncode, f"{arguments}: {done.stdout} {done.stderr}")
            for word in words:
                self.assertIn(word, done.stderr + done.stdout)

    def test_right(self):
        for daemon in self.lab.daemons:
            done = run(daemon.executable, "--config", daemon.config, "--check-config")
            self.assertEqual(0, done.returncode, done.stderr)

    def test_unknown_key(self):
        for daemon in self.lab.daemons:
            line = self.edit(daemon, r"^state_dir", "stat_dir")
            self.assert_wrong(daemon, daemon.config, f"{line}", "stat_dir", "state_dir")

    def test_unknown_table(self):
        for daemon in self.lab.daemons:
            line = self.edit(daemon, r"^\[tls\]", "[tsl]")
            self.assert_wrong(daemon, daemon.config, f"{line}", "tsl")

    def test_wrong_type(self):
        for daemon in self.lab.daemons:
            line = self.edit(daemon, r"^state_dir.*", "state_dir = 42")
            self.assert_wrong(daemon, daemon.config, f"{line}", "state_dir")

    def test_no_toml(self):
        for daemon in self.lab.daemons:
            line = self.edit(daemon, r"^state_dir.*", "state_dir = ")
            self.assert_wrong(daemon, daemon.config, f"{line}")

    def test_half_written(self):
        """Cut anywhere, it is either refused by a sentence that names the file, or whole but for its last lines."""
        refused = 0
        for daemon in self.lab.daemons:
            with open(daemon.config, encoding="utf-8") as file:
                text = file.read()
            for end in range(0, len(text), 13):
                with open(daemon.config, "w", encoding="utf-8") as file:
                    file.write(text[:end])
                done = run(daemon.executable, "--config", daemon.config, "--check-config")
                self.assertIn(done.returncode, (0, 2), f"{text[:end]}\n{done.stderr}")
                if done.returncode == 2:
                    refused += 1
                    self.assertIn(daemon.config, done.stderr)
                else:
                    self.assertGreater(end, text.index("[tls]"))
        self.assertGreater(refused, 30)

    def test_wrong_values(self):
        for pattern, replacement in (
            (r"^accounts.*", 'accounts = "%q/Maildir"'),
            (r"^accounts.*", 'accounts = "../%n"'),
            (r"^receiver_fingerprint.*", 'receiver_fingerprint = "sha256:12"'),
            (r"^receiver .*", 'receiver = "localhost"'),
            (r"^path.*", 'path = "relative/path"'),
        ):
            with self.subTest(replacement):
                self.lab.agent.write_config()
                line = self.edit(self.lab.agent, pattern, replacement)
                self.assert_wrong(self.lab.agent, self.lab.agent.config, f"{line}")

    def test_missing_file(self):
        for daemon in self.lab.daemons:
            os.unlink(daemon.config)
            self.assert_wrong(daemon, daemon.config)

    def test_missing_certificate_and_key(self):
        for daemon in self.lab.daemons:
            for path in (daemon.identity.certificate, daemon.identity.key):
                os.rename(path, path + ".away")
                self.assert_wrong(daemon, daemon.config, path)
                os.rename(path + ".away", path)

    def test_key_readable_by_others(self):
        for daemon in self.lab.daemons:
            os.chmod(daemon.identity.key, 0o644)
            self.assert_wrong(daemon, daemon.config, daemon.identity.key, "chmod")

    def test_key_readable_by_a_group(self):
        for daemon in self.lab.daemons:
            os.chmod(daemon.identity.key, 0o640)
            self.assert_wrong(daemon, daemon.config, "tls.key", daemon.identity.key, "0640", "chmod 600")

    def test_key_of_another_user(self):
        for daemon in self.lab.daemons:
            os.chown(daemon.identity.key, 5005, 0)
            self.assert_wrong(daemon, daemon.config, "tls.key", daemon.identity.key, "5005", "chown root")
            os.chown(daemon.state_dir, 5005, 5005)  # the service's user, as an administrator's check sees it
            self.assertEqual(0, run(daemon.executable, "--config", daemon.config, "--check-config").returncode)

    def test_configuration_that_anyone_may_write(self):
        for daemon in self.lab.daemons:
            os.chmod(daemon.config, 0o666)
            self.assert_wrong(daemon, daemon.config, "anyone", "chmod o-w")

    def test_reload_with_a_key_that_is_not_secret(self):
        self.lab.start()
        os.chmod(self.lab.receiver.identity.key, 0o640)
        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.receiver.wait_log("reload-refused.*0640")
        self.lab.flush()

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", self.lab.receiver.port)):
            self.assert_wrong(self.lab.receiver, str(self.lab.receiver.port), check=False)

    def test_address_that_is_not_ours(self):
        self.edit(self.lab.receiver, r"^listen.*", f'listen = "192.0.2.1:{free_port()}"')
        self.assert_wrong(self.lab.receiver, "192.0.2.1", check=False)

    def test_unresolvable_host_is_a_problem_and_tried_again(self):
        self.edit(self.lab.agent, r"^receiver .*", 'receiver = "no-such-host.invalid:4465"')
        self.lab.agent.write_config = lambda: None
        self.lab.agent.start()
        self.lab.agent.wait_problem("unreachable", "no-such-host.invalid")
        self.assertEqual("connecting", self.lab.agent.status()["state"])

    def test_second_daemon_on_the_same_state(self):
        self.lab.start()
        for daemon in self.lab.daemons:
            done = run(daemon.executable, "--config", daemon.config)
            self.assertEqual(2, done.returncode, done.stderr)
            self.assertIsNotNone(daemon.status())

    def test_a_wrong_reload_keeps_the_old_configuration(self):
        self.lab.start()
        self.lab.agent.wait_state("live")
        self.edit(self.lab.agent, r"^state_dir", "stat_dir")
        self.lab.agent.signal(signal.SIGHUP)
        self.lab.agent.wait_log("stat_dir")
        self.lab.flush()


class Control(LabTest):
    def test_socket_and_status(self):
        self.lab.add_root()
        self.lab.start()
        for daemon in self.lab.daemons:
            self.assertEqual(0o660, stat.S_IMODE(os.stat(daemon.control).st_mode))
            for arguments in (["--json", "status"], ["status", "--json"]):
                done = daemon.cli(*arguments)
                self.assertIn("version", json.loads(done.stdout))
            text = daemon.cli("status").stdout
            self.assertNotIn("\x1b", text)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.assert_exit(0, self.lab.agent.cli("status"))
        self.assert_exit(0, self.lab.agent.cli("status", "--warn-lag", "60", "--crit-lag", "600"))

    def test_clients_that_say_nothing_or_nonsense_hurt_nobody(self):
        self.lab.add_root()
        self.lab.start()
        clients = []
        for said in (b"", b"\n", b"{", b"[]\n", b'{"command": 7}\n', b'{"command": "nonsense"}\n', b"\xff" * 100_000):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.lab.agent.control)
            clients.append(client)
            try:
                client.sendall(said)
            except OSError:
                pass
        self.lab.flush()
        for client in clients:
            client.close()
        self.assertIsNotNone(self.lab.agent.status())

    def test_clients_that_ask_nothing_keep_nobody_out(self):
        self.lab.add_root()
        self.lab.start()
        for daemon in self.lab.daemons:
            idle = [socket.socket(socket.AF_UNIX) for _ in range(150)]
            for client in idle:
                client.connect(daemon.control)
            done = cli("--control", daemon.control, "--json", "status", limit=10)
            self.assertIn("version", json.loads(done.stdout))
            for client in idle:
                client.close()

    def test_a_stale_socket_is_replaced_and_removed_at_the_end(self):
        self.lab.add_root()
        self.lab.start()
        self.lab.agent.kill()
        self.assertTrue(os.path.exists(self.lab.agent.control))
        self.lab.agent.start()
        self.lab.agent.stop()
        self.assertFalse(os.path.exists(self.lab.agent.control))


if __name__ == "__main__":
    unittest.main()
