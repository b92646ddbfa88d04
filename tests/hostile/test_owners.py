"""Owners and modes from the wire: root gets nothing that no table names, and nothing becomes a program of somebody's."""

import os
import stat
import unittest

from client import STAMP, entry, location
from hostile_testing import ACCOUNT, HostileTest


def shown(path):
    status = os.lstat(path)
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


class Numeric(HostileTest):
    """The policy that allows most; and the wire says of itself which ids there are."""

    owner = {"policy": "numeric"}

    def setUp(self):
        super().setUp()
        self.client_, self.path = self.account()

    def nothing_of_roots(self):
        for directory, folders, files in os.walk(self.root.destination):
            for path in [os.path.join(directory, name) for name in folders + files]:
                mode, user, group = shown(path)
                self.assertFalse(mode & 0o4000, path)
                self.assertFalse(mode & 0o2000 and not os.path.isdir(path), path)
                if path.startswith(self.path):
                    self.assertNotEqual(0, user, path)
                    self.assertNotEqual(0, group, path)

    def test_root_is_refused(self):
        client = self.client_
        for owner in ((0, 0), (0, 5000), (5000, 0)):
            self.assert_refused(client.put("cur/1.x:2,", b"#!/bin/sh\n", mode=0o755, owner=owner), "unmapped-owner")
            done = client.put("dovecot-uidlist", b"3 V1 N1\n", kind="put_control", mode=0o4755, owner=owner)
            self.assert_refused(done, "unmapped-owner")
            self.assertIn("root", done.detail)
            self.assert_refused(client.make_folder(".Root", owner=owner), "unmapped-owner")
            self.assert_refused(client.symlink("l", "cur", owner=owner), "unmapped-owner")
        self.assert_done(client.put("cur/2.x:2,", b"mine"))
        for owner in ((0, 5000), (5000, 0)):
            done = client.operation(
                "set_attributes", to="cur/2.x:2,", result=entry(location("cur/2.x:2,"), size=4, mode=0o4755, owner=owner)
            )
            self.assert_refused(done, "unmapped-owner")
            done = client.rename("cur/2.x:2,", "cur/2.x:2,S", size=4, owner=owner)
            self.assert_refused(done, "unmapped-owner")
        self.nothing_of_roots()
        self.assert_serves()

    def test_no_file_gets_a_set_id_bit(self):
        client = self.client_
        for number, mode in enumerate((0o4755, 0o2755, 0o6755, 0o7777, 0o4600, 0o2640)):
            for kind, name in (("put", f"cur/{number}.x:2,"), ("put_control", f"control-{number}")):
                done = client.put(name, b"#!/bin/sh\n", kind=kind, mode=mode)
                self.assert_done(done)
                self.assertEqual(mode & 0o1777, done.lesser_mode, "it is told")
                self.assertEqual((mode & 0o1777, 5000, 5000), shown(os.path.join(self.path, name)))
            changed = entry(location(f"cur/{number}.x:2,"), size=10, mode=mode)
            done = client.operation("set_attributes", to=f"cur/{number}.x:2,", result=changed)
            self.assert_done(done)
            done = client.rename(f"cur/{number}.x:2,", f"cur/{number}.x:2,S", size=10, mode=mode)
            self.assert_done(done)
            self.assertEqual(mode & 0o1777, shown(os.path.join(self.path, f"cur/{number}.x:2,S"))[0])
        self.nothing_of_roots()

    def test_directories_get_the_set_group_bit_at_most(self):
        client = self.client_
        for number, mode in enumerate((0o2770, 0o4755, 0o6755, 0o7777)):
            done = client.make_folder(f".F{number}", mode=mode)
            self.assert_done(done)
            self.assertEqual(None if mode == 0o2770 else mode & 0o3777, done.lesser_mode)
            for area in ("", "cur", "new", "tmp"):
                self.assertEqual((mode & 0o3777, 5000, 5000), shown(os.path.join(self.path, f".F{number}", area)))
        client.open_account("vhosts", "a.org/b.org/c", parents=[(0o7777, 0, 0), (0o7777, 5000, 5000)])
        self.assert_done(client.make_folder(mode=0o7777))
        # A directory above an account may be root's, as most are; that gives nobody anything, but its group would.
        self.assertEqual((0o1777, 0, 0), shown(os.path.join(self.root.destination, "a.org")))
        self.assertEqual((0o3777, 5000, 5000), shown(os.path.join(self.root.destination, "a.org/b.org")))
        self.nothing_of_roots()


