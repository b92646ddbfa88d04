"""What administrators use today, each driven as its manual says."""

import os
import shlex
import shutil
import subprocess
import time

from maildirsync_testing import wait_until

from .measure import Measurement, MemoryWatch, cpu_of, run_and_wait
from .network import Line, Link, SshServer
from .programs import make_anew


SLOW = 600  # seconds until a peer that takes minutes is given up


class Peer:
    """Copies a source to its own destination through its own link to the ssh server."""

    name = ""
    programs: tuple[str, ...] = ()
    durable = False
    limit = 0  # seconds until it is given up

    def __init__(self, ssh: SshServer, source: str, destination: str, line: Line = Line()):
        self.source, self.destination = source, destination
        self._ssh = ssh
        self._link = Link(self.port(), line)
        self._client = self._ssh.client(self._link.port)
        self.reset()

    def port(self) -> int:
        """Of the server that the link leads to."""
        return self._ssh.port

    @classmethod
    def missing(cls) -> str:
        """The program that is not installed."""
        return next((name for name in cls.programs if not shutil.which(name)), "")

    def command(self) -> list[str]:
        raise NotImplementedError

    def reset(self) -> None:
        make_anew(self.destination)

    def copy(self) -> Measurement:
        os.sync()
        cpu, wire = self._ssh.cpu(), self._link.bytes()
        memory = MemoryWatch(source=os.getpid(), destination=self._ssh.pid)
        status, wall, cpu_source, _ = run_and_wait(self.command(), limit=self.limit, stdout=subprocess.DEVNULL)
        peaks = {name: peak for name, peak in memory.stop().items() if not any(other in name for other in ("python", "bench-", "maildirsync"))}
        problem = f"exit {status}" if status else ""
        if status and self.limit and wall >= self.limit:
            problem = f"not done after {self.limit} s"
        return Measurement(
            self.name, wall, cpu_source, self._ssh.cpu() - cpu, self._link.bytes() - wire, peaks, self.durable, problem=problem
        )

    def close(self) -> None:
        self._link.close()


class Rsync(Peer):
    name = "rsync -az --zc=zstd"
    programs = ("rsync", "ssh")
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        options = ["-az", "--zc=zstd", "--delete", *self.options, "-e", shlex.join(self._client)]
        return ["rsync", *options, self.source + "/", f"127.0.0.1:{self.destination}/"]


class RsyncFsync(Rsync):
    name = "rsync --fsync"
    options = ("--fsync",)
    durable = True


class RsyncFuzzy(Rsync):
    """Looks for a renamed file among those that are to be deleted."""

    name = "rsync --fuzzy"
    options = ("--fuzzy", "--delete-after")


class RsyncCompare(Rsync):
    """Says what differs; over a copy that is there."""

    name = "rsync -na"
    options: tuple[str, ...] = ("--dry-run",)

    def reset(self) -> None:
        pass


class RsyncCompareBytes(RsyncCompare):
    name = "rsync -nac"
    options = ("--dry-run", "--checksum")


class Tar(Peer):
    name = "tar, zstd, ssh, tar"
    programs = ("tar", "zstd", "ssh")

    def command(self) -> list[str]:
        far = f"zstd -dq | tar -C {shlex.quote(self.destination)} -xpf -"
        near = f"tar -C {shlex.quote(self.source)} -cf - . | zstd -3q | {shlex.join(self._client)} 127.0.0.1 {shlex.quote(far)}"
        return ["sh", "-c", near]


class Unison(Peer):
    """ssh compresses."""

    name = "unison"
    programs = ("unison", "ssh")
    limit = SLOW

    def _archives(self) -> list[str]:
        """What each side remembers of the last copy."""
        return [self.destination + ".unison-source", self.destination + ".unison"]

    def reset(self) -> None:
        super().reset()
        self._forget()

    def command(self) -> list[str]:
        here, there = self._archives()
        root = f"ssh://127.0.0.1/{self.destination}"
        options = ["-batch", "-silent", "-log=false", "-times", "-owner", "-group", "-numericids", "-confirmbigdel=false", "-force", self.source]
        far = ["-sshargs", shlex.join([*self._client[1:], "-C"]), "-servercmd", f"env UNISON={there} unison"]
        return ["env", f"UNISON={here}", "unison", self.source, root, *options, *far]

    def _forget(self) -> None:
        for directory in self._archives():
            shutil.rmtree(directory, ignore_errors=True)

    def close(self) -> None:
        super().close()
        self._forget()


class Lsyncd(Peer):
    """Live; starts with an rsync of everything, of which nothing is left to do."""

    name = "lsyncd (rsyncssh, delay 1)"
    programs = ("lsyncd", "rsync", "ssh")

    def start(self) -> None:
        config, self._log = self.destination + ".lsyncd", self.destination + ".log"
        ssh = f'port = {self._link.port}, identityFile = "{self._ssh.key}", _extra = {{"-F", "none"}}, '
        ssh += 'options = {StrictHostKeyChecking = "no", UserKnownHostsFile = "/dev/null", IdentitiesOnly = "yes", LogLevel = "ERROR"}'
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                "settings {nodaemon = true}\n"
                f'sync {{default.rsyncssh, source = "{self.source}", host = "127.0.0.1", targetdir = "{self.destination}", '
                f"delay = 1, rsync = {{archive = true, compress = true}}, ssh = {{{ssh}}}}}\n"
            )
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(["lsyncd", "-log", "Normal", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._has_started, "lsyncd has started", limit=600)

    def _has_started(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"lsyncd ended: {open(self._log, encoding='utf-8', errors='replace').read()[-1000:]}")
        return b"finished" in open(self._log, "rb").read()

    def copy(self) -> Measurement:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def while_running(self, action) -> Measurement:
        """What it costs while `action()` delivers and waits."""
        cpu_source, cpu, wire = cpu_of(self._process.pid), cpu_of(self._ssh.pid), self._link.bytes()
        memory = MemoryWatch(source=self._process.pid, destination=self._ssh.pid)
        start = time.monotonic()
        latency = action()
        wall = time.monotonic() - start
        return Measurement(
            self.name,
            wall,
            cpu_of(self._process.pid) - cpu_source,
            cpu_of(self._ssh.pid) - cpu,
            self._link.bytes() - wire,
            memory.stop(),
            latency=latency,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
