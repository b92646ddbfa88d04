"""A disk with a volatile cache, served by NBD on a Unix socket: what was written and not flushed is kept apart, and a cut
drops it, all of it or a part chosen by a seed, as a disk may have written any of it already."""

import mmap
import os
import random
import socket
import struct
import threading
import time

SECTOR = 4096
OPTION_MAGIC, REPLY_MAGIC = 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
EXPORT_NAME, ABORT, INFO, GO = 1, 2, 6, 7
ACK, REP_INFO, UNSUPPORTED = 1, 3, 0x80000001
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
FUA = 1
TRANSMISSION = 1 | 4 | 8  # has flags, takes FLUSH and FUA
EINVAL = 22


class LossyDisk:
    """`path` is the image; it is changed in place. `lies`: flushes are answered and not done, and what was written reaches
    the disk by itself after `lag` seconds, as in a cache that is written back now and then."""

    def __init__(self, path, *, lies=False, lag=20.0):
        self.path, self.lies, self.lag = path, lies, lag
        self.size = os.path.getsize(path)
        self._lock = threading.Lock()
        self._file = open(path, "r+b")
        self._seen = mmap.mmap(self._file.fileno(), self.size)  # what reads see
        self._kept_file = open(path + ".kept", "w+b")
        os.truncate(path + ".kept", self.size)
        self._kept = mmap.mmap(self._kept_file.fileno(), self.size)  # what a cut leaves
        self._copy_image()
        self._pending = []  # (time, offset, bytes), in order
        self._stale = []  # (offset, length): seen otherwise than kept, since the cut
        self._is_cut = False
        self.flushes = self.writes = self.dropped = 0

    def _copy_image(self):
        for data, hole in self._extents():
            self._kept[data:hole] = self._seen[data:hole]

    def _extents(self):
        end = 0
        while end < self.size:
            try:
                start = os.lseek(self._file.fileno(), end, os.SEEK_DATA)
            except OSError:  # a hole up to the end
                return
            end = os.lseek(self._file.fileno(), start, os.SEEK_HOLE)
            yield start, end

    def read(self, offset, length):
        with self._lock:
            return self._seen[offset : offset + length]

    def write(self, offset, data, fua):
        with self._lock:
            self.writes += 1
            self._seen[offset : offset + len(data)] = data
            if self._is_cut:
                self._stale.append((offset, len(data)))
                return
            if fua and not self.lies:
                self._kept[offset : offset + len(data)] = data
            self._pending.append((time.monotonic(), offset, data))
            if self.lies:
                self._write_back()

    def _write_back(self):
        old = time.monotonic() - self.lag
        while self._pending and self._pending[0][0] < old:
            _, offset, data = self._pending.pop(0)
            self._kept[offset : offset + len(data)] = data

    def flush(self):
        with self._lock:
            self.flushes += 1
            if self.lies or self._is_cut:
                return
            for _, offset, data in self._pending:
                self._kept[offset : offset + len(data)] = data
            self._pending = []

    def cut(self, chosen, keep):
        """From now on nothing reaches the disk, though everything is answered. Of what was not flushed each sector stays
        with the probability `keep`, by `chosen`, a random.Random."""
        with self._lock:
            self._is_cut = True
            for _, offset, data in self._pending:
                self._stale.append((offset, len(data)))
                for start in range(0, len(data), SECTOR):
                    if chosen.random() < keep:
                        self._kept[offset + start : offset + start + len(data[start : start + SECTOR])] = data[
                            start : start + SECTOR
                        ]
                    else:
                        self.dropped += 1
            self._pending = []

    def power_on(self):
        """Shows what the cut has left. Nobody may have the old content in a cache."""
        with self._lock:
            for offset, length in self._stale:
                self._seen[offset : offset + length] = self._kept[offset : offset + length]
            self._stale = []
            self._is_cut = False

    def close(self):
        for thing in (self._seen, self._kept, self._file, self._kept_file):
            thing.close()


class DiskServer:
    """Serves disks by name, each connection on a thread of its own."""

    def __init__(self, socket_path, disks):
        self.disks = disks
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(socket_path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rwb", buffering=1 << 20) as stream:
            try:
                disk = self._negotiate(stream)
                while disk and self._answer(stream, disk):
                    pass
            except (EOFError, OSError, ValueError):
                pass  # the machine was killed

    @staticmethod
    def _take(stream, size):
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _negotiate(self, stream):
        stream.write(b"NBDMAGIC" + struct.pack(">QH", OPTION_MAGIC, 1))
        stream.flush()
        self._take(stream, 4)
        while True:
            _, option, length = struct.unpack(">QII", self._take(stream, 16))
            body = self._take(stream, length)
            if option == EXPORT_NAME:
                disk = self.disks[body.decode()]
                stream.write(struct.pack(">QH", disk.size, TRANSMISSION) + bytes(124))
                stream.flush()
                return disk
            if option in (INFO, GO):
                (name_length,) = struct.unpack(">I", body[:4])
                disk = self.disks[body[4 : 4 + name_length].decode()]
                self._reply(stream, option, REP_INFO, struct.pack(">HQH", 0, disk.size, TRANSMISSION))
                self._reply(stream, option, ACK, b"")
                if option == GO:
                    return disk
                continue
            self._reply(stream, option, ACK if option == ABORT else UNSUPPORTED, b"")
            if option == ABORT:
                return None

    @staticmethod
    def _reply(stream, option, kind, body):
        stream.write(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(body)) + body)
        stream.flush()

    def _answer(self, stream, disk):
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", self._take(stream, 28))
        if magic != REQUEST_MAGIC or kind == DISCONNECT:
            return False
        error, body = 0, b""
        if kind == READ:
            body = disk.read(offset, length)
        elif kind == WRITE:
            disk.write(offset, self._take(stream, length), flags & FUA)
        elif kind == FLUSH:
            disk.flush()
        else:
            error = EINVAL
        stream.write(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, error, handle) + body)
        stream.flush()
        return True


def seeded(seed, *what):
    return random.Random("/".join(map(str, (seed, *what))))
