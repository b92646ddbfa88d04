"""Where the programs are, and where things may be put."""

import itertools
import os
import shutil
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("MAILDIRSYNC_BENCH_DIR", "/var/tmp/maildirsync-bench")
NEEDED = ("maildirsync", "maildirsync-agent", "maildirsyncd", "bench-corpus", "bench-deliver", "bench-link", "bench-limit")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_away = itertools.count()


def put_away(directory: str) -> None:
    """Out of the way, and not removed yet where it lies on a disk: ext4 gives out no inode that was freed in the last
    minutes, and to step over 50,000 of them costs whoever writes next more than the writing."""
    if not os.path.exists(directory):
        return
    if directory.startswith("/dev/shm/"):
        shutil.rmtree(directory)
    else:
        os.rename(directory, os.path.join(os.path.dirname(directory), f"away.{next(_away)}"))


def make_anew(directory: str) -> None:
    put_away(directory)
    os.makedirs(directory)


def find_programs() -> None:
    """Sets $MAILDIRSYNC_BIN, which the end-to-end tests' lab reads too. A fresh clone is built first."""
    directory = os.environ.setdefault("MAILDIRSYNC_BIN", os.path.join(REPOSITORY, "build/release/bin"))
    if all(os.path.exists(os.path.join(directory, name)) for name in NEEDED):
        return
    if directory != os.path.join(REPOSITORY, "build/release/bin"):
        sys.exit(f"bench/run: not all of {', '.join(NEEDED)} are in {directory}")
    say("building the release preset …")
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
        if subprocess.run(command, cwd=REPOSITORY, stdout=sys.stderr).returncode != 0:
            sys.exit(f"bench/run: {' '.join(command)} failed")


def program(name: str) -> str:
    return os.path.join(os.environ["MAILDIRSYNC_BIN"], name)
