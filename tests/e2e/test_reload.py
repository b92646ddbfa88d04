"""SIGHUP under traffic: roots, accounts, peers and owners come and go, no connection drops, and nothing is lost or sent twice."""

import os
import signal
import time
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, keygen, make_tree, wait_until
from maildir_trees import account_path

BASE = b"1700000000.M%dP1.mx"


class Reload(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=6, messages=200, seed=501))
        self.lab.start()
        self.lab.flush()
        # The lanes' connections are all there before anything is counted.
        self.lab.agent.wait_state("live")
        wait_until(lambda: self.connections() == self.lab.agent.status()["peer"].get("connections", 1), "all connections", alive=self.lab.daemons)
        self.greetings = self.lab.receiver.log_text().count(" connected peer=")

    def connections(self):
        return sum(peer["connections"] for peer in self.lab.receiver.status()["peers"] if peer["name"] == "agent")

    def reload(self, *daemons):
        for daemon in daemons:
            before = daemon.log_text().count(" reloaded ")
            daemon.write_config()
            daemon.signal(signal.SIGHUP)
            wait_until(lambda: daemon.log_text().count(" reloaded ") > before, f"{daemon.name} reloads", alive=self.lab.daemons)

    def assert_never_disconnected(self):
        self.assertEqual(self.greetings, self.lab.receiver.log_text().count(" connected peer=agent "))
        for daemon in self.lab.daemons:
            self.assertNotIn(" disconnected ", daemon.log_text())

    def test_roots_come_and_go_without_a_reconnect(self):
        with self.lab.write_traffic(self.root, rate=60, seed=501):
            fresh = self.lab.add_root("fresh", "%u")
            make_tree(fresh.source, TreeSpec(accounts=3, messages=40, seed=502, layout="%u"))
            self.reload(self.lab.receiver, self.lab.agent)
            wait_until(lambda: not self.accounts_that_differ(fresh), "the new root arrives", alive=self.lab.daemons)
            # Gone from the agent first, then from the receiver: what was copied stays.
            self.lab.agent.roots.remove(fresh)
            self.reload(self.lab.agent, self.lab.receiver)
            kept = sorted(os.listdir(fresh.destination))
            deliver(fresh.account(0), BASE % 1)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(["vhosts"], [root["name"] for root in self.lab.agent.status()["roots"]])
        self.assertEqual(kept, sorted(os.listdir(fresh.destination)))
        self.assertFalse(os.path.exists(fresh.at_destination(os.path.join(fresh.account(0), b"new", BASE % 1))))
        # And back: what came meanwhile is caught up on, what was there is not sent again.
        sent = self.lab.agent.totals()["messages_sent"]
        self.lab.agent.roots.append(fresh)
        self.reload(self.lab.receiver, self.lab.agent)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(sent + 1, self.lab.agent.totals()["messages_sent"])
        self.assert_never_disconnected()

    def accounts_that_differ(self, root):
        from maildir_trees import compare_trees

        return compare_trees(root.source, root.destination, root.layout)

    def bandwidth(self, *lines):
        """What status says once these lines are the schedule."""
        self.lab.agent.extra["transfer"] = {"schedule": list(lines), "bandwidth_limit": "77 kB/s"}
        self.reload(self.lab.agent)
        return self.lab.agent.status()["bandwidth"]

    def test_the_bandwidth_goes_by_the_time_of_the_week(self):
        self.assertEqual((0, None, None), tuple(self.lab.agent.status()["bandwidth"][key] for key in ("limit", "by", "until")))
        always = self.bandwidth("00:00-24:00 123 kB/s connections=1")
        self.assertEqual((123_000, "00:00-24:00 123 kB/s connections=1", 1), (always["limit"], always["by"], always["connections"]))
        self.lab.agent.wait_log("bandwidth limit=123000")
        self.assertIn("bandwidth: ", self.lab.agent.cli("status").stdout)
        # On some day of the week, and it is not today.
        today = time.localtime().tm_wday
        other = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(today + 3) % 7]
        later = self.bandwidth(f"{other} 1 MiB/s")
        self.assertEqual((77_000, None), (later["limit"], later["by"]))
        self.assertRegex(later["until"], r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(1 << 20, self.bandwidth(f"{other} 5", "00:00-24:00 1 MiB/s")["limit"])
        path = self.root.at_destination(deliver(self.root.account(0), BASE % 9))
        wait_until(lambda: os.path.exists(path), "a delivery", alive=self.lab.daemons)
        self.assert_never_disconnected()
        self.lab.agent.write_config()

    def test_a_root_that_the_receiver_does_not_know_yet_waits_alone(self):
        fresh = self.lab.add_root("fresh", "%u")
        make_tree(fresh.source, TreeSpec(accounts=2, messages=20, seed=503, layout="%u"))
        self.reload(self.lab.agent)
        problem = self.lab.agent.wait_problem("root-gone", "fresh")
        self.assertIn("[[peer.root]]", problem["detail"])
        path = self.root.at_destination(deliver(self.root.account(0), BASE % 2))
        wait_until(lambda: os.path.exists(path), "a delivery into the other root", alive=self.lab.daemons)
        # Over a restart as well: it does not keep the agent from its other roots.
        self.lab.agent.restart()
        path = self.root.at_destination(deliver(self.root.account(0), BASE % 3))
        wait_until(lambda: os.path.exists(path), "a delivery into the other root", alive=self.lab.daemons)
        self.reload(self.lab.receiver)
        wait_until(lambda: not self.lab.agent.problems(), "the problem clears", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()

    def test_accounts_are_excluded_and_included(self):
        names = [account_path("%u", number) for number in range(6)]
        others = [account_path("%d/%n/Maildir", number).encode() for number in (0, 2, 4)]
        with self.lab.write_traffic(self.root, rate=60, seed=504):
            self.root.options["exclude"] = [names[number] for number in (1, 3, 5)]
            self.reload(self.lab.agent)
            self.lab.agent.wait_log("account-excluded .*" + names[5].split("@")[0])
            wait_until(lambda: self.lab.agent.status()["roots"][0]["accounts"] == 3, "three accounts are left", alive=self.lab.daemons)
            left = deliver(self.root.account(1), BASE % 4)
            taken = deliver(self.root.account(0), BASE % 4)
            wait_until(lambda: os.path.exists(self.root.at_destination(taken)), "a delivery", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal(accounts=lambda account: account in others)
        self.assertFalse(os.path.exists(self.root.at_destination(left)))
        self.assertEqual([], self.lab.agent.problems())
        for number in (1, 3, 5):  # what was copied stays
            self.assertTrue(os.path.isdir(self.root.at_destination(self.root.account(number))))
        self.root.options["exclude"] = []
        self.reload(self.lab.agent)
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_never_disconnected()

    def test_excluding_most_accounts_holds_nothing(self):
        self.lab.agent.stop()
        many = self.lab.add_root("many", "%u")
        make_tree(many.source, TreeSpec(accounts=24, messages=48, seed=505, layout="%u", extras=False))
        self.reload(self.lab.receiver)
        self.lab.agent.start()
        self.lab.flush()
        many.options["include"] = ["user000@*"]
        self.reload(self.lab.agent)
        wait_until(lambda: self.lab.agent.status()["roots"][1]["accounts"] == 1, "one account is left", alive=self.lab.daemons)
        time.sleep(1)
        self.assertEqual("live", self.lab.agent.status()["state"])
        self.lab.flush()
        accounts = [name for name in os.listdir(os.fsencode(many.destination)) if not name.startswith(b".maildirsync.")]
        self.assertEqual(24, len(accounts))

    def test_a_mistyped_pattern_is_said_until_it_is_put_right(self):
        """All accounts left out are no finished mirror; and nothing that the wrong pattern found stays a problem."""
        agent = self.lab.agent
        for wrong in ({"layout": "%n/Maildir"}, {"options": {"include": ["*@exmaple.org"]}}):
            right = {key: getattr(self.root, key) for key in wrong}
            for key, value in wrong.items():
                setattr(self.root, key, value)
            self.reload(agent)
            self.assertIn("holds no account of the form", agent.wait_problem("no-accounts")["detail"])
            self.assert_exit(1, agent.cli("status"))
            flushed = agent.flush(complete=False)
            self.assertEqual((False, ["no-accounts"]), (flushed["complete"], sorted({one["code"] for one in flushed["left_out"]} - {"mail-left-out"})))
            self.assert_exit(1, agent.cli("verify"))  # which looks everywhere
            for key, value in right.items():
                setattr(self.root, key, value)
            self.reload(agent)
            wait_until(lambda: not agent.problems(), "no problem is left", alive=self.lab.daemons)
            self.lab.flush()
        self.lab.assert_equal()

    def test_peers_come_and_go(self):
        second = self.lab.add_agent("second")
        root = self.lab.add_root("vhosts", agent=second)
        make_tree(root.source, TreeSpec(accounts=2, messages=30, seed=506))
        with self.lab.write_traffic(self.root, rate=60, seed=506):
            self.reload(self.lab.receiver)
            second.start()
            second.flush()
            # Its key is withdrawn: it is shut out at once, and said so; the other one does not notice.
            right, second.identity = second.identity, keygen(os.path.join(second.directory, "other"), "other")
            self.lab.receiver.write_config()
            self.lab.receiver.signal(signal.SIGHUP)
            wait_until(lambda: not second.status()["peer"]["connected"], "the second agent is shut out", alive=self.lab.daemons)
            kept = deliver(root.account(0), BASE % 5)
            second.identity = right
            self.assertFalse(os.path.exists(root.at_destination(kept)))
            self.reload(self.lab.receiver)
            second.flush()
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(self.greetings, self.lab.receiver.log_text().count(" connected peer=agent "))

    def test_a_half_written_configuration_is_refused_as_a_whole(self):
        for daemon in self.lab.daemons:
            with self.subTest(daemon.name):
                daemon.write_config()
                with open(daemon.config, "r+", encoding="utf-8") as file:
                    text = file.read()
                    file.truncate(len(text.encode()) * 2 // 3)
                daemon.signal(signal.SIGHUP)
                daemon.wait_log("reload-refused .*" + os.path.basename(daemon.config))
        deliver(self.root.account(0), BASE % 6)
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_never_disconnected()

    def test_owners_change_for_what_comes_and_for_what_is_there(self):
        self.root.owner.update(policy="map", users={"5000": "7000", "5001": "7001", "5002": "7002"}, groups={"5000": "7000", "5002": "7002"})
        self.reload(self.lab.receiver)
        path = deliver(self.root.account(0), BASE % 7)
        wait_until(lambda: os.path.exists(self.root.at_destination(path)), "a delivery", alive=self.lab.daemons)
        self.assertEqual((7000, 7000), (os.stat(self.root.at_destination(path)).st_uid, os.stat(self.root.at_destination(path)).st_gid))
        sent = self.lab.agent.totals()["messages_sent"]
        self.lab.agent.flush("--full")
        # The directories above the accounts are made with their owners, and are nobody's afterwards.
        accounts = tuple(account_path(self.root.layout, number).encode() for number in range(6))
        self.lab.assert_equal(map_owner=lambda uid, gid: (uid + 2000, gid + 2000), skip=lambda path: not path.startswith(accounts))
        self.assertEqual(sent, self.lab.agent.totals()["messages_sent"])
        self.assert_never_disconnected()


if __name__ == "__main__":
    unittest.main()
