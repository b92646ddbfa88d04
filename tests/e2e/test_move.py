"""Accounts move one at a time, by a list: from a mirrored root into a drained one of the same tree, with the maps of the door."""

import json
import os
import signal
import time
import unittest

from maildirsync_testing import OWNER, deliver, wait_until, write_text
from maildir_trees import write_file
from cutover_lab import KILL, CutoverTest

OLD = b"1700000000.M%dP1.mx:2,S"
A, B = "a@example.org", "b@example.org"


class ListTest(CutoverTest):
    """Two accounts that are mirrored, and a drained root with nobody in it."""

    def prepare(self):
        self.other = self.make_account(self.root, b"b")
        self.list = write_text(os.path.join(self.lab.base, "moved"), "# who has moved\n", 0o644)
        self.moved = self.lab.add_root("moved", include_file=self.list, mode="drain")
        self.root.options["exclude_file"] = self.list
        self.moved.source, self.moved.destination = self.root.source, self.root.destination
        self.root.landing["shared"] = self.moved.landing["shared"] = True
        self.configure()

    def configure(self):
        """What else the agent is told."""

    def reload(self):
        before = self.lab.agent.log_text().count(" reloaded ")
        self.lab.agent.signal(signal.SIGHUP)
        wait_until(lambda: self.lab.agent.log_text().count(" reloaded ") > before, "the agent reloads", alive=self.lab.daemons)

    def members(self) -> dict:
        """Which accounts each root has."""
        done = self.lab.agent.cli("--json", "status", "--account", "*")
        roots = {"vhosts": [], "moved": []}
        for account in json.loads(done.stdout)["accounts"]:
            roots[account["root"]].append(account["name"])
        return {name: sorted(accounts) for name, accounts in roots.items()}

    def put_on_list(self, *names: str):
        write_text(self.list, "".join(name + "\n" for name in names), 0o644)
        self.reload()

    def wait_members(self, vhosts: list[str], moved: list[str]):
        wait_until(lambda: self.members() == {"vhosts": vhosts, "moved": moved}, "the accounts change their roots", alive=self.lab.daemons)

    def there(self, *path: bytes) -> bytes:
        return os.path.join(self.root.at_destination(self.account), *path)

    def users_work(self):
        """At the new server: a message is read, one goes, one comes."""
        os.rename(self.there(b"cur", OLD % 1), self.there(b"cur", b"1700000000.M1P1.mx:2,FS"))
        os.unlink(self.there(b"cur", OLD % 2))
        write_file(self.there(b"cur", b"1800000000.M1P9.new:2,S"), b"Subject: sent\n\nx\n", OWNER, 0o600)

    def assert_users_work_stands(self):
        names = os.listdir(self.there(b"cur"))
        self.assertIn(b"1700000000.M1P1.mx:2,FS", names)
        self.assertNotIn(OLD % 1, names)
        self.assertNotIn(OLD % 2, names)
        self.assertIn(b"1800000000.M1P9.new:2,S", names)

    def straggler(self, name: bytes):
        """Mail that comes to the old server arrives at the new one."""
        path = self.root.at_destination(deliver(self.account, name))
        wait_until(lambda: os.path.exists(path), "a straggler arrives", alive=self.lab.daemons)


