"""Maildir trees: making them by a seed, and comparing two of them byte for byte.

The comparison is the oracle of the end-to-end tests. It knows nothing of the programs under test, only what a copy owes
its source: names, contents, modes, owners, times to the nanosecond, links, and nothing that is left out.
"""

import base64
import dataclasses
import hashlib
import math
import os
import random
import stat

ASIDE = b".maildirsync."
KEPT = (b".maildirsync.trash", b".maildirsync.root", b".maildirsync.decisions", b".maildirsync.given")
AREAS = (b"cur", b"new")


# ---------------------------------------------------------------------------------------------------------------------
# What is left out of a copy


def left_out_of_folder(name: bytes) -> bool:
    """Directly in a folder: what Dovecot rebuilds, and what is transient."""
    return (
        name.endswith(b".lock")
        or name.startswith((b"mailboxes.lock", b"dovecot.index", b"dovecot.list.index", b"dovecot.mailbox.log", b".nfs"))
        or name == b"dovecot-uidlist.tmp"
    )


def left_out_of_area(name: bytes) -> bool:
    """In cur/ and new/ any name but NFS's own is a message."""
    return name.startswith(b".nfs")


def link_is_kept(path_in_account: bytes, target: bytes) -> bool:
    """Relative, up at its beginning only, and not above the account."""
    if target.startswith(b"/"):
        return False
    depth, descends = path_in_account.count(b"/"), False
    for component in target.split(b"/"):
        if component == b"..":
            depth -= 1
            if descends or depth < 0:
                return False
        elif component not in (b"", b"."):
            descends = True
    return True


# ---------------------------------------------------------------------------------------------------------------------
# Reading a tree


@dataclasses.dataclass(frozen=True)
class Entry:
    kind: str  # "file", "directory", "link"
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int  # nanoseconds
    inode: tuple
    target: bytes
    account: bytes

    def text(self) -> str:
        what = {"file": "-", "directory": "d", "link": "l"}[self.kind]
        tail = f" -> {show(self.target)}" if self.kind == "link" else ""
        return f"{what}{self.mode:04o} {self.uid}:{self.gid} {self.size:>9} {self.mtime}{tail}"


def show(path: bytes) -> str:
    """A path as a person reads it: one line, whatever its bytes."""
    text = path.decode("utf-8", "backslashreplace")
    return text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text


def entry_of(path: bytes, account: bytes) -> Entry | None:
    status = os.lstat(path)
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    target = os.readlink(path) if kind == "link" else b""
    return Entry(
        kind,
        stat.S_IMODE(status.st_mode) if kind != "link" else 0o777,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        (status.st_dev, status.st_ino),
        target,
        account,
    )


def find_accounts(root: bytes, layout: str) -> list[bytes]:
    """Paths of the accounts below `root`, as the pattern of the configuration says."""
    found = [b""]
    for component in layout.encode().split(b"/"):
        literal = b"%" not in component and b"*" not in component
        deeper = []
        for path in found:
            directory = os.path.join(root, path)
            names = [component] if literal else sorted(os.listdir(directory))
            for name in names:
                if not literal and (name.startswith(b".") or name == b"lost+found"):
                    continue
                full = os.path.join(directory, name)
                if os.path.isdir(full) and not os.path.islink(full):
                    deeper.append(os.path.join(path, name))
        found = deeper
    return found


def read_tree(root, layout: str = "%d/%n/Maildir", accounts=None) -> dict[bytes, Entry]:
    """What of a tree is to be mirrored, by path below `root`. `accounts` picks some of them by their paths."""
    root = os.fsencode(root)
    tree: dict[bytes, Entry] = {}
    for account in find_accounts(root, layout):
        if accounts is not None and not accounts(account):
            continue
        parent = os.path.dirname(account)
        while parent:
            tree[parent] = entry_of(os.path.join(root, parent), b"")
            parent = os.path.dirname(parent)
        tree[account] = entry_of(os.path.join(root, account), account)
        _read_directory(root, account, b"", tree)
    return tree


