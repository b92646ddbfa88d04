"""A mount at the destination that never answers holds up what lands on it, and nothing else."""

import unittest

from hung_mount_lab import HungDestinationTest
from maildirsync_testing import wait_until


class OthersGoOn(HungDestinationTest):
    def test_another_agent_and_the_status_go_on(self):
        self.start_and_hang()
        self.assert_arrive(self.deliver_to(self.other))
        problem = self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assertEqual(("hung", self.hung.destination), (problem["root"], problem["path"]))
        self.assertEqual(
            {"hung": "blocked", "beside": "live", "other": "live"},
            {root["name"]: root["state"] for root in self.lab.receiver.status()["roots"]},
        )
        self.assert_arrive(self.deliver_to(self.other))
        self.second.flush()
        self.assert_exit(0, self.second.cli("verify", "--deep"))
        self.second.restart()
        self.second.wait_state("live")
        self.assert_arrive(self.deliver_to(self.other))

    def test_a_decision_about_it_holds_up_nobody_else(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.begin("drain", "hung")
        wait_until(
            lambda: "drain" in [root["mode"] for root in self.lab.agent.status()["roots"]], "the decision", alive=self.lab.daemons
        )
        self.second.restart()
        self.second.wait_state("live")
        self.assert_arrive(self.deliver_to(self.other))
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual("timed-out", self.lab.receiver.problems("timed-out")[0]["code"])

    def test_the_same_agents_other_root_goes_on(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.wait_problem("destination-gone", "does not answer")
        states = {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}
        self.assertEqual("held", states["hung"])
        self.assert_arrive(self.deliver_to(self.beside))


if __name__ == "__main__":
    unittest.main()
