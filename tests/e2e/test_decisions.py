"""What a person decided outlives every loss: of a root whose users moved, nothing at the destination is undone by a lost, damaged or older
state of either side or of both, nor by a command that does not say so; and what cannot be known is asked."""

import json
import os
import re
import shutil
import signal
import socket
import unittest

from between import Between
from maildir_trees import make_maildir, read_tree, write_file
from maildirsync_testing import OWNER, LabTest, deliver, free_port, keygen, wait_until
from network import HEADER_HELLO, field, fields, frame

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MESSAGES = 20
HEADER_OPEN_ACCOUNT = 3


class DecisionTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.agent, self.receiver = self.lab.agent, self.lab.receiver
        self.account = self.root.make_account(b"a")
        make_maildir(os.path.join(self.account, b".Lists"), OWNER)
        for i in range(MESSAGES):
            deliver(self.account, self.message(i), b"Subject: %d\n\nx\n" % i, area=b"cur")
        self.there = self.root.at_destination(self.account)
        self.serial = 0
        self.lab.start()
        self.lab.flush()

    @staticmethod
    def message(number: int, flags: bytes = b"") -> bytes:
        return b"1700000000.M%dP1.mx:2," % number + flags

    def root_status(self) -> dict:
        return self.agent.status()["roots"][0]

    def drain(self) -> dict:
        done = self.agent.cli("--json", "drain", "vhosts")
        self.assert_exit(0, done)
        return json.loads(done.stdout)

    def straggler(self) -> bytes:
        """A message comes by the old server, and gets to the destination."""
        self.serial += 1
        path = self.root.at_destination(deliver(self.account, b"1900000000.M%dP7.old" % self.serial))
        wait_until(lambda: os.path.exists(path), f"{path!r} arrives", alive=self.lab.daemons)
        return path

    def users_work(self):
        """At the destination, as people do on their new server."""
        cur = os.path.join(self.there, b"cur")
        os.unlink(os.path.join(cur, self.message(0)))
        for number in (1, 3, 4):
            os.rename(os.path.join(cur, self.message(number)), os.path.join(cur, self.message(number, b"FS")))
        os.rename(os.path.join(cur, self.message(2)), os.path.join(self.there, b".Lists", b"cur", self.message(2, b"S")))
        write_file(os.path.join(self.there, b"new", b"1700000500.M1P1.new"), b"Subject: only there\n\nx\n", OWNER, 0o600)
        self.worked = read_tree(self.root.destination)

    def assert_untouched(self):
        """All that users made of the destination is as they left it; what came since is mail that the old server took."""
        now = read_tree(self.root.destination)
        new = set(now) - set(self.worked)
        self.assertEqual(set(), {path for path in new if b"P7.old" not in path})
        for path, entry in self.worked.items():
            self.assertIn(path, now)
            if entry.kind == "file":
                self.assertEqual((entry.size, entry.mtime, entry.mode), (now[path].size, now[path].mtime, now[path].mode), path)

    def flush_everything(self):
        self.agent.flush("--full")
        self.agent.cli("verify", "--repair")

    # -- what happens to a state directory

    def back_up(self):
        for daemon in self.lab.daemons:
            shutil.copytree(daemon.state_dir, daemon.state_dir + ".older")

    @staticmethod
    def files_of_decisions(daemon) -> list[str]:
        return [os.path.join(daemon.state_dir, name) for name in os.listdir(daemon.state_dir) if re.fullmatch(r"decisions(-[0-9a-f]+)?", name)]

    def lost(self, daemon):
        shutil.rmtree(daemon.state_dir)

    def damaged(self, daemon):
        files = self.files_of_decisions(daemon)
        self.assertNotEqual([], files)
        for path in files:
            with open(path, "r+b") as file:
                file.seek(os.path.getsize(path) // 2)
                file.write(b"\0\0\0\0")

    def older(self, daemon):
        shutil.rmtree(daemon.state_dir)
        shutil.copytree(daemon.state_dir + ".older", daemon.state_dir)

    def each_loss(self, then):
        """Each loss on each side and on both, the sides started in either order; `then(number)` looks what came of it."""
        number = 0
        for how in (self.lost, self.damaged, self.older):
            for daemons in ([self.agent], [self.receiver], [self.agent, self.receiver]):
                number += 1
                first, second = (self.agent, self.receiver) if number % 2 else (self.receiver, self.agent)
                with self.subTest(f"{how.__name__}: {', '.join(daemon.name for daemon in daemons)}; {first.name} starts first"):
                    for daemon in self.lab.daemons:
                        daemon.stop()
                    for daemon in daemons:
                        how(daemon)
                    first.start()
                    second.start()
                    then(number)


class LossesOfADrainedRoot(DecisionTest):
    def test_nothing_that_users_did_is_undone(self):
        self.agent.stop(), self.receiver.stop()
        self.back_up()
        self.receiver.start(), self.agent.start()
        self.agent.wait_state("live")
        answer = self.drain()
        self.assertTrue(answer["receiver_has_it"], answer)
        self.users_work()

        def drains_on(_):
            status = self.agent.wait_state("draining")
            self.assertEqual([], status["problems"])
            self.assertEqual("drain", status["roots"][0]["mode"])
            self.assertEqual("draining", status["roots"][0]["state"])
            self.straggler()
            self.flush_everything()
            self.assert_untouched()

        self.each_loss(drains_on)
        self.assertRegex(self.agent.log_text(), r"decision-adopted root=vhosts agent=\"nothing\" receiver=\"drain, number 2, said " + STAMP + " by drain\"")
        self.assertRegex(self.agent.log_text(), r"decision-adopted root=vhosts agent=\"mirror, number 1,")
        self.assertRegex(self.agent.log_text(), "decisions-damaged .*decisions.damaged-")
        self.assertRegex(self.receiver.log_text(), "decisions-damaged .*decisions-[0-9a-f]{64}")


class GivenIsGiven(DecisionTest):
    """Mail that users of a drained root removed does not come back, though the agent has forgotten that it gave it."""

    def names(self) -> set[bytes]:
        return {name.partition(b":2,")[0] for area in (b"cur", b"new") for name in os.listdir(os.path.join(self.there, area))}

    def stock_is_taken(self):
        self.receiver.wait_log("stock-taken root=vhosts")

    def assert_stays_away(self, *gone: bytes):
        """What users removed; and new mail arrives."""
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        self.assertEqual(set(), self.names() & set(gone))

    def test_a_straggler_that_users_removed_after_an_older_state_of_either_side_or_both(self):
        self.drain()
        self.agent.stop(), self.receiver.stop()
        self.back_up()
        self.receiver.start(), self.agent.start()
        self.agent.wait_state("draining")
        late = [self.straggler() for _ in range(3)]
        self.agent.flush()
        os.unlink(late[0])
        os.rename(late[1], os.path.join(self.there, b".Lists", b"cur", os.path.basename(late[1]) + b":2,S"))
        os.rename(late[2], os.path.join(self.there, b"cur", os.path.basename(late[2]) + b":2,S"))
        kept = self.names() | {os.path.basename(late[2])}

        def stays_away(_):
            self.assert_stays_away(os.path.basename(late[0]), os.path.basename(late[1]))
            self.assertLessEqual(kept, self.names())

        self.each_loss(stays_away)
        self.assertRegex(self.receiver.log_text(), "mail-withheld account=example.org/a/Maildir path=new/1900000000.M1P7.old ")

    def test_mail_of_before_where_a_problem_stood_when_the_drain_was_said(self):
        """Then nobody can say by the time alone what had been given."""
        foreign = os.path.join(self.account, b"cur", b"1700000100.M1P1.foreign:2,")
        write_file(foreign, b"of somebody else\n", (5099, 5099), 0o600)
        os.link(foreign, os.path.join(os.fsencode(self.root.source), b"its-other-name"))
        self.agent.wait_problem("foreign-owner")
        self.drain()
        self.stock_is_taken()
        os.unlink(foreign)
        os.unlink(os.path.join(self.there, b"cur", self.message(0)))
        for how in (self.lost, self.damaged):
            for daemons in ([self.agent], [self.agent, self.receiver]):
                with self.subTest(f"{how.__name__}: {', '.join(daemon.name for daemon in daemons)}"):
                    self.agent.stop(), self.receiver.stop()
                    for daemon in daemons:
                        how(daemon)
                    self.receiver.start(), self.agent.start()
                    self.assert_stays_away(self.message(0).partition(b":2,")[0])

    def test_an_agent_with_another_key_brings_nothing_back_either(self):
        self.drain()
        self.stock_is_taken()
        late = self.straggler()
        self.agent.flush()
        os.unlink(late)
        os.unlink(os.path.join(self.there, b"cur", self.message(0)))
        self.agent.stop()
        self.lost(self.agent)
        self.agent.identity = keygen(os.path.join(self.agent.directory, "other"), "other")
        self.receiver.write_config()
        self.receiver.restart()
        self.agent.start()
        self.agent.wait_problem("foreign-agent")
        self.assert_exit(0, self.agent.cli("drain", "vhosts", "--adopt"))
        self.assert_stays_away(os.path.basename(late), self.message(0).partition(b":2,")[0])

    def test_it_comes_back_by_a_mirror_that_says_so(self):
        self.drain()
        self.stock_is_taken()
        os.unlink(os.path.join(self.there, b"cur", self.message(0)))
        self.assert_exit(0, self.agent.cli("mirror", "vhosts", "--undo-what-users-did"))
        self.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()


class LossesOfAMirroredRoot(DecisionTest):
    def test_it_mirrors_on(self):
        self.agent.stop(), self.receiver.stop()
        self.back_up()
        self.receiver.start(), self.agent.start()
        self.lab.flush()

        def mirrors_on(number):
            if self.agent.wait_state("live", "held")["state"] == "held":
                # Both files of decisions are gone, and the state knows of mail: there was one.
                self.assertIn("this agent knows: nothing; the receiver knows: nothing", self.agent.problems("decisions-lost")[0]["detail"])
                self.assertEqual(6, number)
                self.assert_exit(0, self.agent.cli("mirror", "vhosts"))
                self.agent.wait_state("live")
            status = self.agent.status()
            self.assertEqual([], status["problems"])
            self.assertEqual("mirror", status["roots"][0]["mode"])
            self.straggler()
            os.rename(os.path.join(self.account, b"cur", self.message(number)), os.path.join(self.account, b"cur", self.message(number, b"S")))
            self.lab.flush()
            self.lab.assert_equal()

        self.each_loss(mirrors_on)


class Commands(DecisionTest):
    def test_a_mirror_after_a_drain_says_first_what_it_would_undo(self):
        self.drain()
        self.users_work()
        self.straggler()
        done = self.agent.cli("mirror", "vhosts")
        self.assert_exit(1, done)
        for words in (
            "in 1 of 1 accounts: 3 messages with other flags, 1 message deleted there, 1 message moved there, 1 message only there",
            "maildirsync mirror vhosts --undo-what-users-did",
            "a@example.org: 3 flags, 1 deletions, 1 moves, 1 only there",
        ):
            self.assertIn(words, done.stderr)
        answer = json.loads(self.agent.cli("--json", "mirror", "vhosts").stdout)
        self.assertFalse(answer["ok"])
        undone = {key: answer["would_undo"][key] for key in ("accounts", "flags", "deletions", "moves", "only_there")}
        self.assertEqual({"accounts": 1, "flags": 3, "deletions": 1, "moves": 1, "only_there": 1}, undone)
        self.assertEqual("draining", self.agent.status()["state"])
        self.flush_everything()
        self.assert_untouched()
        self.assert_exit(0, self.agent.cli("mirror", "vhosts", "--undo-what-users-did"))
        self.agent.wait_state("live")
        self.lab.flush()
        theirs = (b"1700000500.M1P1.new", b".M2P1.mx:2,S")  # only there, or moved there: it stays
        self.assertEqual([], [found for found in self.lab.differences() if not found.path.endswith(theirs)])
        self.assertEqual("mirror --undo-what-users-did", self.root_status()["decision"]["by"])

    def would_undo(self, *arguments: str) -> dict:
        done = self.agent.cli("--json", "mirror", "vhosts", *arguments)
        self.assert_exit(1, done)
        return {key: count for key, count in json.loads(done.stdout)["would_undo"].items() if isinstance(count, int) and count > 0}

    def settle_there(self):
        """Beside the mail: a folder of its own, a message that lies in two folders, control files."""
        sent, lists = os.path.join(self.account, b".Sent"), os.path.join(self.account, b".Lists")
        make_maildir(sent, OWNER)
        for i in range(3):
            deliver(sent, b"1700000100.M%dP1.mx:2,S" % i, b"Subject: sent\n\nx\n", area=b"cur")
        os.link(os.path.join(self.account, b"cur", self.message(6)), os.path.join(lists, b"cur", self.message(6)))
        os.mkdir(os.path.join(self.account, b"sieve"), 0o700)
        os.chown(os.path.join(self.account, b"sieve"), *OWNER)
        for name in (b"subscriptions", b"sieve/main.sieve"):
            write_file(os.path.join(self.account, *name.split(b"/")), b"old\n", OWNER, 0o600)
        self.lab.flush()
        self.lab.assert_equal()
        self.drain()

    def test_a_folder_that_is_missing_there_is_asked_about(self):
        self.settle_there()
        shutil.rmtree(os.path.join(self.there, b".Sent"))
        self.assertEqual({"accounts": 1, "of_accounts": 1, "in_missing_folders": 3}, self.would_undo())
        self.assertFalse(os.path.exists(os.path.join(self.there, b".Sent")))

    def test_an_account_that_is_missing_there_is_asked_about(self):
        self.settle_there()
        shutil.rmtree(self.there)
        self.assertEqual({"accounts": 1, "of_accounts": 1, "in_missing_folders": MESSAGES + 4, "control_files": 2}, self.would_undo())
        done = self.agent.cli("mirror", "vhosts")
        self.assertIn("24 messages of folders missing there, 2 control files changed or removed there", done.stderr)
        self.assertIn("a@example.org: 24 in missing folders, 2 control files", done.stderr)
        self.assertFalse(os.path.exists(self.there))

    def test_other_control_files_are_asked_about(self):
        self.settle_there()
        write_file(os.path.join(self.there, b"subscriptions"), b"new\n", OWNER, 0o600)
        write_file(os.path.join(self.there, b"sieve", b"main.sieve"), b"keep;\n", OWNER, 0o600)
        write_file(os.path.join(self.account, b"sieve", b"main.sieve"), b"discard;\n", OWNER, 0o600)
        self.assertEqual({"accounts": 1, "of_accounts": 1, "control_files": 2}, self.would_undo())

    def test_control_files_that_only_the_source_changed_are_not(self):
        self.settle_there()
        write_file(os.path.join(self.account, b"sieve", b"main.sieve"), b"discard;\n", OWNER, 0o600)
        write_file(os.path.join(self.there, b"subscriptions"), b"old\n", OWNER, 0o600)  # written again
        self.assert_exit(0, self.agent.cli("mirror", "vhosts"))
        self.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_deleted_message_that_lies_in_another_folder_too_is_asked_about(self):
        self.settle_there()
        os.unlink(os.path.join(self.there, b"cur", self.message(6)))
        self.assertEqual({"accounts": 1, "of_accounts": 1, "deletions": 1}, self.would_undo())

    def test_deletions_are_asked_about_after_the_record_and_the_key_were_lost(self):
        for number in (0, 1):  # they came well before the drain
            os.utime(os.path.join(self.account, b"cur", self.message(number)), (1700000000, 1700000000))
        self.settle_there()
        for number in (0, 1):
            os.unlink(os.path.join(self.there, b"cur", self.message(number)))
        for daemon in self.lab.daemons:
            daemon.stop()
        self.lost(self.agent)
        self.agent.identity = keygen(os.path.join(self.agent.directory, "other"), "other")
        self.receiver.start()
        self.agent.start()
        self.agent.wait_problem("foreign-agent")
        self.assertEqual({"accounts": 1, "of_accounts": 1, "deletions": 2}, self.would_undo("--adopt"))
        self.assertIn("maildirsync mirror vhosts --undo-what-users-did --adopt", self.agent.cli("mirror", "vhosts", "--adopt").stderr)
        self.assertFalse(os.path.exists(os.path.join(self.there, b"cur", self.message(0))))

    def test_a_mirror_by_the_configuration_asks_about_a_missing_folder(self):
        self.settle_there()
        self.root.options["mode"] = "drain"
        self.agent.restart()
        self.agent.wait_state("draining")
        shutil.rmtree(os.path.join(self.there, b".Sent"))
        self.root.options["mode"] = "mirror"
        self.agent.restart()
        problem = self.agent.wait_problem("users-at-destination", "a@example.org")
        self.assertIn("(3 messages of folders missing there)", problem["detail"])
        self.assertFalse(os.path.exists(os.path.join(self.there, b".Sent")))

    def test_it_asks_nothing_where_users_did_nothing(self):
        self.drain()
        self.straggler()
        os.rename(os.path.join(self.account, b"cur", self.message(5)), os.path.join(self.account, b"cur", self.message(5, b"S")))
        self.assert_exit(0, self.agent.cli("mirror", "vhosts"))
        self.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_an_undoing_that_was_cut_off_goes_on(self):
        self.drain()
        self.users_work()
        self.receiver.stop()
        done = self.agent.cli("mirror", "vhosts")
        self.assert_exit(1, done)
        self.assertIn("cannot be seen: the receiver is not connected", done.stderr)
        done = self.agent.cli("mirror", "vhosts", "--undo-what-users-did")
        self.assert_exit(0, done)
        self.assertIn("the receiver does not have it", done.stdout)
        self.agent.kill()
        self.receiver.start()
        self.agent.start()
        self.agent.wait_state("live")
        self.lab.flush()
        self.assertTrue(os.path.exists(os.path.join(self.there, b"cur", self.message(0))))
        self.assertFalse(os.path.exists(os.path.join(self.there, b"cur", self.message(1, b"FS"))))

    def test_a_mirror_by_the_configuration_asks_for_each_account(self):
        self.root.options["mode"] = "drain"
        self.agent.restart()
        self.agent.wait_state("draining")
        self.users_work()
        self.root.options["mode"] = "mirror"
        self.agent.restart()
        self.agent.wait_state("held")
        problem = self.agent.wait_problem("users-at-destination", "a@example.org")
        self.assertIn("maildirsync drain vhosts", problem["detail"])
        self.agent.flush("--full", "--timeout", "3", complete=False)
        self.assert_untouched()
        self.drain()
        self.agent.wait_state("draining")
        self.assertEqual([], self.agent.problems())
        self.straggler()
        self.assert_untouched()

    def test_a_drain_while_the_receiver_is_down(self):
        self.receiver.stop()
        self.agent.wait_state("connecting")
        done = self.agent.cli("drain", "vhosts")
        self.assert_exit(0, done)
        self.assertIn("root vhosts: drain; kept here, but the receiver does not have it", done.stdout)
        self.agent.kill()
        self.users_work()
        self.receiver.start()
        self.agent.start()
        self.agent.wait_state("draining")
        self.assertTrue(self.root_status()["decision"]["receiver_knows"])
        self.straggler()
        self.flush_everything()
        self.assert_untouched()
        # Now that the receiver has it, it outlives the agent's state.
        self.agent.stop()
        self.lost(self.agent)
        self.agent.start()
        self.agent.wait_state("draining")
        self.straggler()
        self.assert_untouched()

    def test_words_that_contradict_each_other_are_a_persons_to_settle(self):
        self.drain()
        self.users_work()
        for daemon in self.lab.daemons:
            daemon.stop()
        self.lost(self.agent)
        self.agent.start()
        self.assert_exit(0, self.agent.cli("mirror", "vhosts", "--undo-what-users-did"))  # by somebody who knows of no drain
        self.receiver.start()
        problem = self.agent.wait_problem("decisions-lost")
        self.assertEqual("vhosts", problem["root"])
        self.assertRegex(problem["detail"], rf"this agent knows: mirror, number 1, said {STAMP} by mirror --undo-what-users-did; the receiver knows: drain, number 2, said {STAMP} by drain")
        for command in ("maildirsync drain vhosts", "maildirsync mirror vhosts --undo-what-users-did"):
            self.assertIn(command, problem["detail"])
        self.assertEqual("held", self.agent.status()["state"])
        self.assert_exit(2, self.agent.cli("status"))
        result = self.agent.flush("--timeout", "2", complete=False)
        self.assertIn("decisions-lost", {one.get("code") for one in result["left_out"]})
        self.assert_untouched()
        self.drain()
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        self.assert_untouched()

    def test_a_pause_outlives_the_agents_state(self):
        self.assert_exit(0, self.agent.cli("pause"))
        self.agent.stop()
        self.lost(self.agent)
        self.agent.start()
        self.agent.wait_state("paused")
        self.assert_exit(0, self.agent.cli("resume"))
        self.lab.flush()
        self.agent.restart()
        self.agent.wait_state("live")

    def test_the_file_can_be_read_by_people(self):
        self.drain()
        with open(os.path.join(self.agent.state_dir, "decisions"), encoding="utf-8") as file:
            text = file.read()
        self.assertRegex(text, rf'(?m)^root "vhosts" number 1 word mirror when {STAMP} by "agent.toml"')
        self.assertRegex(text, rf'(?m)^root "vhosts" number 2 word drain when {STAMP} by "drain" id [0-9a-f]{{16}} given-until {STAMP[:-1]}\.\d{{9}}Z$')


class UsersAtWork(DecisionTest):
    """The window was done by hand, and the drain was forgotten."""

    def test_a_full_flush_undoes_nothing_without_a_question(self):
        self.users_work()
        result = self.agent.flush("--full", "--timeout", "20", complete=False)
        self.assertFalse(result["complete"])
        self.assertIn("users-at-destination", {one.get("code") for one in result["left_out"]})
        problem = self.agent.wait_problem("users-at-destination", "a@example.org")
        self.assertRegex(problem["detail"], r"users work on this account at the destination \(3 messages with other flags, 1 message deleted there, ")
        self.assert_untouched()
        self.agent.restart()
        self.agent.flush("--full", "--timeout", "20", complete=False)
        self.assert_untouched()
        self.drain()
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        self.assert_untouched()

    def test_a_release_lets_the_account_be_mirrored(self):
        self.users_work()
        self.agent.flush("--full", "--timeout", "20", complete=False)
        self.agent.wait_problem("users-at-destination")
        undone = "3 messages with other flags, 1 message deleted there, 1 message moved there, 1 message only there"
        done = self.agent.cli("release", "--account", "a@example.org")
        self.assert_exit(0, done)
        self.assertIn(f"This undoes at the destination what users did there: {undone}.", done.stdout)
        self.assertNotIn("deletes at the destination", done.stdout)
        self.agent.wait_state("live")
        self.agent.flush()
        self.assertTrue(os.path.exists(os.path.join(self.there, b"cur", self.message(0))))

    def test_the_states_of_both_sides_are_lost_too(self):
        """The root was never drained, and begins anew by its configuration: users' work is seen before anything is sent."""
        self.users_work()
        self.agent.stop(), self.receiver.stop()
        self.lost(self.agent), self.lost(self.receiver)
        self.receiver.start(), self.agent.start()
        problem = self.agent.wait_problem("users-at-destination", "a@example.org")
        self.assertIn("3 messages with other flags", problem["detail"])
        self.agent.flush("--full", "--timeout", "10", complete=False)
        self.assert_untouched()
        self.drain()
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        # What was deleted there cannot be told from what never arrived, and comes again; all else stays as it is.
        again = os.path.join(b"example.org", b"a", b"Maildir", b"cur", self.message(0))
        self.worked[again] = read_tree(self.root.destination)[again]
        self.assert_untouched()

    def test_a_test_login_stops_nothing(self):
        cur = os.path.join(self.there, b"cur")
        os.rename(os.path.join(cur, self.message(7)), os.path.join(cur, self.message(7, b"S")))
        self.agent.flush("--full")
        self.lab.assert_equal()


class OtherAgents(DecisionTest):
    def test_an_agent_with_another_key_waits_until_it_adopts_the_root(self):
        self.drain()
        self.users_work()
        for daemon in self.lab.daemons:
            daemon.stop()
        before = self.agent.identity.fingerprint
        self.agent.identity = keygen(os.path.join(self.agent.directory, "other"), "other")
        self.lost(self.agent)
        self.receiver.start()
        self.agent.start()
        problem = self.agent.wait_problem("foreign-agent")
        for words in (before, self.agent.identity.fingerprint, "maildirsync mirror vhosts --adopt", "maildirsync drain vhosts --adopt"):
            self.assertIn(words, problem["detail"])
        self.assertEqual("held", self.agent.wait_state("held")["roots"][0]["state"])
        done = self.agent.cli("mirror", "vhosts", "--undo-what-users-did")
        self.assert_exit(1, done)
        self.assertIn("filled by another agent", done.stderr)
        self.assert_untouched()
        self.assert_exit(0, self.agent.cli("drain", "vhosts", "--adopt"))
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        self.assert_untouched()
        # The other one is the foreign one now.
        self.agent.stop()
        self.lost(self.agent)
        other, self.agent.identity = self.agent.identity, keygen(os.path.join(self.agent.directory, "third"), "third")
        self.receiver.write_config()
        self.receiver.restart()
        self.agent.start()
        self.assertIn(other.fingerprint, self.agent.wait_problem("foreign-agent")["detail"])


class RenamedRoots(DecisionTest):
    """A root gets another name in both configurations, and lands where it did."""

    def rename(self, name: str, *daemons):
        """By a reload of these, in that order; none: by a restart of both."""
        self.root.name = name
        if not daemons:
            for daemon in self.lab.daemons:
                daemon.stop()
            self.receiver.start(), self.agent.start()
        for daemon in daemons:
            before = daemon.log_text().count(" reloaded ")
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: daemon.log_text().count(" reloaded ") > before, f"{daemon.name} reloads", alive=self.lab.daemons)

    def assert_held(self, name: str, before: str):
        detail = self.agent.wait_problem("decisions-lost")["detail"]
        for words in (f'"{before}"', "drain, number 2", f'of "{name}" this agent knows', f"maildirsync drain {name}"):
            self.assertIn(words, detail)
        self.assertIn(f"maildirsync mirror {name} --undo-what-users-did", detail)
        self.assertEqual("held", self.root_status()["state"])
        self.agent.flush("--full", "--timeout", "3", complete=False)
        done = self.agent.cli("mirror", name)
        self.assert_exit(1, done)
        self.assertIn("would undo what users did", done.stderr)
        self.assert_untouched()

    def assert_drains_on(self, name: str):
        self.assert_exit(0, self.agent.cli("drain", name))
        self.agent.wait_state("draining")
        self.straggler()
        self.flush_everything()
        self.assert_untouched()

    def test_a_drained_one_is_held_until_it_is_said_anew(self):
        self.drain()
        self.users_work()
        orders = {"restart": (), "receiver first": (self.receiver, self.agent), "agent first": (self.agent, self.receiver)}
        before = "vhosts"
        for number, (how, daemons) in enumerate(orders.items()):
            with self.subTest(how):
                self.rename(f"mail{number}", *daemons)
                self.assertIn(f'"{before}"', self.agent.wait_problem("decisions-lost")["detail"])
                self.agent.flush("--full", "--timeout", "3", complete=False)
                self.assert_untouched()
                self.assert_drains_on(f"mail{number}")
                before = f"mail{number}"
        # Back to the first name, of which both sides know an older word.
        self.rename("vhosts")
        self.assertIn(f'"{before}"', self.agent.wait_problem("decisions-lost")["detail"])
        self.assert_untouched()
        self.assert_drains_on("vhosts")

    def test_it_says_what_is_known_and_what_settles_it(self):
        self.drain()
        self.users_work()
        self.rename("mail", self.receiver, self.agent)
        self.assert_held("mail", "vhosts")
        # Whoever takes the new name back has what there was.
        self.rename("vhosts", self.receiver, self.agent)
        self.agent.wait_state("draining")
        self.straggler()
        self.assert_untouched()
        self.rename("mail")
        self.assert_exit(0, self.agent.cli("mirror", "mail", "--undo-what-users-did"))
        self.agent.wait_state("live")
        self.lab.flush()
        theirs = (b"1700000500.M1P1.new", b".M2P1.mx:2,S")  # only there, or moved there: it stays
        self.assertEqual([], [found for found in self.lab.differences() if not found.path.endswith(theirs)])

    def test_the_directory_itself_says_it_when_both_states_are_lost(self):
        self.drain()
        self.users_work()
        copy = os.path.join(self.root.destination, ".maildirsync.decisions")
        wait_until(lambda: os.path.exists(os.path.join(self.root.destination, ".maildirsync.given")), "the stock is taken", alive=self.lab.daemons)
        for remains, words in ((True, '"vhosts"'), (False, "a root was drained in this directory")):
            with self.subTest(copy=remains):
                for daemon in self.lab.daemons:
                    daemon.stop()
                    self.lost(daemon)
                if not remains:
                    os.unlink(copy)
                self.root.name = "mail" if remains else "post"
                self.receiver.start(), self.agent.start()
                self.assertIn(words, self.agent.wait_problem("decisions-lost")["detail"])
                self.agent.flush("--full", "--timeout", "3", complete=False)
                self.assert_untouched()
        self.assert_drains_on("post")

    def test_one_that_was_never_drained_goes_on(self):
        for number, daemons in enumerate([(), (self.receiver, self.agent), (self.agent, self.receiver)]):
            self.rename(f"mail{number}", *daemons)
            self.straggler()
            self.lab.flush()
            self.lab.assert_equal()
            self.assertEqual([], self.agent.problems())


