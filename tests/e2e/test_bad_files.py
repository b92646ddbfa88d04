"""What Maildirs should not contain but do: that file is reported by name, all others arrive."""

import errno
import os
import random
import signal
import socket
import subprocess
import threading
import time
import unittest

from maildirsync_testing import OWNER, PATIENCE, SANITIZED, LabTest, TreeSpec, deliver, make_tree, program, wait_until
from maildir_trees import make_directory, make_maildir, write_file

LARGE = int(os.environ.get("MAILDIRSYNC_E2E_LARGE", str((32 if SANITIZED else 200) << 20)))
BASE = b"1700000000.M%dP1.mx"


class BadFiles(LabTest):
    def setUp(self):
        super().setUp()
        # Some tests give all to root, and root gets nothing that no table names.
        self.root = self.lab.add_root(owner={"policy": "numeric", "users": {"0": "0"}, "groups": {"0": "0"}})
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=81))
        self.account = self.root.account(0)
        # Above accounts, root's group is given no set-group-ID directory.
        for number in range(3):
            above = os.path.dirname(self.root.account(number))
            for directory in (above, os.path.dirname(above)):
                os.chmod(directory, os.stat(directory).st_mode & 0o1777)

    def others_arrive(self, *bad: bytes):
        """Everything but the bad paths (of the source) is equal."""
        relative = {os.path.relpath(path, os.fsencode(self.root.source)) for path in bad}
        self.lab.assert_equal(skip=lambda path: path in relative)

    def flush_but(self, *bad: bytes):
        """A flush that leaves these out, by name."""
        result = self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertFalse(result["complete"], result)
        text = repr(result["left_out"])
        for path in bad:
            self.assertIn(os.path.basename(path).decode(), text)
        self.others_arrive(*bad)

    def test_unreadable_file(self):
        # Root reads all; without these two capabilities it reads what its uid may.
        path = deliver(self.account, BASE % 1)
        subprocess.run(["chown", "-R", "0:0", self.root.source], check=True)
        os.chmod(path, 0)
        os.chown(path, 5000, 5000)
        self.lab.agent.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"]
        self.lab.start()
        self.lab.agent.wait_problem("permission", os.path.basename(path).decode())
        self.flush_but(path)
        os.chown(path, 0, 0)
        os.chmod(path, 0o600)
        self.lab.flush()
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems("permission"), "the problem clears", alive=self.lab.daemons)

    def test_unreadable_folder(self):
        subprocess.run(["chown", "-R", "0:0", self.root.source], check=True)
        folder = os.path.join(self.account, b".Drafts", b"cur")
        for directory in (self.account, os.path.dirname(folder), os.path.join(self.account, b".Drafts", b"new")):
            os.utime(directory, (1_700_000_000, 1_700_000_000))  # of a folder that rests
        self.lab.agent.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"]
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        before = sorted(os.listdir(self.root.at_destination(folder)))
        os.chmod(folder, 0)
        self.lab.agent.restart()
        self.lab.agent.wait_problem("permission", "Drafts")
        self.assertEqual(before, sorted(os.listdir(self.root.at_destination(folder))), "what cannot be listed is not deleted")
        deliver(self.account, BASE % 1, owner=(0, 0))
        deliver(self.root.account(1), BASE % 1, owner=(0, 0))
        result = self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertIn(".Drafts", repr(result["left_out"]))
        drafts = os.path.relpath(os.path.dirname(folder), os.fsencode(self.root.source))
        self.lab.assert_equal(skip=lambda path: path == drafts or path.startswith(drafts + b"/"))
        self.assertEqual(before, sorted(os.listdir(self.root.at_destination(folder))), "what cannot be listed is not deleted")
        os.chmod(folder, 0o700)
        self.lab.flush()
        self.lab.assert_equal()

    def test_files_that_vanish(self):
        """Deliveries that are renamed and deleted at once, thousands of them."""
        self.lab.start()
        end = time.monotonic() + 5
        number = 0
        while time.monotonic() < end and number < 6000:
            number += 1
            path = deliver(self.account, BASE % number)
            if number % 3:
                os.unlink(path)
            else:
                other = os.path.join(self.account, b"cur", os.path.basename(path) + b":2,S")
                os.rename(path, other)
                if number % 2:
                    os.unlink(other)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_a_file_that_changes_while_it_is_read(self):
        path = os.path.join(self.account, b"cur", BASE % 1 + b":2,")
        write_file(path, random.Random(1).randbytes(4 << 20), OWNER, 0o600)
        self.lab.start()
        stop = threading.Event()

        def scribble():
            rng = random.Random(2)
            while not stop.wait(0.005):
                with open(path, "r+b") as file:
                    file.seek(rng.randrange(4 << 20))
                    file.write(rng.randbytes(100))

        thread = threading.Thread(target=scribble)
        thread.start()
        time.sleep(3)
        stop.set()
        thread.join()
        self.lab.flush()
        self.lab.assert_equal()

    def test_strange_names(self):
        names = [
            b"n" * 255,
            b"1700000000.M1P1.mx:2," + b"a" * (255 - 21),
            b"new\nline.1:2,S",
            b"tab\tand space",
            b"invalid \xff\xfe utf-8:2,",
            "ünïcödé:2,S".encode(),
            b".dotfile",
            b"-rf",
            b"no flags at all",
            b"1700000000.M2P1.mx;2,S",
            b"1700000000.M3P1.mx!2,S",
            b"1700000000.M4P1.mx:2,S:2,F",
            b"1700000000.M5P1.mx:1,exp",
            b"dovecot.index.in-cur",
            b"looks-like.lock",
            b"%s%n%d",
            b'"quoted\\',
        ]
        for i, name in enumerate(names):
            write_file(os.path.join(self.account, b"cur", name), b"%d\n" % i, OWNER, 0o600)
        for name in (b".Folder\nline", b".F\xff", b"." + b"f" * 254, b". ", b".dovecot.lock-less"):
            make_maildir(os.path.join(self.account, name), OWNER)
            deliver(os.path.join(self.account, name), BASE % 1)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        # Renamed live, with the name at its longest on both ends.
        os.rename(os.path.join(self.account, b"cur", b"n" * 255), os.path.join(self.account, b"cur", b"m" * 255))
        os.rename(os.path.join(self.account, b"cur", b"new\nline.1:2,S"), os.path.join(self.account, b"cur", b"new\nline.1:2,FS"))
        write_file(os.path.join(self.account, b"new", b"o" * 255), b"live", OWNER, 0o600)
        self.lab.flush()
        self.lab.assert_equal()

    def test_empty_message(self):
        deliver(self.account, BASE % 1, b"")
        self.lab.start()
        deliver(self.account, BASE % 2, b"")
        self.lab.flush()
        self.lab.assert_equal()

    def test_large_message(self):
        rng = random.Random(3)
        path = os.path.join(self.account, b"tmp", BASE % 1)
        with open(path, "wb") as file:
            for i in range(LARGE >> 20):
                file.write(rng.randbytes(1 << 20) if i % 3 else bytes(1 << 20))
        os.chown(path, *OWNER)
        os.chmod(path, 0o600)
        self.lab.start()
        os.rename(path, os.path.join(self.account, b"new", BASE % 1))
        # Others do not wait behind it for ever, and both arrive.
        small = self.root.at_destination(deliver(self.root.account(1), BASE % 2))
        wait_until(lambda: os.path.exists(small), "a small message", alive=self.lab.daemons)
        self.lab.flush(limit=600)
        self.lab.assert_equal()

    def test_links_and_special_files(self):
        inside = os.path.join(self.account, b"sieve", b"other.sieve")
        if not os.path.isdir(os.path.dirname(inside)):
            make_directory(os.path.dirname(inside), OWNER)
        write_file(inside, b"keep;\n", OWNER, 0o600)
        os.symlink(b"other.sieve", os.path.join(self.account, b"sieve", b"active"))
        os.lchown(os.path.join(self.account, b"sieve", b"active"), *OWNER)
        bad = {}
        for name, target in ((b"absolute", b"/etc/passwd"), (b"climbing", b"../../../../../etc/passwd")):
            bad[name] = os.path.join(self.account, name)
            os.symlink(target, bad[name])
        bad[b"fifo"] = os.path.join(self.account, b"cur", b"a.fifo:2,")
        os.mkfifo(bad[b"fifo"])
        bad[b"socket"] = os.path.join(self.account, b"a.socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(bad[b"socket"])
        self.lab.start()
        self.lab.agent.wait_state("live")
        for _ in range(2):  # a folder that has not changed since is as bad as before
            self.flush_but(*bad.values())
            for path in bad.values():
                self.lab.agent.wait_problem("special-file", os.path.basename(path).decode())
        for path in bad.values():
            self.assertFalse(os.path.lexists(self.root.at_destination(path)))
        for path in bad.values():
            os.unlink(path)
        os.unlink(os.path.join(self.account, b"sieve", b"active"))
        os.symlink(b"./main.sieve", os.path.join(self.account, b"sieve", b"active"))
        os.lchown(os.path.join(self.account, b"sieve", b"active"), *OWNER)
        self.lab.flush()
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems("special-file"), "the problems clear", alive=self.lab.daemons)

    def test_a_link_in_the_destinations_way_is_not_followed(self):
        outside = os.path.join(self.lab.base, "outside")
        os.mkdir(outside)
        domain = os.path.join(os.fsencode(self.root.destination), os.path.relpath(self.account, os.fsencode(self.root.source)).split(b"/")[0])
        os.symlink(outside, domain)
        self.lab.start()
        self.lab.agent.flush("--timeout", "10", complete=False)
        self.assertEqual([], os.listdir(outside))
        os.unlink(domain)
        self.lab.flush()
        self.lab.assert_equal()