def _read_directory(root: bytes, account: bytes, below: bytes, tree: dict[bytes, Entry]) -> None:
    directory = os.path.join(root, account, below)
    names = sorted(os.listdir(directory))
    is_area = below.rpartition(b"/")[2] in AREAS
    is_maildir = any(name in AREAS for name in names)
    for name in names:
        if (left_out_of_area if is_area else left_out_of_folder)(name) or name.startswith(ASIDE):
            continue
        path_in_account = os.path.join(below, name) if below else name
        try:
            entry = entry_of(os.path.join(directory, name), account)
        except FileNotFoundError:
            continue
        if entry is None or (entry.kind == "link" and not link_is_kept(path_in_account, entry.target)):
            continue
        if entry.kind == "directory" and is_area:
            continue
        tree[os.path.join(account, path_in_account)] = entry
        if entry.kind == "directory" and not (name == b"tmp" and is_maildir):
            _read_directory(root, account, path_in_account, tree)


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


@dataclasses.dataclass(frozen=True)
class Difference:
    kind: str
    path: bytes
    detail: str

    def __str__(self) -> str:
        return f"{self.kind:10} {show(self.path)}: {self.detail}"


def same_bytes(left: bytes, right: bytes) -> bool:
    with open(left, "rb") as a, open(right, "rb") as b:
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def link_groups(tree: dict[bytes, Entry]) -> set[frozenset]:
    """Sets of names that are one file, within an account."""
    groups: dict[tuple, list] = {}
    for path, entry in tree.items():
        if entry.kind == "file":
            groups.setdefault((entry.account, entry.inode), []).append(path)
    return {frozenset(paths) for paths in groups.values() if len(paths) > 1}


def leftovers(root) -> list[bytes]:
    """Files that a receiver wrote aside and left, wherever they lie; what it keeps directly below a root is meant to be there."""
    found = []
    for directory, directories, files in os.walk(os.fsencode(root)):
        if directory == os.fsencode(root):
            directories[:] = [name for name in directories if name not in KEPT]
            files = [name for name in files if name not in KEPT]
        found += [os.path.join(directory, name) for name in directories + files if name.startswith(ASIDE)]
    return found


def compare_trees(
    source,
    destination,
    layout: str = "%d/%n/Maildir",
    *,
    accounts=None,
    skip=None,
    map_owner=lambda uid, gid: (uid, gid),
    links: bool = True,
    contents: bool = True,
    grain: int = 1,
) -> list[Difference]:
    """All that `destination` lacks, has in excess, or has otherwise.

    `accounts` picks accounts by path; `skip` leaves out paths (what a test knows cannot arrive); `map_owner` says what
    the destination's owner of a source's owner is; `grain` is the step, in ns, in which the destination keeps times.
    """
    source, destination = os.fsencode(source), os.fsencode(destination)
    left, right = read_tree(source, layout, accounts), read_tree(destination, layout, accounts)
    if skip is not None:
        left = {path: entry for path, entry in left.items() if not skip(path)}
        right = {path: entry for path, entry in right.items() if not skip(path)}
    found: list[Difference] = []

    def differ(kind, path, detail):
        found.append(Difference(kind, path, detail))

    for path in sorted(left.keys() | right.keys()):
        a, b = left.get(path), right.get(path)
        if b is None:
            differ("missing", path, f"only at the source: {a.text()}")
            continue
        if a is None:
            differ("extra", path, f"only at the destination: {b.text()}")
            continue
        if a.kind != b.kind:
            differ("type", path, f"{a.kind} became {b.kind}")
            continue
        if map_owner(a.uid, a.gid) != (b.uid, b.gid):
            differ("owner", path, f"{a.uid}:{a.gid} became {b.uid}:{b.gid}")
        if a.kind != "link" and a.mode != b.mode:
            differ("mode", path, f"{a.mode:04o} became {b.mode:04o}")
        if a.kind == "link" and a.target != b.target:
            differ("target", path, f"{show(a.target)} became {show(b.target)}")
        if a.kind == "file":
            if a.mtime - a.mtime % grain != b.mtime:
                differ("time", path, f"{a.mtime} became {b.mtime}")
            if a.size != b.size:
                differ("content", path, f"{a.size} bytes became {b.size}")
            elif contents and not same_bytes(os.path.join(source, path), os.path.join(destination, path)):
                differ("content", path, f"{a.size} other bytes")
    if links:
        shared = {path for path in left if path in right}
        left_groups, right_groups = link_groups(left), link_groups(right)
        for group in sorted(left_groups - right_groups, key=min):
            if group <= shared:
                differ("links", min(group), f"one file of {len(group)} names became several: {names(group)}")
        for group in sorted(right_groups - left_groups, key=min):
            if group <= shared and not any(group < other for other in left_groups):
                differ("links", min(group), f"several files became one of {len(group)} names: {names(group)}")
    for path in leftovers(destination):
        differ("leftover", os.path.relpath(path, destination), "written aside and left there")
    return found


