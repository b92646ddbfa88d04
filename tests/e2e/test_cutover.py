"""`cutover`: the steps in their order, undone in order when one fails, and the drained root afterwards."""

import json
import os
import signal
import unittest

from maildirsync_testing import OWNER, deliver, wait_until
from maildir_trees import read_tree, write_file
from cutover_lab import ALL, STAMP, CutoverTest


class Cutover(CutoverTest):
    def test_success(self):
        late = deliver(self.account, b"1700000001.M1P1.mx")
        page = os.path.join(self.lab.base, "record.html")
        result = self.cutover(0, "--html", page, *self.commands())
        self.assertTrue(result["complete"])
        with open(page, encoding="utf-8") as file:
            text = file.read()
        for words in ("complete", "a@example.org", "presync", "switch", result["began"], "equal: 1 account, 31 messages"):
            self.assertIn(words, text)
        self.assertEqual(["freeze", "switch"], self.done())
        self.assertEqual(ALL, [step["step"] for step in result["steps"]])
        for step in result["steps"]:
            self.assertEqual("done", step["outcome"])
            self.assertRegex(step["began"], f"^{STAMP}$")
            self.assertGreaterEqual(step["elapsed_seconds"], 0)
        self.assertTrue(result["verified"]["equal"])
        self.assertEqual(["vhosts"], result["drained"])
        self.assertGreaterEqual(result["window_seconds"], 0)
        self.assertRegex(self.errors, rf"(?m)^{STAMP} +\d+\.\d s  freeze +done")
        self.assertTrue(os.path.exists(self.root.at_destination(late)))
        log = self.lab.agent.log_text()
        for line in ("account-started", "account-copied", "account-verified", "account-cut-over"):
            self.assertRegex(log, rf"{line} root=vhosts account=a@example.org")
        self.assertRegex(log, r'cutover step=verify state=done seconds=\d')
        self.stragglers()

    def stragglers(self):
        """Mail that still comes by the old server arrives; what goes there, stays at the new one."""
        self.assertEqual("drain", self.mode())
        there = read_tree(self.root.destination)
        os.unlink(os.path.join(self.account, b"cur", b"1700000000.M0P1.mx:2,S"))
        os.rename(os.path.join(self.account, b"cur", b"1700000000.M1P1.mx:2,S"), os.path.join(self.account, b"cur", b"1700000000.M1P1.mx:2,ST"))
        new = self.root.at_destination(deliver(self.account, b"1800000000.M1P7.mx"))
        wait_until(lambda: os.path.exists(new), "a straggler arrives", alive=self.lab.daemons)
        self.lab.agent.restart()
        again = self.root.at_destination(deliver(self.account, b"1800000000.M2P7.mx"))
        wait_until(lambda: os.path.exists(again), "another one arrives after a restart", alive=self.lab.daemons)
        self.lab.flush()
        now = read_tree(self.root.destination)
        self.assertEqual(set(), set(there) - set(now))
        self.assertEqual(2, len(set(now) - set(there)))

    def test_a_freeze_that_fails_is_thawed(self):
        result = self.cutover(1, *self.commands(freeze=self.writes("freeze", "exit 7")))
        self.assert_stopped(result, "freeze", ["thaw"])
        self.assertIn("exit status 7", result["detail"])
        self.assertEqual(["freeze", "thaw"], self.done())

    def test_a_switch_that_fails_and_cannot_be_undone_leaves_the_source_frozen(self):
        result = self.cutover(1, *self.commands(switch=self.writes("switch", "false")))
        self.assert_stopped(result, "switch", [])
        self.assertEqual(["freeze", "switch"], self.done())
        self.assertTrue(result["open"])
        for said in ("the new server may serve already", "cutover --resume", "cutover --undo --unswitch true"):
            self.assertIn(said, result["remedy"])
        self.assert_open("switch")

    def test_a_switch_that_fails_is_undone_before_the_thaw(self):
        result = self.cutover(1, *self.commands(switch=self.writes("switch", "kill -9 $$"), unswitch=self.writes("unswitch")))
        self.assert_stopped(result, "switch", ["unswitch", "thaw"])
        self.assertIn("signal 9", result["detail"])
        self.assertEqual(["freeze", "switch", "unswitch", "thaw"], self.done())

    def test_an_unswitch_that_fails_leaves_the_source_frozen(self):
        result = self.cutover(
            1, *self.commands(switch=self.writes("switch", "false"), unswitch=self.writes("unswitch", "false"))
        )
        self.assert_stopped(result, "switch", ["unswitch"])
        self.assertEqual(["failed"], [one["outcome"] for one in result["undone"]])
        self.assertEqual(["freeze", "switch", "unswitch"], self.done())
        self.assertIn("cutover --undo --unswitch true", result["remedy"])
        self.assert_open("unswitch")
        self.assertIn("--undo takes back the rest", self.cutover(1, "--resume")["detail"])
        result = self.cutover(0, "--undo", "--unswitch", self.writes("by-hand"))
        self.assertTrue(result["undone_all"])
        self.assertEqual(["freeze", "switch", "unswitch", "by-hand", "thaw"], self.done())
        self.assert_nothing_open()

    def test_a_check_that_fails_is_a_switch_that_failed(self):
        result = self.cutover(1, *self.commands(unswitch=self.writes("unswitch"), check=self.writes("check", "exit 9")))
        self.assert_stopped(result, "check", ["unswitch", "thaw"])
        self.assertIn("exit status 9", result["detail"])
        self.assertEqual(["freeze", "switch", "check", "unswitch", "thaw"], self.done())
        self.assert_nothing_open()

    def test_a_check_is_made_between_switch_and_drain(self):
        result = self.cutover(0, *self.commands(check=self.writes("check")))
        self.assertEqual(ALL[:-1] + ["check", "drain"], [step["step"] for step in result["steps"]])
        self.assertEqual(["freeze", "switch", "check"], self.done())

    def test_a_thaw_that_fails_is_tried_again(self):
        result = self.cutover(1, *self.commands(freeze=self.writes("freeze", "false"), thaw=self.writes("thaw", "false")))
        self.assert_stopped(result, "freeze", ["thaw"])
        self.assertIn("cutover --undo", result["remedy"])
        self.assert_open("thaw")
        self.cutover(0, "--undo", "--thaw", self.writes("thaw"))
        self.assertEqual(["freeze", "thaw", "thaw"], self.done())
        self.assert_nothing_open()

    def test_a_command_that_hangs_is_ended(self):
        result = self.cutover(1, "--hook-timeout", "1", *self.commands(freeze=self.writes("freeze", "sleep 600")))
        self.assert_stopped(result, "freeze", ["thaw"])
        self.assertIn("not done in time", result["detail"])
        self.assertEqual(["freeze", "thaw"], self.done())

    def test_mail_that_comes_in_spite_of_the_freeze_is_a_difference_or_is_carried(self):
        name = "1700000009.M9P9.mx:2,"
        freeze = self.writes("freeze", f"cp -p '{os.fsdecode(self.account)}/cur/1700000000.M0P1.mx:2,S' '{os.fsdecode(self.account)}/cur/{name}'")
        self.assertTrue(self.cutover(0, *self.commands(freeze=freeze))["complete"])
        self.assertTrue(os.path.exists(os.path.join(self.root.at_destination(self.account), b"cur", name.encode())))

    def test_a_difference_stops_it_before_the_freeze(self):
        theirs = self.root.at_destination(os.path.join(self.account, b"cur", b"1700000005.M5P5.theirs:2,"))
        write_file(theirs, b"Subject: theirs\n\n", OWNER, 0o600)
        result = self.cutover(1, *self.commands())
        self.assert_stopped(result, "presync", [])
        self.assertEqual([], self.done())
        self.assertIn("1700000005.M5P5.theirs", self.errors)
        self.assertIn("1 difference is at the destination only: ", self.errors)
        self.assertIn("maildirsync verify --repair --aside-extra moves it into the trash there", self.errors)
        self.assertEqual("extra", result["verified"]["differences"][0]["kind"])
        self.assertTrue(os.path.exists(theirs))
        self.assert_nothing_open()

    def test_a_difference_in_the_window_is_thawed(self):
        theirs = os.fsdecode(self.root.at_destination(os.path.join(self.account, b"cur", b"1700000005.M5P5.theirs:2,")))
        result = self.cutover(1, *self.commands(freeze=self.writes("freeze", f"cp /etc/hostname '{theirs}'")))
        self.assert_stopped(result, "verify", ["thaw"])
        self.assertEqual(["freeze", "thaw"], self.done())
        self.assertIn("1700000005.M5P5.theirs", self.errors)

    def test_an_index_that_is_made_in_the_window_goes_before_the_switch(self):
        index = os.fsdecode(self.root.at_destination(os.path.join(self.account, b"dovecot.index.log")))
        there = self.writes("switch", f"test ! -e '{index}'")
        result = self.cutover(0, *self.commands(freeze=self.writes("freeze", f"echo index > '{index}'"), switch=there))
        self.assertEqual(["freeze", "switch"], self.done())
        (step,) = [one for one in result["steps"] if one["step"] == "indexes"]
        self.assertIn("1 account opened too early put right", step["detail"])

    def test_a_window_that_is_too_short_is_not_begun(self):
        self.assert_stopped(self.cutover(1, "--timeout", "0.001", *self.commands()), "presync", [])
        self.assertEqual([], self.done())

    def test_what_cannot_be_sent_stops_it_before_the_freeze(self):
        self.root.owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.receiver.wait_log("reloaded")
        deliver(self.account, b"1700000002.M1P1.mx", owner=(5077, 5000))
        result = self.cutover(1, "--timeout", "30", *self.commands())
        self.assert_stopped(result, "presync", [])
        self.assertEqual([], self.done())

    def test_what_is_no_mail_stops_nothing(self):
        os.mkfifo(os.path.join(self.account, b"cur", b"fifo"))
        result = self.cutover(0, *self.commands())
        self.assertEqual(["special-file"], [one["code"] for one in result["left_out"]])

    def test_a_receiver_that_goes_away_in_the_window(self):
        kill = self.writes("freeze", f"kill {self.lab.receiver.process.pid}")
        result = self.cutover(1, "--timeout", "3", *self.commands(freeze=kill))
        self.assertIn(result["stopped_at"], ("flush", "verify"))
        self.assertEqual(["freeze", "thaw"], self.done())
        self.lab.receiver.process.wait()
        self.lab.receiver.process = None

    def test_an_agent_in_no_state_for_it(self):
        self.assert_exit(0, self.lab.agent.cli("pause"))
        self.assertIn("resume", self.cutover(1, *self.commands())["detail"])
        self.assert_exit(0, self.lab.agent.cli("resume"))
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        self.assertIn("drained already", self.cutover(1, *self.commands())["detail"])
        self.assert_exit(1, self.lab.receiver.cli("cutover", *self.commands()))
        self.lab.agent.stop()
        self.assert_exit(3, self.lab.agent.cli("cutover", *self.commands()))
        self.assertEqual([], self.done())

    def test_without_a_switch(self):
        for arguments in ([], self.commands(switch=""), ["--rehearse", "--freeze", self.writes("freeze")]):
            self.assert_exit(2, self.lab.agent.cli("cutover", *arguments))
        self.assertEqual([], self.done())
        self.assertEqual("mirror", self.mode())
        result = self.cutover(0, "--switch", "true")
        self.assertEqual([step for step in ALL if step != "freeze"], [step["step"] for step in result["steps"]])
        self.assertEqual("drain", self.mode())

    def interrupted(self, number: int, **commands: str) -> dict:
        """Ctrl-C once the journal has the word of the command that waits."""
        before = len(self.done())
        process = self.begin(*self.commands(**commands))
        wait_until(lambda: "waits" in self.done()[before:], "the command waits", alive=self.lab.daemons)
        process.send_signal(number)
        out, errors = process.communicate(timeout=120)
        self.assertEqual(1, process.returncode, errors)
        return json.loads(out)

    def test_ctrl_c_in_the_freeze(self):
        result = self.interrupted(signal.SIGINT, freeze=self.writes("waits", "sleep 600"))
        self.assert_stopped(result, "freeze", ["thaw"])
        self.assertEqual(["waits", "thaw"], self.done())

    def test_sigterm_in_the_switch(self):
        result = self.interrupted(signal.SIGTERM, switch=self.writes("waits", "sleep 600"), unswitch=self.writes("unswitch"))
        self.assert_stopped(result, "switch", ["unswitch", "thaw"])
        self.assertEqual(["freeze", "waits", "unswitch", "thaw"], self.done())

    def test_ctrl_c_in_the_flush(self):
        # A stopped receiver: the flush cannot end.
        freeze = self.writes("waits", f"kill -STOP {self.lab.receiver.process.pid}")
        thaw = self.writes("thaw", f"kill -CONT {self.lab.receiver.process.pid}")
        result = self.interrupted(signal.SIGINT, freeze=freeze, thaw=thaw)
        self.assert_stopped(result, result["stopped_at"], ["thaw"])
        self.assertIn(result["stopped_at"], ("freeze", "flush"))
        self.assertEqual(["waits", "thaw"], self.done())

    def test_a_terminal_that_is_closed(self):
        process = self.begin(*self.commands(freeze=self.writes("waits", "sleep 600")))
        wait_until(lambda: self.done() == ["waits"], "the command waits", alive=self.lab.daemons)
        process.stderr.close()
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        self.assertEqual(1, process.wait(60))
        self.assertEqual(["waits", "thaw"], self.done())
        self.assert_nothing_open()

    def test_text(self):
        done = self.lab.agent.cli("cutover", *self.commands(switch="false", unswitch="true"), "--yes")
        self.assert_exit(1, done)
        self.assertRegex(done.stdout, r"^stopped at switch after ")
        self.assertIn("undone: freeze by thaw", done.stdout)
        self.assertNotIn("\x1b", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
