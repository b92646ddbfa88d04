"""What every hostile test starts from: a receiver as its unit starts it, and a client with the agent's key.

    class Links(HostileTest):
        def test_it(self):
            client = self.client()
            client.open_account("vhosts", ACCOUNT)
            self.assertFalse(client.symlink("cur/1.x:2,", "/etc/passwd"))
"""

import os

from client import CODES, Client, Done  # noqa: F401 (for the tests; first, because it finds the modules of tests/e2e)
from loop_mounts import mount
from maildirsync_testing import LabTest, Root
from service_units import run_as_service_user

ACCOUNT = "example.org/user000/Maildir"
#: Mail lies on one of this kind, made for the test; "": wherever the lab is.
FILE_SYSTEM = os.environ.get("MAILDIRSYNC_TEST_FILE_SYSTEM", "")


class HostileTest(LabTest):
    """`as_service = False` runs the receiver as root; `owner` is the root's owner table."""

    as_service = True
    file_system = FILE_SYSTEM
    owner = {"policy": "numeric"}

    def setUp(self):
        super().setUp()
        self.root: Root = self.lab.add_root(owner=self.owner)
        if self.file_system:
            mount(self.lab, self.root.destination, self.file_system)
        self.before_start()
        if self.as_service:
            run_as_service_user(self.lab.receiver)
        self.lab.receiver.start()

    def before_start(self):
        """More roots, files at the destination."""

    def client(self, *, greet: bool = True, identity=None, **options) -> Client:
        client = Client(self.lab.receiver.port, identity or self.lab.agent.identity, **options)
        self.addCleanup(client.close)
        if greet:
            client.hello()
        return client

    def account(self, root: Root | None = None, account: str = ACCOUNT) -> tuple[Client, str]:
        """A client that has opened an account with its INBOX, and where that lies at the destination."""
        client = self.client()
        client.open_account((root or self.root).name, account, parents=[(0o755, 5000, 5000)] * account.count("/"))
        self.assert_done(client.make_folder())
        return client, os.path.join((root or self.root).destination, account)

    def assert_done(self, done: Done):
        self.assertEqual(0, done.code, done.detail)

    def assert_refused(self, done: Done, *codes: str):
        """Refused, with one of these codes (any when none is named)."""
        self.assertNotEqual(0, done.code, "it was done")
        if codes:
            self.assertIn(done.code, [CODES[code] for code in codes], done.detail)

    def assert_serves(self):
        """The receiver does what an agent asks."""
        client, path = self.account(account="example.org/serves/Maildir")
        self.assert_done(client.put("cur/1700000000.M1P1.mx:2,S", b"served"))
        with open(os.path.join(path, "cur/1700000000.M1P1.mx:2,S"), "rb") as file:
            self.assertEqual(b"served", file.read())
        client.close()
