"""What commands say of a daemon that is stopped, of a line that does not work, of a reload and of a pairing: never that it is done when it is not."""

import json
import os
import re
import signal
import socket
import subprocess
import unittest

from maildirsync_testing import LIMIT, PATIENCE, LabTest, TreeSpec, cli, free_port, make_tree, program, write_text


class Frozen(LabTest):
    def test_no_command_waits_for_a_daemon_that_is_stopped(self):
        self.lab.add_root()
        self.lab.start()
        self.lab.agent.wait_state("live")
        commands = [["status"], ["--json", "status"], ["flush"], ["verify"], ["plan"], ["pause"], ["resume"], ["release"], ["drain", "vhosts"], ["reload"],
                    ["cutover", "--freeze", "true", "--thaw", "true", "--switch", "true"]]  # fmt: skip
        for daemon in (self.lab.receiver, self.lab.agent):
            daemon.signal(signal.SIGSTOP)
        try:
            running = [
                (daemon, command, subprocess.Popen([program("maildirsync"), "--control", daemon.control, *command], stdin=subprocess.DEVNULL,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
                for daemon, some in ((self.lab.agent, commands), (self.lab.receiver, commands[:1])) for command in some
            ]  # fmt: skip
            for daemon, command, process in running:
                out, errors = process.communicate(timeout=LIMIT)
                self.assertEqual(3, process.returncode, f"{daemon.name} {command}: {out} {errors}")
                self.assertIn("has said nothing for 10 s", errors, command)
                if command == ["status"]:
                    self.assertTrue(out.startswith(f"MAILDIRSYNC UNKNOWN - no answer on {daemon.control}"), out)
        finally:
            for daemon in self.lab.daemons:
                daemon.signal(signal.SIGCONT)

    def test_a_command_that_takes_long_is_waited_for(self):
        """A flush that cannot end for want of a receiver is no frozen daemon."""
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=1, messages=5, seed=64))
        self.lab.agent.start()
        done = self.lab.agent.cli("--json", "flush", "--timeout", "14", limit=120)
        self.assert_exit(1, done)
        self.assertFalse(json.loads(done.stdout)["complete"])


class Causes(LabTest):
    """Each cause of no connection has its name and its remedy."""

    def test_firewall_refusal_another_service_and_a_frozen_receiver(self):
        dropped, refused, smtp, frozen = agents = [self.lab.agent] + [self.lab.add_agent(name) for name in ("second", "third", "fourth")]
        for agent in agents:
            self.lab.add_root(agent=agent)
        # Its queue is full, so the kernel drops what asks for more: as a firewall does.
        listener = socket.create_server(("127.0.0.1", free_port()), backlog=0)
        self.addCleanup(listener.close)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        dropped.port = listener.getsockname()[1]
        refused.port = free_port()
        banner = socket.create_server(("127.0.0.1", free_port()))
        self.addCleanup(banner.close)
        banner.settimeout(LIMIT)
        smtp.port = banner.getsockname()[1]
        import threading

        def greet():
            try:
                while True:
                    connection, _ = banner.accept()
                    connection.sendall(b"220 mx.example.org ESMTP\r\n")
                    taken.append(connection)
            except OSError:
                pass

        taken: list[socket.socket] = []
        threading.Thread(target=greet, daemon=True).start()
        self.lab.receiver.start()
        self.lab.receiver.signal(signal.SIGSTOP)
        for agent in agents:
            agent.start()
        try:
            problem = refused.wait_problem("unreachable", "refuses the connection")
            self.assertIn("nobody listens on that port", problem["detail"])
            problem = smtp.wait_problem("wrong-service")
            self.assertIn("does not speak TLS", problem["detail"])
            problem = dropped.wait_problem("unreachable", "no answer within")
            self.assertRegex(problem["detail"], r"within 15 s: a firewall drops what we send.*open the port")
            problem = frozen.wait_problem("timed-out")
            self.assertIn("takes the connection and then says nothing", problem["detail"])
            for agent in agents:
                text = agent.cli("status").stdout
                self.assertNotIn("Operation aborted", text + agent.log_text())
                self.assertNotIn("code=tls", agent.log_text())
                self.assertIn("CRITICAL - connecting", text)
        finally:
            self.lab.receiver.signal(signal.SIGCONT)
            for connection in taken:
                connection.close()
        frozen.wait_state("live")


