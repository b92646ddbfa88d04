"""`plan`: what is there, and what must be put right before a migration."""

import json
import os
import re
import socket
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree
from maildir_trees import make_maildir


class Plan(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def account(self, name: bytes = b"a", owner=OWNER) -> bytes:
        path = os.path.join(os.fsencode(self.root.source), b"example.org", name, b"Maildir")
        os.makedirs(os.path.dirname(path), 0o755)
        make_maildir(path, owner, is_account=True)
        return path

    def plan(self, expected: int, *arguments: str) -> dict:
        done = self.lab.agent.cli("--json", "plan", *arguments)
        self.assert_exit(expected, done)
        self.assertEqual("", done.stderr)
        return json.loads(done.stdout)

    def codes(self, answer: dict) -> set[str]:
        for one in answer["to_do"]:
            self.assertNotEqual("", one["remedy"], one)
        return {one["code"] for one in answer["to_do"]}

    def test_counts_what_the_source_holds(self):
        make_tree(self.root.source, TreeSpec(accounts=5, messages=120, seed=81))
        self.lab.start()
        answer = self.plan(0)
        messages = size = biggest = 0
        for directory, _, names in os.walk(os.fsencode(self.root.source)):
            if os.path.basename(directory) in (b"cur", b"new"):
                files = [os.path.join(directory, name) for name in names]
                sizes = [os.lstat(path).st_size for path in files if os.path.isfile(path)]
                messages += len(sizes)
                size += sum(sizes)
                biggest = max([biggest, *sizes])
        totals = answer["totals"]
        self.assertEqual((5, messages, size), (totals["accounts"], totals["messages"], totals["bytes"]))
        self.assertEqual(biggest, totals["biggest_message"]["bytes"])
        self.assertEqual(messages, sum(account["messages"] for account in answer["accounts"]))
        self.assertTrue(answer["ready"])
        self.assertTrue(answer["space"][0]["enough"])
        self.assertGreater(answer["space"][0]["needed_bytes"], 1.2 * size)
        self.assertTrue(all(owner["mapped"] for owner in answer["owners"]))
        self.assertIn("how", answer["expected"])
        # Nobody is disturbed by it.
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(0, self.plan(0)["expected"]["first_copy_bytes"] - totals["control_bytes"])

    def test_text_and_page(self):
        self.account()
        self.lab.start()
        page = os.path.join(self.lab.base, "plan.html")
        done = self.lab.agent.cli("plan", "--html", page)
        self.assert_exit(0, done)
        self.assertRegex(done.stdout, r"(?m)^a@example.org")
        self.assertTrue(done.stdout.rstrip().endswith("ready"))
        self.assertNotIn("\x1b", done.stdout)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("a@example.org", text)
        self.assertIsNone(re.search(r"src=|href=|https?://", text))

    def test_only_some_accounts(self):
        self.account()
        deliver(self.account(b"b"), b"1700000000.M1P1.mx")
        self.lab.start()
        answer = self.plan(0, "--account", "b@*")
        self.assertEqual(["b@example.org"], [account["name"] for account in answer["accounts"]])
        self.assertEqual(1, answer["totals"]["messages"])

    def test_owners_that_are_not_mapped(self):
        self.root.owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}
        self.account()
        self.account(b"b", (5077, 5000))
        self.lab.start()
        answer = self.plan(1)
        self.assertEqual({"unmapped-owner"}, self.codes(answer))
        self.assertIn("5077", answer["to_do"][0]["detail"])
        self.assertIn({(5000, True), (5077, False)}, [{(owner["uid"], owner["mapped"]) for owner in answer["owners"]} - {(0, False)}])

    def test_what_is_left_out(self):
        account = self.account()
        os.symlink("/etc/passwd", os.path.join(account, b"outside"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(account, b"cur", b"socket"))
        self.lab.start()
        answer = self.plan(0)
        self.assertEqual({"outside", "cur/socket"}, {one["path"] for one in answer["left_out"]})
        self.assertEqual(2, answer["left_out_count"])
        self.assertEqual(2, answer["accounts"][0]["left_out"])

    def test_an_account_behind_a_link(self):
        self.account()
        os.symlink("a", os.path.join(self.root.source, "example.org", "alias"))
        self.lab.start()
        self.assertEqual({"mail-left-out"}, self.codes(self.plan(1)))

    def test_without_a_receiver_there_is_the_inventory(self):
        deliver(self.account(), b"1700000000.M1P1.mx")
        self.lab.agent.start()
        answer = self.plan(1)
        self.assertEqual({"unreachable"}, self.codes(answer))
        self.assertFalse(answer["receiver"]["asked"])
        self.assertEqual(1, answer["totals"]["messages"])

    def test_a_root_that_is_not_there_at_either_side(self):
        self.account()
        os.rmdir(self.root.destination)
        self.lab.start()
        self.assertEqual({"root-gone"}, self.codes(self.plan(1)))
        os.mkdir(self.root.destination)
        os.rename(self.root.source, self.root.source + ".away")
        self.assertEqual({"root-gone"}, self.codes(self.plan(1)))

    def test_without_an_agent_it_says_how_to_start_one(self):
        done = self.lab.agent.cli("plan")
        self.assert_exit(3, done)
        self.assertIn("systemctl start maildirsync-agent", done.stderr)

    def test_a_paused_agent_plans_and_sends_nothing(self):
        deliver(self.account(), b"1700000000.M1P1.mx")
        self.lab.receiver.start()
        self.lab.agent.start()
        self.assert_exit(0, self.lab.agent.cli("pause"))
        self.assertEqual(1, self.plan(0)["totals"]["messages"])

    def test_the_agent_ends_in_the_middle_of_it(self):
        make_tree(self.root.source, TreeSpec(accounts=20, messages=400, seed=82))
        self.lab.start()
        import subprocess
        from maildirsync_testing import program

        planning = subprocess.Popen(
            [program("maildirsync"), "--control", self.lab.agent.control, "plan"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.assertEqual(0, self.lab.agent.stop())
        self.assertIn(planning.wait(60), (0, 1, 3))


if __name__ == "__main__":
    unittest.main()
