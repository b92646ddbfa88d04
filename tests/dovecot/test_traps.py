"""The traps of a Maildir under a real Dovecot, one test each: what a copy of it gets wrong that does not know them."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import oracle
from dovecot import PASSWORD, VMAIL, quote, utf7
from maildir_trees import make_maildir, write_file
from maildirsync_testing import SECONDS, wait_until
from traps import ANNA, TrapTest
from watcher import FolderWatch

FLAGS = ["(\\Seen)", "(\\Flagged)", "(\\Answered)", "(label)"]

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

class Listings(TrapTest):
    def test_of_a_folder_in_which_files_are_renamed(self):
        """readdir may miss a name that is being renamed: nothing may be deleted for that."""
        count = 1500
        self.old.stop()
        cur = os.path.join(self.old.folder(ANNA, "Work"), "cur").encode()
        for i in range(count):
            write_file(os.path.join(cur, b"%d.M%dP1.mx:2," % (1_600_000_000 + i, i)), b"Subject: %d\n\n" % i, VMAIL, 0o600)
        self.old.start()
        with self.old.imap(ANNA) as connection:
            connection.select("Work")
        self.arrived()
        deleted, sent = self.total("deletes"), self.total("messages_sent")
        ending = threading.Event()
        listings = 0

        def change_flags():
            with self.old.imap(ANNA) as connection:
                connection.select("Work")
                rng = random.Random(2)
                while not ending.is_set():
                    self.ok(connection.store(f"{rng.randint(1, count // 2)}:{count}", rng.choice("+-") + "FLAGS.SILENT", rng.choice(FLAGS)))

        with FolderWatch([self.new.folder(ANNA, "Work")]) as watch, ThreadPoolExecutor(1) as pool:
            changing = pool.submit(change_flags)
            end = time.monotonic() + SECONDS / 3
            while time.monotonic() < end:
                self.lab.agent.flush("--full", "--timeout", "2", complete=False)
                listings += 1
            ending.set()
            changing.result()
            self.lab.flush()
        self.assertEqual([], watch.gaps)
        self.assertEqual(count, len(os.listdir(os.path.join(self.new.folder(ANNA, "Work"), "cur"))))
        self.assert_same_for_clients(ANNA)
        self.assertEqual((deleted, sent), (self.total("deletes"), self.total("messages_sent")))
        print(f"{listings} full listings, {self.total('renames')} renames")


class InPlace(TrapTest):
    mailboxes = ("Work", "Whole")

    def test_messages_changed_by_tools(self):
        """Filters add headers, and editors rewrite, in place or by another file, while the agent runs or is away."""
        with self.old.imap(ANNA) as connection:
            for folder in ("INBOX", *self.mailboxes):
                self.append(connection, folder, 6)
        self.arrived()
        for folder, agent in (("INBOX", "looks at names"), ("Work", "is away"), ("Whole", "looks at the account")):
            if agent == "is away":
                self.lab.agent.stop()
            elif agent == "looks at the account":
                self.lab.agent.signal(signal.SIGSTOP)
            cur = os.path.join(self.old.folder(ANNA, folder), "cur")
            paths = [os.path.join(cur, name) for name in sorted(os.listdir(cur))]
            with open(paths[0], "r+b") as file:  # longer, under the same inode
                content = file.read()
                file.seek(0)
                file.write(b"X-Spam-Flag: NO\r\n" + content)
            with open(paths[1], "r+b") as file:  # equally long
                file.write(b"Subject: #")
            os.truncate(paths[2], 50)
            subprocess.run(["sed", "-i", "s/^Subject: /Subject: [ext] /", paths[3]], check=True)  # another inode
            if agent == "looks at the account":
                # A new folder: then the others are listed, and what has its name and inode still is not looked at for that.
                make_maildir(os.path.join(self.old.maildir(ANNA), ".Made").encode(), VMAIL)
                self.lab.agent.signal(signal.SIGCONT)
                self.arrived()
            elif agent == "is away":
                self.lab.agent.start()
                self.lab.flush(limit=60)
                self.lab.agent.flush("--full")
                self.lab.assert_equal()
            else:
                self.arrived()
        # Dovecot finds the sizes in the names wrong, and gives some of the messages other names.
        oracle.look(self.old, [ANNA])
        self.old.stop()
        self.arrived()


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
            sent, links, renames = (self.total(name) for name in ("messages_sent", "links", "renames"))
            # The halves get flags of their own in one turn of the agent.
            self.lab.agent.signal(signal.SIGSTOP)
            self.ok(connection.store("1:5", "+FLAGS", "(\\Flagged)"))
            connection.select("Work")
            self.ok(connection.store("1:5", "+FLAGS", "(\\Answered)"))
            connection.select("INBOX")
            self.ok(connection.store("6:10", "+FLAGS", "(\\Deleted)"))
            self.ok(connection.expunge())
            self.lab.agent.signal(signal.SIGCONT)
        self.assert_same_for_clients()
        self.assertEqual(sent, self.total("messages_sent"))
        self.assertEqual((links, renames + 10), (self.total("links"), self.total("renames")), "each flag is one rename of its own half")

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
        sent = self.total("messages_sent")
        for round_number in range(4):
            commands = [f"UID STORE {i % 20 + 1} FLAGS.SILENT ({flag})" for i, flag in enumerate(["\\Seen", "\\Flagged", "k1", "", "\\Answered k2"] * 40)]
            commands += [f"UID STORE {i + 1} FLAGS.SILENT ({['', chr(92) + 'Seen', 'k1'][(i + round_number) % 3]})" for i in range(20)]
            self.pipeline(ANNA, "INBOX", commands)
            self.arrived()
        self.assert_same_for_clients()
        self.assertEqual(sent, self.total("messages_sent"))

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
            sent, renames = self.total("messages_sent"), self.total("renames")
            self.ok(connection.rename("Old", "Work.Moved"))
            self.arrived()
            self.assertLess(self.total("renames") - renames, 3 * 70, "each message was renamed, and not their folders")
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
            sent = self.total("messages_sent")
            self.ok(connection.rename("Old.Sub", "Aside"))
            self.ok(connection.rename("Gone", "Old.Sub"))
            self.ok(connection.rename("Aside", "Gone"))
        self.assert_same_for_clients()
        self.assertEqual(sent, self.total("messages_sent"))
        self.assert_no_problems()

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


class OpenedTooEarly(TrapTest):
    """The new server looked at an account before its cutover, and wrote UIDs of its own."""

    def test_is_reported_and_put_right(self):
        for _ in range(10):
            self.old.deliver(ANNA, self.message())
        self.arrived()
        self.new.start()
        # Its indexes remember what was expunged: a message that comes again gets another UID.
        with self.new.imap(ANNA) as connection:
            connection.select("INBOX")
            self.ok(connection.store("3:5", "+FLAGS", "(\\Deleted)"))
            self.ok(connection.store("6", "+FLAGS", "(\\Flagged early)"))
            self.ok(connection.expunge())
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
