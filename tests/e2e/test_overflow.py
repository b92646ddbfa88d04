"""The watcher's limits: a queue that overflows, and a limit of watches that is used up.

With fanotify there is neither: the same flood must then pass without an overflow."""

import os
import signal
import sys
import unittest

from maildirsync_testing import WATCH, LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import find_accounts

# Runs a command as root of a user namespace of its own, all ids as outside, with a lower limit of inotify watches:
# limits of a user namespace are its own, so nobody else notices.
LIMITED = """
import ctypes, os, sys
limit, command = sys.argv[1], sys.argv[2:]
pid, (asked, ask), (told, tell) = os.getpid(), os.pipe(), os.pipe()
if os.fork() == 0:
    os.read(asked, 1)
    for ids in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{ids}", "w") as file: file.write("0 0 4294967295")
    os.write(tell, b"x")
    os._exit(0)
if ctypes.CDLL(None).unshare(0x10000000): sys.exit("unshare")
os.write(ask, b"x")
if not os.read(told, 1): sys.exit("no map")
os.wait()
for descriptor in (asked, ask, told, tell): os.close(descriptor)
with open("/proc/sys/user/max_inotify_watches", "w") as file: file.write(limit)
os.execvp(command[0], command)
"""


def limited(watches: int) -> list[str]:
    return [sys.executable, "-c", LIMITED, str(watches)]


def can_limit_watches() -> bool:
    import subprocess

    probe = "import sys; sys.exit(open('/proc/sys/user/max_inotify_watches').read().strip() != '77')"
    return subprocess.run([*limited(77), sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


class Overflow(LabTest):
    def test_a_flood_while_the_agent_stands_still_loses_nothing(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=6, messages=900, seed=71, median_size=1000))
        self.lab.start()
        self.lab.flush()
        with open("/proc/sys/fs/inotify/max_queued_events") as file:
            queue = int(file.read())
        if queue > 200_000:
            self.skipTest(f"fs.inotify.max_queued_events is {queue}: a flood would take too long")
        traffic = self.lab.write_traffic(root, seed=71)
        self.lab.agent.signal(signal.SIGSTOP)
        try:
            for _ in range(500):
                traffic.step()
            # Each flag change is two events.
            cur = next(
                path
                for path in (os.path.join(os.fsencode(root.source), account, b"cur") for account in find_accounts(os.fsencode(root.source), root.layout))
                if len(os.listdir(path)) >= 10
            )
            names = os.listdir(cur)
            while queue > -2000:
                for i, name in enumerate(names):
                    flags = name.rpartition(b":2,")[2]
                    other = name.rpartition(b":2,")[0] + b":2," + (flags.replace(b"Z", b"") if b"Z" in flags else flags + b"Z")
                    os.rename(os.path.join(cur, name), os.path.join(cur, other))
                    names[i] = other
                    queue -= 2
            for i in range(50):
                deliver(root.account(1), b"1700000000.M%dP7.mx" % i)
        finally:
            self.lab.agent.signal(signal.SIGCONT)
        self.lab.flush(limit=300)
        self.lab.assert_equal()
        overflows = self.lab.agent.totals()["overflows"]
        if WATCH == "fanotify":
            self.assertEqual(0, overflows)
        else:
            self.assertGreaterEqual(overflows, 1)
        # And live again afterwards.
        path = root.at_destination(deliver(root.account(0), b"1700000001.M1P7.mx"))
        wait_until(lambda: os.path.exists(path), "a delivery after the overflow", alive=self.lab.daemons)


class WatchLimit(LabTest):
    def test_folders_without_a_watch_are_shown_and_mirrored_all_the_same(self):
        if WATCH == "fanotify":
            self.skipTest("fanotify has no watches that could be used up")
        if not can_limit_watches():
            self.skipTest("a user namespace with its own limit of inotify watches is not permitted here")
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=8, messages=200, seed=72))
        self.lab.agent.prefix = limited(40)
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        status = self.lab.agent.status()
        self.assertGreater(status["roots"][0]["unwatched_folders"], 0)
        self.assertTrue(any(problem["code"] == "unwatched" for problem in status["problems"]))
        arrive = []
        for number in range(8):
            arrive.append(root.at_destination(deliver(root.account(number), b"1700000000.M1P8.mx")))
        for path in arrive:
            wait_until(lambda: os.path.exists(path), f"{path} is found by the periodic pass", alive=self.lab.daemons, limit=600)
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
