"""A client of the receiver that has a valid key and says what it likes.

    client = Client(port, identity)                 # TLS 1.3 with that key; trusts anybody
    client.hello()                                  # the receiver's Hello
    client.open_account("vhosts", "example.org/user/Maildir")
    done = client.put("cur/1.x:2,S", b"body")       # waits for the acknowledgement
    done.code                                       # 0, or the ErrorCode's number; done.detail says why
    client.symlink("cur/2.x:2,", "/etc/passwd")
    client.operation("rename", from_="cur/1.x:2,S", to="cur/1.x:2,", result={...}, wait=False)
    client.list("vhosts", "example.org/user/Maildir")

Everything is made of send() and read(), which take and give whole frames.
"""

import ctypes
import ctypes.util
import dataclasses
import itertools
import os
import select
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

import wire  # noqa: E402

KINDS = ("make_folder", "rename_folder", "put", "put_control", "link", "rename", "remove", "set_attributes", "remove_folder")
AREAS = {b"cur": 1, b"new": 2}
FILE, SYMLINK = 0, 1
STAMP = 1_700_000_000_000_000_000
PIECE = 128 * 1024
OWNER = (5000, 5000)
#: ErrorCode numbers by their words, as far as tests name them (common/os/result.h).
CODES = {
    "io": 1, "vanished": 2, "permission": 3, "no-space": 4, "bad-name": 5, "exists": 6, "changed-while-read": 7, "unmapped-owner": 8,
    "unexpected": 9, "basis-mismatch": 10, "not-empty": 11, "special-file": 12, "postponed": 13, "protocol": 14, "tls": 15,
    "too-big": 17, "cancelled": 18, "conflict": 21, "root-gone": 24, "foreign-owner": 34,
}  # fmt: skip


