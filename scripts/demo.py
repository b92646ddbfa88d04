"""A live migration on one machine, as scripts/demo shows it.

Mail is made by a private Dovecot ("the old server"), mirrored by an agent and a receiver over loopback, and at the end
served by a second private Dovecot ("the new server"). A tree that is given is mirrored too, and never written to.
"""

import argparse
import imaplib
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "dovecot"))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))

import oracle  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from maildir_trees import MessageMaker, compare_trees, read_tree  # noqa: E402
from maildirsync_testing import Lab, Root, wait_until  # noqa: E402

USERS = ["anna@example.org", "ben@example.org", "clara@example.net"]
FOLDERS = ["Sent", "Archive", "Trash"]
KEYWORDS = b"abcdefghijklmnopqrstuvwxyz"  # as flags, by dovecot-keywords
PATIENCE = 10  # seconds until an arrival is given up
BURST = 100
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAYOUT_ENDS = ("Maildir", ".maildir", "mail", "Mail")  # directories that are the same for each account


# ---------------------------------------------------------------------------------------------------------------------
# What is printed


class Screen:
    """Colours and a moving bar on a terminal, plain lines elsewhere."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty()
        self.colours = self.is_terminal and not os.environ.get("NO_COLOR")
        self.failures: list[str] = []
        self._shown = -1

    def paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def title(self, text: str) -> None:
        print("\n" + self.paint("1", text), flush=True)

    def line(self, text: str = "") -> None:
        print("  " + text if text else "", flush=True)

    def good(self, text: str) -> None:
        self.line(self.paint("32", text))

    def bad(self, text: str) -> None:
        self.failures.append(text)
        self.line(self.paint("31", text))

    def verdict(self, differences: list, good: str, bad: str) -> None:
        if not differences:
            self.good(good)
            return
        self.bad(f"{bad}: {len(differences)} differences")
        for difference in differences[:10]:
            self.line(f"  {difference}")

    def progress(self, done: int, total: int, text: str) -> None:
        share = min(1.0, done / total) if total else 1.0
        if self.is_terminal:
            bar = "#" * int(share * 30)
            print(f"\r  [{bar:30}] {int(share * 100):3}%  {text}\033[K", end="" if share < 1 else "\n", flush=True)
        elif int(share * 4) > self._shown:
            self.line(f"{int(share * 100):3}%  {text}")
            self._shown = int(share * 4)


screen = Screen()


def size_text(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:7.1f} ms"


# ---------------------------------------------------------------------------------------------------------------------
# The given tree


class GivenTree:
    """A user's own tree: where its accounts lie, and how much it is."""

    def __init__(self, path: str, layout: str | None):
        self.path = os.path.realpath(path)
        if not os.path.isdir(self.path):
            raise SystemExit(f"scripts/demo: {path} is no directory")
        self.only = ""
        self.layout = layout or self._find_layout()
        self.messages = self.bytes = 0
        for directory, _, names in os.walk(os.fsencode(self.path)):
            if os.path.basename(directory) in (b"cur", b"new"):
                self.messages += len(names)
            for name in names:
                try:
                    self.bytes += os.lstat(os.path.join(directory, name)).st_size
                except FileNotFoundError:
                    pass

    def _find_layout(self) -> str:
        if is_maildir(self.path):
            # A single Maildir: its parent is the root, and all beside it is left alone.
            self.path, self.only = os.path.split(self.path)
            return "%n"
        for depth in range(1, 6):
            found = [path for path in directories_at(self.path, depth) if is_maildir(path)]
            if found:
                return layout_of(os.path.relpath(found[0], self.path).split("/"))
        raise SystemExit(f"scripts/demo: no Maildir (a directory with cur, new and tmp) below {self.path}; say where with --accounts")

    def options(self) -> dict:
        return {"include": [self.only]} if self.only else {}

    def accounts(self, path: bytes) -> bool:
        return not self.only or path == os.fsencode(self.only)


def is_maildir(path: str) -> bool:
    return all(os.path.isdir(os.path.join(path, area)) for area in ("cur", "new"))


