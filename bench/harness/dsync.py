"""dsync: Dovecot's own copy, from one private server to another over ssh."""

import os
import shutil
import subprocess
import time

from dovecot import Dovecot
from maildir_trees import find_accounts
from maildirsync_testing import LAYOUT

from .measure import Measurement, MemoryWatch, run_and_wait
from .peers import SLOW, Peer


class Dsync(Peer):
    """Goes through the mail store at both ends, one user after another: messages, flags and UIDs arrive, but not the files. Their names
    and times and the uidlists are the destination's own, so that the trees are equal to a client and not to the byte.

    The source is a copy of the tree, for its Dovecot moves what is new, and writes its indexes. ssh compresses.
    """

    name = "doveadm backup (dsync)"
    programs = ("doveadm", "dovecot", "ssh")

    _old: Dovecot | None = None
    _new: Dovecot | None = None

    def reset(self) -> None:
        self._stop()
        super().reset()

    def _start(self) -> None:
        """Both servers; only for their users' data, nobody logs in."""
        tree, place = self.destination + ".source", self.destination + ".dovecot"
        subprocess.run(["cp", "-a", self.source, tree], check=True)
        os.makedirs(place, 0o755)
        self._old, self._new = Dovecot(place, "old", tree), Dovecot(place, "new", self.destination)
        for account in find_accounts(os.fsencode(tree), LAYOUT):
            domain, local, _ = os.fsdecode(account).split("/")
            status = os.stat(os.path.join(os.fsencode(tree), account))
            for server in (self._old, self._new):
                server.add_user(f"{local}@{domain}", (status.st_uid, status.st_gid))
        self._old.start()
        self._new.start()

    def _stop(self) -> None:
        for server in (self._old, self._new):
            if server:
                server.stop()
        self._old = self._new = None
        for rest in (".source", ".dovecot"):
            shutil.rmtree(self.destination + rest, ignore_errors=True)

    def _backup(self, user: str) -> list[str]:
        far = ["doveadm", "-c", self._new.config, "dsync-server", "-u", user]
        return ["doveadm", "-c", self._old.config, "backup", "-u", user, *self._client, "-C", "127.0.0.1", *far]

    def copy(self) -> Measurement:
        if not self._old:
            self._start()
        os.sync()
        cpu, wire, cpu_source, problem = self._ssh.cpu(), self._link.bytes(), 0.0, ""
        memory = MemoryWatch(source=os.getpid(), destination=self._ssh.pid)
        start = time.monotonic()
        for user in self._old.users:
            left = start + SLOW - time.monotonic()
            if left <= 0:
                problem = f"not done after {SLOW} s"
                break
            status, _, seconds, _ = run_and_wait(self._backup(user), limit=left, stdout=subprocess.DEVNULL)
            cpu_source += seconds
            if status and not problem:
                problem = f"exit {status} for {user}"
        wall = time.monotonic() - start
        peaks = {name: peak for name, peak in memory.stop().items() if name.endswith((" doveadm", " ssh", " sshd"))}
        return Measurement(self.name, wall, cpu_source, self._ssh.cpu() - cpu, self._link.bytes() - wire, peaks, problem=problem)

    def close(self) -> None:
        self._stop()
        super().close()
