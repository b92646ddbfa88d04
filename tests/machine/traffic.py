"""What users and deliveries do in a Maildir, each step as durable as a mail server makes it, and what the destination may
show of it after a power cut. Runs in the guest."""

import os
import random
import time

FOLDERS = ("", ".Sent", ".Archive")
OWNER = (5000, 5000)  # root owns no mail


def content_of(name):
    """A message says by its name what is in it."""
    chosen = random.Random(name)
    size = int(chosen.choice((300, 2000, 9000, 40000)) * (0.5 + chosen.random()))
    return f"Subject: {name}\n\n".encode() + chosen.randbytes(size)


def base_of(name):
    return name.split(":", 1)[0]


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Message:
    """A message in one folder, or a copy of it in another one. Its places are below the root, the latest last."""

    def __init__(self, base, place):
        self.base = base
        self.places = [place]
        self.gone = False  # expunged, or about to be


class Traffic:
    """Accounts below a root, and all that was ever in them."""

    def __init__(self, root, seed, accounts=2):
        self.root = root
        self.random = random.Random(seed)
        self.accounts = [f"example.org/user{number}" for number in range(accounts)]
        self.messages = []
        self.number = 0
        self.vouched = []  # of each flush: the messages it vouched for, each with the number of its places then
        self.tell = lambda **step: None  # each step before it is done, for whoever is to know of it after the end of this

    def make_account(self, account):
        for folder in FOLDERS:
            for area in ("tmp", "new", "cur"):
                path = os.path.join(self.root, account, folder, area)
                os.makedirs(path, exist_ok=True)
                while path != self.root:
                    os.chown(path, *OWNER)
                    path = os.path.dirname(path)
                sync(os.path.join(self.root, account, folder, area))
            sync(os.path.join(self.root, account, folder))
        path = os.path.join(self.root, account)
        while len(path) >= len(self.root):
            sync(path)
            path = os.path.dirname(path)

    def new_account(self):
        self.accounts.append(f"example.org/user{len(self.accounts)}")
        self.tell(kind="account")
        self.make_account(self.accounts[-1])

    def deliver(self):
        account = self.random.choice(self.accounts)
        self.number += 1
        base = f"{1700000000 + self.number}.M{self.random.randrange(10**6)}P{self.number}.mail"
        inbox = os.path.join(self.root, account)
        before = os.path.join(inbox, "tmp", base)
        with open(before, "wb") as out:
            os.fchown(out.fileno(), *OWNER)
            out.write(content_of(base))
            out.flush()
            os.fsync(out.fileno())
        place = os.path.join(account, "new", base)
        self._add(Message(base, place))
        os.rename(before, os.path.join(self.root, place))
        sync(os.path.join(inbox, "new"))

    def _add(self, message):
        self.tell(kind="message", base=message.base, place=message.places[0], number=self.number)
        self.messages.append(message)

    def _move(self, message, place):
        before = message.places[-1]
        self.tell(kind="place", index=self.messages.index(message), place=place)
        message.places.append(place)
        os.rename(os.path.join(self.root, before), os.path.join(self.root, place))
        sync(os.path.join(self.root, os.path.dirname(place)))

    def flag(self, message):
        folder, name = os.path.split(message.places[-1])
        flags = set(name.split(":2,")[1]) if ":2," in name else set()
        flags ^= {self.random.choice("FRS")}
        self._move(message, os.path.join(os.path.dirname(folder), "cur", message.base + ":2," + "".join(sorted(flags))))

    def archive(self, message):
        account = "/".join(message.places[-1].split("/")[:2])
        self._move(message, os.path.join(account, ".Archive", "cur", message.base + ":2,S"))

    def copy(self, message):
        account = "/".join(message.places[-1].split("/")[:2])
        place = os.path.join(account, ".Sent", "cur", message.base + ":2,")
        if any(place in other.places for other in self.messages):
            return
        self._add(Message(message.base, place))
        os.link(os.path.join(self.root, message.places[-1]), os.path.join(self.root, place))
        sync(os.path.join(self.root, os.path.dirname(place)))

    def expunge(self, message):
        self.tell(kind="gone", index=self.messages.index(message))
        message.gone = True
        os.unlink(os.path.join(self.root, message.places[-1]))
        sync(os.path.join(self.root, os.path.dirname(message.places[-1])))

    def step(self):
        there = [message for message in self.messages if not message.gone]
        does = self.random.choices((self.deliver, self.flag, self.archive, self.copy, self.expunge), (12, 6, 2, 2, 1))[0]
        if does == self.deliver or not there:
            self.deliver()
            return
        message = self.random.choice(there)
        copied = sum(other.base == message.base for other in self.messages) > 1
        if does == self.archive and (copied or "/.Archive/" in message.places[-1]):
            return
        if does == self.copy and (copied or "/.Sent/" in message.places[-1]):
            return
        does(message)

    def snapshot(self):
        return [(message, len(message.places)) for message in self.messages if not message.gone]

    def as_found(self):
        """After a power cut at the source, what is there is what counts: moves may be undone."""
        found = {}
        for place in files_below(self.root):
            found.setdefault(base_of(os.path.basename(place)), []).append(place)
        for message in self.messages:
            places = found.get(message.base, [])
            known = [place for place in reversed(message.places) if place in places]
            message.gone = not known
            if known:
                message.places.append(known[0])
                places.remove(known[0])


