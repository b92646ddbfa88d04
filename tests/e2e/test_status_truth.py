"""What `status` and the other commands say when something is wrong: that mail waits, since when and why, on either side."""

import ctypes
import json
import os
import re
import subprocess
import time
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, free_port, make_tree, wait_until

BASE = b"1700000000.M%dP1.mx:2,S"
MS_REMOUNT, MS_BIND, MS_RDONLY, MS_REC, MS_PRIVATE, CLONE_NEWNS, MNT_DETACH = 32, 4096, 1, 16384, 1 << 18, 0x20000, 2


class Refused(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}})
        self.accounts = [self.account(name) for name in (b"a", b"b", b"c")]

    def account(self, name: bytes) -> bytes:
        path = self.root.make_account(name)
        deliver(path, BASE % 0, area=b"cur")
        return path

    def first_line(self) -> str:
        return self.lab.agent.cli("status").stdout.splitlines()[0]

    def test_messages_that_are_refused_for_their_owner(self):
        self.lab.start()
        self.lab.flush()
        self.assertEqual({"messages": 0, "others": 0, "accounts": 0, "oldest_seconds": None}, self.lab.agent.status()["refused"])
        for i in (1, 2):
            deliver(self.accounts[1], BASE % i, owner=(5077, 5000))
        status = wait_until(lambda: (status := self.lab.agent.status())["refused"]["messages"] == 2 and status, "two are refused", alive=self.lab.daemons)
        self.assertEqual(1, status["refused"]["accounts"])
        time.sleep(0.2)
        status = self.lab.agent.status()
        self.assertGreater(status["refused"]["oldest_seconds"], 0)
        self.assertGreaterEqual(status["lag_seconds"] + 0.001, status["refused"]["oldest_seconds"])
        root = status["roots"][0]
        self.assertEqual(2, root["refused"]["messages"])
        self.assertGreater(root["lag_seconds"], 0)
        self.assertEqual({"live": 2, "refused": 1}, root["states"])
        problem = self.lab.agent.problems("unmapped-owner")[0]
        self.assertRegex(problem["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(self.first_line(), r"^MAILDIRSYNC WARNING - live, lag \d+\.\d s for 2 messages that are refused, .*\(unmapped-owner\) \|.* refused=2$")
        text = self.lab.agent.cli("status").stdout
        self.assertIn("2 live, 1 refused", text)
        self.assertRegex(text, r"(?m)^unmapped-owner +2 +\d+\.\d s +b@example.org ")
        # As old as the first sight of it, which a retry does not move.
        before = status["refused"]["oldest_seconds"]
        self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertGreater(self.lab.agent.status()["refused"]["oldest_seconds"], before)
        self.assert_exit(2, self.lab.agent.cli("status", "--warn-lag", "0", "--crit-lag", "0.001"))
        for i in (1, 2):
            os.chown(os.path.join(self.accounts[1], b"new", BASE % i), *OWNER)
        self.lab.flush()
        self.assertEqual(0, self.lab.agent.status()["refused"]["messages"])
        self.assertRegex(self.first_line(), r"^MAILDIRSYNC OK - live, lag 0\.0 s, 0 messages pending")

    def test_a_message_that_the_agent_may_not_read_waits_too(self):
        os.chmod(os.path.join(self.accounts[0], b"cur", BASE % 0), 0)
        self.lab.agent.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
        for path in (self.root.source, *self.accounts):
            subprocess.run(["chmod", "-R", "a+rX", path], check=True)
        os.chmod(os.path.join(self.accounts[0], b"cur", BASE % 0), 0)
        os.chown(os.path.join(self.accounts[0], b"cur", BASE % 0), *OWNER)
        self.lab.start()
        status = wait_until(lambda: (status := self.lab.agent.status())["refused"]["messages"] == 1 and status, "one is refused", alive=self.lab.daemons)
        self.assertEqual(1, status["refused"]["messages"])
        time.sleep(0.1)
        self.assertNotEqual(0.0, self.lab.agent.status()["lag_seconds"])

    def test_accounts_by_their_trouble_and_none(self):
        for i in (1, 2, 3):
            deliver(self.accounts[2], BASE % i, owner=(5077, 5000))
        deliver(self.accounts[1], BASE % 1, owner=(5077, 5000))
        self.lab.start()
        wait_until(lambda: self.lab.agent.status()["refused"]["messages"] == 4, "four are refused", alive=self.lab.daemons)
        done = self.lab.agent.cli("--json", "status", "--account", "*@example.org")
        self.assertEqual(["c@example.org", "b@example.org", "a@example.org"], [account["name"] for account in json.loads(done.stdout)["accounts"]])
        text = self.lab.agent.cli("status", "--account", "*@example.org").stdout
        self.assertLess(text.index("\nc@example.org"), text.index("\na@example.org"))
        self.assertIn("… and 1 more of this kind", self.lab.agent.cli("status").stdout)
        self.assertNotIn("more of this kind", self.lab.agent.cli("status", "--all").stdout)
        done = self.lab.agent.cli("status", "--account", "nobody@*")
        self.assert_exit(1, done)
        self.assertIn("no account matches 'nobody@*'", done.stdout)
        self.assertEqual([], json.loads(self.lab.agent.cli("--json", "status", "--account", "nobody@*").stdout)["accounts"])

    def test_metrics(self):
        port = free_port()
        self.lab.agent.extra["metrics"] = {"listen": f"127.0.0.1:{port}"}
        deliver(self.accounts[1], BASE % 1, owner=(5077, 5000))
        self.lab.start()

        def metrics() -> dict[str, float]:
            text = subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/metrics"], capture_output=True, text=True).stdout
            return {key: float(value) for key, value in re.findall(r"^(maildirsync_[^ ]+) ([-+.e0-9]+)$", text, re.MULTILINE)}

        found = wait_until(lambda: (found := metrics()).get("maildirsync_refused_oldest_seconds", 0) > 0 and found, "a refusal", alive=self.lab.daemons)
        self.assertEqual(1, found["maildirsync_refused_messages"])
        self.assertEqual(1, found['maildirsync_accounts_by_state{root="vhosts",state="refused"}'])
        self.assertEqual(1, found['maildirsync_problems_by_code{code="unmapped-owner"}'])


class ReadOnlyDestination(LabTest):
    """The destination's file system became read-only, as one with an error does."""

    def mount_destination(self, root) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        where = os.fsencode(root.destination)
        if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) or libc.mount(where, where, None, MS_BIND, None):
            self.skipTest("bind mounts in a private mount namespace are not permitted here")
        self.lab.unmounts.append(lambda: libc.umount2(where, MNT_DETACH))
        self.remount = lambda flags: self.assertEqual(0, libc.mount(None, where, None, MS_REMOUNT | MS_BIND | flags, None))

    def test_it_is_never_live(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=61))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        self.remount(MS_RDONLY)
        deliver(root.account(0), BASE % 1)
        agent, receiver = self.lab.agent, self.lab.receiver
        status = wait_until(lambda: (status := agent.status())["state"] == "blocked" and status, "the agent is blocked", alive=self.lab.daemons)
        self.assertEqual("blocked", status["roots"][0]["state"])
        self.assertIn("read-only", status["roots"][0]["trouble"])
        self.assertEqual(1, status["refused"]["messages"])
        time.sleep(0.1)
        self.assertGreater(agent.status()["lag_seconds"], 0)
        self.assert_exit(2, agent.cli("status"))
        self.assertRegex(agent.cli("status").stdout, r"^MAILDIRSYNC CRITICAL - blocked, lag \d+\.\d s for 1 message that is refused")
        self.assertEqual("blocked", receiver.status()["state"])
        self.assert_exit(2, receiver.cli("status"))
        self.remount(0)
        agent.flush()
        self.assertEqual("live", agent.wait_state("live", limit=10)["roots"][0]["state"])
        self.assertEqual("live", receiver.status()["state"])
        self.lab.assert_equal()

    def test_it_is_told_with_nothing_pending(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=64))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        agent = self.lab.agent
        self.remount(MS_RDONLY)
        status = agent.wait_state("blocked", limit=30)
        self.assertIn("read-only", status["roots"][0]["trouble"])
        self.assertEqual(["permission"], [one["code"] for one in status["problems"]])
        done = agent.cli("--json", "flush", limit=60)
        self.assert_exit(1, done)
        left_out = json.loads(done.stdout)["left_out"]
        self.assertEqual([("permission", "vhosts")], [(one["code"], one["root"]) for one in left_out])
        self.assertIn("read-only", left_out[0]["detail"])
        self.assertEqual("blocked", agent.status()["state"])
        self.remount(0)
        agent.wait_state("live", limit=30)
        agent.flush()
        self.assertEqual([], agent.status()["problems"])

    def test_flush_tells_it_at_once(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=65))
        self.mount_destination(root)
        self.lab.start()
        self.lab.flush()
        self.remount(MS_RDONLY)
        result = self.lab.agent.flush(complete=False)
        self.assertIn("read-only", json.dumps(result["left_out"]))
        self.assertEqual("blocked", self.lab.agent.status()["state"])

    def test_nor_is_a_first_copy_into_it(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=62))
        self.mount_destination(root)
        self.remount(MS_RDONLY)
        self.lab.start()
        status = self.lab.agent.wait_state("blocked")
        self.assertNotEqual(0.0, status["lag_seconds"])
        wait_until(lambda: self.lab.agent.status()["refused"]["accounts"] == 3, "three accounts are refused", alive=self.lab.daemons)
        self.remount(0)
        self.lab.flush()
        self.lab.assert_equal()


class Receivers(LabTest):
    def test_an_agent_that_is_away_is_a_warning(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=1, messages=5, seed=63))
        self.lab.start()
        self.lab.flush()
        receiver = self.lab.receiver
        peer = receiver.status()["peers"][0]
        self.assertTrue(peer["connected"])
        self.assertRegex(peer["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assert_exit(0, receiver.cli("status", "--warn-lag", "1"))
        self.lab.agent.stop()
        wait_until(lambda: not receiver.status()["peers"][0]["connected"], "it is away", alive=[receiver])
        self.assertLess(receiver.status()["peers"][0]["since_seconds"], 60)
        self.assert_exit(0, receiver.cli("status"))  # for a minute, as in a restart
        done = wait_until(lambda: (done := receiver.cli("status", "--warn-lag", "1")).returncode != 0 and done, "a warning", alive=[receiver])
        self.assert_exit(1, done)
        self.assertRegex(done.stdout, r"^MAILDIRSYNC WARNING - waiting, 0 of 1 agent connected, agent away for \d")


if __name__ == "__main__":
    unittest.main()
