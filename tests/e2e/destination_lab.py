"""A root whose directory at the destination is exchanged, emptied, mounted over or put back to an earlier time."""

import ctypes
import os
import subprocess

from loop_mounts import make_image
from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir


class DestinationTest(LabTest):
    file_system = "ext4"  # of the volumes that a test mounts at the destination
    mkfs_options: tuple[str, ...] = ()

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        make_maildir(os.path.join(self.account, b".Lists"), OWNER)
        for i in range(20):
            deliver(self.account, b"1700000000.M%dP1.mx:2," % i, b"Subject: %d\n\nx\n" % i, area=b"cur")
        self.serial = 0

    @property
    def there(self) -> str:
        return self.root.destination

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()

    def straggler(self) -> bytes:
        self.serial += 1
        return self.root.at_destination(deliver(self.account, b"1800000000.M%dP7.old" % self.serial))

    def own_mounts(self):
        """Mounts that only this process and its children see."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x4000 | 1 << 18, None):
            self.skipTest("a private mount namespace is not permitted here")
        self.lab.unmounts.append(lambda: [None for _ in range(4) if libc.umount2(os.fsencode(self.there), 2) == 0])

    def run_command(self, *command: str):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(0, done.returncode, f"{command}: {done.stderr}")

    def volume(self) -> str:
        """The destination becomes a volume of its own; the image."""
        self.own_mounts()
        image = self.image("volume")
        self.mount(image)
        return image

    def image(self, name: str) -> str:
        """A new file system in a file."""
        image = os.path.join(self.lab.base, name)
        make_image(image, self.file_system, *self.mkfs_options)
        return image

    def mount(self, image: str):
        self.run_command("mount", "-o", "loop", image, self.there)
        os.chmod(self.there, 0o755)

    def unmount(self, *options: str):
        self.run_command("umount", *options, self.there)

    def assert_held(self, reason: str):
        """Both sides say so, and `flush`, and `doctor`."""
        agent = self.lab.agent
        problem = agent.wait_problem("destination-gone", reason)
        self.assertEqual(("vhosts", ""), (problem["root"], problem["account"]))
        self.assertIn(self.there, problem["detail"])
        self.assertIn("nothing is written to it", problem["detail"])
        status = agent.status()
        self.assertEqual("held", status["state"])
        self.assertEqual(["held"], [root["state"] for root in status["roots"]])
        self.assert_exit(2, agent.cli("status"))
        receiver = self.lab.receiver
        problem = receiver.wait_problem("destination-gone", reason)
        self.assertEqual(("vhosts", self.there), (problem["root"], problem["path"]))
        done = receiver.cli("status")
        self.assert_exit(2, done)
        self.assertIn("MAILDIRSYNC CRITICAL - held", done.stdout)
        flushed = agent.flush(limit=20, complete=False)
        self.assertIn("destination-gone", [one.get("code") for one in flushed["left_out"]])
        for daemon in (agent, receiver):
            done = daemon.cli("doctor", "--config", daemon.config)
            self.assert_exit(1, done)
            self.assertIn(reason, done.stdout)

    def assert_goes_on(self):
        self.lab.agent.wait_state("live")
        wait_until(lambda: not self.lab.receiver.problems(), "the receiver has no problem", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()


class BothTreesTest(DestinationTest):
    def setUp(self):
        super().setUp()
        make_tree(self.root.source, TreeSpec(accounts=6, messages=200, seed=14))

    def first(self) -> bytes:
        return os.path.join(self.root.at_destination(self.account), b"cur", b"1700000000.M0P1.mx:2,")

    def compared(self) -> int:
        return self.lab.agent.log_text().count("destination-differs")
