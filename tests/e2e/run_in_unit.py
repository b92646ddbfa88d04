"""Runs a program as its systemd unit would, where no systemd is: the unit's mounts, user, capabilities, umask and system calls.

    run_in_unit.py EXECUTABLE BASE [WRITABLE…] -- PROGRAM [ARGUMENT…]

EXECUTABLE names the unit (service_units.py). BASE, the directory of the test, is seen below a private /tmp, and so are
PROGRAM's directory and this repository, where they are below /tmp. All is read-only but the WRITABLE directories, which stand for StateDirectory=,
RuntimeDirectory= and ReadWritePaths=.

What is not done: cgroups (MemoryMax=, IOWeight=, DevicePolicy=), and a private /home, below which the programs may have been built.
"""

import ctypes
import ctypes.util
import errno
import os
import re
import subprocess
import sys

import service_units

libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
CLONE_NEWNS = 0x20000
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target: str, kind, flags: int, data: str | None = None) -> None:
    encoded = [os.fsencode(text) if text is not None else None for text in (source, target, kind, data)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


class MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns_fd")]


def set_read_only(path: str, read_only: bool, *, below: bool = False) -> None:
    """The mount at `path`, and all below it if so asked."""
    attributes = MountAttributes(MOUNT_ATTR_RDONLY if read_only else 0, 0 if read_only else MOUNT_ATTR_RDONLY, 0, 0)
    result = libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), AT_RECURSIVE if below else 0, ctypes.byref(attributes), ctypes.sizeof(attributes))
    check(result, f"mount_setattr {path}")


# ---------------------------------------------------------------------------------------------------------------------
# ProtectSystem=strict, ReadWritePaths=, PrivateTmp=, PrivateDevices=, ProtectProc=, ProcSubset=


def make_mounts(unit: dict, base: str, program: str, writable: list[str]) -> None:
    def is_on(key: str, value: str = "yes") -> bool:
        return unit.get(key, [""])[-1] == value

    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    if is_on("PrivateTmp"):
        repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
        hidden = {os.path.realpath(path) for path in (base, repository, os.path.dirname(program))}
        kept = {path: os.open(path, os.O_PATH) for path in sorted(hidden) if path.startswith(("/tmp/", "/var/tmp/"))}
        for directory in ("/tmp", "/var/tmp"):
            mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
        for path, descriptor in kept.items():
            os.makedirs(path, exist_ok=True)
            mount(f"/proc/self/fd/{descriptor}", path, None, MS_BIND | MS_REC)
            os.close(descriptor)
    if is_on("PrivateDevices"):
        devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in ("null", "zero", "full", "random", "urandom", "tty")}
        mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
        for name, descriptor in devices.items():
            with open(f"/dev/{name}", "wb"):
                pass
            mount(f"/proc/self/fd/{descriptor}", f"/dev/{name}", None, MS_BIND)
            os.close(descriptor)
    for path in writable:
        mount(path, path, None, MS_BIND)
    if is_on("ProtectSystem", "strict"):
        set_read_only("/", True, below=True)
    for path in writable + (["/tmp", "/var/tmp"] if is_on("PrivateTmp") else []):
        set_read_only(path, False)
    options = []
    if is_on("ProtectProc", "invisible"):
        options.append("hidepid=invisible")
    if is_on("ProcSubset", "pid"):
        options.append("subset=pid")
    if options:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, ",".join(options))


