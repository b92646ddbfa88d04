"""The agent changes nothing at the source: no byte, name, mode, owner or time, over all that it does, whatever is broken there.

Even the change time (ctime) of each file and directory is compared, which nothing can set back. Access times are apart where the
kernel does not let the agent open with O_NOATIME.
"""

import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree
from maildir_trees import make_directory, make_maildir, show, write_file
from service_units import check_privileges, run_as_service_user

BASE = b"1700000000.M%dP1.mx"
LONG_AGO = 1_500_000_000 * 10**9  # an access time that relatime would renew at the next read


def snapshot(top: str, *, access_times: bool) -> dict[bytes, tuple]:
    """All there is to know of a tree, without changing it."""
    found = {}
    directories = [os.fsencode(top)]
    while directories:
        path = directories.pop()
        try:
            names = sorted(os.listdir(path)) if stat.S_ISDIR(os.lstat(path).st_mode) else []
        except NotADirectoryError:
            names = []
        for full in [path] + [os.path.join(path, name) for name in names]:
            status = os.lstat(full)
            digest = b""
            if stat.S_ISREG(status.st_mode):
                descriptor = os.open(full, os.O_RDONLY | os.O_NOATIME)
                with open(descriptor, "rb") as file:
                    digest = hashlib.sha256(file.read()).digest()
            elif stat.S_ISLNK(status.st_mode):
                digest = os.readlink(full)
            times = [status.st_mtime_ns, status.st_ctime_ns]
            if access_times and stat.S_ISREG(status.st_mode):
                times.append(status.st_atime_ns)
            found[full] = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_ino, status.st_nlink, status.st_blocks, *times, digest)
            if full != path and stat.S_ISDIR(status.st_mode):
                directories.append(full)
    return found


def age_access_times(top: str) -> None:
    for directory, names, files in os.walk(os.fsencode(top)):
        for name in names + files:
            path = os.path.join(directory, name)
            os.utime(path, ns=(LONG_AGO, os.lstat(path).st_mtime_ns), follow_symlinks=False)


