"""What `status` and the other commands say when something is wrong: that mail waits, since when and why, on either side."""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from maildirsync_testing import LIMIT, OWNER, PATIENCE, LabTest, TreeSpec, cli, deliver, free_port, make_tree, program, wait_until, write_text

BASE = b"1700000000.M%dP1.mx:2,S"
MS_REMOUNT, MS_BIND, MS_RDONLY, MS_REC, MS_PRIVATE, CLONE_NEWNS, MNT_DETACH = 32, 4096, 1, 16384, 1 << 18, 0x20000, 2


class Refused(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}})
        self.accounts = [self.account(name) for name in (b"a", b"b", b"c")]

    def account(self, name: bytes) -> bytes:
        path = self.root.make_account(name)
        deliver(path, BASE % 0, area=b"cur")
        return path

    def first_line(self) -> str:
        return self.lab.agent.cli("status").stdout.splitlines()[0]

    def test_messages_that_are_refused_for_their_owner(self):
        self.lab.start()
        self.lab.flush()
        self.assertEqual({"messages": 0, "others": 0, "accounts": 0, "oldest_seconds": None}, self.lab.agent.status()["refused"])
        for i in (1, 2):
            deliver(self.accounts[1], BASE % i, owner=(5077, 5000))
        status = wait_until(lambda: (status := self.lab.agent.status())["refused"]["messages"] == 2 and status, "two are refused", alive=self.lab.daemons)
        self.assertEqual(1, status["refused"]["accounts"])
        time.sleep(0.2)
        status = self.lab.agent.status()
        self.assertGreater(status["refused"]["oldest_seconds"], 0)
        self.assertGreaterEqual(status["lag_seconds"] + 0.001, status["refused"]["oldest_seconds"])
        root = status["roots"][0]
        self.assertEqual(2, root["refused"]["messages"])
        self.assertGreater(root["lag_seconds"], 0)
        self.assertEqual({"live": 2, "refused": 1}, root["states"])
        problem = self.lab.agent.problems("unmapped-owner")[0]
        self.assertRegex(problem["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(self.first_line(), r"^MAILDIRSYNC WARNING - live, lag \d+\.\d s for 2 messages that are refused, .*\(unmapped-owner\) \|.* refused=2$")
        text = self.lab.agent.cli("status").stdout
        self.assertIn("2 live, 1 refused", text)
        self.assertRegex(text, r"(?m)^unmapped-owner +2 +\d+\.\d s +b@example.org ")
        # As old as the first sight of it, which a retry does not move.
        before = status["refused"]["oldest_seconds"]
        self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertGreater(self.lab.agent.status()["refused"]["oldest_seconds"], before)
        self.assert_exit(2, self.lab.agent.cli("status", "--warn-lag", "0", "--crit-lag", "0.001"))
        for i in (1, 2):
            os.chown(os.path.join(self.accounts[1], b"new", BASE % i), *OWNER)
        self.lab.flush()
        self.assertEqual(0, self.lab.agent.status()["refused"]["messages"])
        self.assertRegex(self.first_line(), r"^MAILDIRSYNC OK - live, lag 0\.0 s, 0 messages pending")

    def test_a_message_that_the_agent_may_not_read_waits_too(self):
        os.chmod(os.path.join(self.accounts[0], b"cur", BASE % 0), 0)
        self.lab.agent.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
        for path in (self.root.source, *self.accounts):
            subprocess.run(["chmod", "-R", "a+rX", path], check=True)
        os.chmod(os.path.join(self.accounts[0], b"cur", BASE % 0), 0)
        os.chown(os.path.join(self.accounts[0], b"cur", BASE % 0), *OWNER)
        self.lab.start()
        status = wait_until(lambda: (status := self.lab.agent.status())["refused"]["messages"] == 1 and status, "one is refused", alive=self.lab.daemons)
        self.assertEqual(1, status["refused"]["messages"])
        time.sleep(0.1)
        self.assertNotEqual(0.0, self.lab.agent.status()["lag_seconds"])

    def test_accounts_by_their_trouble_and_none(self):
        for i in (1, 2, 3):
            deliver(self.accounts[2], BASE % i, owner=(5077, 5000))
        deliver(self.accounts[1], BASE % 1, owner=(5077, 5000))
        self.lab.start()
        wait_until(lambda: self.lab.agent.status()["refused"]["messages"] == 4, "four are refused", alive=self.lab.daemons)
        done = self.lab.agent.cli("--json", "status", "--account", "*@example.org")
        self.assertEqual(["c@example.org", "b@example.org", "a@example.org"], [account["name"] for account in json.loads(done.stdout)["accounts"]])
        text = self.lab.agent.cli("status", "--account", "*@example.org").stdout
        self.assertLess(text.index("\nc@example.org"), text.index("\na@example.org"))
        self.assertIn("… and 1 more of this kind", self.lab.agent.cli("status").stdout)
        self.assertNotIn("more of this kind", self.lab.agent.cli("status", "--all").stdout)
        done = self.lab.agent.cli("status", "--account", "nobody@*")
        self.assert_exit(1, done)
        self.assertIn("no account matches 'nobody@*'", done.stdout)
        self.assertEqual([], json.loads(self.lab.agent.cli("--json", "status", "--account", "nobody@*").stdout)["accounts"])

    def test_metrics(self):
        port = free_port()
        self.lab.agent.extra["metrics"] = {"listen": f"127.0.0.1:{port}"}
        deliver(self.accounts[1], BASE % 1, owner=(5077, 5000))
        self.lab.start()

        def metrics() -> dict[str, float]:
            text = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/metrics"], capture_output=True, text=True).stdout
            return {key: float(value) for key, value in re.findall(r"^(maildirsync_[^ ]+) ([-+.e0-9]+)$", text, re.MULTILINE)}

        found = wait_until(lambda: (found := metrics()).get("maildirsync_refused_oldest_seconds", 0) > 0 and found, "a refusal", alive=self.lab.daemons)
        self.assertEqual(1, found["maildirsync_refused_messages"])
        self.assertEqual(1, found['maildirsync_accounts_by_state{root="vhosts",state="refused"}'])
        self.assertEqual(1, found['maildirsync_problems_by_code{code="unmapped-owner"}'])


class ReadOnlyDestination(LabTest):
    """The destination's file system became read-only, as one with an error does."""

    def mount_destination(self, root) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        where = os.fsencode(root.destination)
        if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) or libc.mount(where, where, None, MS_BIND, None):
            self.skipTest("bind mounts in a private mount namespace are not permitted here")
        self.lab.unmounts.append(lambda: libc.umount2(where, MNT_DETACH))
        self.remount = lambda flags: self.assertEqual(0, libc.mount(None, where, None, MS_REMOUNT | MS_BIND | flags, None))

    def test_it_is_never_live(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=61))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        self.remount(MS_RDONLY)
        deliver(root.account(0), BASE % 1)
        agent, receiver = self.lab.agent, self.lab.receiver
        status = wait_until(lambda: (status := agent.status())["state"] == "blocked" and status, "the agent is blocked", alive=self.lab.daemons)
        self.assertEqual("blocked", status["roots"][0]["state"])
        self.assertIn("read-only", status["roots"][0]["trouble"])
        self.assertEqual(1, status["refused"]["messages"])
        time.sleep(0.1)
        self.assertGreater(agent.status()["lag_seconds"], 0)
        self.assert_exit(2, agent.cli("status"))
        self.assertRegex(agent.cli("status").stdout, r"^MAILDIRSYNC CRITICAL - blocked, lag \d+\.\d s for 1 message that is refused")
        self.assertEqual("blocked", receiver.status()["state"])
        self.assert_exit(2, receiver.cli("status"))
        self.remount(0)
        agent.flush()
        self.assertEqual("live", agent.wait_state("live", limit=10)["roots"][0]["state"])
        self.assertEqual("live", receiver.status()["state"])
        self.lab.assert_equal()

    def test_it_is_told_with_nothing_pending(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=64))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        agent = self.lab.agent
        self.remount(MS_RDONLY)
        status = agent.wait_state("blocked", limit=30)
        self.assertIn("read-only", status["roots"][0]["trouble"])
        self.assertEqual(["permission"], [one["code"] for one in status["problems"]])
        done = agent.cli("--json", "flush", limit=60)
        self.assert_exit(1, done)
        left_out = json.loads(done.stdout)["left_out"]
        self.assertEqual([("permission", "vhosts")], [(one["code"], one["root"]) for one in left_out])
        self.assertIn("read-only", left_out[0]["detail"])
        self.assertEqual("blocked", agent.status()["state"])
        self.remount(0)
        agent.wait_state("live", limit=30)
        agent.flush()
        self.assertEqual([], agent.status()["problems"])

    def test_flush_tells_it_at_once(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=65))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        self.remount(MS_RDONLY)
        result = self.lab.agent.flush(complete=False)
        self.assertIn("read-only", json.dumps(result["left_out"]))
        self.assertEqual("blocked", self.lab.agent.status()["state"])

    def test_nor_is_a_first_copy_into_it(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=62))
        self.mount_destination(root)
        self.remount(MS_RDONLY)
        self.lab.start()
        status = self.lab.agent.wait_state("blocked")
        self.assertNotEqual(0.0, status["lag_seconds"])
        wait_until(lambda: self.lab.agent.status()["refused"]["accounts"] == 3, "three accounts are refused", alive=self.lab.daemons)
        self.remount(0)
        self.lab.flush()
        self.lab.assert_equal()


class Receivers(LabTest):
    def test_an_agent_that_is_away_is_a_warning(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=1, messages=5, seed=63))
        self.lab.start()
        self.lab.flush()
        receiver = self.lab.receiver
        peer = receiver.status()["peers"][0]
        self.assertTrue(peer["connected"])
        self.assertRegex(peer["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assert_exit(0, receiver.cli("status", "--warn-lag", "1"))
        self.lab.agent.stop()
        wait_until(lambda: not receiver.status()["peers"][0]["connected"], "it is away", alive=[receiver])
        self.assertLess(receiver.status()["peers"][0]["since_seconds"], 60)
        self.assert_exit(0, receiver.cli("status"))  # for a minute, as in a restart
        done = wait_until(lambda: (done := receiver.cli("status", "--warn-lag", "1")).returncode != 0 and done, "a warning", alive=[receiver])
        self.assert_exit(1, done)
        self.assertRegex(done.stdout, r"^MAILDIRSYNC WARNING - waiting, 0 of 1 agent connected, agent away for \d")


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
