"""The log as systemd's journal gets it: a message id for each kind of event, and fields to ask for.

A socket of our own stands where journald's is, in a mount namespace of the daemon's.
"""

import os
import socket
import struct
import subprocess
import threading
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until

BASE = b"1700000000.M%dP1.mx"
SYSTEMD_JOURNAL = "/run/systemd/journal"


def parse(datagram: bytes) -> dict[str, bytes]:
    """systemd's native protocol: KEY=VALUE lines, or KEY, a length of 64 bits and the bytes where they hold a newline."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[key.decode()] = value
        datagram = rest
    return fields


class Journal(LabTest):
    def setUp(self):
        super().setUp()
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("a mount namespace is not permitted here")
        self.root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "7000"}, "groups": {"5000": "7000"}})
        make_tree(self.root.source, TreeSpec(accounts=3, messages=30, seed=601, owners=((5000, 5000),)))
        self.entries: dict[str, list[dict]] = {}
        for daemon in self.lab.daemons:
            self.give_journal(daemon)

    def give_journal(self, daemon):
        directory = os.path.join(daemon.directory, "journal")
        os.mkdir(directory)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(os.path.join(directory, "socket"))
        entries = self.entries[daemon.name] = []

        def read():
            while datagram := listener.recv(1 << 20):
                entries.append(parse(datagram))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self.addCleanup(listener.close)
        self.addCleanup(reader.join)

        def stop():  # an empty datagram ends the reader
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"", os.path.join(directory, "socket"))

        self._stops = [*getattr(self, "_stops", []), stop]
        # JOURNAL_STREAM names the file that stderr is, as systemd sets it.
        with open(daemon.log, "ab") as log:
            status = os.fstat(log.fileno())
        script = f'mount -t tmpfs tmpfs /run && mkdir -p {SYSTEMD_JOURNAL} && mount --bind "$1" {SYSTEMD_JOURNAL} && shift && exec setpriv --pdeathsig KILL "$@"'
        daemon.prefix = ["env", f"JOURNAL_STREAM={status.st_dev}:{status.st_ino}", "unshare", "--mount", "--propagation", "private"]
        daemon.prefix += ["sh", "-ec", script, "sh", directory]

    def tearDown(self):
        for stop in getattr(self, "_stops", []):
            stop()
        super().tearDown()

    def events(self, daemon, name: str) -> list[dict]:
        return [entry for entry in self.entries[daemon.name] if entry.get("EVENT") == name.encode()]

    def test_events_have_ids_and_fields(self):
        folder = os.path.join(self.root.account(0), b".Drafts")
        bad = deliver(folder, b"1700000000.M1P1.mx\nCODE=forged", owner=(5999, 5999))
        self.lab.start()
        self.lab.agent.wait_problem("unmapped-owner")
        wait_until(lambda: len(self.events(self.lab.agent, "account-copied")) == 3, "evidence of three first copies", alive=self.lab.daemons)
        for name in ("account-started", "account-copied"):
            entries = self.events(self.lab.agent, name)
            self.assertEqual(3, len(entries))
            self.assertEqual({b"user000@example.org", b"user001@example.net", "user002@müller.example".encode()}, {entry["ACCOUNT"] for entry in entries})
            self.assertEqual(1, len({entry["MESSAGE_ID"] for entry in entries}))
            for entry in entries:
                self.assertRegex(entry["MESSAGE_ID"], rb"^[0-9a-f]{32}$")
                self.assertEqual((b"vhosts", b"6", b"maildirsync-agent"), (entry["ROOT"], entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]))
        copied = {entry["ACCOUNT"]: entry for entry in self.events(self.lab.agent, "account-copied")}
        self.assertGreater(int(copied[b"user001@example.net"]["MESSAGES"]), 0)
        for daemon in self.lab.daemons:
            with self.subTest(daemon.name):
                (problem,) = [entry for entry in self.events(daemon, "problem") if entry["CODE"] == b"unmapped-owner"]
                self.assertEqual(os.path.relpath(bad, self.root.account(0)), problem["PATH"], "the bytes of the name, whatever they are")
                self.assertEqual(b"4", problem["PRIORITY"])
                self.assertIn(b"5999", problem["DETAIL"])
                self.assertNotIn(b"\n", problem["MESSAGE"])
        (problem,) = self.events(self.lab.agent, "problem")
        self.assertEqual((b".Drafts", b"user000@example.org"), (problem["FOLDER"], problem["ACCOUNT"]))
        # Other lines are there too, and stderr has none of them.
        self.assertTrue(any(entry["MESSAGE"].startswith(b"connected ") for entry in self.entries["agent"]))
        self.assertNotIn("connected", self.lab.agent.log_text())
        os.unlink(bad)
        self.lab.flush()
        for daemon in self.lab.daemons:
            self.assertEqual(0, daemon.stop())

    def test_each_line_has_its_details_as_fields(self):
        self.lab.start()
        self.lab.flush()
        (listening,) = self.events(self.lab.receiver, "listening")
        self.assertEqual(f"127.0.0.1:{self.lab.receiver.port}".encode(), listening["ADDRESS"])
        self.assertEqual((b"1", b"6"), (listening["PEERS"], listening["PRIORITY"]))
        self.assertTrue(listening["MESSAGE"].startswith(b"listening address=127.0.0.1:"), listening["MESSAGE"])
        os.rename(self.root.source, self.root.source + ".away")
        self.lab.agent.flush(limit=20, complete=False)
        held = wait_until(lambda: self.events(self.lab.agent, "root-held"), "the root is held", alive=self.lab.daemons)[0]
        self.assertEqual((b"vhosts", b"4"), (held["ROOT"], held["PRIORITY"]))
        self.assertIn(held["REASON"], held["MESSAGE"])
        os.mkdir(self.root.source)  # nothing is in it: held until a person says that it is meant to be so
        self.assert_exit(0, self.lab.agent.cli("release"))
        released = wait_until(lambda: self.events(self.lab.agent, "root-released"), "the root is released", alive=self.lab.daemons)[0]
        self.assertEqual(b"vhosts", released["ROOT"])

    def test_what_comes_again_and_again_is_counted(self):
        for number in range(450):
            deliver(self.root.account(0), BASE % number, owner=(5999, 5999))
        self.lab.start()
        wait_until(lambda: len(self.lab.agent.problems("unmapped-owner")) == 450, "450 problems in status", alive=self.lab.daemons)
        for daemon in self.lab.daemons:
            self.assertEqual(200, len(self.events(daemon, "problem")))
            self.assertEqual(0, daemon.stop())


if __name__ == "__main__":
    unittest.main()
