"""What is not mail of a Maildir: search indexes stay behind, and mail in other formats is told of, by every command, and never ready."""

import json
import os
import shutil
import unittest

from maildir_trees import make_maildir, write_file
from maildirsync_testing import OWNER, LabTest, deliver

MBOX = b"From a@example.org Thu Jan  1 00:00:00 2026\nSubject: x\n\nx\n"


class ForeignFormatTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.agent = self.lab.agent
        self.account = self.root.make_account(b"a")
        make_maildir(os.path.join(self.account, b".Lists"), OWNER)
        for number in range(5):
            deliver(self.account, b"1700000000.M%dP1.mx" % number)

    def file(self, *path: bytes, content: bytes = b"x" * 100):
        """With its directories, all the account's owner's."""
        directory = os.fsencode(self.root.source)
        for name in path[:-1]:
            directory = os.path.join(directory, name)
            if not os.path.isdir(directory):
                os.mkdir(directory, 0o700)
                os.chown(directory, *OWNER)
        write_file(os.path.join(directory, path[-1]), content, OWNER, 0o600)


class SearchIndexes(ForeignFormatTest):
    def setUp(self):
        super().setUp()
        box = (b"example.org", b"a", b"Maildir")
        self.file(*box, b"xapian-indexes", b"db_1", b"postlist.glass", content=b"g" * 2_000_000)
        self.file(*box, b".Lists", b"fts-flatcurve", b"current.1", b"docdata.glass")
        self.there = self.root.at_destination(self.account)
        self.lab.start()
        self.lab.flush()

    def test_they_stay_behind_and_cost_nothing(self):
        self.file(b"example.org", b"a", b"Maildir", b"xapian-indexes", b"db_1", b"termlist.glass", content=b"g" * 2_000_000)
        self.agent.flush("--full")
        self.assertFalse(os.path.exists(os.path.join(self.there, b"xapian-indexes")))
        self.assertFalse(os.path.exists(os.path.join(self.there, b".Lists", b"fts-flatcurve")))
        self.assertLess(self.agent.status()["totals"]["bytes_wire"], 200_000)
        self.assert_exit(0, self.agent.cli("verify", "--deep"))
        self.assertEqual([], self.agent.problems())

    def test_those_of_the_destination_are_its_own(self):
        for path in (b"xapian-indexes/db_1", b".Lists/fts-flatcurve/current.1"):
            os.makedirs(os.path.join(self.there, path))
            write_file(os.path.join(self.there, path, b"glass"), b"theirs", OWNER, 0o600)
        self.agent.flush("--full")
        self.assert_exit(0, self.agent.cli("verify"))
        self.assertEqual(0, self.agent.status()["roots"][0]["extra"])
        self.assertTrue(os.path.exists(os.path.join(self.there, b"xapian-indexes", b"db_1", b"glass")))
        # A folder that goes takes its index along, as it takes Dovecot's.
        shutil.rmtree(os.path.join(self.account, b".Lists"))
        self.agent.flush()
        self.assertFalse(os.path.exists(os.path.join(self.there, b".Lists")))


class OtherFormats(ForeignFormatTest):
    FORMATS = {
        b"mdbox": ((b"storage", b"m.1"), (b"storage", b"dovecot.map.index.log"), (b"mailboxes", b"INBOX", b"dbox-Mails", b"dovecot.index.log")),
        b"sdbox": ((b"mailboxes", b"INBOX", b"dbox-Mails", b"u.1"),),
        b"mbox": ((b"mail", b"INBOX"),),
    }

    def setUp(self):
        super().setUp()
        for user, files in self.FORMATS.items():
            for path in files:
                self.file(b"example.org", user, b"Maildir", *path, content=MBOX)
        self.lab.start()

    def test_every_command_tells_of_them(self):
        found = self.agent.flush(complete=False)
        told = {one.get("account"): one for one in found["left_out"] if one.get("code") == "mail-left-out"}
        self.assertEqual({user.decode() + "@example.org" for user in self.FORMATS}, set(told))
        for one in told.values():
            self.assertIn("doveadm backup -R -u USER", one["detail"])
        done = self.agent.cli("--json", "plan")
        self.assert_exit(1, done)
        self.assertIn("mail-left-out", done.stdout)
        done = self.agent.cli("--json", "verify")
        self.assert_exit(1, done)
        self.assertFalse(json.loads(done.stdout)["equal"])
        there = os.path.join(os.fsencode(self.root.destination), b"example.org")
        for user in (b"mdbox", b"sdbox"):  # half of such an account would be worse than none
            self.assertFalse(os.path.exists(os.path.join(there, user, b"Maildir", b"mailboxes")))
        self.assertTrue(os.path.exists(os.path.join(there, b"a", b"Maildir", b"new", b"1700000000.M1P1.mx")))

    def test_what_is_excluded_is_not_told_of(self):
        self.root.options["exclude"] = [user.decode() + "@example.org" for user in self.FORMATS]
        self.agent.restart()
        self.agent.flush()
        self.assertEqual([], self.agent.problems())


class MboxFiles(LabTest):
    def test_an_mbox_in_the_place_of_an_account(self):
        root = self.lab.add_root(layout="%d/%n")
        domain = os.path.join(os.fsencode(root.source), b"example.org")
        os.mkdir(domain)
        make_maildir(os.path.join(domain, b"a"), OWNER, is_account=True)
        write_file(os.path.join(domain, b"b"), MBOX, OWNER, 0o600)
        write_file(os.path.join(domain, b"note"), b"no mail\n", OWNER, 0o600)
        self.lab.start()
        found = self.lab.agent.flush(complete=False)
        self.assertEqual(["example.org/b"], [one.get("path") for one in found["left_out"]])
        self.assertIn("an mbox file where an account would be", found["left_out"][0]["detail"])


if __name__ == "__main__":
    unittest.main()
