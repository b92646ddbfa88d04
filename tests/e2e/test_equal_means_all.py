"""What the mirror does not reach is named, with its path and what to do: `verify` is not equal, `plan` not ready, `flush` not complete, and `cutover`
stops before anything is frozen."""

import json
import os
import struct
import unittest

from maildirsync_testing import OWNER, LabTest, deliver
from maildir_trees import make_maildir, write_file
from service_units import USERS

BASE = b"1700000000.M%dP1.mx:2,S"


class Proofs(LabTest):
    """A root with two accounts that arrive, and what a proof says about the rest."""

    layout = "%d/%n/Maildir"
    owner = OWNER

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can make mail of others")
        self.root = self.lab.add_root(layout=self.layout)
        self.mail = os.fsencode(self.root.source)

    def maildir(self, path: str, messages: int = 3, *, is_account: bool = True) -> bytes:
        """A Maildir below the root, with its messages."""
        place = os.path.join(self.mail, os.fsencode(path))
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
        make_maildir(place, self.owner, is_account=is_account)
        for i in range(messages):
            deliver(place, BASE % i, owner=self.owner, area=b"cur")
        return place

    def ask(self, expected: int, *arguments: str) -> dict:
        done = self.lab.agent.cli("--json", *arguments, limit=120)
        self.assert_exit(expected, done)
        return json.loads(done.stdout)

    def assert_left_out(self, *paths: str, code: str = "mail-left-out", named_by_flush: bool = True):
        """Each of the paths is named by each of the proofs, and by nothing else."""
        journal = os.path.join(self.lab.base, "frozen")
        proofs = {
            "verify": self.ask(1, "verify"),
            "verify --deep": self.ask(1, "verify", "--deep"),
            "flush --full": self.ask(1, "flush", "--full", "--timeout", "60"),
            "plan": self.ask(1, "plan"),
            "cutover": self.ask(1, "cutover", "--freeze", f"touch '{journal}'", "--thaw", "true", "--switch", "true", "--timeout", "60"),
        }
        if named_by_flush:
            proofs["flush"] = self.ask(1, "flush", "--timeout", "60")
        self.assertFalse(os.path.exists(journal), "the cutover went on to its freeze")
        self.assertEqual("presync", proofs["cutover"]["stopped_at"])
        for name, answer in proofs.items():
            for word in ("equal", "ready", "complete"):
                self.assertIsNot(True, answer.get(word), name)
            left_out = answer["to_do"] if name == "plan" else answer["left_out"]
            for path in paths:
                named = [one for one in left_out if one.get("path", "").endswith(path)]
                self.assertTrue(named, f"{name} does not name {path}: {json.dumps(left_out, indent=1)}")
                self.assertEqual(code, named[0]["code"], name)
                self.assertNotEqual("", named[0]["detail"], name)
        for path in paths:
            self.assertIn(path, proofs["cutover"]["detail"] + json.dumps(proofs["cutover"]["left_out"]))
            self.assertTrue([one for one in self.lab.agent.problems(code) if one["path"].endswith(path)], self.lab.agent.problems())
        text = self.lab.agent.cli("verify").stdout
        self.assertIn("not equal", text)
        for path in paths:
            self.assertIn(path, text)

    def assert_all_there(self):
        self.assertEqual([], self.ask(0, "verify")["left_out"])
        self.assertTrue(self.ask(0, "plan")["ready"])
        self.lab.flush()


