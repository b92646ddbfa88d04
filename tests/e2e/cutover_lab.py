"""One account that is mirrored, and an administrator's commands that write what they did into a journal: for the tests of `cutover`."""

import json
import os
import subprocess

from maildirsync_testing import LabTest, deliver, program

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
ALL = ["presync", "freeze", "flush", "verify", "indexes", "switch", "drain"]
KILL = "kill -9 $PPID"  # the shell's parent is the cutover


class CutoverTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.make_account(self.root, b"a")
        self.journal = os.path.join(self.lab.base, "journal")
        self.errors = ""
        self.prepare()
        self.lab.start()
        self.lab.flush()

    def prepare(self):
        """Before the daemons start."""

    @staticmethod
    def make_account(root, name: bytes) -> bytes:
        account = root.make_account(name)
        for i in range(30):
            deliver(account, b"1700000000.M%dP1.mx:2,S" % i, area=b"cur")
        return account

    # -- the administrator's commands: each writes its name into the journal, in order

    def writes(self, word: str, then: str = "") -> str:
        return f"echo {word} >> '{self.journal}'" + (f"; {then}" if then else "")

    def done(self) -> list[str]:
        try:
            with open(self.journal, encoding="utf-8") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def commands(self, **others: str) -> list[str]:
        given = {"freeze": self.writes("freeze"), "thaw": self.writes("thaw"), "switch": self.writes("switch"), **others}
        return [word for name, command in given.items() if command for word in (f"--{name}", command)]

    def cutover(self, expected: int, *arguments: str) -> dict:
        done = self.lab.agent.cli("--json", "cutover", *arguments, limit=120)
        self.assert_exit(expected, done)
        self.errors = done.stderr
        return json.loads(done.stdout)

    def killed(self, *arguments: str) -> None:
        """A cutover that is killed by one of its commands."""
        done = self.lab.agent.cli("--json", "cutover", *arguments, limit=120)
        self.assertEqual(-9, done.returncode, done.stderr)

    def begin(self, *arguments: str, **options) -> subprocess.Popen:
        process = subprocess.Popen(
            [program("maildirsync"), "--control", self.lab.agent.control, "--json", "cutover", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **options,
        )  # fmt: skip

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    # -- where it stands

    def mode(self) -> str:
        return self.lab.agent.status()["roots"][0]["mode"]

    def assert_stopped(self, result: dict, at: str, undone: list[str]):
        self.assertFalse(result["complete"])
        self.assertEqual(at, result["stopped_at"])
        self.assertNotEqual("", result["detail"])
        self.assertEqual(undone, [one["by"] for one in result["undone"]])
        self.assertEqual("mirror", self.mode())

    def assert_open(self, step: str):
        """It stands, `status` says so, and no other begins."""
        status = self.lab.agent.status()
        self.assertEqual((True, False, step), tuple(status["cutover"][key] for key in ("open", "running", "step")))
        (problem,) = [one for one in status["problems"] if one["code"] == "cutover-open"]
        self.assertIn("cutover --resume", problem["detail"])
        self.assertIn("cutover --undo", problem["detail"])
        before = self.done()
        self.assertIn("still stands", self.cutover(1, *self.commands())["detail"])
        self.assertEqual(before, self.done())

    def assert_nothing_open(self):
        status = self.lab.agent.status()
        self.assertFalse(status["cutover"]["open"])
        self.assertEqual([], [one for one in status["problems"] if one["code"] == "cutover-open"])