class UnmappedOwner(LabTest):
    def test_is_reported_by_name_and_all_else_arrives(self):
        root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "7000"}, "groups": {"5000": "7000"}, "unmapped": "reject"})
        make_tree(root.source, TreeSpec(accounts=2, messages=40, seed=82, owners=((5000, 5000),), extras=False))
        bad = deliver(root.account(0), BASE % 1, owner=(5999, 5999))
        self.lab.start()
        self.lab.agent.wait_problem("unmapped-owner", os.path.basename(bad).decode())
        self.lab.agent.flush("--timeout", "10", complete=False)
        relative = os.path.relpath(bad, os.fsencode(root.source))
        mapped = {"map_owner": lambda uid, gid: (uid + 2000, gid + 2000)}
        self.lab.assert_equal(skip=lambda path: path == relative, **mapped)
        self.assertFalse(os.path.exists(root.at_destination(bad)))
        # A message that is there, and gets an owner that is not mapped: nothing of its folder's stamps tells of that.
        given = next(iter(os.scandir(os.path.join(root.account(1), b"cur")))).path
        os.chown(given, 5999, 5999)
        self.lab.agent.wait_problem("unmapped-owner", os.path.basename(given).decode())
        result = self.lab.agent.flush("--timeout", "10", complete=False)
        for path in (bad, given):
            self.assertIn(os.path.basename(path).decode(), repr(result["left_out"]))
        # Mended in the receiver's table.
        root.owner["users"]["5999"], root.owner["groups"]["5999"] = "7999", "7999"
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(root.at_destination(bad)), "the mapped message arrives", alive=self.lab.daemons, limit=300)
        self.lab.flush()
        self.lab.assert_equal(**mapped)
        self.assertEqual([], self.lab.agent.problems())

    def test_unmapped_takes_the_rest(self):
        root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "7000"}, "groups": {}, "unmapped": "7777:7778"})
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=83))
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal(map_owner=lambda uid, gid: (7000 if uid == 5000 else 7777, 7778))

    def test_by_name(self):
        root = self.lab.add_root(owner={"policy": "name"})
        make_tree(root.source, TreeSpec(accounts=2, messages=30, seed=84, owners=((1, 1), (8, 8))))  # daemon, mail
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()


