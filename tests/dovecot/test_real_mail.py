"""Mail that nobody here wrote: the samples of Python's e-mail tests, with all their oddities, through Dovecot.

They come with Debian's libpython3-testsuite.
"""

import glob
import os
import re
import unittest

import oracle
from dovecot import DovecotTest

SAMPLES = sorted(glob.glob("/usr/lib/python3.*/test/test_email/data/msg_*.txt"))
ANNA, BEN = "anna@example.org", "ben@example.org"


def read_samples() -> list[bytes]:
    """The samples as they travel: CRLF at line ends, never a bare LF."""
    found = []
    for path in SAMPLES:
        with open(path, "rb") as file:
            found.append(re.sub(rb"\r?\n|\r", b"\r\n", file.read()))
    return found


@unittest.skipUnless(SAMPLES, "needs Debian's libpython3-testsuite")
class RealMail(DovecotTest):
    def test_delivered_and_appended(self):
        samples = read_samples()
        self.assertGreater(len(samples), 40)
        self.add_users(ANNA, BEN)
        self.old.start()
        self.lab.start()
        with self.old.imap(BEN) as connection:
            connection.create("Samples")
            for i, sample in enumerate(samples):
                self.old.deliver(ANNA, sample)
                flags = ("()", "(\\Seen)", "(\\Flagged sample)")[i % 3]
                status, data = connection.append("Samples", flags, f'"{i % 28 + 1:02}-Mar-{1990 + i % 30} 01:02:03 +0545"', sample)
                self.assertEqual("OK", status, data)
                if i == len(samples) // 2:
                    self.lab.flush()
        with self.old.imap(ANNA) as connection:
            # A client that shows the list makes Dovecot parse and cache all headers.
            connection.select("INBOX")
            self.assertEqual("OK", connection.fetch("1:*", "(ENVELOPE BODYSTRUCTURE)")[0])
        seen = oracle.look(self.old)
        self.old.stop()
        self.lab.flush()
        self.lab.assert_equal()
        self.new.start()
        differences = oracle.compare(seen, oracle.look(self.new))
        self.assertEqual([], differences, oracle.explain(differences))
        self.assertEqual(2 * len(samples), sum(account.messages() for account in seen.values()))
        self.assertEqual([], self.new.complaints(self.old))


if __name__ == "__main__":
    unittest.main()