def names(group) -> str:
    return ", ".join(show(path) for path in sorted(group))


def duplicates(root, layout: str = "%d/%n/Maildir") -> dict[tuple, list]:
    """Base names that occur more than once in a folder: {(folder, base): [paths]}."""
    seen: dict[tuple, list] = {}
    for path, entry in read_tree(root, layout).items():
        area = os.path.dirname(path)
        if entry.kind == "file" and os.path.basename(area) in AREAS:
            base = os.path.basename(path).partition(b":2,")[0]
            seen.setdefault((os.path.dirname(area), base), []).append(path)
    return {key: paths for key, paths in seen.items() if len(paths) > 1}


def explain(differences, source, destination, limit: int = 40) -> str:
    """The differences and, of the first directories concerned, both listings side by side."""
    lines = [f"{len(differences)} differences:"] + [f"  {difference}" for difference in differences[:limit]]
    if len(differences) > limit:
        lines.append(f"  … and {len(differences) - limit} more")
    shown = []
    for difference in differences:
        directory = os.path.dirname(difference.path)
        if directory not in shown and len(shown) < 3:
            shown.append(directory)
    for directory in shown:
        for side, root in (("source", source), ("destination", destination)):
            full = os.path.join(os.fsencode(root), directory)
            lines.append(f"{side}: {show(full)}")
            try:
                for name in sorted(os.listdir(full))[:limit]:
                    entry = entry_of(os.path.join(full, name), b"")
                    lines.append(f"    {entry.text() if entry else 'special':60} {show(name)}")
            except OSError as error:
                lines.append(f"    {error.strerror}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------------
# Making


SYLLABLES = "ka lo mi ren ta vo sel du ar ni po gra est um ber fin hol le wa ster ing on den ver pri".split()
SUBFOLDERS = [b".Sent", b".Drafts", b".Trash", b".Junk", b".Archives", b".Archives.2023", b".Entw&APw-rfe", b".Work.Project &- Co"]
FS_SUBFOLDERS = [b"Sent", b"Archive", b"Archive/2024", b"Archive/2024/Q1", b"Entw&APw-rfe"]
HOST = b"mx1.example.org"
EPOCH = 1_600_000_000


def vocabulary(rng: random.Random, size: int = 3000) -> list[str]:
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(size)]


