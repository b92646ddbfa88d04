"""A mail server's traffic on a Maildir tree, by a seed: what Dovecot does to the files, in the order it does it."""

import os
import random
import threading
import time

from maildir_trees import AREAS, MessageMaker, delivered_name, find_accounts, make_maildir, show, write_file

WEIGHTS = {
    "deliver": 34,
    "flag": 28,
    "see": 10,
    "move": 8,
    "copy": 6,
    "keyword": 3,
    "delete": 3,
    "rewrite_uidlist": 3,
    "subscribe": 2,
    "make_folder": 1.5,
    "rename_folder": 0.8,
    "remove_folder": 0.7,
}


class Folder:
    def __init__(self, path: bytes):
        self.path = path
        self.messages: dict[bytes, bytes] = {}  # name → area
        self.next_uid = 1


class Account:
    def __init__(self, path: bytes):
        status = os.stat(path)
        self.path, self.owner = path, (status.st_uid, status.st_gid)
        self.folders: dict[bytes, Folder] = {}
        self._read(path)

    def _read(self, path: bytes) -> None:
        folder = self.folders[path] = Folder(path)
        for area in AREAS:
            for name in os.listdir(os.path.join(path, area)):
                folder.messages[name] = area
        folder.next_uid = len(folder.messages) + 1
        for name in sorted(os.listdir(path)):
            child = os.path.join(path, name)
            if name not in (*AREAS, b"tmp") and os.path.isdir(os.path.join(child, b"cur")):
                self._read(child)


