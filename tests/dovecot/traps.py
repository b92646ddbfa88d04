"""What the tests of a Maildir's traps start from: two accounts at a real Dovecot, mirrored live to another."""

import oracle
from dovecot import DovecotTest

ANNA, BEN = "anna@example.org", "ben@example.net"
NEVER = '"31-Dec-2001 23:59:59 -0700"'


class TrapTest(DovecotTest):
    """Two accounts, mirrored live; the new server does not run yet."""

    mailboxes = ("Work",)

    def setUp(self):
        super().setUp()
        self.add_users(ANNA, BEN)
        self.old.start()
        for user in (ANNA, BEN):
            with self.old.imap(user) as connection:
                for mailbox in self.mailboxes:
                    connection.create(mailbox)
                    connection.subscribe(mailbox)
        self.lab.start()
        self.arrived()
        self.number = 0

    # -- doing

    def message(self, size: int = 400) -> bytes:
        self.number += 1
        line = b"the number is %d\r\n" % self.number
        return b"Subject: %d\r\nMessage-ID: <%d@traps.example>\r\n\r\n" % (self.number, self.number) + line * (size // len(line) + 1)

    def append(self, connection, mailbox: str, count: int = 1, flags: str = "(\\Seen)") -> None:
        for _ in range(count):
            self.ok(connection.append(mailbox, flags, NEVER, self.message()))

    def ok(self, answer):
        self.assertEqual("OK", answer[0], answer)
        return answer[1]

    # -- judging

    def arrived(self) -> None:
        """All is at the destination, byte for byte, while nobody changes anything."""
        self.lab.flush()
        self.lab.assert_equal()

    def total(self, name: str) -> int:
        return self.lab.agent.totals()[name]

    def assert_same_for_clients(self, *users: str) -> dict:
        """The end of a migration: what the clients find at the new server."""
        seen = oracle.look(self.old, users or None)
        self.old.stop()
        self.arrived()
        self.new.start()
        differences = oracle.compare(seen, oracle.look(self.new, users or None))
        self.assertEqual([], differences, oracle.explain(differences))
        self.assertEqual([], self.new.complaints(self.old))
        self.assertGreater(sum(account.messages() for account in seen.values()), 0)
        return seen

    def assert_no_problems(self) -> None:
        for daemon in self.lab.daemons:
            self.assertEqual([], daemon.problems())
