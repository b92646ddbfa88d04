"""A receiver that lies. It can make the agent believe that mail is safe which is not (docs/security.md); but it does not make
an account wait in silence, and once nobody lies any more a look at both trees makes them equal."""

import os
import unittest

from hostile_testing import HostileTest
from liar import Liar
from maildirsync_testing import TreeSpec, deliver, make_tree, wait_until

RENAME = 6
NAMES = (b"1700000001.M1P1.mx:2,S", b"1700000002.M2P1.mx:2,S")


class Renames(HostileTest):
    """Of two accounts a flag changes, which is a rename at the destination."""

    as_service = False

    def before_start(self):
        make_tree(self.root.source, TreeSpec(accounts=2, messages=20, seed=168))
        for number, name in enumerate(NAMES):
            deliver(self.root.account(number), name, area=b"cur")

    def setUp(self):
        super().setUp()
        self.liar = Liar(self.lab.receiver, self.lab.agent)
        self.addCleanup(self.liar.close)
        self.lab.agent.port = self.liar.port
        self.lab.agent.extra["transfer"] = {"compression": "off", "connections": 1}
        self.lab.agent.start()
        self.lab.flush()
        self.renames: set[int] = set()

    def flag(self, number: int, before: bytes, after: bytes) -> None:
        folder = os.path.join(self.root.account(number), b"cur")
        base = NAMES[number].partition(b":")[0]
        os.rename(os.path.join(folder, base + before), os.path.join(folder, base + after))

    def note_renames(self, header):
        if header.get("operation", {}).get("kind") == RENAME:
            self.renames.add(header["operation"]["sequence"])
        return header

    def assert_believed_or_said(self):
        """A flush is complete, or it and `status` name what is not."""
        result = self.lab.agent.flush("--timeout", "40", limit=60, complete=False)
        if result["complete"]:
            return
        self.assertNotEqual([], result["left_out"])
        self.assertNotEqual([], self.lab.agent.problems(), f"{result}\n{self.lab.agent.status()}")

    def assert_honest_again(self):
        """Once nobody lies any more, all becomes equal by itself."""
        self.liar.to_receiver = self.liar.to_agent = lambda header: header
        self.lab.agent.flush("--full", limit=100)
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems(), "no problem is left", alive=self.lab.daemons, limit=60)

    def test_said_to_be_done_and_not_done(self):
        def swallow(header):
            if header.get("operation", {}).get("kind") == RENAME:
                # Asks for something that is refused in its place.
                operation = dict(header["operation"])
                operation["from"] = {**operation["from"], "name": b"nothing:2,"}
                operation["to"] = {**operation["to"], "name": b"nothing:2,S"}
                operation["result"] = {**operation["result"], "name": b""}
                self.renames.add(operation["sequence"])
                return {"operation": operation}
            return header

        def lie(header):
            if "ack" in header and header["ack"].get("failed"):
                ack = dict(header["ack"])
                ack["failed"] = [failed for failed in ack["failed"] if failed["sequence"] not in self.renames]
                return {"ack": ack}
            return header

        self.liar.to_receiver, self.liar.to_agent = swallow, lie
        for number in (0, 1):
            self.flag(number, b":2,S", b":2,FS")
        wait_until(lambda: len(self.renames) >= 2, "both renames were lied about", alive=self.lab.daemons)
        self.lab.agent.flush("--timeout", "20", limit=40, complete=False)
        for number in (0, 1):
            self.flag(number, b":2,FS", b":2,FRS")
        self.assert_believed_or_said()
        self.assert_honest_again()

    def assert_lied_about_name(self, name: bytes):
        def lie(header):
            if "ack" in header and self.renames & set(range(header["ack"]["sequence"] + 1)):
                ack = dict(header["ack"])
                ack["renamed"] = [{"sequence": sequence, "name": name, "detail": b"taken"} for sequence in self.renames if sequence <= ack["sequence"]]
                self.renames.clear()
                return {"ack": ack}
            return header

        self.liar.to_receiver, self.liar.to_agent = self.note_renames, lie
        for number in (0, 1):
            self.flag(number, b":2,S", b":2,FS")
        self.lab.agent.flush("--timeout", "20", limit=40, complete=False)
        for number in (0, 1):
            self.flag(number, b":2,FS", b":2,FRS")
        self.assert_believed_or_said()
        self.assert_honest_again()

    def test_said_to_have_got_another_name(self):
        self.assert_lied_about_name(b"1700000001.M1P1.mx.c0123,S=5:2,FS")

    def test_said_to_have_got_no_name(self):
        self.assert_lied_about_name(b"")

    def test_said_to_have_got_a_name_that_climbs(self):
        self.assert_lied_about_name(b"../../../../etc/passwd:2,FS")

    def test_said_to_have_got_the_name_of_another_message(self):
        self.assert_lied_about_name(NAMES[0])


if __name__ == "__main__":
    unittest.main()