class Links(Proofs):
    def test_a_folder_that_is_a_link_out_of_the_account(self):
        """An archive on a second disk."""
        account = self.maildir("example.org/a/Maildir")
        archive = os.path.join(os.fsencode(self.lab.base), b"archive")
        make_maildir(archive, OWNER)
        for i in range(30):
            deliver(archive, BASE % i, area=b"cur")
        os.symlink(archive, os.path.join(account, b".Archive"))
        self.lab.start()
        self.assert_left_out(".Archive")
        os.unlink(os.path.join(account, b".Archive"))
        os.rename(archive, os.path.join(account, b".Archive"))
        self.lab.flush()
        self.assert_all_there()
        self.lab.assert_equal()

    def test_a_message_that_is_a_link_out_of_the_account(self):
        account = self.maildir("example.org/a/Maildir")
        outside = os.path.join(self.lab.base, "message")
        with open(outside, "wb") as file:
            file.write(b"Subject: x\n\nx\n")
        os.symlink(outside, os.path.join(account, b"cur", BASE % 77))
        self.lab.start()
        self.assert_left_out("cur/" + os.fsdecode(BASE % 77))

    def test_a_link_that_leads_to_no_mail_is_no_mail(self):
        account = self.maildir("example.org/a/Maildir")
        os.symlink("/etc/passwd", os.path.join(account, b"outside"))
        os.symlink("/nowhere", os.path.join(account, b"cur", b"dangling"))
        self.lab.start()
        self.lab.agent.flush(complete=False)
        self.assertTrue(self.ask(0, "verify")["equal"])
        self.assertTrue(self.ask(0, "plan")["ready"])

    def test_an_account_and_a_domain_that_are_links(self):
        self.maildir("example.org/a/Maildir")
        elsewhere = os.path.join(self.lab.base, "elsewhere")
        os.makedirs(os.path.join(elsewhere, "b"))
        make_maildir(os.fsencode(os.path.join(elsewhere, "b", "Maildir")), OWNER, is_account=True)
        os.symlink(os.path.join(elsewhere, "b"), os.path.join(self.mail, b"example.org", b"b"))
        os.symlink(elsewhere, os.path.join(self.mail, b"example.net"))
        self.lab.start()
        self.assert_left_out("example.org/b", "example.net")


class MailOfNoAccount(Proofs):
    def test_maildirs_beside_the_accounts(self):
        self.maildir("example.org/a/Maildir")
        self.maildir("example.org/a/Maildir.old")
        self.maildir("example.org/deep/er/still/mail")
        self.maildir("a-level-too-high")
        self.lab.start()
        self.assert_left_out("example.org/a/Maildir.old", "example.org/deep/er/still/mail", "a-level-too-high")

    def test_what_is_seen_beside_an_account_is_told_without_being_asked(self):
        self.maildir("example.org/a/Maildir")
        self.maildir("example.org/a/Maildir.old")
        self.lab.start()
        self.lab.agent.wait_problem("mail-left-out", "Maildir.old")

    def test_excluded_accounts_are_left_alone(self):
        self.maildir("example.org/a/Maildir")
        self.maildir("example.org/spam/Maildir")
        self.root.options["exclude"] = ["spam@*"]
        self.lab.start()
        self.lab.flush()
        self.assert_all_there()

    def test_copies_of_the_file_system_are_no_mail(self):
        self.maildir("example.org/a/Maildir")
        self.maildir(".snapshots/1/example.org/a/Maildir")
        self.lab.start()
        self.lab.flush()
        self.assert_all_there()


class CPanel(Proofs):
    """~/mail is the Maildir of the system account, and below it lie those of the domains."""

    layout = "*/mail/%d/%n"

    def test_the_system_accounts_own_mail(self):
        self.maildir("shop/mail")
        self.maildir("shop/mail/.Sent", is_account=False)
        self.maildir("shop/mail/example.org/a")
        self.lab.start()
        self.assert_left_out("shop/mail")