class FullDisk(LabTest):
    def test_a_full_destination_loses_nothing_and_goes_on_when_there_is_room(self):
        root = self.lab.add_root()
        self.mount_small(root.destination, 12 << 20)
        make_tree(root.source, TreeSpec(accounts=3, messages=60, seed=85, median_size=60_000, sigma=0.5))
        ballast = os.path.join(root.destination, ".ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(10 << 20))
        self.lab.start()
        problem = self.lab.agent.wait_problem("no-space")
        account = os.path.join(os.fsencode(root.source), *problem["account"].encode().split(b"@")[::-1], b"Maildir")
        self.assertTrue(os.path.isfile(os.path.join(account, problem["path"].encode())), problem)
        result = self.lab.agent.flush("--timeout", "5", complete=False)
        self.assertFalse(result["complete"])
        self.assertIn(problem["path"], repr(result["left_out"]))
        # Nothing is half-written under a final name: what is there is equal.
        wrong = [found for found in self.lab.differences(links=False) if found.kind in ("content", "extra")]
        self.assertEqual([], wrong)
        # A message that fits arrives while larger ones wait for room; control files that fit may take it first.
        small = root.at_destination(deliver(root.account(1), BASE % 1))
        for step in range(1, 21):
            os.truncate(ballast, (10 << 20) - step * (32 << 10))
            self.lab.agent.flush("--timeout", "5", complete=False)
            if os.path.exists(small):
                break
        self.assertTrue(os.path.exists(small), self.lab.agent.problems("no-space"))
        self.assertTrue(self.lab.agent.problems("no-space"))
        os.unlink(ballast)
        self.lab.flush(limit=300)
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems("no-space"), "the problem clears", alive=self.lab.daemons)


