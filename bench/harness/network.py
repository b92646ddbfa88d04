"""The wire that all tools share, and an ssh server of our own for those that want one."""

import dataclasses
import os
import shutil
import signal
import subprocess
import time

from maildirsync_testing import free_port

from .measure import children_of, cpu_of
from .programs import program


@dataclasses.dataclass(frozen=True)
class Line:
    """How long and wide the wire is; 0: as loopback is."""

    round_trip: float = 0  # milliseconds
    rate: float = 0  # Mbit/s

    def __str__(self) -> str:
        return f"{self.round_trip:g} ms, {self.rate:g} Mbit/s" if self.rate or self.round_trip else ""


class Link:
    """bench-link in front of a port."""

    def __init__(self, to: int, line: Line):
        self.port = free_port()
        self._process = subprocess.Popen(
            [program("bench-link"), "--listen", str(self.port), "--to", str(to)]
            + ["--round-trip", str(line.round_trip), "--rate", str(line.rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.bytes()  # answers once it listens

    def bytes(self) -> int:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return sum(int(count) for count in self._process.stdout.readline().split())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class SshServer:
    """sshd with keys, a port and a configuration of its own; nothing of the user's is read or written."""

    def __init__(self, directory: str):
        self.port = free_port()
        self._directory = directory
        os.makedirs(directory, mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._path(name)], check=True)
        shutil.copy(self._path("user.pub"), self._path("authorized_keys"))
        with open(self._path("config"), "w", encoding="utf-8") as file:
            file.write(
                f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self._path('host')}\nPidFile none\n"
                f"AuthorizedKeysFile {self._path('authorized_keys')}\nStrictModes no\nUsePAM no\n"
                "PasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\nLogLevel ERROR\n"
            )
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where it wants to be able to chroot to
        self._process = subprocess.Popen(
            [shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ["PATH"]), "-D", "-e", "-f", self._path("config")],
            stdin=subprocess.DEVNULL,
            stderr=open(self._path("log"), "wb"),
        )
        self.pid = self._process.pid

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    @property
    def key(self) -> str:
        return self._path("user")

    def client(self, port: int) -> list[str]:
        """The ssh command for a link in front of this server."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "LogLevel=ERROR", "BatchMode=yes"]
        return ["ssh", "-F", "none", "-p", str(port), "-i", self.key, *(word for option in options for word in ("-o", option))]

    def cpu(self) -> float:
        """Seconds of all sessions so far; waits until they have ended."""
        end = time.monotonic() + 10
        while children_of({self.pid}) and time.monotonic() < end:
            time.sleep(0.01)
        return cpu_of(self.pid)

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
