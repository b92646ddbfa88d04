"""Real daemons in a private directory: what every end-to-end test starts from.

    class FirstCopy(LabTest):
        def test_it(self):
            root = self.lab.add_root("vhosts")
            make_tree(root.source, TreeSpec())
            self.lab.start()
            self.lab.flush()
            self.lab.assert_equal()

The programs come from $MAILDIRSYNC_BIN. A lab owns one temporary directory, some loopback ports and the processes it
started, and leaves none of them behind. Nothing here judges how long something took: time limits only end a hang.

Environment: MAILDIRSYNC_E2E_PATIENCE multiplies all time limits; MAILDIRSYNC_E2E_SCALE the sizes of the trees;
MAILDIRSYNC_E2E_SECONDS sets how long traffic lasts; MAILDIRSYNC_E2E_KEEP=1 keeps the directory of a failed test;
MAILDIRSYNC_E2E_WATCH is the agents' [watch] backend, inotify unless it is set; MAILDIRSYNC_E2E_WITHOUT names system calls
that both daemons' kernel lacks, or is "all" (old_kernel.py).
"""

import ctypes
import dataclasses
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import old_kernel
from maildir_trees import TreeSpec, compare_trees, duplicates, explain, make_tree, show  # noqa: F401 (for the tests)
from maildir_traffic import Traffic

PATIENCE = float(os.environ.get("MAILDIRSYNC_E2E_PATIENCE", "1"))
SCALE = float(os.environ.get("MAILDIRSYNC_E2E_SCALE", "1"))
SECONDS = float(os.environ.get("MAILDIRSYNC_E2E_SECONDS", "15"))
#: Added to the seeds of the tests that kill and restart, for soaks.
SEED = int(os.environ.get("MAILDIRSYNC_E2E_SEED", "0"))
WATCH = os.environ.get("MAILDIRSYNC_E2E_WATCH", "inotify")
WITHOUT = os.environ.get("MAILDIRSYNC_E2E_WITHOUT", "")
SANITIZED = os.environ.get("MAILDIRSYNC_E2E_SANITIZED", "") not in ("", "0")
LIMIT = 120 * PATIENCE  # seconds until a wait is given up
LAYOUT = "%d/%n/Maildir"
OWNER = (5000, 5000)  # uid and gid of mail, which are nobody's here
SANITIZER_REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error:|terminate called|Assertion .* failed)")


def programs() -> str:
    directory = os.environ.get("MAILDIRSYNC_BIN")
    if not directory:
        raise RuntimeError("set MAILDIRSYNC_BIN to the directory of the programs, for instance build/release/bin")
    return directory


def program(name: str) -> str:
    return os.path.join(programs(), name)


# ---------------------------------------------------------------------------------------------------------------------
# Ports


_claims: list[socket.socket] = []


def free_port() -> int:
    """A loopback port that no other test on this machine was given: an abstract socket stays bound as the claim."""
    for _ in range(1000):
        port = random.SystemRandom().randint(10_000, 31_000)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        probe = socket.socket()
        try:
            claim.bind(f"\0maildirsync-test-port-{port}")
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        finally:
            probe.close()
        _claims.append(claim)
        return port
    raise RuntimeError("no free port")


# ---------------------------------------------------------------------------------------------------------------------
# Waiting


class Timeout(AssertionError):
    pass


def wait_until(condition, what: str, *, limit: float | None = None, alive=(), interval: float = 0.05):
    """The first true value of `condition()`. Gives up after `limit`, or at once when one of the daemons `alive` ended."""
    end = time.monotonic() + (limit * PATIENCE if limit else LIMIT)
    while True:
        value = condition()
        if value:
            return value
        for daemon in alive:
            if daemon.process is not None and daemon.process.poll() is not None:
                raise Timeout(f"{daemon.name} ended with {daemon.process.returncode} while waiting: {what}\n{daemon.tail()}")
        if time.monotonic() > end:
            raise Timeout(f"waited in vain: {what}\n" + "\n".join(daemon.tail() for daemon in alive))
        time.sleep(interval)


# ---------------------------------------------------------------------------------------------------------------------
# Configuration


