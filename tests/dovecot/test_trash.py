"""A message's way through the destination's trash and back, as a client sees it: the same UID, flags, keywords, date and bytes."""

import json
import os
import shutil
import unittest

from dovecot import DovecotTest
from maildirsync_testing import wait_until

USER = "anna@example.org"


def message(number: int) -> bytes:
    return b"Subject: %d\r\nFrom: a@example.net\r\n\r\n%s\r\n" % (number, b"x" * number)


class ThroughTheTrash(DovecotTest):
    def seen_by_client(self, server, mailbox: str = "INBOX") -> dict[int, tuple]:
        """Of each UID its flags, date and bytes, and the UIDVALIDITY."""
        with server.imap(USER) as connection:
            connection.select(mailbox, readonly=True)
            validity = connection.response("UIDVALIDITY")[1]
            _, answer = connection.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        found = {}
        for part in answer:
            if not isinstance(part, tuple):
                continue
            words = part[0].decode()
            uid = int(words.split("UID ")[1].split()[0].rstrip(")"))
            flags = tuple(sorted(flag for flag in words.split("FLAGS (")[1].split(")")[0].split() if flag != "\\Recent"))
            found[uid] = (validity, flags, words.split('INTERNALDATE "')[1].split('"')[0], part[1])
        return found

    def copied(self, count: int = 30):
        self.add_users(USER)
        self.old.start()
        for number in range(1, count + 1):
            self.old.deliver(USER, message(number))
        with self.old.imap(USER) as connection:
            connection.select("INBOX")
            connection.uid("STORE", "1:10", "+FLAGS", r"(\Seen)")
            connection.uid("STORE", "5:20", "+FLAGS", r"(\Flagged Important)")
            connection.create("Archive")
            connection.uid("COPY", "26:30", "Archive")
        self.lab.start()
        self.lab.flush()

    def restore(self, messages: int) -> dict:
        done = self.lab.receiver.cli("--json", "restore", "--account", USER)
        self.assert_exit(0, done)
        answer = json.loads(done.stdout)
        self.assertEqual((messages, 0), (answer["messages"], answer["new_uids"]), answer)
        return answer

    def test_messages_that_were_expunged_in_masses(self):
        self.copied()
        before = self.seen_by_client(self.old)
        with self.old.imap(USER) as connection:
            connection.select("INBOX")
            connection.uid("STORE", "2:26", "+FLAGS", r"(\Deleted)")
            self.lab.flush()  # so that all of them go with this flag
            connection.expunge()
        for number in (41, 42):
            self.old.deliver(USER, message(number))
        after = self.seen_by_client(self.old)
        self.old.doveadm("force-resync", "INBOX", user=USER)  # its uidlist forgets what was expunged
        self.lab.flush()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        # Users are at the new server; it has seen the mailbox without the messages.
        self.new.start()
        self.assertEqual(after, self.seen_by_client(self.new))
        self.new.deliver(USER, message(50))
        with_new = self.seen_by_client(self.new)
        answer = self.restore(25)
        self.assertEqual(answer.get("marked_deleted", 25), 25)
        # Flags are as they were last, and so marked as deleted.
        marked = {uid: (seen[0], tuple(sorted((*seen[1], r"\Deleted"))), *seen[2:]) if 2 <= uid <= 26 else seen for uid, seen in before.items()}
        self.assertEqual({**marked, **with_new}, self.seen_by_client(self.new), "UIDs, flags, dates and bytes")
        self.new.deliver(USER, message(51))
        self.assertEqual(max(with_new) + 1, max(self.seen_by_client(self.new)))
        self.assertEqual([], self.new.complaints(self.old))

    def test_an_account_that_was_removed(self):
        self.copied()
        before, archive = self.seen_by_client(self.old), self.seen_by_client(self.old, "Archive")
        self.old.stop()
        account = os.path.join(self.root.source, "example.org", "anna")
        shutil.rmtree(account)
        self.lab.agent.wait_state("held")
        self.assert_exit(0, self.lab.agent.cli("release"))
        there = os.path.join(self.root.destination, "example.org", "anna", "Maildir")
        wait_until(lambda: not os.path.exists(there), "it goes", alive=self.lab.daemons)
        self.restore(35)
        self.new.start()
        self.assertEqual(before, self.seen_by_client(self.new))
        self.assertEqual(archive, self.seen_by_client(self.new, "Archive"))
        self.assertEqual([], self.new.complaints(self.old))


if __name__ == "__main__":
    unittest.main()
