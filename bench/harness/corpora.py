"""The trees that are copied: made once, kept in the cache, made again after a work has changed them."""

import dataclasses
import os
import random
import shutil
import subprocess

from .programs import CACHE, program, say


@dataclasses.dataclass(frozen=True)
class Spec:
    name: str
    messages: int
    accounts: int = 100
    options: tuple[str, ...] = ("--median", "3900")


MAIL = Spec("mail", 50_000)
MAIL_QUICK = Spec("mail-quick", 10_000, accounts=20)
OWNER = (5000, 5000)
ONE_FOLDER = ("--folders", "0", "--median", "900", "--sigma", "0.5", "--guids")
LARGE_FOLDER = Spec("large-folder", 100_000, accounts=1, options=ONE_FOLDER)
LARGE_FOLDER_QUICK = Spec("large-folder-quick", 20_000, accounts=1, options=ONE_FOLDER)
SOAK = Spec("soak", 20_000, accounts=200)  # so many that an hour's deletions are few for each
MILLION = Spec("million", 1_000_000, accounts=1000, options=("--median", "700", "--sigma", "0.4", "--folders", "3"))


def count_messages(tree: str) -> int:
    return sum(len(names) for directory, _, names in os.walk(os.fsencode(tree)) if os.path.basename(directory) in (b"cur", b"new"))


