"""Mail traffic by a seed, over LMTP and IMAP, and a journal of all that the server accepted.

    traffic = Traffic(old, ["anna@example.org", "ben@example.org"], seed=3, rate=300)
    with traffic:
        time.sleep(20)
    faults = traffic.journal.faults(oracle.look(new))

Each user has one connection that owns all folders: it alone copies, moves, expunges, creates, renames and deletes, so that
it knows what is where. Beside it, visitors of the same user append to INBOX and set flags there, and LMTP clients deliver.
Each message has a Message-ID of its own; the journal knows how often each must exist. The server may be stopped in the
middle of it: what was in flight then, or was refused, counts as "once more or not", and as nothing worse.
"""

import datetime
import imaplib
import random
import re
import smtplib
import threading
import time
from contextlib import contextmanager, nullcontext

from dovecot import Dovecot, quote, utf7

KEYWORDS = ["$Forwarded", "$MDNSent", "$Junk", "NonJunk", "$label1", "$label2", "urgent", "invoice", "read-later", "Besprechung"]
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"]
NAMES = ["Sent", "Drafts", "Trash", "Archive", "Entwürfe", "Gelöscht", "日本語", "Проекты", "Ça & là", "with space", "tilde~x", "Ünïcode+1", "a_b-c"]
# What the owner of a user's folders does inside a selected folder, and to folders; weights.
MESSAGE_OPERATIONS = {"append": 20, "flag": 25, "keyword": 12, "copy": 14, "move": 10, "expunge": 8}
FOLDER_OPERATIONS = {"create": 5, "rename": 4, "delete": 2, "subscribe": 4, "unsubscribe": 2}


class Refused(Exception):
    """The server said no. Whether it did what it was asked for all the same, or half of it, is not known."""


MOST_SESSIONS_LOST = 3
LOST = (imaplib.IMAP4.abort, smtplib.SMTPException, OSError, Refused)  # the server went away, or was about to


class Journal:
    """How often each message must exist, by user and Message-ID: between `low` and `high`, which differ after a cut only."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._lines: dict[tuple[str, str], list[str]] = {}
        self.operations: dict[str, int] = {}
        self.refused: list[str] = []

    @contextmanager
    def doing(self, what: str, user: str, ids=(), *, more: int = 0, doubt: int = 0):
        """An operation that makes `more` of each message of `ids` (may be negative); `doubt` more exist for a while.

        Of unknown outcome when the body raises. That ends the client, whose knowledge of what is where may be wrong now;
        but a refusal that concerns no message is only noted.
        """
        low, high = min(0, more), max(0, more, doubt)
        self._add(what, user, ids, low, high)
        try:
            yield
        except Refused as refusal:
            self._add(f"{what} refused", user, ids, 0, 0)
            with self._lock:
                self.refused.append(f"{user}: {what}: {refusal}")
            if ids:
                raise
            return
        self._add(f"{what} done", user, ids, more - low, more - high)
        with self._lock:
            kind = what.split()[0]
            self.operations[kind] = self.operations.get(kind, 0) + 1

    def _add(self, what: str, user: str, ids, low: int, high: int) -> None:
        with self._lock:
            for message_id in ids:
                count = self._counts.setdefault((user, message_id), [0, 0])
                count[0] += low
                count[1] += high
                self._lines.setdefault((user, message_id), []).append(f"{time.time():.6f} {what}")

    def about(self, user: str, message_id: str) -> list[str]:
        """What happened to a message, a line each."""
        return self._lines.get((user, message_id), [])

    def accepted(self) -> int:
        """Messages that must exist, copies counted."""
        return sum(low for low, _ in self._counts.values())

    def total(self) -> int:
        return sum(self.operations.values())

    def summary(self) -> str:
        counts = " ".join(f"{kind}={count}" for kind, count in sorted(self.operations.items()))
        doubtful = sum(low != high for low, high in self._counts.values())
        return f"{self.total()} operations ({counts}), {self.accepted()} messages, {doubtful} in doubt, {len(self.refused)} refused"

    def faults(self, accounts) -> list[str]:
        """Sentences about what `oracle.look` found of a server that serves these users' mail, in more or fewer copies."""
        found: dict[tuple[str, str], list[str]] = {}
        for user, account in accounts.items():
            for name, mailbox in account.mailboxes.items():
                for uid, message in mailbox.messages.items():
                    found.setdefault((user, message.message_id), []).append(f"{name}:{uid}")
        faults = []
        for key in sorted(self._counts.keys() | found.keys()):
            low, high = self._counts.get(key, (0, 0))
            places = found.get(key, [])
            if key[0] in accounts and not low <= len(places) <= high:
                wanted = str(low) if low == high else f"{low} to {high}"
                history = "; ".join(self.about(*key)[-12:]) or "never accepted"
                faults.append(f"{key[0]} {key[1]}: {len(places)} copies ({', '.join(places)}) for {wanted}: {history}")
        return faults


