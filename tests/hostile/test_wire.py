"""The promises of docs/security.md about the wire: what a client with a valid key, and a stranger, can do with frames."""

import os
import shutil
import socket
import ssl
import stat
import unittest

from client import CODES, digest, entry, folder_location, location
import wire
from hostile_testing import ACCOUNT, HostileTest
from maildirsync_testing import keygen


class Honest(HostileTest):
    """The client itself: what it says as an agent would is done, so that a refusal elsewhere means something."""

    def test_it_speaks_the_protocol(self):
        client, path = self.account()
        self.assert_done(client.put("cur/1.x:2,S", b"hello", mode=0o640))
        large = os.urandom(700_000)
        self.assert_done(client.put("new/2.x", large))
        self.assert_done(client.put("subscriptions", b"Sent\n", kind="put_control"))
        self.assert_done(client.make_folder(".Sent"))
        self.assert_done(client.rename("new/2.x", ".Sent/cur/2.x:2,", size=len(large)))
        self.assert_done(client.rename("cur/1.x:2,S", ".Sent/cur/1.x:2,S", kind="link", size=5, mode=0o640))
        self.assert_done(client.remove("cur/1.x:2,S", size=5))
        with open(os.path.join(path, ".Sent/cur/2.x:2,"), "rb") as file:
            self.assertEqual(large, file.read())
        status = os.stat(os.path.join(path, ".Sent/cur/1.x:2,S"))
        self.assertEqual((0o640, 5000, 5000), (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))
        listed = client.list("vhosts", ACCOUNT, digests=1)
        self.assertEqual({b"subscriptions", b".Sent/cur/1.x:2,S", b".Sent/cur/2.x:2,"}, set(listed.entries))
        self.assertEqual(digest(large), listed.entries[b".Sent/cur/2.x:2,"]["digest"])
        self.assertEqual([ACCOUNT.encode()], client.list("vhosts", "", accounts=1, pattern="%d/%n/Maildir").accounts)
        self.assertEqual([{"ok": 1, "uid": 7, "gid": 8}], client.map_owners("vhosts", [(7, 8)])["owners"])

    def test_what_is_refused_is_told(self):
        client, _ = self.account()
        self.assert_refused(client.rename("cur/none.x:2,", "cur/none.x:2,S", size=1), "unexpected", "vanished")
        self.assert_refused(client.put("cur/1.x:2,", b"body", digest=bytes(16)), "protocol")
        self.assert_serves()