class MessageMaker:
    """Mail-like bytes: headers and words for the small ones, mostly base64 for the large ones."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.words = vocabulary(rng)
        self.weights = [0.0] * len(self.words)
        total = 0.0
        for i in range(len(self.words)):
            total += 1 / (i + 2)
            self.weights[i] = total

    def size(self, median: int = 4096, sigma: float = 1.66, most: int = 8 << 20) -> int:
        return max(400, min(most, int(self.rng.lognormvariate(math.log(median), sigma))))

    def text(self, size: int) -> bytes:
        count = size // 7 + 12
        words = self.rng.choices(self.words, cum_weights=self.weights, k=count)
        lines = [" ".join(words[i : i + 11]) for i in range(0, count, 11)]
        return "\n".join(lines).encode()[: max(size - 1, 0)] + b"\n"

    def body(self, size: int) -> bytes:
        rng = self.rng
        sender, subject = rng.choice(self.words), " ".join(rng.choices(self.words, k=5))
        number = rng.getrandbits(64)
        head = (
            f"Return-Path: <{sender}@example.net>\nReceived: from mail.example.net (mail.example.net [192.0.2.{rng.randint(1, 254)}])\n"
            f"\tby mx1.example.org with ESMTPS id {number:016x}\n"
            f"From: {sender} <{sender}@example.net>\nTo: a@example.org\nSubject: {subject}\n"
            f"Message-ID: <{number:016x}@example.net>\nMIME-Version: 1.0\n\n"
        ).encode()
        room = size - len(head)
        if room <= 0:
            return head[:size]
        if room < 12_000:
            return (head + self.text(room))[:size]
        attached = int(room * rng.uniform(0.5, 0.9))
        raw = rng.randbytes(attached * 57 // 77 + 57)
        return (head + self.text(room - attached) + base64.encodebytes(raw))[:size]


@dataclasses.dataclass
class TreeSpec:
    accounts: int = 20
    messages: int = 2000
    seed: int = 1
    layout: str = "%d/%n/Maildir"
    median_size: int = 4096
    sigma: float = 1.66
    fs_layout: bool = False  # nested folders instead of .Dotted ones
    extras: bool = True  # control files, symbolic and hard links, things that are left out
    owners: tuple = ((5000, 5000), (5001, 5000), (5002, 5002))


def account_path(layout: str, number: int) -> str:
    domain, local = ("example.org", "example.net", "müller.example")[number % 3], f"user{number:03d}"
    return layout.replace("%d", domain).replace("%n", local).replace("%u", f"{local}@{domain}")


def delivered_name(rng: random.Random, when_ns: int, body: bytes, counter: int) -> bytes:
    """A name as Dovecot's delivery gives it."""
    size, virtual = len(body), len(body) + body.count(b"\n")
    return b"%d.M%dP%dQ%d.%s,S=%d,W=%d" % (
        when_ns // 10**9, when_ns // 1000 % 10**6, 4000 + rng.randint(0, 99), counter, HOST, size, virtual,
    )  # fmt: skip


