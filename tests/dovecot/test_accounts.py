"""Accounts of other software, of many owners, broken ones, and ones that come, go and are put back, at a real Dovecot."""

import os
import random
import shutil
import subprocess
import unittest

import oracle
from dovecot import VMAIL, DovecotTest
from maildir_trees import make_directory, make_maildir, write_file
from traps import ANNA, BEN, NEVER, TrapTest


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
            # chown and chmod clear and set the setgid bit: order matters at the destination.
            os.chmod(self.old.maildir(user), 0o2751)
            os.chmod(self.old.folder(user, "Work"), 0o2770)
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

    def let_go(self, account):
        """What is gone at the source waits at the destination until a person says so."""
        self.lab.agent.wait_problem("account-gone", account)
        self.assertTrue(os.path.isdir(self.new.home(account)))
        self.assertEqual(0, self.lab.agent.cli("release", "--account", account).returncode)

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
        self.let_go("new@fresh.example")
        self.lab.flush()
        self.assertEqual([], self.messages_at_destination("new@fresh.example"))
        self.old.forget_user(BEN)
        self.new.forget_user(BEN)
        shutil.rmtree(self.old.home(BEN))
        self.let_go(BEN)
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
        # An agent that lost its state finds them again under other flags, whatever stands before those.
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        for old, new in ((names[0], b"1.semicolon;2,FS"), (names[1], b"2.bang!2,FS"), (names[2], b"3.none:2,S"), (names[7], b"8.twice:2,S:2,FS")):
            os.rename(os.path.join(cur, old), os.path.join(cur, new))
        self.lab.agent.start()
        self.arrived()
        self.assertEqual(0, self.total("messages_sent"))
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


class ControlPanel(TrapTest):
    """As cPanel keeps mail: below the homes of Unix users, one for all accounts of a domain."""

    accounts = "*/mail/%d/%n"
    mailboxes = ("Sent", "Archive.2024")

    def add_users(self, *users: str) -> None:
        for number, user in enumerate(users):
            owner = (7000 + number, 7000 + number)
            home = os.path.join(self.root.source, user.split("@")[1].split(".")[0])
            for path, mode in ((home, 0o711), (os.path.join(home, "mail"), 0o751), (os.path.join(home, "mail", user.split("@")[1]), 0o751)):
                if not os.path.isdir(path):
                    make_directory(path.encode(), owner, mode)
            super().add_users(user, owner=owner)
            os.chmod(self.old.home(user), 0o751)

    def test_mail_of_many_homes(self):
        for user in (ANNA, BEN):
            owner = self.old.users[user]
            self.old.deliver(user, self.message())
            with self.old.imap(user) as connection:
                self.append(connection, "Archive.2024", 5)
            write_file(os.path.join(self.old.maildir(user), "maildirsize").encode(), b"262144000S\n400 1\n", owner, 0o600)
        # Beside the accounts: no mail of theirs, and not ours to bring.
        write_file(os.path.join(self.root.source, "example", ".bashrc").encode(), b"umask 077\n", (7000, 7000), 0o644)
        self.arrived()
        for user in (ANNA, BEN):
            status = os.stat(self.new.maildir(user))
            self.assertEqual((*self.old.users[user], 0o40751), (status.st_uid, status.st_gid, status.st_mode))
        self.assertFalse(os.path.exists(os.path.join(self.root.destination, "example", ".bashrc")))
        self.assert_same_for_clients()


class Broken(TrapTest):
    def test_folders_are_mirrored_as_they_are_and_hinder_nobody(self):
        maildir = self.old.maildir(BEN)
        self.old.deliver(ANNA, self.message())
        for name in (".NoCur", ".FileCur", ".Garbage", ".Keywords", ".Twice"):
            make_maildir(os.path.join(maildir, name).encode(), VMAIL)
            write_file(os.path.join(maildir, name, "new", "1.M1P1.mx").encode(), b"Subject: x\n\n", VMAIL, 0o600)
        os.rmdir(os.path.join(maildir, ".NoCur", "cur"))
        os.rmdir(os.path.join(maildir, ".FileCur", "cur"))
        write_file(os.path.join(maildir, ".FileCur", "cur").encode(), b"not a directory\n", VMAIL, 0o600)
        write_file(os.path.join(maildir, ".Garbage", "dovecot-uidlist").encode(), random.Random(3).randbytes(5000), VMAIL, 0o600)
        keywords = b"".join(b"%d keyword%d\n" % (i, i) for i in range(30))
        write_file(os.path.join(maildir, ".Keywords", "dovecot-keywords").encode(), keywords, VMAIL, 0o600)
        write_file(os.path.join(maildir, ".Keywords", "cur", "2.M1P1.mx:2,Saz").encode(), b"Subject: x\n\n", VMAIL, 0o600)
        lines = b"3 V1600000000 N9 G0123456789abcdef0123456789abcdef\n" + b"3 :1.M1P1.mx\n5 :1.M1P1.mx\n"
        write_file(os.path.join(maildir, ".Twice", "dovecot-uidlist").encode(), lines, VMAIL, 0o600)
        for name, target in ((".LoopA", ".LoopB"), (".LoopB", ".LoopA"), (".Self", "."), (".Up", "./.Twice")):
            os.symlink(target, os.path.join(maildir, name))
            os.lchown(os.path.join(maildir, name), *VMAIL)
        self.arrived()
        self.assert_no_problems()
        # The rest goes on, in the account itself and in others.
        with self.old.imap(BEN) as connection:
            self.append(connection, "Work", 3)
        self.old.deliver(ANNA, self.message())
        self.arrived()
        # Dovecot mends what it meets; the new one meets what the old one made of it.
        self.assert_same_for_clients(ANNA)

    def test_an_account_that_becomes_a_file(self):
        self.old.deliver(ANNA, self.message())
        self.old.deliver(BEN, self.message())
        self.arrived()
        self.old.forget_user(BEN)
        self.new.forget_user(BEN)
        os.rename(self.old.maildir(BEN), os.path.join(self.lab.base, "away"))
        write_file(self.old.maildir(BEN).encode(), b"not a directory\n", VMAIL, 0o600)
        self.lab.agent.wait_problem("account-gone")
        self.old.deliver(ANNA, self.message())
        self.lab.agent.flush("--account", ANNA)
        self.assertEqual(2, len(os.listdir(os.path.join(self.new.maildir(ANNA), "new"))))
        os.unlink(self.old.maildir(BEN))
        os.rename(os.path.join(self.lab.base, "away"), self.old.maildir(BEN))
        self.lab.flush()
        self.assert_same_for_clients(ANNA)


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


if __name__ == "__main__":
    unittest.main()
