"""`verify` and a destination that others have filled or read: a copy by another tool is adopted, a Dovecot's indexes are noticed."""

import os
import shutil
import subprocess
import unittest

from maildirsync_testing import deliver, duplicates, make_tree, scaled_spec
from maildir_trees import read_tree, write_file
from verify_lab import VerifyTest, flip_one_byte, rewrite


class Indexes(VerifyTest):
    """A Dovecot that served the destination before the cutover."""

    def setUp(self):
        super().setUp()
        self.copied(accounts=3, messages=60, seed=68)
        self.name, self.path = self.account(1)
        self.assertEqual([], self.lab.agent.problems())
        for where in (b"dovecot.list.index.log", b"dovecot.index.log", b".Sent/dovecot.index.cache"):
            write_file(os.path.join(self.path, where), b"what it remembers", (5000, 5000), 0o600)

    def test_are_noticed_at_the_next_uidlist(self):
        source = self.root.account(1)
        uidlist = os.path.join(source, b"dovecot-uidlist")
        with open(uidlist, "ab") as file:
            file.write(b"999 :gone\n")
        self.assertIn(self.name, self.lab.agent.wait_problem("stale-index")["account"])
        self.lab.flush()
        self.assertEqual(1, len(self.lab.agent.problems()))
        self.assertIn("repair-index", self.lab.agent.cli("status").stdout)

    def test_are_noticed_by_a_comparison_and_put_right(self):
        self.assertTrue(self.verify()["equal"], "what is left out of the mirror is no difference")
        self.lab.agent.wait_problem("stale-index", self.name)
        other = os.path.join(self.account(2)[1], b"dovecot.index.log")
        write_file(other, b"another account's", (5000, 5000), 0o600)
        # What it wrote itself has no other trace than its bytes.
        rewrite(os.path.join(self.path, b"dovecot-uidlist"), flip_one_byte)
        self.assert_exit(0, self.lab.agent.cli("repair-index", "--account", self.name))
        left = [name for _, _, files in os.walk(self.path) for name in files if name.startswith((b"dovecot.index", b"dovecot.list.index"))]
        self.assertEqual([], left)
        self.assertTrue(os.path.exists(other))
        self.assertEqual([], self.lab.agent.problems())
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_exit(2, self.lab.agent.cli("repair-index", "--account", "nobody@*"))
        self.assert_exit(2, self.lab.receiver.cli("repair-index"))


class Adoption(VerifyTest):
    """A destination that was filled by another tool before the first start."""

    def adopt(self) -> None:
        tree = read_tree(self.root.source)
        total = sum(entry.size for entry in tree.values() if entry.kind == "file")
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)
        totals = self.lab.agent.totals()
        self.assertEqual(0, totals["messages_sent"])
        self.assertLess(totals["bytes_source"], total / 100)
        self.assertLess(totals["bytes_wire"], total / 100)
        self.assertEqual({}, {k: v for k, v in duplicates(self.root.destination).items() if k not in duplicates(self.root.source)})
        self.lab.assert_equal()
        self.assertTrue(self.verify("--deep")["equal"])
        self.assertEqual([], self.lab.agent.problems())

    def seed(self, *command: str) -> None:
        make_tree(self.root.source, scaled_spec(accounts=10, messages=2000, seed=67))
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        for directory, _, files in os.walk(self.root.source):
            for name in files:
                if name.startswith("dovecot.index"):
                    os.utime(os.path.join(directory, name), (1_600_000_000, 1_600_000_000))
        subprocess.run([*command, self.root.source + "/.", self.root.destination], check=True)

    def test_filled_by_rsync(self):
        self.seed("rsync", "-a", "-H")
        self.adopt()

    def test_filled_by_cp(self):
        self.seed("cp", "-a")
        self.adopt()

    def test_filled_days_ago(self):
        self.seed("cp", "-a")
        source = self.root.account(0)
        deliver(source, b"1700000001.M1P1.mx")
        cur = os.path.join(source, b"cur")
        names = sorted(os.listdir(cur))
        os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0] + b"T"))
        os.unlink(os.path.join(cur, names[1]))
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)
        self.assertEqual(1, self.lab.agent.totals()["messages_sent"])
        # What went meanwhile is for us no different from what others put there.
        answer = self.verify(status=1)
        self.assertEqual([("extra", os.fsdecode(names[1]))], [(d["kind"], d["name"]) for d in answer["differences"]])


if __name__ == "__main__":
    unittest.main()