class Paths(HostileTest):
    """Nothing is written, removed or listed outside the peer's roots, whatever its paths say."""

    CLIMBING = (b"..", b"../x", b"a/../../x", b"/etc/passwd", b"a//b", b"./a", b"a/.", b"a/", b"nul\0l", b"x" * 256, b"a/" * 3000 + b"a", b".maildirsync.aside")

    def before_start(self):
        self.other = self.lab.add_agent("other")
        self.others = self.lab.add_root("others", agent=self.other)
        self.victim = os.path.join(self.lab.base, "victim")
        os.mkdir(self.victim)
        with open(os.path.join(self.victim, "file"), "wb") as file:
            file.write(b"untouched")

    def tearDown(self):
        self.assertEqual(["file"], os.listdir(self.victim))
        with open(os.path.join(self.victim, "file"), "rb") as file:
            self.assertEqual(b"untouched", file.read())
        super().tearDown()

    def test_of_accounts(self):
        for path in (*self.CLIMBING, b""):
            for say in (lambda client: client.open_account("vhosts", path), lambda client: client.ask_list("vhosts", path)):
                client = self.client()
                say(client)
                self.assertIn("account", client.said(), path)
        self.assert_serves()

    def test_of_folders_and_names(self):
        client, account = self.account()
        climb = b"../" * 20 + os.fsencode(self.victim).lstrip(b"/")
        for path in (*self.CLIMBING, climb + b"/new"):
            name = {"folder": b"", "area": 1, "name": path}
            folder = {"folder": path, "area": 0, "name": b"file"}
            for at in (name, folder):
                self.assert_refused(client.operation("put", to=at, body=b"x", result=entry(at, size=1)))
                client.open_account("vhosts", ACCOUNT)  # what failed keeps removals waiting no longer
                self.assert_refused(client.operation("remove", from_=at, expected=entry(at, size=9)))
                client.open_account("vhosts", ACCOUNT)
                self.assert_refused(client.operation("rename", from_=at, to="cur/1.x:2,", result=entry(location("cur/1.x:2,"), size=9)))
            self.assert_refused(client.make_folder(path))
            self.assert_refused(client.operation("rename_folder", from_=folder_location(path), to=folder_location(b".Here")))
            self.assert_refused(client.operation("rename_folder", from_=folder_location(b""), to=folder_location(path)))
            client.open_account("vhosts", ACCOUNT)
            self.assert_refused(client.operation("remove_folder", from_=folder_location(path)))
            client.open_account("vhosts", ACCOUNT)
        self.assertEqual({"cur", "new", "tmp"}, set(os.listdir(account)))
        self.assert_serves()

    def test_through_links_at_the_destination(self):
        """Of directories above the account, of the account, of a folder and of cur/, as a user with a shell could make them."""
        client, account = self.account()
        self.assert_done(client.make_folder(".Sub"))
        for link in (os.path.join(account, "cur"), os.path.join(account, ".Sub"), account, os.path.dirname(account)):
            os.rename(link, link + "-away")
            os.symlink(self.victim, link)
            client = self.client()
            client.open_account("vhosts", ACCOUNT, parents=[(0o755, 5000, 5000)] * 2)
            for path in ("cur/1.x:2,", ".Sub/cur/1.x:2,", "file", ".Sub/file"):
                client.put(path, b"replaced", kind="put" if "cur" in path else "put_control")
                client.open_account("vhosts", ACCOUNT, parents=[(0o755, 5000, 5000)] * 2)
                client.remove(path, size=9)
            client.operation("remove_folder", from_=folder_location(".Sub"))
            self.assertNotIn(b"untouched", str(client.list("vhosts", ACCOUNT).entries).encode())
            self.assertEqual(["file"], os.listdir(self.victim))
            self.assertTrue(os.path.islink(link) or not os.path.lexists(link) or link.endswith(".Sub"))
            if os.path.islink(link):
                os.unlink(link)
            elif os.path.lexists(link):
                shutil.rmtree(link)
            os.rename(link + "-away", link)
        self.assert_serves()

    def test_of_other_peers_roots(self):
        client = self.client(identity=self.other.identity)
        client.open_account("others", ACCOUNT)
        self.assert_done(client.make_folder())
        self.assert_done(client.put("cur/1.x:2,", b"secret"))
        client = self.client()  # the peer that has "vhosts" only
        for root in ("others", "../destination-other-others", self.others.destination, "", "vhosts/../others"):
            client.open_account(root, ACCOUNT)
            self.assert_refused(client.put("cur/2.x:2,", b"x"), "root-gone")
            client.open_account(root, ACCOUNT)
            self.assert_refused(client.remove("cur/1.x:2,", size=6), "root-gone")
            listed = client.list(root, ACCOUNT, digests=1)
            self.assertEqual(({}, CODES["root-gone"]), (listed.entries, listed.code))
            accounts = client.list(root, "", accounts=1, pattern="%d/%n/Maildir")
            self.assertEqual(([], CODES["root-gone"]), (accounts.accounts, accounts.code))
            self.assertFalse(client.map_owners(root, [(0, 0)])["owners"][0].get("ok"))
        self.assertEqual([b"cur/1.x:2,"], list(self.client(identity=self.other.identity).list("others", ACCOUNT).entries))
        self.assertEqual(["vhosts"], self.client(greet=False).hello()["roots"])


