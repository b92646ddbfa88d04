"""Groups of accounts that move one after the other, each by a cutover of its own, and the week after: what came to the old server is at the new one."""

import json
import os
import re
import unittest
import urllib.request

from maildirsync_testing import OWNER, deliver, free_port, wait_until
from maildir_trees import write_file
from cutover_lab import KILL, CutoverTest

OLD = b"1700000000.M%dP1.mx:2,S"


class Groups(CutoverTest):
    """Two roots over one tree: a@ moves first."""

    def prepare(self):
        self.other = self.make_account(self.root, b"b")
        self.second = self.lab.add_root("second", include=["b@*"])
        self.root.options["include"] = ["a@*"]
        self.second.source, self.second.destination = self.root.source, self.root.destination
        self.root.landing["shared"] = self.second.landing["shared"] = True

    def modes(self) -> dict:
        return {root["name"]: root["mode"] for root in self.lab.agent.status()["roots"]}

    def there(self, path: bytes) -> bytes:
        return self.root.at_destination(path)

    def users_work(self):
        """At the new server: a message is read, one goes, one comes."""
        inbox = os.path.join(self.there(self.account), b"cur")
        os.rename(os.path.join(inbox, OLD % 1), os.path.join(inbox, b"1700000000.M1P1.mx:2,FS"))
        os.unlink(os.path.join(inbox, OLD % 2))
        write_file(os.path.join(inbox, b"1800000000.M1P9.new:2,S"), b"Subject: sent\n\nx\n", OWNER, 0o600)

    def test_one_group_after_the_other(self):
        result = self.cutover(0, "--group", "vhosts", *self.commands())
        self.assertEqual(["vhosts"], result["drained"])
        self.assertEqual(1, result["verified"]["accounts"])
        self.assertEqual({"vhosts": "drain", "second": "mirror"}, self.modes())
        self.users_work()
        os.rename(os.path.join(self.other, b"cur", OLD % 1), os.path.join(self.other, b"cur", b"1700000000.M1P1.mx:2,FS"))
        flagged = os.path.join(self.there(self.other), b"cur", b"1700000000.M1P1.mx:2,FS")
        wait_until(lambda: os.path.exists(flagged), "the second group is mirrored", alive=self.lab.daemons)

        detail = self.cutover(1, *self.commands())["detail"]
        self.assertIn("root vhosts is drained already; to cut over those that are not, name them: --group second", detail)
        self.assertNotIn("maildirsync mirror", detail)
        self.assertIn("there is no group 'third'", self.cutover(1, "--group", "third", *self.commands())["detail"])

        result = self.cutover(0, "--group", "second", *self.commands())
        self.assertEqual(["second"], result["drained"])
        self.assertEqual({"vhosts": "drain", "second": "drain"}, self.modes())
        self.assertEqual(["freeze", "switch"] * 2, self.done())
        self.assertFalse(os.path.exists(os.path.join(self.there(self.account), b"cur", OLD % 2)), "what a user removed came back")
        self.assert_exit(0, self.lab.agent.cli("verify"))

    def test_what_stands_in_the_way_of_one_group_does_not_stop_another(self):
        write_file(os.path.join(self.there(self.account), b"cur", b"1800000000.M1P9.new:2,S"), b"theirs", OWNER, 0o600)
        self.assertEqual("presync", self.cutover(1, "--group", "vhosts", *self.commands())["stopped_at"])
        self.assertTrue(self.cutover(0, "--group", "second", *self.commands())["complete"])
        self.assertEqual({"vhosts": "mirror", "second": "drain"}, self.modes())

    def test_one_that_was_killed_goes_on_with_its_group(self):
        self.killed("--group", "second", *self.commands(freeze=self.writes("freeze", KILL)))
        result = self.cutover(0, "--resume", "--freeze", self.writes("freeze"))
        self.assertEqual(["second"], result["drained"])
        self.assertEqual({"vhosts": "mirror", "second": "drain"}, self.modes())