class Corpus:
    def __init__(self, spec: Spec):
        self.spec = spec
        self.directory = os.path.join(CACHE, spec.name)
        self.source = os.path.join(self.directory, "source")
        self._stamp = os.path.join(self.directory, "as-made")
        self._generation = 0
        self._make()

    def _command(self, *more: str) -> None:
        command = [program("bench-corpus"), self.source, "--messages", str(self.spec.messages), "--accounts", str(self.spec.accounts)]
        subprocess.run([*command, *self.spec.options, *more], check=True)

    def _make(self) -> None:
        """The stamp holds what made the tree, so that another generator makes another one."""
        made_by = f"{self.spec} {os.stat(program('bench-corpus')).st_size}"
        if os.path.exists(self._stamp) and open(self._stamp, encoding="utf-8").read() == made_by:
            return
        say(f"making {self.spec.messages:,} messages in {self.source} …")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.source)
        self._command()
        os.sync()
        with open(self._stamp, "w", encoding="utf-8") as file:
            file.write(made_by)

    def restore(self) -> None:
        """As it was made, after works that changed it."""
        self._make()

    def is_to_change(self) -> None:
        """Before a change: the tree has to be made again."""
        if os.path.exists(self._stamp):
            os.unlink(self._stamp)

    def warm(self) -> None:
        """Into the page cache, for all alike."""
        for directory, _, names in os.walk(os.fsencode(self.source)):
            for name in names:
                with open(os.path.join(directory, name), "rb") as file:
                    while file.read(1 << 20):
                        pass

    def drop(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- what is in it

    def size(self) -> tuple[int, int]:
        """Files and their bytes."""
        files = size = 0
        for directory, _, names in os.walk(os.fsencode(self.source)):
            files += len(names)
            size += sum(os.lstat(os.path.join(directory, name)).st_size for name in names)
        return files, size

    def inboxes(self) -> list[str]:
        """Paths of the INBOXes, below the source."""
        found = []
        for domain in sorted(os.listdir(self.source)):
            for user in sorted(os.listdir(os.path.join(self.source, domain))):
                found.append(f"{domain}/{user}/Maildir")
        return found

    def _read_messages(self):
        for directory, _, names in os.walk(os.fsencode(self.source)):
            if os.path.basename(directory) == b"cur":
                yield directory, names

    # -- changing it

    def change_all_flags(self) -> None:
        self.is_to_change()
        for directory, names in self._read_messages():
            for name in names:
                changed = name[:-1] if name.endswith(b"z") else name + b"z"
                os.rename(os.path.join(directory, name), os.path.join(directory, changed))

    def change_some(self) -> None:
        """5 % new, 5 % of the flags, 1 % deleted."""
        self.is_to_change()
        self._generation += 1
        rng = random.Random(self._generation)
        for directory, names in self._read_messages():
            for name in sorted(names):
                luck = rng.random()
                path = os.path.join(directory, name)
                if luck < 0.05:
                    os.rename(path, path + b"T" if not path.endswith(b"T") else path[:-1])
                elif luck < 0.06:
                    os.unlink(path)
        self._command("--more", str(self.spec.messages // 20), "--generation", str(self._generation))

    def append_to_uidlist(self) -> None:
        self.is_to_change()
        self._generation += 1
        with open(os.path.join(self.source, self.inboxes()[0], "dovecot-uidlist"), "ab") as file:
            file.write(b"%d :1700000000.M%dP1.mx1.example.org,S=1000,W=1020\n" % (4_000_000_000 + self._generation, self._generation))

    def deliver(self, destination: str | None, *, count: int, rate: float = 0, folders: str, patience: float = 60) -> list[str]:
        """The command that delivers; with a destination it waits there for the messages."""
        self.is_to_change()
        self._generation += 1
        command = [program("bench-deliver"), self.source, destination or self.source, "--folders", folders, "--count", str(count)]
        command += ["--rate", str(rate), "--seed", str(self._generation), "--patience", str(patience)]
        return command if destination else [*command, "--no-watch"]


def give_to_a_user(source: str) -> None:
    """As root has made it: the receiver gives no mail to root."""
    if os.geteuid() != 0:
        return
    for directory, _, names in os.walk(source):
        for path in (directory, *(os.path.join(directory, name) for name in names)):
            os.chown(path, *OWNER)


@dataclasses.dataclass(frozen=True)
class Attachments:
    """Messages that do not compress, in one folder: what memory must not grow with."""

    count: int
    size: int  # bytes of each

    def __str__(self) -> str:
        return f"{self.count} attachments of {self.size // 1_000_000:,} MB" if self.count > 1 else f"one attachment of {self.size // 1_000_000:,} MB"

    def make(self, source: str) -> None:
        folder = os.path.join(source, "example.org", "user", "Maildir")
        for area in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, area))
        rng = random.Random(self.count)
        for number in range(self.count):
            with open(os.path.join(folder, "cur", f"17000{number:05}.M{number}P1.mx:2,S"), "wb") as file:
                for left in range(self.size, 0, -1_000_000):
                    file.write(rng.randbytes(min(left, 1_000_000)))
        give_to_a_user(source)


@dataclasses.dataclass(frozen=True)
class Lists:
    """What else memory must not grow with: a uidlist to which a line is added, and a folder that both sides have already."""

    uidlist: int  # bytes
    folder: int  # messages

    @staticmethod
    def _folder(source: str) -> str:
        folder = os.path.join(source, "example.org", "user", "Maildir")
        for area in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, area))
        return folder

    def make_uidlist(self, source: str) -> str:
        path = os.path.join(self._folder(source), "dovecot-uidlist")
        rng = random.Random(self.uidlist)
        with open(path, "wb") as file:
            size = file.write(b"3 V1700000000 N9999999 G00000000000000000000000000000000\n")
            for uid in range(1, 10_000_000):
                if size >= self.uidlist:
                    break
                size += file.write(b"%d :17000%08d.M%dP%d.mx,S=2000,W=2040\n" % (uid, uid, rng.randrange(10**6), rng.randrange(10**5)))
        give_to_a_user(source)
        return path

    def make_folder(self, source: str) -> None:
        current = os.path.join(self._folder(source), "cur")
        for number in range(self.folder):
            with open(os.path.join(current, f"17{number:08}.M{number}P1.mx,S=1,W=1:2,S"), "wb") as file:
                file.write(b"x")
        give_to_a_user(source)


LISTS = Lists(100_000_000, 300_000)
LISTS_QUICK = Lists(20_000_000, 30_000)
ATTACHMENTS = (Attachments(100, 20_000_000), Attachments(1, 2_000_000_000))
ATTACHMENTS_QUICK = (Attachments(15, 20_000_000), Attachments(1, 300_000_000))
