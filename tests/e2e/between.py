"""Stands between agent and receiver with the keys of both, and changes what they say."""

import socket
import ssl
import threading

from network import connect, field, frame, read_frame


class Between:
    """The agent connects to `lab.agent.port`, which the test has set to a free one. Subclasses say what becomes of a frame."""

    def __init__(self, lab):
        self.lab = lab
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", lab.agent.port))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(lab.receiver.identity.certificate, lab.receiver.identity.key)
        self._ends: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def changed(self, header: dict[int, list]) -> bytes:
        """The header of a frame as it goes on."""
        return b"".join(field(kind, self.changed_message(kind, message)) for kind, messages in header.items() for message in messages)

    def changed_message(self, kind: int, message: bytes) -> bytes:
        return message

    def forward(self, header: dict[int, list], payload: bytes, target: socket.socket) -> None:
        target.sendall(frame(self.changed(header), payload))

    def close(self) -> None:
        self._end(*self._ends)

    def _accept(self) -> None:
        try:
            while True:
                agent = self._context.wrap_socket(self._listener.accept()[0], server_side=True)
                receiver = connect(self.lab.receiver.port, self.lab.agent.identity.certificate, self.lab.agent.identity.key)
                receiver.settimeout(None)
                self._ends += [agent, receiver]
                self.connections += 1
                for source, target in ((agent, receiver), (receiver, agent)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()
        except OSError:
            pass  # closed

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while True:
                self.forward(*read_frame(source), target)
        except (EOFError, OSError, ValueError):
            self._end(source, target)

    @staticmethod
    def _end(*sockets: socket.socket) -> None:
        for end in sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
