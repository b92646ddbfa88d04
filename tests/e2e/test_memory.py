"""The memory of both daemons is the same for small messages and for large ones, and goes back afterwards.

MAILDIRSYNC_E2E_MEMORY=full takes what a migration meets (2 GB of attachments, one message of 2 GB, a uidlist of 100 MB, a
folder of 300,000 messages), with each daemon in a control group of 128 MiB.
"""

import os
import random
import subprocess
import unittest

from maildir_trees import account_path, make_maildir, write_file
from maildirsync_testing import LAYOUT, OWNER, SANITIZED, LabTest, wait_until
from memory import MIB, ControlGroup, forget_peak, peak, resident

FULL = os.environ.get("MAILDIRSYNC_E2E_MEMORY") == "full"
BOUND = 128 * MIB
LARGE_FOLDER_AGENT = 192 * MIB  # both sides of it are in memory, with 150 bytes a message each
STAMP = 1_700_000_000_000_000_000
LARGE = 20_000_000  # bytes of a message with an attachment
ATTACHMENTS = 100 if FULL else 12
LARGEST = 2_000_000_000 if FULL else 250_000_000
UIDLIST = 100_000_000 if FULL else 48_000_000
FOLDER = 300_000 if FULL else 15_000


@unittest.skipIf(SANITIZED, "a sanitizer's own memory is what would be measured")
class Bounded(LabTest):
    """One connection carries everything, so that nothing is shared out."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.lab.agent.extra["transfer"] = {"connections": 1}
        self.rng = random.Random(171)
        self.account = self.make_account(0)
        self.groups = []
        if FULL:
            if reason := ControlGroup.why_not():
                self.skipTest(reason)
            for daemon in self.lab.daemons:
                group = ControlGroup(self.bound(daemon))
                self.groups.append(group)
                daemon.prefix = group.command
                self.lab.unmounts.append(group.close)

    def make_account(self, number: int) -> bytes:
        account = os.path.join(os.fsencode(self.root.source), os.fsencode(account_path(LAYOUT, number)))
        os.makedirs(os.path.dirname(account), exist_ok=True)
        make_maildir(account, OWNER, is_account=True)
        return account

    def message(self, number: int, size: int, account: bytes | None = None) -> bytes:
        """One that does not compress."""
        path = os.path.join(account or self.account, b"cur", b"%d.M%dP1.mx,S=%d:2,S" % (1_700_000_000 + number, number, size))
        with open(path, "wb") as file:
            for left in range(size, 0, -MIB):
                file.write(self.rng.randbytes(min(left, MIB)))
        os.chown(path, *OWNER)
        os.utime(path, ns=(STAMP, STAMP))
        return path

    def bound(self, daemon) -> int:
        return LARGE_FOLDER_AGENT if "large_folder" in self.id() and daemon is self.lab.agent else BOUND

    def assert_bounded(self):
        for daemon in self.lab.daemons:
            self.assertLess(peak(daemon.process.pid), self.bound(daemon), f"{daemon.name}: bytes of memory at the most")
        for group in self.groups:
            self.assertEqual(0, group.kills)

    def assert_given_back(self):
        for daemon in self.lab.daemons:
            wait_until(
                lambda pid=daemon.process.pid, rest=self.bound(daemon) // 2: resident(pid) < rest,
                f"{daemon.name} gives its memory back",
                alive=[daemon],
                limit=30,
            )

    def copy(self):
        self.lab.start()
        self.lab.flush(limit=600 if FULL else None)
        self.lab.assert_equal()
        self.assert_bounded()

    def test_attachments(self):
        for number in range(ATTACHMENTS):
            self.message(number, LARGE)
        self.copy()
        self.assert_given_back()

    def test_one_message(self):
        self.message(1, LARGEST)
        self.copy()
        self.assert_given_back()

    def test_a_uidlist_that_grows_and_is_rewritten(self):
        """Each change travels as a delta, of which neither side holds the whole file."""
        path = os.path.join(self.account, b"dovecot-uidlist")
        line = b"%d :17000%08d.M%dP%d.mx,S=2000,W=2040\n"
        lines = [b"3 V1700000000 N9999999 G00000000000000000000000000000000\n"]
        size = len(lines[0])
        while size < UIDLIST:
            lines.append(line % (len(lines), len(lines), self.rng.randrange(10**6), self.rng.randrange(10**5)))
            size += len(lines[-1])
        write_file(path, b"".join(lines), OWNER, 0o600)
        self.copy()
        sent = self.lab.agent.totals()["bytes_wire"]
        for number in range(3):
            with open(path, "ab") as file:
                file.write(line % (9_000_000 + number, number, 1, 1))
            self.lab.flush()
        del lines[len(lines) // 2]
        write_file(path + b".tmp", b"".join(lines), OWNER, 0o600)
        os.rename(path + b".tmp", path)
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_bounded()
        self.assertLess(self.lab.agent.totals()["bytes_wire"] - sent, UIDLIST / 20, "bytes of four deltas")
        self.assertGreaterEqual(self.lab.agent.totals()["deltas"], 4)
        self.assert_given_back()

    def test_a_listing_of_a_large_folder(self):
        """Both trees are equal already: the agent, which knows nothing, has the receiver list its folder."""
        for number in range(FOLDER):
            write_file(os.path.join(self.account, b"cur", b"%d.M%dP1.mx,S=1,W=1:2,S" % (1_700_000_000 + number, number)), b"x", OWNER, 0o600, STAMP)
        subprocess.run(["cp", "-a", self.root.source + "/.", self.root.destination], check=True)
        self.copy()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])
        for daemon in self.lab.daemons:
            forget_peak(daemon.process.pid)
        self.assertEqual(0, self.lab.agent.cli("verify", limit=300).returncode)
        self.assert_bounded()
        self.assert_given_back()


if __name__ == "__main__":
    unittest.main()
