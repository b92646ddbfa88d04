"""The oracle itself: a right copy has no difference, each planted fault is found by its name; and what the journal finds."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import oracle
from dovecot import VMAIL, Dovecot
from maildir_trees import write_file
from maildirsync_testing import wait_until
from traffic import Deliverer, Owner, Refused, Traffic
from watcher import FolderWatch

REBUILT = ("dovecot.index*", "dovecot.list.index*", "dovecot.mailbox.log*")
USERS = [f"user{i:02}@example.org" for i in range(4)]


def copy_tree(source: str, destination: str) -> None:
    """A copy as this project owes it: times and links kept, nothing that Dovecot rebuilds."""
    exclude = [f"--exclude={name}" for name in (*REBUILT, "*.lock")]
    subprocess.run(["rsync", "-aH", "--delete", *exclude, source + "/", destination + "/"], check=True)


@unittest.skipUnless(os.geteuid() == 0, "Dovecot serves several Unix users only when root starts it")
class Oracle(unittest.TestCase):
    """Accounts that traffic has filled; each test spoils a fresh copy of them."""

    early_uidlists: dict[str, bytes] = {}
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="maildirsync-test-")
        cls.addClassCleanup(shutil.rmtree, cls.base)
        os.chmod(cls.base, 0o711)
        cls.tree = os.path.join(cls.base, "tree")
        os.mkdir(cls.tree)
        cls.old = Dovecot(cls.base, "old", cls.tree)
        cls.addClassCleanup(cls.old.kill)
        for user in USERS:
            cls.old.add_user(user)
        cls.old.start()
        cls.traffic = Traffic(cls.old, USERS, seed=7, rate=None)
        with cls.traffic:
            wait_until(lambda: cls.traffic.journal.total() > 900, "enough traffic")
        for user in USERS:
            with cls.old.imap(user) as connection:
                connection.create("Kept")
                connection.subscribe("Kept")
                for i in range(9):
                    connection.append("Kept", "(\\Seen urgent)", f'"0{i + 1}-Feb-2003 04:05:06 +0000"', b"Subject: x\r\n\r\nbody %d\r\n" % i)
                    if i == 4:
                        with open(os.path.join(cls.old.folder(user, "Kept"), "dovecot-uidlist"), "rb") as file:
                            cls.early_uidlists[user] = file.read()
                connection.select("Kept")
                connection.store("7", "+FLAGS", "(\\Deleted)")
                connection.expunge()
        cls.old.stop()
        cls.old.forget_lists()
        cls.old.start()
        cls.seen = oracle.look(cls.old)
        cls.old.stop()

    def setUp(self):
        Oracle.count += 1
        self.copy = os.path.join(self.base, f"copy{self.count}")
        copy_tree(self.tree, self.copy)
        self.new = Dovecot(self.base, f"new{self.count}", self.copy)
        self.addCleanup(self.new.kill)
        for user in USERS:
            self.new.add_user(user, home=False)
        self.user = USERS[1]
        self.kept = self.new.folder(self.user, "Kept")
        self.message = os.path.join(self.kept, "cur", self.file_of(uid=4))

    def file_of(self, uid: int) -> str:
        """The name in `cur/` of a message of the folder. By its UID, for the order of the names is not that of arrival."""
        with open(os.path.join(self.kept, "dovecot-uidlist")) as file:
            base = re.search(rf"(?m)^{uid} [^:]*:([^:\n]*)", file.read())[1]
        return next(name for name in os.listdir(os.path.join(self.kept, "cur")) if name.partition(":2,")[0] == base)

    def differences(self):
        self.new.start()
        return oracle.compare(self.seen, oracle.look(self.new))

    def assert_found(self, *kinds, mailbox: str | None = "Kept"):
        """Differences of just these kinds, of the one user and mailbox."""
        found = self.differences()
        self.assertEqual(sorted(kinds), sorted({difference.kind for difference in found}), oracle.explain(found))
        self.assertEqual({self.user}, {difference.user for difference in found})
        if mailbox:
            self.assertEqual({mailbox}, {difference.mailbox for difference in found})

    def edit(self, name: str, change) -> None:
        """Rewrites a control file of the folder, its time kept."""
        path = os.path.join(self.kept, name)
        stamp = os.stat(path).st_mtime_ns
        with open(path, "rb") as file:
            content = file.read()
        changed = change(content)
        self.assertNotEqual(content, changed)
        write_file(path.encode(), changed, VMAIL, 0o600, stamp)

    # -- what is right

    def test_a_copy_has_no_difference(self):
        self.assertEqual([], self.differences())
        self.assertGreater(sum(account.messages() for account in self.seen.values()), 200)

    def test_the_journal_agrees_with_the_server(self):
        faults = self.traffic.journal.faults(self.seen)
        # The messages that setUpClass appended have no Message-ID.
        self.assertEqual([], [fault for fault in faults if "never accepted" not in fault])
        self.assertEqual(len(USERS), len(faults))

    # -- what is wrong

    def test_a_flag(self):
        os.rename(self.message, self.message.replace(":2,", ":2,F"))
        self.assert_found("flags")

    def test_a_keyword_letter(self):
        os.rename(self.message, self.message + "b")
        self.assert_found("flags")

    def test_a_lost_message(self):
        os.unlink(self.message)
        self.assert_found("lost")

    def test_a_surplus_message(self):
        with open(self.message, "rb") as file:
            write_file(os.path.join(self.kept, "cur", "1000000000.M1P1.other:2,").encode(), file.read(), VMAIL, 0o600)
        # It gets the next UID, which the old server will give to another.
        self.assert_found("surplus", "uidnext")

    def test_a_shifted_time(self):
        stamp = os.stat(self.message).st_mtime_ns + 1_000_000_000
        os.utime(self.message, ns=(stamp, stamp))
        self.assert_found("date")

    def test_one_byte(self):
        stamp = os.stat(self.message).st_mtime_ns
        with open(self.message, "r+b") as file:
            file.seek(-3, os.SEEK_END)
            file.write(b"X")
        os.utime(self.message, ns=(stamp, stamp))
        self.assert_found("body")

    def test_bytes_missing(self):
        stamp = os.stat(self.message).st_mtime_ns
        os.truncate(self.message, 15)
        os.utime(self.message, ns=(stamp, stamp))
        # The size is that of the name, which Dovecot believes until it reads the message; then it gives up.
        found = self.differences()
        self.assertTrue(found)
        self.assertEqual({(self.user, "Kept")}, {(difference.user, difference.mailbox) for difference in found})

    def test_a_missing_uidlist(self):
        os.unlink(os.path.join(self.kept, "dovecot-uidlist"))
        found = self.differences()
        self.assertIn("uidvalidity", {difference.kind for difference in found}, oracle.explain(found))
        self.assertEqual({self.user}, {difference.user for difference in found})

    def test_an_uidlist_without_a_message_in_the_middle(self):
        base = os.path.basename(self.message).partition(":2,")[0].encode()
        self.edit("dovecot-uidlist", lambda content: re.sub(rb"(?m)^.*:" + re.escape(base) + rb"\n", b"", content))
        self.assert_found("lost", "surplus", "uidnext")

    def test_an_old_uidlist(self):
        self.edit("dovecot-uidlist", lambda _: self.early_uidlists[self.user])
        # Messages without a line get the UIDs that come next, also those that had belonged to expunged ones.
        self.assert_found("lost", "surplus", "uidnext", "body", "date")

    def test_a_wrong_keyword_file(self):
        self.edit("dovecot-keywords", lambda content: content.replace(b"urgent", b"absurd"))
        self.assert_found("flags")

    def test_a_missing_keyword_file(self):
        os.unlink(os.path.join(self.kept, "dovecot-keywords"))
        self.assert_found("flags")

    def test_a_lost_subscription(self):
        path = os.path.join(self.new.maildir(self.user), "subscriptions")
        with open(path, "rb") as file:
            content = file.read()
        write_file(path.encode(), content.replace(b"Kept\n", b""), VMAIL, 0o600)
        self.assert_found("subscription")

    def test_a_lost_folder(self):
        shutil.rmtree(self.kept)
        self.assert_found("mailbox")

    def test_a_surplus_folder(self):
        shutil.copytree(self.kept, self.new.folder(self.user, "Other"))
        subprocess.run(["chown", "-R", "5000:5000", self.new.folder(self.user, "Other")], check=True)
        self.assert_found("mailbox", mailbox="Other")

    def test_a_doubled_message_is_a_fault_of_the_journal(self):
        source = os.path.join(self.new.maildir(self.user), "cur")
        name = sorted(os.listdir(source))[0]
        with open(os.path.join(source, name), "rb") as file:
            write_file(os.path.join(source, "0" + name).encode(), file.read(), VMAIL, 0o600)
        self.new.start()
        faults = [fault for fault in self.traffic.journal.faults(oracle.look(self.new)) if "never accepted" not in fault]
        self.assertEqual(1, len(faults), faults)
        copies, wanted = re.search(r": (\d+) copies \(.*\) for (\d+): ", faults[0]).groups()
        self.assertEqual(int(wanted) + 1, int(copies))


@unittest.skipUnless(os.geteuid() == 0, "Dovecot serves several Unix users only when root starts it")
class Journal(unittest.TestCase):
    """What the journal of traffic makes of answers that tell little: as much as it must, and no more."""

    def setUp(self):
        base = tempfile.mkdtemp(prefix="maildirsync-test-")
        self.addCleanup(shutil.rmtree, base)
        os.chmod(base, 0o711)
        os.mkdir(os.path.join(base, "tree"))
        self.server = Dovecot(base, "old", os.path.join(base, "tree"))
        self.addCleanup(self.server.kill)
        self.server.add_user(USERS[0])
        self.server.start()
        self.traffic = Traffic(self.server, USERS[:1])
        self.owner = Owner(self.traffic, "owner", USERS[0])
        self.owner.open()
        self.addCleanup(self.owner.close)
        self.ask = self.owner.ask
        for name, count in (("Work", 12), ("Few", 2), ("INBOX", 12)):
            if name != "INBOX":
                self.ask("create", name)
            for _ in range(count):
                self.owner.append(name)
        self.learn()
        self.assertEqual([], self.faults())

    def learn(self) -> None:
        """The owner knows what is where, and has INBOX open."""
        folders = {}
        for name in ("Work", "Few", "INBOX"):
            self.ask("select", name)
            self.owner.seen_up_to, self.owner.folders = 0, {"INBOX": {}}
            self.owner._discover()
            folders[name] = self.owner.folders["INBOX"]
        self.owner.folders = folders

    def faults(self) -> list[str]:
        return self.traffic.journal.faults(oracle.look(self.server))

    def answer(self, command: str, answer) -> None:
        """What the owner is told instead, once."""

        def ask(method, *arguments):
            if command not in (method, *arguments[:1]):
                return self.ask(method, *arguments)
            self.owner.ask = self.ask
            return answer(method, *arguments)

        self.owner.ask = ask

    def refuse(self, *_):
        raise Refused("no")

    def do_and_refuse(self, *command):
        self.ask(*command)
        raise Refused("no, after all")

    def copy_and_refuse(self, *command):
        self.ask(*("COPY" if word == "MOVE" else word for word in command))
        raise Refused("copied, and not removed")

    def assert_in_doubt(self, command: str, answer, do) -> None:
        with self.subTest(f"{command} {answer.__name__}"):
            self.answer(command, answer)
            with self.assertRaises(Refused):
                do()
            self.assertEqual([], self.faults())
            self.learn()

    def test_what_was_refused_may_have_been_done(self):
        for answer in (self.refuse, self.do_and_refuse):
            self.assert_in_doubt("append", answer, lambda: self.owner.append("Work"))
            self.assert_in_doubt("COPY", answer, lambda: self.owner._copy("INBOX"))
            self.assert_in_doubt("MOVE", answer, lambda: self.owner._move("INBOX"))
            self.assert_in_doubt("EXPUNGE", answer, lambda: self.owner._expunge("INBOX"))
        self.assert_in_doubt("MOVE", self.copy_and_refuse, lambda: self.owner._move("INBOX"))
        self.assertEqual(9, len(self.traffic.journal.refused))

    def test_a_folder_whose_removal_was_refused_may_be_gone(self):
        self.answer("delete", self.do_and_refuse)
        with self.assertRaises(Refused):
            self.owner._delete()
        self.assertEqual([], self.faults())

    def test_what_was_refused_was_not_done_twice_and_takes_nothing_else_away(self):
        for again, wanted in ((self.twice_and_refuse, "3 copies"), (self.remove_and_refuse, "0 copies")):
            with self.subTest(wanted):
                self.answer("COPY", again)
                with self.assertRaises(Refused):
                    self.owner._copy("INBOX")
                faults = self.faults()
                self.assertTrue(faults)
                self.assertEqual([], [fault for fault in faults if wanted not in fault or "for 1 to 2" not in fault])
                self.setUp()

    def twice_and_refuse(self, *command):
        self.ask(*command)
        self.do_and_refuse(*command)

    def remove_and_refuse(self, _, __, uids, ___):
        self.ask("uid", "STORE", uids, "+FLAGS", "(\\Deleted)")
        self.ask("uid", "EXPUNGE", uids)
        raise Refused("no")

    def test_an_expunge_that_a_visitor_undid_is_done_again(self):
        def undo(*command):
            with self.server.imap(USERS[0]) as visitor:
                visitor.select("INBOX")
                visitor.uid("STORE", "1:*", "FLAGS", "(\\Seen)")
            return self.ask(*command)

        self.answer("EXPUNGE", undo)
        self.assertEqual(1, self.owner._expunge("INBOX"))
        self.assertGreater(self.owner.taken, 0)
        self.assertEqual([], self.faults())

    def test_a_delivery_whose_answer_is_lost_may_have_been_made(self):
        for delivered in (True, False):
            deliverer = Deliverer(self.traffic, f"lmtp {delivered}")
            deliverer.open()
            self.assertEqual(1, deliverer.step())
            getreply, answers = deliverer.lmtp.getreply, []

            def lose():
                answers.append(getreply())
                if len(answers) == 4:  # MAIL, RCPT, DATA, and that of the message
                    raise ConnectionResetError
                return answers[-1]

            def cut(_):
                raise BrokenPipeError

            deliverer.lmtp.getreply = lose
            if not delivered:
                send = deliverer.lmtp.send
                deliverer.lmtp.send = lambda data: cut(data) if isinstance(data, bytes) else send(data)
            with self.assertRaises(OSError):
                deliverer.step()
            deliverer.lmtp.close()
            self.assertEqual([], self.faults())


class Watch(unittest.TestCase):
    """The watcher that test_traps relies on: what it must find, and what it must not."""

    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="maildirsync-test-")
        self.addCleanup(shutil.rmtree, self.base)
        self.inbox, self.work = (os.path.join(self.base, name) for name in ("inbox", "work"))
        for folder in (self.inbox, self.work):
            for area in ("cur", "new", "tmp"):
                os.makedirs(os.path.join(folder, area))
        self.watch = FolderWatch([self.inbox, self.work])

    def put(self, *path: str, content: str = "") -> str:
        """A file as a receiver puts it: aside, then renamed."""
        aside, final = os.path.join(self.base, "aside"), os.path.join(*path)
        with open(aside, "w") as file:
            file.write(content)
        os.rename(aside, final)
        return final

    def uidlist(self, *bases: str) -> None:
        lines = [f"{i + 1} W9 :{base}\n" for i, base in enumerate(bases)]
        self.put(self.inbox, "dovecot-uidlist", content="3 V1 N1 G0\n" + "".join(lines))

    def seen(self, versions: int) -> None:
        wait_until(lambda: self.watch.versions >= versions, "the watcher reads the uidlist", interval=0.005)

    def test_finds_a_message_that_comes_after_its_line(self):
        with self.watch:
            self.uidlist("1.a")
            self.seen(1)
            self.put(self.inbox, "cur", "1.a:2,S")
        self.assertEqual(1, len(self.watch.ahead), self.watch.ahead)

    def test_allows_messages_that_came_first_were_there_before_or_never_come(self):
        self.put(self.inbox, "cur", "0.before:2,S")
        with self.watch:
            name = self.put(self.inbox, "new", "1.a")
            self.uidlist("0.before", "1.a", "2.expunged")
            self.seen(1)
            os.rename(name, os.path.join(self.inbox, "cur", "1.a:2,S"))
            self.put(self.inbox, "new", "3.b")
            self.uidlist("0.before", "1.a", "2.expunged", "3.b")
            self.seen(2)
        self.assertEqual([], self.watch.ahead)

    def test_finds_a_move_with_a_gap(self):
        name = self.put(self.inbox, "cur", "1.a:2,S")
        with self.watch:
            os.rename(name, os.path.join(self.base, "elsewhere"))
            os.rename(os.path.join(self.base, "elsewhere"), os.path.join(self.work, "cur", "1.a:2,S"))
        self.assertEqual(1, len(self.watch.gaps), self.watch.gaps)

    def test_allows_renames_links_and_removals(self):
        moved, linked, flagged, removed = (self.put(self.inbox, "cur", f"{i}.a:2,S") for i in range(4))
        with self.watch:
            os.rename(moved, os.path.join(self.work, "cur", "0.a:2,S"))
            os.link(linked, os.path.join(self.work, "cur", "1.a:2,S"))
            os.unlink(linked)
            os.rename(flagged, flagged + "T")
            os.unlink(removed)
        self.assertEqual([], self.watch.gaps)


if __name__ == "__main__":
    unittest.main()
