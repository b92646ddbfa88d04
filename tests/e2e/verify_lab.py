"""What the tests of `verify` share: a tree that was copied, and what a comparison says of it."""

import json
import os

from maildirsync_testing import LIMIT, LabTest, make_tree, scaled_spec
from maildir_trees import account_path

KINDS = {"missing", "extra", "content", "name", "size", "time", "owner", "mode", "control"}


class VerifyTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def verify(self, *arguments: str, status: int | None = None) -> dict:
        done = self.lab.agent.cli("--json", "verify", *arguments, limit=LIMIT)
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError:
            self.fail(f"exit {done.returncode}: {done.stdout!r}, {done.stderr!r}\n{self.lab.tails()}")
        self.assert_exit(status if status is not None else 0 if answer["equal"] else 1, done)
        self.assertTrue({difference["kind"] for difference in answer["differences"]} <= KINDS, answer)
        return answer

    def assert_found(self, expected, *arguments: str) -> dict:
        """Exactly these (kind, account, folder, name)."""
        answer = self.verify(*arguments, status=1 if expected else 0)
        found = sorted((d["kind"], d["account"], d["folder"], d["name"]) for d in answer["differences"])
        self.assertEqual(sorted(expected), found, json.dumps(answer, indent=1))
        self.assertEqual(not expected, answer["equal"])
        return answer

    def copied(self, **options) -> None:
        make_tree(self.root.source, scaled_spec(**options))
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)

    def account(self, number: int) -> tuple[str, bytes]:
        """Its name, and its path at the destination."""
        path = account_path(self.root.layout, number)
        domain, local = path.split("/")[:2]
        return f"{local}@{domain}", os.fsencode(os.path.join(self.root.destination, path))

    def message(self, number: int, nth: int = 0, area: bytes = b"cur") -> tuple[str, str, bytes]:
        """Account, name and path at the destination."""
        account, path = self.account(number)
        name = sorted(os.listdir(os.path.join(path, area)))[nth]
        return account, os.fsdecode(name), os.path.join(path, area, name)


def rewrite(path: bytes, change) -> None:
    """Other bytes, the same times."""
    status = os.stat(path)
    with open(path, "r+b") as file:
        content = change(file.read())
        file.seek(0)
        file.truncate()
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip_one_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
