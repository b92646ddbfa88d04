"""Who may talk, and what gets those who talk otherwise."""

import os
import random
import ssl
import struct
import unittest

from maildirsync_testing import LabTest, TreeSpec, cli, deliver, keygen, make_tree, wait_until
from network import connect, ended, frame, hello, read_frame, sentences

VERSION = 1
OVER = 64 << 20


class WrongCertificate(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=2, messages=20, seed=61))
        self.other = keygen(os.path.join(self.lab.base, "other"))

    def assert_refused(self, who_refuses, expected: str, shown: str):
        """The log of whoever refuses names the key that is known and the one that was shown; the other side is told of its
        own key alone, for it may be anybody's."""
        for daemon in self.lab.daemons:
            daemon.start()
        wait_until(
            lambda: all(fingerprint in who_refuses.log_text() for fingerprint in (expected, shown))
            and all(shown in daemon.log_text() for daemon in self.lab.daemons),
            "the logs name the fingerprints",
            alive=self.lab.daemons,
        )
        problem = self.lab.agent.wait_problem("tls")
        self.assertNotEqual("", problem["detail"])
        status = self.lab.agent.status()
        self.assertEqual("connecting", status["state"])
        self.assertFalse(status["peer"]["connected"])
        self.assertEqual(0, status["totals"]["messages_sent"])
        self.assertEqual([], os.listdir(self.root.destination))
        self.assert_exit(2, self.lab.agent.cli("status"))

    def test_of_the_agent(self):
        self.lab.receiver.pinned["agent"] = self.other.fingerprint
        self.assert_refused(self.lab.receiver, self.other.fingerprint, self.lab.agent.identity.fingerprint)
        self.assertNotIn(self.other.fingerprint, self.lab.agent.log_text())

    def test_of_the_receiver(self):
        self.lab.agent.pinned = self.other.fingerprint
        self.assert_refused(self.lab.agent, self.other.fingerprint, self.lab.receiver.identity.fingerprint)

    def test_put_right_by_a_reload(self):
        self.lab.receiver.pinned["agent"] = self.other.fingerprint
        self.lab.start()
        self.lab.agent.wait_problem("tls")
        self.lab.receiver.pinned.clear()
        self.lab.receiver.write_config()
        import signal

        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems("tls"), "the problem clears", alive=self.lab.daemons)

    def test_fingerprint_command(self):
        identity = self.lab.agent.identity
        self.assertEqual(identity.fingerprint, cli("fingerprint", identity.certificate, check=True).stdout.strip())
        self.assertEqual(0o600, os.stat(identity.key).st_mode & 0o777)


class Protocol(LabTest):
    """A client with the agent's own key says strange things; the daemon goes on serving the real agent."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=2, messages=20, seed=62))
        self.lab.receiver.start()

    def client(self, **options):
        identity = self.lab.agent.identity
        stream = connect(self.lab.receiver.port, identity.certificate, identity.key, **options)
        self.addCleanup(stream.close)
        return stream

    def greeted(self):
        stream = self.client()
        stream.sendall(frame(hello(VERSION)))
        header, _ = read_frame(stream)
        self.assertIn(1, header, "the answer to a Hello is a Hello")
        return stream

    def assert_still_serves(self):
        if self.lab.agent.process is None:
            self.lab.agent.start()
        deliver(self.root.account(0), b"1700000000.M%dP1.mx" % random.SystemRandom().getrandbits(30))
        self.lab.flush()
        self.lab.assert_equal()
        self.assertIsNone(self.lab.receiver.process.poll())

    def test_another_version(self):
        stream = self.client()
        stream.sendall(frame(hello(999)))
        said = sentences(stream)
        self.assertIn("version", said)
        self.assertIn("999", said)
        self.lab.receiver.wait_log("999")
        self.assert_still_serves()

    def test_garbage(self):
        rng = random.Random(63)
        for size in (1, 7, 8, 9, 100, 5000, 300_000):
            for stream in (self.client(), self.greeted()):
                try:
                    stream.sendall(rng.randbytes(size))
                    stream.unwrap() if size < 8 else None
                except (OSError, ssl.SSLError):
                    pass
                self.assertTrue(size < 8 or ended(stream), f"{size} bytes of garbage do not end the connection")
                stream.close()
        self.assert_still_serves()

    def test_oversize(self):
        for lengths in ((OVER, 0), (10, OVER), (0xFFFFFFFF, 0xFFFFFFFF), (512 * 1024 + 1, 0), (10, 256 * 1024 + 1)):
            stream = self.greeted()
            stream.sendall(struct.pack("<II", *lengths) + bytes(1000))
            self.assertTrue(ended(stream), f"a frame of {lengths} does not end the connection")
        self.assert_still_serves()

    def test_truncated(self):
        whole = frame(hello(VERSION))
        for size in range(0, len(whole), 5):
            stream = self.client()
            stream.sendall(whole[:size])
            stream.close()
        for header in (b"\x0a", b"\x0a\xff", b"\x22\x7f\x08", b"\x00"):
            stream = self.greeted()
            stream.sendall(frame(header))
            self.assertTrue(ended(stream), f"a header {header!r} does not end the connection")
        self.assert_still_serves()

    def test_frames_before_the_hello_and_a_second_hello(self):
        stream = self.client()
        stream.sendall(frame(b"\x5a\x02\x08\x01"))  # a ping
        self.assertTrue(ended(stream))
        self.assert_still_serves()

    def test_a_root_that_is_not_the_peers(self):
        self.lab.agent.start()
        stream = self.client()
        stream.sendall(frame(hello(VERSION, roots=("../../etc",))))
        header = frame(b"\x1a\x0e" + b"\x0a\x09../../etc" + b"\x12\x01a")  # OpenAccount
        try:
            stream.sendall(header)
        except OSError:
            pass
        stream.settimeout(2)
        ended(stream)
        self.assert_still_serves()

    def test_an_older_tls_is_refused(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            stream = self.client(newest=False)
            stream.sendall(b"x")
            if not stream.recv(1):
                raise OSError("closed")
        self.assert_still_serves()

    def test_plain_text_and_silence(self):
        import socket

        silent = [socket.create_connection(("127.0.0.1", self.lab.receiver.port)) for _ in range(30)]
        plain = socket.create_connection(("127.0.0.1", self.lab.receiver.port), timeout=30)
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(ended(plain))
        self.assert_still_serves()
        for connection in (*silent, plain):
            connection.close()

    def test_names_from_the_wire_stay_inside_the_account(self):
        """Puts and removes with names that climb out touch nothing outside."""
        from network import field

        self.lab.agent.start()
        self.lab.flush()
        self.lab.agent.stop()
        victim = os.path.join(self.lab.base, "victim")
        with open(victim, "w") as file:
            file.write("untouched")
        stream = self.greeted()
        climb = b"../" * 8 + os.fsencode(victim).lstrip(b"/")
        account = os.path.relpath(self.root.account(0), os.fsencode(self.root.source))
        for path in (account, b"../../..", b"/", b""):
            operation = field(1, 1) + field(2, 7) + field(3, field(1, b"") + field(2, 0) + field(3, climb))
            try:
                stream.sendall(frame(field(3, field(1, "vhosts") + field(2, path))) + frame(field(4, operation)))
            except OSError:
                stream = self.greeted()
        stream.settimeout(2)
        ended(stream)
        with open(victim) as file:
            self.assertEqual("untouched", file.read())
        self.assert_still_serves()


if __name__ == "__main__":
    unittest.main()
