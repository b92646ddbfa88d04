"""What the tests of the brakes share: accounts, what is deleted of them, and what is held."""

import os

from maildirsync_testing import LabTest, deliver, wait_until
from maildir_trees import make_maildir, read_tree


class BrakeTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.held_tree = read_tree(self.root.destination)

    def account(self, name: str, messages: int, domain: str = "example.org") -> bytes:
        account = os.path.join(os.fsencode(self.root.source), domain.encode(), name.encode(), b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755, exist_ok=True)
        make_maildir(account, (5000, 5000), is_account=True)
        for i in range(messages):
            deliver(account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")
        return account

    def one_account(self, messages: int) -> bytes:
        return self.account("a", messages)

    @staticmethod
    def delete(account: bytes, count: int, area: bytes = b"cur"):
        directory = os.path.join(account, area)
        for name in sorted(os.listdir(directory))[:count]:
            os.unlink(os.path.join(directory, name))

    def problems(self, code: str) -> dict:
        return {problem["account"]: problem["detail"] for problem in self.lab.agent.problems(code)}

    def wait_problems(self, code: str, count: int) -> dict:
        return wait_until(lambda: (found := self.problems(code)) and len(found) == count and found, f"{count} × {code}", alive=self.lab.daemons)

    def count_at_destination(self, account: bytes, area: bytes = b"cur") -> int:
        return len(os.listdir(self.root.at_destination(os.path.join(account, area))))

    def in_trash(self) -> list[str]:
        found = []
        for directory, _, files in os.walk(os.path.join(self.root.destination, ".maildirsync.trash")):
            found += [os.path.join(directory, name) for name in files if not name.startswith(".maildirsync.")]
        return found

    def assert_untouched(self):
        self.assertEqual(self.held_tree, read_tree(self.root.destination))
        self.assertEqual([], self.in_trash())

    def assert_held(self, code: str):
        status = self.lab.agent.wait_state("held")
        self.lab.agent.wait_problem(code)
        self.assert_exit(2, self.lab.agent.cli("status"))
        result = self.lab.agent.flush("--timeout", "2", complete=False)
        self.assertFalse(result["complete"])
        self.assertNotEqual([], result["left_out"])
        self.assertEqual(self.held_tree, read_tree(self.root.destination))
        return status
