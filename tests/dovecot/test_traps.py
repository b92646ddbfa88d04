"""The traps of a Maildir under a real Dovecot, one test each: what a copy of it gets wrong that does not know them."""

import os
import random
import shutil
import socket
import subprocess
import time
import unittest

import oracle
from dovecot import PASSWORD, VMAIL, DovecotTest, quote, utf7
from maildir_trees import make_directory, make_maildir, write_file
from maildirsync_testing import SECONDS, wait_until
from watcher import FolderWatch

ANNA, BEN = "anna@example.org", "ben@example.net"
NEVER = '"31-Dec-2001 23:59:59 -0700"'


class TrapTest(DovecotTest):
    """Two accounts, mirrored live; the new server does not run yet."""

    mailboxes = ("Work",)

    def setUp(self):
        super().setUp()
        self.add_users(ANNA, BEN)
        self.old.start()
        for user in (ANNA, BEN):
            with self.old.imap(user) as connection:
                for mailbox in self.mailboxes:
                    connection.create(mailbox)
                    connection.subscribe(mailbox)
        self.lab.start()
        self.arrived()
        self.number = 0

    # -- doing

    def message(self, size: int = 400) -> bytes:
        self.number += 1
        line = b"the number is %d\r\n" % self.number
        return b"Subject: %d\r\nMessage-ID: <%d@traps.example>\r\n\r\n" % (self.number, self.number) + line * (size // len(line) + 1)

    def append(self, connection, mailbox: str, count: int = 1, flags: str = "(\\Seen)") -> None:
        for _ in range(count):
            self.ok(connection.append(mailbox, flags, NEVER, self.message()))

    def ok(self, answer):
        self.assertEqual("OK", answer[0], answer)
        return answer[1]

    # -- judging

    def arrived(self) -> None:
        """All is at the destination, byte for byte, while nobody changes anything."""
        self.lab.flush()
        self.lab.assert_equal()

    def total(self, name: str) -> int:
        return self.lab.agent.totals()[name]

    def assert_same_for_clients(self, *users: str) -> dict:
        """The end of a migration: what the clients find at the new server."""
        seen = oracle.look(self.old, users or None)
        self.old.stop()
        self.arrived()
        self.new.start()
        differences = oracle.compare(seen, oracle.look(self.new, users or None))
        self.assertEqual([], differences, oracle.explain(differences))
        self.assertEqual([], self.new.complaints())
        self.assertGreater(sum(account.messages() for account in seen.values()), 0)
        return seen

    def assert_no_problems(self) -> None:
        for daemon in self.lab.daemons:
            self.assertEqual([], daemon.problems())


class ControlFiles(TrapTest):
    def test_never_ahead_of_their_messages(self):
        folders = [self.new.folder(ANNA), self.new.folder(ANNA, "Work")]
        rng = random.Random(1)
        with FolderWatch(folders) as watch, self.old.imap(ANNA) as connection, self.old.lmtp() as lmtp:
            connection.select("INBOX")
            end = time.monotonic() + SECONDS / 2
            while time.monotonic() < end:
                for _ in range(rng.randint(1, 8)):
                    lmtp.sendmail("sender@example.net", [ANNA], self.message())
                self.append(connection, rng.choice(["INBOX", "Work"]), rng.randint(1, 4), rng.choice(["()", "(\\Seen later)"]))
                self.ok(connection.noop())
                highest = int(connection.untagged_responses["EXISTS"][-1])
                connection.untagged_responses.clear()
                some = ",".join(str(rng.randint(1, highest)) for _ in range(3))
                self.ok(connection.copy(some, "Work"))
                self.ok(connection.store(some, "+FLAGS", "(\\Flagged)"))
                if rng.random() < 0.2:
                    self.ok(connection.store(str(rng.randint(1, highest)), "+FLAGS", "(\\Deleted)"))
                    self.ok(connection.expunge())
                # Sometimes a rest, in which the destination catches up to the last uidlist.
                time.sleep(rng.choice([0, 0, 0.01, 0.05]))
            self.lab.flush()
        self.assertEqual([], watch.ahead)
        self.assertGreater(watch.versions, 10)
        print(f"{watch.versions} uidlists seen at the destination, {self.number} messages")
        self.assert_same_for_clients()

    def test_keyword_letters_that_come_before_the_keyword_file(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Work", 60, "()")
            connection.select("Work")
            for i in range(24):
                self.ok(connection.store(f"{i + 1}:{i + 30}", "+FLAGS", f"(label-{i})"))
                if i % 8 == 0:
                    self.lab.flush()
        seen = self.assert_same_for_clients()
        self.assertEqual(24, len({flag for message in seen[ANNA].mailboxes["Work"].messages.values() for flag in message.flags}))

    def test_uidlists_appended_and_rewritten(self):
        uidlist = os.path.join(self.old.folder(ANNA), "dovecot-uidlist")
        inodes = set()
        for _ in range(3):
            for _ in range(20):
                self.old.deliver(ANNA, self.message())
            inodes.add(os.stat(uidlist).st_ino)
            self.arrived()
            with self.old.imap(ANNA) as connection:
                connection.select("INBOX")
                self.ok(connection.store("2:9", "+FLAGS", "(\\Deleted)"))
                self.ok(connection.expunge())
            self.arrived()
            # Writes the list anew, with other UIDs perhaps.
            self.old.doveadm("force-resync", "INBOX", user=ANNA)
            inodes.add(os.stat(uidlist).st_ino)
            self.arrived()
        self.assertGreater(len(inodes), 1, "the uidlist was never rewritten")
        self.assert_same_for_clients()

    def test_a_uidvalidity_that_changes(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Work", 5)
        self.arrived()
        # Deleted and made again under its name: another mailbox to its clients.
        with self.old.imap(ANNA) as connection:
            self.ok(connection.delete("Work"))
            self.ok(connection.create("Work"))
            self.append(connection, "Work", 3)
        self.assert_same_for_clients()

    def test_subscriptions(self):
        names = [utf7(name) for name in ("Entwürfe", "日本", "a & b", "tilde~")]
        with self.old.imap(ANNA) as connection:
            for name in names:
                self.ok(connection.create(quote(name)))
                self.ok(connection.subscribe(quote(name)))
            self.arrived()
            self.ok(connection.unsubscribe(quote(names[1])))
            self.append(connection, "Work")
        seen = self.assert_same_for_clients()
        self.assertEqual({"Work", *names} - {names[1]}, seen[ANNA].subscriptions)

    def test_a_mailbox_with_many_messages(self):
        count = 20_000
        # As a delivery leaves them, without a uidlist: Dovecot numbers them at its first look.
        self.old.stop()
        new = os.path.join(self.old.folder(ANNA), "new").encode()
        for i in range(count):
            write_file(os.path.join(new, b"%d.M%dP1.mx" % (1_600_000_000 + i, i)), b"Subject: %d\n\n%d\n" % (i, i), VMAIL, 0o600)
        self.old.start()
        with self.old.imap(ANNA) as connection:
            self.assertEqual(count, int(self.ok(connection.select("INBOX"))[0]))
        self.lab.flush(limit=300)
        self.lab.assert_equal()
        self.assertGreater(os.path.getsize(os.path.join(self.old.folder(ANNA), "dovecot-uidlist")), 500_000)
        before = self.total("bytes_wire"), self.total("messages_sent")
        self.old.deliver(ANNA, self.message())
        self.arrived()
        self.assertLess(self.total("bytes_wire") - before[0], 100_000)
        self.assertEqual(before[1] + 1, self.total("messages_sent"))
        self.assert_same_for_clients(ANNA)


class Links(TrapTest):
    def test_a_copy_is_a_link_and_costs_no_body(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 30)
            self.arrived()
            sent = self.total("messages_sent")
            connection.select("INBOX")
            self.ok(connection.copy("1:10", "Work"))
        self.arrived()
        self.assertEqual(sent, self.total("messages_sent"))
        self.assertGreaterEqual(self.total("links"), 10)
        twins = 0
        work = os.path.join(self.new.folder(ANNA, "Work"), "cur")
        for name in os.listdir(work):
            # The same base name in both folders.
            twin = os.path.join(self.new.folder(ANNA), "cur", name)
            twins += os.stat(twin).st_ino == os.stat(os.path.join(work, name)).st_ino and os.stat(twin).st_nlink == 2
        self.assertEqual(10, twins)
        self.assert_same_for_clients()

    def test_one_half_of_a_copy_is_flagged_the_other_removed(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 10)
            connection.select("INBOX")
            self.ok(connection.copy("1:10", "Work"))
            self.arrived()
            sent = self.total("messages_sent")
            self.ok(connection.store("1:5", "+FLAGS", "(\\Flagged)"))
            self.ok(connection.store("6:10", "+FLAGS", "(\\Deleted)"))
            self.ok(connection.expunge())
        self.assert_same_for_clients()
        self.assertEqual(sent, self.total("messages_sent"))

    def test_a_move_leaves_no_gap_and_costs_no_body(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 120)
            self.arrived()
            sent = self.total("messages_sent")
            with FolderWatch([self.new.folder(ANNA), self.new.folder(ANNA, "Work")]) as watch:
                for _ in range(24):
                    connection.select("INBOX")
                    self.ok(connection.uid("MOVE", "1:*" if _ == 23 else f"{_ * 5 + 1}:{_ * 5 + 5}", "Work"))
                    time.sleep(0.01)
                self.lab.flush()
        self.assertEqual([], watch.gaps)
        self.assertEqual(120, len(os.listdir(os.path.join(self.new.folder(ANNA, "Work"), "cur"))))
        self.assert_same_for_clients()
        self.assertEqual(sent, self.total("messages_sent"))

    def test_a_message_moved_there_and_back(self):
        # The uidlist then has its base name twice.
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 10)
            connection.select("INBOX")
            self.ok(connection.uid("MOVE", "3:6", "Work"))
            connection.select("Work")
            self.ok(connection.uid("MOVE", "2:3", "INBOX"))
            connection.select("INBOX")
            self.ok(connection.uid("FETCH", "1:*", "(FLAGS)"))
        self.assert_same_for_clients()

    def test_changes_within_one_tick_of_the_clock(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 20, "()")
        self.arrived()
        for round_number in range(4):
            commands = [f"UID STORE {i % 20 + 1} FLAGS.SILENT ({flag})" for i, flag in enumerate(["\\Seen", "\\Flagged", "k1", "", "\\Answered k2"] * 40)]
            commands += [f"UID STORE {i + 1} FLAGS.SILENT ({['', chr(92) + 'Seen', 'k1'][(i + round_number) % 3]})" for i in range(20)]
            self.pipeline(ANNA, "INBOX", commands)
            self.arrived()
        self.assert_same_for_clients()

    def pipeline(self, user: str, mailbox: str, commands: list[str]) -> None:
        """Sends all commands at once; each must be accepted."""
        with socket.create_connection(("127.0.0.1", self.old.port), timeout=60) as connection, connection.makefile("rb") as answers:
            lines = [f"login {user} {PASSWORD}", f'select "{mailbox}"', *commands, "logout"]
            connection.sendall("".join(f"t{i} {line}\r\n" for i, line in enumerate(lines)).encode())
            tagged = [line for line in answers if line.startswith(b"t")]
        self.assertEqual(len(lines), len(tagged))
        self.assertEqual([], [line for line in tagged if b" OK " not in line])


class Folders(TrapTest):
    mailboxes = ("Work", "Old", "Old.Sub", "Old.Sub.Deep", "Gone")

    def test_renamed_with_children_costs_no_body(self):
        with self.old.imap(ANNA) as connection:
            for mailbox in ("Old", "Old.Sub", "Old.Sub.Deep"):
                # More than the brake on deletions tolerates in one folder.
                self.append(connection, mailbox, 70)
            self.arrived()
            sent = self.total("messages_sent")
            self.ok(connection.rename("Old", "Work.Moved"))
            self.arrived()
            self.append(connection, "Work.Moved.Sub.Deep", 3)
        self.assertFalse(os.path.exists(self.new.folder(ANNA, "Old")))
        self.assert_same_for_clients()
        self.assertEqual(sent + 3, self.total("messages_sent"))
        self.assert_no_problems()

    def test_renamed_to_a_name_that_was_just_given_up(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Old.Sub", 20)
            self.append(connection, "Gone", 20)
            self.arrived()
            self.ok(connection.rename("Old.Sub", "Aside"))
            self.ok(connection.rename("Gone", "Old.Sub"))
            self.ok(connection.rename("Aside", "Gone"))
        self.assert_same_for_clients()

    def test_a_removed_folder_takes_along_what_an_early_look_left(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Gone", 5)
        self.arrived()
        self.new.start()
        with self.new.imap(ANNA) as connection:
            connection.select("Gone", readonly=True)
            connection.fetch("1:*", "(ENVELOPE)")
        self.new.stop()
        folder = self.new.folder(ANNA, "Gone")
        self.assertTrue([name for name in os.listdir(folder) if name.startswith("dovecot.index")])
        with self.old.imap(ANNA) as connection:
            self.ok(connection.delete("Gone"))
            self.append(connection, "Work")
        self.lab.flush()
        self.assertFalse(os.path.exists(folder))
        self.assert_same_for_clients()

    def test_created_filled_and_removed_at_once(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Work", 5)
            for i in range(15):
                name = utf7(f"Ärger {i}")
                self.ok(connection.create(quote(name)))
                self.append(connection, quote(name), 5)
                if i % 3:
                    connection.select("Work")
                    self.ok(connection.copy("1:3", quote(name)))
                    self.ok(connection.rename(quote(name), quote(name + "-neu")))
                if i % 2:
                    self.ok(connection.delete(quote(name + "-neu" if i % 3 else name)))
        self.assert_same_for_clients()


class NestedFolders(TrapTest):
    layout = "fs"
    mailboxes = ("Archive", "Archive/2024", "Archive/2024/Q1", "Archive/2023")

    def test_nested(self):
        with self.old.imap(ANNA) as connection:
            for mailbox in ("INBOX", *self.mailboxes):
                self.append(connection, mailbox, 60)
            self.arrived()
            sent = self.total("messages_sent")
            connection.select("Archive/2024/Q1")
            self.ok(connection.copy("1:5", "Archive"))
            self.ok(connection.uid("MOVE", "6:9", "Archive/2023"))
            self.ok(connection.unselect())
            self.arrived()
            self.ok(connection.rename("Archive", utf7("Früher/Archiv")))
            self.arrived()
            self.assertEqual(sent, self.total("messages_sent"))
            self.ok(connection.delete(utf7("Früher/Archiv/2023")))
            self.append(connection, utf7("Früher/Archiv/2024/Q1"), 2)
        self.assert_same_for_clients()
        self.assertFalse(os.path.exists(os.path.join(self.new.maildir(ANNA), "Archive")))


class AccessLists(TrapTest):
    plugins = "acl"
    extra = "protocol imap {\n  mail_plugins = $mail_plugins imap_acl\n}\nplugin {\n  acl = vfile\n}"

    def test_rights_arrive(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "Work")
            self.ok(connection.setacl("Work", f"user={BEN}", "lrwst"))
            self.arrived()
            self.ok(connection.setacl("Work", f"user={BEN}", "lr"))
            self.ok(connection.setacl("INBOX", f"user={BEN}", "l"))
            rights = [connection.getacl(mailbox) for mailbox in ("Work", "INBOX")]
        self.assertTrue(os.path.exists(os.path.join(self.old.folder(ANNA, "Work"), "dovecot-acl")))
        self.assert_same_for_clients()
        with self.new.imap(ANNA) as connection:
            self.assertEqual(rights, [connection.getacl(mailbox) for mailbox in ("Work", "INBOX")])


class Accounts(TrapTest):
    def test_of_many_owners(self):
        """As control panels make them: each account belongs to a Unix user of its own, some modes are wide."""
        owners = {f"owner{i}@panel.example": (6000 + i, 6000 + i % 2) for i in range(5)}
        for user, owner in owners.items():
            self.add_users(user, owner=owner)
            self.old.deliver(user, self.message())
            with self.old.imap(user) as connection:
                self.ok(connection.create("Work"))
                self.append(connection, "Work", 5)
                connection.select("INBOX")
                self.ok(connection.copy("1", "Work"))
            write_file(os.path.join(self.old.maildir(user), "maildirsize").encode(), b"104857600S\n300 1\n", owner, 0o644)
            os.chmod(self.old.home(user), 0o2751)
        self.arrived()
        for user, owner in owners.items():
            status = os.stat(self.new.maildir(user))
            self.assertEqual(owner, (status.st_uid, status.st_gid))
            self.old.deliver(user, self.message())
        self.assert_same_for_clients(*owners)

    def test_with_what_courier_left(self):
        maildir = self.old.maildir(ANNA)
        self.old.deliver(ANNA, self.message())
        files = {
            "courierimapsubscribed": b"INBOX.Work\n",
            "courierimapuiddb": b"1 1600000000 3\n1 1600000000.M1P1.mx\n",
            "courierpop3dsizelist": b"/2 3 1600000000\n1600000000.M1P1.mx 400\n",
            "maildirsize": b"0S,0C\n400 1\n",
            "shared-timestamp": b"",
        }
        for name, content in files.items():
            write_file(os.path.join(maildir, name).encode(), content, VMAIL, 0o644)
        for name in ("courierimapkeywords", "courierimaphieracl", "sieve"):
            make_directory(os.path.join(maildir, name).encode(), VMAIL)
        write_file(os.path.join(maildir, "courierimapkeywords", ":list").encode(), b"$Forwarded\n\n1600000000.M1P1.mx:0\n", VMAIL, 0o644)
        write_file(os.path.join(maildir, "sieve", "main.sieve").encode(), b"keep;\n", VMAIL, 0o600)
        # Not ".dovecot.sieve": Dovecot would take that for a mailbox.
        os.symlink("main.sieve", os.path.join(maildir, "sieve", "active"))
        os.lchown(os.path.join(maildir, "sieve", "active"), *VMAIL)
        self.arrived()
        self.assertEqual("main.sieve", os.readlink(os.path.join(self.new.maildir(ANNA), "sieve", "active")))
        self.assert_same_for_clients()

    def test_added_renamed_and_removed(self):
        self.add_users("new@fresh.example")
        for _ in range(5):
            self.old.deliver("new@fresh.example", self.message())
        self.arrived()
        self.old.forget_user("new@fresh.example")
        os.rename(self.old.home("new@fresh.example"), self.old.home("newer@fresh.example"))
        self.new.forget_user("new@fresh.example")
        self.add_users("newer@fresh.example")
        self.old.deliver("newer@fresh.example", self.message())
        self.lab.flush()
        self.assertEqual([], self.messages_at_destination("new@fresh.example"))
        self.old.forget_user(BEN)
        self.new.forget_user(BEN)
        shutil.rmtree(self.old.home(BEN))
        self.lab.flush()
        self.assertEqual([], self.messages_at_destination(BEN))
        self.old.deliver(ANNA, self.message())
        seen = oracle.look(self.old)
        self.lab.flush()
        self.new.start()
        self.assertEqual([], oracle.compare(seen, oracle.look(self.new)))
        self.assertEqual({ANNA, "newer@fresh.example"}, set(seen))

    def messages_at_destination(self, user: str) -> list[str]:
        return [
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.new.home(user))
            for name in names
            if os.path.basename(directory) in ("cur", "new")
        ]

    def test_restored_from_a_backup(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 20)
            self.append(connection, "Work", 20)
        backup = os.path.join(self.lab.base, "backup")
        subprocess.run(["rsync", "-aH", self.old.home(ANNA) + "/", backup + "/"], check=True)
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 5)
            connection.select("INBOX")
            self.ok(connection.store("1:4", "+FLAGS", "(\\Deleted)"))
            self.ok(connection.expunge())
            self.ok(connection.rename("Work", "Job"))
        self.arrived()
        self.old.stop()
        subprocess.run(["rsync", "-aH", "--delete", backup + "/", self.old.home(ANNA) + "/"], check=True)
        self.old.start()
        self.assert_same_for_clients()

    def test_another_maildir_put_in_its_place(self):
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 20)
        self.arrived()
        self.old.stop()
        aside = os.path.join(self.lab.base, "aside")
        subprocess.run(["cp", "-a", self.old.maildir(ANNA), aside], check=True)
        cur = os.path.join(aside, "cur")
        name = sorted(os.listdir(cur))[0]
        os.rename(os.path.join(cur, name), os.path.join(cur, name + "T"))
        os.rename(self.old.maildir(ANNA), aside + ".before")
        os.rename(aside, self.old.maildir(ANNA))
        self.old.start()
        self.old.deliver(ANNA, self.message())
        self.assert_same_for_clients()

    def test_names_of_other_software(self):
        cur = os.path.join(self.old.folder(ANNA, "Work"), "cur").encode()
        names = [b"1.semicolon;2,S", b"2.bang!2,S", b"3.none", b"4.raw\xfc\xff:2,S", b"5.with space:2,FS", b"7." + b"x" * 240 + b":2,S", b".dot:2,S", b"8.twice:2,S:2,F"]
        for i, name in enumerate(names):
            write_file(os.path.join(cur, name), b"" if name == b"3.none" else b"Subject: %d\n\nx\n" % i, VMAIL, 0o600)
        self.arrived()
        with self.old.imap(ANNA) as connection:
            connection.select("Work")
        self.assert_same_for_clients()

    def test_one_base_name_in_new_and_cur(self):
        self.old.stop()
        folder = self.old.folder(ANNA)
        write_file(os.path.join(folder, "cur", "1.twice:2,S").encode(), b"Subject: cur\n\n", VMAIL, 0o600)
        write_file(os.path.join(folder, "new", "1.twice").encode(), b"Subject: new\n\n", VMAIL, 0o600)
        self.arrived()
        # Dovecot gives one of them another name when it sees them.
        self.old.start()
        self.assert_same_for_clients()

    def test_half_made_folders(self):
        maildir = self.old.maildir(ANNA)
        self.old.deliver(ANNA, self.message())
        for name in (".Half", ".Empty"):
            make_directory(os.path.join(maildir, name).encode(), VMAIL)
        make_directory(os.path.join(maildir, ".Half", "cur").encode(), VMAIL)
        write_file(os.path.join(maildir, ".Half", "cur", "1.x:2,S").encode(), b"Subject: x\n\n", VMAIL, 0o600)
        self.lab.flush()
        make_maildir(os.path.join(maildir, ".Later").encode(), VMAIL)
        self.assert_same_for_clients()


class TheSource(DovecotTest):
    def test_is_only_read(self):
        """No name, byte, mode, owner or time of the source changes; not even a ctime, which tells of any of them."""
        self.add_users(ANNA, BEN)
        self.old.start()
        for user in (ANNA, BEN):
            with self.old.imap(user) as connection:
                connection.create("Work")
                for _ in range(20):
                    connection.append("Work", "(\\Seen)", NEVER, b"Subject: x\r\n\r\nx\r\n")
                self.old.deliver(user, b"Subject: y\r\n\r\ny\r\n")
        self.old.stop()
        before = self.stamps()
        self.lab.start()
        self.lab.flush()
        self.lab.agent.restart()
        self.lab.agent.flush("--full")
        self.lab.agent.cli("--json", "verify", "--deep", limit=120)
        self.lab.assert_equal()
        self.lab.agent.stop()
        self.assertEqual(before, self.stamps())

    def stamps(self) -> dict:
        found = {}
        for directory, directories, files in os.walk(self.root.source):
            for name in [".", *directories, *files]:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return found


class OpenedTooEarly(TrapTest):
    """The new server looked at an account before its cutover, and wrote UIDs of its own."""

    def test_is_reported_and_put_right(self):
        if self.lab.agent.cli("repair-index", "--help").returncode != 0:
            self.skipTest("maildirsync has no repair-index command yet")
        for _ in range(10):
            self.old.deliver(ANNA, self.message())
        self.arrived()
        self.new.start()
        oracle.look(self.new, [ANNA])
        self.new.stop()
        with self.old.imap(ANNA) as connection:
            self.append(connection, "INBOX", 5)
            connection.select("INBOX")
            self.ok(connection.store("2", "+FLAGS", "(\\Deleted later)"))
            self.ok(connection.expunge())
        for _ in range(5):
            self.old.deliver(ANNA, self.message())
        seen = oracle.look(self.old)
        self.old.stop()
        self.lab.agent.flush(complete=False)
        wait_until(lambda: [problem for daemon in self.lab.daemons for problem in daemon.problems() if "index" in problem["code"]], "a problem tells of the early look", alive=self.lab.daemons)
        self.assert_exit(0, self.lab.agent.cli("repair-index", "--account", ANNA))
        self.lab.flush()
        self.new.start()
        differences = oracle.compare(seen, oracle.look(self.new))
        self.assertEqual([], differences, oracle.explain(differences))





if __name__ == "__main__":
    unittest.main()
