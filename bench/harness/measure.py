"""What a run costs: wall time, processor time of both sides, bytes on the wire, peak memory."""

import dataclasses
import os
import signal
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Measurement:
    tool: str
    wall: float = 0.0  # seconds
    cpu_source: float = 0.0  # seconds, all processes of that side
    cpu_destination: float = 0.0
    wire: int = 0  # bytes, both directions
    memory: dict = dataclasses.field(default_factory=dict)  # process → peak resident bytes
    durable: bool = False
    latency: dict = dataclasses.field(default_factory=dict)  # of deliveries, as bench-deliver prints it
    problem: str = ""  # why there is no figure


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_of(pid: int) -> float:
    """Seconds of a process and of those of its descendants that have been waited for."""
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) / TICK if fields else 0.0


def cpu_of_tree(pid: int) -> float:
    """Seconds of a process and of its descendants, while they run."""
    return sum(cpu_of(each) for each in (pid, *children_of({pid})))


def children_of(parents: set[int]) -> dict[int, int]:
    """Descendants of `parents`: pid → parent."""
    parent_of = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields:
                parent_of[int(name)] = int(fields[1])
    found: dict[int, int] = {}
    grown = True
    while grown:
        grown = False
        for pid, parent in parent_of.items():
            if pid not in found and (parent in parents or parent in found):
                found[pid] = parent
                grown = True
    return found


def resident_memory(pid: int) -> int:
    """Bytes, now."""
    with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_memory(pid: int) -> tuple[str, int] | None:
    """The process' name and its peak resident memory in bytes."""
    name = ""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("Name:"):
                    name = line.split(":", 1)[1].strip()
                elif line.startswith("VmHWM:"):
                    return name, int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def forget_peak_memory(pid: int) -> None:
    try:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")
    except OSError:
        pass


class MemoryWatch:
    """Samples the peaks of short-lived processes below some others, until stopped.

    A root may be below another one, as the ssh server is below the bench; then it is not counted there.
    """

    INTERVAL = 0.1

    def __init__(self, **roots: int):  # side → pid
        self.peaks: dict[str, int] = {}
        self._roots = roots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self.INTERVAL):
            trees = {side: {root, *children_of({root})} for side, root in self._roots.items()}
            for side, pids in trees.items():
                for pid in pids.difference(*(tree for tree in trees.values() if tree < pids)):
                    peak = peak_memory(pid)
                    if peak:
                        key = f"{side} {peak[0]}"
                        self.peaks[key] = max(self.peaks.get(key, 0), peak[1])

    def stop(self) -> dict[str, int]:
        self._stop.set()
        self._thread.join()
        return self.peaks


def run_and_wait(command: list[str], *, limit: float = 0, **options) -> tuple[int, float, float, int]:
    """Exit status, wall and processor seconds of a command with all below it, and its pid.

    After `limit` seconds, if any, the command and its children are killed.
    """
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0 if limit else None, **options)
    kill = lambda: os.killpg(process.pid, signal.SIGKILL)
    timer = threading.Timer(limit or threading.TIMEOUT_MAX, kill)
    if limit:
        timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        if limit:
            kill()  # an interrupt at the terminal does not reach a group of its own
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.monotonic() - start, usage.ru_utime + usage.ru_stime, process.pid