def directories_at(path: str, depth: int) -> list[str]:
    """Directories that many levels below; those whose names begin with a dot only where they end an account's path."""
    level = [path]
    for _ in range(depth):
        level = [
            entry.path
            for directory in level
            for entry in sorted(os.scandir(directory), key=lambda entry: entry.name)
            if entry.is_dir(follow_symlinks=False) and (not entry.name.startswith(".") or entry.name in LAYOUT_ENDS)
        ]
    return level


def layout_of(components: list[str]) -> str:
    """The pattern of an account's path, as `accounts` in agent.toml takes it."""
    end = [components.pop()] if components[-1] in LAYOUT_ENDS else []
    if not components:
        raise SystemExit("scripts/demo: give the directory that holds the home directories, not a home directory")
    if len(components) == 1:
        pattern = ["%u" if "@" in components[0] else "%n"]
    else:
        pattern = ["*"] * (len(components) - 2) + ["%d", "%n"]
    return "/".join(pattern + end)


# ---------------------------------------------------------------------------------------------------------------------
# The migration


class Demo:
    def __init__(self, given: GivenTree | None, count: int):
        self.given, self.count = given, count
        self.rng = random.Random(1)
        self.maker = MessageMaker(self.rng)
        self.lab = Lab()
        self.servers: list[Dovecot] = []

    # -- life

    def run(self) -> None:
        self.make_old_server()
        self.make_keys()
        self.first_copy()
        self.live()
        self.questions()
        self.compare()

    def end(self) -> None:
        """Ends what was started, whatever happened before."""
        screen.title("Ending")
        for server in self.servers:
            server.kill()
        names = [daemon.name for daemon in self.lab.daemons if daemon.process]
        try:
            self.lab.close()
        except AssertionError as error:
            screen.bad(str(error))
        screen.line(f"ended: {', '.join([server.name + ' Dovecot' for server in self.servers] + names)}")
        screen.line(f"removed: {self.lab.base}")

    # -- steps

    def make_old_server(self) -> None:
        screen.title("1  The old server: a Dovecot of its own, which takes mail by LMTP and IMAP")
        self.root = self.lab.add_root("vhosts")
        self.old, self.new = (Dovecot(self.lab.base, name, tree) for name, tree in (("old", self.root.source), ("new", self.root.destination)))
        self.servers = [self.old, self.new]
        for user in USERS:
            self.old.add_user(user)
            self.new.add_user(user, home=False)
        self.old.start()
        start = time.monotonic()
        with self.old.lmtp() as lmtp:
            lmtp.ehlo()
            for number in range(self.count):
                lmtp.sendmail("sender@example.net", [USERS[number % len(USERS)]], self.message())
        for user in USERS:
            self.arrange(user)
        screen.line(f"{self.count} messages delivered to {', '.join(USERS)} in {time.monotonic() - start:.1f} s; {self.root.source}")
        if self.given:
            self.add_given()

    def arrange(self, user: str) -> None:
        """Folders, flags, keywords and copies, as a mail client leaves them."""
        with self.old.imap(user) as imap:
            for folder in FOLDERS:
                imap.create(folder)
                imap.subscribe(folder)
            messages = int(imap.select("INBOX")[1][0])
            imap.store(f"1:{messages // 2}", "+FLAGS", "(\\Seen)")
            imap.store(f"1:{messages // 8}", "+FLAGS", "(\\Answered $Forwarded)")
            imap.copy(f"1:{messages // 4}", "Archive")

    def add_given(self) -> None:
        given, base = self.given, os.path.join(self.lab.base, "given")
        room = shutil.disk_usage(self.lab.base).free
        if room < given.bytes * 1.2:
            raise SystemExit(
                f"scripts/demo: {given.path} holds {size_text(given.bytes)}, and {self.lab.base} has only {size_text(room)} free;"
                " set TMPDIR to a directory with more"
            )
        os.mkdir(base, 0o755)
        self.given_root = Root("given", given.path, base, given.layout, given.options())
        self.lab.agent.roots.append(self.given_root)
        screen.line(f"{given.messages} messages, {size_text(given.bytes)} in {given.path}, accounts at {given.only or given.layout}")
        screen.line("Your tree is only read; it is copied below, and what is done live is done to the demo's own mail.")

    def make_keys(self) -> None:
        screen.title("2  A key for each side; each knows the other by its fingerprint")
        for daemon in self.lab.daemons:
            screen.line(f"{daemon.name:9} {daemon.identity.fingerprint}")

    def first_copy(self) -> None:
        screen.title("3  The first copy")
        total = self.count_source()
        self.lab.receiver.start()
        start = time.monotonic()
        self.lab.agent.start(ready=False)

        def copied():
            status = self.lab.agent.try_status()
            if not status:
                return None
            done = status["state"] == "live"
            totals = status["totals"]
            sent = totals["messages_sent"] + totals["links"]
            screen.progress(total if done else min(sent, total - 1), total, f"{sent} messages, {size_text(totals['bytes_wire'])} on the wire")
            return totals if done else None

        # As long as it takes: a given tree may be large.
        totals = wait_until(copied, "the first copy", alive=self.lab.daemons, limit=24 * 3600, interval=0.1)
        elapsed = time.monotonic() - start
        screen.good(
            f"{total} messages, {size_text(totals['bytes_source'])} as {size_text(totals['bytes_wire'])}, "
            f"synced to the new server's disk in {elapsed:.1f} s"
        )

    def live(self) -> None:
        screen.title("4  Live: users go on working at the old server")
        screen.line(f"{'':46} {'at the old':>10} {'at the new':>10}   after the client's command")
        anna = USERS[0]
        with self.old.imap(anna) as imap:
            name = self.show("a message is delivered", anna, "INBOX", lambda: self.old.deliver(anna, self.message()), appears())
            last = imap.select("INBOX")[1][0].decode()
            for text, flag, letters in (("it is read", "\\Seen", b"S"), ("it is flagged", "\\Flagged", b"F"), ("it gets a keyword", "$Label1", KEYWORDS)):
                self.show(text, anna, "INBOX", lambda: imap.store(last, "+FLAGS", f"({flag})"), has_flag(name, letters))
            self.show("it is copied to Archive", anna, "Archive", lambda: imap.copy(last, "Archive"), appears())
            with self.watch(anna, "INBOX", lacks(name)) as leaves:
                moved = self.show("it is moved to Trash", anna, "Trash", lambda: imap.uid("MOVE", self.uid(imap, last), "Trash"), appears())
            self.tell("  … and leaves INBOX", leaves)
            imap.select("Trash")
            imap.store("1", "+FLAGS", "(\\Deleted)")
            self.show("it is expunged", anna, "Trash", imap.expunge, lacks(moved))
            self.show("a message is saved in Sent", anna, "Sent", lambda: imap.append("Sent", "(\\Seen)", None, self.message()), appears())
            self.show("a folder is made", anna, "Projects", lambda: imap.create("Projects"), exists())
            self.show("it is renamed", anna, "Done", lambda: imap.rename("Projects", "Done"), exists())
            self.show("it is deleted", anna, "Done", lambda: imap.delete("Done"), is_gone())
        screen.line("(What vanishes is looked at twice, 250 ms apart, before it is removed at the new server: see docs/design.md.)")
        self.burst()

    def burst(self) -> None:
        delays = []
        for number in range(BURST):
            user = USERS[number % len(USERS)]
            with self.watch(user, "INBOX", appears()) as watch:
                self.old.deliver(user, self.message())
            if watch.new is None:
                screen.bad(f"delivery {number + 1} of {BURST} did not arrive within {PATIENCE} s")
                return
            delays.append(watch.new - watch.old)
        delays.sort()
        screen.good(
            f"{BURST} deliveries, one after the other: at the new server {delays[BURST // 2] * 1000:.1f} ms (median), "
            f"{delays[-2] * 1000:.1f} ms (99 %) after they were at the old one"
        )

    def questions(self) -> None:
        screen.title("5  How far behind is the new server? Is all of it there?")
        for arguments in (["status"], ["flush"]):
            screen.line(screen.paint("1", f"$ maildirsync {' '.join(arguments)}"))
            done = self.lab.agent.cli(*arguments, limit=600)
            for line in (done.stdout + done.stderr).splitlines():
                screen.line("  " + line)
            if done.returncode == 1 and self.given:
                screen.line(screen.paint("33", "Exit status 1: above is what of your tree cannot be mirrored, and why."))
            elif done.returncode != 0:
                screen.bad(f"maildirsync {arguments[0]} ended with {done.returncode}")

    def compare(self) -> None:
        screen.title("6  The maintenance window: stop the old server, flush, compare, start the new one")
        clients_of_old = oracle.look(self.old)
        self.old.stop()
        start = time.monotonic()
        self.flush()
        screen.line(f"maildirsync flush: {milliseconds(time.monotonic() - start).strip()}")
        self.compare_roots()
        self.new.start()
        clients_of_new = oracle.look(self.new)
        mailboxes = sum(len(account.mailboxes) for account in clients_of_new.values())
        messages = sum(account.messages() for account in clients_of_new.values())
        screen.verdict(
            oracle.compare(clients_of_old, clients_of_new),
            f"equal to a mail client, over IMAP: {mailboxes} mailboxes, {messages} messages; UIDs, flags, keywords, dates, sizes, bodies",
            "the new server shows its clients something else",
        )

    def compare_roots(self) -> None:
        checked = "names, bytes, owners, modes, times to the nanosecond, links"
        files = sum(entry.kind == "file" for entry in read_tree(self.root.source, self.root.layout).values())
        differences = compare_trees(self.root.source, self.root.destination, self.root.layout)
        screen.verdict(differences, f"equal on the disk: {files} files; {checked}", "the trees differ")
        if not self.given:
            return
        given = self.given_root
        for _ in range(3):
            differences = compare_trees(given.source, given.destination, given.layout, accounts=self.given.accounts)
            if not differences:
                break
            # Its own server may be writing to it.
            self.flush()
        files = sum(entry.kind == "file" for entry in read_tree(given.source, given.layout, self.given.accounts).values())
        if files == 0:
            screen.bad(f"no account was found at {self.given.only or given.layout} in {given.source}; say where with --accounts")
            return
        screen.verdict(differences, f"equal on the disk: {files} files of {given.source}; {checked}", "your tree and its copy differ")

    # -- small things

    def flush(self) -> None:
        # A tree that is given may hold what cannot be mirrored, such as a fifo; then a flush says so and is not complete.
        self.lab.agent.flush(limit=3600, complete=not self.given)

    def message(self) -> bytes:
        return self.maker.body(self.maker.size(most=1 << 20)).replace(b"\n", b"\r\n")

    def count_source(self) -> int:
        """Messages at the source: files in cur/ and new/."""
        tree = read_tree(self.root.source, self.root.layout)
        own = sum(entry.kind == "file" and path.split(b"/")[-2] in (b"cur", b"new") for path, entry in tree.items())
        return own + (self.given.messages if self.given else 0)

    def watch(self, user: str, mailbox: str, condition) -> "Watch":
        source = os.fsencode(self.old.folder(user, mailbox))
        return Watch(source, self.root.at_destination(source), condition)

    def show(self, text: str, user: str, mailbox: str, action, condition) -> bytes | None:
        """Does something at the old server and says when it shows at each; the message that appeared, if one did."""
        with self.watch(user, mailbox, condition) as watch:
            action()
        self.tell(text, watch)
        return watch.found

    def tell(self, text: str, watch: "Watch") -> None:
        if watch.new is None:
            screen.bad(f"{text:46} did not arrive within {PATIENCE} s")
        else:
            screen.line(f"{text:46} {milliseconds(watch.old - watch.start)} {milliseconds(watch.new - watch.start)}")

    @staticmethod
    def uid(imap, sequence: str) -> str:
        return re.search(rb"UID (\d+)", imap.fetch(sequence, "(UID)")[1][0])[1].decode()