class MailboxesCalledTmp(Proofs):
    """LAYOUT=fs with DIRNAME=, or cPanel's tree as one account: directories in which mailboxes lie beside each other."""

    layout = "%n/mail"

    def test_users_called_tmp_cur_and_new(self):
        self.maildir("shop/mail")
        self.maildir("shop/mail/example.org/a", is_account=False)
        for name in ("tmp", "new", "cur"):
            self.maildir(f"shop/mail/{name}.example.org/{name}", is_account=False)
        self.lab.start()
        self.assert_left_out("tmp.example.org/tmp", "new.example.org/new/cur", "cur.example.org/cur/cur")

    def test_a_mailbox_below_one_called_tmp(self):
        self.maildir("shop/mail")
        self.maildir("shop/mail/projects", is_account=False)
        self.maildir("shop/mail/projects/tmp/old", is_account=False)
        self.maildir("shop/mail/projects/cur/old", is_account=False)
        self.maildir("shop/mail/deeper", is_account=False)
        self.maildir("shop/mail/deeper/tmp/2024/may/late", is_account=False)
        self.maildir("shop/mail/deeper/new/2024/may", is_account=False)
        self.lab.start()
        self.assert_left_out("projects/tmp/old", "projects/cur/old", "deeper/tmp/2024/may/late", "deeper/new/2024")

    def test_a_tmp_with_files_is_as_it_always_was(self):
        account = self.maildir("shop/mail")
        with open(os.path.join(account, b"tmp", b"1700000000.M1P1.mx"), "wb") as file:
            file.write(b"half")
        os.mkdir(os.path.join(account, b"tmp", b"directory"))
        self.lab.start()
        self.lab.flush()
        self.assert_all_there()


class NamesOfOurs(Proofs):
    """.maildirsync.* is what maildirsync calls its own files, and no destination takes such a name from an agent."""

    def test_what_people_called_so(self):
        account = self.maildir("example.org/a/Maildir")
        self.maildir("example.org/a/Maildir/.maildirsync.dev", is_account=False)
        self.maildir("example.org/a/Maildir/.Lists", is_account=False)
        deliver(account, b".maildirsync.1:2,S", area=b"cur")
        deliver(os.path.join(account, b".Lists"), b".maildirsync.0123456789abcdef.x", area=b"new")
        write_file(os.path.join(account, b".maildirsync.note"), b"a note", OWNER, 0o600)
        self.maildir("example.org/.maildirsync.bob/Maildir")
        self.lab.start()
        paths = (".maildirsync.dev", "cur/.maildirsync.1:2,S", ".Lists/new/.maildirsync.0123456789abcdef.x", ".maildirsync.note", "example.org/.maildirsync.bob/Maildir")
        self.assert_left_out(*paths)
        for path in paths[:4]:
            self.assertIn("Rename it at the source", self.lab.agent.wait_problem("mail-left-out", path)["detail"])
            place = os.path.join(account, os.fsencode(path))
            os.rename(place, place.replace(b".maildirsync.", b".a."))
        os.rename(os.path.join(self.mail, b"example.org/.maildirsync.bob"), os.path.join(self.mail, b"example.org/bob"))
        self.lab.agent.flush("--full")
        self.assert_all_there()
        self.lab.assert_equal()

    def test_a_mailbox_that_comes_later(self):
        account = self.maildir("example.org/a/Maildir")
        self.lab.start()
        self.lab.flush()
        self.maildir("example.org/a/Maildir/.maildirsync.dev", is_account=False)
        deliver(account, b".maildirsync.2", area=b"new")
        self.lab.agent.wait_problem("mail-left-out", ".maildirsync.dev")
        self.lab.agent.wait_problem("mail-left-out", "new/.maildirsync.2")

    def test_what_is_left_of_a_time_as_a_destination(self):
        account = self.maildir("example.org/a/Maildir")
        for path in (b".maildirsync.0123456789abcdef.7", b"cur/.maildirsync.0123456789abcdef.8", b".maildirsync.folder", b".maildirsync.uidlist.1"):
            write_file(os.path.join(account, path), b"ours", OWNER, 0o600)
        self.maildir(".maildirsync.trash/2026-11-28/example.org/a/Maildir")
        self.lab.start()
        self.lab.flush()
        self.assert_all_there()


