"""A cutover that was killed, wherever that was: it is gone on with, or taken back, and no two servers serve."""

import json
import os
import random
import re
import shutil
import signal
import time
import unittest

from maildirsync_testing import SEED, deliver, wait_until
from cutover_lab import ALL, KILL, CutoverTest


class Killed(CutoverTest):
    """By its own commands."""

    def test_in_the_freeze(self):
        self.killed(*self.commands(freeze=self.writes("freeze", KILL)))
        self.assert_open("freeze")
        result = self.cutover(0, "--resume", "--freeze", self.writes("freeze"))
        self.assertTrue(result["complete"])
        self.assertEqual(["freeze", "freeze", "switch"], self.done())
        self.assertEqual(["presync", "freeze"] + ALL[1:], [step["step"] for step in result["steps"]])
        self.assertEqual("unknown", result["steps"][1]["outcome"])
        self.assertEqual("drain", self.mode())
        self.assert_nothing_open()

    def test_in_the_freeze_and_taken_back(self):
        self.killed(*self.commands(freeze=self.writes("freeze", KILL)))
        result = self.cutover(0, "--undo")
        self.assertEqual((False, True, None), tuple(result[key] for key in ("complete", "undone_all", "stopped_at")))
        self.assertEqual(["freeze", "thaw"], self.done())
        self.assert_nothing_open()
        self.assertIn("was undone", self.cutover(1, "--resume")["detail"])
        self.assertIn("nothing stands", self.cutover(1, "--undo")["detail"])
        self.assertTrue(self.cutover(0, *self.commands())["complete"])

    def test_in_the_switch(self):
        self.killed(*self.commands(switch=self.writes("switch", KILL), check=self.writes("check")))
        self.assert_open("switch")
        late = deliver(self.account, b"1700000001.M1P1.mx")
        result = self.cutover(0, "--resume", "--switch", self.writes("switch"))
        self.assertEqual(["freeze", "switch", "freeze", "switch", "check"], self.done())
        self.assertEqual("drain", self.mode())
        self.assertTrue(result["complete"])
        self.assertTrue(os.path.exists(self.root.at_destination(late)))

    def test_in_the_switch_and_taken_back(self):
        self.killed(*self.commands(switch=self.writes("switch", KILL)))
        result = self.cutover(1, "--undo")
        self.assertIn("--undo --unswitch true", result["remedy"])
        self.assertEqual(["freeze", "switch"], self.done(), "the source is not thawed before the switch is undone")
        self.cutover(0, "--undo", "--unswitch", self.writes("unswitch"))
        self.assertEqual(["freeze", "switch", "unswitch", "thaw"], self.done())
        self.assert_nothing_open()

    def test_in_the_check(self):
        self.killed(*self.commands(check=self.writes("check", KILL)))
        self.assert_open("check")
        self.cutover(0, "--resume", "--check", self.writes("check"))
        self.assertEqual(["freeze", "switch", "check", "freeze", "check"], self.done())

    def test_in_the_undoing(self):
        for undoing, expected in (("unswitch", ["unswitch", "unswitch", "thaw"]), ("thaw", ["unswitch", "thaw", "thaw"])):
            with self.subTest(undoing):
                before = len(self.done())
                commands = {"switch": self.writes("switch", "false"), "unswitch": self.writes("unswitch")}
                self.killed(*self.commands(**{**commands, undoing: self.writes(undoing, KILL)}))
                self.assert_open(undoing)
                self.assertIn("--undo takes back the rest", self.cutover(1, "--resume")["detail"])
                self.cutover(0, "--undo", f"--{undoing}", self.writes(undoing))
                self.assertEqual(["freeze", "switch"] + expected, self.done()[before:])
                self.assert_nothing_open()

    def test_in_the_flush(self):
        # A stopped receiver: the flush cannot end.
        process = self.begin(*self.commands(freeze=self.writes("freeze", f"kill -STOP {self.lab.receiver.process.pid}")))
        self.lab.agent.wait_log("cutover step=flush state=begun")
        process.kill()
        process.wait()
        self.lab.receiver.signal(signal.SIGCONT)
        self.assert_open("flush")
        self.cutover(0, "--resume", "--freeze", self.writes("freeze"))
        self.assertEqual(["freeze", "freeze", "switch"], self.done())

    def test_with_the_agent(self):
        """As by a power cut, and the record is read from the disk."""
        self.killed(*self.commands(freeze=self.writes("freeze", f"kill -9 {self.lab.agent.process.pid}; {KILL}")))
        self.lab.agent.kill()
        self.assert_exit(3, self.lab.agent.cli("cutover", "--undo"))
        self.lab.agent.start()
        self.assert_open("freeze")
        self.cutover(0, "--undo")
        self.assertEqual(["freeze", "thaw"], self.done())
        self.assert_nothing_open()

    def test_while_its_command_goes_on(self):
        # Its pipes stay open as long as the command runs: only the process is waited for.
        self.assertEqual(-9, self.begin(*self.commands(switch=self.writes("switch", f"{KILL}; sleep 60"))).wait(60))
        for how in ("--resume", "--undo"):
            detail = self.cutover(1, how, "--unswitch", "true")["detail"]
            self.assertIn("the command of the step switch still runs", detail)
        os.killpg(int(re.search(r"kill -- -(\d+)", detail)[1]), signal.SIGKILL)
        self.cutover(0, "--resume", "--switch", self.writes("switch"))
        self.assertEqual(["freeze", "switch", "freeze", "switch"], self.done())

    def resume_unless_complete(self):
        """The last word of one that was killed may reach the agent after our look."""
        done = self.lab.agent.cli("--json", "cutover", "--resume", limit=120)
        if done.returncode != 0:
            self.assertIn("is complete: there is none to go on with", json.loads(done.stdout)["detail"])

    def test_anywhere(self):
        """Whenever it was killed, it comes to its end, and the source is never thawed once the switch began."""
        chance = random.Random(SEED)
        for _ in range(8):
            before = len(self.done())
            slow = {name: self.writes(name, "sleep 0.1") for name in ("freeze", "switch", "check")}
            process = self.begin(*self.commands(**slow))
            time.sleep(chance.uniform(0, 1.2))
            process.kill()
            process.wait()
            self.wait_for_commands()
            cutover = self.lab.agent.status()["cutover"]
            resumes = cutover is not None and cutover["state"] == "running"
            if resumes:
                self.resume_unless_complete()
            elif self.mode() == "mirror":  # it had not begun
                self.cutover(0, *self.commands(**slow))
            words = self.done()[before:]
            self.assertIn(words[-1], ("check", "freeze"))
            self.assertIn("check", words)
            self.assertNotIn("thaw", words)
            self.assertEqual("drain", self.mode())
            self.assert_nothing_open()
            self.assert_exit(0, self.lab.agent.cli("mirror", "vhosts"))

    def wait_for_commands(self):
        """Those of a cutover that was killed go on."""
        time.sleep(0.3)


