"""A root of many small accounts, of which 50 have troubles of ten kinds, and what a terminal of 80 by 24 shows of it.

    tree = TroubledTree(lab)              # before the daemons start
    tree.copy(lab)                        # the first copy, with the troubles that it meets
    tree.spoil(lab)                       # those that come while it is live
    screen = first_screen(lab.agent)

Of each kind five accounts have one, and one of these (`worst`) has two where an account can have two.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

from maildir_trees import make_maildir, write_file
from maildirsync_testing import Lab, program, wait_until

OWNER, SOMEBODY_ELSE, UNKNOWN = (5000, 5000), (5001, 5001), 5077
COLUMNS, ROWS = 80, 24
AFFECTED = 5
#: Of root, without what lets it read everything: as root_squash or SELinux leave it.
WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"]


class TroubledTree:
    #: Kinds of which an account can have two.
    TWICE = ("permission", "unmapped-owner", "foreign-owner", "special-file", "mail-left-out", "conflict", "not-empty")
    #: Kinds that come while it is live.
    LATER = ("not-empty", "stale-index", "account-gone", "mass-deletion")
    KINDS = (*TWICE, "stale-index", "account-gone", "mass-deletion")

    def __init__(self, lab: Lab, accounts: int = 5000):
        self.root = lab.add_root(owner={"policy": "map", "users": {"5000": "5000", "5001": "5001"}, "groups": {"5000": "5000", "5001": "5001"}})
        lab.agent.prefix = WITHOUT_PRIVILEGE
        self.outside = os.path.join(os.fsencode(lab.base), b"outside")
        os.makedirs(self.outside)
        self.secret = os.path.join(self.outside, b"secret")
        write_file(self.secret, b"of root alone\n", (0, 0), 0o600)
        os.mkdir(os.path.join(os.fsencode(self.root.source), b"example.org"), 0o755)
        for kind in self.KINDS:
            for i in range(AFFECTED):
                account = self.make_account(self.name(kind, i))
                for number in self.numbers(kind, i):
                    self.trouble(kind, account, number)
        for i in range(accounts - AFFECTED * len(self.KINDS)):
            self.make_account(f"user{i:04}")

    @staticmethod
    def name(kind: str, i: int) -> str:
        return f"{kind.replace('-', '')}{i}"

    @classmethod
    def worst(cls, kind: str) -> str | None:
        """The account that has most of it; None where none has more than the others."""
        return cls.name(kind, 2) + "@example.org" if kind in cls.TWICE else None

    @classmethod
    def numbers(cls, kind: str, i: int) -> range:
        return range(2 if kind in cls.TWICE and i == 2 else 1)

    @classmethod
    def count(cls, kind: str) -> int:
        return AFFECTED + (1 if kind in cls.TWICE else 0)

    def account(self, name: str) -> bytes:
        return os.path.join(os.fsencode(self.root.source), b"example.org", name.encode(), b"Maildir")

    def make_account(self, name: str) -> bytes:
        account = self.account(name)
        os.mkdir(os.path.dirname(account), 0o755)
        make_maildir(account, OWNER, 0o755, is_account=True)
        self.message(account, 9)
        return account

    @staticmethod
    def message(folder: bytes, number: int, owner=OWNER, body: bytes = b"Subject: x\n\nx\n") -> bytes:
        path = os.path.join(folder, b"cur", b"1700000000.M%dP1.mx:2,S" % number)
        write_file(path, body, owner, 0o644, (1_700_000_000 + owner[0]) * 10**9)
        return path

    def trouble(self, kind: str, account: bytes, number: int) -> None:
        if kind == "permission":
            folder = os.path.join(account, b".Closed%d" % number)
            make_maildir(folder, OWNER, 0o755)
            os.chmod(folder, 0)
        elif kind == "unmapped-owner":
            self.message(account, number, (UNKNOWN, 5000))
        elif kind == "foreign-owner":
            os.link(self.secret, os.path.join(account, b"cur", b"1700000000.M%dP1.mx:2,S" % number))
        elif kind == "special-file":
            os.mkfifo(os.path.join(account, b"cur", b"1700000000.M%dP1.mx:2,S" % number))
        elif kind == "mail-left-out":
            os.symlink(self.outside, os.path.join(account, b".Archive%d" % number))
        elif kind == "conflict":
            there = self.root.at_destination(account)
            for directory in (os.path.dirname(os.path.dirname(there)), os.path.dirname(there)):
                os.makedirs(directory, 0o755, exist_ok=True)
            if not os.path.exists(there):
                make_maildir(there, OWNER, 0o755, is_account=True)
            self.message(account, number)
            self.message(there, number, SOMEBODY_ELSE, b"another one\n")
        elif kind == "not-empty":
            folder = os.path.join(account, b".Old%d" % number)
            make_maildir(folder, OWNER, 0o755)
            self.message(folder, number)

    def copy(self, lab: Lab) -> None:
        lab.start()
        lab.agent.flush(complete=False, limit=600)

    def spoil(self, lab: Lab) -> None:
        for i in range(AFFECTED):
            for number in self.numbers("not-empty", i):
                folder = os.path.join(self.account(self.name("not-empty", i)), b".Old%d" % number)
                self.message(self.root.at_destination(folder), 77, SOMEBODY_ELSE)
                shutil.rmtree(folder)
            there = self.root.at_destination(self.account(self.name("stale-index", i)))
            write_file(os.path.join(there, b"dovecot.index.log"), b"index", OWNER, 0o600)
            shutil.rmtree(os.path.dirname(self.account(self.name("account-gone", i))))
            shutil.rmtree(os.path.join(self.account(self.name("mass-deletion", i)), b"cur"))
        wanted = {kind: self.count(kind) for kind in self.KINDS}

        def all_are_told():
            lab.agent.flush("--timeout", "20", complete=False)
            found: dict[str, int] = {}
            for problem in lab.agent.problems():
                found[problem["code"]] = found.get(problem["code"], 0) + 1
            return found == wanted

        wait_until(all_are_told, f"the problems {wanted}", alive=lab.daemons, interval=0.5)


def on_terminal(daemon, *arguments: str) -> str:
    """What the command writes to a terminal of that size, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    command = [program("maildirsync"), "--control", daemon.control, *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    process.wait()
    return text.decode().replace("\r\n", "\n")


def cells(text: str):
    """(row, column, character, style) of the first screen, with long lines wrapped."""
    row = column = 0
    style = "0"
    for code, character in re.findall(r"\x1b\[(\d+)m|(.)", text, re.DOTALL):
        if code:
            style = code
        elif character == "\n":
            row, column = row + 1, 0
        else:
            if column == COLUMNS:
                row, column = row + 1, 0
            if row < ROWS:
                yield row, column, character, style
            column += 1


def first_screen(text: str) -> list[str]:
    rows = [""] * ROWS
    for row, column, character, _ in cells(text):
        rows[row] = rows[row].ljust(column) + character
    return rows
