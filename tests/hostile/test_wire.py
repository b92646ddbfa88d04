"""The promises of docs/security.md about the wire: what a client with a valid key, and a stranger, can do with frames."""

import os
import stat
import unittest

from client import digest
from hostile_testing import ACCOUNT, HostileTest


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


if __name__ == "__main__":
    unittest.main()