class Lists(ListTest):
    def test_an_account_that_is_put_on_the_list_is_drained_from_then_on(self):
        self.put_on_list(A)
        self.wait_members([B], [A])
        self.users_work()
        # The old server goes on with what it has: nothing of it is mirrored any more.
        os.rename(os.path.join(self.account, b"cur", OLD % 3), os.path.join(self.account, b"cur", b"1700000000.M3P1.mx:2,RS"))
        os.unlink(os.path.join(self.account, b"cur", OLD % 4))
        self.straggler(b"1800000000.M1P7.mx")
        self.lab.flush()
        self.assert_users_work_stands()
        self.assertTrue(os.path.exists(self.there(b"cur", OLD % 3)))
        self.assertTrue(os.path.exists(self.there(b"cur", OLD % 4)))
        # The other one is mirrored on.
        os.unlink(os.path.join(self.other, b"cur", OLD % 4))
        gone = self.root.at_destination(os.path.join(self.other, b"cur", OLD % 4))
        wait_until(lambda: not os.path.exists(gone), "a deletion of the other account", alive=self.lab.daemons)
        self.assert_exit(0, self.lab.agent.cli("verify"))

    def test_what_users_removed_stays_so_over_a_restart_and_without_the_agents_state(self):
        self.put_on_list(A)
        self.wait_members([B], [A])
        self.users_work()
        self.lab.agent.restart()
        self.lab.flush()
        self.assert_users_work_stands()
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.lab.agent.start()
        self.straggler(b"1800000000.M2P7.mx")
        self.lab.flush()
        self.assert_users_work_stands()
        self.assertEqual({"vhosts": [B], "moved": [A]}, self.members())

    def test_only_what_came_after_the_move_is_a_straggler(self):
        late = b"%d.M5P7.mx" % 1_750_000_000
        deliver(self.account, late)
        self.lab.flush()
        self.put_on_list(A)
        self.wait_members([B], [A])
        self.straggler(b"1800000000.M3P7.mx")
        self.lab.flush()
        done = self.lab.agent.cli("--json", "drain", "--report")
        (root,) = json.loads(done.stdout)["drained"]
        self.assertEqual(["new/1800000000.M3P7.mx"], [one["path"] for one in root["named"]])
        # The week of quiet begins with the last one that moved.
        moved = root["since_unix"]
        time.sleep(1.1)
        self.put_on_list(A, B)
        self.wait_members([], [A, B])
        (root,) = json.loads(self.lab.agent.cli("--json", "drain", "--report").stdout)["drained"]
        self.assertGreater(root["since_unix"], moved)
        self.assertEqual(1, root["messages"])

    def test_one_that_is_taken_off_the_list_is_not_mirrored_again_without_a_word(self):
        self.put_on_list(A)
        self.wait_members([B], [A])
        self.users_work()
        self.put_on_list()
        problem = self.lab.agent.wait_problem("owned-by-another", A)
        self.assertIn("maildirsync disown", problem["detail"])
        os.unlink(os.path.join(self.account, b"cur", OLD % 5))
        self.assert_users_work_stands()
        self.assertTrue(os.path.exists(self.there(b"cur", OLD % 5)))
        self.assertEqual("live", [root for root in self.lab.agent.status()["roots"] if root["name"] == "moved"][0]["state"].replace("draining", "live"))

    def test_a_list_that_is_away_changes_nothing(self):
        self.put_on_list(A)
        self.wait_members([B], [A])
        os.unlink(self.list)
        self.lab.agent.signal(signal.SIGHUP)
        problem = self.lab.agent.wait_problem("config", "exclude_file")
        self.assertIn("must be there", problem["detail"])
        self.assertEqual({"vhosts": [B], "moved": [A]}, self.members())


    def test_what_was_never_mirrored_arrives_whole(self):
        """It is on the list before its first copy, and its mail is older than the drain."""
        self.lab.agent.stop()
        third = self.make_account(self.root, b"c")
        write_text(self.list, "c@example.org\n", 0o644)
        self.lab.agent.start()
        self.lab.flush()
        self.assertEqual(30, len(os.listdir(os.path.join(self.root.at_destination(third), b"cur"))))
        self.assertEqual({"vhosts": [A, B], "moved": ["c@example.org"]}, self.members())

    def test_one_that_is_still_copied_moves_once_it_is_whole(self):
        self.lab.receiver.stop()
        third = self.make_account(self.root, b"c")
        wait_until(lambda: "c@example.org" in self.members()["vhosts"], "the account is found", alive=[self.lab.agent])
        self.put_on_list("c@example.org")
        self.assertEqual([A, B, "c@example.org"], self.members()["vhosts"])
        self.lab.receiver.start()
        wait_until(lambda: len(os.listdir(os.path.join(self.root.at_destination(third), b"cur"))) == 30
                   if os.path.isdir(self.root.at_destination(third)) else False, "it is copied", alive=self.lab.daemons)  # fmt: skip
        self.wait_members([A, B], ["c@example.org"])
        self.assert_exit(0, self.lab.agent.cli("verify"))