# ---------------------------------------------------------------------------------------------------------------------
# Seeing something arrive


class Watch:
    """Looks at a folder at both ends until a condition holds at each; leaving the `with` waits for that."""

    def __init__(self, source: bytes, destination: bytes, condition):
        self.start = time.monotonic()
        self.old: float | None = None  # when the condition came to hold at the old server
        self.new: float | None = None  # and at the new one
        self.found: bytes | None = None
        self._sides = {"old": (source, base_names(source)), "new": (destination, base_names(destination))}
        self._condition = condition
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while self._sides and time.monotonic() < self.start + PATIENCE:
            for side, (path, before) in list(self._sides.items()):
                found = self._condition(before, base_names(path))
                if found is not None:
                    self.found = found
                    setattr(self, side, time.monotonic())
                    del self._sides[side]
            if self.new and not self.old:
                self.old = self.new  # it came to hold at both between two looks
                self._sides.clear()
            time.sleep(0.0002)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._thread.join()


def base_names(folder: bytes) -> dict[bytes, bytes] | None:
    """The messages of a folder: base name → name with cur/ or new/; None when there is no such folder."""
    found = {}
    try:
        for area in (b"new", b"cur"):
            for name in os.listdir(os.path.join(folder, area)):
                found[name.partition(b":2,")[0]] = os.path.join(area, name)
    except FileNotFoundError:
        return None
    return found