class _Hash(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
_xxhash.XXH3_128bits.restype = _Hash
_xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def digest(body: bytes) -> bytes:
    """XXH3-128, as the wire has it."""
    found = _xxhash.XXH3_128bits(body, len(body))
    return struct.pack(">QQ", found.high, found.low)


def location(path: str | bytes) -> dict:
    """The Location of a path below the account: "cur/1.x", ".Sent/new/2.x", "dovecot-uidlist", ".Sent" (a control file's)."""
    directory, _, name = os.fsencode(path).rpartition(b"/")
    folder, _, area = directory.rpartition(b"/")
    return {"folder": folder, "area": AREAS[area], "name": name} if area in AREAS else {"folder": directory, "area": 0, "name": name}


def folder_location(path: str | bytes) -> dict:
    return {"folder": os.fsencode(path), "area": 0, "name": b""}


def entry(at: dict, *, size=0, mtime=STAMP, mode=0o600, owner=OWNER, kind=FILE, target=b"", **more) -> dict:
    attributes = {"mode": mode, "uid": owner[0], "gid": owner[1]}
    return {"area": at["area"], "kind": kind, "name": at["name"], "size": size, "mtime": mtime, "attributes": attributes, "target": os.fsencode(target), **more}


@dataclasses.dataclass
class Done:
    """What became of an operation. `code` 0: durable."""

    sequence: int
    code: int = 0
    detail: str = ""
    renamed: bytes = b""  # a conflict: the name that it got
    lesser_mode: int | None = None

    def __bool__(self) -> bool:
        return self.code == 0


class Client:
    """One connection. Ends with the test that made it (see HostileTest.client)."""

    def __init__(self, port: int, identity, *, limit: float = 30, receive_buffer: int | None = None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(identity.certificate, identity.key)
        plain = socket.socket()
        plain.settimeout(limit)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect(("127.0.0.1", port))
        self.stream = context.wrap_socket(plain)
        self._sequence = itertools.count(1)
        self._question = itertools.count(1)
        self._turn = itertools.count(1)
        self._done: dict[int, Done] = {}
        self._acknowledged = 0
        self.other: list[tuple[dict, bytes]] = []  # frames that came while something else was waited for
        self._received = b""  # what came while something was sent

    # -- frames

    def send(self, header: dict | bytes, payload: bytes = b"") -> None:
        """Any frame: a Header as a dictionary, or its bytes."""
        self.send_bytes(self.frame(header, payload))

    @staticmethod
    def frame(header: dict | bytes, payload: bytes = b"") -> bytes:
        header = header if isinstance(header, bytes) else wire.encode("Header", header)
        return struct.pack("<II", len(header), len(payload)) + header + payload

    def send_bytes(self, data: bytes) -> None:
        self.stream.sendall(data)

    def send_bytes_while_reading(self, data: bytes) -> None:
        """For more than a peer takes that waits for its answers to be read. In one thread: a TLS connection is not to be
        used by two at once."""
        limit = self.stream.gettimeout()
        self.stream.setblocking(False)
        try:
            while data:
                try:
                    data = data[self.stream.send(data[:PIECE]) :]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    if select.select([self.stream], [self.stream], [], limit) == ([], [], []):
                        raise TimeoutError("the peer neither takes nor answers") from None
                try:
                    self._received += self.stream.recv(PIECE)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
        finally:
            self.stream.settimeout(limit)

    def read(self) -> tuple[dict, bytes]:
        """The next frame; EOFError when the receiver ended the connection."""
        header_size, payload_size = struct.unpack("<II", self._exactly(8))
        return wire.decode("Header", self._exactly(header_size)), self._exactly(payload_size)

    def _exactly(self, size: int) -> bytes:
        data, self._received = self._received[:size], self._received[size:]
        while len(data) < size:
            try:
                piece = self.stream.recv(size - len(data))
            except (ConnectionError, ssl.SSLError) as error:
                raise EOFError(f"the connection ended: {error}") from None
            if not piece:
                raise EOFError(f"the connection ended after {len(data)} of {size} bytes")
            data += piece
        return data

    def read_until(self, *kinds: str) -> tuple[str, dict]:
        """The next frame of one of these kinds; acknowledgements are taken down, others kept in `other`."""
        while True:
            header, payload = self.read()
            kind = next(iter(header))
            if kind == "ack":
                self._take(header["ack"])
            if kind in kinds:
                return kind, header[kind]
            if kind == "goodbye":
                raise EOFError("the receiver says goodbye: " + header["goodbye"].get("sentence", b"").decode(errors="backslashreplace"))
            if kind not in ("ack", "pong"):
                self.other.append((header, payload))

    def said(self) -> str:
        """Reads to the end of the connection: the sentences of refusals and goodbyes."""
        sentences = []
        try:
            while True:
                header, _ = self.read()
                sentences.append(header.get("hello", {}).get("refusal", ""))
                sentences.append(header.get("goodbye", {}).get("sentence", b"").decode(errors="backslashreplace"))
        except (EOFError, OSError):
            return " ".join(sentence for sentence in sentences if sentence)

    def close(self) -> None:
        self.stream.close()

    # -- what an agent says

    def hello(self, *, wait: bool = True, **fields) -> dict:
        values = {"version": 1, "software": "hostile", "host": "localhost", "instance": bytes(range(16)), "roots": ["vhosts"], "session": 42, **fields}
        self.send({"hello": values})
        return self.read_until("hello")[1] if wait else {}

    def names(self, users: dict | None = None, groups: dict | None = None) -> None:
        ids = lambda known: [{"id": number, "name": name} for number, name in (known or {}).items()]
        self.send({"names": {"users": ids(users), "groups": ids(groups)}})

    def open_account(self, root: str, account: str | bytes, *, parents=(), turn: int | None = None, **more) -> None:
        """`parents`: (mode, uid, gid) of each directory from the root down."""
        attributes = [{"mode": mode, "uid": uid, "gid": gid} for mode, uid, gid in parents]
        self.send({"open_account": {"root": root, "account": account, "parents": attributes, "turn": next(self._turn) if turn is None else turn, **more}})

    def operation(self, kind: str | int, *, body: bytes | None = None, wait: bool = True, from_=None, to=None, pieces: int = PIECE, **fields):
        """One operation. Paths are below the account; `result`, `expected` and `folder` are messages. With a body the
        digest is the right one unless the result has its own. Gives the Done, or with wait=False its number."""
        sequence = next(self._sequence)
        values = {"sequence": sequence, "kind": kind if isinstance(kind, int) else KINDS.index(kind) + 1}
        for name, path in (("from", from_), ("to", to)):
            if path is not None:
                values[name] = path if isinstance(path, dict) else location(path)
        values.update(fields)
        body = body or b""
        rest = body[pieces:]
        known = values.get("result", {}).get("digest", digest(body) if body or values["kind"] in (3, 4) else b"")
        if "result" in values and values["result"].get("kind", FILE) == FILE and known and not rest:
            values["result"] = {**values["result"], "digest": known}
        if rest:
            values["more"] = 1
        self.send({"operation": values}, body[:pieces])
        while rest:
            piece, rest = rest[:pieces], rest[pieces:]
            self.send({"body": {"last": 0 if rest else 1, "digest": b"" if rest else known}}, piece)
        return self.wait(sequence) if wait else sequence

    def put(self, path: str | bytes, body: bytes = b"", *, kind: str = "put", wait: bool = True, expected: dict | None = None, **attributes):
        """A message or, with kind="put_control", a control file. `attributes` as entry() has them."""
        at = location(path)
        more = {"expected": expected} if expected else {}
        return self.operation(kind, to=at, body=body, wait=wait, result=entry(at, **{"size": len(body), **attributes}), **more)

    def symlink(self, path: str | bytes, target: str | bytes, *, kind: str = "put", wait: bool = True, **attributes):
        at = location(path)
        return self.operation(kind, to=at, wait=wait, result=entry(at, kind=SYMLINK, target=target, size=len(os.fsencode(target)), mode=0o777, **attributes))

    def rename(self, from_: str | bytes, to: str | bytes, *, kind: str = "rename", wait: bool = True, **attributes):
        """With kind="link", a hard link. `attributes` are those that the file is said to have: size, mtime, mode, owner."""
        return self.operation(kind, from_=from_, to=to, wait=wait, result=entry(location(to), **attributes))

    def remove(self, path: str | bytes, *, wait: bool = True, **attributes):
        at = location(path)
        return self.operation("remove", from_=at, wait=wait, expected=entry(at, **attributes))

    def make_folder(self, path: str | bytes = "", *, mode: int = 0o700, owner=OWNER, maildir: bool = True, wait: bool = True):
        self_ = {"mode": mode, "uid": owner[0], "gid": owner[1]}
        shape = {"self": self_, **({"cur": self_, "new": self_, "tmp": self_} if maildir else {})}
        return self.operation("make_folder", to=folder_location(path), folder=shape, wait=wait)

    def wait(self, sequence: int) -> Done:
        """The acknowledgement of an operation."""
        while self._acknowledged < sequence:
            self.read_until("ack")
        return self._done.get(sequence, Done(sequence))

    def _take(self, ack: dict) -> None:
        for failed in ack.get("failed", []):
            self._done[failed["sequence"]] = Done(failed["sequence"], failed.get("code", 0), failed.get("detail", b"").decode(errors="backslashreplace"))
        for renamed in ack.get("renamed", []):
            self._done[renamed["sequence"]] = Done(renamed["sequence"], renamed=renamed["name"], detail=renamed.get("detail", b"").decode(errors="backslashreplace"))
        for lesser in ack.get("lesser_modes", []):
            self._done.setdefault(lesser["sequence"], Done(lesser["sequence"])).lesser_mode = lesser["mode"]
        self._acknowledged = max(self._acknowledged, ack.get("sequence", 0))

    # -- questions

    def ask_list(self, root: str, account: str | bytes, **fields) -> int:
        """Asks and does not wait; the question's number."""
        number, frame = self.list_question(root, account, **fields)
        self.send_bytes(frame)
        return number

    def list_question(self, root: str, account: str | bytes, **fields) -> tuple[int, bytes]:
        """The question's number and its frame."""
        number = next(self._question)
        return number, self.frame({"list": {"id": number, "root": root, "account": account, "looks_only": 1, **fields}})

    def list(self, root: str, account: str | bytes, **fields) -> "Listing":
        number, listing = self.ask_list(root, account, **fields), Listing()
        while True:
            _, part = self.read_until("listing")
            if part.get("id", 0) != number:
                continue
            listing.exists |= bool(part.get("exists"))
            for folder in part.get("folders", []):
                for one in folder.get("entries", []):
                    area = {0: b"", 1: b"cur", 2: b"new"}[one.get("area", 0)]
                    listing.entries[b"/".join(step for step in (folder.get("path", b""), area, one["name"]) if step)] = one
            listing.accounts += part.get("accounts", [])
            if part.get("last"):
                listing.code, listing.detail = part.get("error", 0), part.get("detail", b"").decode(errors="backslashreplace")
                return listing

    def map_owners(self, root: str, owners) -> dict:
        """`owners`: (uid, gid) each; the MappedOwners."""
        number = next(self._question)
        self.send({"map_owners": {"id": number, "root": root, "owners": [{"uid": uid, "gid": gid} for uid, gid in owners]}})
        return self.read_until("mapped_owners")[1]

    def ping(self) -> None:
        """Once it is answered, all that was said before has been read (not: done)."""
        self.send({"ping": {"number": 7}})
        while next(iter(self.read()[0])) != "pong":
            pass


@dataclasses.dataclass
class Listing:
    exists: bool = False
    entries: dict = dataclasses.field(default_factory=dict)  # path below the account → Entry
    accounts: list = dataclasses.field(default_factory=list)
    code: int = 0
    detail: str = ""