class Reloading(LabTest):
    def setUp(self):
        super().setUp()
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=1, messages=5, seed=65))
        self.lab.start()
        self.lab.flush()

    def reload(self, daemon) -> subprocess.CompletedProcess:
        return subprocess.run([program(daemon.executable), "--config", daemon.config, "--reload"], capture_output=True, text=True, timeout=60 * PATIENCE)

    def running(self, daemon) -> dict:
        checks = json.loads(cli("--json", "doctor", "--config", daemon.config).stdout)["checks"]
        return {check["name"]: check for check in checks}["running"]

    def change(self, daemon, pattern: str, replacement: str) -> None:
        with open(daemon.config, encoding="utf-8") as file:
            text = re.sub(pattern, replacement, file.read(), count=1, flags=re.MULTILINE)
        write_text(daemon.config, text)

    def test_the_units_do_it_so(self):
        for daemon in self.lab.daemons:
            from service_units import setting

            self.assertEqual(f"@MAILDIRSYNC_SBINDIR@/{daemon.executable} --reload", setting(daemon.executable, "ExecReload"))

    def test_a_file_that_is_good_is_read(self):
        for daemon in self.lab.daemons:
            with self.subTest(daemon.name):
                before = daemon.status()["configuration"]
                self.assertEqual(daemon.config, before["file"])
                self.assertIsNone(before["refused"])
                self.assertEqual("good", self.running(daemon)["state"])
                with open(daemon.config, "a", encoding="utf-8") as file:
                    file.write("\n# a word about it\n")
                self.assertEqual("good", self.running(daemon)["state"])  # what it says is the same
                daemon.extra["log"] = {"level": "debug"}
                daemon.write_config()
                check = self.running(daemon)
                self.assertEqual("bad", check["state"])
                self.assertIn("another configuration", check["detail"])
                self.assertIn("systemctl reload", check["remedy"])
                done = self.reload(daemon)
                self.assert_exit(0, done)
                self.assertIn("was read anew", done.stdout)
                self.assertEqual("good", self.running(daemon)["state"])
                self.assertNotEqual(before["digest"], daemon.status()["configuration"]["digest"])
                self.assert_exit(0, daemon.cli("reload"))

    def test_a_file_that_is_refused_fails_the_reload(self):
        for daemon in self.lab.daemons:
            with self.subTest(daemon.name):
                self.change(daemon, "^state_dir", "stat_dir")
                done = self.reload(daemon)
                self.assert_exit(2, done)
                self.assertIn("stat_dir", done.stderr)
                done = daemon.cli("reload")
                self.assert_exit(2, done)
                self.assertIn("stat_dir", done.stderr)
                problem = daemon.problems("config")[0]
                self.assertIn("stat_dir", problem["detail"])
                self.assert_exit(1, daemon.cli("status"))
                daemon.write_config()
                self.assert_exit(0, self.reload(daemon))
                self.assertEqual([], daemon.problems("config"))

    def test_what_only_the_daemon_can_refuse_fails_it_too(self):
        receiver = self.lab.receiver
        self.change(receiver, r"^policy = .*", 'policy = "map"\nusers = { vmail = "no-such-user-here" }')
        done = self.reload(receiver)
        self.assert_exit(2, done)
        self.assertIn("no-such-user-here", done.stderr)
        self.assertIn("no-such-user-here", receiver.problems("config")[0]["detail"])

    def test_without_a_daemon(self):
        self.lab.agent.stop()
        done = self.reload(self.lab.agent)
        self.assert_exit(3, done)
        self.assertIn("not reloaded", done.stderr)
        self.lab.agent.start()


FAKE_SYSTEMCTL = """#!/bin/sh
echo "$*" >> '{journal}'
case "$1" in
  cat) exit 0 ;;
  is-active|is-enabled) exit 1 ;;
  enable) exit {enable} ;;
  show) echo no ;;
esac
exit 0
"""


# The files of an installed server, for this process alone: nothing of the machine is changed.
PRIVATE = """
mount --make-rprivate /
mount -t tmpfs maildirsync-test /run
mkdir -p /run/systemd/system
for tree in etc var; do
  mkdir -p '{base}'/$tree.upper '{base}'/$tree.work
  mount -t overlay maildirsync-test -o lowerdir=/$tree,upperdir='{base}'/$tree.upper,workdir='{base}'/$tree.work /$tree
done
mkdir -p /etc/maildirsync /var/lib/maildirsync-agent
"""


class Pairing(LabTest):
    """`pair` where systemd runs: what it starts, starts at the next boot as well."""

    def run_privately(self, command: str) -> subprocess.CompletedProcess:
        script = f"set -e\n{PRIVATE.format(base=self.lab.base)}\n{command}"
        return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT)

    def pair(self, *, enable: int) -> tuple[subprocess.CompletedProcess, list[str]]:
        if self.run_privately("true").returncode != 0:
            self.skipTest("mounts in a private namespace are not permitted here")
        journal = os.path.join(self.lab.base, "systemctl")
        fakes = os.path.join(self.lab.base, "bin")
        os.mkdir(fakes)
        write_text(os.path.join(fakes, "systemctl"), FAKE_SYSTEMCTL.format(journal=journal, enable=enable), 0o755)
        write_text(os.path.join(fakes, "systemd-sysusers"), f"#!/bin/sh\necho sysusers \"$*\" >> '{journal}'\n", 0o755)
        tool = program("maildirsync") if os.path.isabs(program("maildirsync")) else os.path.abspath(program("maildirsync"))
        line = f"maildirsync-pair v1 receiver 127.0.0.1:4465 {self.lab.receiver.identity.fingerprint}"
        done = self.run_privately(
            f"export PATH='{fakes}':\"$PATH\"\n'{tool}' setup agent --yes --root 'vhosts={self.lab.base}' --accounts %u >&2\n'{tool}' pair '{line}'"
        )
        with open(journal, encoding="utf-8") as file:
            return done, file.read().splitlines()

    def test_what_is_started_is_enabled(self):
        done, calls = self.pair(enable=0)
        self.assert_exit(0, done)
        self.assertIn("enable --quiet maildirsync-agent.service", calls)
        self.assertIn("sysusers maildirsync-agent.conf", calls)  # `cmake --install` makes no users
        self.assertLess(calls.index("sysusers maildirsync-agent.conf"), calls.index("restart maildirsync-agent.service"))
        self.assertIn("at each boot", done.stderr)

    def test_one_that_cannot_be_enabled_is_said(self):
        done, calls = self.pair(enable=1)
        self.assert_exit(1, done)
        self.assertIn("will not be after a reboot", done.stderr)
        self.assertIn("restart maildirsync-agent.service", calls)


if __name__ == "__main__":
    unittest.main()
