"""kill -9 of either daemon at random moments while mail is delivered, flagged, moved, copied and deleted."""

import random
import time
import unittest

from maildirsync_testing import SANITIZED, SECONDS, SEED, LabTest, TreeSpec, duplicates, make_tree


class Kill(LabTest):
    def torment(self, victim: str, seed: int):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=10, messages=1000, seed=seed, median_size=2000))
        self.lab.start()
        rng = random.Random(seed)
        kills = 5
        with self.lab.write_traffic(root, rate=60 if SANITIZED else 200, seed=seed) as traffic:
            for _ in range(kills):
                time.sleep(SECONDS / kills * rng.uniform(0.1, 1.9))
                # "either" kills both within a moment, in either order.
                names = [victim] if victim != "either" else rng.sample(["agent", "receiver"], 2)
                for name in names:
                    getattr(self.lab, name).kill()
                    time.sleep(rng.uniform(0, 0.3))
                for name in reversed(names):
                    getattr(self.lab, name).start()
        self.lab.agent.wait_state("live", limit=300)
        self.lab.agent.flush(limit=300)
        self.lab.assert_equal()
        self.assertEqual(set(duplicates(root.source)), set(duplicates(root.destination)))
        self.assertEqual([], self.lab.agent.problems())
        print(f"{victim}: {kills} kills, {sum(traffic.counts.values())} operations {traffic.counts}")

    def test_agent(self):
        self.torment("agent", 31 + SEED)

    def test_receiver(self):
        self.torment("receiver", 32 + SEED)

    def test_either(self):
        self.torment("either", 33 + SEED)

    def test_during_the_first_copy(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=12, messages=3000, seed=34 + SEED))
        rng = random.Random(34 + SEED)
        self.lab.receiver.start()
        self.lab.agent.start(ready=False)
        for victim in (self.lab.agent, self.lab.receiver) * 3:
            time.sleep(rng.uniform(0.02, 0.5))
            victim.kill()
            victim.start(ready=False)
        self.lab.agent.wait_ready()
        self.lab.agent.wait_state("live", limit=300)
        self.lab.flush(limit=300)
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