class MoveTest(ListTest):
    def configure(self):
        self.door = os.path.join(self.lab.base, "door")
        self.lab.agent.extra["door"] = {
            "directory": self.door, "old_host": "10.0.0.1", "new_host": "10.0.0.2",
            "changed": f"echo $MAILDIRSYNC_PLACE $(cat $MAILDIRSYNC_DOOR/changed) | tr ' ' ':' >> '{self.journal}'",
        }  # fmt: skip

    def map(self, name: str) -> list[str]:
        with open(os.path.join(self.door, name), encoding="utf-8") as file:
            return [line for line in file.read().splitlines() if not line.startswith("#")]

    def move(self, expected: int, *arguments: str) -> dict:
        done = self.lab.agent.cli("--json", "move", *arguments, limit=120)
        self.assert_exit(expected, done)
        return json.loads(done.stdout) if done.stdout else {"detail": done.stderr}


class Move(MoveTest):
    def test_one_account_moves_and_the_others_go_on(self):
        result = self.move(0, A)
        self.assertEqual(["presync", "freeze", "flush", "verify", "indexes", "switch", "drain"], [step["step"] for step in result["steps"]])
        self.assertEqual((["moved"], [A], 1), (result["drained"], result["moved_accounts"], result["verified"]["accounts"]))
        self.assertEqual([f"moves:{A}", f"there:{A}"], self.done())
        self.assertEqual({"vhosts": [B], "moved": [A]}, self.members())
        self.assertEqual([f"{A}:::::::proxy=y nopassword=y host=10.0.0.2"], self.map("old/dovecot-proxy"))
        self.assertEqual([f"{A} smtp:[10.0.0.2]"], self.map("old/postfix-transport"))
        self.assertEqual([f"{B}:::::::proxy=y nopassword=y host=10.0.0.1"], self.map("new/dovecot-proxy"))
        self.assertEqual([f"{B} smtp:[10.0.0.1]"], self.map("new/postfix-transport"))
        self.assertEqual([f"{A} 10.0.0.2", f"{B} 10.0.0.1"], self.map("table"))
        self.users_work()
        self.straggler(b"1800000000.M1P7.mx")
        self.lab.flush()
        self.assert_users_work_stands()
        self.assertIn("has moved already", self.move(1, A)["detail"])
        self.assertTrue(self.move(0, B)["complete"])
        self.assertEqual({"vhosts": [], "moved": [A, B]}, self.members())
        self.assertEqual([], self.map("new/dovecot-proxy"))
        self.assert_exit(0, self.lab.agent.cli("verify"))
        self.assertNotIn("root-held", self.lab.agent.log_text())
        self.assertEqual([], self.lab.agent.problems())
        with open(self.list, encoding="utf-8") as file:
            self.assertIn("# who has moved", file.read())

    def test_what_stands_in_the_way_of_another_account_does_not_stop_it(self):
        other = self.root.at_destination(os.path.join(self.other, b"cur", b"1800000000.M1P9.new:2,S"))
        write_file(other, b"theirs", OWNER, 0o600)
        self.assertEqual("presync", self.move(1, B)["stopped_at"])
        self.assertTrue(self.move(0, A)["complete"])

    def test_a_check_that_fails_puts_everybody_back(self):
        result = self.move(1, A, "--check", "false")
        self.assertEqual("check", result["stopped_at"])
        self.assertEqual(["switch", "freeze"], [one["step"] for one in result["undone"]])
        self.assertEqual([f"moves:{A}", f"there:{A}", f"moves:{A}", f"here:{A}"], self.done())
        self.assertEqual([], self.map("old/dovecot-proxy"))
        self.assertEqual({"vhosts": [A, B], "moved": []}, self.members())
        self.assertTrue(self.move(0, A)["complete"])

    def test_while_it_is_under_way_nobody_is_let_in(self):
        seen = os.path.join(self.lab.base, "seen")
        self.move(0, A, "--freeze", f"cat '{self.door}'/old/dovecot-proxy '{self.door}'/new/postfix-transport > '{seen}'")
        with open(seen, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(f"{A}:::::::proxy=y nopassword=y host=127.0.0.1 port=1 ", text)
        self.assertIn(f"{A} retry:4.3.2 ", text)

    def test_one_that_was_killed_goes_on_or_back(self):
        done = self.lab.agent.cli("--json", "move", A, "--freeze", KILL, "--thaw", "true", limit=120)
        self.assertEqual(-9, done.returncode, done.stderr)
        self.assert_open("freeze")
        self.assertTrue(self.move(0, "--resume", "--freeze", "true")["complete"])
        self.assertEqual({"vhosts": [B], "moved": [A]}, self.members())
        done = self.lab.agent.cli("--json", "move", B, "--check", KILL, limit=120)
        self.assertEqual(-9, done.returncode, done.stderr)
        self.assertTrue(self.move(0, "--undo")["undone_all"])
        self.assertEqual({"vhosts": [B], "moved": [A]}, self.members())
        self.assertEqual([f"{A}:::::::proxy=y nopassword=y host=10.0.0.2"], self.map("old/dovecot-proxy"))

    def test_a_group_moves_through_the_same_door(self):
        """All that is mirrored, by one cutover."""
        self.assertTrue(self.move(0, A)["complete"])
        result = self.cutover(0, "--group", "vhosts")
        self.assertEqual(["vhosts"], result["drained"])
        self.assertEqual([f"{A} 10.0.0.2", f"{B} 10.0.0.2"], self.map("table"))

    def test_the_maps_are_written_before_anybody_moves(self):
        self.assert_exit(0, self.lab.agent.cli("door"))
        self.assertEqual([f"{A} 10.0.0.1", f"{B} 10.0.0.1"], self.map("table"))
        self.assertEqual([], self.map("old/postfix-transport"))

    def test_a_command_of_the_door_that_fails_leaves_everybody_where_they_were(self):
        self.lab.agent.extra["door"]["changed"] = "test $MAILDIRSYNC_PLACE != there"
        self.lab.agent.write_config()
        self.reload()
        result = self.move(1, A)
        self.assertEqual("switch", result["stopped_at"])
        self.assertTrue(result["undone_all"])
        self.assertEqual({"vhosts": [A, B], "moved": []}, self.members())
        self.assertEqual([f"{A} 10.0.0.1", f"{B} 10.0.0.1"], self.map("table"))


class WithoutADoor(ListTest):
    def run_move(self, expected: int, *arguments: str) -> str:
        done = self.lab.agent.cli("move", *arguments, limit=120)
        self.assert_exit(expected, done)
        return done.stderr + done.stdout

    def test_a_command_can_take_its_place(self):
        self.assertIn("configure a [door]", self.run_move(2, A))
        self.assertIn("complete after", self.run_move(0, A, "--switch", self.writes("switch")))
        self.assertEqual(["switch"], self.done())

    def test_what_cannot_be_moved_is_refused_with_what_to_configure(self):
        self.assertIn("there is no account x@example.org", self.run_move(1, "x@example.org", "--switch", "true"))
        self.assertIn("takes no accounts that move", self.run_move(1, A, "--to", "vhosts", "--switch", "true"))
        self.assertIn("takes the names of accounts", self.run_move(2))
        self.root.options["exclude_file"] = None
        self.root.options["exclude"] = ["nobody@*"]
        self.lab.agent.write_config()
        self.reload()
        self.assertIn("needs exclude_file", self.run_move(1, A, "--switch", "true"))


if __name__ == "__main__":
    unittest.main()
