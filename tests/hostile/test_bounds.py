"""What one peer can make the receiver hold and do, however many connections it has; and both daemons end in time."""

import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from client import Client
from hostile_testing import ACCOUNT, HostileTest
from maildir_trees import TreeSpec, make_tree, write_file
from maildirsync_testing import SANITIZED, LabTest, PATIENCE, cli, keygen, program, wait_until, write_text
from memory import MIB, peak, resident

ENDS_WITHIN = 5  # seconds from SIGTERM: systemd, and a person, wait no longer
CONNECTIONS, LISTINGS, MESSAGES = 24, 400, 2000
BOUND = 128 * MIB


def seconds_to_end(daemon) -> float:
    """From SIGTERM on; the daemon has to end by itself."""
    process, begun = daemon.process, time.monotonic()
    process.terminate()
    process.wait(60)
    return time.monotonic() - begun


class Unread(HostileTest):
    """A peer asks and never reads."""

    def before_start(self):
        path = os.path.join(self.root.destination, ACCOUNT)
        for area in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, area))
        for number in range(MESSAGES):
            write_file(os.fsencode(os.path.join(path, f"cur/17{number:08d}.M{number}P1.{'x' * 150},S=1,W=1:2,S")), b"x", (5000, 5000), 0o600)
        self.other = self.lab.add_agent("other")
        self.lab.add_root("others", agent=self.other)

    def ask(self, connections: int = CONNECTIONS, listings: int = LISTINGS) -> list[Client]:
        clients = [self.client(receive_buffer=4096) for _ in range(connections)]
        for client in clients:
            client.stream.setblocking(False)
            for _ in range(listings):
                try:
                    client.ask_list("vhosts", ACCOUNT)
                except (ssl.SSLWantWriteError, BlockingIOError):
                    break  # nothing more is taken from it
        return clients

    def settle(self):
        """Until the receiver does nothing any more for it."""
        pid, last = self.lab.receiver.process.pid, -1

        def rests():
            nonlocal last
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                ticks = sum(int(field) for field in file.read().rpartition(")")[2].split()[11:13])
            rested, last = ticks - last < 5, ticks
            return rested

        wait_until(rests, "the receiver has done what it will do", alive=[self.lab.receiver], interval=1, limit=60)

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory is what would be measured")
    def test_memory_is_bounded_for_the_peer_and_goes_back(self):
        receiver = self.lab.receiver
        before = resident(receiver.process.pid)
        clients = self.ask()
        self.settle()
        self.assertLess(peak(receiver.process.pid), BOUND)
        for client in clients:
            client.close()
        wait_until(lambda: resident(receiver.process.pid) < before + 24 * MIB, "its memory goes back", alive=[receiver])

    def test_another_peer_is_served_meanwhile(self):
        self.ask()
        client = self.client(identity=self.other.identity)
        client.open_account("others", ACCOUNT)
        self.assert_done(client.make_folder())
        self.assert_done(client.put("cur/1.x:2,", b"served"))
        self.assertEqual([b"cur/1.x:2,"], list(client.list("others", ACCOUNT).entries))

    def test_the_receiver_ends(self):
        self.ask()
        self.assertLess(seconds_to_end(self.lab.receiver), ENDS_WITHIN * PATIENCE)

    def test_a_peer_that_stops_reading_in_the_middle(self):
        """Of a listing, and with operations of which it does not hear what became."""
        client, _ = self.account()
        client.stream.setblocking(False)
        for number in range(20_000):
            try:
                client.put(f"cur/{number}.y:2,", b"body", wait=False, digest=bytes(16))  # refused, each with a sentence
                client.ask_list("vhosts", ACCOUNT)
            except (ssl.SSLWantWriteError, BlockingIOError):
                break
        self.assert_serves()
        self.settle()
        if not SANITIZED:
            self.assertLess(peak(self.lab.receiver.process.pid), BOUND)
        self.assertLess(seconds_to_end(self.lab.receiver), ENDS_WITHIN * PATIENCE)

    def test_a_patient_reader_gets_every_answer(self):
        """Questions are made to wait, and not dropped."""
        client = self.client()
        client.send_bytes_while_reading(b"".join(client.list_question("vhosts", ACCOUNT)[1] for _ in range(200)))
        answered = 0
        while answered < 200:
            _, part = client.read_until("listing")
            answered += bool(part.get("last"))
            self.assertEqual(0, part.get("error", 0))

    def test_connections_of_a_peer_are_bounded(self):
        clients, refusal = [], ""
        for _ in range(200):
            client = self.client(greet=False)
            clients.append(client)
            refusal = client.hello().get("refusal", "")
            if refusal:
                break
        self.assertIn("connections", refusal)
        other = self.client(identity=self.other.identity)
        other.open_account("others", ACCOUNT)
        self.assert_done(other.make_folder())
        for client in clients:
            client.close()
        wait_until(lambda: not self.client(greet=False).hello().get("refusal"), "there is room again", alive=[self.lab.receiver])


