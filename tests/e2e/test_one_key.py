"""One key, one agent: a copy of it (its server cloned, its state in use on a second machine) is held and changes nothing, whichever
of the two comes first or again; the other one goes on, and a person can say which it is to be."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import unittest
import urllib.request

from maildir_trees import read_tree
from maildirsync_testing import LabTest, deliver, free_port, wait_until
from network import HEADER_HELLO, field, fields, frame, read_frame
from test_versions import Later

MESSAGES = 6
HEADER_PING, HEADER_PONG = 11, 12


class KeyTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.agent, self.receiver = self.lab.agent, self.lab.receiver
        self.accounts = [self.root.make_account(user) for user in (b"a", b"b")]
        for account in self.accounts:
            for i in range(MESSAGES):
                deliver(account, b"1700000000.M%dP1.mx:2,S" % i, b"Subject: %d\n\nx\n" % i, area=b"cur")
        self.serial = 0

    def begin(self):
        self.lab.start()
        self.agent.flush()

    def clone(self, name: str = "clone", *, with_state: bool = True):
        """As a copy of the old server's disks would run: the same key, its own mail; the agent goes on meanwhile."""
        clone = self.lab.add_agent(name)
        self.receiver.peers.remove(clone)
        clone.identity = self.agent.identity
        was_running = self.agent.process is not None
        self.agent.stop()
        if with_state:
            shutil.copytree(self.agent.state_dir, clone.state_dir)
            # On a copy of the disk the root's directory has the number that it had.
            with contextlib.closing(sqlite3.connect(os.path.join(clone.state_dir, "state.db"))) as state, state:
                state.execute("DELETE FROM setting WHERE CAST(key AS TEXT) LIKE 'directory:%'")
        source = os.path.join(self.lab.base, "source-" + name)
        subprocess.run(["cp", "-a", self.root.source, source], check=True)
        root = type(self.root)(self.root.name, source, self.root.destination)
        clone.roots = [root]
        if was_running:
            self.agent.start()
            self.agent.flush()
        return clone

    def deliver_to(self, agent) -> bytes:
        self.serial += 1
        account = self.accounts[0].replace(os.fsencode(self.root.source), os.fsencode(agent.roots[0].source))
        return deliver(account, b"1900000000.M%dP7.%s" % (self.serial, agent.name.encode()))

    def arrives(self, agent):
        path = self.deliver_to(agent)
        relative = os.path.relpath(path, os.fsencode(agent.roots[0].source))
        there = os.path.join(os.fsencode(self.root.destination), relative)
        wait_until(lambda: os.path.exists(there), f"{there!r} arrives", alive=self.lab.daemons)

    def changes(self, agent):
        """At that agent's own source: mail goes and comes."""
        cur = os.path.join(os.fsencode(agent.roots[0].source), os.path.relpath(self.accounts[1], os.fsencode(self.root.source)), b"cur")
        for name in sorted(os.listdir(cur))[:2]:
            os.unlink(os.path.join(cur, name))
        self.deliver_to(agent)

    def assert_held(self, agent, about: str = "with the same key"):
        problem = agent.wait_problem("foreign-agent", about)
        for words in ("maildirsync mirror vhosts --adopt", "maildirsync drain vhosts --adopt"):
            self.assertIn(words, problem["detail"])
        self.assertEqual("held", agent.wait_state("held")["roots"][0]["state"])
        done = agent.cli("--json", "flush", "--timeout", "20")
        self.assert_exit(1, done)
        self.assertIn("foreign-agent", done.stdout)

    def assert_goes_on(self, agent, state: str = "live"):
        status = agent.wait_state(state)
        self.assertEqual([], status["problems"])
        self.arrives(agent)
        self.assertTrue(agent.flush()["complete"])

    def metrics(self, port: int) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as metrics:
            return metrics.read().decode()

    def assert_only_the_agents(self):
        """The destination is as the agent's source, and nothing of another one's is there."""
        self.agent.flush("--full")
        agents, self.lab.agents = self.lab.agents, [self.agent]
        try:
            self.lab.assert_equal()
        finally:
            self.lab.agents = agents