class Others(CutoverTest):
    def test_a_second_one_at_the_same_time(self):
        process = self.begin(*self.commands(freeze=self.writes("waits", "sleep 600"), thaw=self.writes("thaw")))
        wait_until(lambda: self.done() == ["waits"], "the command waits", alive=self.lab.daemons)
        for arguments in (self.commands(), ["--resume"], ["--undo"], ["--rehearse"]):
            detail = self.cutover(1, *arguments)["detail"]
            self.assertRegex(detail, rf"a cutover is under way: \S+ began it at \S+, and process {process.pid} is at its step freeze")
        status = self.lab.agent.status()
        self.assertTrue(status["cutover"]["running"])
        self.assertEqual([], status["problems"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(["waits", "thaw"], self.done())

    def test_without_one(self):
        self.assertIsNone(self.lab.agent.status()["cutover"])
        for how in ("--resume", "--undo"):
            self.assertIn("there is no cutover", self.cutover(1, how)["detail"])
        self.cutover(0, *self.commands())
        for how in ("--resume", "--undo"):
            self.assertIn("is complete", self.cutover(1, how)["detail"])

    def test_a_record_that_cannot_be_read(self):
        self.lab.agent.stop()
        path = os.path.join(self.lab.agent.state_dir, "cutover")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"holder": 7')
        self.lab.agent.start()
        self.lab.agent.wait_problem("cutover-open", "look whether the old server is frozen")
        for arguments in (self.commands(), ["--resume"], ["--undo"]):
            self.assertNotEqual("", self.cutover(1, *arguments)["detail"])
        self.assertEqual([], self.done())
        self.lab.agent.stop()
        os.unlink(path)
        self.lab.agent.start()
        self.lab.flush()
        self.cutover(0, *self.commands())

    def test_a_record_that_cannot_be_written_stops_it_before_its_next_step(self):
        """The directory of the agent's state takes no new file once the source is frozen."""
        aside = os.path.join(self.lab.agent.state_dir, "cutover.new")
        result = self.cutover(1, *self.commands(freeze=self.writes("freeze", f"mkdir '{aside}'"), thaw=self.writes("thaw", f"rmdir '{aside}'")))
        self.assert_stopped(result, "flush", ["thaw"])
        self.assertIn("the agent keeps no record of the step", result["detail"])
        self.assertEqual(["freeze", "thaw"], self.done())
        self.assert_nothing_open()

    def test_an_agent_that_is_restarted_in_the_window(self):
        restart = self.writes("freeze", f"kill {self.lab.agent.process.pid}")
        process = self.begin(*self.commands(freeze=restart))
        wait_until(lambda: self.done() == ["freeze"], "the agent is told to end")
        self.lab.agent.stop()
        self.lab.agent.start()
        out, errors = process.communicate(timeout=120)
        self.assertEqual(0, process.returncode, errors)
        self.assertTrue(json.loads(out)["complete"])
        self.assertEqual(["freeze", "switch"], self.done())


class Rehearsal(CutoverTest):
    def test_a_rehearsal_ends_with_the_thaw(self):
        result = self.cutover(0, "--rehearse", *self.commands())
        self.assertTrue(result["rehearsed"])
        self.assertEqual(["freeze", "thaw"], self.done())
        self.assertEqual(["presync", "freeze", "flush", "verify"], [step["step"] for step in result["steps"]])
        self.assertGreater(result["window_seconds"], 0)
        self.assertEqual("mirror", self.mode())
        self.assert_nothing_open()
        late = deliver(self.account, b"1700000001.M1P1.mx")
        self.lab.flush()
        self.assertTrue(os.path.exists(self.root.at_destination(late)))
        text = self.lab.agent.cli("cutover", "--rehearse", *self.commands()).stdout
        self.assertRegex(text, r"^rehearsed after .*; the source was frozen for ")
        self.assertRegex(text, r"(?m)^flush +\d")
        self.assertTrue(self.cutover(0, *self.commands())["complete"])

    def test_a_rehearsal_that_was_killed(self):
        self.killed("--rehearse", *self.commands(freeze=self.writes("freeze", KILL)))
        self.assert_open("freeze")
        self.assertTrue(self.cutover(0, "--resume", "--freeze", self.writes("freeze"))["rehearsed"])
        self.assertEqual(["freeze", "freeze", "thaw"], self.done())
        self.killed("--rehearse", *self.commands(thaw=self.writes("thaw", KILL)))
        self.cutover(0, "--undo", "--thaw", self.writes("thaw"))
        self.assertEqual(["freeze", "thaw", "thaw"], self.done()[3:])
        self.assertEqual("mirror", self.mode())
        self.assert_nothing_open()

    def test_a_rehearsal_that_fails(self):
        result = self.cutover(1, "--rehearse", *self.commands(freeze=self.writes("freeze", "false")))
        self.assert_stopped(result, "freeze", ["thaw"])
        self.assertFalse(result["rehearsed"])
        self.assertEqual(["freeze", "thaw"], self.done())


class LostState(CutoverTest):
    """The record outlives the agent's state: the receiver has a copy of it."""

    def lose(self, older: str | None = None):
        self.lab.agent.stop()
        shutil.rmtree(self.lab.agent.state_dir)
        if older:
            shutil.copytree(older, self.lab.agent.state_dir)
        self.lab.agent.start()

    def back_up(self) -> str:
        self.lab.agent.stop()
        shutil.copytree(self.lab.agent.state_dir, self.lab.agent.state_dir + ".older")
        self.lab.agent.start()
        self.lab.flush()
        return self.lab.agent.state_dir + ".older"

    def assert_known_to_be_closed(self):
        wait_until(lambda: self.lab.agent.status()["cutover"], "the agent knows of the cutover", alive=self.lab.daemons)
        self.assert_nothing_open()

    def test_after_a_switch_that_was_killed(self):
        older = self.back_up()
        self.killed(*self.commands(switch=self.writes("switch", KILL)))
        for word in ("drain", "mirror"):
            self.assert_exit(0, self.lab.agent.cli(word, "vhosts"))
        for state in (None, older):
            self.lose(state)
            self.lab.agent.wait_problem("cutover-open")
            self.assert_open("switch")
        self.lab.receiver.restart()
        self.lab.agent.wait_state("live")
        self.cutover(0, "--undo", "--unswitch", self.writes("unswitch"))
        self.assertEqual(["freeze", "switch", "unswitch", "thaw"], self.done())
        self.lose()
        self.assert_known_to_be_closed()
        self.assertTrue(self.cutover(0, *self.commands())["complete"])

    def test_of_a_freeze_that_the_receiver_heard_of_later(self):
        self.killed(*self.commands(freeze=self.writes("freeze", f"kill -9 {self.lab.receiver.process.pid}; sleep 1; {KILL}")))
        self.lab.receiver.kill()
        self.lab.receiver.start()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lose()
        self.lab.agent.wait_problem("cutover-open")
        self.cutover(0, "--resume", "--freeze", self.writes("freeze"))
        self.lose()
        self.assert_known_to_be_closed()
        self.assertEqual("drain", self.mode())

    def test_and_a_lost_state_of_the_receiver(self):
        self.killed(*self.commands(freeze=self.writes("freeze", KILL)))
        self.lab.receiver.stop()
        self.lab.receiver.lose_state()
        self.lab.receiver.start()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lose()
        self.lab.agent.wait_problem("cutover-open")
        self.assert_open("freeze")


if __name__ == "__main__":
    unittest.main()
