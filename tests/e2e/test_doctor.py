"""Each planted ailment is named by `doctor`, with what to do about it; a healthy pair is called healthy."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

from maildirsync_testing import PATIENCE, LabTest, TreeSpec, cli, keygen, make_tree, program, wait_until
from maildir_trees import make_maildir
from network import HEADER_HELLO, connect, field, frame, read_frame

NO_CAPABILITIES = ["setpriv", "--reuid", "5999", "--regid", "5999", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


class DoctorTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=30, seed=72))
        for daemon in self.lab.daemons:
            os.makedirs(daemon.state_dir)
            daemon.write_config()

    def doctor(self, daemon, *, prefix=(), status: int | None = None) -> list[dict]:
        done = subprocess.run(
            [*prefix, program("maildirsync"), "--json", "doctor", "--config", daemon.config],
            capture_output=True, text=True, timeout=60 * PATIENCE, stdin=subprocess.DEVNULL,
        )
        said = json.loads(done.stdout)
        self.assertEqual(0 if said["healthy"] else 1, done.returncode, done.stdout + done.stderr)
        if status is not None:
            self.assertEqual(status, done.returncode, json.dumps(said, indent=1))
        return said["checks"]

    def assert_names(self, daemon, name: str, *words: str, **options) -> dict:
        """A bad check of that name; every bad check has a remedy. The words are in its sentences."""
        checks = self.doctor(daemon, status=1, **options)
        bad = [check for check in checks if check["state"] == "bad"]
        for check in bad:
            self.assertNotEqual("", check["remedy"], check)
            self.assertNotIn("\n", check["detail"] + check["remedy"])
        found = [check for check in bad if check["name"] == name and all(word in check["detail"] + check["remedy"] for word in words)]
        self.assertEqual(1, len(found), json.dumps(checks, indent=1))
        return found[0]

    def edit(self, daemon, pattern: str, replacement: str) -> None:
        with open(daemon.config, encoding="utf-8") as file:
            text = file.read()
        changed = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
        self.assertNotEqual(text, changed)
        with open(daemon.config, "w", encoding="utf-8") as file:
            file.write(changed)


class Healthy(DoctorTest):
    def test_both_sides(self):
        self.lab.start()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        for daemon, names in (
            (self.lab.agent, {"configuration", "key", "state", "daemon", "root", "mail", "watches", "receiver", "identity", "greeting", "clock"}),
            (self.lab.receiver, {"configuration", "key", "state", "daemon", "root", "durability", "owners", "port", "peers", "clock"}),
        ):
            checks = self.doctor(daemon, status=0)
            self.assertLessEqual(names, {check["name"] for check in checks if check["state"] == "good"}, checks)
            text = cli("doctor", "--config", daemon.config)
            self.assertIn("healthy", text.stdout)
            self.assertNotIn("\x1b", text.stdout)
        self.assertEqual([], [name for name in os.listdir(self.root.destination) if name.startswith(".maildirsync.doctor")])
        self.lab.assert_equal()

    def test_wrong_usage(self):
        self.assertEqual(2, cli("doctor", "--no-such").returncode)
        done = cli("doctor", "--prefix", self.lab.base)
        self.assertEqual(2, done.returncode)
        self.assertIn("maildirsync setup", done.stderr)


class Configuration(DoctorTest):
    def test_half_written(self):
        for daemon in self.lab.daemons:
            self.edit(daemon, r"^state_dir.*", "state_dir = ")
            self.assert_names(daemon, "configuration", daemon.config, "TOML")

    def test_an_unknown_key(self):
        for daemon in self.lab.daemons:
            self.edit(daemon, r"^state_dir", "stat_dir")
            self.assert_names(daemon, "configuration", "stat_dir", "state_dir")

    def test_none_at_all(self):
        os.unlink(self.lab.agent.config)
        self.assert_names(self.lab.agent, "configuration", self.lab.agent.config, "maildirsync setup agent")

    def test_not_paired(self):
        self.edit(self.lab.agent, r"^receiver .*\n", "")
        self.assert_names(self.lab.agent, "configuration", "no receiver", "maildirsync pair")

    def test_a_key_that_others_can_read(self):
        for daemon in self.lab.daemons:
            os.chmod(daemon.identity.key, 0o644)
            self.assert_names(daemon, "configuration", "0644", f"chmod 600 {daemon.identity.key}")

    def test_a_key_of_somebody_else(self):
        os.chown(self.lab.agent.identity.key, 5001, 5001)
        self.assert_names(self.lab.agent, "configuration", "5001", "chown root ")

    def test_a_key_of_another_certificate(self):
        other = keygen(os.path.join(self.lab.base, "other"))
        shutil.copy(other.key, self.lab.agent.identity.key)
        self.assert_names(self.lab.agent, "key", "keygen")


class Machine(DoctorTest):
    def test_a_daemon_that_is_down(self):
        for daemon in self.lab.daemons:
            self.assert_names(daemon, "daemon", daemon.control, "start it")

    def test_a_state_directory_that_cannot_be_made(self):
        for daemon in self.lab.daemons:
            self.edit(daemon, r"^state_dir.*", f'state_dir = "{self.lab.base}/nowhere/state"')
            self.assert_names(daemon, "state", f"{self.lab.base}/nowhere")

    def test_a_state_directory_without_room(self):
        for daemon in self.lab.daemons:
            self.mount_small(daemon.state_dir, 1 << 20)
            self.fill_up(daemon.state_dir)
            self.assert_names(daemon, "state", daemon.state_dir, "0 B free", "make space there, or put state_dir elsewhere")

    def test_a_state_directory_of_somebody_else(self):
        for daemon in self.lab.daemons:
            for path in (daemon.directory, daemon.identity.key, daemon.identity.certificate):
                os.chown(path, 5999, 5999)
            daemon.write_config()
            os.chown(daemon.config, 5999, 5999)
            self.assertIn("chown -R", self.start_without_capabilities(daemon))

    def start_without_capabilities(self, daemon) -> str:
        """What a daemon that cannot start says last."""
        done = subprocess.run(
            [*NO_CAPABILITIES, program(daemon.executable), "--config", daemon.config], capture_output=True, text=True, timeout=60 * PATIENCE
        )
        self.assertEqual(2, done.returncode, done.stderr)
        return done.stderr.splitlines()[-1]

    def test_a_root_that_is_not_there(self):
        for daemon, path in ((self.lab.agent, self.root.source), (self.lab.receiver, self.root.destination)):
            os.rename(path, path + ".away")
            self.assert_names(daemon, "root", path, "mount")

    def test_a_root_without_accounts(self):
        self.edit(self.lab.agent, r"^accounts.*", 'accounts = "%u/elsewhere/Maildir"')
        self.assert_names(self.lab.agent, "root", "%u/elsewhere/Maildir")

    def test_an_owner_that_does_not_exist(self):
        self.root.owner = {"policy": "map", "users": {"vmail": "no-such-user"}, "groups": {"vmail": "no-such-group"}}
        self.lab.receiver.write_config()
        self.assert_names(self.lab.receiver, "owners", "no-such-user", "useradd")
        self.assert_names(self.lab.receiver, "owners", "no-such-group", "groupadd")

    def test_an_owner_that_is_not_mapped(self):
        self.root.owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}
        self.lab.start()
        self.lab.agent.wait_problem("unmapped-owner")
        self.assert_names_some(self.lab.agent, "unmapped-owner", "users or groups")

    def assert_names_some(self, daemon, code: str, word: str):
        checks = self.doctor(daemon, status=1)
        self.assertTrue(any(c["name"] == "problem" and c["detail"].startswith(code) and word in c["remedy"] for c in checks), checks)

    def test_too_few_watches(self):
        # A user namespace with a limit of its own, as a container has it.
        if subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespaces here")
        subprocess.run(["chown", "-R", "0:0", self.root.source], check=True)  # the only owner that such a namespace knows
        limited = ["unshare", "-Ur", "sh", "-c", 'echo 10 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
        self.assert_names(self.lab.agent, "watches", "user.max_inotify_watches", "sysctl -w", prefix=limited)

    def weaken(self, daemon) -> None:
        """Lets the daemon run as a user that can do nothing but read its own files."""
        write_config = daemon.write_config

        def write_and_give():
            write_config()
            os.chown(daemon.config, 5999, 5999)

        daemon.write_config = write_and_give
        daemon.prefix = NO_CAPABILITIES
        for path in (daemon.directory, daemon.state_dir, daemon.identity.key, daemon.identity.certificate):
            os.chown(path, 5999, 5999)
        daemon.start()

    def test_mail_that_the_service_cannot_read(self):
        self.weaken(self.lab.agent)
        self.assert_names(self.lab.agent, "mail", "5999", self.root.source, "CAP_DAC_READ_SEARCH")

    def test_a_destination_that_the_service_cannot_write(self):
        self.weaken(self.lab.receiver)
        self.assert_names(self.lab.receiver, "root", self.root.destination, "CAP_DAC_OVERRIDE")


class Peer(DoctorTest):
    def test_nobody_listens(self):
        self.assert_names(self.lab.agent, "receiver", str(self.lab.receiver.port), "maildirsyncd")

    def test_a_name_that_leads_nowhere(self):
        self.edit(self.lab.agent, r"^receiver .*", 'receiver = "no-such-host.invalid:4465"')
        self.assert_names(self.lab.agent, "receiver", "no-such-host.invalid")

    def test_a_receiver_with_another_key(self):
        other = keygen(os.path.join(self.lab.base, "other"))
        self.lab.agent.pinned = other.fingerprint
        self.lab.agent.write_config()
        self.lab.receiver.start()
        self.assert_names(self.lab.agent, "identity", self.lab.receiver.identity.fingerprint, other.fingerprint, "maildirsync pair")

    def test_a_receiver_that_does_not_know_us(self):
        other = keygen(os.path.join(self.lab.base, "other"))
        self.lab.receiver.pinned["agent"] = other.fingerprint
        self.lab.receiver.start()
        self.assert_names(self.lab.agent, "greeting", self.lab.agent.identity.fingerprint, "maildirsync pair")

    def test_a_root_that_the_receiver_does_not_have(self):
        self.lab.receiver.start()
        self.edit(self.lab.agent, r'^name = "vhosts"', 'name = "elsewhere"')
        self.assert_names(self.lab.agent, "greeting", "elsewhere")

    def test_an_agent_that_is_not_connected(self):
        self.lab.receiver.start()
        self.assert_names(self.lab.receiver, "peers", "agent", "not connected")

    def test_no_agent_at_all(self):
        self.lab.receiver.peers.clear()
        self.lab.receiver.write_config()
        self.lab.receiver.start()
        self.assert_names(self.lab.receiver, "peers", "maildirsync pair")

    def test_another_program_has_the_port(self):
        with socket.create_server(("127.0.0.1", self.lab.receiver.port)) as server:
            threading.Thread(target=lambda: server.accept()[0].sendall(b"220 hello\r\n"), daemon=True).start()
            self.assert_names(self.lab.agent, "identity", "TLS")


class Links(DoctorTest):
    """Links at the destination that others made, or that were there before: a mail server follows them all."""

    def test_one_that_leads_out_of_its_account_is_named_by_doctor_and_verify(self):
        self.lab.start()
        self.lab.flush()
        there = self.root.at_destination(self.root.account(0))
        folder = os.path.join(there, b".Archive.2019")
        make_maildir(folder, (5000, 5000))
        os.symlink(b"../cur", os.path.join(folder, b"inside"))  # one that does not
        self.doctor(self.lab.receiver, status=0)
        out = {b".Boss": os.path.dirname(there), b".Archive.2019/cur/1.x:2,": b"../../../../other/Maildir/cur/1.x:2,"}
        for name, target in out.items():
            os.symlink(target, os.path.join(there, name))
        checks = {check["name"]: check for check in self.doctor(self.lab.receiver, status=1)}
        self.assertEqual("bad", checks["links"]["state"], checks)
        self.assertIn("of the root vhosts, 2 symbolic links lead out of their accounts; the first is ", checks["links"]["detail"])
        self.assertTrue(any(f"{os.path.join(os.fsdecode(there), os.fsdecode(name))} -> {os.fsdecode(target)}" in checks["links"]["detail"] for name, target in out.items()), checks["links"])
        done = self.lab.agent.cli("--json", "verify")
        self.assert_exit(1, done)
        named = {os.path.join(one["folder"], one["name"]): one for one in json.loads(done.stdout)["differences"] if "symbolic link" in one["detail"]}
        self.assertEqual(2, len(named), named)
        for one in named.values():
            self.assertEqual("extra", one["kind"])
            self.assertIn("is at the destination only, and is a symbolic link that leads out of the account: remove it there", one["detail"])
        for name in out:
            os.unlink(os.path.join(there, name))
        self.doctor(self.lab.receiver, status=0)


class Clock(DoctorTest):
    """A receiver whose greeting says another time."""

    def serve(self, offset: float | None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.lab.receiver.identity.certificate, self.lab.receiver.identity.key)
        server = socket.create_server(("127.0.0.1", self.lab.receiver.port))
        self.addCleanup(server.close)

        def answer():
            stream = context.wrap_socket(server.accept()[0], server_side=True)
            read_frame(stream)
            hello = field(1, 1) + field(2, "test") + field(4, bytes(16))
            if offset is not None:
                now = int((time.time() + offset) * 1e9)
                hello += field(8, now << 1)  # zigzag
            stream.sendall(frame(field(HEADER_HELLO, hello)))
            while stream.recv(4096):
                pass

        threading.Thread(target=answer, daemon=True).start()

    def test_an_hour_ahead_or_behind(self):
        self.serve(3600)
        self.assert_names(self.lab.agent, "clock", "60 min", "ahead", "timedatectl")

    def test_an_hour_behind(self):
        self.serve(-3600)
        self.assert_names(self.lab.agent, "clock", "behind", "timedatectl")

    def test_the_receiver_names_an_agent_whose_clock_is_wrong(self):
        self.lab.receiver.start()
        identity = self.lab.agent.identity
        for offset, word in ((3600, "ahead"), (-3600, "behind")):
            with connect(self.lab.receiver.port, identity.certificate, identity.key) as stream:
                now = int((time.time() + offset) * 1e9)
                hello = field(1, 1) + field(2, "test") + field(4, bytes(16)) + field(5, "vhosts") + field(8, now << 1)  # zigzag
                stream.sendall(frame(field(HEADER_HELLO, hello)))
                read_frame(stream)
                self.assert_names(self.lab.receiver, "clock", "60 min", word, "timedatectl")

    def test_seconds_are_nothing(self):
        self.serve(20)
        self.assertIn("good", [check["state"] for check in self.doctor(self.lab.agent) if check["name"] == "clock"])

    def test_a_receiver_that_does_not_say_it(self):
        self.serve(None)
        self.assertIn("skipped", [check["state"] for check in self.doctor(self.lab.agent) if check["name"] == "clock"])

    def test_both_daemons_tell_it(self):
        self.lab.start()
        self.lab.agent.wait_state("live")
        self.assertLess(abs(self.lab.agent.status()["peer"]["clock_offset_seconds"]), 30 * PATIENCE)
        wait_until(lambda: self.lab.receiver.status()["peers"][0]["clock_offset_seconds"] is not None, "the receiver knows the agent's clock")


class Dovecot(DoctorTest):
    """A Dovecot that serves what is mirrored is told of before it spoils anything."""

    def test_a_running_dovecot_that_serves_a_root(self):
        folder = os.path.join(self.lab.base, "bin")
        os.mkdir(folder)
        shutil.copy(shutil.which("sleep"), os.path.join(folder, "dovecot"))
        with open(os.path.join(folder, "doveconf"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho 'mail_location = maildir:{self.root.destination}/%d/%n/Maildir'\n")
        os.chmod(os.path.join(folder, "doveconf"), 0o755)
        self.lab.start()
        receiver = self.lab.receiver
        wait_until(lambda: receiver.status()["peer"]["connected"], "the agent is connected", alive=self.lab.daemons)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        running = subprocess.Popen([os.path.join(folder, "dovecot"), "600"])
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        done = receiver.cli("doctor", "--config", receiver.config, env=environment)
        self.assertIn(f"a running Dovecot serves mail in {self.root.destination}, where the root vhosts", done.stdout)
        self.assertIn("keep users from it until the cutover", done.stdout)
        self.assert_exit(1, done)


if __name__ == "__main__":
    unittest.main()
