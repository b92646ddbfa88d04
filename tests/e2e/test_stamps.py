"""File systems that keep whole seconds, or dates until 2038 only, at either side."""

import json
import os
import random
import time
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree
from maildir_trees import make_maildir, read_tree, write_file

SECOND = 1_000_000_000
EXT3 = ("ext3", "-F", "-I", "128")
EXT4 = ("ext4", "-F", "-I", "128")


class Coarse(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def folder(self) -> bytes:
        account = self.root.make_account(b"a")
        make_maildir(os.path.join(account, b".Archive"), (5000, 5000))
        return account


class Source(Coarse):
    """A source of whole seconds: two changes within one look like none."""

    def change_within_a_second(self, account: bytes, number: int) -> None:
        """Deliveries, a flag, a move, a deletion and a control file of the same length, as fast as they come."""
        cur = os.path.join(account, b"cur")
        for i in range(5):
            deliver(account, b"17000001%02d.M%dP1.mx:2," % (number, i), area=b"cur")
        names = sorted(os.listdir(cur))
        os.unlink(os.path.join(cur, names[0]))
        os.rename(os.path.join(cur, names[1]), os.path.join(cur, names[1].partition(b":2,")[0] + b":2,FS"))
        os.rename(os.path.join(cur, names[2]), os.path.join(account, b".Archive", b"cur", names[2]))
        write_file(os.path.join(account, b"dovecot-keywords"), b"0 key%04d\n" % number, (5000, 5000), 0o600)

    def changes_while_the_agent_is_away(self, *image: str):
        self.mount_image(self.root.source, *image)
        account = self.folder()
        for i in range(20):
            deliver(account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")
        write_file(os.path.join(account, b"dovecot-keywords"), b"0 key9999\n", (5000, 5000), 0o600)
        self.assertEqual(0, os.stat(account).st_mtime_ns % SECOND)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        for number in range(5):
            begin = int(time.time())
            self.change_within_a_second(account, 2 * number)
            self.lab.flush()
            self.lab.agent.kill()
            self.change_within_a_second(account, 2 * number + 1)
            self.same_second = int(time.time()) == begin
            self.lab.agent.start()
            self.lab.flush()
            self.lab.assert_equal()
        self.lab.agent.wait_state("live")
        self.assertEqual([], self.lab.agent.problems())
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertTrue(answer["equal"], answer)

    def test_ext3(self):
        self.changes_while_the_agent_is_away(*EXT3)

    def test_ext4_with_inodes_of_128_bytes(self):
        self.changes_while_the_agent_is_away(*EXT4)

    def test_a_mount_below_the_root(self):
        """Only one account lies on the coarse file system."""
        fine = self.folder()
        coarse = os.path.join(os.fsencode(self.root.source), b"example.org", b"b", b"Maildir")
        os.makedirs(os.path.dirname(coarse), 0o755)
        self.mount_image(os.path.dirname(os.fsdecode(coarse)), *EXT3)
        make_maildir(coarse, (5000, 5000), is_account=True)
        make_maildir(os.path.join(coarse, b".Archive"), (5000, 5000))
        for account in (fine, coarse):
            for i in range(20):
                deliver(account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")
        self.lab.start()
        self.lab.flush()
        for number in range(3):
            self.change_within_a_second(coarse, 2 * number)
            self.change_within_a_second(fine, 2 * number)
            self.lab.flush()
            self.lab.agent.kill()
            self.change_within_a_second(coarse, 2 * number + 1)
            self.lab.agent.start()
            self.lab.flush()
            self.lab.assert_equal()

    def test_doctor_says_so(self):
        self.mount_image(self.root.source, *EXT3)
        self.folder()
        self.lab.start()
        self.lab.flush()
        done = self.lab.agent.cli("--json", "doctor", "--config", self.lab.agent.config)
        self.assertIn("times are kept to 1 s there", done.stdout)


class Destination(Coarse):
    """A destination of whole seconds: what is equal as far as it can be is equal."""

    def mirrors_as_well_as_it_can(self, *image: str):
        self.mount_image(self.root.destination, *image)
        make_tree(self.root.source, TreeSpec(accounts=3, messages=80, seed=143))
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal(grain=SECOND)
        account = self.root.account(0)
        messages = [path for path, entry in read_tree(self.root.source).items() if entry.kind == "file" and b"/cur/" in path]
        rng = random.Random(7)
        for path in rng.sample(messages, 20):
            full = os.path.join(os.fsencode(self.root.source), path)
            os.rename(full, full.partition(b":2,")[0] + b":2,F")
        deliver(account, b"1700000009.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal(grain=SECOND)
        sent = self.lab.agent.totals()["messages_sent"]
        self.lab.flush()
        self.lab.agent.flush("--full")
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.lab.agent.start()
        self.lab.flush()
        self.assertLessEqual(self.lab.agent.totals()["messages_sent"], 0, "nothing is sent that is there")
        self.assertGreater(sent, 0)
        for path in rng.sample(messages, 20):
            full = os.path.join(os.fsencode(self.root.source), path)
            base = full.partition(b":2,")[0]
            for name in (full, base + b":2,F"):
                if os.path.exists(name):
                    os.rename(name, base + b":2,RS")
        self.lab.flush()
        self.lab.assert_equal(grain=SECOND)
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])
        self.assertEqual([], self.lab.agent.problems("conflict"))
        for arguments in ((), ("--deep",)):
            answer = json.loads(self.lab.agent.cli("--json", "verify", *arguments).stdout)
            self.assertTrue(answer["equal"], answer)

    def test_ext3(self):
        self.mirrors_as_well_as_it_can(*EXT3)

    def test_ext4_with_inodes_of_128_bytes(self):
        self.mirrors_as_well_as_it_can(*EXT4)

    def test_plan_and_doctor_say_so(self):
        self.mount_image(self.root.destination, *EXT3, size=512 << 20)
        self.folder()
        self.lab.start()
        self.lab.flush()
        plan = self.lab.agent.cli("plan")
        self.assertIn("times are kept to 1 s there, and dates until 2038-01-19 only", plan.stdout)
        done = self.lab.receiver.cli("--json", "doctor", "--config", self.lab.receiver.config)
        self.assertIn("times are kept to 1 s there; dates until 2038-01-19 only", done.stdout)

    def dates_that_cannot_be_held(self, *image: str, size: int):
        self.mount_image(self.root.destination, *image, size=size)
        account = self.folder()
        plain = deliver(account, b"1700000000.M1P1.mx:2,S", area=b"cur")
        late = deliver(account, b"1700000000.M2P1.mx:2,S", area=b"cur")
        os.utime(late, (4_000_000_000, 4_000_000_000))
        self.lab.start()
        problem = self.lab.agent.wait_problem("time-range", "M2P1")
        self.assertIn("2096-10-02", problem["detail"])
        self.assertIn("2038-01-19", problem["detail"])
        there = self.root.at_destination(late)
        self.assertEqual(2**31 - 1, int(os.stat(there).st_mtime))
        for round in range(3):
            result = self.lab.agent.flush(complete=False)
            self.assertEqual(["time-range"], [one["code"] for one in result["left_out"]], result)
        self.assertEqual(1, len(self.lab.agent.problems()))
        self.lab.agent.stop()
        self.lab.agent.start()
        self.lab.agent.flush("--full", complete=False)
        self.lab.agent.wait_problem("time-range", "M2P1")
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.lab.agent.start()
        self.lab.agent.flush(complete=False)
        self.lab.agent.wait_problem("time-range", "M2P1")
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"], "it arrived, and is not sent again")
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertEqual([("time", "1700000000.M2P1.mx:2,S")], [(one["kind"], one["name"]) for one in answer["differences"]])
        os.rename(late, late + b"F")
        self.lab.agent.flush(complete=False)
        self.assertTrue(os.path.exists(there + b"F"))
        self.assertFalse(os.path.exists(there))
        os.utime(late + b"F", (1_700_000_000, 1_700_000_000))
        self.lab.flush()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual(sorted(os.listdir(os.path.dirname(plain))), sorted(os.listdir(os.path.dirname(there))))
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertTrue(answer["equal"], answer)

    def test_dates_after_2038_on_ext3(self):
        self.dates_that_cannot_be_held(*EXT3, size=64 << 20)

    def test_dates_after_2038_on_an_old_xfs(self):
        self.dates_that_cannot_be_held("xfs", "-f", "-m", "bigtime=0", size=320 << 20)

    def test_a_date_at_the_end_of_ext4(self):
        """Beyond what nanoseconds in 64 bits reach, too."""
        account = self.folder()
        late = deliver(account, b"1700000000.M2P1.mx:2,S", area=b"cur")
        os.utime(late, (15_000_000_000, 15_000_000_000))  # the year 2445
        self.assertGreater(os.stat(late).st_mtime, 14_000_000_000)
        self.lab.start()
        problem = self.lab.agent.wait_problem("time-range", "M2P1")
        self.assertIn("2262", problem["detail"])
        there = self.root.at_destination(late)
        self.assertGreater(os.stat(there).st_mtime, 9_000_000_000, "not 1901")
        result = self.lab.agent.flush(complete=False)
        self.assertEqual(["time-range"], [one["code"] for one in result["left_out"]])
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertFalse(answer["equal"])
        self.assertEqual(["time"], [one["kind"] for one in answer["differences"]], answer)
        self.assertEqual(1, self.lab.agent.totals()["messages_sent"])
        os.utime(late, (1_700_000_000, 1_700_000_000))
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
