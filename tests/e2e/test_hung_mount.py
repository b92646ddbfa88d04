"""A mount that never answers holds up what lies on it, and nothing else."""

import ctypes
import os
import signal
import subprocess

from hung_mount import HungMount
from maildir_trees import make_maildir
from maildirsync_testing import OWNER, LabTest, deliver, program, wait_until

ACCOUNTS = 6  # more than an agent has connections, so that each of them meets the mount


def make_accounts(root) -> list[bytes]:
    accounts = []
    for number in range(ACCOUNTS):
        account = os.path.join(os.fsencode(root.source), b"example.org", b"user%d" % number, b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755)
        make_maildir(account, OWNER, is_account=True)
        deliver(account, b"1700000000.M%dP1.mx:2,S" % number, area=b"cur")
        accounts.append(account)
    return accounts


class HungMountTest(LabTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists("/dev/fuse"):
            self.skipTest("there is no FUSE here")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x4000 | 1 << 18, None):
            self.skipTest("a private mount namespace is not permitted here")
        self.second = self.lab.add_agent("second")
        self.hung = self.lab.add_root("hung")
        self.beside = self.lab.add_root("beside")
        self.other = self.lab.add_root("other", agent=self.second)
        self.accounts = {root.name: make_accounts(root) for root in (self.hung, self.beside, self.other)}
        self.serial = 0

    def hang(self, path: str) -> HungMount:
        mount = HungMount(path)
        self.addCleanup(mount.end)
        return mount

    def begin(self, *arguments: str) -> subprocess.Popen:
        """A command that waits for what hangs."""
        command = subprocess.Popen(
            [program("maildirsync"), "--control", self.lab.agent.control, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def end():
            command.kill()
            command.wait()

        self.addCleanup(end)
        return command

    def deliver_to(self, root) -> list[bytes]:
        """To all of its accounts; where the messages are to arrive."""
        self.serial += 1
        return [root.at_destination(deliver(account, b"18000000%02d.M1P2.mx" % self.serial)) for account in self.accounts[root.name]]

    def assert_arrive(self, messages: list[bytes]):
        wait_until(lambda: all(map(os.path.exists, messages)), f"all of {messages[:1]}… arrive", alive=self.lab.daemons)


class TheReceivers(HungMountTest):
    """A directory at the destination."""

    def start_and_hang(self) -> HungMount:
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        mount = self.hang(self.hung.destination)
        self.deliver_to(self.hung)
        return mount

    def test_another_agent_and_the_status_go_on(self):
        self.start_and_hang()
        self.assert_arrive(self.deliver_to(self.other))
        problem = self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assertEqual(("hung", self.hung.destination), (problem["root"], problem["path"]))
        self.assertEqual(
            {"hung": "blocked", "beside": "live", "other": "live"},
            {root["name"]: root["state"] for root in self.lab.receiver.status()["roots"]},
        )
        self.assert_arrive(self.deliver_to(self.other))
        self.second.flush()
        self.assert_exit(0, self.second.cli("verify", "--deep"))
        self.second.restart()
        self.second.wait_state("live")
        self.assert_arrive(self.deliver_to(self.other))

    def test_a_decision_about_it_holds_up_nobody_else(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.begin("drain", "hung")
        wait_until(
            lambda: "drain" in [root["mode"] for root in self.lab.agent.status()["roots"]], "the decision", alive=self.lab.daemons
        )
        self.second.restart()
        self.second.wait_state("live")
        self.assert_arrive(self.deliver_to(self.other))
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual("timed-out", self.lab.receiver.problems("timed-out")[0]["code"])

    def test_the_same_agents_other_root_goes_on(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.wait_problem("destination-gone", "does not answer")
        states = {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}
        self.assertEqual("held", states["hung"])
        self.assert_arrive(self.deliver_to(self.beside))

    def test_all_goes_on_by_itself_once_it_answers(self):
        mount = self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.deliver_to(self.hung)
        mount.end()
        wait_until(lambda: not self.lab.receiver.problems(), "the receiver has no problem", alive=self.lab.daemons)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_the_receiver_ends_all_the_same_and_begins_anew_beside_it(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assertEqual(0, self.lab.receiver.stop())
        self.lab.receiver.start()
        self.assert_arrive(self.deliver_to(self.other))
        self.lab.receiver.wait_problem("timed-out", "does not answer")


class TheAgents(HungMountTest):
    """A root at the source."""

    def test_its_other_roots_and_the_status_go_on(self):
        self.lab.start()
        self.lab.flush()
        self.hang(self.hung.source)
        self.assert_arrive(self.deliver_to(self.beside))
        states = {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}
        self.assertEqual("live", states["beside"])
        late = os.path.join(os.fsencode(self.beside.source), b"example.org", b"late", b"Maildir")
        os.makedirs(os.path.dirname(late), 0o755)
        make_maildir(late, OWNER, is_account=True)  # found by a walk, which the other root's does not hold up
        self.accounts["beside"].append(late)
        self.assert_arrive(self.deliver_to(self.beside))

    def test_it_ends_all_the_same_and_all_is_as_before_once_the_mount_is_gone(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(self.hung.source)
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual(0, self.lab.agent.stop())
        mount.end()
        self.lab.agent.start()
        self.assert_arrive(self.deliver_to(self.hung))
        self.lab.flush()
        self.lab.assert_equal()

    def test_accounts_that_hang_take_all_connections_only_for_a_moment(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(os.path.join(self.hung.source, "example.org"))
        self.begin("flush")
        self.lab.agent.wait_problem("timed-out", "does not answer")
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.restart()
        self.assert_arrive(self.deliver_to(self.beside))
        mount.end()
        wait_until(lambda: not self.lab.agent.problems(), "the agent has no problem", alive=self.lab.daemons)
        self.assert_arrive(self.deliver_to(self.hung))
        self.lab.flush()
        self.lab.assert_equal()

    def test_it_begins_and_is_configured_anew_beside_it(self):
        self.lab.agent.extra["watch"] = {"backend": "auto"}
        mount = self.hang(self.hung.source)
        self.lab.start()
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.signal(signal.SIGHUP)
        self.lab.agent.wait_log("reloaded")
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual("live", {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}["beside"])
        mount.end()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_its_own_directory_hangs(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(self.lab.agent.state_dir)
        self.begin("pause")
        self.lab.agent.status()
        self.assertEqual(0, self.lab.agent.stop())
        mount.end()
        self.lab.agent.start()
        self.begin("resume").wait()
        for root in (self.hung, self.beside):
            self.assert_arrive(self.deliver_to(root))
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    import unittest

    unittest.main()
