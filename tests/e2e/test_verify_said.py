"""`verify`: what it says where it cannot compare, and what becomes of one that nobody waits for."""

import json
import os
import signal
import subprocess
import unittest

from maildirsync_testing import LIMIT, deliver, program, wait_until
from verify_lab import VerifyTest


class Said(VerifyTest):
    """What cannot be compared is said in a sentence."""

    def test_no_such_account(self):
        self.copied(accounts=3, messages=60, seed=62)
        done = self.lab.agent.cli("verify", "--account", "nobody@*")
        self.assert_exit(2, done)
        self.assertIn("no account matches", done.stderr)
        self.assertEqual("", done.stdout)

    def test_the_receiver_is_away(self):
        self.copied(accounts=3, messages=60, seed=63)
        self.lab.receiver.stop()
        done = self.lab.agent.cli("verify", limit=LIMIT)
        self.assert_exit(1, done)
        self.assertIn("refuses the connection", done.stderr)
        self.lab.receiver.start()
        self.assertTrue(self.verify()["equal"])

    def hanging(self) -> subprocess.Popen:
        """A verification that waits for a receiver that does not answer."""
        self.copied(accounts=3, messages=60, seed=69)
        self.lab.receiver.signal(signal.SIGSTOP)
        command = subprocess.Popen(
            [program("maildirsync"), "--control", self.lab.agent.control, "verify"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(command.stderr.close)
        self.addCleanup(command.stdout.close)
        self.addCleanup(command.wait)
        self.addCleanup(command.kill)
        self.lab.agent.wait_log("verify-begin")
        return command

    def test_the_agent_ends_meanwhile(self):
        command = self.hanging()
        self.assertEqual(0, self.lab.agent.stop())
        self.lab.receiver.signal(signal.SIGCONT)
        self.assertIn(command.wait(LIMIT), (1, 3))

    def test_nobody_waits_for_it_any_more(self):
        command = self.hanging()
        self.assertIn("another verification", self.lab.agent.cli("verify").stderr)
        command.kill()
        self.lab.agent.wait_log("given_up=true")
        self.lab.receiver.signal(signal.SIGCONT)
        self.assertTrue(self.verify()["equal"])

    def test_a_drained_root_is_not_mended(self):
        self.copied(accounts=3, messages=60, seed=70)
        gone = self.message(0)[2]
        os.unlink(gone)
        self.assert_exit(0, self.lab.agent.cli("drain", self.root.name))
        answer = self.verify("--repair", status=0)
        self.assertEqual(0, answer["repaired"])
        self.assertEqual([], answer["differences"], "what was given is its user's to remove")
        self.assertEqual([self.root.name], [root["root"] for root in answer["drained"]])
        self.assertFalse(os.path.exists(gone))

    def test_the_receiver_is_asked(self):
        self.copied(accounts=3, messages=60, seed=64)
        done = self.lab.receiver.cli("verify")
        self.assert_exit(2, done)
        self.assertIn("agent", done.stderr)

    def test_paused_and_held(self):
        self.copied(accounts=3, messages=300, seed=65)
        self.assert_exit(0, self.lab.agent.cli("pause"))
        path = deliver(self.root.account(0), b"1700000001.M1P1.mx")
        wait_until(lambda: self.lab.agent.status()["pending"]["messages"] > 0, "the delivery is seen")
        answer = self.verify(status=1)
        self.assertEqual([("missing", "1700000001.M1P1.mx")], [(d["kind"], d["name"]) for d in answer["differences"]])
        self.assertIn("paused", json.dumps(answer["left_out"]))
        self.assertIn("paused", self.lab.agent.cli("verify").stdout)
        self.assert_exit(0, self.lab.agent.cli("resume"))
        self.assertTrue(self.verify()["equal"])
        self.assertTrue(os.path.exists(self.root.at_destination(path)))

        # The directory of an account is gone, which no user does.
        os.rename(self.root.account(0), self.root.account(0) + b".away")
        self.lab.agent.wait_state("held")
        answer = self.verify(status=1)
        self.assertIn("release", json.dumps(answer["left_out"]))
        self.assertTrue(all(d["kind"] in ("extra", "control") for d in answer["differences"]), answer["differences"][:3])


if __name__ == "__main__":
    unittest.main()
