"""A bad line between agent and receiver."""

import random
import time
import unittest

from maildirsync_testing import SANITIZED, SECONDS, LabTest, TreeSpec, free_port, make_tree, wait_until
from network import Proxy


class Link(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.lab.agent.port = free_port()
        self.proxy = Proxy(self.lab.agent.port, self.lab.receiver.port)
        self.addCleanup(self.proxy.close)

    def test_cut_again_and_again_under_traffic(self):
        make_tree(self.root.source, TreeSpec(accounts=8, messages=800, seed=51))
        rng = random.Random(51)
        self.lab.start()
        with self.lab.write_traffic(self.root, rate=50 if SANITIZED else 150, seed=51):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(rng.uniform(0.1, 1.5))
                self.proxy.cut()
        self.lab.flush(limit=300)
        self.lab.assert_equal()
        self.assertGreater(self.proxy.cuts, 3)

    def test_connections_that_live_for_some_bytes_only(self):
        make_tree(self.root.source, TreeSpec(accounts=6, messages=400, seed=52))
        self.proxy.cut_after = (20_000, 600_000)
        self.lab.start()
        # A message that was begun is begun again after a cut: some progress must be kept each time.
        wait_until(lambda: self.proxy.cuts >= 5, "five cuts", alive=self.lab.daemons, limit=300)
        self.proxy.cut_after = None
        self.lab.flush(limit=300)
        self.lab.assert_equal()

    def test_a_slow_line(self):
        make_tree(self.root.source, TreeSpec(accounts=3, messages=100, seed=53))
        self.proxy.delay = 0.05
        self.lab.start()
        self.lab.flush(limit=300)
        self.lab.assert_equal()

    def test_the_receiver_away_for_a_while(self):
        make_tree(self.root.source, TreeSpec(accounts=3, messages=100, seed=54))
        self.lab.start()
        self.lab.flush()
        self.proxy.refuse(True)
        wait_until(lambda: not self.lab.agent.status()["peer"]["connected"], "the agent sees the end", alive=self.lab.daemons)
        self.assert_exit(2, self.lab.agent.cli("status"))
        traffic = self.lab.write_traffic(self.root, seed=54)
        for _ in range(100):
            traffic.step()
        self.proxy.refuse(False)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(self.lab.agent.status()["peer"]["connected"])

    def test_an_agent_that_starts_before_its_receiver(self):
        make_tree(self.root.source, TreeSpec(accounts=2, messages=50, seed=55))
        self.lab.agent.start()
        self.assertEqual("connecting", self.lab.agent.status()["state"])
        self.lab.receiver.start()
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