# ---------------------------------------------------------------------------------------------------------------------
# Messages


class Writer:
    """Small messages that are all different."""

    def __init__(self, rng: random.Random, tag: str):
        self.rng, self.tag, self.count = rng, tag, 0
        words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(400)]
        self.text = "\r\n".join(" ".join(rng.choices(words, k=11)) for _ in range(3000))

    def message(self, size: int | None = None) -> tuple[str, bytes]:
        """A Message-ID and the message, CRLF at line ends."""
        self.count += 1
        message_id = f"<{self.tag}.{self.count}@traffic.example>"
        size = size or min(150_000, int(self.rng.lognormvariate(6.5, 1.2)))
        start = self.rng.randrange(len(self.text) // 2)
        body = self.text[start : start + size]
        encoding, extra = ("8bit", "Grüße\r\n") if self.rng.random() < 0.2 else ("7bit", "")
        head = (
            f"From: {self.tag} <sender@example.net>\r\nTo: you@example.org\r\nSubject: {self.tag} {self.count}\r\n"
            f"Date: Mon, 6 May 2024 10:00:00 +0200\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        )
        return message_id, (head + extra + body + "\r\n").encode()

    def date(self) -> str:
        """An INTERNALDATE of the last 25 years, in some time zone."""
        zone = datetime.timezone(datetime.timedelta(minutes=self.rng.choice([-480, -210, 0, 60, 120, 345, 600])))
        when = datetime.datetime.fromtimestamp(self.rng.randint(980_000_000, 1_740_000_000), zone)
        return imaplib.Time2Internaldate(when)


# ---------------------------------------------------------------------------------------------------------------------
# Workers


class Worker:
    """One client in one thread; a subclass does one operation, or a few that belong together, in `step`."""

    def __init__(self, traffic: "Traffic", name: str):
        self.traffic, self.name = traffic, name
        self.journal, self.server = traffic.journal, traffic.server
        self.rng = random.Random(f"{traffic.seed} {name}")
        self.writer = Writer(self.rng, f"{name.replace('@', '-')}.{traffic.seed}")

    def open(self) -> None:
        raise NotImplementedError

    def step(self) -> int:
        """The number of operations done."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Deliverer(Worker):
    """LMTP, to one user or several at once."""

    def open(self) -> None:
        self.lmtp = self.server.lmtp()
        self.lmtp.ehlo()

    def step(self) -> int:
        users = self.traffic.users
        recipients = self.rng.sample(users, min(len(users), self.rng.choice([1, 1, 1, 1, 2, 3])))
        # Dovecot keeps one recipient's lock while it saves for another: two such deliveries may wait for each other for ever.
        with self.traffic.to_several if len(recipients) > 1 else nullcontext():
            try:
                self._deliver(recipients)
            except smtplib.SMTPServerDisconnected as error:
                # A session may end before its time, as any mail server's: what was under way is in doubt, and the next begins.
                self.traffic.session_lost(error)
                self.open()
        return len(recipients)

    def _deliver(self, recipients) -> None:
        message_id, body = self.writer.message()
        lmtp = self.lmtp
        lmtp.mail("sender@example.net")
        for recipient in recipients:
            code, answer = lmtp.rcpt(recipient)
            if code != 250:
                raise smtplib.SMTPRecipientsRefused({recipient: (code, answer)})
        # LMTP answers for each recipient (RFC 2033), which smtplib's own sendmail does not expect.
        lmtp.putcmd("data")
        code, answer = lmtp.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, answer)
        # All answers are due from now on: a lost connection leaves all that are not yet read in doubt.
        due = [self.journal.doing("deliver", recipient, [message_id], more=1) for recipient in recipients]
        for delivery in due:
            delivery.__enter__()
        lmtp.send(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        refusal = None
        for delivery in due:
            code, answer = lmtp.getreply()
            if code == 250:
                delivery.__exit__(None, None, None)
            else:
                # A server that is shutting down says 421 (RFC 5321, 4.2.1) to what it may have saved.
                refusal = smtplib.SMTPDataError(code, answer)
        if refusal:
            raise refusal

    def close(self) -> None:
        self.lmtp.quit()


class Client(Worker):
    """IMAP as one user."""

    def __init__(self, traffic: "Traffic", name: str, user: str):
        super().__init__(traffic, name)
        self.user = user

    def open(self) -> None:
        self.imap = self.server.imap(self.user)

    def close(self) -> None:
        self.imap.logout()

    def ask(self, method: str, *arguments) -> list:
        """A command's data, or Refused."""
        # imaplib keeps all that was ever said.
        self.imap.untagged_responses.clear()
        status, data = getattr(self.imap, method)(*arguments)
        if status != "OK":
            raise Refused(f"{method} {arguments[:2]}: {data}")
        return data

    def append(self, mailbox: str) -> tuple[int, str] | None:
        """One APPEND with an old date; the UID and Message-ID."""
        message_id, body = self.writer.message()
        flags = self.rng.sample(FLAGS[:4], self.rng.randint(0, 2)) + self.rng.sample(KEYWORDS, self.rng.choice([0, 0, 1, 2]))
        uid = None
        with self.journal.doing(f"append {mailbox}", self.user, [message_id], more=1):
            data = self.ask("append", quote(mailbox), f"({' '.join(flags)})", self.writer.date(), body)
            uid = int(re.search(rb"APPENDUID \d+ (\d+)", data[0])[1])
        return (uid, message_id) if uid else None

    def store(self, uids, names) -> None:
        sign = self.rng.choice(["+FLAGS", "+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"])
        self.ask("uid", "STORE", uid_set(uids), sign, f"({' '.join(names)})")


class Visitor(Client):
    """A second client of a user, in INBOX: flags, keywords, appends, a look."""

    def open(self) -> None:
        super().open()
        self.ask("select", "INBOX")

    def step(self) -> int:
        kind = self.rng.choice(["append", "flag", "flag", "keyword", "noop"])
        if kind == "append":
            self.append("INBOX")
            return 1
        with self.journal.doing(f"visitor-{kind}", self.user):
            if kind == "noop":
                self.ask("noop")
            else:
                uid = self.rng.randint(1, max(1, self.traffic.highest_uid.get(self.user, 1)))
                self.store([uid], self.rng.sample(FLAGS[:4] if kind == "flag" else KEYWORDS, self.rng.randint(1, 2)))
        return 1


class Owner(Client):
    """The client that owns a user's folders, and knows where each message is."""

    def __init__(self, traffic: "Traffic", name: str, user: str):
        super().__init__(traffic, name, user)
        self.folders: dict[str, dict[int, str]] = {"INBOX": {}}
        self.seen_up_to = 0  # the highest UID known in INBOX, which others fill too
        self.subscribed: set[str] = set()
        self.number = 0
        self.taken = 0  # messages that were expunged, or went with their folder

    # -- what a step is

    def step(self) -> int:
        done = 0
        if self.rng.random() < 0.6:
            done += self._do(FOLDER_OPERATIONS)
        name = "INBOX" if self.rng.random() < 0.4 else self.rng.choice(list(self.folders))
        self.ask("select", quote(name))
        if name == "INBOX":
            self._discover()
        for _ in range(self.rng.randint(3, 12)):
            if self.traffic.ending.is_set():
                break
            done += self._do(MESSAGE_OPERATIONS, name)
        self.ask("unselect")
        return done

    def _do(self, operations: dict[str, float], *arguments) -> int:
        kind = self.rng.choices(list(operations), list(operations.values()))[0]
        return getattr(self, f"_{kind}")(*arguments)

    def _discover(self) -> None:
        """Learns what others put into INBOX."""
        data = self.ask("uid", "FETCH", f"{self.seen_up_to + 1}:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        for item in data:
            if isinstance(item, tuple):
                uid = int(re.search(rb"UID (\d+)", item[0])[1])
                self.folders["INBOX"][uid] = item[1].split(b":", 1)[1].strip().decode()
                self.seen_up_to = max(self.seen_up_to, uid)
        self.traffic.highest_uid[self.user] = self.seen_up_to

    # -- messages

    def _some(self, name: str, most: int) -> list[int]:
        uids = list(self.folders[name])
        return sorted(self.rng.sample(uids, min(len(uids), self.rng.randint(1, most))))

    def _append(self, name: str) -> int:
        target = name if self.rng.random() < 0.6 else self.rng.choice(list(self.folders))
        appended = self.append(target)
        # INBOX is learned in the order of its UIDs, with what others put there.
        if appended and target != "INBOX":
            self.folders[target][appended[0]] = appended[1]
        return 1

    def _flag(self, name: str) -> int:
        return self._mark("flag", name, FLAGS)

    def _keyword(self, name: str) -> int:
        return self._mark("keyword", name, KEYWORDS)

    def _mark(self, kind: str, name: str, names) -> int:
        uids = self._some(name, 5)
        if uids:
            with self.journal.doing(kind, self.user):
                self.store(uids, self.rng.sample(names, self.rng.randint(1, 2)))
        return 1

    def _copied(self, target: str, ids: dict[int, str]) -> None:
        """Reads COPYUID (RFC 4315): which UIDs became which."""
        found = self.imap.response("COPYUID")[1]
        if not found or not found[0]:
            raise Refused("no COPYUID")
        _, sources, targets = found[-1].split()
        for source, uid in zip(uids_of(sources), uids_of(targets)):
            if target != "INBOX":
                self.folders[target][uid] = ids[source]

    def _copy(self, name: str) -> int:
        ids = {uid: self.folders[name][uid] for uid in self._some(name, 4)}
        if ids:
            # Sometimes into the folder itself: the copy cannot have the same base name there.
            target = self.rng.choice(list(self.folders))
            with self.journal.doing(f"copy {name} {target}", self.user, ids.values(), more=1):
                self.ask("uid", "COPY", uid_set(ids), quote(target))
                self._copied(target, ids)
        return 1

    def _move(self, name: str) -> int:
        others = [other for other in self.folders if other != name]
        ids = {uid: self.folders[name][uid] for uid in self._some(name, 3)}
        if ids and others:
            target = self.rng.choice(others)
            with self.journal.doing(f"move {name} {target}", self.user, ids.values(), doubt=1):
                self.ask("uid", "MOVE", uid_set(ids), quote(target))
                self._copied(target, ids)
                for uid in ids:
                    del self.folders[name][uid]
        return 1

    def _expunge(self, name: str) -> int:
        if len(self.folders[name]) < 4:
            return 0
        ids = {uid: self.folders[name][uid] for uid in self._some(name, 3)}
        if not self._may_take(len(ids)):
            return 0
        with self.journal.doing(f"expunge {name}", self.user, ids.values(), more=-1):
            left = list(ids)
            while left:
                self.ask("uid", "STORE", uid_set(left), "+FLAGS", "(\\Deleted)")
                self.ask("uid", "EXPUNGE", uid_set(left))
                # A visitor who sets other flags in between takes \Deleted away, and the server says OK to that.
                left = list(map(int, (self.ask("uid", "SEARCH", f"UID {uid_set(left)}")[0] or b"").split()))
            self.taken += len(ids)
            for uid in ids:
                del self.folders[name][uid]
        return 1

    def _may_take(self, count: int) -> bool:
        """Whether so many messages may go: a mass deletion, within a minute, is held, and is not the subject here."""
        ever = self.taken + sum(map(len, self.folders.values()))
        return (self.taken + count) * 6 <= ever

    # -- folders

    def _new_name(self, below: list[str]) -> str:
        self.number += 1
        leaf = utf7(f"{self.rng.choice(NAMES)} {self.number}")
        parent = self.rng.choice(below) if below and self.rng.random() < 0.4 else ""
        return parent + self.server.separator + leaf if parent else leaf

    def _is_below(self, name: str, parent: str) -> bool:
        return name.startswith(parent + self.server.separator)

    def _made(self) -> list[str]:
        return [name for name in self.folders if name != "INBOX"]

    def _create(self) -> int:
        if len(self.folders) > self.traffic.most_folders:
            return self._rename()
        name = self._new_name(self._made())
        with self.journal.doing(f"create {name}", self.user):
            self.ask("create", quote(name))
            self.folders[name] = {}
        return 1

    def _rename(self) -> int:
        if not self._made():
            return 0
        old = self.rng.choice(self._made())
        new = self._new_name([name for name in self._made() if name != old and not self._is_below(name, old)])
        with self.journal.doing(f"rename {old} {new}", self.user):
            self.ask("rename", quote(old), quote(new))
            for name in self._made():
                if name == old or self._is_below(name, old):
                    self.folders[new + name[len(old) :]] = self.folders.pop(name)
        return 1

    def _delete(self) -> int:
        """A folder without children and with few messages."""
        leaves = [name for name in self._made() if not any(self._is_below(other, name) for other in self.folders)]
        leaves = [name for name in leaves if len(self.folders[name]) <= 20 and self._may_take(len(self.folders[name]))]
        if not leaves:
            return 0
        name = self.rng.choice(leaves)
        # A message may be in the folder more than once.
        with self.journal.doing(f"delete {name}", self.user, list(self.folders[name].values()), more=-1):
            self.ask("delete", quote(name))
            self.taken += len(self.folders[name])
            del self.folders[name]
        return 1

    def _subscribe(self) -> int:
        name = self.rng.choice(list(self.folders))
        with self.journal.doing("subscribe", self.user):
            self.ask("subscribe", quote(name))
            self.subscribed.add(name)
        return 1

    def _unsubscribe(self) -> int:
        if self.subscribed:
            name = self.rng.choice(sorted(self.subscribed))
            with self.journal.doing("unsubscribe", self.user):
                self.ask("unsubscribe", quote(name))
                self.subscribed.discard(name)
        return 1


def uid_set(uids) -> str:
    return ",".join(map(str, sorted(uids)))


def uids_of(text: bytes) -> list[int]:
    """The UIDs of a set such as 3:5,9."""
    uids = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        uids += range(int(first), int(last or first) + 1)
    return uids


# ---------------------------------------------------------------------------------------------------------------------
# All of them


class Traffic:
    """Up to `rate` operations a second (None: as many as the server takes) on the users of a server, until stopped."""

    def __init__(self, server: Dovecot, users, *, seed: int = 1, rate: float | None = 300, deliverers: int = 2, visitors: int = 2, most_folders: int = 15):
        self.server, self.users, self.seed, self.rate = server, list(users), seed, rate
        self.most_folders = most_folders
        self.journal = Journal()
        self.highest_uid: dict[str, int] = {}
        self.ending = threading.Event()
        self.to_several = threading.Lock()
        self.errors: list[BaseException] = []
        self.sessions_lost = 0
        self._cut = False
        self.workers: list[Worker] = [Owner(self, f"owner-{user}", user) for user in self.users]
        self.workers += [Visitor(self, f"visitor{i}-{user}", user) for i, user in enumerate(self.users[:visitors])]
        self.workers += [Deliverer(self, f"lmtp{i}") for i in range(deliverers)]
        self._threads: list[threading.Thread] = []

    def start(self) -> "Traffic":
        for worker in self.workers:
            thread = threading.Thread(target=self._run, args=(worker,), name=worker.name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def expect_cut(self) -> None:
        """The server may go away from now on."""
        self._cut = True

    def session_lost(self, error: BaseException) -> None:
        """Raises it, if the server may go away, or if it is one too many to be an accident."""
        if self._cut:
            raise error
        self.sessions_lost += 1
        if self.sessions_lost > MOST_SESSIONS_LOST:
            raise error

    def stop(self) -> None:
        """Ends after the operations at hand; what went wrong in a worker is raised here."""
        self.ending.set()
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self.errors:
            self.errors[0].add_note("\n".join(self.server.complaints()[-20:]))
            raise self.errors[0]

    def __enter__(self) -> "Traffic":
        return self.start()

    def __exit__(self, kind, *_) -> None:
        self.ending.set()
        if kind is None:
            self.stop()

    def _run(self, worker: Worker) -> None:
        try:
            worker.open()
            due = time.monotonic()
            while not self.ending.is_set():
                done = worker.step()
                if self.rate:
                    due = max(due + done * len(self.workers) / self.rate, time.monotonic() - 1)
                    self.ending.wait(max(0, due - time.monotonic()))
            worker.close()
        except LOST as error:
            if not self._cut:
                self.errors.append(error)
        except BaseException as error:
            self.errors.append(error)