class Copies(KeyTest):
    def test_one_beside_the_agent_is_held_and_stays_so(self):
        port = free_port()
        self.receiver.extra["metrics"] = {"listen": f"127.0.0.1:{port}"}
        self.begin()
        clone = self.clone()
        clone.start()
        self.assert_held(clone)
        self.changes(clone)
        self.assert_goes_on(self.agent)
        problem = self.receiver.wait_problem("foreign-agent")
        self.assertEqual("agent", problem["peer"])
        self.assertIn("--adopt", problem["detail"])
        self.assertEqual(1, self.receiver.cli("status").returncode)
        wait_until(lambda: 'maildirsyncd_problems_by_code{code="foreign-agent"} 1\n' in self.metrics(port), "the metrics tell of it")
        self.assert_only_the_agents()
        # Again, in any order; also where the receiver begins anew, and where the agent is not there.
        clone.restart()
        self.assert_held(clone)
        self.receiver.restart()
        self.assert_held(clone)
        self.assert_goes_on(self.agent)
        self.agent.restart()
        self.assert_goes_on(self.agent)
        self.agent.stop()
        clone.restart()
        self.assert_held(clone, "two agents with the same key were connected at the same time")
        before = read_tree(self.root.destination)
        self.changes(clone)
        clone.cli("flush", "--timeout", "3")
        self.assertEqual(before, read_tree(self.root.destination))
        clone.stop()
        self.agent.start()
        self.assert_goes_on(self.agent)
        wait_until(lambda: not self.receiver.problems(), "the receiver has no problem any more", alive=[self.receiver])
        self.assert_only_the_agents()

    def test_one_that_comes_first_after_a_power_cut_everywhere(self):
        self.begin()
        clone = self.clone()
        clone.start()
        self.assert_held(clone)
        for daemon in self.lab.daemons:
            daemon.kill()
        self.receiver.start(), clone.start()
        self.assert_held(clone)
        self.changes(clone)
        self.agent.start()
        self.assert_goes_on(self.agent)
        self.assert_held(clone)
        self.assert_only_the_agents()

    def test_one_without_a_state(self):
        self.begin()
        clone = self.clone(with_state=False)
        clone.start()
        self.assert_held(clone)
        self.changes(clone)
        self.assert_goes_on(self.agent)
        self.assert_only_the_agents()
        clone.stop()
        self.assert_goes_on(self.agent)

    def test_one_beside_a_drained_root(self):
        self.begin()
        self.assert_exit(0, self.agent.cli("drain", "vhosts"))
        clone = self.clone()
        clone.start()
        self.assert_held(clone)
        before = read_tree(self.root.destination)
        self.deliver_to(clone)
        done = clone.cli("mirror", "vhosts", "--undo-what-users-did")
        self.assert_exit(1, done)
        self.assertIn("with the same key", done.stderr)
        self.assert_exit(0, clone.cli("pause"))
        self.assertEqual(before, read_tree(self.root.destination))
        self.assert_goes_on(self.agent, "draining")
        self.agent.restart()
        self.assert_goes_on(self.agent, "draining")

    def test_a_person_says_which_is_to_go_on_and_may_say_so_again(self):
        self.begin()
        clone = self.clone()
        clone.start()
        self.assert_held(clone)
        self.assert_exit(0, clone.cli("mirror", "vhosts", "--adopt"))
        self.assert_goes_on(clone)
        self.assert_held(self.agent)
        self.deliver_to(self.agent)
        self.assert_exit(0, self.agent.cli("mirror", "vhosts", "--adopt", "--undo-what-users-did"))
        self.assert_goes_on(self.agent)
        self.assert_held(clone)
        for daemon in self.lab.daemons:
            daemon.restart()
        self.assert_held(clone)
        self.assert_goes_on(self.agent)


@unittest.skipUnless(os.path.exists("/etc/machine-id"), "this machine has no id")
class OtherMachine(KeyTest):
    """Its machine is known by /etc/machine-id."""

    def on_another_machine(self, agent):
        own = os.path.join(self.lab.base, "machine-id")
        with open(own, "w", encoding="ascii") as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(own, 0o644)
        agent.prefix = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/machine-id && exec "$@"', own]

    def test_a_state_in_use_on_another_one_waits_for_a_person(self):
        self.begin()
        clone = self.clone()
        self.agent.stop()
        self.on_another_machine(clone)
        clone.start()
        self.assert_held(clone, "on another machine before")
        self.assertIn("on another machine before", self.receiver.wait_problem("foreign-agent")["detail"])
        self.agent.start()
        self.assert_goes_on(self.agent)
        self.agent.stop()
        self.assertIn("1 message only there", clone.cli("mirror", "vhosts", "--adopt").stderr)
        self.assert_exit(0, clone.cli("mirror", "vhosts", "--adopt", "--undo-what-users-did"))
        self.assert_goes_on(clone)
        clone.restart()
        self.assert_goes_on(clone)
        self.agent.start()
        self.assert_held(self.agent)


