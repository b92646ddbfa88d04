"""Systems of other releases to test on, from the package archive by mmdebstrap: the network, root, and some minutes are needed."""

import os
import shutil
import subprocess
import time
import unittest

BIN = os.path.abspath(os.environ.get("MAILDIRSYNC_BIN", "build/release/bin"))
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Lines for a shell that make the mail of two accounts, once there is a user vmail.
MAILBOXES = r"""for user in anna bert; do
  box=/var/vmail/example.org/$user/Maildir
  mkdir -p $box/cur $box/new $box/tmp
  for n in 1 2 3; do printf 'Subject: %s\n\nx\n' $n >$box/cur/170000000$n.M1P1.mx:2,S; done
done
chown -R vmail:vmail /var/vmail
"""


def need(*tools: str) -> None:
    """Skips where one of them is not installed, or where nobody may enter another system."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root can enter another system")
    for tool in tools:
        if not shutil.which(tool):
            raise unittest.SkipTest(f"{tool} is not installed")


def make_bundle(directory: str, **environment: str) -> str:
    """The bundle's archive there, of the programs under test: its path without the ending .gz or .zst."""
    made = subprocess.run(
        [os.path.join(REPOSITORY, "packaging", "bundle"), "--programs", BIN, directory], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert made.returncode == 0, made.stderr
    return next(os.path.join(directory, name[: -len(".gz")]) for name in os.listdir(directory) if name.endswith(".tar.gz"))


def make_system(release: str, directory: str, packages: str) -> None:
    """Skips where it cannot be had."""
    made = subprocess.run(["mmdebstrap", "--variant=minbase", "--quiet", "--include=" + packages, release, directory], capture_output=True, text=True)
    if made.returncode != 0:
        raise unittest.SkipTest(f"no {release} can be had: {made.stderr[-300:]}")


class System:
    """A machine's worth of namespaces, with a directory for its root."""

    SPACES = ("--mount", "--net", "--pid", "--uts")

    def __init__(self, root: str, name: str):
        self.root = root
        boot = (
            f"mount --make-rprivate / && mount --bind {root} {root} && mount -t proc proc {root}/proc && mount -t tmpfs tmpfs {root}/run && "
            f"hostname {name} && ip link set lo up && echo up && exec chroot {root} sh -c 'while :; do sleep 1; done'"
        )
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c", boot],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )
        assert self.keeper.stdout.readline() == "up\n"
        self.pid = int(subprocess.check_output(["pgrep", "-P", str(self.keeper.pid)], text=True))
        while os.readlink(f"/proc/{self.pid}/root") != root:
            time.sleep(0.01)

    def run(self, script: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), *self.SPACES, "--root", "--wd", "env", "-i", "HOME=/root",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh", "-c", script],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip

    def must(self, script: str) -> str:
        done = self.run(script)
        if done.returncode != 0:
            raise AssertionError(f"{script}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, path: str, text: str) -> None:
        with open(self.root + path, "w", encoding="utf-8") as file:
            file.write(text)

    def ours(self) -> set[str]:
        """What is there of maildirsync."""
        found = self.must("find / -xdev -path '*maildirsync*' ! -path '/root/*' ! -path '/proc/*'").split()
        return set(found) | set(self.must("getent passwd | grep maildirsync | cut -d: -f1 || true").split())

    def stop(self) -> None:
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()


class Machine(System):
    """One that systemd runs (packaging/machine.sh)."""

    SPACES = (*System.SPACES, "--ipc", "--cgroup")

    def __init__(self, root: str, name: str):
        self.root = root
        mounted = subprocess.check_output(["findmnt", "-n", "-t", "cgroup2", "-o", "TARGET"], text=True).split()[0]
        self.group = os.path.join(mounted, f"maildirsync-{os.getpid()}-{os.path.basename(os.path.dirname(root))}")
        os.mkdir(self.group)
        boot = f"hostname {name} && ip link set lo up && . {REPOSITORY}/packaging/machine.sh && machine_boot {root}"
        self.keeper = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child bash -c "$1"', self.group, boot],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 60
        while True:
            child = subprocess.run(["pgrep", "-P", str(self.keeper.pid)], capture_output=True, text=True).stdout.strip()
            self.pid = int(child) if child else 0
            if self.pid and self.run("systemctl is-system-running").stdout.strip() in ("running", "degraded"):
                return
            assert time.monotonic() < end, "systemd does not come up"
            time.sleep(0.1)

    def stop(self) -> None:
        super().stop()
        for _ in range(50):  # the last process may still be on its way out
            subprocess.run(["find", self.group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], capture_output=True)
            if not os.path.isdir(self.group):
                return
            time.sleep(0.1)
