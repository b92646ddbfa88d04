"""What the receiver refuses changes what the agent believes: it looks at the destination before it tries again, and what
cannot be settled is a problem with its cause, which flush names."""

import json
import os
import shutil
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import write_file


def uidlist(lines: int, validity: int = 1700000000) -> bytes:
    text = b"3 V%d N%d G0123456789abcdef0123456789abcdef\n" % (validity, lines + 1)
    return text + b"".join(b"%d :1700000000.M%dP1.mx.example.org,S=300,W=310\n" % (i, i) for i in range(1, lines + 1))


class Refusals(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        self.uidlist = os.path.join(self.account, b"dovecot-uidlist")
        write_file(self.uidlist, uidlist(120), (5000, 5000), 0o600)
        for i in range(5):
            deliver(self.account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()

    def grow(self, lines: int = 1) -> None:
        """As a delivery does it: in place."""
        with open(self.uidlist, "ab") as file:
            file.write(b"".join(b"%d :1700000001.M%dP1.mx.example.org,S=300,W=310\n" % (900 + i, i) for i in range(lines)))

    def alter_at_destination(self, *, keep_stamp: bool = False) -> None:
        """Of the same length; with `keep_stamp` as a restored copy has it, that no stamp tells of."""
        path = self.root.at_destination(self.uidlist)
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.write(b"3 V1711111111")
        if keep_stamp:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def assert_settled(self) -> None:
        result = self.lab.agent.flush(limit=30)
        self.assertEqual([], result["left_out"])
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_a_control_file_altered_at_the_destination_comes_whole_when_the_sources_grows(self):
        self.copied()
        self.alter_at_destination()
        self.grow()
        self.assert_settled()

    def test_a_control_file_altered_behind_its_stamps_comes_whole(self):
        self.copied()
        self.alter_at_destination(keep_stamp=True)
        self.grow()
        self.assert_settled()
        self.assertEqual(1, self.lab.agent.log_text().count("code=basis-mismatch"), "the delta is refused once")
        deltas = self.lab.agent.totals()["deltas"]
        self.grow(3)
        self.assert_settled()
        self.assertEqual(deltas + 1, self.lab.agent.totals()["deltas"], "later changes travel as deltas again")

    def test_a_control_file_that_a_dovecot_rewrote_shorter(self):
        self.copied()
        write_file(self.root.at_destination(self.uidlist), uidlist(3, 1800000000), (5000, 5000), 0o600)
        self.grow(200)
        self.assert_settled()

    def test_a_control_file_that_is_gone_at_the_destination(self):
        self.copied()
        os.unlink(self.root.at_destination(self.uidlist))
        self.grow()
        self.assert_settled()

    def test_an_older_copy_of_the_agents_state(self):
        self.copied()
        self.lab.agent.stop()
        older = self.lab.agent.state_dir + ".older"
        shutil.copytree(self.lab.agent.state_dir, older)
        self.lab.agent.start()
        self.grow(10)
        gone = os.path.join(self.account, b"cur", b"1700000000.M0P1.mx:2,S")
        flagged = os.path.join(self.account, b"cur", b"1700000000.M1P1.mx:2,S")
        os.unlink(gone)
        os.rename(flagged, flagged + b"T")
        deliver(self.account, b"1700000002.M1P1.mx")
        self.assert_settled()
        self.lab.agent.stop()
        shutil.rmtree(self.lab.agent.state_dir)
        os.rename(older, self.lab.agent.state_dir)
        self.lab.agent.start()
        self.assert_settled()
        self.grow()
        self.assert_settled()

    def test_what_cannot_be_settled_is_named_by_status_and_flush(self):
        self.copied()
        obstacle = self.root.at_destination(os.path.join(self.account, b"subscriptions"))
        os.mkdir(obstacle)
        write_file(os.path.join(self.account, b"subscriptions"), b"Sent\n", (5000, 5000), 0o600)
        problem = self.lab.agent.wait_problem("conflict", "subscriptions")
        self.assertIn("a directory has the name at the destination", problem["detail"])
        result = self.lab.agent.flush(limit=30, complete=False)
        self.assertFalse(result["complete"])
        self.assertEqual(["conflict"], [one["code"] for one in result["left_out"]], result["left_out"])
        self.assertEqual("subscriptions", result["left_out"][0]["path"])
        # A look at the destination comes before each try, so that it is given up no earlier than it has to be.
        deliver(self.account, b"1700000003.M1P1.mx")
        os.rmdir(obstacle)
        self.assert_settled()


class Flushes(LabTest):
    """A flush ends when all that can end has ended, and names each thing that cannot, with its cause."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=30, seed=171))

    def run_agent_without_privileges(self):
        """An agent that may not pass by modes; the source is its own."""
        for directory, directories, files in os.walk(os.fsencode(self.root.source)):
            for name in [b""] + directories + files:
                os.chown(os.path.join(directory, name), 65534, 65534, follow_symlinks=False)
        agent = self.lab.agent
        write_config = agent.write_config

        def write_config_of_its_own():
            write_config()
            for directory, directories, files in os.walk(agent.directory):
                for name in [""] + directories + files:
                    os.chown(os.path.join(directory, name), 65534, 65534)

        agent.write_config = write_config_of_its_own
        self.lab.agent.prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--"]

    def left_out(self, *arguments: str, limit: float = 20) -> list:
        """Of a flush that must end long before its time is over."""
        result = self.lab.agent.flush(*arguments, limit=limit * 100, complete=False)
        self.assertFalse(result["complete"])
        text = json.dumps(result["left_out"])
        self.assertNotIn("not finished in time", text)
        self.assertNotIn("time given", text)
        return result["left_out"]

    def test_an_account_that_cannot_be_read(self):
        self.run_agent_without_privileges()
        self.lab.start()
        self.lab.flush()
        account = self.root.account(1)
        os.chmod(account, 0)
        left_out = self.left_out()
        self.assertEqual(["permission"], [one["code"] for one in left_out], left_out)
        self.assertIn("Permission denied", left_out[0]["detail"])
        other = deliver(self.root.account(0), b"1700000000.M1P1.mx", owner=(65534, 65534))
        self.left_out()
        self.assertTrue(os.path.exists(self.root.at_destination(other)), "all that can end has ended")
        os.chmod(account, 0o700)
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_directory_above_accounts_that_cannot_be_read(self):
        self.run_agent_without_privileges()
        self.lab.start()
        self.lab.flush()
        domain = os.path.dirname(os.path.dirname(self.root.account(0)))
        mode = os.stat(domain).st_mode & 0o7777
        os.chmod(domain, 0)
        for started_anew in (False, True):
            if started_anew:
                self.lab.agent.stop()
                self.lab.agent.start()
            left_out = self.left_out()
            self.assertIn("permission", [one.get("code") for one in left_out], left_out)
            self.assertIn("Permission denied", json.dumps(left_out))
        os.chmod(domain, mode)
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_paused_agent(self):
        self.lab.start()
        self.lab.flush()
        self.assert_exit(0, self.lab.agent.cli("pause"))
        deliver(self.root.account(0), b"1700000000.M1P1.mx")
        left_out = self.left_out()
        self.assertIn("maildirsync resume", json.dumps(left_out))
        self.assert_exit(0, self.lab.agent.cli("resume"))
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_wait_for_the_receiver_is_named(self):
        self.lab.start()
        self.lab.flush()
        self.lab.receiver.stop()
        deliver(self.root.account(0), b"1700000000.M1P1.mx")
        result = self.lab.agent.flush("--timeout", "2", complete=False)
        self.assertIn("the receiver is not connected", json.dumps(result["left_out"]))
        done = wait_until(lambda: self.lab.agent.cli("flush", "--timeout", "2"), "a flush ends")
        self.assertIn("the receiver is not connected", done.stdout)
        self.lab.receiver.start()
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
