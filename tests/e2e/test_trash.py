"""The destination's trash: what is in it, how it comes back, and how it goes."""

import dataclasses
import datetime
import json
import os
import shutil
import stat
import time
import unittest

from maildirsync_testing import OWNER, LabTest, deliver, wait_until
from maildir_trees import make_directory, make_maildir, read_tree, uidlist, write_file

STAMP = 1_600_000_000_123_456_789


class TrashTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.trash = os.path.join(self.root.destination, ".maildirsync.trash")

    def fill(self, folder: bytes, count: int, validity: int = 1234) -> list[bytes]:
        """Messages with flags, dates and UIDs of their own."""
        names = []
        for i in range(count):
            base = b"1600000000.M%dP1.mx,S=%d" % (i, 20 + i)
            name = base + (b":2,S", b":2,FS", b":2,RSa")[i % 3]
            write_file(os.path.join(folder, b"cur", name), b"x" * (20 + i), OWNER, 0o600, STAMP + i)
            names.append(name)
        lines = b"".join(b"%d :%s\n" % (10 + 2 * i, name.partition(b":")[0]) for i, name in enumerate(names))
        write_file(os.path.join(folder, b"dovecot-uidlist"), b"3 V%d N%d G00\n" % (validity, 100 + count) + lines, OWNER, 0o600, STAMP)
        return names

    def account(self, name: str, messages: int) -> bytes:
        account = self.root.make_account(name.encode())
        self.fill(account, messages)
        return account

    def copied(self):
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.before = read_tree(self.root.destination)

    def restore(self, *arguments: str, status: int = 0) -> dict:
        done = self.lab.receiver.cli("--json", "restore", *arguments)
        self.assert_exit(status, done)
        return json.loads(done.stdout)

    def uids(self, folder: bytes) -> dict[bytes, int]:
        with open(self.root.at_destination(os.path.join(folder, b"dovecot-uidlist")), "rb") as file:
            lines = file.read().splitlines()[1:]
        return {name: int(uid) for uid, _, name in (line.partition(b" :") for line in lines)}

    def rewrite_uidlist(self, folder: bytes, without: list[bytes], added: bytes = b""):
        """As Dovecot does some time after an expunge."""
        path = os.path.join(folder, b"dovecot-uidlist")
        with open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
        gone = {name.partition(b":2,")[0] for name in without}
        write_file(path + b".tmp", b"".join(line for line in lines if line.strip().partition(b" :")[2] not in gone) + added, OWNER, 0o600)
        os.rename(path + b".tmp", path)

    @staticmethod
    def of_files_all_of_directories_owner_and_mode(tree: dict) -> dict:
        return {path: dataclasses.replace(entry, inode=(), **({"mtime": 0, "size": 0} if entry.kind == "directory" else {})) for path, entry in tree.items()}

    def assert_restored(self, paths):
        """Name (and so flags), owner, mode, size and time to the nanosecond."""
        now = read_tree(self.root.destination)
        for path in paths:
            relative = os.path.relpath(self.root.at_destination(path), os.fsencode(self.root.destination))
            self.assertIn(relative, now)
            for what in ("kind", "mode", "uid", "gid", "size", "mtime"):
                self.assertEqual(getattr(self.before[relative], what), getattr(now[relative], what), (relative, what))


