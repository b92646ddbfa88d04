"""Symbolic links from the wire: the receiver judges each by itself, whatever the agent thought of it."""

import os
import unittest

from client import SYMLINK, entry, location
from hostile_testing import ACCOUNT, HostileTest

OTHER = "example.org/user001/Maildir"
VMAIL = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}


class Links(HostileTest):
    """All accounts, and another peer's, belong to one user, as with vmail: what a mail server follows opens them all."""

    owner = VMAIL

    def setUp(self):
        super().setUp()
        self.client_, self.path = self.account()
        self.assert_done(self.client_.make_folder(".Sent"))
        self.assert_done(self.client_.make_folder("sieve", maildir=False))
        self.other, self.other_path = self.account(account=OTHER)
        self.assert_done(self.other.put("cur/1.secret:2,", b"a secret"))

    def assert_not_made(self, name, target, **options):
        done = self.client_.symlink(name, target, **options)
        self.assert_refused(done, "special-file")
        self.assertFalse(os.path.lexists(os.path.join(self.path, name)), name)
        return done.detail

    def links_out(self):
        """Links below the root that lead out of the account that they lie in."""
        found = []
        for directory, folders, files in os.walk(self.root.destination):
            for name in folders + files:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    continue
                account = os.path.join(self.root.destination, *os.path.relpath(path, self.root.destination).split("/")[:3])
                if not (os.path.realpath(path) + "/").startswith(account + "/"):
                    found.append(path)
        return found

    def test_links_that_leave_the_account_are_refused_under_any_name(self):
        absolute = os.path.join(self.other_path, "cur/1.secret:2,")
        for name in ("cur/9.x:2,", "new/9.x", ".Boss", "Boss", "sieve/active", ".Sent/subscriptions", ".Sent/cur/9.x:2,", ".dovecot.sieve"):
            up = "../" * name.count("/")
            for target in (absolute, "/", "/etc", up + "../../user001/Maildir", up + "../..", up + "..", "x/../../.."):
                detail = self.assert_not_made(name, target)
                self.assertIn("leaves the account", detail)
        self.assertEqual([], self.links_out())
        self.assert_serves()

    def test_as_control_files_and_over_what_is_there(self):
        self.assert_done(self.client_.put("subscriptions", b"Sent\n", kind="put_control"))
        done = self.client_.operation(
            "put_control", to="subscriptions", result=entry(location("subscriptions"), kind=SYMLINK, target="../../user001/Maildir/subscriptions", size=36)
        )
        self.assert_refused(done, "special-file")
        with open(os.path.join(self.path, "subscriptions"), "rb") as file:
            self.assertEqual(b"Sent\n", file.read())
        self.assertEqual([], [name for name in os.listdir(self.path) if name.startswith(".maildirsync.")])

    def test_links_inside_are_made(self):
        self.assert_done(self.client_.put("sieve/main.sieve", b"keep;\n", kind="put_control"))
        for name, target in (
            (".dovecot.sieve", "sieve/main.sieve"),
            ("sieve/active", "main.sieve"),
            ("sieve/chain", "./active"),
            ("sieve/late", "comes-later"),
            (".Alias", ".Sent"),
            (".Sent/cur/1.x:2,", "../../cur/1.x:2,"),
        ):
            self.assert_done(self.client_.symlink(name, target))
            self.assertEqual(target, os.readlink(os.path.join(self.path, name)))
            self.assertEqual(5000, os.lstat(os.path.join(self.path, name)).st_uid)
        self.assertEqual([], self.links_out())

    def test_through_another_link(self):
        """Each of two links is harmless; what the second makes of the first is not."""
        self.assert_done(self.client_.make_folder("a", maildir=False))
        self.assert_done(self.client_.make_folder("a/b", maildir=False))
        self.assertIn("leaves", self.assert_not_made("a/b/out", "../../a/../.."))
        self.assertIn("leaves", self.assert_not_made("a/b/later", "../../c/../x"))
        self.assert_done(self.client_.symlink("way", "a/b"))
        self.assertIn("through another link", self.assert_not_made("sieve/through", "../way/x"))
        # One that somebody else made.
        os.symlink("../../user001/Maildir", os.path.join(self.path, "theirs"))
        self.assertIn("another link", self.assert_not_made(".Boss", "theirs"))
        self.assertIn("another link", self.assert_not_made(".Boss", "theirs/cur"))

    def test_what_is_no_file_and_no_directory(self):
        os.mkfifo(os.path.join(self.path, "fifo"))
        self.assertIn("fifo", self.assert_not_made(".Boss", "fifo"))

    def test_moved_to_where_they_lead_out(self):
        """A link that was made where it stays inside does not get to where it would not."""
        self.assert_done(self.client_.make_folder("a", maildir=False))
        self.assert_done(self.client_.make_folder("a/b", maildir=False))
        self.assert_done(self.client_.make_folder("a/b/c"))
        target = "../../../user001/Maildir/cur/1.secret:2,"
        deep = "a/b/c/l"
        self.assert_done(self.client_.symlink(deep, target))
        for kind in ("rename", "link"):
            for result_kind, expected_kind in ((SYMLINK, SYMLINK), (0, SYMLINK), (SYMLINK, 0)):
                size = len(target) if result_kind else os.lstat(os.path.join(self.path, deep)).st_size
                done = self.client_.operation(
                    kind,
                    from_=deep,
                    to="cur/9.x:2,",
                    expected=entry(location(deep), kind=expected_kind, target=target if expected_kind else "", size=len(target)),
                    result=entry(location("cur/9.x:2,"), kind=result_kind, target=target if result_kind else "", size=size),
                )
                self.assert_refused(done, "special-file", "unexpected")
                self.assertFalse(os.path.lexists(os.path.join(self.path, "cur/9.x:2,")))
        done = self.client_.operation("rename_folder", from_={"folder": "a/b/c", "area": 0}, to={"folder": ".c", "area": 0})
        self.assert_refused(done, "special-file")
        self.assertTrue(os.path.isdir(os.path.join(self.path, "a/b/c")))
        # At the same depth nothing changes.
        done = self.client_.operation("rename_folder", from_={"folder": "a/b/c", "area": 0}, to={"folder": "a/b/d", "area": 0})
        self.assert_done(done)
        self.assertEqual([], self.links_out())


if __name__ == "__main__":
    unittest.main()
