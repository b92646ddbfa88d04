"""A mailbox with 100,000 messages; MAILDIRSYNC_E2E_SCALE changes the number."""

import os
import unittest

from dovecot import VMAIL
from maildir_trees import write_file
from maildirsync_testing import SCALE
from traps import ANNA, TrapTest


class ManyMessages(TrapTest):
    def test_a_mailbox_with_a_hundred_thousand(self):
        count = max(1000, round(100_000 * SCALE))
        self.lab.agent.stop()
        self.old.stop()
        cur = os.path.join(self.old.folder(ANNA), "cur").encode()
        for i in range(count):
            name = b"%d.M%dP1.mx:2,%s" % (1_600_000_000 + i, i, b"S" if i % 3 else b"")
            write_file(os.path.join(cur, name), b"Subject: %d\n\n" % i, VMAIL, 0o600, (1_600_000_000 + i) * 10**9)
        self.old.start()
        self.lab.agent.start()
        with self.old.imap(ANNA) as connection:
            # Dovecot numbers them while the agent sends them.
            self.assertEqual(count, int(self.ok(connection.select("INBOX"))[0]))
        self.lab.flush(limit=300)
        self.assertGreater(os.path.getsize(os.path.join(self.old.folder(ANNA), "dovecot-uidlist")), 25 * count)
        before = self.lab.agent.totals()
        with self.old.imap(ANNA) as connection:
            connection.select("INBOX")
            self.ok(connection.store(str(count // 2), "+FLAGS", "(\\Flagged)"))
        self.old.deliver(ANNA, self.message())
        self.lab.flush()
        after = self.lab.agent.totals()
        self.assertLess(after["bytes_wire"] - before["bytes_wire"], 100_000)
        self.assertEqual(before["messages_sent"] + 1, after["messages_sent"])
        self.lab.assert_equal(contents=False)
        seen = self.headers(self.old)
        self.old.stop()
        self.lab.flush()
        self.new.start()
        self.assertEqual(seen, self.headers(self.new))
        self.assertEqual(count + 1, len(seen[1]))

    def headers(self, server):
        """All that a client lists of INBOX, without the bodies."""
        with server.imap(ANNA) as connection:
            connection.select("INBOX", readonly=True)
            numbers = connection.response("UIDVALIDITY")[1], connection.response("UIDNEXT")[1]
            found = self.ok(connection.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)"))
        return numbers, [line.replace(b" \\Recent", b"").replace(b"\\Recent", b"") for line in found]


if __name__ == "__main__":
    unittest.main()
