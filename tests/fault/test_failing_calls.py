"""A destination whose file system fails for a while: what answered with an error may have been done, and is asked for."""

import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

from loop_mounts import mount  # noqa: E402
from maildir_trees import make_maildir  # noqa: E402
from maildirsync_testing import SECONDS, LabTest, Timeout, TreeSpec, deliver, make_tree, programs, wait_until  # noqa: E402

LIBRARY = os.path.join(os.path.dirname(programs()), "lib", "failing_calls.so")
BASE = b"1700000000.M%dP1.mx"
#: The destination lies on one of this kind, made for the test; "": wherever the lab is.
FILE_SYSTEM = os.environ.get("MAILDIRSYNC_TEST_FILE_SYSTEM", "")


class FailingCalls(LabTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists(LIBRARY):
            self.skipTest("the library that fails is not built")
        self.switch = os.path.join(self.lab.base, "failing")
        self.lab.receiver.prefix = ["env", f"LD_PRELOAD={LIBRARY}", f"MAILDIRSYNC_FAILING_CALLS={self.switch}"]
        self.root = self.lab.add_root()
        if FILE_SYSTEM:
            mount(self.lab, self.root.destination, FILE_SYSTEM)
        make_tree(self.root.source, TreeSpec(accounts=4, messages=100, seed=91))

    def fail(self, on: bool):  # noqa: A003
        if on:
            open(self.switch, "w").close()
        else:
            os.unlink(self.switch)

    def assert_equal_by_itself(self):
        """No flush, no restart, nothing by hand."""
        try:
            wait_until(lambda: not self.lab.differences(), "both trees become equal", alive=self.lab.daemons)
        except Timeout:
            self.lab.assert_equal()  # which says how they differ
            raise
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_traffic(self):
        self.lab.start()
        self.lab.flush()
        with self.lab.write_traffic(self.root, rate=60, seed=92) as traffic:
            self.fail(True)
            time.sleep(min(SECONDS, 10))
            self.fail(False)
            time.sleep(1)
        self.assertGreater(sum(traffic.counts.values()), 100)
        self.assertIn("Input/output error", self.lab.agent.log_text())
        self.assert_equal_by_itself()

    def test_the_first_copy(self):
        self.lab.receiver.start()
        self.fail(True)
        self.lab.agent.start()
        time.sleep(min(SECONDS, 6))
        self.fail(False)
        self.assert_equal_by_itself()

    def test_what_was_done_with_an_error_and_is_gone_at_the_source_since(self):
        """A message, a copy and a folder that the receiver has made, but answered for with an error, are still ours."""
        self.lab.start()
        self.lab.flush()
        account = self.root.account(0)
        self.fail(True)
        for number in range(12):
            folder = os.path.join(account, b".F%d" % number)
            make_maildir(folder, (5000, 5000))
            path = deliver(folder, BASE % number)
            os.link(path, os.path.join(account, b"cur", os.path.basename(path) + b":2,"))
        time.sleep(2)
        for number in range(12):
            shutil.rmtree(os.path.join(account, b".F%d" % number))
            if number % 2:
                os.unlink(os.path.join(account, b"cur", BASE % number + b":2,"))
            else:
                os.rename(os.path.join(account, b"cur", BASE % number + b":2,"), os.path.join(account, b"cur", BASE % number + b":2,FS"))
        time.sleep(2)
        self.fail(False)
        self.assert_equal_by_itself()

    def test_a_restart_of_the_agent_in_between(self):
        self.lab.start()
        self.lab.flush()
        with self.lab.write_traffic(self.root, rate=60, seed=93):
            self.fail(True)
            time.sleep(3)
            self.lab.agent.kill()
            self.lab.agent.start()
            time.sleep(2)
            self.fail(False)
        self.assert_equal_by_itself()


class FolderAway(LabTest):
    """A folder of the destination is away for a while: a volume that is not mounted, a directory that was moved."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=1, messages=40, seed=94))
        self.account = self.root.account(0)
        self.sent = os.path.join(self.account, b".Sent")
        if not os.path.isdir(self.sent):
            make_maildir(self.sent, (5000, 5000))
        self.victim = deliver(self.sent, BASE % 1, area=b"cur")
        self.lab.start()
        self.lab.flush()

    def test_a_removal_in_it_is_not_taken_for_done(self):
        there = self.root.at_destination(self.sent)
        away = os.path.join(os.fsencode(self.lab.base), b"away")
        os.rename(there, away)
        os.unlink(self.victim)
        wait_until(lambda: os.path.isdir(there), "the folder is made again", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertNotIn(os.path.basename(self.victim), os.listdir(os.path.join(there, b"cur")))


if __name__ == "__main__":
    unittest.main()