class ThereAndBack(TrashTest):
    def test_messages_come_back_with_uid_flags_and_date(self):
        account = self.account("a", 60)
        self.copied()
        uids = self.uids(account)
        names = sorted(os.listdir(os.path.join(account, b"cur")))[:30]
        for name in names:
            os.unlink(os.path.join(account, b"cur", name))
        self.lab.flush()
        self.rewrite_uidlist(account, names, b"400 :1700000000.M1P1.mx\n")
        deliver(account, b"1700000000.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()
        for name in names:
            self.assertNotIn(name.partition(b":2,")[0], self.uids(account))

        listed = self.restore("--list")
        self.assertEqual([("a@example.org", "vhosts", 30)], [(a["account"], a["root"], a["messages"]) for a in listed["accounts"]])
        self.assertEqual(datetime.datetime.now(datetime.timezone.utc).date().isoformat(), listed["accounts"][0]["date"])
        answer = self.restore("--account", "a@example.org")
        self.assertEqual((30, 0, 0), (answer["messages"], answer["present"], answer["new_uids"]), answer)
        self.assert_restored(os.path.join(account, b"cur", name) for name in names)
        self.assertEqual({**uids, b"1700000000.M1P1.mx": 400}, self.uids(account))
        self.assertEqual([], os.listdir(self.trash))
        # The mirror leaves it alone, and says that it is there.
        done = self.lab.agent.cli("--json", "verify")
        self.assert_exit(1, done)
        kinds = {difference["kind"] for difference in json.loads(done.stdout)["differences"]}
        self.assertLessEqual(kinds, {"extra", "control"})
        self.assertIn("extra", kinds)
        self.assert_restored(os.path.join(account, b"cur", name) for name in names)

    def test_an_account_comes_back_whole(self):
        account = self.account("a", 7)
        sent = os.path.join(account, b".Sent")
        make_maildir(sent, OWNER, 0o750)
        self.fill(sent, 5, validity=99)
        make_maildir(os.path.join(account, b".Empty"), OWNER)
        make_directory(os.path.join(account, b"sieve"), OWNER)
        write_file(os.path.join(account, b"sieve", b"main.sieve"), b"keep;\n", OWNER, 0o640, STAMP)
        os.symlink(b"sieve/main.sieve", os.path.join(account, b".dovecot.sieve"))
        os.lchown(os.path.join(account, b".dovecot.sieve"), *OWNER)
        self.account("b", 3)
        self.copied()
        shutil.rmtree(os.path.dirname(account))
        self.lab.agent.wait_problem("account-gone")
        self.assert_exit(0, self.lab.agent.cli("release"))
        wait_until(lambda: not os.path.exists(os.path.dirname(self.root.at_destination(account))), "the account goes", alive=self.lab.daemons)
        answer = self.restore("--account", "a@*")
        self.assertEqual((12, 0), (answer["messages"], answer["new_uids"]), answer)
        self.assertEqual([], answer["in_trash"])
        self.assertEqual(self.of_files_all_of_directories_owner_and_mode(self.before), self.of_files_all_of_directories_owner_and_mode(read_tree(self.root.destination)))
        self.assertEqual([], os.listdir(self.trash))

    def test_what_is_there_is_not_touched_and_what_is_taken_comes_beside(self):
        account = self.account("a", 20)
        self.copied()
        names = sorted(os.listdir(os.path.join(account, b"cur")))
        for name in names[:12]:
            os.unlink(os.path.join(account, b"cur", name))
        self.lab.flush()
        there = self.root.at_destination(os.path.join(account, b"cur"))
        in_trash = next(directory for directory, _, files in os.walk(os.fsencode(self.trash)) if names[0] in files)
        # One came back by other means, with other flags; another's name was given to another message.
        again = names[0].partition(b":2,")[0] + b":2,T"
        shutil.copy2(os.path.join(in_trash, names[0]), os.path.join(there, again))
        write_file(os.path.join(there, names[1]), b"somebody else's", OWNER, 0o600)
        answer = self.restore(status=1)
        self.assertEqual((11, 1), (answer["messages"], answer["present"]), answer)
        self.assertEqual(1, len(answer["beside"]))
        with open(os.path.join(there, names[1]), "rb") as file:
            self.assertEqual(b"somebody else's", file.read())
        self.assertNotIn(names[0], os.listdir(there))
        self.assertEqual([names[0]], os.listdir(in_trash))
        text = self.lab.receiver.cli("restore")
        self.assert_exit(0, text)
        self.assertIn("there already", text.stdout)

    def test_a_folder_that_was_made_anew_gives_new_uids_and_says_so(self):
        account = self.account("a", 20)
        self.copied()
        for name in sorted(os.listdir(os.path.join(account, b"cur")))[:12]:
            os.unlink(os.path.join(account, b"cur", name))
        self.lab.flush()
        other = uidlist(77, [])
        write_file(self.root.at_destination(os.path.join(account, b"dovecot-uidlist")), other, OWNER, 0o600)
        answer = self.restore(status=1)
        self.assertEqual((12, 12), (answer["messages"], answer["new_uids"]), answer)
        with open(self.root.at_destination(os.path.join(account, b"dovecot-uidlist")), "rb") as file:
            self.assertEqual(other, file.read())

    def test_a_dovecot_that_holds_the_lock_is_not_disturbed(self):
        account = self.account("a", 20)
        self.copied()
        for name in sorted(os.listdir(os.path.join(account, b"cur")))[:12]:
            os.unlink(os.path.join(account, b"cur", name))
        self.lab.flush()
        lock = self.root.at_destination(os.path.join(account, b"dovecot-uidlist.lock"))
        write_file(lock, b"", OWNER, 0o600)
        answer = self.restore(status=1)
        self.assertEqual(0, answer["messages"])
        self.assertIn("lock", json.dumps(answer["in_trash"]))
        os.unlink(lock)
        self.assertEqual(12, self.restore()["messages"])


class Keeping(TrashTest):
    def trashed(self, count: int = 30) -> bytes:
        account = self.account("a", 40)
        self.copied()
        for name in sorted(os.listdir(os.path.join(account, b"cur")))[:count]:
            os.unlink(os.path.join(account, b"cur", name))
        self.lab.flush()
        return account

    def test_it_is_ours_alone_and_seen_by_nobody(self):
        self.trashed()
        for directory, _, _ in os.walk(self.trash):
            status = os.stat(directory)
            self.assertEqual((0o700, os.geteuid()), (stat.S_IMODE(status.st_mode), status.st_uid), directory)
        self.lab.assert_equal()
        done = self.lab.agent.cli("--json", "verify")
        self.assert_exit(0, done)
        plan = json.loads(self.lab.agent.cli("--json", "plan").stdout)
        self.assertNotIn("maildirsync.trash", json.dumps(plan))

    def test_status_counts_it(self):
        self.trashed()
        trash = wait_until(lambda: (found := self.lab.receiver.status()["roots"][0]["trash"]) and found["files"] and found, "it is counted")
        self.assertEqual((14, 30), (trash["days"], trash["files"]))
        self.assertGreater(trash["bytes"], 0)
        self.assertIn("trash of vhosts: 30 files", self.lab.receiver.cli("status").stdout)
        self.assertEqual(datetime.datetime.now(datetime.timezone.utc).date().isoformat(), trash["oldest"])

    def test_plan_names_it(self):
        self.trashed()
        wait_until(lambda: self.lab.receiver.status()["roots"][0]["trash"]["files"] == 30, "it is counted")
        plan = json.loads(self.lab.agent.cli("--json", "plan").stdout)
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        trash, = plan["space"][0]["trash"]
        self.assertEqual(("vhosts", 14, 30, today), (trash["root"], trash["days"], trash["files"], trash["oldest"]))
        self.assertGreater(trash["bytes"], 0)
        text = self.lab.agent.cli("plan").stdout
        self.assertRegex(text, "trash of vhosts: what is deleted in masses takes its space at the destination for 14 days more; 30 files, .* in it since "
                         f"{today}, counted as used")  # fmt: skip

    def test_it_goes_after_its_days_and_not_before(self):
        self.root.landing["trash_days"] = 3
        self.trashed()
        self.lab.receiver.stop()
        day, = os.listdir(self.trash)
        then = datetime.date.fromisoformat(day)
        kept, over = ((then - datetime.timedelta(days=days)).isoformat() for days in (3, 4))
        shutil.copytree(os.path.join(self.trash, day), os.path.join(self.trash, kept), symlinks=True)
        shutil.copytree(os.path.join(self.trash, day), os.path.join(self.trash, over + ".1"), symlinks=True)
        outside = os.path.join(self.lab.base, "outside")
        os.mkdir(outside)
        write_file(os.path.join(outside, "mail").encode(), b"x", OWNER, 0o600)
        os.symlink(outside, os.path.join(self.trash, over + ".1", "link"))
        os.symlink(outside, os.path.join(self.trash, over))
        os.mkdir(os.path.join(self.trash, "somebody's"))
        self.lab.receiver.start()
        wait_until(lambda: not os.path.exists(os.path.join(self.trash, over + ".1")), "it goes", alive=self.lab.daemons)
        self.assertEqual(sorted([day, kept, over, "somebody's"]), sorted(os.listdir(self.trash)))
        self.assertTrue(os.path.exists(os.path.join(outside, "mail")))

    def test_since_and_what_is_not_there(self):
        self.trashed()
        tomorrow = (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=1)).isoformat()
        done = self.lab.receiver.cli("restore", "--account", "nobody@example.org")
        self.assert_exit(2, done)
        self.assertIn("no account in the trash matches 'nobody@example.org'", done.stderr)
        self.assert_exit(2, self.lab.receiver.cli("restore", "--since", "yesterday"))
        self.assert_exit(0, self.lab.receiver.cli("restore", "--list", "--since", tomorrow))
        self.assertEqual([], self.restore("--list", "--since", tomorrow)["accounts"])
        self.assert_exit(2, self.lab.agent.cli("restore"))
        done = self.lab.receiver.cli("restore", "--list")
        for word in ("a@example.org", "vhosts", "30"):
            self.assertIn(word, done.stdout)

    def test_a_crash_in_the_middle_loses_nothing(self):
        account = self.account("a", 400)
        self.copied()
        names = sorted(os.listdir(os.path.join(account, b"cur")))
        for name in names[:300]:
            os.unlink(os.path.join(account, b"cur", name))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not os.path.exists(self.trash):
            time.sleep(0.002)
        self.lab.receiver.kill()
        self.lab.receiver.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(300, sum(len([n for n in files if b":2," in n]) for _, _, files in os.walk(os.fsencode(self.trash))))
        answer = self.restore()
        self.assertEqual((300, 0), (answer["messages"], answer["new_uids"]))
        self.assert_restored(os.path.join(account, b"cur", name) for name in names)


if __name__ == "__main__":
    unittest.main()
