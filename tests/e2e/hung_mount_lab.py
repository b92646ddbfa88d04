"""Two agents and three roots, of which one lies on a mount that never answers."""

import ctypes
import os
import subprocess

from hung_mount import HungMount
from maildirsync_testing import LabTest, deliver, program, wait_until

ACCOUNTS = 6  # more than an agent has connections, so that each of them meets the mount


def make_accounts(root) -> list[bytes]:
    accounts = []
    for number in range(ACCOUNTS):
        account = root.make_account(b"user%d" % number)
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


class HungDestinationTest(HungMountTest):
    """The one at the destination."""

    def start_and_hang(self) -> HungMount:
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        mount = self.hang(self.hung.destination)
        self.deliver_to(self.hung)
        return mount
