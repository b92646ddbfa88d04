"""What happens to the names in some Maildir folders, seen by inotify in the order in which it happened.

    with FolderWatch([inbox, work]) as watch:
        ...
    watch.ahead    # messages that an uidlist named before they were there
    watch.gaps     # messages that were in none of the folders for a moment, and in one again later

Neither finding can be wrong by the watcher's own delay: an uidlist is read first, then all events that happened before the
reading are taken in; what has not arrived by then, and arrives later, was named too early.
"""

import ctypes
import os
import select
import struct
import threading

IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
IN_Q_OVERFLOW = 0x4000
NAMES = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
UIDLIST = b"dovecot-uidlist"
HEADER = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """A thread that follows cur/, new/ and the uidlist of each folder; the folders exist already."""

    def __init__(self, folders):
        self.folders = [os.fsencode(folder) for folder in folders]
        self.versions = 0  # uidlists read
        self.ahead: list[str] = []
        self.gaps: list[str] = []
        self.error: BaseException | None = None
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._watches: dict[int, tuple[bytes, bool]] = {}  # watch → folder, whether it is an area
        self._present: dict[bytes, dict[bytes, int]] = {folder: {} for folder in self.folders}  # base → number of names
        self._ever: dict[bytes, set[bytes]] = {folder: set() for folder in self.folders}
        self._named: dict[bytes, dict[bytes, int]] = {folder: {} for folder in self.folders}  # missing base → version
        self._gone: dict[bytes, str] = {}  # base that is in no folder now → where it was last
        self._changed: set[bytes] = set()  # folders whose uidlist is to be read
        self._moving: dict[int, tuple[bytes, bytes]] = {}  # cookie of half a rename → folder, base
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder watch", daemon=True)

    def __enter__(self) -> "FolderWatch":
        for folder in self.folders:
            self._watch(folder, NAMES | IN_MODIFY | IN_CLOSE_WRITE, folder, False)
            for area in (b"cur", b"new"):
                self._watch(os.path.join(folder, area), NAMES, folder, True)
                for name in os.listdir(os.path.join(folder, area)):
                    self._add(folder, _base(name), told=False)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._descriptor)
        if self.error:
            raise self.error

    def _watch(self, path: bytes, mask: int, folder: bytes, is_area: bool) -> None:
        number = _libc.inotify_add_watch(self._descriptor, path, mask)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", path)
        self._watches[number] = (folder, is_area)

    # -- events

    def _run(self) -> None:
        try:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            while True:
                last = self._stop.is_set()
                if poll.poll(50):
                    self._drain()
                while self._changed:
                    self._read_uidlist(self._changed.pop())
                if last:
                    break
        except BaseException as error:
            self.error = error

    def _drain(self) -> None:
        """Takes in all that has happened until now."""
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                # The kernel puts the two events of a rename into the queue one after the other: the second may be missing still.
                if self._moving and select.select([self._descriptor], [], [], 0.5)[0]:
                    continue
                break
            position = 0
            while position < len(data):
                number, mask, cookie, size = HEADER.unpack_from(data, position)
                position += HEADER.size
                name = data[position : position + size].rstrip(b"\0")
                position += size
                if mask & IN_Q_OVERFLOW:
                    raise RuntimeError("the watcher itself lost events")
                self._take(*self._watches[number], mask, cookie, name)
        self._finish_moves()

    def _take(self, folder: bytes, is_area: bool, mask: int, cookie: int, name: bytes) -> None:
        if not is_area:
            if name == UIDLIST and not mask & (IN_DELETE | IN_MOVED_FROM):
                self._changed.add(folder)
            return
        base = _base(name)
        if mask & IN_MOVED_TO and cookie in self._moving:
            # A rename is one step: the new name first, so that nothing seems to be missing between the two events.
            left = self._moving.pop(cookie)
            self._add(folder, base)
            self._remove(*left)
            return
        # Another thread's events may come between the two of a rename, but none of the same message.
        self._finish_moves(base)
        if mask & (IN_MOVED_TO | IN_CREATE):
            self._add(folder, base)
        elif mask & IN_MOVED_FROM:
            self._moving[cookie] = (folder, base)
        elif mask & IN_DELETE:
            self._remove(folder, base)

    def _finish_moves(self, base: bytes | None = None) -> None:
        """Half a rename of which the other half does not come led out of the folders."""
        for cookie, (folder, moved) in list(self._moving.items()):
            if base in (None, moved):
                del self._moving[cookie]
                self._remove(folder, moved)

    # -- what follows from them

    def _add(self, folder: bytes, base: bytes, told: bool = True) -> None:
        self._present[folder][base] = self._present[folder].get(base, 0) + 1
        if base in self._gone:
            self.gaps.append(f"{base.decode()} left {self._gone.pop(base)} before it came to {os.fsdecode(folder)}")
        if base not in self._ever[folder]:
            self._ever[folder].add(base)
            version = self._named[folder].pop(base, None)
            if told and version is not None:
                self.ahead.append(f"{os.fsdecode(folder)}: {base.decode()} arrived after version {version} of the uidlist named it")

    def _remove(self, folder: bytes, base: bytes) -> None:
        left = self._present[folder].get(base, 0) - 1
        if left > 0:
            self._present[folder][base] = left
            return
        self._present[folder].pop(base, None)
        if not any(base in present for present in self._present.values()):
            self._gone[base] = os.fsdecode(folder)

    def _read_uidlist(self, folder: bytes) -> None:
        try:
            with open(os.path.join(folder, UIDLIST), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return
        self._drain()
        self.versions += 1
        for line in content.splitlines()[1:]:
            base = line.partition(b" :")[2]
            if base and base not in self._ever[folder]:
                # Harmless when the message was expunged before it was sent: then it never comes.
                self._named[folder].setdefault(base, self.versions)


def _base(name: bytes) -> bytes:
    return name.partition(b":2,")[0]
