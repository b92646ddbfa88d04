"""A migration as users live it: they go on working at the old server until it is frozen, then find all at the new one.

Agent and receiver mirror since before the first message, and are killed and cut off on the way. The old server is stopped
in the middle of its traffic. scripts/soak runs this for many seeds.
"""

import os
import random
import time
import unittest

import oracle
from dovecot import DovecotTest
from maildirsync_testing import SANITIZED, SECONDS, free_port, wait_until
from network import Proxy
from traffic import Traffic

SEEDS = [int(seed) for seed in os.environ.get("MAILDIRSYNC_SOAK_SEEDS", "1,2,3").split(",")]
RATE = float(os.environ.get("MAILDIRSYNC_SOAK_RATE", "80" if SANITIZED else "300"))
USERS = [f"user{i}@example.{('org', 'net')[i % 2]}" for i in range(6)]


class MigrationTest(DovecotTest):
    def migrate(self, seed: int):
        rng = random.Random(seed)
        lab, agent, receiver = self.lab, self.lab.agent, self.lab.receiver
        agent.port = free_port()
        proxy = Proxy(agent.port, receiver.port, seed=seed)
        self.addCleanup(proxy.close)
        self.add_users(*USERS)
        self.old.start()
        lab.start()
        traffic = Traffic(self.old, USERS, seed=seed, rate=RATE)
        with traffic:
            for trouble in rng.sample(["agent", "receiver", "both", "cut"], 4):
                time.sleep(SECONDS / 5 * rng.uniform(0.5, 1.5))
                victims = {"agent": [agent], "receiver": [receiver], "both": rng.sample([agent, receiver], 2)}.get(trouble, [])
                for victim in victims:
                    victim.kill()
                    time.sleep(rng.uniform(0, 0.5))
                for victim in victims:
                    victim.start()
                if trouble == "cut":
                    proxy.cut()
            time.sleep(SECONDS / 5)
            wait_until(lambda: traffic.journal.total() > 300, "enough traffic")
            traffic.expect_cut()
            self.old.stop()
        result = agent.flush(limit=300)
        lab.assert_equal()
        self.new.start()
        seen = oracle.look(self.new)
        # The old server is asked now, for its word counts; nothing is mirrored any more.
        agent.stop()
        self.old.forget_lists()
        self.old.start()
        differences = oracle.compare(oracle.look(self.old), seen)
        print(f"seed {seed}: {traffic.journal.summary()}; last flush {result['elapsed_seconds']:.2f} s; {len(differences)} differences; {traffic.sessions_lost} sessions lost")
        self.assertEqual([], differences, self.explain(differences, traffic))
        faults = traffic.journal.faults(seen)
        self.assertEqual([], faults, "\n".join(faults[:20]))
        self.assertEqual([], self.new.complaints(self.old))
        self.assertGreater(traffic.journal.accepted(), 100)

    def explain(self, differences, traffic) -> str:
        """The differences, and what the journal knows of the first messages concerned."""
        lines = [oracle.explain(differences)]
        for difference in differences[:10]:
            if difference.detail.startswith("<"):
                lines += [f"{difference.user} {difference.detail}:", *traffic.journal.about(difference.user, difference.detail)]
        return "\n".join([*lines, self.lab.tails()])


class MaildirPlusPlus(MigrationTest):
    pass


class NestedFolders(MigrationTest):
    layout = "fs"


def _case(seed: int):
    def test(self):
        self.migrate(seed)

    return test


# One test a seed, each with a lab of its own; every second one with LAYOUT=fs.
for number, seed in enumerate(SEEDS):
    setattr(NestedFolders if number % 2 else MaildirPlusPlus, f"test_nothing_is_lost_or_changed_with_seed_{seed}", _case(seed))


if __name__ == "__main__":
    unittest.main()
