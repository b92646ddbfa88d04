"""Private Dovecot servers: no systemd, own directories, loopback only, gone when the test is.

    old = Dovecot(lab.base, "old", root.source)
    old.add_user("anna@example.org")
    old.start()
    old.deliver("anna@example.org", b"Subject: x\r\n\r\nx\r\n")
    with old.imap("anna@example.org") as connection:
        connection.select("INBOX")

A server serves the Maildirs of a tree, <tree>/<domain>/<local part>/Maildir if nothing else is said. Two servers over two trees are the old and
the new machine. Everything else a server keeps (sockets, state, configuration, log) lies in <directory>/<name>.
Needs root, as Dovecot does to serve several Unix users; dovecot-imapd and dovecot-lmtpd from Debian.
"""

import contextlib
import imaplib
import os
import re
import signal
import smtplib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from maildir_trees import make_directory  # noqa: E402
from maildirsync_testing import LAYOUT, LabTest, Timeout, free_port, wait_until, write_text  # noqa: E402

VMAIL = (5000, 5000)
PASSWORD = "secret"
LAYOUTS = {"maildir++": "", "fs": ":LAYOUT=fs"}
SEPARATORS = {"maildir++": ".", "fs": "/"}

CONFIG = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = dovecot
default_login_user = dovenull
default_process_limit = 500
default_client_limit = 4000
default_vsz_limit = 1G
first_valid_uid = 1
mail_location = {location}
mail_max_userip_connections = 1000
mail_fsync = never
lock_method = flock
mail_plugins = {plugins}
auth_cache_size = 0
auth_failure_delay = 0
lda_mailbox_autocreate = no
postmaster_address = postmaster@example.org
shutdown_clients = yes

namespace inbox {{
  inbox = yes
  separator = {separator}
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {directory}/users/%u
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {directory}/users/%u
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 1000
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  process_limit = 500
}}
service lmtp {{
  process_limit = 50
  unix_listener lmtp {{
    mode = 0600
  }}
}}
service auth {{
  client_limit = 5000
}}
service anvil {{
  client_limit = 5000
}}
service stats {{
  client_limit = 5000
}}
{extra}
"""


class Dovecot:
    """One server over one tree; may be started and ended many times.

    `layout` is "maildir++" or "fs"; `accounts` says where the Maildirs are, as the agent's configuration does, with * for
    the first word of the domain; `plugins` are mail_plugins (such as "acl"); `extra` is further configuration.
    """

    def __init__(self, directory: str, name: str, tree: str, layout: str = "maildir++", *, accounts: str = LAYOUT, plugins: str = "", extra: str = ""):
        self.name, self.tree, self.layout, self.separator = name, tree, layout, SEPARATORS[layout]
        self.directory = os.path.join(directory, name)
        os.mkdir(self.directory, 0o755)
        self.accounts = accounts
        self.port = free_port()
        self.config = os.path.join(self.directory, "dovecot.conf")
        self.log = os.path.join(self.directory, "log")
        self.users: dict[str, tuple[int, int]] = {}
        self.process: subprocess.Popen | None = None
        location = ("maildir:~/Maildir" if accounts.endswith("/Maildir") else "maildir:~") + LAYOUTS[layout]
        values = dict(location=location, separator=self.separator, plugins=plugins, extra=extra)
        write_text(self.config, CONFIG.format(directory=self.directory, port=self.port, **values), 0o644)
        os.mkdir(os.path.join(self.directory, "users"), 0o755)

    # -- users

    def home(self, user: str) -> str:
        return self.maildir(user).removesuffix("/Maildir")

    def maildir(self, user: str) -> str:
        local, domain = user.split("@")
        relative = self.accounts.replace("*", domain.split(".")[0]).replace("%d", domain).replace("%n", local)
        return os.path.join(self.tree, relative)

    def folder(self, user: str, mailbox: str = "INBOX") -> str:
        """The directory of a mailbox; its name as IMAP writes it."""
        if mailbox == "INBOX":
            return self.maildir(user)
        return os.path.join(self.maildir(user), mailbox if self.layout == "fs" else "." + mailbox)

    def add_user(self, user: str, owner: tuple[int, int] = VMAIL, *, home: bool = True) -> None:
        """Makes the user known, also while the server runs; and the home directory, which Dovecot fills by itself."""
        self.users[user] = owner
        # A file of its own for each: Dovecot looks at most once a second whether one that it knows has changed.
        line = f"{user}:{{PLAIN}}{PASSWORD}:{owner[0]}:{owner[1]}::{self.home(user)}::\n"
        write_text(os.path.join(self.directory, "users", user), line, 0o644)
        if home and not os.path.isdir(self.home(user)):
            domain = os.path.dirname(self.home(user))
            if not os.path.isdir(domain):
                make_directory(os.fsencode(domain), (0, 0), 0o755)
            make_directory(os.fsencode(self.home(user)), owner)

    def forget_user(self, user: str) -> None:
        """The user is unknown from now on; the mail stays."""
        del self.users[user]
        os.unlink(os.path.join(self.directory, "users", user))

    # -- life

    def start(self) -> "Dovecot":
        assert self.process is None, f"Dovecot {self.name} runs already"
        # Dies with the test; its children end when they lose their master.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "dovecot", "-F", "-c", self.config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

        def ready():
            if self.process.poll() is not None:
                raise Timeout(f"Dovecot {self.name} ended: {self.process.stderr.read().decode()}\n{self.tail()}")
            try:
                with self.lmtp():
                    imaplib.IMAP4("127.0.0.1", self.port).shutdown()
                    return True
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error):
                return False

        wait_until(ready, f"Dovecot {self.name} takes connections", interval=0.02)
        return self

    def stop(self) -> None:
        """An orderly end: sessions are ended, then nothing changes the tree any more."""
        process, self.process = self.process, None
        if process is None:
            return
        pids = self._children(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stderr.close()
        # Sessions outlive their master by up to 30 s as long as their clients keep them busy, and go on changing mail.
        for pid in pids:
            if _runs(pid) and not _is_log(pid):
                _signal(pid, signal.SIGTERM)
        wait_until(lambda: not [pid for pid in pids if _runs(pid)], f"the processes of Dovecot {self.name} end", interval=0.01)

    def forget_lists(self) -> None:
        """The server, which does not run, looks for its mailboxes in the tree again.

        Its index of them may list one that a client created while another looked, and that is not there: nobody can open it.
        """
        for directory, _, names in os.walk(self.tree):
            for name in names:
                if name.startswith("dovecot.list.index"):
                    os.unlink(os.path.join(directory, name))

    def kill(self) -> None:
        """kill -9 of master and sessions, in the middle of whatever they do."""
        process, self.process = self.process, None
        if process is None:
            return
        pids = self._children(process.pid)
        process.kill()
        for pid in pids:
            if _runs(pid):
                _signal(pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()

    @staticmethod
    def _children(pid: int) -> list[int]:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]

    def tail(self, lines: int = 40) -> str:
        """The log's last lines, and before them what stood out earlier."""
        try:
            with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
                all_lines = file.readlines()
            earlier = [line for line in all_lines[:-lines] if re.search(r"(Error|Panic|Fatal|Warning): |Disconnect from", line)]
            return f"--- {self.log}\n" + "".join([*earlier[-lines:], *all_lines[-lines:]])
        except FileNotFoundError:
            return f"--- {self.log}: none"

    def complaints(self, known: "Dovecot | None" = None) -> list[str]:
        """Log lines of errors, panics and warnings, such as an expunged message that reappeared.

        Not those that the server `known` has of its tree too: a right copy of an odd uidlist is as odd.
        """
        other = {text for _, text in known._complaints()} if known else set()
        return [line for line, text in self._complaints() if text not in other]

    def _complaints(self) -> list[tuple[str, str]]:
        """Whole lines, and what they say without time, process and tree."""
        found = []
        with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
            for line in file:
                match = re.search(r"(?:Error|Panic|Fatal|Warning): (.*)", line)
                if match and "Killed with signal" not in line:
                    found.append((line.rstrip(), match[1].replace(self.tree, "")))
        return found

    # -- clients

    def imap(self, user: str) -> imaplib.IMAP4:
        """A logged-in connection; a context manager."""
        connection = imaplib.IMAP4("127.0.0.1", self.port, timeout=120)
        connection.login(user, PASSWORD)
        return connection

    def lmtp(self) -> smtplib.LMTP:
        connection = smtplib.LMTP(os.path.join(self.directory, "run", "lmtp"))
        return connection

    def deliver(self, recipient: str, message: bytes, sender: str = "sender@example.net") -> None:
        """One message by a connection of its own; raises unless the server accepted it."""
        with self.lmtp() as connection:
            connection.ehlo_or_helo_if_needed()
            connection.sendmail(sender, [recipient], message)

    def doveadm(self, *arguments: str, user: str | None = None) -> str:
        """`doveadm COMMAND [-u user] …`: the command is `arguments[0]`, or its first two words ("mailbox status")."""
        words = arguments[0].split()
        command = ["doveadm", "-c", self.config, *words, *(["-u", user] if user else []), *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.tail()}")
        return done.stdout