class Invented(HostileTest):
    """Names of accounts, users and files that are nowhere cost no memory that stays."""

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory is what would be measured")
    def test_accounts_that_are_not_there(self):
        client = self.client()
        for number in range(20_000):
            client.open_account("vhosts", "/".join(f"{number}{'a' * 240}" for _ in range(15)))
        client.ping()
        self.assertLess(peak(self.lab.receiver.process.pid), BOUND)
        self.assert_serves()

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory is what would be measured")
    def test_problems_with_long_names(self):
        client, _ = self.account()
        folder = "/".join("f" * 250 for _ in range(14))
        for number in range(6000):
            last = client.put(f"{folder}/cur/{number}.{'y' * 200}", b"x", wait=False, digest=bytes(16))
            if number % 100 == 99:
                client.wait(last)
        client.ping()
        self.assertLess(peak(self.lab.receiver.process.pid), BOUND)
        self.assert_serves()

    def test_owners_in_one_question(self):
        client = self.client()
        client.send({"map_owners": {"id": 1, "root": "nowhere", "owners": [{"uid": n, "gid": n} for n in range(10_000)]}})
        self.assertEqual(10_000, len(client.read_until("mapped_owners")[1]["owners"]))
        client.send({"map_owners": {"id": 2, "root": "vhosts", "owners": [{"uid": n, "gid": n} for n in range(10_001)]}})
        self.assertIn("too long", client.said())
        self.assert_serves()


class Silent(LabTest):
    """A receiver that greets and then says nothing, does not read, or says nothing at all."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=200, seed=166))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.lab.agent.port = self.listener.getsockname()[1]
        self.taken: list = []

    def serve(self, after_handshake):
        identity = self.lab.receiver.identity
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        context.verify_mode = ssl.CERT_NONE

        def run():
            while True:
                try:
                    plain, _ = self.listener.accept()
                except OSError:
                    return
                self.taken.append(plain)
                threading.Thread(target=self._one, args=(context, plain, after_handshake), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()

    def _one(self, context, plain, after_handshake):
        try:
            stream = context.wrap_socket(plain, server_side=True)
            self.taken.append(stream)
            after_handshake(stream)
        except (OSError, ssl.SSLError, EOFError):
            pass

    def greet(self, stream):
        from network import read_frame, frame, hello

        read_frame(stream)
        stream.sendall(frame(hello(1)))

    def assert_agent_ends(self):
        self.lab.agent.start()
        wait_until(lambda: self.taken, "the agent connects", alive=[self.lab.agent])
        time.sleep(1)
        self.assertLess(seconds_to_end(self.lab.agent), ENDS_WITHIN * PATIENCE)

    def test_after_its_greeting(self):
        self.serve(self.greet)
        self.assert_agent_ends()

    def test_before_its_greeting(self):
        self.serve(lambda stream: None)
        self.assert_agent_ends()

    def test_before_the_handshake(self):
        threading.Thread(target=lambda: self.taken.append(self.listener.accept()), daemon=True).start()
        self.assert_agent_ends()

    def test_that_was_stopped_in_the_middle(self):
        """SIGSTOP: its kernel goes on taking bytes until its buffers are full."""
        self.lab.agent.port = None
        self.lab.receiver.start()
        self.lab.agent.start()
        self.lab.receiver.signal(signal.SIGSTOP)
        make_tree(self.root.source + "/more", TreeSpec(accounts=1, messages=10, seed=2))
        self.assertLess(seconds_to_end(self.lab.agent), ENDS_WITHIN * PATIENCE)


class Strangers(HostileTest):
    """Who has no key that is known here."""

    def setUp(self):
        super().setUp()
        self.stranger = keygen(os.path.join(self.lab.base, "stranger"))

    def test_is_told_no_fingerprint_but_its_own_and_the_receivers(self):
        client = self.client(greet=False, identity=self.stranger)
        said = client.said()
        told = set(re.findall(r"sha256:[0-9a-f]{64}", said))
        self.assertEqual({self.stranger.fingerprint, self.lab.receiver.identity.fingerprint}, told, said)
        self.lab.receiver.wait_log(self.lab.agent.identity.fingerprint)  # the administrator's own log says who is known

    def test_lines_of_the_log_are_bounded(self):
        def lines():
            return len(self.lab.receiver.log_text().splitlines())

        before = lines()
        for number in range(400):
            with socket.create_connection(("127.0.0.1", self.lab.receiver.port)) as plain:
                if number % 2:
                    plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for _ in range(40):
            self.client(greet=False, identity=self.stranger).close()
        self.assert_serves()
        self.assertLess(lines() - before, 120)
        wait_until(lambda: re.search(r"suppressed count=\d+.*connection-refused", self.lab.receiver.log_text()), "what was left unsaid is counted", limit=120)

    def test_silent_ones_keep_no_agent_out(self):
        silent = [socket.create_connection(("127.0.0.1", self.lab.receiver.port)) for _ in range(900)]
        try:
            self.assert_serves()
        finally:
            for connection in silent:
                connection.close()


if __name__ == "__main__":
    unittest.main()
