"""Accounts move one by one in daylight: their users stay connected by one name, that of the old server, and lose nothing.

Both servers have the door of the product before their own passdb; deliveries go by its transport map as Postfix's do.
"""

import collections
import contextlib
import imaplib
import os
import re
import threading
import time
import unittest

from dovecot import PASSWORD, DovecotTest
from maildirsync_testing import wait_until, write_text

HOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "hooks", "door-changed")
ALICE, BOB = "alice@example.org", "bob@example.org"
BROKEN = (OSError, imaplib.IMAP4.error)


class Client(threading.Thread):
    """Appends one message after the other, flags the one before, and connects again whenever it was cut off."""

    def __init__(self, user: str, port: int):
        super().__init__(daemon=True)
        self.user, self.port = user, port
        self.accepted: list[str] = []
        self.flagged: list[str] = []
        self.cut_off = 0
        self.ends = threading.Event()
        self.connection, self.is_in = None, False

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            subject = f"{self.user.split('@')[0]}-{number}"
            try:
                self.work(subject)
            except BROKEN:
                self.cut_off += 1
                self.leave()
            time.sleep(0.02)
        self.leave()

    def leave(self):
        connection, self.connection, self.is_in = self.connection, None, False
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown()

    def work(self, subject: str):
        if not self.is_in:
            self.connection = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
            self.connection.login(self.user, PASSWORD)
            self.must(self.connection.select("INBOX"))
            self.is_in = True
        self.must(self.connection.append("INBOX", None, None, f"Subject: {subject}\r\n\r\n{subject}\r\n".encode()))
        self.accepted.append(subject)
        _, found = self.connection.search(None, "SUBJECT", f'"{subject}"')
        if found[0]:
            self.must(self.connection.store(found[0].split()[0].decode(), "+FLAGS", "\\Flagged"))
            self.flagged.append(subject)

    @staticmethod
    def must(answer):
        if answer[0] != "OK":
            raise imaplib.IMAP4.error(str(answer))

    def stop(self):
        self.ends.set()
        self.join()


class Deliveries(threading.Thread):
    """Mail from outside, to the old server, which sends it where its transport map says."""

    def __init__(self, test, user: str):
        super().__init__(daemon=True)
        self.test, self.user = test, user
        self.accepted: list[str] = []
        self.ends = threading.Event()

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            subject = f"from-outside-{number}-to-{self.user.split('@')[0]}"  # not found by a search for a client's
            while (server := self.test.next_hop(self.user)) is None and not self.ends.is_set():
                time.sleep(0.02)
            if server is not None:
                server.deliver(self.user, f"Subject: {subject}\r\n\r\nx\r\n".encode())
                self.accepted.append(subject)
            time.sleep(0.03)

    def stop(self):
        self.ends.set()
        self.join()


