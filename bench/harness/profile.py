"""Where the time of ours goes: perf(1) samples the machine while a work runs."""

import contextlib
import os
import re
import signal
import subprocess
import time

COMMANDS = {"maildirsync-age": "agent", "maildirsyncd": "receiver"}  # as the kernel cuts them off
PARTS = (
    ("zstd", "libzstd"),
    ("kernel", r"\[kernel"),
    ("SQLite", "libsqlite"),
    ("memory", r"libc\.|ld-linux"),
    ("TLS, digests", "libcrypto|libssl|libxxhash"),
    ("delta", "librsync"),
    ("own", ""),  # and what it is made of: asio, protobuf, the C++ library
)
LEAST = 0.005  # a column that nothing reaches is left out


def part_of(library: str) -> str:
    return next(part for part, pattern in PARTS if re.match(pattern, library))


@contextlib.contextmanager
def sampled(directory: str, work: str, medium: str, shares: dict):
    """Keeps the samples in the directory, and adds their shares of all that ours took: (side, part) → 0..1."""
    path = os.path.join(directory, re.sub("[^a-z0-9]+", "-", f"{work} {medium}".lower()))
    sampler = subprocess.Popen(["perf", "record", "-q", "-a", "-F", "1999", "-o", path + ".data"], stderr=subprocess.DEVNULL)
    time.sleep(1)  # until it samples
    try:
        yield
    finally:
        sampler.send_signal(signal.SIGINT)
        sampler.wait()
    with open(path + ".txt", "w", encoding="utf-8") as file:
        file.write(report(path, "comm,dso,symbol"))
    lines = [line.split(";") for line in report(path, "comm,dso", "--percentage", "relative", "-t", ";").splitlines() if not line.startswith("#")]
    for overhead, command, library in (line for line in lines if len(line) == 3):
        key = COMMANDS[command.strip()], part_of(library.strip())
        shares[key] = shares.get(key, 0) + float(overhead.strip().rstrip("%")) / 100


def report(path: str, sort: str, *options: str) -> str:
    command = ["perf", "report", "--stdio", "--comm", ",".join(COMMANDS), "--sort", sort, *options, "-i", path + ".data"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace", check=False).stdout


def table(profiles: dict) -> list[str]:
    """(work, medium) → shares, in Markdown. The last repetition's."""
    columns = [(side, part) for side in COMMANDS.values() for part, _ in PARTS]
    columns = [column for column in columns if any(shares.get(column, 0) >= LEAST for shares in profiles.values())]
    lines = ["", "**where ours goes**, of all samples of both daemons", ""]
    lines.append("| | " + " | ".join(" ".join(column) for column in columns) + " |")
    lines.append("| --- " * (len(columns) + 1) + "|")
    for (work, medium), shares in profiles.items():
        lines.append(f"| {work}, {medium} | " + " | ".join(f"{shares.get(column, 0):.0%}" for column in columns) + " |")
    return lines