class Unreadable(Proofs):
    """An agent that its unit, root_squash or SELinux keeps from some of the mail: here, one without capabilities."""

    owner = (USERS["maildirsync-agent"], USERS["maildirsync-agent"])

    def setUp(self):
        super().setUp()
        agent = self.lab.agent
        os.makedirs(agent.state_dir, exist_ok=True)
        for path in (agent.directory, agent.state_dir, agent.identity.key):
            os.chown(path, *self.owner)
        agent.prefix = ["setpriv", "--reuid", str(self.owner[0]), "--regid", str(self.owner[1]), "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all"]
        write_config = agent.write_config

        def write_and_give():
            write_config()
            os.chown(agent.config, *self.owner)

        agent.write_config = write_and_give
        self.maildir("example.org/a/Maildir")
        self.closed: list[bytes] = []
        self.addCleanup(lambda: [os.chmod(path, 0o755) for path in self.closed if os.path.exists(path)])

    def close(self, path: str) -> bytes:
        place = os.path.join(self.mail, os.fsencode(path))
        os.chmod(place, 0)
        self.closed.append(place)
        return place

    def test_a_domain_that_was_never_copied(self):
        self.maildir("example.net/b/Maildir")
        self.close("example.net")
        self.lab.start()
        self.assert_left_out("example.net", code="permission")
        self.assertFalse(os.path.exists(os.path.join(self.root.destination, "example.net")))
        os.chmod(self.closed[0], 0o755)
        self.lab.flush()
        self.assert_all_there()

    def test_a_users_directory_that_was_never_copied(self):
        self.maildir("example.net/b/Maildir")
        self.close("example.net/b")
        self.lab.start()
        self.assert_left_out("example.net/b", code="permission")

    def test_an_account_that_was_never_copied(self):
        self.maildir("example.net/b/Maildir")
        self.close("example.net/b/Maildir")
        self.lab.start()
        answer = self.ask(1, "verify")
        self.assertFalse(answer["equal"])
        self.assertTrue([one for one in answer["left_out"] if one.get("account") == "b@example.net"], answer)
        self.assertIn("permission", [one["code"] for one in self.ask(1, "plan")["to_do"]])
        result = self.ask(1, "cutover", "--freeze", "false", "--thaw", "true", "--switch", "true", "--timeout", "5")
        self.assertEqual("presync", result["stopped_at"])
        self.assertNotEqual("live", self.lab.agent.status()["state"])

    def test_a_root_that_cannot_be_opened(self):
        self.close("")
        self.lab.start()
        self.assert_nothing_is_proved()

    def test_a_root_that_can_be_opened_and_not_listed(self):
        """60 of 60 entries missing, and the state was `live`."""
        os.chmod(self.mail, 0o711)
        os.chown(self.mail, 0, 0)
        self.closed.append(self.mail)
        self.lab.start()
        self.assert_nothing_is_proved()

    def assert_nothing_is_proved(self):
        answer = self.ask(1, "verify")
        self.assertFalse(answer["equal"])
        self.assertIn("vhosts", json.dumps(answer["left_out"]))
        self.assertFalse(self.ask(1, "plan")["ready"])
        self.ask(1, "flush", "--timeout", "20")
        self.ask(1, "cutover", "--freeze", "false", "--thaw", "true", "--switch", "true", "--timeout", "20")
        status = self.lab.agent.status()
        self.assertNotEqual("live", status["state"])
        self.assertNotEqual("live", status["roots"][0]["state"])
        self.assertNotEqual(0.0, status["lag_seconds"])
        self.assert_exit(2, self.lab.agent.cli("status"))


