"""What a mail client sees of a server's accounts, and in what two servers differ.

    differences = compare(look(old), look(new))

Nothing here knows files or our programs. Looked at: mailboxes, subscriptions, UIDVALIDITY, UIDNEXT, and of each message its
UID, flags and keywords, INTERNALDATE, RFC822.SIZE and the SHA-256 of its bytes. \\Recent is left out: the first session that
looks takes it away.
"""

import dataclasses
import hashlib
import imaplib
import re

from dovecot import Dovecot, quote

CHUNK = 500


@dataclasses.dataclass(frozen=True)
class Message:
    flags: frozenset
    date: str
    size: int
    sha256: str
    message_id: str  # "" when it has none; not compared


@dataclasses.dataclass
class Mailbox:
    selectable: bool = True
    uidvalidity: int = 0
    uidnext: int = 0
    messages: dict[int, Message] = dataclasses.field(default_factory=dict)
    error: str = ""  # why it could not be read to its end


@dataclasses.dataclass
class Account:
    mailboxes: dict[str, Mailbox] = dataclasses.field(default_factory=dict)
    subscriptions: set[str] = dataclasses.field(default_factory=set)

    def messages(self) -> int:
        return sum(len(mailbox.messages) for mailbox in self.mailboxes.values())


@dataclasses.dataclass(frozen=True)
class Difference:
    kind: str
    user: str
    mailbox: str
    uid: int  # 0: the mailbox as a whole
    detail: str

    def __str__(self) -> str:
        where = f"{self.user} {self.mailbox}" + (f" UID {self.uid}" if self.uid else "")
        return f"{self.kind:12} {where}: {self.detail}"


# ---------------------------------------------------------------------------------------------------------------------
# Looking


def look(server: Dovecot, users=None) -> dict[str, Account]:
    """All that the clients of these users (of all users) can see."""
    return {user: look_at_account(server, user) for user in (users or server.users)}


def look_at_account(server: Dovecot, user: str) -> Account:
    account = Account()
    with server.imap(user) as connection:
        for attributes, name in _names(connection.list('""', '"*"')):
            account.mailboxes[name] = Mailbox(selectable=not attributes & {"\\noselect", "\\nonexistent"})
        account.subscriptions = {name for _, name in _names(connection.lsub('""', '"*"'))}
    for name, mailbox in account.mailboxes.items():
        if mailbox.selectable:
            try:
                with server.imap(user) as connection:
                    _read(connection, name, mailbox)
            except (imaplib.IMAP4.error, OSError) as error:
                # Without the moment and the time it took.
                mailbox.error = re.sub(r" *[\[(][0-9][^\])]*[\])]", "", str(error))
    return account


def _names(answer) -> list[tuple[set[str], str]]:
    """The attributes and names of a LIST or LSUB answer; imaplib gives names with awkward bytes as literals."""
    status, data = answer
    assert status == "OK", answer
    found = []
    for item in data:
        if item is None:
            continue
        head, literal = item if isinstance(item, tuple) else (item, None)
        match = re.match(rb'\(([^)]*)\) (?:"(?:[^"\\]|\\.)*"|NIL) (.*)$', head, re.DOTALL)
        if not match:
            continue  # the empty rest after a literal
        name = literal if literal is not None else match[2]
        if literal is None and name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        found.append((set(match[1].decode().lower().split()), name.decode("ascii", "backslashreplace")))
    return found


def _read(connection: imaplib.IMAP4, name: str, mailbox: Mailbox) -> None:
    status, data = connection.select(quote(name), readonly=True)
    if status != "OK":
        raise imaplib.IMAP4.error(f"EXAMINE: {data}")
    count = int(data[0])
    mailbox.uidvalidity = int(connection.response("UIDVALIDITY")[1][0])
    mailbox.uidnext = int(connection.response("UIDNEXT")[1][0])
    for first in range(1, count + 1, CHUNK):
        chunk = f"{first}:{min(count, first + CHUNK - 1)}"
        status, data = connection.fetch(chunk, "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        if status != "OK":
            raise imaplib.IMAP4.error(f"FETCH {chunk}: {data}")
        for item in data:
            head, body = item if isinstance(item, tuple) else (item or b"", b"")
            uid = re.search(rb"\bUID (\d+)", head)
            # Bytes after a literal are the end of an answer already read; a message without any has no literal.
            if not uid or (not isinstance(item, tuple) and b"BODY[]" not in head):
                continue
            mailbox.messages[int(uid[1])] = Message(
                flags=frozenset(re.search(rb"FLAGS \(([^)]*)\)", head)[1].decode().lower().split()) - {"\\recent"},
                date=re.search(rb'INTERNALDATE "([^"]*)"', head)[1].decode(),
                size=int(re.search(rb"RFC822.SIZE (\d+)", head)[1]),
                sha256=hashlib.sha256(body).hexdigest(),
                message_id=_message_id(body),
            )
    if len(mailbox.messages) != count:
        mailbox.error = f"{len(mailbox.messages)} of {count} messages could be fetched"


def _message_id(body: bytes) -> str:
    found = re.search(rb"^Message-ID:\s*(<[^>]*>)", body.partition(b"\r\n\r\n")[0], re.IGNORECASE | re.MULTILINE)
    return found[1].decode("ascii", "backslashreplace") if found else ""


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def compare(old: dict[str, Account], new: dict[str, Account]) -> list[Difference]:
    """All in which the new server differs for its clients."""
    found: list[Difference] = []
    for user in sorted(old.keys() | new.keys()):
        if user not in old or user not in new:
            found.append(Difference("account", user, "", 0, "only at the " + ("old" if user in old else "new")))
            continue
        a, b = old[user], new[user]
        for name in sorted(a.subscriptions ^ b.subscriptions):
            detail = "only at the " + ("old" if name in a.subscriptions else "new")
            found.append(Difference("subscription", user, name, 0, detail))
        for name in sorted(a.mailboxes.keys() | b.mailboxes.keys()):
            found += _compare_mailbox(user, name, a.mailboxes.get(name), b.mailboxes.get(name))
    return found


def _compare_mailbox(user: str, name: str, a: Mailbox | None, b: Mailbox | None) -> list[Difference]:
    if a is None or b is None:
        return [Difference("mailbox", user, name, 0, "only at the " + ("old" if a else "new"))]
    found = []
    for field in ("selectable", "uidvalidity", "uidnext", "error"):
        if getattr(a, field) != getattr(b, field):
            found.append(Difference(field, user, name, 0, f"{getattr(a, field)!r} became {getattr(b, field)!r}"))
    for uid in sorted(a.messages.keys() | b.messages.keys()):
        x, y = a.messages.get(uid), b.messages.get(uid)
        if x is None or y is None:
            kind, message = ("lost", x) if x else ("surplus", y)
            found.append(Difference(kind, user, name, uid, message.message_id))
            continue
        for field, kind in (("flags", "flags"), ("date", "date"), ("size", "size"), ("sha256", "body")):
            if getattr(x, field) != getattr(y, field):
                before, after = (_text(getattr(message, field)) for message in (x, y))
                found.append(Difference(kind, user, name, uid, f"{before} became {after}"))
    return found


def _text(value) -> str:
    return " ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def explain(differences: list[Difference], limit: int = 40) -> str:
    lines = [f"{len(differences)} differences for the clients:"] + [f"  {difference}" for difference in differences[:limit]]
    return "\n".join(lines + ([f"  … and {len(differences) - limit} more"] if len(differences) > limit else []))