class FullStateDirectory(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=86))
        for daemon in self.lab.daemons:
            os.makedirs(daemon.state_dir)
            self.mount_small(daemon.state_dir, 2 << 20)

    def assert_does_not_start(self, daemon):
        daemon.write_config()
        done = subprocess.run([program(daemon.executable), "--config", daemon.config], capture_output=True, text=True, timeout=60 * PATIENCE)
        self.assertEqual(2, done.returncode, done.stderr)
        last = done.stderr.splitlines()[-1]
        for words in (daemon.state_dir, os.strerror(errno.ENOSPC), "make space there, or put state_dir elsewhere"):
            self.assertIn(words, last)

    def test_the_agent_names_it_loses_nothing_and_goes_on_when_there_is_room(self):
        self.lab.start()
        self.lab.flush()
        ballast = self.fill_up(self.lab.agent.state_dir)
        for number in range(300):
            deliver(self.root.account(number % 3), BASE % number)
        problem = self.lab.agent.wait_problem("state", self.lab.agent.state_dir)
        self.assertIn(os.strerror(errno.ENOSPC), problem["detail"])
        self.lab.agent.stop()
        self.assert_does_not_start(self.lab.agent)
        os.unlink(ballast)
        self.lab.agent.start()
        self.lab.flush(limit=300)
        self.lab.assert_equal()

    def test_the_problem_goes_without_a_restart(self):
        self.lab.start()
        self.lab.flush()
        ballast = self.fill_up(self.lab.agent.state_dir)
        for number in range(300):
            deliver(self.root.account(number % 3), BASE % number)
        self.lab.agent.wait_problem("state", self.lab.agent.state_dir)
        os.unlink(ballast)
        self.lab.flush(limit=300)
        self.lab.assert_equal()
        wait_until(lambda: not self.lab.agent.problems("state"), "the problem clears", alive=self.lab.daemons)

    def test_neither_starts_without_room_for_a_new_state(self):
        for daemon in self.lab.daemons:
            self.fill_up(daemon.state_dir)
            self.assert_does_not_start(daemon)


if __name__ == "__main__":
    unittest.main()
