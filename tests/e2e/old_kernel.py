"""Runs a program on a kernel that lacks system calls: each answers ENOSYS, as an older kernel does.

    old_kernel.py CALL[,CALL…] -- PROGRAM [ARGUMENT…]

"all" are the calls that came after Linux 3.10, which CentOS 7 has, and that the programs or their libraries know.
"""

import errno
import os
import sys

from run_in_unit import ALLOW, ERRNO, Filter, check, libc

CALLS = (
    "openat2 statx renameat2 fanotify_init fanotify_mark name_to_handle_at copy_file_range memfd_create close_range "
    "faccessat2 epoll_pwait2 clone3 pidfd_open getrandom getxattrat"
).split()
PR_SET_NO_NEW_PRIVS = 38


def names(text: str) -> list[str]:
    return CALLS if text == "all" else text.split(",")


def prefix(text: str) -> list[str]:
    """The command that execs a program without the calls."""
    return [sys.executable, "-B", os.path.abspath(__file__), text, "--"] if text else []


def main() -> None:
    calls, separator, *command = sys.argv[1:]
    if separator != "--":
        sys.exit(__doc__)
    if os.geteuid() != 0:
        check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    missing = Filter(ALLOW)
    for name in names(calls):
        missing.rule(ERRNO | errno.ENOSYS, name)
    missing.load()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