def break_some(root) -> None:
    """What the issue tracker of every mail server knows: Maildirs that are none, or not quite."""
    spoilt = os.fsencode(os.path.join(root.source, "broken.example"))
    make_directory(spoilt, OWNER)

    def account(name: bytes) -> bytes:
        make_directory(os.path.join(spoilt, name), OWNER)
        path = os.path.join(spoilt, name, b"Maildir")
        make_maildir(path, OWNER, is_account=True)
        deliver(path, BASE % 1)
        return path

    os.rmdir(os.path.join(account(b"no-tmp"), b"tmp"))
    shutil.rmtree(os.path.join(account(b"no-cur"), b"cur"))
    path = account(b"cur-is-a-file")
    os.rmdir(os.path.join(path, b"cur"))
    write_file(os.path.join(path, b"cur"), b"a file", OWNER, 0o600)
    path = account(b"unreadable")
    for folder, mode in ((b".None", 0), (b".Write", 0o200), (b".NoSearch", 0o600)):
        make_maildir(os.path.join(path, folder), OWNER)
        deliver(os.path.join(path, folder), BASE % 2)
        os.chmod(os.path.join(path, folder), mode)
    os.chmod(deliver(path, BASE % 3), 0)
    path = account(b"links")
    os.symlink(b"loop", os.path.join(path, b"loop"))
    os.symlink(b"..", os.path.join(path, b".Up"))
    os.symlink(b".", os.path.join(path, b".Self"))
    os.symlink(b"/etc", os.path.join(path, b".Etc"))
    os.symlink(b"/etc/passwd", os.path.join(path, b"cur", BASE % 4 + b":2,"))
    path = account(b"special")
    os.mkfifo(os.path.join(path, b"cur", BASE % 5 + b":2,"))
    os.mkfifo(os.path.join(path, b"dovecot-keywords"))
    with socket.socket(socket.AF_UNIX) as listener:
        directory = os.open(path, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{directory}/socket")  # the whole path may be too long for a socket
        os.close(directory)
    os.mknod(os.path.join(path, b"null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    path = account(b"garbage")
    write_file(os.path.join(path, b"dovecot-uidlist"), bytes(range(256)) * 300, OWNER, 0o600)
    write_file(os.path.join(path, b"dovecot-keywords"), b"".join(b"%d keyword%d\n" % (n, n) for n in range(30)), OWNER, 0o600)
    write_file(os.path.join(path, b"maildirsize"), b"not a number\n", OWNER, 0o600)
    path = account(b"twice")
    deliver(path, BASE % 1 + b":2,S", area=b"cur")
    deliver(path, BASE % 1 + b":2,FS", area=b"cur")
    path = account(b"half-made")
    make_directory(os.path.join(path, b".Half"), OWNER)
    make_directory(os.path.join(path, b".Half", b"cur"), OWNER)
    make_directory(os.path.join(path, b"cur", b"a-directory"), OWNER)
    make_directory(os.path.join(spoilt, b"empty"), OWNER)
    write_file(os.path.join(spoilt, b"a-file"), b"x", OWNER, 0o600)
    os.symlink(b"no-tmp", os.path.join(spoilt, b"an-account-behind-a-link"))


class SourceUntouched(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=5, messages=120, seed=301))
        break_some(self.root)

    def assert_untouched(self, before: dict, after: dict):
        wrong = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        lines = [f"{show(path)}:\n  before {before.get(path)}\n  after  {after.get(path)}" for path in sorted(wrong)[:10]]
        self.assertEqual([], wrong, "\n".join(lines))

    def session(self, *, access_times: bool):
        """All that the agent does; between its steps the tree is looked at, and changed by us alone."""
        agent, receiver = self.lab.agent, self.lab.receiver
        age_access_times(self.root.source)
        looks = [snapshot(self.root.source, access_times=access_times)]

        def still_untouched():
            self.assert_untouched(looks[-1], snapshot(self.root.source, access_times=access_times))

        def everything():
            for arguments in ((), ("--full",)):
                agent.flush("--timeout", "60", *arguments, complete=False)
            for arguments in (("verify",), ("verify", "--deep")):
                agent.cli("--json", *arguments)
            still_untouched()

        receiver.start()
        agent.start()
        self.check()
        everything()
        agent.restart()
        everything()
        agent.kill()
        agent.start()
        everything()
        for command in (("pause",), ("resume",), ("drain", self.root.name), ("mirror", self.root.name), ("release",)):
            agent.cli(*command)
        still_untouched()
        # Live: a delivery, a flag, a move, a deletion, a folder that is renamed and one that goes; and a receiver that goes.
        account = self.root.account(0)
        cur = os.path.join(account, b"cur")
        names = sorted(name for name in os.listdir(cur) if os.lstat(os.path.join(cur, name)).st_nlink == 1)
        deliver(account, BASE % 100)
        os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0].partition(b":2,")[0] + b":2,DFT"))
        os.rename(os.path.join(cur, names[1]), os.path.join(account, b".Sent", b"cur", names[1]))
        os.unlink(os.path.join(cur, names[2]))
        os.rename(os.path.join(account, b".Sent"), os.path.join(account, b".Gone away"))
        shutil.rmtree(os.path.join(self.root.account(1), b".Drafts"))
        receiver.restart()
        age_access_times(self.root.source)
        looks.append(snapshot(self.root.source, access_times=access_times))
        everything()
        agent.write_config()
        agent.signal(signal.SIGHUP)
        everything()
        self.assertEqual(0, agent.stop())
        still_untouched()
        # It was all seen: what is whole arrived.
        self.lab.assert_equal(accounts=lambda account: not account.startswith(b"broken.example"))
        for name in ("no-cur", "garbage", "twice"):
            arrived = os.path.join(self.root.destination, "broken.example", name, "Maildir", "new", (BASE % 1).decode())
            self.assertTrue(os.path.exists(arrived), arrived)

    def check(self):
        pass

    def test_as_root(self):
        self.session(access_times=True)

    def test_as_the_service_user(self):
        for daemon in self.lab.daemons:
            run_as_service_user(daemon)
        self.check = lambda: check_privileges(self.lab.agent)
        # O_NOATIME is the owner's, or wants a capability that only a writer needs.
        self.session(access_times=False)

    def test_nothing_is_even_tried(self):
        """The source is mounted read-only for the agent, as its unit does: all works, and the kernel refuses nothing."""
        source = self.root.source
        tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
        if tried.returncode != 0:
            self.skipTest("a mount namespace is not permitted here")
        script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec setpriv --pdeathsig KILL "$@"'
        self.lab.agent.prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", source]

        def is_read_only():
            with open(f"/proc/{self.lab.agent.process.pid}/mountinfo", encoding="utf-8") as file:
                return any(line.split()[4] == source and line.split()[5].startswith("ro") for line in file)

        self.check = lambda: self.assertTrue(is_read_only())
        self.session(access_times=True)
        self.assertNotIn("Read-only file system", self.lab.agent.log_text())


if __name__ == "__main__":
    unittest.main()