def files_below(root):
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name != "tmp" and not name.startswith(".maildirsync.")]
        if os.path.basename(directory) not in ("cur", "new"):
            continue
        for name in files:
            if not name.startswith(".maildirsync."):
                yield os.path.relpath(os.path.join(directory, name), root)


def wrong_below(destination, traffic, vouched):
    """What is lost, torn, empty, doubled or strange at the destination, right after a cut: a sentence each. `vouched` is
    what the last flush before the cut said was durable."""
    wrong = []
    found = {}
    for place in files_below(destination):
        found.setdefault(base_of(os.path.basename(place)), []).append(place)
        with open(os.path.join(destination, place), "rb") as file:
            content = file.read()
        wanted = content_of(base_of(os.path.basename(place)))
        if content != wanted:
            word = "empty" if not content else "torn"
            wrong.append(f"{word}: {place} has {len(content)} of {len(wanted)} bytes")
    known = {place for message in traffic.messages for place in message.places}
    for places in found.values():
        wrong += [f"strange: {place}" for place in places if place not in known]
    for message, count in vouched:
        allowed = set(message.places[count - 1 :])
        there = [place for place in found.get(message.base, []) if place in allowed]
        if not there and not message.gone:
            wrong.append(f"lost: {message.places[count - 1]}")
        moved = len({os.path.dirname(place) for place in allowed}) > 1
        if len(there) > 1 and not moved:  # between folders it may be at both for a moment, unacknowledged
            wrong.append(f"doubled: {' and '.join(there)}")
    return wrong


def differences(source, destination):
    """Between two trees that have settled."""

    def listing(root):
        listed = {}
        for place in files_below(root):
            status = os.stat(os.path.join(root, place))
            with open(os.path.join(root, place), "rb") as file:
                listed[place] = (status.st_size, status.st_mtime_ns, hash(file.read()))
        return listed

    left, right = listing(source), listing(destination)
    wrong = [f"missing: {place}" for place in sorted(left.keys() - right.keys())]
    wrong += [f"extra: {place}" for place in sorted(right.keys() - left.keys())]
    wrong += [f"differs: {place}" for place in sorted(left.keys() & right.keys()) if left[place] != right[place]]
    return wrong


def work(traffic, flush, vouched, is_over):
    """Traffic and flushes in turn, until `is_over`. `flush` is true when it vouched for all; then `vouched` is told the
    number of the snapshot."""
    while not is_over():
        for _ in range(traffic.random.randrange(10, 40)):
            if is_over():
                return
            traffic.step()
            time.sleep(traffic.random.random() * 0.02)
        if traffic.random.random() < 0.1:
            traffic.new_account()
        held = traffic.snapshot()
        if not is_over() and flush():
            traffic.vouched.append(held)
            vouched(len(traffic.vouched) - 1)