def toml(value) -> str:
    """A TOML value; JSON's strings, numbers, booleans and arrays of them are TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def toml_table(header: str, values: dict) -> str:
    lines = [header] if header else []
    return "\n".join(lines + [f"{key} = {toml(value)}" for key, value in values.items() if value is not None]) + "\n"


def write_text(path: str, text: str, mode: int = 0o600) -> str:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def cli(*arguments: str, check: bool = False, limit: float = 60, env=None) -> subprocess.CompletedProcess:
    """Runs `maildirsync`; output as text."""
    done = subprocess.run(
        [program("maildirsync"), *arguments],
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=limit * PATIENCE,
        stdin=subprocess.DEVNULL,
        env=env,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"maildirsync {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@dataclasses.dataclass
class Identity:
    """A key and its certificate, as `maildirsync keygen` makes them."""

    prefix: str
    fingerprint: str

    @property
    def key(self) -> str:
        return self.prefix + ".key"

    @property
    def certificate(self) -> str:
        return self.prefix + ".crt"


def keygen(prefix: str, name: str = "test") -> Identity:
    done = cli("keygen", "--out", prefix, "--name", name, check=True)
    found = re.search(r"sha256:[0-9a-f]{64}", done.stdout)
    if not found:
        raise AssertionError(f"keygen printed no fingerprint: {done.stdout!r}")
    return Identity(prefix, found[0])


# ---------------------------------------------------------------------------------------------------------------------
# Daemons


class Daemon:
    """One daemon process and its control socket; may be started and ended many times."""

    executable = ""

    def __init__(self, lab: "Lab", name: str):
        self.lab, self.name = lab, name
        self.directory = os.path.join(lab.base, name)
        os.mkdir(self.directory, 0o700)
        self.config = os.path.join(self.directory, "config.toml")
        self.state_dir = os.path.join(self.directory, "state")
        self.control = os.path.join(self.directory, "control.sock")
        self.log = os.path.join(self.directory, "log")
        self.identity = keygen(os.path.join(self.directory, "id"), name)
        self.process: subprocess.Popen | None = None
        self.prefix: list[str] = []  # a command that execs the daemon, such as setpriv
        self.without = WITHOUT  # system calls that its kernel lacks
        self.extra: dict[str, dict] = {}  # further tables of the configuration
        if "MAILDIRSYNC_E2E_LOG" in os.environ:
            self.extra["log"] = {"level": os.environ["MAILDIRSYNC_E2E_LOG"]}

    # -- life

    def start(self, *, ready: bool = True, arguments=()) -> "Daemon":
        assert self.process is None, f"{self.name} runs already"
        os.makedirs(self.state_dir, exist_ok=True)
        self.write_config()
        with open(self.log, "ab") as log:
            log.write(f"--- {self.name} started\n".encode())
            # Dies with the test, however that ends.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *old_kernel.prefix(self.without), *self.prefix, program(self.executable), "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.directory,
            )
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        wait_until(lambda: self.try_status() is not None, f"{self.name} answers on its control socket", alive=[self])

    def stop(self, limit: float = 30) -> int:
        """SIGTERM; the exit status. A daemon that has to be killed fails the test."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            return process.wait(limit * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end on SIGTERM within {limit * PATIENCE:.0f} s\n{self.tail()}") from None

    def kill(self) -> None:
        """kill -9."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> "Daemon":
        self.stop()
        return self.start()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def lose_state(self) -> None:
        """All that a daemon, which must not run, kept of its past."""
        for name in os.listdir(self.state_dir):
            os.unlink(os.path.join(self.state_dir, name))

    # -- what it says

    def tail(self, lines: int = 60) -> str:
        return f"--- {self.log}\n" + "\n".join(self.log_text().splitlines()[-lines:])

    def log_text(self) -> str:
        try:
            with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def cli(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return cli("--control", self.control, *arguments, **options)

    def try_status(self) -> dict | None:
        if not os.path.exists(self.control):
            return None
        done = self.cli("--json", "status")
        if done.returncode == 3:
            return None
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"{self.name}: status --json printed {done.stdout!r}, {done.stderr!r}") from None

    def status(self) -> dict:
        status = self.try_status()
        if status is None:
            raise AssertionError(f"{self.name} cannot be reached\n{self.tail()}")
        return status

    def totals(self) -> dict:
        return self.status()["totals"]

    def problems(self, code: str | None = None) -> list[dict]:
        return [problem for problem in self.status()["problems"] if code in (None, problem["code"])]

    def wait_state(self, *states: str, limit: float | None = None) -> dict:
        last = {}

        def reached():
            last.clear()
            last.update(self.try_status() or {})
            return last if last.get("state") in states else None

        try:
            return wait_until(reached, f"{self.name} becomes {' or '.join(states)}", alive=[self], limit=limit)
        except Timeout as timeout:
            raise Timeout(f"{timeout}\nlast status: {json.dumps(last)}") from None

    def wait_problem(self, code: str, about: str = "", *, limit: float | None = None) -> dict:
        """A problem with that code whose path, account or detail names `about`."""

        def found():
            for problem in (self.try_status() or {}).get("problems", []):
                if problem["code"] == code and about in json.dumps(problem, ensure_ascii=False):
                    return problem
            return None

        try:
            return wait_until(found, f"{self.name} reports {code} about {about!r}", alive=[self], limit=limit)
        except Timeout as timeout:
            raise Timeout(f"{timeout}\nproblems: {json.dumps((self.try_status() or {}).get('problems'), indent=1)}") from None

    def wait_log(self, pattern: str, *, limit: float | None = None) -> str:
        return wait_until(lambda: re.search(pattern, self.log_text()), f"{self.name} logs {pattern}", alive=[self], limit=limit)[0]

    def sanitizer_report(self) -> str | None:
        text = self.log_text()
        found = SANITIZER_REPORT.search(text)
        return text[max(0, found.start() - 500) : found.start() + 6000] if found else None

    def write_config(self) -> None:
        raise NotImplementedError

    def _tables(self) -> str:
        return "".join("\n" + toml_table(f"[{name}]", values) for name, values in self.extra.items())


@dataclasses.dataclass
class Root:
    """A tree at the source and where it lands."""

    name: str
    source: str
    destination: str
    layout: str = LAYOUT
    options: dict = dataclasses.field(default_factory=dict)  # include, exclude, mode
    owner: dict = dataclasses.field(default_factory=lambda: {"policy": "numeric"})
    landing: dict = dataclasses.field(default_factory=dict)  # further keys of the receiver's [[peer.root]]

    def account(self, number: int = 0) -> bytes:
        """The path of an account that make_tree made."""
        from maildir_trees import account_path

        return os.fsencode(os.path.join(self.source, account_path(self.layout, number)))

    def make_account(self, user: bytes) -> bytes:
        """A new account at the source with nothing in it."""
        from maildir_trees import make_maildir

        account = os.path.join(os.fsencode(self.source), b"example.org", user, b"Maildir")
        os.makedirs(os.path.dirname(account), 0o755, exist_ok=True)
        make_maildir(account, OWNER, is_account=True)
        return account

    def at_destination(self, path) -> bytes:
        """Where a path of the source lands."""
        return os.path.join(os.fsencode(self.destination), os.path.relpath(os.fsencode(path), os.fsencode(self.source)))


class Receiver(Daemon):
    executable = "maildirsyncd"

    def __init__(self, lab, name="receiver"):
        super().__init__(lab, name)
        self.port = free_port()
        self.peers: list["Agent"] = []
        self.pinned: dict[str, str] = {}  # agent name → a fingerprint other than its own

    def write_config(self) -> None:
        text = toml_table("", {"listen": f"127.0.0.1:{self.port}", "state_dir": self.state_dir, "control": self.control})
        text += "\n" + toml_table("[tls]", {"certificate": self.identity.certificate, "key": self.identity.key})
        for agent in self.peers:
            fingerprint = self.pinned.get(agent.name, agent.identity.fingerprint)
            text += "\n" + toml_table("[[peer]]", {"name": agent.name, "fingerprint": fingerprint})
            for root in agent.roots:
                text += "\n" + toml_table("[[peer.root]]", {"name": root.name, "path": root.destination, **root.landing})
                text += "\n" + toml_table("[peer.root.owner]", root.owner)
        write_text(self.config, text + self._tables())


class Agent(Daemon):
    executable = "maildirsync-agent"

    def __init__(self, lab, receiver: Receiver, name="agent"):
        super().__init__(lab, name)
        self.receiver = receiver
        self.port: int | None = None  # of a proxy in between
        self.pinned: str | None = None  # a fingerprint other than the receiver's
        self.roots: list[Root] = []
        self.extra["watch"] = {"backend": WATCH}
        receiver.peers.append(self)

    def write_config(self) -> None:
        port = self.port or self.receiver.port
        text = toml_table("", {"receiver": f"127.0.0.1:{port}", "state_dir": self.state_dir, "control": self.control})
        text += "\n" + toml_table(
            "[tls]",
            {
                "certificate": self.identity.certificate,
                "key": self.identity.key,
                "receiver_fingerprint": self.pinned or self.receiver.identity.fingerprint,
            },
        )
        for root in self.roots:
            text += "\n" + toml_table("[[root]]", {"name": root.name, "path": root.source, "accounts": root.layout, **root.options})
        write_text(self.config, text + self._tables())

    def flush(self, *arguments: str, limit: float | None = None, complete: bool = True) -> dict:
        """`flush --json`; fails when anything was left out, unless that is expected (`complete=False`)."""
        seconds = limit * PATIENCE if limit else LIMIT
        done = self.cli("--json", "flush", "--timeout", f"{seconds:.0f}", *arguments, limit=seconds / PATIENCE + 60)
        try:
            result = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"flush: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}\n{self.lab.tails()}") from None
        if complete and (done.returncode != 0 or not result.get("complete")):
            raise AssertionError(
                f"flush is not complete: exit {done.returncode}, {json.dumps(result)[:2000]}\n"
                f"status: {json.dumps(self.try_status())[:3000]}\n{self.lab.tails()}"
            )
        return result


# ---------------------------------------------------------------------------------------------------------------------
# The lab


class Lab:
    """A receiver, an agent (more with add_agent), and their roots, in one temporary directory."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="maildirsync-test-")
        self.traffic: Traffic | None = None
        self.unmounts: list = []  # called when the daemons have ended, before the directory goes
        try:
            os.chmod(self.base, 0o711)  # daemons and readers of other users pass through
            self.receiver = Receiver(self)
            self.agent = Agent(self, self.receiver)
        except BaseException:
            shutil.rmtree(self.base)  # nobody else has it yet
            raise
        self.agents = [self.agent]

    def add_agent(self, name: str) -> Agent:
        agent = Agent(self, self.receiver, name)
        self.agents.append(agent)
        return agent

    def add_root(self, name: str = "vhosts", layout: str = LAYOUT, agent: Agent | None = None, **options) -> Root:
        agent = agent or self.agent
        root = Root(name, *(os.path.join(self.base, f"{side}-{agent.name}-{name}") for side in ("source", "destination")), layout)
        root.owner = options.pop("owner", root.owner)
        root.landing = options.pop("landing", root.landing)
        root.options = options
        for path in (root.source, root.destination):
            os.mkdir(path, 0o755)
        agent.roots.append(root)
        return root

    @property
    def daemons(self) -> list[Daemon]:
        return [self.receiver, *self.agents]

    def start(self) -> None:
        for daemon in self.daemons:
            daemon.start()

    def write_traffic(self, root: Root, **options) -> Traffic:
        self.traffic = Traffic(root.source, root.layout, **options)
        return self.traffic

    def flush(self, **options) -> None:
        for agent in self.agents:
            agent.flush(**options)

    def differences(self, **options) -> list:
        found = []
        for agent in self.agents:
            for root in agent.roots:
                try:
                    found += compare_trees(root.source, root.destination, root.layout, **options)
                except FileNotFoundError as gone:  # whoever waits for equality reads again
                    found.append(f"went while the trees were read: {gone.filename!r}")
        return found

    def assert_equal(self, **options) -> None:
        """Source and destination of all roots are equal; else both trees, the journal and the logs are shown."""
        for agent in self.agents:
            for root in agent.roots:
                differences = compare_trees(root.source, root.destination, root.layout, **options)
                if differences:
                    text = explain(differences, root.source, root.destination)
                    if self.traffic:
                        text += "\njournal:\n" + "\n".join(
                            line for difference in differences[:5] for line in self.traffic.about(difference.path)
                        )
                    raise AssertionError(f"root {root.name} of {agent.name} differs\n{text}\n{self.tails()}")

    def tails(self) -> str:
        return "\n".join(daemon.tail() for daemon in self.daemons)

    def close(self, *, keep: bool = False) -> None:
        """Ends what runs, removes the directory; a sanitizer's report or a bad end fails here."""
        failures = []
        if self.traffic:
            try:
                self.traffic.stop()
            except Exception as error:
                failures.append(f"the traffic writer: {error!r}")
        for daemon in reversed(self.daemons):
            ran = daemon.process is not None
            try:
                status = daemon.stop()
                if ran and status != 0:
                    failures.append(f"{daemon.name} ended with {status} on SIGTERM\n{daemon.tail()}")
            except AssertionError as error:
                failures.append(str(error))
            report = daemon.sanitizer_report()
            if report:
                failures.append(f"{daemon.name}: sanitizer or assertion\n{report}")
        for unmount in self.unmounts:
            unmount()
        if keep:
            print(f"kept: {self.base}", file=sys.stderr)
        else:
            shutil.rmtree(os.fsencode(self.base))
        if failures:
            raise AssertionError("\n".join(failures))