class ByName(Numeric):
    """The agent says which name an id has: root's is no better than its number."""

    owner = {"policy": "name"}

    def client(self, **options):
        client = super().client(**options)
        client.names({5000: "mail", 0: "root", 5001: "root"}, {5000: "mail", 0: "root", 5001: "root"})
        return client

    def test_root_is_refused(self):
        for owner in ((5001, 5000), (5000, 5001), (0, 0)):
            self.assert_refused(self.client_.put("cur/1.x:2,", b"x", owner=owner), "unmapped-owner")
        self.assertEqual([], os.listdir(os.path.join(self.path, "cur")))
        self.assert_serves()

    test_no_file_gets_a_set_id_bit = None
    test_directories_get_the_set_group_bit_at_most = None


class Map(HostileTest):
    owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}

    def test_nobody_but_those_of_the_table(self):
        client, path = self.account()
        for owner in ((0, 0), (5000, 0), (5001, 5000), (2**32 - 1, 5000), (5000, 2**32 - 1)):
            self.assert_refused(client.put("cur/1.x:2,", b"x", owner=owner), "unmapped-owner")
        self.assertEqual([], os.listdir(os.path.join(path, "cur")))


class Unset(HostileTest):
    """A root without an owner table."""

    owner = {}

    def test_maps_nobody_and_says_what_to_write(self):
        client = self.client()
        client.open_account("vhosts", ACCOUNT)
        client.names({5000: "mail"}, {5000: "mail"})
        done = client.make_folder()
        self.assert_refused(done, "unmapped-owner")
        self.assertIn("no owner policy in receiver.toml", done.detail)
        self.assertEqual([], [name for name in os.listdir(self.root.destination) if not name.startswith(".maildirsync.")])


class OthersFiles(HostileTest):
    """A file of root's lies in an account. The agent may list its digest, and gets no byte of it into the user's hands."""

    owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}

    def test_no_operation_gives_it_away(self):
        client, path = self.account()
        secret = b"secret of others " * 300
        for name in ("note", "cur/1.x:2,"):
            with open(os.path.join(path, name), "wb") as file:
                file.write(secret)
            os.chmod(os.path.join(path, name), 0o600)
            os.utime(os.path.join(path, name), ns=(STAMP, STAMP))
        listed = client.list("vhosts", ACCOUNT, digests=1)
        known = listed.entries[b"note"]["digest"]
        at = location("note")
        # A delta that is nothing but "copy all of the basis": RS_DELTA_MAGIC, COPY_N1_N2, END.
        delta = bytes.fromhex("72730236") + b"\x46\x00" + len(secret).to_bytes(2, "big") + b"\x00"
        done = client.operation("put_control", to="note", result=entry(at, size=len(secret), digest=known), basis=known, body=delta)
        self.assert_refused(done, "basis-mismatch")
        size = {"size": len(secret)}
        self.assert_refused(client.operation("set_attributes", to="note", result=entry(at, **size)), "unexpected")
        self.assert_refused(client.operation("set_attributes", to="note", result=entry(at, **size, digest=bytes(16))), "conflict")
        for kind in ("rename", "link"):
            self.assert_refused(client.rename("cur/1.x:2,", "cur/1.x:2,S", kind=kind, **size), "unexpected")
            self.assert_refused(client.rename("cur/1.x:2,", "cur/1.x:2,S", kind=kind, **size, digest=bytes(16)), "conflict")
        for name in ("note", "cur/1.x:2,"):
            self.assertEqual((0o600, 0, 0), shown(os.path.join(path, name)))
        self.assertEqual(["1.x:2,"], os.listdir(os.path.join(path, "cur")))


class RootNamed(HostileTest):
    owner = {"policy": "numeric", "users": {"0": "root"}, "groups": {"root": "0"}}

    def test_gets_what_the_table_gives(self):
        client, path = self.account()
        client.names({0: "root"}, {0: "root"})
        self.assert_done(client.put("cur/1.x:2,", b"x", owner=(0, 0), mode=0o4640))
        self.assertEqual((0o640, 0, 0), shown(os.path.join(path, "cur/1.x:2,")))


if __name__ == "__main__":
    unittest.main()