class Move(DovecotTest):
    def setUp(self):
        super().setUp()
        base = self.lab.base
        self.list = write_text(os.path.join(base, "moved"), "", 0o644)
        self.moved = self.lab.add_root("moved", include_file=self.list, mode="drain")
        self.root.options["exclude_file"] = self.list
        self.moved.source, self.moved.destination = self.root.source, self.root.destination
        self.root.landing["shared"] = self.moved.landing["shared"] = True
        self.door = os.path.join(base, "door")
        settings = write_text(os.path.join(base, "door-settings"), f"DOVEADM='doveadm -c {self.old.config}'\n", 0o644)
        self.lab.agent.extra["door"] = {
            "directory": self.door, "old_host": "127.0.0.1", "new_host": "127.0.0.1",
            "changed": f"MAILDIRSYNC_DOOR_SETTINGS='{settings}' '{HOOK}'",
        }  # fmt: skip
        for server, other in ((self.old, self.new), (self.new, self.old)):
            self.put_door_before(server, other.port)
        os.chmod(base, 0o755)  # the servers read the maps

    def put_door_before(self, server, port: int):
        with open(server.config, encoding="utf-8") as file:
            text = file.read()
        # Both are on one address here: the port, which is the same on two servers, tells them apart.
        door = (
            f"passdb {{\n  driver = passwd-file\n  args = username_format=%u {self.door}/{server.name}/dovecot-proxy\n"
            f"  default_fields = port={port}\n}}\n"
        )
        write_text(server.config, text.replace("passdb {", door + "passdb {", 1), 0o644)

    def next_hop(self, user: str):
        """As the transport map of the old server says; None: later."""
        with open(os.path.join(self.door, "old", "postfix-transport"), encoding="utf-8") as file:
            found = re.search(rf"(?m)^{re.escape(user)} (\S+)", file.read())
        if found is None:
            return self.old
        return None if found[1].startswith("retry:") else self.new

    def begin(self):
        self.add_users(ALICE, BOB)
        self.old.start()
        for user in (ALICE, BOB):
            self.old.deliver(user, b"Subject: first\r\n\r\nx\r\n")
        self.lab.start()
        self.lab.flush()
        self.assert_exit(0, self.lab.agent.cli("door"))
        self.new.start()

    def move(self, user: str):
        # An account that never rests while it is compared is told so, and another try is right.
        def moved():
            done = self.lab.agent.cli("move", user, "--timeout", "60", limit=180)
            return done if done.returncode == 0 else print(done.stdout, done.stderr)

        wait_until(moved, f"{user} moves", alive=self.lab.daemons, interval=0.5)

    def seen(self, user: str) -> tuple[collections.Counter, set]:
        """By the one name: how often each subject is there, and which are flagged."""
        with self.old.imap(user) as connection:
            connection.select("INBOX")
            _, answer = connection.fetch("1:*", "(FLAGS BODY[HEADER.FIELDS (SUBJECT)])")
        subjects, flagged = collections.Counter(), set()
        for part in answer:
            if not isinstance(part, tuple):
                continue
            subject = re.search(rb"Subject: (\S+)", part[1])[1].decode()
            subjects[subject] += 1
            if b"\\Flagged" in part[0]:
                flagged.add(subject)
        return subjects, flagged

    def test_users_see_a_reconnect_and_nothing_else(self):
        self.begin()
        with self.old.imap(ALICE) as connection:
            validity = connection.status("INBOX", "(UIDVALIDITY)")
        clients = {user: Client(user, self.old.port) for user in (ALICE, BOB)}
        deliveries = [Deliveries(self, user) for user in (ALICE, BOB)]
        everybody = [*clients.values(), *deliveries]
        for one in everybody:
            one.start()
            self.addCleanup(one.stop)
        for user in (ALICE, BOB):
            client, before = clients[user], len(clients[user].accepted)
            wait_until(lambda: len(client.accepted) > before + 5, f"{user} works")
            self.move(user)
            done = len(client.accepted)
            wait_until(lambda: len(client.accepted) > done + 5, f"{user} works at the new server")
            self.assertIn(f"Login: user=<{user}>", self.log_of_new())
            self.assertGreater(client.cut_off, 0)
            other = BOB if user == ALICE else ALICE
            if user == ALICE:
                self.assertNotIn(f"Login: user=<{other}>", self.log_of_new())
        for one in everybody:
            one.stop()
        self.lab.flush()
        for user, client, delivered in zip((ALICE, BOB), clients.values(), deliveries):
            subjects, flagged = self.seen(user)
            self.assertEqual([], [subject for subject in ["first", *client.accepted, *delivered.accepted] if subjects[subject] != 1], user)
            self.assertEqual([], [subject for subject, count in subjects.items() if count > 1], user)
            self.assertEqual([], [subject for subject in client.flagged if subject not in flagged], user)
            self.assertGreater(len(delivered.accepted), 5)
        with self.old.imap(ALICE) as connection:
            self.assertEqual(validity, connection.status("INBOX", "(UIDVALIDITY)"))
        self.assertEqual([], self.new.complaints(self.old))
        self.assert_exit(0, self.lab.agent.cli("verify"))
        print(f"cut off: {', '.join(f'{user} {client.cut_off} times' for user, client in clients.items())}")

    def log_of_new(self) -> str:
        with open(self.new.log, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def test_a_straggler_that_comes_by_the_old_way_arrives(self):
        self.begin()
        self.move(ALICE)
        self.old.deliver(ALICE, b"Subject: late\r\n\r\nx\r\n")  # by a server that knows no map
        self.lab.flush()
        wait_until(lambda: self.seen(ALICE)[0]["late"] == 1, "it is there", alive=self.lab.daemons)


if __name__ == "__main__":
    unittest.main()