def why_no_fanotify() -> str:
    """Why the fanotify watcher cannot be used here; empty when it can."""
    flags = 0x00000C00 | 0x00000010 | 0x00000001  # FAN_REPORT_DFID_NAME, FAN_UNLIMITED_QUEUE, FAN_CLOEXEC
    libc = ctypes.CDLL(None, use_errno=True)
    group = libc.fanotify_init(flags, os.O_RDONLY)
    if group < 0:
        return f"fanotify cannot be used here: {os.strerror(ctypes.get_errno())}"
    os.close(group)
    return ""


class LabTest(unittest.TestCase):
    """A test with a lab of its own; shows the logs when it fails."""

    maxDiff = 4000

    def setUp(self):
        if WATCH == "fanotify" and (reason := why_no_fanotify()):
            self.skipTest(reason)
        self.lab = Lab()
        self.addCleanup(self._close)

    def _close(self):
        failed = self._failed()
        if failed:
            print(f"=== {self.id()} failed\n{self.lab.tails()}", file=sys.stderr)
        self.lab.close(keep=failed and os.environ.get("MAILDIRSYNC_E2E_KEEP") == "1")

    def _failed(self) -> bool:
        result = self._outcome.result if self._outcome else None
        known = getattr(result, "errors", []) + getattr(result, "failures", [])
        return any(getattr(test, "test_case", test) is self for test, _ in known)

    def mount_small(self, path: str, size: int) -> None:
        """A tmpfs of so many bytes, which only this process and its children see; skips the test where that is not permitted."""
        libc = ctypes.CDLL(None, use_errno=True)
        MS_REC, MS_PRIVATE, CLONE_NEWNS, MNT_DETACH = 0x4000, 1 << 18, 0x20000, 2
        where = os.fsencode(path)
        failed = libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
        if failed or libc.mount(b"maildirsync-test", where, b"tmpfs", 0, f"size={size},mode=755".encode()):
            self.skipTest("mounting a small tmpfs in a private mount namespace is not permitted here")
        self.lab.unmounts.append(lambda: libc.umount2(where, MNT_DETACH))

    def mount_image(self, path: str, file_system: str, *options: str, size: int = 64 << 20) -> None:
        """A file system of its own in a file of the lab, which only this process and its children see; skips the test
        where that is not permitted."""
        libc = ctypes.CDLL(None, use_errno=True)
        MS_REC, MS_PRIVATE, CLONE_NEWNS, MNT_DETACH = 0x4000, 1 << 18, 0x20000, 2
        image = os.path.join(self.lab.base, f"{os.path.basename(path)}.{file_system}")
        with open(image, "wb") as file:
            file.truncate(size)
        try:
            made = subprocess.run([f"mkfs.{file_system}", "-q", *options, image], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            self.skipTest(f"there is no mkfs.{file_system} here")
        self.assertEqual(0, made.returncode, made.stderr)
        failed = libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
        if failed or subprocess.run(["mount", "-o", "loop", image, path], capture_output=True).returncode != 0:
            self.skipTest(f"mounting an image of {file_system} is not permitted here")
        os.chmod(path, 0o755)
        shutil.rmtree(os.path.join(path, "lost+found"), ignore_errors=True)
        self.lab.unmounts.append(lambda: libc.umount2(os.fsencode(path), MNT_DETACH))

    @staticmethod
    def fill_up(path: str) -> str:
        """Leaves no room on a small file system; the file to remove for it."""
        ballast = os.path.join(path, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return ballast

    def assert_exit(self, expected: int, done: subprocess.CompletedProcess):
        self.assertEqual(expected, done.returncode, f"stdout: {done.stdout}\nstderr: {done.stderr}")


def deliver(folder, name: bytes, body: bytes = b"Subject: x\n\nx\n", owner=OWNER, area: bytes = b"new") -> bytes:
    """One message as a delivery makes it: whole in tmp/, then renamed. Returns its path."""
    from maildir_trees import write_file

    folder = os.fsencode(folder)
    aside, final = os.path.join(folder, b"tmp", name.partition(b":2,")[0]), os.path.join(folder, area, name)
    write_file(aside, body, owner, 0o600)
    os.rename(aside, final)
    return final


def scaled_spec(**options) -> TreeSpec:
    """About 20 accounts and 2,000 messages; MAILDIRSYNC_E2E_SCALE=25 makes it 100 accounts and 50,000 messages."""
    options.setdefault("accounts", max(3, round(20 * SCALE**0.5)))
    options.setdefault("messages", max(50, round(2000 * SCALE)))
    return TreeSpec(**options)
