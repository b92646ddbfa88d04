"""Several roots and agents, other layouts, and the life of a daemon: pause, reload, end."""

import os
import shutil
import signal
import subprocess
import time
import unittest

from maildirsync_testing import SEED, LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir


class Roots(LabTest):
    def test_layouts(self):
        for number, (name, layout, nested) in enumerate(
            (("vhosts", "%d/%n/Maildir", False), ("whole", "%u", False), ("plain", "%n", True), ("deep", "mail/%d/users/%n", False))
        ):
            root = self.lab.add_root(name, layout)
            make_tree(root.source, TreeSpec(accounts=4, messages=80, seed=90 + number, layout=layout, fs_layout=nested))
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        status = self.lab.agent.status()
        self.assertEqual(["vhosts", "whole", "plain", "deep"], [root["name"] for root in status["roots"]])
        self.assertEqual([4] * 4, [root["accounts"] for root in status["roots"]])
        for root in self.lab.agent.roots:
            deliver(root.account(1), b"1700000000.M1P1.mx")
        nested = self.lab.agent.roots[2]
        deep = os.path.join(nested.account(0), b"Archive", b"2025")
        make_maildir(deep, (5000, 5000))
        deliver(deep, b"1700000000.M2P1.mx")
        os.rename(os.path.join(nested.account(1), b"Archive"), os.path.join(nested.account(1), b"Attic"))
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_copy_in_the_roots_place_is_held(self):
        """An older copy, by a path that is wrong or a restore of the old server: what it lacks is not deleted."""
        root = self.lab.add_root("vhosts")
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=91))
        self.lab.start()
        self.lab.flush()
        right, copy = root.source, root.source + ".copy"
        subprocess.run(["cp", "-a", right, copy], check=True)
        self.addCleanup(shutil.rmtree, copy)
        late = [root.at_destination(deliver(root.account(number), b"1700000000.M1P1.mx")) for number in range(3)]
        self.lab.flush()
        for change in ("reload", "restart"):
            with self.subTest(change=change):
                root.source = copy
                self.change_path(change)
                problem = self.lab.agent.wait_problem("root-gone", "is another directory than before")
                self.assertIn("nothing is deleted", problem["detail"])
                self.assertFalse(self.lab.agent.flush(limit=5, complete=False)["complete"])
                self.assertEqual([], [path for path in late if not os.path.exists(path)])
                root.source = right
                self.change_path(change)
                wait_until(lambda: not self.lab.agent.problems("root-gone"), "it goes on", alive=self.lab.daemons)
                self.lab.flush()
                self.lab.assert_equal()
        root.source = copy
        self.change_path("restart")
        self.lab.agent.wait_problem("root-gone", "is another directory than before")
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.lab.flush()
        self.lab.assert_equal()
        root.source = right

    def change_path(self, how: str):
        agent = self.lab.agent
        agent.write_config()
        if how == "restart":
            agent.restart()
        else:
            self.assert_exit(0, agent.cli("reload"))

    def test_include_and_exclude(self):
        root = self.lab.add_root("vhosts", include=["*@example.org", "*@example.net"], exclude=["user003@*"])
        make_tree(root.source, TreeSpec(accounts=6, messages=60, seed=95))
        self.lab.start()
        self.lab.flush()

        def included(account: bytes) -> bool:
            return account.startswith((b"example.org/", b"example.net/")) and b"user003" not in account

        self.lab.assert_equal(accounts=included)
        self.assertEqual({"example.org", "example.net"}, set(os.listdir(root.destination)) - {".maildirsync.root"})
        self.assertFalse(os.path.exists(os.path.join(root.destination, "example.org", "user003")))

    def test_two_agents_to_one_receiver(self):
        second = self.lab.add_agent("second")
        for number, agent in enumerate(self.lab.agents):
            root = self.lab.add_root("vhosts", agent=agent)
            make_tree(root.source, TreeSpec(accounts=5, messages=200, seed=96 + number))
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        # One that ends takes nothing from the other.
        self.lab.agent.kill()
        deliver(second.roots[0].account(0), b"1700000000.M1P1.mx")
        second.flush()
        deliver(self.lab.agent.roots[0].account(0), b"1700000000.M1P1.mx")
        self.lab.agent.start()
        self.lab.flush()
        self.lab.assert_equal()

    def test_several_connections_and_each_compression(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=6, messages=300, seed=97))
        self.lab.receiver.start()
        for number, (connections, compression) in enumerate(((1, "off"), (4, "19"), (3, "1"), (2, "auto"))):
            with self.subTest(connections=connections, compression=compression):
                self.lab.agent.extra["transfer"] = {"connections": connections, "compression": int(compression) if compression.isdigit() else compression}
                self.lab.agent.start()
                traffic = self.lab.write_traffic(root, seed=97 + number)
                for _ in range(100):
                    traffic.step()
                self.lab.flush()
                self.lab.assert_equal()
                self.lab.agent.stop()


