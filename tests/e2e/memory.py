"""What the daemons hold in memory, and a control group that bounds it."""

import os
import re
import tempfile

MIB = 1024 * 1024
V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


def _status(pid: int, key: str) -> int:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(re.search(rf"^{key}:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) * 1024


def resident(pid: int) -> int:
    """Bytes, now."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most bytes since the process began, or since forget_peak()."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


class ControlGroup:
    """A group of processes that may use so many bytes of memory together, page cache included; who needs more is killed.

    As a Daemon's `prefix`, `command` puts it there before it begins.
    """

    def __init__(self, limit: int):
        self._v1 = os.path.exists(os.path.join(V1, "memory.limit_in_bytes"))
        parent = V1 if self._v1 else V2
        self.path = tempfile.mkdtemp(prefix="maildirsync-test-", dir=parent)
        self._write("memory.limit_in_bytes" if self._v1 else "memory.max", limit)
        for name, value in () if self._v1 else (("memory.swap.max", 0),):
            if os.path.exists(os.path.join(self.path, name)):
                self._write(name, value)

    @staticmethod
    def why_not() -> str:
        """Why there can be none here; empty when there can."""
        try:
            group = ControlGroup(64 * MIB)
        except OSError as error:
            return f"no control group with a bound of memory can be made here: {error}"
        group.close()
        return ""

    @property
    def command(self) -> list[str]:
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    @property
    def kills(self) -> int:
        """How many of its processes were ended because they needed more."""
        with open(os.path.join(self.path, "memory.oom_control" if self._v1 else "memory.events"), encoding="utf-8") as file:
            found = re.search(r"^oom_kill (\d+)", file.read(), re.MULTILINE)
        return int(found[1]) if found else 0

    def close(self) -> None:
        """When its processes have ended."""
        os.rmdir(self.path)

    def _write(self, name: str, value: int) -> None:
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as file:
            file.write(str(value))
