"""File systems that are mounted below a root at the source: one that is not mounted is not mail that was deleted."""

import ctypes
import os
import shutil
import subprocess
import unittest

from maildirsync_testing import OWNER, LabTest, deliver, wait_until
from maildir_trees import make_maildir


class Mounts(LabTest):
    def setUp(self):
        super().setUp()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x4000 | 1 << 18, None):
            self.skipTest("a private mount namespace is not permitted here")
        self.libc = libc
        self.root = self.lab.add_root()
        self.domain = os.path.join(os.fsencode(self.root.source), b"example.org")
        self.account = os.path.join(self.domain, b"a", b"Maildir")
        self.archive = os.path.join(self.account, b".Archive")

    def run_command(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(0, done.returncode, f"{command}: {done.stderr}")

    def unmount_at_the_end(self, path):
        self.lab.unmounts.append(lambda: self.libc.umount2(os.fsencode(path), 2))

    def image(self, name: str) -> str:
        image = os.path.join(self.lab.base, name)
        with open(image, "wb") as file:
            file.truncate(16 << 20)
        self.run_command("mkfs.ext4", "-q", image)
        return image

    def mount(self, image: str, path: bytes, owner=OWNER):
        self.run_command("mount", "-o", "loop", image, path)
        self.unmount_at_the_end(path)
        os.chmod(path, 0o755)
        os.chown(path, *owner)  # root gets no mail
        shutil.rmtree(os.path.join(path, b"lost+found"), ignore_errors=True)

    def fill(self, folder: bytes, count: int = 5):
        for i in range(count):
            deliver(folder, b"1700000000.M%dP1.%s" % (i, os.path.basename(folder).strip(b".")), area=b"cur")

    def make_account(self, name: bytes = b"a") -> bytes:
        account = os.path.join(self.domain, name, b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755, exist_ok=True)
        make_maildir(account, OWNER, is_account=True)
        self.fill(account)
        return account

    def make_archives_place(self):
        os.mkdir(self.archive)
        os.chown(self.archive, *OWNER)

    def archive_disk(self) -> str:
        """An account with an archive that is a disk of its own."""
        self.make_account()
        self.make_archives_place()
        image = self.image("archive")
        self.mount(image, self.archive)
        make_maildir(self.archive, OWNER)
        self.fill(self.archive)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        return image

    def names_there(self, folder: bytes) -> list[bytes]:
        return sorted(os.listdir(os.path.join(self.root.at_destination(folder), b"cur")))

    def assert_held(self, where: bytes, count: int, folder: bytes):
        problem = self.lab.agent.wait_problem("mount-gone", os.fsdecode(where))
        self.assertEqual("vhosts", problem["root"])
        self.assertIn("Mount what belongs there", problem["detail"])
        self.assertIn("maildirsync release --account", problem["detail"])
        self.assertEqual("held", self.lab.agent.status()["state"])
        self.assert_exit(2, self.lab.agent.cli("status"))
        flushed = self.lab.agent.flush(limit=20, complete=False)
        self.assertFalse(flushed["complete"])
        self.assertIn("mount-gone", [one.get("code") for one in flushed["left_out"]])
        self.assertEqual(count, len(self.names_there(folder)))

    def assert_goes_on(self):
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_an_archive_disk_that_is_not_mounted_when_the_agent_starts(self):
        image = self.archive_disk()
        self.lab.agent.stop()
        self.run_command("umount", self.archive)
        self.lab.agent.start()
        self.assert_held(self.archive, 5, self.archive)
        self.mount(image, self.archive)
        self.assert_goes_on()
        self.assertEqual(5, len(self.names_there(self.archive)))

    def test_an_archive_disk_that_is_unmounted_while_the_agent_runs(self):
        image = self.archive_disk()
        self.run_command("umount", "--lazy", self.archive)
        self.assert_held(self.archive, 5, self.archive)
        self.mount(image, self.archive)
        self.assert_goes_on()

    def test_an_archive_that_is_bound_from_elsewhere_on_the_same_file_system(self):
        self.make_account()
        elsewhere = os.path.join(os.fsencode(self.lab.base), b"elsewhere")
        make_maildir(elsewhere, OWNER)
        self.fill(elsewhere)
        self.make_archives_place()
        self.run_command("mount", "--bind", elsewhere, self.archive)
        self.unmount_at_the_end(self.archive)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.lab.agent.stop()
        self.run_command("umount", self.archive)
        self.lab.agent.start()
        self.assert_held(self.archive, 5, self.archive)
        self.run_command("mount", "--bind", elsewhere, self.archive)
        self.assert_goes_on()

    def test_something_is_mounted_over_a_folder_with_mail(self):
        self.make_account()
        make_maildir(self.archive, OWNER)
        self.fill(self.archive)
        self.lab.start()
        self.lab.flush()
        self.mount(self.image("other"), self.archive)
        self.assert_held(self.archive, 5, self.archive)
        self.run_command("umount", self.archive)
        self.assert_goes_on()

    def test_a_disk_that_is_mounted_for_the_first_time_holds_nothing(self):
        self.make_account()
        self.make_archives_place()
        self.lab.start()
        self.lab.flush()
        self.mount(self.image("archive"), self.archive)
        make_maildir(self.archive, OWNER)
        self.fill(self.archive)
        self.assert_goes_on()
        self.assertEqual(5, len(self.names_there(self.archive)))

    def test_what_is_meant_is_released(self):
        self.archive_disk()
        self.run_command("umount", "--lazy", self.archive)
        self.assert_held(self.archive, 5, self.archive)
        self.assert_exit(0, self.lab.agent.cli("release", "--account", "a@example.org"))
        self.assert_goes_on()
        self.assertFalse(os.path.exists(os.path.join(self.root.at_destination(self.archive), b"cur")))

    def test_a_domains_own_volume(self):
        """With few and small accounts: no brake that counts would see it."""
        os.mkdir(self.domain)
        image = self.image("domain")
        self.mount(image, self.domain, owner=(0, 0))
        self.make_account()
        self.make_account(b"b")
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        self.run_command("umount", self.domain)
        elsewhere = os.path.join(os.fsencode(self.root.source), b"example.net", b"c", b"Maildir")
        os.makedirs(os.path.dirname(elsewhere))
        make_maildir(elsewhere, OWNER, is_account=True)
        self.lab.agent.start()
        self.assert_held(self.domain, 5, self.account)
        self.mount(image, self.domain, owner=(0, 0))
        self.assert_goes_on()
        self.assertEqual(5, len(self.names_there(self.account)))

    def test_an_accounts_own_volume(self):
        os.makedirs(self.account)
        image = self.image("account")
        self.mount(image, self.account)
        make_maildir(self.account, OWNER, is_account=True)
        self.fill(self.account)
        self.make_account(b"b")
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        self.run_command("umount", self.account)
        self.lab.agent.start()
        self.assert_held(self.account, 5, self.account)
        self.mount(image, self.account)
        self.assert_goes_on()

    def test_the_roots_own_volume_with_another_one_in_its_place(self):
        image = self.image("root")
        self.mount(image, os.fsencode(self.root.source), owner=(0, 0))
        self.make_account()
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        self.run_command("umount", self.root.source)
        os.mkdir(self.domain)
        empty = self.make_account()
        for name in os.listdir(os.path.join(empty, b"cur")):
            os.unlink(os.path.join(empty, b"cur", name))
        self.lab.agent.start()
        problem = self.lab.agent.wait_problem("root-gone", "on another file system")
        self.assertIn("nothing is deleted", problem["detail"])
        self.assertEqual(5, len(self.names_there(self.account)))
        self.mount(image, os.fsencode(self.root.source), owner=(0, 0))
        self.assert_goes_on()
        wait_until(lambda: not self.lab.agent.problems("root-gone"), "it goes on", alive=self.lab.daemons)

    def test_a_restart_in_between_changes_nothing(self):
        image = self.archive_disk()
        for _ in range(2):
            self.lab.agent.restart()
            self.lab.flush()
            self.assertEqual([], self.lab.agent.problems("mount-gone"))
        self.lab.agent.stop()
        self.run_command("umount", self.archive)
        for _ in range(2):
            self.lab.agent.start()
            self.assert_held(self.archive, 5, self.archive)
            self.lab.agent.stop()
        self.mount(image, self.archive)
        self.lab.agent.start()
        self.assert_goes_on()


if __name__ == "__main__":
    unittest.main()