class Frames(HostileTest):
    """A frame that no agent sends ends its connection, with a word, and nothing else."""

    @staticmethod
    def zstd(window_log: int, *blocks: tuple[int, bytes, int]) -> bytes:
        """The beginning of a zstd frame by hand: blocks of (type: 0 raw, 1 one byte repeated; bytes; size)."""
        data = b"\x28\xb5\x2f\xfd\x00" + bytes([(window_log - 10) << 3])
        for kind, content, size in blocks:
            data += ((size << 3) | (kind << 1)).to_bytes(3, "little") + content
        return data

    def assert_ends(self, *frames, word: str = "", open_account: bool = True):
        client = self.client()
        if open_account:
            client.open_account("vhosts", ACCOUNT)
        for header, payload in frames:
            client.send(header, payload)
        said = client.said()
        self.assertNotEqual("", said, "the connection ended without a word")
        self.assertIn(word, said)

    def test_of_kinds_that_only_a_receiver_sends(self):
        for header in ({"hello": {"version": 1}}, {"ack": {"sequence": 1}}, {"listing": {"id": 1}}, {"mapped_owners": {"id": 1}}, {"pong": {"number": 1}}):
            self.assert_ends((header, b""))
        self.assert_serves()

    def test_of_no_known_kind(self):
        for header in (b"", b"\xff" * 20, b"\x9a\x06\x00", b"\x22"):
            self.assert_ends((header, b""))
        self.assert_serves()

    def test_out_of_order(self):
        put = {"operation": {"sequence": 1, "kind": 3, "to": location("cur/1.x"), "result": entry(location("cur/1.x"), size=2), "more": 1}}
        self.assert_ends((put, b"x"), open_account=False)
        self.assert_ends((put, b"x"), (put, b"x"))
        self.assert_ends((put, b"x"), ({"open_account": {"root": "vhosts", "account": ACCOUNT}}, b""))
        self.assert_ends(({"body": {"last": 1}}, b"x"))
        self.assert_serves()

    def test_packed_over_its_bounds(self):
        much = self.zstd(20, *[(1, b"x", 128 * 1024)] * 64)  # 8 MiB from a few hundred bytes
        for size, payload in ((1, much), (1024 * 1024, much), (1024 * 1024 + 1, b""), (0xFFFFFFFF, b""), (100, self.zstd(20, (0, b"x" * 10, 10)))):
            self.assert_ends(({"packed": {"plain_size": size}}, payload))
        self.assert_ends(({"packed": {"plain_size": 10}}, self.zstd(27, (0, b"x" * 10, 10))))  # a window of 128 MiB
        self.assert_ends(({"packed": {"plain_size": 10}}, b"no zstd at all"))
        self.assert_serves()

    def test_packed_frames_that_must_not_be(self):
        for header in ({"list": {"id": 1, "root": "vhosts", "account": ACCOUNT}}, {"open_account": {"root": "vhosts", "account": ACCOUNT}}, {"packed": {"plain_size": 1}}):
            raw = wire.encode("Header", header)
            plain = len(raw).to_bytes(4, "little") + bytes(4) + raw
            self.assert_ends(({"packed": {"plain_size": len(plain)}}, self.zstd(20, (0, plain, len(plain)))), word="packed")
        for plain in (b"\x05\0\0\0", b"\xff" * 8, (100).to_bytes(4, "little") + bytes(4) + b"x"):
            self.assert_ends(({"packed": {"plain_size": len(plain)}}, self.zstd(20, (0, plain, len(plain)))))
        self.assert_serves()

    def test_deltas_of_garbage_and_bombs(self):
        client, path = self.account()
        self.assert_done(client.put("dovecot-uidlist", b"basis" * 1000, kind="put_control"))
        at, known = location("dovecot-uidlist"), digest(b"basis" * 1000)
        copy = b"rs\x026" + (b"\x54" + bytes(8) + (5000).to_bytes(8, "big")) * 10_000 + b"\0"  # 50 MB
        for delta in (b"", b"garbage", b"rs\x026", b"rs\x026\x7f", copy, copy[:-1]):
            done = client.operation("put_control", to=at, body=delta, basis=known, result=entry(at, size=5000, digest=bytes(16)))
            self.assert_refused(done)
        self.assert_refused(client.operation("put_control", to=at, body=b"rs\x026\0", basis=bytes(16), result=entry(at, size=0, digest=digest(b""))), "basis-mismatch")
        with open(os.path.join(path, "dovecot-uidlist"), "rb") as file:
            self.assertEqual(b"basis" * 1000, file.read())
        self.assert_serves()


class Tls(HostileTest):
    def test_every_connection_proves_its_key(self):
        """No session is resumed, and none can be."""
        client = self.client()
        client.ping()
        session = client.stream.session
        self.assertFalse(session is not None and session.has_ticket)

    def test_a_certificate_without_its_key_and_none_at_all(self):
        for certificate in (False, True):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if certificate:  # a stranger's, whose name is the agent's
                stranger = keygen(os.path.join(self.lab.base, "stranger"), "agent")
                context.load_cert_chain(stranger.certificate, stranger.key)
            with socket.create_connection(("127.0.0.1", self.lab.receiver.port), timeout=30) as plain:
                try:
                    stream = context.wrap_socket(plain)
                    hello = wire.encode("Header", {"hello": {"version": 1, "instance": bytes(16)}})
                    stream.sendall(len(hello).to_bytes(4, "little") + bytes(4) + hello)
                    said = b""
                    while piece := stream.recv(65536):
                        said += piece
                except OSError:
                    continue
                self.assertNotIn(b"maildirsyncd", said, "it was greeted")
        self.assert_serves()

    def test_older_than_1_3(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.lab.agent.identity.certificate, self.lab.agent.identity.key)
        with socket.create_connection(("127.0.0.1", self.lab.receiver.port), timeout=30) as plain, self.assertRaises(OSError):
            context.wrap_socket(plain)


class Owners(HostileTest):
    """With a table, owners are what it lists and no others."""

    owner = {"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}}

    def test_none_but_those_of_the_table(self):
        client, path = self.account()
        client.names({0: b"root", 33: b"www-data"}, {0: b"root"})
        for owner in ((0, 0), (5000, 0), (0, 5000), (33, 5000), (8, 8), (0xFFFFFFFF, 5000)):
            self.assert_refused(client.put(f"cur/{owner[0]}.{owner[1]}:2,", b"x", owner=owner), "unmapped-owner")
        self.assert_refused(client.make_folder(".Root", owner=(0, 0)), "unmapped-owner")
        self.assertEqual([], os.listdir(os.path.join(path, "cur")))
        client.open_account("vhosts", ACCOUNT)
        self.assert_done(client.put("cur/1.x:2,", b"x"))


if __name__ == "__main__":
    unittest.main()
