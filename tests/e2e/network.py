"""Between agent and receiver: a proxy that delays and cuts, and a client that speaks the protocol by hand."""

import random
import socket
import ssl
import struct
import threading
import time

from wire import field, fields


class Proxy:
    """Forwards loopback connections to `port`; cuts them when told, or after a random number of bytes."""

    def __init__(self, listen_port: int, port: int, *, delay: float = 0, seed: int = 1):
        self.port, self.delay = port, delay
        self.cut_after: tuple[int, int] | None = None  # a connection lives for so many bytes, chosen between the two
        self.cuts = 0
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._refusing = False
        self._listener = socket.create_server(("127.0.0.1", listen_port), reuse_port=False)
        self._listener.settimeout(0.2)
        self._closed = threading.Event()
        self._thread(self._accept)

    def _thread(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.settimeout(None)
            with self._lock:
                self._connections |= {client, server}
                left = [self._rng.randint(*self.cut_after)] if self.cut_after else [None]
            self._thread(self._pump, client, server, left)
            self._thread(self._pump, server, client, left)

    def _pump(self, source: socket.socket, target: socket.socket, left: list) -> None:
        try:
            while data := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                if left[0] is not None:
                    data = data[: max(0, left[0])]
                    left[0] -= len(data)
                if data:
                    target.sendall(data)
                if left[0] is not None and left[0] <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for end in (source, target):
            self._cut(end)

    def _cut(self, end: socket.socket) -> None:
        with self._lock:
            known = end in self._connections
            self._connections.discard(end)
        if known:
            try:
                # Half of the cuts are resets, half are orderly ends.
                if self._rng.random() < 0.5:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self) -> None:
        """Ends all present connections."""
        with self._lock:
            ends = list(self._connections)
        self.cuts += bool(ends)
        for end in ends:
            self._cut(end)

    def refuse(self, refusing: bool) -> None:
        """While refusing, the present connections end and new ones are closed at once."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)


# ---------------------------------------------------------------------------------------------------------------------
# The protocol by hand (common/wire/protocol.proto, common/wire/frame.h)


HEADER_HELLO, HEADER_GOODBYE = 1, 13
HELLO_REFUSAL, GOODBYE_SENTENCE = 6, 2


def hello(version: int, roots=("vhosts",)) -> bytes:
    """A Header with the agent's Hello."""
    body = field(1, version) + field(2, "test") + field(3, "localhost") + field(4, bytes(range(16)))
    body += b"".join(field(5, root) for root in roots) + field(7, 42)
    return field(HEADER_HELLO, body)


def frame(header: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<II", len(header), len(payload)) + header + payload


def connect(port: int, certificate: str, key: str, *, newest: bool = True) -> ssl.SSLSocket:
    """A TLS connection with that identity that trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30))


def read_exactly(stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = stream.recv(size - len(data))
        if not piece:
            raise EOFError(f"the connection ended after {len(data)} of {size} bytes")
        data += piece
    return data


def read_frame(stream) -> tuple[dict[int, list], bytes]:
    """The next frame: the Header's fields, and the payload."""
    header_size, payload_size = struct.unpack("<II", read_exactly(stream, 8))
    return fields(read_exactly(stream, header_size)), read_exactly(stream, payload_size)


def ended(stream) -> bool:
    """Reads to the end of the connection; False when the peer keeps it open for the socket's time limit."""
    try:
        while stream.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def sentences(stream) -> str:
    """What the peer says before it ends the connection: refusals and goodbyes."""
    said = []
    try:
        while True:
            header, _ = read_frame(stream)
            for message in header.get(HEADER_HELLO, []):
                said += fields(message).get(HELLO_REFUSAL, [])
            for message in header.get(HEADER_GOODBYE, []):
                said += fields(message).get(GOODBYE_SENTENCE, [])
    except (EOFError, OSError):
        return b" ".join(said).decode()