class Traffic:
    """Does `rate` operations a second on the tree until stopped, in a thread; `journal` says what was done.

    The few deletions stay far below what looks like a mass deletion. One writer owns a tree: it remembers what is
    there and does not look again.
    """

    def __init__(self, root, layout: str = "%d/%n/Maildir", *, rate: float = 200, seed: int = 1, weights=None, median_size: int = 1500):
        self.rng = random.Random(seed)
        self.maker = MessageMaker(self.rng)
        root = os.fsencode(root)
        self.accounts = [Account(os.path.join(root, path)) for path in find_accounts(root, layout)]
        self.rate, self.median_size = rate, median_size
        weights = weights or WEIGHTS
        self.kinds, self.weights = list(weights), list(weights.values())
        self.journal: list[str] = []
        self.counts: dict[str, int] = {}
        self.counter = 0
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- running

    def start(self) -> "Traffic":
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the operation at hand; what went wrong in the thread is raised here."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        if self.error:
            raise self.error

    def __enter__(self) -> "Traffic":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                self.step()
                due = max(due + 1 / self.rate, time.monotonic() - 1)
                self._stop.wait(max(0, due - time.monotonic()))
        except BaseException as error:
            self.error = error

    def step(self) -> None:
        """One operation."""
        kind = self.pick()
        account = self.rng.choice(self.accounts)
        if getattr(self, kind)(account):
            self.counts[kind] = self.counts.get(kind, 0) + 1
        else:
            self.deliver(account)
            self.counts["deliver"] = self.counts.get("deliver", 0) + 1

    def pick(self) -> str:
        """The kind of the next operation."""
        return self.rng.choices(self.kinds, self.weights)[0]

    def about(self, path: bytes, limit: int = 30) -> list[str]:
        """The journal's lines that name a path or its base name."""
        key = show(os.path.basename(path).partition(b":2,")[0])
        return [line for line in self.journal if key in line][-limit:]

    def _note(self, what: str, *paths: bytes) -> None:
        self.journal.append(f"{time.time():.6f} {what} " + " -> ".join(show(path) for path in paths))

    # -- picking

    def _folder(self, account: Account) -> Folder:
        return self.rng.choice(list(account.folders.values()))

    def _message(self, account: Account, area: bytes | None = None):
        for _ in range(5):
            folder = self._folder(account)
            names = [name for name, where in folder.messages.items() if area in (None, where)]
            if names:
                return folder, self.rng.choice(names)
        return None, None

    @staticmethod
    def _path(folder: Folder, name: bytes) -> bytes:
        return os.path.join(folder.path, folder.messages[name], name)

    # -- what a server does

    def deliver(self, account: Account, folder: Folder | None = None) -> bool:
        folder = folder or (account.folders[account.path] if self.rng.random() < 0.7 else self._folder(account))
        body = self.maker.body(self.maker.size(self.median_size, 1.0, 200_000))
        self.counter += 1
        name = delivered_name(self.rng, time.time_ns(), body, self.counter)
        aside, final = os.path.join(folder.path, b"tmp", name), os.path.join(folder.path, b"new", name)
        write_file(aside, body, account.owner, 0o600)
        os.rename(aside, final)
        folder.messages[name] = b"new"
        self._append_uidlist(account, folder, name)
        self._note("deliver", final)
        return True

    def _append_uidlist(self, account: Account, folder: Folder, name: bytes) -> None:
        path = os.path.join(folder.path, b"dovecot-uidlist")
        write_file(path + b".lock", b"", account.owner, 0o600)
        if os.path.exists(path):
            with open(path, "ab") as file:
                file.write(b"%d :%s\n" % (folder.next_uid, name.partition(b":2,")[0]))
        else:
            write_file(path, b"3 V1600000000 N2 G00\n1 :" + name + b"\n", account.owner, 0o600)
        folder.next_uid += 1
        os.unlink(path + b".lock")

    def rewrite_uidlist(self, account: Account) -> bool:
        folder = self._folder(account)
        bases = sorted(name.partition(b":2,")[0] for name in folder.messages)
        lines = [b"3 V1600000000 N%d G00\n" % (len(bases) + 1)]
        lines += [b"%d :%s\n" % (i + 1, base) for i, base in enumerate(bases)]
        path = os.path.join(folder.path, b"dovecot-uidlist")
        write_file(path + b".tmp", b"".join(lines), account.owner, 0o600)
        os.rename(path + b".tmp", path)
        self._note("rewrite_uidlist", path)
        return True

    def _rename(self, what: str, folder: Folder, name: bytes, area: bytes, new_name: bytes) -> bool:
        source, target = self._path(folder, name), os.path.join(folder.path, area, new_name)
        if source == target:
            return False
        os.rename(source, target)
        del folder.messages[name]
        folder.messages[new_name] = area
        self._note(what, source, target)
        return True

    def flag(self, account: Account) -> bool:
        folder, name = self._message(account, b"cur")
        if not folder:
            return False
        base, _, flags = name.partition(b":2,")
        letters = set(flags.decode()) ^ {self.rng.choice("FRSTD")}
        return self._rename("flag", folder, name, b"cur", base + b":2," + "".join(sorted(letters)).encode())

    def keyword(self, account: Account) -> bool:
        folder, name = self._message(account, b"cur")
        if not folder:
            return False
        base, _, flags = name.partition(b":2,")
        letters = set(flags.decode()) ^ {self.rng.choice("abc")}
        done = self._rename("keyword", folder, name, b"cur", base + b":2," + "".join(sorted(letters)).encode())
        path = os.path.join(folder.path, b"dovecot-keywords")
        write_file(path + b".lock", b"0 $Forwarded\n1 $MDNSent\n2 k%d\n" % self.rng.randint(0, 99), account.owner, 0o600)
        os.rename(path + b".lock", path)
        return done

    def see(self, account: Account) -> bool:
        folder, name = self._message(account, b"new")
        return bool(folder) and self._rename("see", folder, name, b"cur", name + b":2,")

    def _two_folders(self, account: Account):
        folder, name = self._message(account)
        if not folder:
            return None, None, None
        others = [other for other in account.folders.values() if other is not folder]
        target = self.rng.choice(others) if others else None
        if target is None:
            return None, None, None
        base = name.partition(b":2,")[0]
        if any(other.partition(b":2,")[0] == base for other in target.messages):
            return None, None, None
        return folder, name, target

    def copy(self, account: Account) -> bool:
        folder, name, target = self._two_folders(account)
        if not folder:
            return False
        area = folder.messages[name]
        source, path = self._path(folder, name), os.path.join(target.path, area, name)
        os.link(source, path)
        target.messages[name] = area
        self._append_uidlist(account, target, name)
        self._note("copy", source, path)
        return True

    def move(self, account: Account) -> bool:
        folder, name, target = self._two_folders(account)
        if not folder:
            return False
        area = folder.messages[name]
        source, path = self._path(folder, name), os.path.join(target.path, area, name)
        if self.rng.random() < 0.5:
            os.rename(source, path)
            target.messages[name] = area
        else:
            os.link(source, path)
            target.messages[name] = area
            self._append_uidlist(account, target, name)
            os.unlink(source)
        del folder.messages[name]
        self._note("move", source, path)
        return True

    def delete(self, account: Account) -> bool:
        folder, name = self._message(account)
        if not folder or len(folder.messages) < 5:
            return False
        path = self._path(folder, name)
        os.unlink(path)
        del folder.messages[name]
        self._note("delete", path)
        return True

    def subscribe(self, account: Account) -> bool:
        path = os.path.join(account.path, b"subscriptions")
        names = b"".join(os.path.relpath(folder, account.path).lstrip(b".") + b"\n" for folder in account.folders)
        write_file(path + b".lock", b"V\t2\n\n" + names, account.owner, 0o600)
        os.rename(path + b".lock", path)
        self._note("subscribe", path)
        return True

    def make_folder(self, account: Account) -> bool:
        if len(account.folders) > 12:
            return False
        self.counter += 1
        path = os.path.join(account.path, b".Made%d" % self.counter)
        make_maildir(path, account.owner)
        folder = account.folders[path] = Folder(path)
        self._note("make_folder", path)
        for _ in range(self.rng.randint(0, 3)):
            self.deliver(account, folder)
        return True

    def _made(self, account: Account):
        made = [path for path in account.folders if os.path.basename(path).startswith(b".Made")]
        return account.folders[self.rng.choice(made)] if made else None

    def rename_folder(self, account: Account) -> bool:
        folder = self._made(account)
        if not folder:
            return False
        self.counter += 1
        old, new = folder.path, os.path.join(account.path, b".Made%d" % self.counter)
        os.rename(old, new)
        folder.path = new
        account.folders[new] = account.folders.pop(old)
        self._note("rename_folder", old, new)
        return True

    def remove_folder(self, account: Account) -> bool:
        folder = self._made(account)
        if not folder or len(folder.messages) > 8:
            return False
        for name in list(folder.messages):
            os.unlink(self._path(folder, name))
        for directory, directories, files in os.walk(folder.path, topdown=False):
            for name in files:
                os.unlink(os.path.join(directory, name))
            for name in directories:
                os.rmdir(os.path.join(directory, name))
        os.rmdir(folder.path)
        del account.folders[folder.path]
        self._note("remove_folder", folder.path)
        return True
