"""The first copy, and that a restart after it sends nothing."""

import os
import unittest

from maildirsync_testing import LabTest, make_tree, scaled_spec
from maildir_trees import find_accounts, read_tree


class FirstCopy(LabTest):
    def test_a_tree_arrives_whole_and_a_restart_sends_nothing(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(seed=11))
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        result = self.lab.agent.flush(limit=600)
        self.lab.assert_equal()

        tree = read_tree(root.source)
        messages = [path for path, entry in tree.items() if entry.kind == "file" and os.path.basename(os.path.dirname(path)) in (b"cur", b"new")]
        self.assertEqual([], result["left_out"])
        self.assertEqual(len(messages), result["messages"])
        self.assertEqual(len(find_accounts(os.fsencode(root.source), root.layout)), result["accounts"])
        status = self.lab.agent.status()
        self.assertEqual("agent", status["role"])
        self.assertEqual(0, status["lag_seconds"])
        self.assertEqual({"messages": 0, "bytes": 0}, status["pending"])
        self.assertTrue(status["peer"]["connected"])
        self.assertEqual(len(messages), status["roots"][0]["messages"])
        self.assertEqual([], status["problems"])
        self.assertEqual("receiver", self.lab.receiver.status()["role"])

        for daemon in (self.lab.agent, self.lab.receiver):
            self.assertEqual(0, daemon.stop())
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.agent.flush(limit=600)
        totals = self.lab.agent.totals()
        self.assertEqual(0, totals["messages_sent"])
        self.assertEqual(0, totals["bytes_source"])
        # A flush compares with the receiver's listing, which is not mail: some tens of bytes an entry.
        self.assertLess(totals["bytes_wire"], 200_000 + 20 * len(messages))
        self.lab.assert_equal()

    def test_a_receiver_with_few_descriptors_takes_many_small_messages(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(accounts=30, messages=6000, seed=14))
        self.lab.receiver.prefix = ["prlimit", "--nofile=1024:1024"]
        self.lab.start()
        result = self.lab.agent.flush(limit=600)
        self.assertEqual([], result["left_out"])
        self.assertEqual([], self.lab.agent.status()["problems"])
        self.assertNotIn("Too many open files", self.lab.receiver.log_text())
        self.lab.assert_equal()

    def test_an_agent_that_lost_its_state_sends_no_message_again(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(accounts=5, messages=300, seed=12))
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.lab.agent.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_a_damaged_state_is_put_aside_and_said(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(accounts=2, messages=40, seed=13))
        self.lab.start()
        self.lab.flush()
        sent = self.lab.agent.totals()["messages_sent"]
        self.assertGreater(sent, 0)
        self.lab.agent.stop()
        for name in ("state.db-wal", "state.db-shm"):
            if os.path.exists(os.path.join(self.lab.agent.state_dir, name)):
                os.unlink(os.path.join(self.lab.agent.state_dir, name))
        with open(os.path.join(self.lab.agent.state_dir, "state.db"), "wb") as state:
            state.write(b"not a database" * 1000)
        self.lab.agent.start()
        self.lab.agent.wait_log(r"state-damaged file=\S*/state\.db ")
        self.assertTrue([name for name in os.listdir(self.lab.agent.state_dir) if name.startswith("state.db.corrupt-")])
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_what_was_changed_while_the_agent_was_away_arrives(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(accounts=6, messages=400, seed=13))
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        traffic = self.lab.write_traffic(root, seed=14)
        for _ in range(400):
            traffic.step()
        self.lab.agent.start()
        self.lab.flush()
        self.lab.assert_equal()

    def test_mail_that_was_at_the_destination_before_is_kept(self):
        root = self.lab.add_root()
        make_tree(root.source, scaled_spec(accounts=2, messages=40, seed=15))
        self.lab.start()
        self.lab.flush()
        own = root.at_destination(os.path.join(root.account(0), b"new", b"1700000000.M1P1.elsewhere"))
        with open(own, "wb") as file:
            file.write(b"Subject: of others\n\n")
        self.lab.agent.restart()
        self.lab.flush(complete=False)
        self.assertTrue(os.path.exists(own))
        self.assertEqual([own], [os.path.join(os.fsencode(root.destination), found.path) for found in self.lab.differences()])


if __name__ == "__main__":
    unittest.main()