# ---------------------------------------------------------------------------------------------------------------------
# System calls


ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NEWER_THAN_THE_LIBRARY = {"getxattrat": 464}
EQUAL, MASKED_EQUAL = 4, 7
AF_NAMES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
PROT_WRITE, PROT_EXEC = 2, 4
NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
SET_ID_BITS = (0o4000, 0o2000)


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """A seccomp filter; loaded into this process by load()."""

    def __init__(self, default: int):
        self.library = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(default)))

    def rule(self, action: int, name: str, *comparisons: Comparison) -> None:
        number = NEWER_THAN_THE_LIBRARY.get(name, self.library.seccomp_syscall_resolve_name(name.encode()))
        if number < 0:
            return  # another architecture's
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        result = self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        if result != 0:
            raise OSError(-result, f"seccomp rule for {name}: {os.strerror(-result)}")

    def load(self) -> None:
        result = self.library.seccomp_load(self.context)
        if result != 0:
            raise OSError(-result, f"seccomp_load: {os.strerror(-result)}")


def system_call_sets() -> dict[str, list[str]]:
    """systemd's own groups, such as @system-service, with the names of calls and of other groups."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        if line.startswith("@"):
            group = found.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            group.append(line.strip())
    return found


def allowed_system_calls(lines: list[str]) -> set[str]:
    """As systemd.exec(5) reads SystemCallFilter= lines, the first of which is an allow list."""
    groups = system_call_sets()

    def expand(word: str) -> set[str]:
        return set().union(*(expand(name) for name in groups[word])) if word.startswith("@") else {word}

    allowed = expand("@default")
    for line in lines:
        calls = set().union(*(expand(word) for word in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def filters(unit: dict) -> list[Filter]:
    made = []

    def deny() -> Filter:
        made.append(Filter(ALLOW))
        return made[-1]

    if "RestrictAddressFamilies" in unit:
        allowed = {AF_NAMES[name] for line in unit["RestrictAddressFamilies"] for name in line.split()}
        families = deny()
        for family in set(range(46)) - allowed:
            families.rule(ERRNO | errno.EAFNOSUPPORT, "socket", Comparison(0, EQUAL, family, 0))
    if unit.get("MemoryDenyWriteExecute", [""])[-1] == "yes":
        memory = deny()
        both = PROT_WRITE | PROT_EXEC
        memory.rule(ERRNO | errno.EPERM, "mmap", Comparison(2, MASKED_EQUAL, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            memory.rule(ERRNO | errno.EPERM, name, Comparison(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    if unit.get("RestrictNamespaces", [""])[-1] == "yes":
        namespaces = deny()
        for name in ("unshare", "setns"):
            namespaces.rule(ERRNO | errno.EPERM, name)
        namespaces.rule(ERRNO | errno.ENOSYS, "clone3")
        for bit in range(32):
            if NAMESPACES >> bit & 1:
                namespaces.rule(ERRNO | errno.EPERM, "clone", Comparison(0, MASKED_EQUAL, 1 << bit, 1 << bit))
    if unit.get("RestrictSUIDSGID", [""])[-1] == "yes":
        set_ids = deny()
        for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2), ("mknod", 1), ("mknodat", 2)):
            for bit in SET_ID_BITS:
                set_ids.rule(ERRNO | errno.EPERM, name, Comparison(argument, MASKED_EQUAL, bit, bit))
        set_ids.rule(ERRNO | errno.ENOSYS, "openat2")  # its mode lies where no filter can look
    if "SystemCallFilter" in unit:
        listed = Filter(ERRNO | errno.EPERM)
        for name in allowed_system_calls(unit["SystemCallFilter"]):
            listed.rule(ALLOW, name)
        made.append(listed)
    return made


# ---------------------------------------------------------------------------------------------------------------------


def main() -> None:
    executable, base, *rest = sys.argv[1:]
    separator = rest.index("--")
    writable, command = rest[:separator], rest[separator + 1 :]
    unit = service_units.settings(executable)
    if os.geteuid() == 0:
        # Twice through here: privileges that make mounts first, and without them for the filters, which are the last to come.
        make_mounts(unit, base, os.path.realpath(command[0]), writable)
        again = [sys.executable, "-B", __file__, executable, base, "--", *command]
        command = [*service_units.privileges(executable), *again]
    else:
        for loaded in filters(unit):
            loaded.load()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