def write_file(path: bytes, content: bytes, owner: tuple, mode: int, mtime: int | None = None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if os.geteuid() == 0:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        if mtime is not None:
            os.utime(descriptor, ns=(mtime, mtime))
    finally:
        os.close(descriptor)


def make_directory(path: bytes, owner: tuple, mode: int = 0o700) -> None:
    os.mkdir(path)
    os.chmod(path, mode)
    if os.geteuid() == 0:
        os.chown(path, *owner)


def make_maildir(path: bytes, owner: tuple, mode: int = 0o700, *, is_account: bool = False, stamp: int | None = None) -> None:
    """A folder as Dovecot makes it; missing parents below are the caller's."""
    if not os.path.isdir(path):
        make_directory(path, owner, mode)
    for area in (b"cur", b"new", b"tmp"):
        make_directory(os.path.join(path, area), owner, mode)
    if not is_account:
        write_file(os.path.join(path, b"maildirfolder"), b"", owner, 0o600, stamp)


def uidlist(validity: int, bases: list[bytes], first: int = 1) -> bytes:
    guid = hashlib.md5(b"%d" % validity).hexdigest().encode()
    lines = [b"3 V%d N%d G%s\n" % (validity, first + len(bases), guid)]
    lines += [b"%d :%s\n" % (first + i, base) for i, base in enumerate(bases)]
    return b"".join(lines)


def make_tree(root, spec: TreeSpec) -> None:
    """Fills `root` (made when missing) as the seed says: the same spec gives the same tree, but for inodes."""
    rng = random.Random(spec.seed)
    maker = MessageMaker(rng)
    root = os.fsencode(root)
    os.makedirs(root, exist_ok=True)
    shares = [rng.paretovariate(1.3) for _ in range(spec.accounts)]
    counter = 0
    for number in range(spec.accounts):
        owner = spec.owners[number % len(spec.owners)]
        account = root
        for component in os.fsencode(account_path(spec.layout, number)).split(b"/"):
            account = os.path.join(account, component)
            if not os.path.isdir(account):
                make_directory(account, owner, 0o700 if number % 4 else 0o2750)
        folders = _make_folders(rng, account, owner, spec, number)
        count = max(1, round(spec.messages * shares[number] / sum(shares)))
        per_folder = _spread(rng, count, len(folders))
        for folder, messages in zip(folders, per_folder):
            counter = _fill_folder(rng, maker, folder, messages, owner, spec, counter)
        if spec.extras:
            _add_extras(rng, account, folders, owner, spec, number)


def _spread(rng, count, folders) -> list[int]:
    shares = [4.0] + [rng.random() for _ in range(folders - 1)]
    counts = [int(count * share / sum(shares)) for share in shares]
    counts[0] += count - sum(counts)
    return counts


def _make_folders(rng, account, owner, spec, number) -> list[bytes]:
    make_maildir(account, owner, is_account=True)
    names = FS_SUBFOLDERS if spec.fs_layout else SUBFOLDERS
    folders = [account]
    for name in names[: 2 + number % (len(names) - 1)]:
        make_maildir(os.path.join(account, name), owner, stamp=EPOCH * 10**9 + number)
        folders.append(os.path.join(account, name))
    return folders


def _fill_folder(rng, maker, folder, messages, owner, spec, counter) -> int:
    bases = []
    for _ in range(messages):
        counter += 1
        body = maker.body(maker.size(spec.median_size, spec.sigma))
        when = (EPOCH + rng.randint(0, 90_000_000)) * 10**9 + rng.randint(0, 10**9 - 1)
        base = delivered_name(rng, when, body, counter)
        bases.append(base)
        if rng.random() < 0.1:
            path = os.path.join(folder, b"new", base)
        else:
            flags = b"".join(flag for flag in (b"F", b"R", b"S", b"T", b"a", b"b") if rng.random() < 0.3)
            path = os.path.join(folder, b"cur", base + b":2," + flags)
        write_file(path, body, owner, 0o640 if rng.random() < 0.05 else 0o600, when)
    validity = EPOCH + rng.randint(0, 10**7)
    stamp = (EPOCH + 95_000_000) * 10**9 + rng.randint(0, 10**9 - 1)
    write_file(os.path.join(folder, b"dovecot-uidlist"), uidlist(validity, bases), owner, 0o600, stamp)
    if messages and rng.random() < 0.5:
        write_file(os.path.join(folder, b"dovecot-keywords"), b"0 $Forwarded\n1 $MDNSent\n", owner, 0o600, stamp + 7)
    return counter


def _add_extras(rng, account, folders, owner, spec, number) -> None:
    stamp = (EPOCH + 96_000_000) * 10**9 + rng.randint(0, 10**9 - 1)
    listed = b"".join(os.path.relpath(folder, account).lstrip(b".") + b"\n" for folder in folders[1:])
    validity = b"%08x" % (EPOCH + number)
    write_file(os.path.join(account, b"subscriptions"), b"V\t2\n\n" + listed, owner, 0o600, stamp)
    write_file(os.path.join(account, b"dovecot-uidvalidity"), validity, owner, 0o600, stamp + 1)
    write_file(os.path.join(account, b"dovecot-uidvalidity." + validity), b"", owner, 0o444, stamp + 2)
    write_file(os.path.join(account, b"maildirsize"), b"104857600S,10000C\n", owner, 0o600, stamp + 3)
    # Rebuilt or transient: these must not arrive.
    write_file(os.path.join(account, b"dovecot.index.cache"), rng.randbytes(3000), owner, 0o600)
    write_file(os.path.join(account, b"dovecot.list.index.log"), rng.randbytes(300), owner, 0o600)
    write_file(os.path.join(account, b"tmp", b"1600000000.M1P1.half"), b"half a mess", owner, 0o600)
    if number % 3 == 0:
        make_directory(os.path.join(account, b"sieve"), owner)
        write_file(os.path.join(account, b"sieve", b"main.sieve"), b'require "fileinto";\nkeep;\n', owner, 0o600, stamp + 4)
        os.symlink(b"sieve/main.sieve", os.path.join(account, b".dovecot.sieve"))
        if os.geteuid() == 0:
            os.lchown(os.path.join(account, b".dovecot.sieve"), *owner)
    # A copy as IMAP COPY makes it: the same base name in another folder, one file.
    messages = sorted(os.listdir(os.path.join(account, b"cur")))
    for name in messages[: max(1, len(messages) // 50)]:
        os.link(os.path.join(account, b"cur", name), os.path.join(folders[1], b"cur", name))
