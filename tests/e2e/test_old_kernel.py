"""Kernels that lack what came after Linux 3.10, each call alone and all together, on either side and on both."""

import os
import unittest

from maildir_trees import make_maildir
from maildirsync_testing import WITHOUT, LabTest, TreeSpec, deliver, make_tree
from old_kernel import CALLS


@unittest.skipIf(WITHOUT, "the calls are chosen here")
class OldKernel(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=90, seed=2001))
        outside = os.path.join(self.lab.base, "outside")
        make_maildir(os.fsencode(outside), (5000, 5000))
        deliver(outside, b"1700000000.M9P1.mx", b"not yours")
        os.symlink(outside, os.path.join(self.root.account(0), b".Out"))
        self.expected = self.root.account(0) + b"/.Out"

    def works(self):
        """First copy, live changes of each kind, a flush: equal, and the link that leads out was not followed."""
        self.lab.start()
        self.lab.flush(complete=False)
        account = self.root.account(1)
        cur = os.path.join(account, b"cur")
        names = sorted(name for name in os.listdir(cur) if os.lstat(os.path.join(cur, name)).st_nlink == 1)
        deliver(account, b"1700000000.M1P1.mx")
        os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0].partition(b":2,")[0] + b":2,DFT"))
        os.rename(os.path.join(cur, names[1]), os.path.join(account, b".Sent", b"cur", names[1]))
        os.link(os.path.join(cur, names[2]), os.path.join(account, b".Sent", b"cur", names[2]))
        os.unlink(os.path.join(cur, names[3]))
        os.rename(os.path.join(account, b".Sent"), os.path.join(account, b".Dispatched"))
        with open(os.path.join(account, b"dovecot-uidlist"), "ab") as file:
            file.write(b"9999 :1700000000.M1P1.mx\n")
        self.lab.agent.restart()
        self.lab.receiver.restart()
        self.lab.flush(complete=False)
        os.unlink(self.expected)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_each_call_alone(self):
        for daemon in self.lab.daemons:
            daemon.without = "openat2"
        self.works()
        for call in CALLS:
            with self.subTest(call=call):
                for daemon in self.lab.daemons:
                    daemon.stop()
                    daemon.without = call
                    daemon.start()
                deliver(self.root.account(1), b"1700000001.M%dP1.mx" % CALLS.index(call))
                self.lab.flush()
                self.lab.assert_equal()

    def test_all_missing_at_the_source(self):
        self.lab.agent.without = "all"
        self.works()
        self.assertEqual(("walk", "openat2"), tuple(daemon.status()["confinement"] for daemon in (self.lab.agent, self.lab.receiver)))

    def test_all_missing_at_the_destination(self):
        self.lab.receiver.without = "all"
        self.works()
        self.assertEqual(("openat2", "walk"), tuple(daemon.status()["confinement"] for daemon in (self.lab.agent, self.lab.receiver)))

    def test_all_missing_on_both_sides(self):
        for daemon in self.lab.daemons:
            daemon.without = "all"
        self.works()
        for daemon in self.lab.daemons:
            self.assertEqual("walk", daemon.status()["confinement"])
            with open(daemon.log, encoding="utf-8") as file:
                self.assertIn("confinement=walk", file.read())
            done = daemon.cli("doctor", "--config", daemon.config)
            self.assertIn("each path is confined name by name: this kernel or container has no openat2", done.stdout)


if __name__ == "__main__":
    unittest.main()
