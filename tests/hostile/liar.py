"""A receiver that lies: between an agent and a real receiver, with the keys of both, so that it reads and changes frames.

The agent must not compress (`[transfer] compression = "off"`), so that its operations are frames of their own.
"""

import select
import socket
import ssl
import struct
import threading

import wire


class Liar:
    """`to_receiver(header)` and `to_agent(header)` give the header that is passed on, or None to drop the frame."""

    def __init__(self, receiver, agent):
        self.to_receiver = self.to_agent = lambda header: header
        self._port, self._agent = receiver.port, agent.identity
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(receiver.identity.certificate, receiver.identity.key)
        self._open: list = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            # The agent wants a client certificate to be asked for; whatever it shows is taken.
            agent = self._context.wrap_socket(plain, server_side=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.load_cert_chain(self._agent.certificate, self._agent.key)
            receiver = context.wrap_socket(socket.create_connection(("127.0.0.1", self._port)))
        except (OSError, ssl.SSLError):
            return
        self._open += [agent, receiver]
        try:
            self._pass_on(agent, receiver)
        except (OSError, ssl.SSLError, EOFError, ValueError):
            pass
        for end in (agent, receiver):
            end.close()

    def _pass_on(self, agent, receiver):
        """One thread, for an SSL stream is not to be read and written by two."""
        ways = {agent: (receiver, bytearray(), lambda header: self.to_receiver(header)), receiver: (agent, bytearray(), lambda header: self.to_agent(header))}
        while True:
            if not any(end.pending() for end in ways):
                select.select(list(ways), [], [])
            for source, (target, data, change) in ways.items():
                source.setblocking(False)
                try:
                    if not (piece := source.recv(65536)):
                        return
                    data += piece
                except (ssl.SSLWantReadError, BlockingIOError):
                    pass
                source.setblocking(True)
                for frame in self._frames(data, change):
                    target.sendall(frame)

    @staticmethod
    def _frames(data: bytearray, change):
        while len(data) >= 8:
            header_size, payload_size = struct.unpack_from("<II", data)
            end = 8 + header_size + payload_size
            if len(data) < end:
                return
            raw, payload = bytes(data[8 : 8 + header_size]), bytes(data[8 + header_size : end])
            del data[:end]
            before = wire.decode("Header", raw)
            after = change(before)
            if after is not None:
                raw = raw if after is before else wire.encode("Header", after)
                yield struct.pack("<II", len(raw), len(payload)) + raw + payload

    def close(self):
        self._listener.close()
        for end in self._open:
            end.close()
