"""Neighbouring versions: fields of a later one are passed over by both sides; another protocol is refused by a sentence, on both."""

import os
import socket
import ssl
import threading
import unittest

from between import Between
from maildirsync_testing import LabTest, TreeSpec, deliver, free_port, make_tree
from network import HEADER_HELLO, connect, field, fields, frame, read_frame

VERSION = 1
#: Numbers that no version has; the sentence is longer than what one byte can say.
LATER = field(1000, 77) + field(1001, "what a later version says " * 8)
HEADER_OPERATION, HEADER_ACK = 4, 6


class Later(Between):
    """Makes each frame that of a later version: with more in its message, and beside it."""

    def __init__(self, lab):
        self.kinds: set[int] = set()
        super().__init__(lab)

    def changed_message(self, kind: int, message: bytes) -> bytes:
        self.kinds.add(kind)
        return message + LATER

    def changed(self, header: dict[int, list]) -> bytes:
        return super().changed(header) + LATER


class VersionTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=91))


class LaterFields(VersionTest):
    def test_are_passed_over_by_both_sides(self):
        self.lab.agent.port = free_port()
        self.lab.agent.extra["transfer"] = {"compression": "off"}  # else most frames are within others, where nobody can add to them
        between = Later(self.lab)
        self.addCleanup(between.close)
        self.lab.start()
        self.lab.agent.wait_state("live")
        deliver(self.root.account(0), b"1700000000.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(between.connections, self.lab.agent.status()["peer"]["connections"], "a connection broke")
        self.assert_exit(0, self.lab.agent.cli("verify", "--deep"))
        self.assertEqual([], self.lab.agent.status()["problems"])
        self.assertLessEqual({HEADER_HELLO, HEADER_OPERATION, HEADER_ACK}, between.kinds)


class AnotherProtocol(VersionTest):
    """Both sides say which version each speaks, and what to do; the other daemon's sentence is in `status` and in the log."""

    def assert_told(self, daemon, *words: str) -> None:
        line = daemon.wait_log(f"[^\n]*{words[0]}[^\n]*")
        for word in words:
            self.assertIn(word, line)

    def test_of_the_receiver(self):
        """A receiver of another protocol that does not refuse by itself; and one that does."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.lab.receiver.identity.certificate, self.lab.receiver.identity.key)
        server = socket.create_server(("127.0.0.1", self.lab.receiver.port))
        self.addCleanup(server.close)
        refusals = ["", "protocol version 1 is not spoken here, only version 999"]

        def answer():
            try:
                while True:
                    stream = context.wrap_socket(server.accept()[0], server_side=True)
                    read_frame(stream)
                    refusal = field(6, refusals[0]) if refusals[0] else b""
                    stream.sendall(frame(field(HEADER_HELLO, field(1, 999) + field(2, "test") + field(4, bytes(16)) + refusal)))
                    while stream.recv(4096):
                        pass
            except OSError:
                pass

        threading.Thread(target=answer, daemon=True).start()
        self.lab.agent.start()
        problem = self.lab.agent.wait_problem("protocol", "999")
        for words in ("speaks protocol version 999", "we speak 1", "install the same release"):
            self.assertIn(words, problem["detail"])
        self.assert_told(self.lab.agent, "protocol version 999", "install the same release")
        self.assert_exit(2, self.lab.agent.cli("status"))
        doctor = self.lab.agent.cli("doctor", "--config", self.lab.agent.config)
        self.assertIn("999", doctor.stdout)
        del refusals[0]
        self.lab.agent.wait_problem("protocol", "only version 999")

    def test_of_the_agent(self):
        self.lab.receiver.start()
        identity = self.lab.agent.identity
        stream = connect(self.lab.receiver.port, identity.certificate, identity.key)
        self.addCleanup(stream.close)
        stream.sendall(frame(field(HEADER_HELLO, field(1, 999) + field(2, "test") + field(4, bytes(16)) + field(5, "vhosts"))))
        header, _ = read_frame(stream)
        said = fields(header[HEADER_HELLO][0])
        self.assertEqual([VERSION], said[1])
        self.assertIn("install the same release", said[6][0].decode())
        self.assert_told(self.lab.receiver, "protocol version 999", "only version 1", "install the same release")
        self.assertEqual([], os.listdir(self.root.destination))


if __name__ == "__main__":
    unittest.main()
