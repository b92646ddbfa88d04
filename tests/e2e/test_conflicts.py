"""A message whose name is another file's at the destination goes beside it, is named as long as that lasts, and gets its
own name back when that is free."""

import json
import os
import unittest

from maildirsync_testing import LabTest, deliver
from maildir_trees import write_file

NAME = b"1700000000.M1P1.mx,S=30,W=31"
BODY = b"Subject: ours\n\n" + b"x" * 15
UIDLIST = b"3 V1700000000 N3 G0123456789abcdef0123456789abcdef\n1 :%s\n2 :1700000000.M2P1.mx\n" % NAME


class Conflicts(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        write_file(os.path.join(self.account, b"dovecot-uidlist"), UIDLIST, (5000, 5000), 0o600)
        deliver(self.account, b"1700000000.M2P1.mx:2,S", area=b"cur")
        self.lab.start()
        self.lab.flush()
        self.there = self.root.at_destination(os.path.join(self.account, b"cur"))
        self.obstacle = os.path.join(self.there, NAME + b":2,S")
        write_file(self.obstacle, b"somebody else's\n", (5000, 5000), 0o600)
        deliver(self.account, NAME + b":2,S", BODY, area=b"cur")
        self.lab.agent.wait_problem("conflict", NAME.decode())

    def ours(self) -> list[bytes]:
        """Our message at the destination, under whatever names."""
        found = []
        for name in sorted(os.listdir(self.there)):
            with open(os.path.join(self.there, name), "rb") as file:
                if file.read() == BODY:
                    found.append(name)
        return found

    def assert_stands(self):
        """It is named by status and flush, with what to do."""
        problem = self.lab.agent.wait_problem("conflict", NAME.decode())
        alias = self.ours()[0].partition(b":2,")[0].decode()
        self.assertEqual(
            f"another file has the name of the message {NAME.decode()} at the destination, and was kept: the message is there as {alias}; "
            "once that file is moved away or renamed there, the next flush gives the message its own name back",
            problem["detail"],
        )
        self.assertEqual("a@example.org", problem["account"])
        self.assertEqual(1, len(self.lab.agent.problems()))
        result = self.lab.agent.flush(complete=False)
        self.assertEqual(["conflict"], [one["code"] for one in result["left_out"]])
        self.assertIn("move the other file away", self.lab.agent.cli("status").stdout)
        self.assertEqual(1, len(self.ours()))

    def assert_over(self):
        self.lab.flush()
        self.assertEqual([], self.lab.agent.problems())
        self.lab.assert_equal()
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertTrue(answer["equal"], answer)

    def test_it_is_named_as_long_as_it_lasts(self):
        self.assert_stands()
        self.assert_stands()
        os.rename(os.path.join(self.account, b"cur", NAME + b":2,S"), os.path.join(self.account, b"cur", NAME + b":2,FS"))
        self.assert_stands()
        self.assertTrue(self.ours()[0].endswith(b":2,FS"))
        self.lab.agent.restart()
        self.assert_stands()
        os.unlink(os.path.join(self.account, b"cur", NAME + b":2,FS"))
        self.lab.flush()
        self.assertEqual([], self.lab.agent.problems())
        self.assertEqual([], self.ours())
        self.assertTrue(os.path.exists(self.obstacle), "theirs is never touched")

    def test_flush_gives_the_name_back_when_it_is_free(self):
        self.assert_stands()
        os.unlink(self.obstacle)
        os.rename(os.path.join(self.account, b"cur", NAME + b":2,S"), os.path.join(self.account, b"cur", NAME + b":2,RS"))
        sent = self.lab.agent.totals()["messages_sent"]
        self.assert_over()
        self.assertEqual([NAME + b":2,RS"], self.ours())
        self.assertEqual(sent, self.lab.agent.totals()["messages_sent"])
        with open(os.path.join(os.path.dirname(self.there), b"dovecot-uidlist"), "rb") as file:
            self.assertEqual(UIDLIST, file.read())
        self.assert_over()

    def test_verify_gives_the_name_back_when_it_is_free(self):
        os.rename(self.obstacle, os.path.join(os.path.dirname(self.there), b"new", b"1700000000.M9P9.other"))
        answer = json.loads(self.lab.agent.cli("--json", "verify").stdout)
        self.assertEqual(["extra"], [one["kind"] for one in answer["differences"]], answer)
        self.assertEqual([NAME + b":2,S"], self.ours())
        self.assertEqual([], self.lab.agent.problems())

    def test_a_person_renames_it(self):
        self.assert_stands()
        os.unlink(self.obstacle)
        os.rename(os.path.join(self.there, self.ours()[0]), os.path.join(self.there, NAME + b":2,S"))
        self.lab.agent.cli("--json", "verify", "--repair")
        self.assert_over()
        self.assertEqual([NAME + b":2,S"], self.ours())
        os.rename(os.path.join(self.account, b"cur", NAME + b":2,S"), os.path.join(self.account, b"cur", NAME + b":2,RS"))
        self.assert_over()
        self.assertEqual([NAME + b":2,RS"], self.ours())

    def test_it_is_there_under_both_names(self):
        alias = self.ours()[0]
        with open(os.path.join(self.there, alias), "rb") as file:
            status = os.fstat(file.fileno())
            write_file(self.obstacle, file.read(), (5000, 5000), 0o600, status.st_mtime_ns)
        self.assert_over()
        self.assertEqual([NAME + b":2,S"], self.ours())

    def test_the_name_is_taken_again(self):
        """Between the look and the rename; so often as it takes."""
        for body in (b"another\n", b"and another one\n"):
            os.unlink(self.obstacle)
            write_file(self.obstacle, body, (5000, 5000), 0o600)
            self.assert_stands()
        os.unlink(self.obstacle)
        self.assert_over()


class Torn(LabTest):
    """What stands in the place of a message of ours at the destination, after a comparison."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        deliver(self.account, NAME + b":2,S", BODY, area=b"cur")
        deliver(self.account, b"1700000000.M2P1.mx:2,S", area=b"cur")
        self.lab.start()
        self.lab.flush()
        self.there = self.root.at_destination(os.path.join(self.account, b"cur"))
        self.place = os.path.join(self.there, NAME + b":2,S")

    def assert_extra(self, count: int):
        self.assertEqual(count, self.lab.agent.flush("--full", complete=False)["extra"])
        self.assertEqual(count, self.lab.agent.status()["extra"])

    def test_what_is_put_again_is_no_extra_file(self):
        with open(self.place, "r+b") as file:
            file.truncate(3)
        self.assert_extra(0)
        self.lab.assert_equal()
        self.assert_extra(0)

    def test_another_file_beside_it_is_one(self):
        with open(self.place, "r+b") as file:
            file.truncate(3)
        write_file(os.path.join(self.there, b"1700000000.M9P9.other"), b"somebody else's\n", (5000, 5000), 0o600)
        self.assert_extra(1)
        self.assert_extra(1)
        with open(self.place, "rb") as file:
            self.assertEqual(BODY, file.read())

    def test_another_file_in_its_place_is_a_conflict(self):
        write_file(self.place, b"somebody else's\n", (5000, 5000), 0o600)
        self.assert_extra(0)
        self.lab.agent.wait_problem("conflict", NAME.decode())
        self.assert_extra(0)


if __name__ == "__main__":
    unittest.main()