class SilentProxy:
    """Forwards to `port`. What the agent's side ends stays open at the receiver's, as after a power cut."""

    def __init__(self, listen_port: int, port: int):
        self.port = port
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", listen_port))
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except OSError:
                return
            server.settimeout(None)
            self.open += [client, server]
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.open:
            end.close()
        self.thread.join(10)


class HonestAgents(KeyTest):
    """Nothing of what happens to one agent alone holds it."""

    def test_one_whose_connections_the_receiver_takes_for_alive_goes_on(self):
        self.agent.port = free_port()
        proxy = SilentProxy(self.agent.port, self.receiver.port)
        self.addCleanup(proxy.close)
        self.begin()
        self.agent.kill()
        self.agent.start()
        self.assert_goes_on(self.agent)
        self.assertNotIn("foreign-agent", self.agent.log_text())
        self.agent.kill()
        shutil.rmtree(self.agent.state_dir)
        self.agent.start()
        self.assert_goes_on(self.agent)

    def test_lost_and_older_states_of_either_side_go_on(self):
        self.begin()
        for daemon in (self.agent, self.receiver):
            daemon.stop()
            shutil.copytree(daemon.state_dir, daemon.state_dir + ".older")
        self.receiver.start(), self.agent.start()
        self.assert_goes_on(self.agent)
        self.agent.restart()
        self.assert_goes_on(self.agent)
        for daemon in (self.agent, self.receiver):
            for is_lost in (False, True):
                with self.subTest(f"{daemon.name}: {'lost' if is_lost else 'older'}"):
                    self.agent.stop(), self.receiver.stop()
                    shutil.rmtree(daemon.state_dir)
                    if not is_lost:
                        shutil.copytree(daemon.state_dir + ".older", daemon.state_dir)
                    self.receiver.start(), self.agent.start()
                    self.assert_goes_on(self.agent)
        self.assertNotIn("foreign-agent", self.agent.log_text())

    def test_a_crash_before_either_side_had_kept_the_lease(self):
        self.begin()
        lease = os.path.join(self.agent.state_dir, "lease")
        (holder,) = [os.path.join(self.receiver.state_dir, name) for name in os.listdir(self.receiver.state_dir) if name.startswith("holder-")]
        wait_until(lambda: os.path.exists(lease), "the agent keeps its lease", alive=self.lab.daemons)

        def content(path: str) -> bytes:
            with open(path, "rb") as file:
                return file.read()

        for path in (lease, holder):
            with self.subTest(os.path.basename(path)):
                before = content(path)
                self.agent.restart()
                self.assert_goes_on(self.agent)
                wait_until(lambda: content(path) != before, f"{path} is another one", alive=self.lab.daemons)
                self.agent.stop(), self.receiver.stop()
                with open(path, "wb") as file:
                    file.write(before)
                self.receiver.start(), self.agent.start()
                self.assert_goes_on(self.agent)

    def test_one_that_lost_its_state_beside_a_copy_is_the_one_that_goes_on(self):
        self.begin()
        clone = self.clone()
        clone.start()
        self.assert_held(clone)
        self.agent.kill()
        clone.stop()
        shutil.rmtree(self.agent.state_dir)
        self.agent.start()
        self.assert_goes_on(self.agent)
        clone.start()
        self.assert_held(clone)
        self.assert_only_the_agents()


class Earlier(Later):
    """Makes both sides those of a release that knows nothing of processes: their words about it do not arrive."""

    def _pump(self, source, target) -> None:
        try:
            while True:
                header, payload = read_frame(source)
                target.sendall(frame(b"".join(field(kind, self.known(kind, message)) for kind, messages in header.items() for message in messages), payload))
        except (EOFError, OSError, ValueError):
            self._end(source, target)

    @staticmethod
    def known(kind: int, message: bytes) -> bytes:
        if kind not in (HEADER_HELLO, HEADER_PING, HEADER_PONG):
            return message
        return b"".join(field(number, value) for number, values in fields(message).items() for value in values if number not in (121, 122, 123))


class EarlierRelease(KeyTest):
    def test_an_agent_that_says_nothing_of_itself_is_obeyed_as_before(self):
        self.agent.port = free_port()
        self.agent.extra["transfer"] = {"compression": "off"}
        between = Earlier(self.lab)
        self.addCleanup(between.close)
        self.begin()
        self.assert_goes_on(self.agent)
        self.assertFalse(os.path.exists(os.path.join(self.agent.state_dir, "lease")))
        self.agent.restart()
        self.assert_goes_on(self.agent)
        # It becomes one of this release.
        self.agent.port = None
        self.agent.restart()
        self.assert_goes_on(self.agent)
        self.assertTrue(os.path.exists(os.path.join(self.agent.state_dir, "lease")))


if __name__ == "__main__":
    unittest.main()