class Life(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=98))
        self.lab.start()
        self.lab.flush()

    def test_pause_and_resume(self):
        self.assert_exit(0, self.lab.agent.cli("pause"))
        self.lab.agent.wait_state("paused")
        path = self.root.at_destination(deliver(self.root.account(0), b"1700000000.M1P1.mx"))
        result = self.lab.agent.flush("--timeout", "2", complete=False)
        self.assertFalse(result["complete"])
        self.assertFalse(os.path.exists(path))
        self.assert_exit(0, self.lab.agent.cli("resume"))
        wait_until(lambda: os.path.exists(path), "a delivery after resume", alive=self.lab.daemons)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_pause_is_kept_over_a_reconnect(self):
        self.assert_exit(0, self.lab.agent.cli("pause"))
        self.lab.receiver.restart()
        path = self.root.at_destination(deliver(self.root.account(0), b"1700000000.M2P1.mx"))
        time.sleep(1)
        self.assertFalse(os.path.exists(path))
        self.assert_exit(0, self.lab.agent.cli("resume"))
        self.lab.flush()
        self.lab.assert_equal()

    def test_reload_takes_a_new_root(self):
        fresh = self.lab.add_root("fresh", "%u")
        make_tree(fresh.source, TreeSpec(accounts=2, messages=20, seed=99, layout="%u"))
        for daemon in (self.lab.receiver, self.lab.agent):
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
        wait_until(lambda: len(self.lab.agent.status()["roots"]) == 2, "the new root shows in status", alive=self.lab.daemons)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_reload_without_a_change_disturbs_nothing(self):
        with self.lab.write_traffic(self.root, rate=100, seed=5):
            for daemon in self.lab.daemons * 3:
                daemon.signal(signal.SIGHUP)
                time.sleep(0.2)
        self.lab.flush()
        self.lab.assert_equal()

    def test_sigterm_under_traffic_ends_with_0_and_loses_nothing(self):
        with self.lab.write_traffic(self.root, rate=100, seed=6 + SEED):
            for daemon in (self.lab.agent, self.lab.receiver, self.lab.agent):
                time.sleep(0.5)
                # The contract says 5 s; the test only waits (longer under sanitizers) and looks at the status.
                self.assertEqual(0, daemon.stop(limit=5))
                daemon.start()
        self.lab.flush()
        self.lab.assert_equal()

    def test_sigterm_during_the_first_copy(self):
        self.lab.agent.stop()
        self.lab.receiver.stop()
        shutil.rmtree(self.root.destination)
        os.mkdir(self.root.destination, 0o755)
        for daemon in self.lab.daemons:  # else either of them would miss what was there
            daemon.lose_state()
        self.lab.receiver.start()
        self.lab.agent.start(ready=False)
        wait_until(lambda: self.lab.agent.log_text().count(" info start ") == 2, "the agent runs", alive=self.lab.daemons)
        self.assertEqual(0, self.lab.agent.stop(limit=5))
        self.lab.agent.start()
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
