"""5,000 accounts, of which 50 have troubles of ten kinds: what a person sees first, at night, on a screen of 80 by 24."""

import json
import os
import unittest

from maildirsync_testing import LabTest
from troubled_tree import TroubledTree, first_screen, on_terminal

PROMPT = "$ maildirsync status\n"


class FiveThousandAccounts(LabTest):
    def test_the_first_screen_names_every_kind_with_its_count_and_its_worst_account(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make mail of others")
        tree = TroubledTree(self.lab)
        tree.copy(self.lab)
        tree.spoil(self.lab)
        status = self.lab.agent.status()
        root, = status["roots"]
        self.assertEqual("held", status["state"])
        self.assertEqual((5000, 5000), (root["accounts"], root["accounts_complete"]))
        self.assertEqual(5000, sum(root["states"].values()))
        self.assertEqual(10, root["states"]["held"])
        self.assertEqual(4950, sum(count for state, count in root["states"].items() if state != "held") - self.not_held_in_trouble(status))
        screen = first_screen(PROMPT + on_terminal(self.lab.agent, "status"))
        text = "\n".join(screen)
        self.assertIn("CRITICAL - held", text.replace("\n", ""))
        for kind in tree.KINDS:
            row = [line.split() for line in screen if line.startswith(kind + " ")]
            self.assertEqual(1, len(row), f"{kind}\n{text}")
            self.assertEqual(str(tree.count(kind)), row[0][1], text)
            worst = tree.worst(kind)
            named = [word for word in row[0] if word.endswith("@example.org")]
            self.assertEqual(1, len(named), f"{kind}\n{text}")
            if worst:
                self.assertEqual(worst, named[0], text)
            else:
                self.assertIn(named[0], [tree.name(kind, i) + "@example.org" for i in range(5)], text)
        self.assertIn(f"PROBLEMS: {sum(map(tree.count, tree.KINDS))} of 10 kinds", text)
        # The proofs name all that is left out, too, and stop for it.
        done = self.lab.agent.cli("--json", "verify", limit=600)
        self.assert_exit(1, done)
        codes = {one["code"] for one in json.loads(done.stdout)["left_out"]}
        self.assertLessEqual({"permission", "mail-left-out", "not-compared"}, codes)

    @staticmethod
    def not_held_in_trouble(status: dict) -> int:
        return len({problem["account"] for problem in status["problems"] if problem["code"] not in ("account-gone", "mass-deletion")})


if __name__ == "__main__":
    unittest.main()
