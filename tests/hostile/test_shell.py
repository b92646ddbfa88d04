"""A mail user with a shell on both servers: whatever they put in the place of what, nobody else's file becomes theirs.

Both daemons run as their units' users, with their capabilities. Most of the tests that make hard links make them as root, which is
what a user could do without fs.protected_hardlinks; HardLinksOfAUser makes them as the user, with and without it.
"""

import contextlib
import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

from hostile_testing import FILE_SYSTEM, LabTest
from loop_mounts import mount
from maildir_trees import make_directory, make_maildir, write_file
from maildirsync_testing import SECONDS, TreeSpec, deliver, make_tree, wait_until
from service_units import check_privileges, run_as_service_user

USER, OTHER = (5000, 5000), (5001, 5001)
STAMP = 1_690_000_000_123_456_789
BASE = b"1690000000.M%dP1.mx"


class Shell(LabTest):
    file_system = FILE_SYSTEM
    owner = {"policy": "numeric"}

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root plays two users")
        self.root = self.lab.add_root(owner=self.owner)
        if self.file_system:
            for path in (self.root.source, self.root.destination):
                mount(self.lab, path, self.file_system)
        make_tree(self.root.source, TreeSpec(accounts=2, messages=30, seed=71, owners=(USER, OTHER), extras=False))
        self.account = self.root.account(0)
        self.there = self.root.at_destination(self.account)
        for daemon in self.lab.daemons:
            run_as_service_user(daemon)

    def start(self):
        self.lab.start()
        for daemon in self.lab.daemons:
            check_privileges(daemon)
        self.lab.flush()
        self.lab.assert_equal()

    def message(self, number: int, body: bytes) -> bytes:
        """A message in cur/ with the stamp that all of these have; its name."""
        name = BASE % number + b":2,"
        path = os.path.join(self.account, b"cur", name)
        write_file(path, body, USER, 0o600, STAMP)
        return name

    def secret(self, name: str, size: int, *, owner=(0, 0), directory=None) -> bytes:
        """A file that the user cannot read, with the size and time of their message."""
        path = os.path.join(os.fsencode(directory or self.root.destination), os.fsencode(name))
        write_file(path, (b"secret of others " * (size // 17 + 1))[:size], owner, 0o600, STAMP)
        return path

    def as_user(self, *command: str | bytes, user=USER):
        return subprocess.run(command, user=user[0], group=user[1], extra_groups=[], capture_output=True, check=False)

    @staticmethod
    def read(path) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def is_open_to_user(self, path) -> bool:
        """Whether the user can read it, or give themselves that right."""
        status = os.lstat(path)
        return status.st_uid == USER[0] or self.as_user("cat", path).returncode == 0

    def settle(self):
        """All that can be done is done."""
        self.lab.agent.flush("--timeout", "15", complete=False)
        self.wait_acknowledged()

    def wait_acknowledged(self):
        wait_until(lambda: self.lab.agent.status()["pending"]["messages"] == 0, "nothing is on its way", alive=self.lab.daemons)


class PlaceOfAMessage(Shell):
    """A file of somebody else's has the name, the size and the time of a message at the destination."""

    @staticmethod
    def body(number: int) -> bytes:
        return b"Subject: mine\n\n%06d" % number + b"x" * 100

    def put_in_place(self, number: int, how: str, **options) -> tuple[bytes, os.stat_result]:
        body = self.body(number)
        name = self.message(number, body)
        place = os.path.join(self.there, b"cur", name)
        wait_until(lambda: os.path.exists(place), "the message arrives", alive=self.lab.daemons)
        wait_until(lambda: os.stat(place).st_uid == USER[0], "it is the user's", alive=self.lab.daemons)
        self.wait_acknowledged()  # or it is removed and sent anew when it is renamed now
        secret = self.secret(f"secret-{number}", len(body), **options)
        if how == "moved":
            os.rename(secret, place)
        else:
            os.unlink(place)
            os.link(secret, place)
        return name, os.lstat(place)

    def assert_kept(self, seen: os.stat_result, *places: bytes):
        """The inode is as it was, wherever it went in the account, and no copy of it is the user's."""
        found = 0
        for directory, _, files in os.walk(self.root.destination):
            for name in files:
                path = os.path.join(os.fsencode(directory), os.fsencode(name))
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and status.st_uid == USER[0]:
                    with open(path, "rb") as file:
                        self.assertNotIn(b"secret of others", file.read(), path)
                if status.st_ino != seen.st_ino:
                    continue
                found += 1
                self.assertEqual((seen.st_uid, seen.st_gid, seen.st_mode, seen.st_mtime_ns), (status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns))
                self.assertFalse(self.is_open_to_user(path), path)
        self.assertGreater(found, 0, "it is still there")

    def assert_arrived(self, body: bytes):
        """The message itself is there, and the user's, under whatever name."""

        def is_there() -> bool:
            paths = [os.path.join(directory, name) for directory, _, files in os.walk(self.there) for name in files]
            return any(os.lstat(path).st_uid == USER[0] and self.read(path) == body for path in paths if os.path.lexists(path))

        wait_until(is_there, f"{body[:30]!r} arrives", alive=self.lab.daemons)


class InThePlaceOfAMessage(PlaceOfAMessage):
    def attempts(self):
        for how in ("moved", "linked"):
            for owner in ((0, 0), OTHER, (64902, 64902)):  # root's, another user's, the receiver's own
                yield how, owner

    def test_a_flag_is_set(self):
        self.start()
        for number, (how, owner) in enumerate(self.attempts()):
            with self.subTest(how=how, owner=owner):
                name, seen = self.put_in_place(number, how, owner=owner)
                os.rename(os.path.join(self.account, b"cur", name), os.path.join(self.account, b"cur", name + b"S"))
                self.settle()
                self.assert_kept(seen)
                self.assert_arrived(self.body(number))
                self.assertRegex(self.lab.agent.cli("verify").stdout, name.decode())

    def test_it_is_copied_moved_chmodded_and_given_another_time(self):
        self.start()
        folder = os.path.join(self.account, b".Copies")
        make_maildir(folder, USER)
        for number, (how, owner) in enumerate(self.attempts()):
            for step, act in enumerate((
                lambda path, to: os.link(path, to),
                lambda path, to: os.rename(path, to),
                lambda path, to: os.chmod(path, 0o644),
                lambda path, to: os.utime(path, ns=(STAMP, STAMP + 1)),
                lambda path, to: os.chown(path, USER[0], 5007),
            )):  # fmt: skip
                with self.subTest(how=how, owner=owner, step=step):
                    name, seen = self.put_in_place(100 + 10 * number + step, how, owner=owner)
                    act(os.path.join(self.account, b"cur", name), os.path.join(folder, b"cur", name))
                    self.settle()
                    self.assert_kept(seen)
                    self.assert_arrived(self.body(100 + 10 * number + step))

    def test_the_account_changes_hands(self):
        """The one time when files of another owner are given away: those that are the messages, and no others."""
        self.start()
        taken = [self.put_in_place(number, how, owner=owner) for number, (how, owner) in enumerate(self.attempts())]
        for directory, folders, files in os.walk(self.account):
            for path in [directory] + [os.path.join(directory, name) for name in files]:
                os.lchown(path, 5005, 5005)
        before = self.lab.agent.totals()["messages_sent"]
        self.settle()
        places = {os.path.basename(name).partition(b":2,")[0] for name, _ in taken}
        self.lab.assert_equal(skip=lambda path: any(place in path for place in places))
        self.assertLessEqual(self.lab.agent.totals()["messages_sent"] - before, len(taken), "only these were sent again")
        for _, seen in taken:
            self.assert_kept(seen)

    def test_after_the_state_was_lost(self):
        """Then the agent knows the account from the listing, by sizes and times."""
        self.start()
        taken = [self.put_in_place(number, how, owner=owner) for number, (how, owner) in enumerate(self.attempts())]
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.lab.agent.start()
        self.settle()
        for _, seen in taken:
            self.assert_kept(seen)

    def test_what_has_the_content_of_the_message_is_not_given_away_by_another_name(self):
        """A program that anybody may read, of root's, as a message with the same bytes: its inode stays root's."""
        self.start()
        body = b"#!/bin/sh\necho root\n"
        name = self.message(300, body)
        self.lab.flush()
        place = os.path.join(self.there, b"cur", name)
        program = os.path.join(os.fsencode(self.root.destination), b"program")
        write_file(program, body, (0, 0), 0o755, STAMP)
        os.unlink(place)
        os.link(program, place)
        os.rename(os.path.join(self.account, b"cur", name), os.path.join(self.account, b"cur", name + b"S"))
        self.lab.flush()
        self.lab.assert_equal()
        status = os.lstat(program)
        self.assertEqual((0, 0, 0o755, 1), (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), status.st_nlink))

    def test_a_private_directory_of_roots_has_the_name_of_a_folder(self):
        self.start()
        private = os.path.join(self.there, b".Private")
        make_directory(private, (0, 0), 0o700)
        write_file(os.path.join(private, b"readable"), b"secret of others", (0, 0), 0o644)
        make_maildir(os.path.join(self.account, b".Private"), USER)
        self.lab.agent.wait_problem("conflict", "Private")
        self.settle()
        self.assertEqual((0, 0o700), (os.stat(private).st_uid, stat.S_IMODE(os.stat(private).st_mode)))
        self.assertNotEqual(0, self.as_user("ls", private).returncode)


@contextlib.contextmanager
def protected_hardlinks(value: str):
    """The kernel's setting, for all of the machine; nobody else changes it meanwhile, and it is put back."""
    setting = "/proc/sys/fs/protected_hardlinks"
    with open(os.path.join(tempfile.gettempdir(), "maildirsync-test-hardlinks.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(setting, encoding="ascii") as file:
            before = file.read()
        try:
            with open(setting, "w", encoding="ascii") as file:
                file.write(value)
        except OSError as error:
            raise unittest.SkipTest(f"{setting} cannot be changed here: {error}") from error
        try:
            yield
        finally:
            with open(setting, "w", encoding="ascii") as file:
                file.write(before)


class HardLinksOfAUser(PlaceOfAMessage):
    """The user makes the links, as far as the kernel lets them."""

    def link(self, secret: bytes, place: bytes) -> bool:
        return self.as_user("ln", "-f", secret, place).returncode == 0

    def test_a_flag_is_set(self):
        self.start()
        for value in ("0", "1"):
            with self.subTest(protected_hardlinks=value), protected_hardlinks(value):
                number = 800 + int(value)
                body = self.body(number)
                name = self.message(number, body)
                place = os.path.join(self.there, b"cur", name)
                self.lab.flush()
                secret = self.secret(f"secret-{number}", len(body))
                self.assertEqual(value == "0", self.link(secret, place), "the kernel does as it was told")
                seen = os.lstat(secret)
                os.rename(os.path.join(self.account, b"cur", name), os.path.join(self.account, b"cur", name + b"S"))
                self.settle()
                self.assert_kept(seen)
                self.assert_arrived(body)
                if value == "1":
                    self.assertTrue(os.path.exists(place + b"S"))

    def test_a_file_of_others_at_the_source(self):
        self.start()
        for value in ("0", "1"):
            with self.subTest(protected_hardlinks=value), protected_hardlinks(value):
                secret = self.secret(f"source-secret-{value}", 100, directory=self.root.source)
                place = os.path.join(self.account, b"cur", BASE % (900 + int(value)) + b":2,")
                self.assertEqual(value == "0", self.link(secret, place), "the kernel does as it was told")
                if value == "0":
                    self.lab.agent.wait_problem("foreign-owner", os.path.basename(place).decode())
                    os.unlink(place)
                self.settle()
                leaked = [path for path in self.files_there() if os.lstat(path).st_uid == USER[0] and b"secret of others" in self.read(path)]
                self.assertEqual([], leaked)

    def files_there(self) -> list[str]:
        return [os.path.join(directory, name) for directory, _, files in os.walk(self.root.destination) for name in files]


MISCHIEF = r'''
import os, random, sys, time

root, others, seed, user = os.fsencode(sys.argv[1]), [os.fsencode(path) for path in sys.argv[2:-2]], int(sys.argv[-2]), int(sys.argv[-1])
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
rng = random.Random(seed)
FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW  # it makes links and goes through none of the other one's

def attempt(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except OSError:
        return None

account = os.open(root, FLAGS)
aside_name = b".aside-%d" % seed
attempt(os.mkdir, aside_name, dir_fd=account)
aside = os.open(aside_name, FLAGS, dir_fd=account)

def swap(name, directory, kept, make):
    """What has the name gets another in its place for a moment."""
    if attempt(os.rename, name, kept, src_dir_fd=directory, dst_dir_fd=aside) is None and attempt(os.stat, kept, dir_fd=aside, follow_symlinks=False) is None:
        return
    attempt(make, name, directory)
    time.sleep(rng.choice([0, 0.001, 0.004]))
    attempt(os.unlink, name, dir_fd=directory)
    attempt(os.rename, kept, name, src_dir_fd=aside, dst_dir_fd=directory)

def link_to_directory(name, directory):
    os.symlink(rng.choice(others), name, dir_fd=directory)

def link_to_secret(name, directory):
    os.symlink(os.path.join(rng.choice(others), b"secret"), name, dir_fd=directory)

def hard_link_to_secret(name, directory):
    os.link(os.path.join(others[0], b"secret"), name, dst_dir_fd=directory)

def fifo(name, directory):
    os.mkfifo(name, dir_fd=directory)

number = 0
while True:
    number += 1
    kept = b"%d" % number
    names = [name for name in map(os.fsencode, os.listdir(account)) if name.startswith(b".") and not name.startswith(b".aside")]
    if names and rng.random() < 0.2:
        swap(rng.choice(names), account, kept, link_to_directory)
        continue
    folder = account if not names or rng.random() < 0.5 else attempt(os.open, rng.choice(names), FLAGS, dir_fd=account)
    if folder is None:
        continue
    area = rng.choice([b"cur", b"new", b"tmp"])
    if rng.random() < 0.3:
        swap(area, folder, kept, link_to_directory)
    else:
        inside = attempt(os.open, area, FLAGS, dir_fd=folder)
        if inside is not None:
            messages = attempt(os.listdir, inside)
            if messages:
                swap(os.fsencode(rng.choice(messages)), inside, kept, rng.choice([link_to_secret, hard_link_to_secret, fifo]))
            os.close(inside)
    if folder != account:
        os.close(folder)
'''


class SwapsBesideTraffic(Shell):
    """Directories and files become links, fifos and links of others' files for a moment, all the while that mail comes."""

    owner = {"policy": "map", "users": {"5000": "5000", "5001": "5001"}, "groups": {"5000": "5000", "5001": "5001"}}

    def mischief(self, account: bytes, others: list, seed: int, user: int) -> subprocess.Popen:
        """`user` 0: as root, who links what a user may not where hard links are protected."""
        command = [sys.executable, "-c", MISCHIEF, os.fsdecode(account), *map(os.fsdecode, others), str(seed), str(user)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_nothing_of_others_is_read_written_or_given(self):
        outside = {}
        for side in ("source", "destination"):
            outside[side] = os.path.join(os.fsencode(self.lab.base), b"outside-" + side.encode())  # where links of files can be made
            os.mkdir(outside[side], 0o755)
            write_file(os.path.join(outside[side], b"secret"), b"secret of others " * 10, (0, 0), 0o600, STAMP)
            for area in (b"cur", b"new", b"tmp"):
                os.mkdir(os.path.join(outside[side], area), 0o755)
        before = {side: self.picture(path) for side, path in outside.items()}
        self.start()
        processes = []
        for number, user in enumerate((USER[0], 0)):
            for side, account in (("source", self.account), ("destination", self.there)):
                others = [outside[side], os.path.dirname(os.path.dirname(self.there if side == "destination" else self.account))]
                processes.append(self.mischief(account, others, 10 * number + (side == "source"), user))
        rng = random.Random(5)
        end = time.monotonic() + min(SECONDS, 20)
        number = 0
        while time.monotonic() < end:
            number += 1
            try:
                self.deliver_beneath(BASE % (1000 + number), rng.randbytes(300))
            except OSError:
                pass  # the user took the directory away
            time.sleep(0.01)
            for side, path in outside.items():
                self.assertEqual(before[side], self.picture(path), side)
        for process in processes:
            self.assertIsNone(process.poll(), "the mischief went on to the end")
            process.send_signal(signal.SIGKILL)
            process.wait()
        for daemon in self.lab.daemons:
            self.assertIsNone(daemon.process.poll(), daemon.name)
        for side, path in outside.items():
            self.assertEqual(before[side], self.picture(path), side)
        self.nothing_leaked(outside)
        # What the user left behind is theirs to put right; then both are equal.
        for account in (self.account, self.there):
            subprocess.run(["find", account, "-maxdepth", "1", "-name", ".aside-*", "-exec", "rm", "-rf", "{}", "+"], check=True)
            subprocess.run(["find", account, "(", "-type", "l", "-o", "-type", "p", "-o", "-links", "+1", "-user", "0", ")", "-delete"], check=True)
            for directory, folders, _ in os.walk(account):
                if directory == account or os.path.basename(directory).startswith(b"."):
                    for area in (b"cur", b"new", b"tmp"):
                        if not os.path.isdir(os.path.join(directory, area)):
                            make_directory(os.path.join(directory, area), USER)
        self.lab.agent.restart()
        self.lab.agent.cli("release")
        self.lab.agent.flush("--full", "--timeout", "60", complete=False)
        self.lab.agent.cli("verify", "--repair")
        deliver(self.account, BASE % 9_000_000)
        self.lab.flush()
        wrong = [found for found in self.lab.differences() if found.kind != "extra" and b"outside" not in found.path]
        self.assertEqual([], wrong)

    def deliver_beneath(self, name: bytes, body: bytes) -> None:
        """As a mail server that does not follow links: this test must not write outside itself."""

        def directory(name: bytes, above: int | None = None) -> int:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            closing.append(fd)
            return fd

        closing: list[int] = []
        try:
            account = directory(self.account)
            aside, new, seen = (directory(area, account) for area in (b"tmp", b"new", b"cur"))
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=aside)
            closing.append(file)
            os.write(file, body)
            os.fchown(file, *USER)
            os.rename(name, name, src_dir_fd=aside, dst_dir_fd=new)
            os.rename(name, name + b":2,S", src_dir_fd=new, dst_dir_fd=seen)
        finally:
            for fd in closing:
                os.close(fd)

    def nothing_leaked(self, outside):
        for directory, _, files in os.walk(os.path.dirname(os.path.dirname(self.there))):
            for name in files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode):
                    continue
                with open(path, "rb") as file:
                    is_secret = b"secret of others" in file.read()
                if is_secret:
                    self.assertEqual(0, status.st_uid, path)
                    self.assertEqual(os.lstat(os.path.join(outside["destination"], b"secret")).st_ino, status.st_ino, path)

    @staticmethod
    def picture(path):
        """All that is there, but for link counts, which the mischief itself changes."""
        found = []
        for directory, folders, files in os.walk(path):
            for name in sorted(folders) + sorted(files):
                status = os.lstat(os.path.join(directory, name))
                found.append((os.path.join(directory, name), status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns if name == b"secret" else 0))
        return found


class AtTheSource(Shell):
    """Links of others' files in a Maildir at the source."""

    # Both users' mail becomes one user's, as with vmail.
    owner = {"policy": "map", "users": {"5000": "7000", "5001": "7000", "0": "7000"}, "groups": {"5000": "7000", "5001": "7000", "0": "7000"}}

    def start(self):
        self.lab.start()
        self.lab.flush()

    def leaked(self) -> list[str]:
        paths = [os.path.join(directory, name) for directory, _, files in os.walk(self.root.destination) for name in files]
        return [path for path in paths if b"secret of others" in self.read(path)]

    def test_a_hard_link_is_left_out_and_named(self):
        self.start()
        for number, owner in enumerate(((0, 0), OTHER)):
            secret = self.secret(f"secret-{number}", 100, owner=owner, directory=self.root.source)
            for place in (b"cur/" + BASE % (500 + number) + b":2,", b"dovecot-acl-%d" % number, b"new/" + BASE % (600 + number)):
                os.link(secret, os.path.join(self.account, place))
                problem = self.lab.agent.wait_problem("foreign-owner", os.path.basename(place).decode())
                self.assertIn(str(owner[0]), problem["detail"])
        self.settle()
        self.assertEqual([], self.leaked())

    def test_names_that_are_found_together_are_each_left_out_and_named(self):
        """The second name of a message is a link there, but not of one that is not there."""
        self.start()
        self.lab.agent.stop()
        secret = self.secret("secret", 100, directory=self.root.source)
        places = [b"cur/" + BASE % 500 + b":2,", b"new/" + BASE % 600, b"cur/" + BASE % 700 + b":2,S"]
        for place in places:
            os.link(secret, os.path.join(self.account, place))
        self.lab.agent.start()
        for place in places:
            self.lab.agent.wait_problem("foreign-owner", os.path.basename(place).decode())
        self.settle()
        self.assertEqual({"foreign-owner"}, {problem["code"] for problem in self.lab.agent.status()["problems"]})
        self.assertNotIn("destination-differs", self.lab.agent.log_text())
        self.assertEqual([], self.leaked())

    def test_a_file_that_was_moved_there_is_left_out_and_named(self):
        """From a directory that anybody may write to; it has no other name."""
        self.start()
        for number, owner in enumerate(((0, 0), OTHER)):
            secret = self.secret(f"secret-{number}", 100, owner=owner, directory=self.root.source)
            place = os.path.join(self.account, b"cur", BASE % (500 + number) + b":2,")
            os.rename(secret, place)
            self.lab.agent.wait_problem("foreign-owner", os.path.basename(place).decode())
        self.settle()
        self.assertEqual([], self.leaked())

    def test_what_the_accounts_owner_may_read_arrives(self):
        self.start()
        path = os.path.join(self.account, b"cur", BASE % 500 + b":2,")
        write_file(path, b"from the postmaster\n", (0, 0), 0o644, STAMP)
        self.lab.flush()
        self.assertEqual(7000, os.lstat(self.root.at_destination(path)).st_uid)
        self.assertEqual([], self.lab.agent.problems())

    def test_where_owners_are_mixed_all_arrives(self):
        self.root.options["owners"] = "mixed"
        self.lab.start()
        secret = self.secret("shared", 100, owner=OTHER, directory=self.root.source)
        place = os.path.join(self.account, b"cur", BASE % 500 + b":2,")
        os.link(secret, place)
        self.lab.flush()
        self.assertEqual([self.root.at_destination(place)], [os.fsencode(path) for path in self.leaked()])


if __name__ == "__main__":
    unittest.main()