class Earlier(Between):
    """Makes both neighbours of an earlier release: what that did not say is left out of their greetings, and of a turn's beginning."""

    def changed_message(self, kind: int, message: bytes) -> bytes:
        if kind not in (HEADER_HELLO, HEADER_OPEN_ACCOUNT):
            return message
        return b"".join(field(number, value) for number, values in fields(message).items() if number < 21 for value in values)


class LateAnswers(Between):
    """Holds the receiver's answer about a decision back until the agent tells the next one."""

    DECIDE, DECIDED = 41, 42

    def __init__(self, lab):
        self.holds = False
        self.held: list[tuple[socket.socket, bytes]] = []
        super().__init__(lab)

    def forward(self, header: dict[int, list], payload: bytes, target: socket.socket) -> None:
        if self.holds and self.DECIDED in header and not self.held:
            self.held.append((target, frame(self.changed(header), payload)))
            return
        super().forward(header, payload, target)
        if self.DECIDE in header and self.held:
            self.holds = False
            held_for, answer = self.held.pop()
            held_for.sendall(answer)


class AnswersThatComeLate(LabTest):
    def test_an_answer_about_a_decision_that_was_replaced_meanwhile_says_nothing(self):
        root = self.lab.add_root()
        account = root.make_account(b"a")
        deliver(account, b"1700000000.M1P1.mx")
        agent = self.lab.agent
        agent.port = free_port()
        between = LateAnswers(self.lab)
        self.addCleanup(between.close)
        self.lab.start()
        self.lab.flush()
        between.holds = True
        root.options["mode"] = "drain"
        agent.write_config()
        agent.signal(1)
        wait_until(lambda: between.held, "the answer about the drain is held back", alive=self.lab.daemons)
        root.options["mode"] = "mirror"
        agent.write_config()
        agent.signal(1)
        wait_until(lambda: not between.held, "the mirror is told", alive=self.lab.daemons)
        wait_until(lambda: agent.status()["roots"][0]["decision"]["receiver_knows"], "the receiver knows the newest", alive=self.lab.daemons)
        self.assertEqual("mirror", agent.status()["roots"][0]["mode"])
        deliver(account, b"1700000001.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertNotIn("does not keep what was decided", agent.log_text())
        self.assertEqual([], agent.problems())


class EarlierRelease(LabTest):
    def test_a_neighbour_that_keeps_no_decisions_is_told_of(self):
        root = self.lab.add_root()
        account = root.make_account(b"a")
        deliver(account, b"1700000000.M1P1.mx")
        self.lab.agent.port = free_port()
        self.lab.agent.extra["transfer"] = {"compression": "off"}
        between = Earlier(self.lab)
        self.addCleanup(between.close)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        done = self.lab.agent.cli("drain", "vhosts")
        self.assert_exit(0, done)
        self.assertIn("it is of an earlier release, and keeps no decisions", done.stdout)
        self.lab.agent.restart()
        self.lab.agent.wait_state("draining")
        path = root.at_destination(deliver(account, b"1900000000.M1P7.old"))
        wait_until(lambda: os.path.exists(path), "new mail arrives", alive=self.lab.daemons)
        self.assertFalse(self.lab.agent.status()["roots"][0]["decision"]["receiver_knows"])


if __name__ == "__main__":
    unittest.main()