class WeekAfter(CutoverTest):
    def prepare(self):
        self.port = free_port()
        self.lab.agent.extra["metrics"] = {"listen": f"127.0.0.1:{self.port}"}

    def metric(self, name: str) -> float | None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            found = re.search(rf'(?m)^{name}{{root="vhosts"}} (\S+)$', answer.read().decode())
        return float(found[1]) if found else None

    def report(self, expected: int, *arguments: str) -> dict:
        done = self.lab.agent.cli("--json", "drain", "--report", *arguments)
        self.assert_exit(expected, done)
        return json.loads(done.stdout)

    def straggler(self, name: bytes) -> bytes:
        there = self.root.at_destination(deliver(self.account, name))
        wait_until(lambda: os.path.exists(there), "it arrives", alive=self.lab.daemons)
        self.lab.flush()
        return there

    def test_every_straggler_is_named_with_where_it_is(self):
        self.assert_exit(1, self.lab.agent.cli("drain", "--report"))
        self.cutover(0, *self.commands())
        self.assertTrue(self.report(0, "--quiet-hours", "0")["safe"])
        (root,) = self.report(1)["drained"]
        self.assertEqual((0, 0, None), tuple(root[key] for key in ("messages", "waiting", "last")))

        first = self.straggler(b"1800000000.M1P7.mx")
        self.straggler(b"1800000001.M1P7.mx")
        os.unlink(first)
        (root,) = self.report(1)["drained"]
        self.assertEqual([("a@example.org", "new/1800000000.M1P7.mx", "was-there"), ("a@example.org", "new/1800000001.M1P7.mx", "there")],
                         [(one["account"], one["path"], one["where"]) for one in root["named"]])  # fmt: skip
        self.assertEqual([("example.org", 2)], [(one["domain"], one["messages"]) for one in root["domains"]])
        self.assertEqual("2027-01-15T08:00:01Z", root["last"])
        text = self.lab.agent.cli("drain", "--report").stdout
        self.assertIn("since then 2 messages came to the old server, all of it durable at the new one", text)
        self.assertRegex(text, r"(?m)^none for .*: too early to switch off")
        wait_until(lambda: self.metric("maildirsync_stragglers") == 2, "the metrics say so", alive=self.lab.daemons)
        self.assertEqual((0, 1_800_000_001), tuple(self.metric(f"maildirsync_straggler{name}") for name in ("s_waiting", "_last_timestamp_seconds")))
        self.lab.agent.restart()
        wait_until(lambda: self.metric("maildirsync_stragglers") == 2, "they still do", alive=self.lab.daemons)
        self.lab.flush()
        self.assertEqual(2, self.report(1)["drained"][0]["messages"])

    def test_a_straggler_that_cannot_arrive_is_a_difference(self):
        self.cutover(0, *self.commands())
        self.root.owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}
        self.lab.receiver.stop()
        self.lab.receiver.start()
        deliver(self.account, b"1800000000.M1P7.mx", owner=(5077, 5000))
        self.lab.agent.wait_problem("unmapped-owner")
        result = self.report(1, "--quiet-hours", "0")
        self.assertFalse(result["safe"])
        self.assertEqual(["missing"], [one["kind"] for one in result["differences"]])
        self.assertEqual(["waits"], [one["where"] for one in result["drained"][0]["named"]])
        self.assertIn("NOT THERE YET", self.lab.agent.cli("drain", "--report").stdout)
        self.assert_exit(1, self.lab.agent.cli("verify"))

    def test_what_users_do_at_the_new_server_is_no_difference(self):
        self.cutover(0, *self.commands())
        inbox = os.path.join(self.root.at_destination(self.account), b"cur")
        os.rename(os.path.join(inbox, OLD % 1), os.path.join(inbox, b"1700000000.M1P1.mx:2,FS"))
        os.unlink(os.path.join(inbox, OLD % 2))
        write_file(os.path.join(inbox, b"1800000000.M1P9.new:2,S"), b"Subject: sent\n\nx\n", OWNER, 0o600)
        folder = os.path.join(self.root.at_destination(self.account), b".New")
        os.makedirs(os.path.join(folder, b"cur"))
        self.make_account_there(b"c")
        self.lab.flush()
        done = self.lab.agent.cli("verify")
        self.assert_exit(0, done)
        self.assertIn("what its users did there is theirs, and not compared", done.stdout)

    def make_account_there(self, name: bytes):
        account = os.path.join(os.fsencode(self.root.destination), b"example.org", name, b"Maildir")
        for area in (b"cur", b"new", b"tmp"):
            os.makedirs(os.path.join(account, area))


if __name__ == "__main__":
    unittest.main()