class Nothing(Proofs):
    def test_nothing_is_not_equal(self):
        self.lab.start()
        self.lab.agent.wait_state("live")
        answer = self.ask(1, "verify")
        self.assertFalse(answer["equal"])
        self.assertEqual(0, answer["accounts"])
        self.assertIn("no account", answer["left_out"][0]["detail"])
        done = self.lab.agent.cli("verify")
        self.assertIn("not equal", done.stdout)
        self.assertIn("no account", done.stdout)
        self.assertEqual(["no-accounts"], [one["code"] for one in self.ask(1, "plan")["to_do"]])
        result = self.ask(1, "cutover", "--freeze", "false", "--thaw", "true", "--switch", "true")
        self.assertEqual("presync", result["stopped_at"])
        self.assertIn("no account", result["detail"])

    def test_a_pattern_that_matches_nothing_proves_nothing(self):
        self.maildir("example.org/a/Maildir")
        self.lab.start()
        self.lab.flush()
        for command in ("verify", "flush", "plan"):
            done = self.lab.agent.cli(command, "--account", "typo@*")
            self.assertNotEqual(0, done.returncode, command)
            self.assertIn("no account matches 'typo@*'", done.stdout + done.stderr)


def acl(*, user: int = 6, group: int = 0, mask: int = 6, other: int = 0) -> bytes:
    """system.posix_acl_access with one named user (linux/posix_acl_xattr.h)."""
    entries = ((1, 6, -1), (2, user, 1000), (4, group, -1), (16, mask, -1), (32, other, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


class Acls(Proofs):
    def give(self, path: bytes, value: bytes) -> None:
        try:
            os.setxattr(path, "system.posix_acl_access", value)
        except OSError as error:
            self.skipTest(f"no POSIX ACLs on this file system: {error}")

    def mode_there(self, path: bytes) -> int:
        return os.stat(self.root.at_destination(path)).st_mode & 0o7777

    def test_a_mode_is_narrowed_and_never_widened(self):
        account = self.maildir("example.org/a/Maildir")
        message = os.path.join(account, b"cur", BASE % 0)
        plain = os.path.join(account, b"cur", BASE % 1)
        os.chmod(plain, 0o640)
        self.give(message, acl())
        self.assertEqual(0o660, os.stat(message).st_mode & 0o777)
        folder = self.maildir("example.org/a/Maildir/.Shared", is_account=False)
        self.give(folder, acl(user=7, mask=7))
        self.lab.start()
        self.lab.flush()
        self.assertEqual(0o600, self.mode_there(message))
        self.assertEqual(0o640, self.mode_there(plain))
        self.assertEqual(0, self.mode_there(folder) & 0o070)
        answer = self.ask(0, "verify")
        self.assertEqual([], answer["differences"])
        problem = self.lab.agent.wait_problem("acl-left-behind")
        self.assertRegex(problem["detail"], r"^2 files and directories")
        # Live: one that gets an ACL, and one that comes with it.
        self.give(plain, acl(group=4, mask=6))
        late = deliver(account, BASE % 9, area=b"cur")
        self.give(late, acl())
        self.lab.flush()
        self.lab.agent.flush("--full")
        self.assertEqual(0o640, self.mode_there(plain))
        self.assertEqual(0o600, self.mode_there(late))
        self.ask(0, "verify")
        # Known over a restart, and once all is asked, exactly.
        self.lab.agent.restart()
        self.lab.agent.wait_problem("acl-left-behind", "4 files")
        os.removexattr(message, "system.posix_acl_access")
        os.chmod(message, 0o600)
        self.lab.flush()
        self.ask(0, "verify")
        self.lab.agent.wait_problem("acl-left-behind", "3 files")
        self.assertEqual(1, len(self.lab.agent.problems("acl-left-behind")))

    def test_whom_an_acl_keeps_out_stays_out(self):
        account = self.maildir("example.org/a/Maildir")
        message = os.path.join(account, b"cur", BASE % 0)
        self.give(message, acl(user=0, group=6, mask=6, other=4))
        self.lab.start()
        self.lab.flush()
        self.assertEqual(0o600, self.mode_there(message))
        self.ask(0, "verify")


del Proofs  # of which no test is run by itself

if __name__ == "__main__":
    unittest.main()