# Conditions compare a folder's messages before and now; what they return is not None when they hold.


def appears():
    return lambda before, now: next((base for base in now or {} if base not in (before or {})), None)


def has_flag(base, letters):
    return lambda before, now: b"" if set(now.get(base, b"").rpartition(b":2,")[2]) & set(letters) else None


def lacks(base):
    return lambda before, now: b"" if base not in (now or {}) else None


def exists():
    return lambda before, now: None if now is None else b""


def is_gone():
    return lambda before, now: b"" if now is None else None


# ---------------------------------------------------------------------------------------------------------------------


class Interrupted(BaseException):
    seen = False  # for what is half done may raise something else on its way out


def interrupt(number, frame):
    Interrupted.seen = True
    raise Interrupted


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Shows a live migration on this machine: a private Dovecot, an agent, a receiver, and everything ended and removed at the end.",
    )
    parser.add_argument("tree", nargs="?", metavar="MAILDIR-TREE", help="your own mail, mirrored besides; it is only read, never written to")
    parser.add_argument("--accounts", metavar="PATTERN", help="where each Maildir lies below MAILDIR-TREE, such as %%d/%%n/Maildir; else it is found out")
    parser.add_argument("--messages", type=int, default=300, help="how many messages the demo makes (300)")
    arguments = parser.parse_args()
    for number in ENDINGS:
        signal.signal(number, interrupt)
    given = GivenTree(arguments.tree, arguments.accounts) if arguments.tree else None
    # Around the lab's directory, so that nothing is left when not even a lab comes about; mail users pass through.
    base = tempfile.tempdir = tempfile.mkdtemp(prefix="maildirsync-")
    os.chmod(base, 0o711)
    sys.setswitchinterval(0.0005)  # a thread watches while another acts; its times are to be good to a millisecond
    demo = None
    try:
        demo = Demo(given, max(arguments.messages, 24))
        demo.run()
    except Interrupted:
        screen.bad("interrupted")
    except (AssertionError, OSError, subprocess.SubprocessError, imaplib.IMAP4.error, smtplib.SMTPException) as error:
        screen.bad("interrupted" if Interrupted.seen else str(error))
    finally:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        if demo:
            demo.end()
        shutil.rmtree(base)
    if screen.failures:
        print("\n" + screen.paint("31", f"The demo failed: {screen.failures[0]}"), file=sys.stderr)
        return 1
    print("\n" + screen.paint("32", "All of it arrived, and all of it is equal."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