def _is_log(pid: int) -> bool:
    """Dovecot's log process takes the sessions' last words, and ends after them."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().startswith(b"dovecot/log")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _signal(pid: int, number: int) -> None:
    """Unless it ended since it was looked up."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------------------------------------------------------------
# Mailbox names


def utf7(name: str) -> str:
    """A mailbox name as IMAP writes it (RFC 3501, 5.1.3)."""
    out = []
    for plain, other in re.findall(r"([\x20-\x7e]+)|([^\x20-\x7e]+)", name):
        if plain:
            out.append(plain.replace("&", "&-"))
        else:
            # UTF-7's own encoder makes "+…-" of it; only the frame and one letter of the alphabet differ.
            out.append("&" + other.encode("utf-7").decode()[1:].rstrip("-").replace("/", ",") + "-")
    return "".join(out)


def quote(name: str) -> str:
    """A mailbox name as an argument of a command."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---------------------------------------------------------------------------------------------------------------------
# The laboratory


@unittest.skipUnless(os.geteuid() == 0, "Dovecot serves several Unix users only when root starts it")
class DovecotTest(LabTest):
    """A lab whose root is served by Dovecot at both ends: `old` over the source, `new` over the destination.

    Neither runs yet. A subclass sets `layout`, `accounts` or `plugins`.
    """

    layout = "maildir++"
    accounts = LAYOUT
    plugins = ""
    extra = ""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root("vhosts", self.accounts)
        self.old, self.new = (self.server(name, tree) for name, tree in (("old", self.root.source), ("new", self.root.destination)))

    def server(self, name: str, tree: str) -> Dovecot:
        server = Dovecot(self.lab.base, name, tree, self.layout, accounts=self.accounts, plugins=self.plugins, extra=self.extra)
        self.addCleanup(self._end, server)
        return server

    def _end(self, server: Dovecot) -> None:
        if self._failed():
            print(f"Dovecot {server.name}\n{server.tail()}", file=sys.stderr)
        server.kill()

    def add_users(self, *users: str, owner=VMAIL) -> None:
        for user in users:
            self.old.add_user(user, owner)
            self.new.add_user(user, owner, home=False)
