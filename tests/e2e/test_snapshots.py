"""The destination is put back to an earlier time: the mail with the receiver's state, or the mail alone."""

import os
import shutil
import unittest

from destination_lab import BothTreesTest
from maildirsync_testing import deliver, wait_until

MARKER = ".maildirsync.root"


class Snapshots(BothTreesTest):
    def test_a_snapshot_of_mail_and_receiver_is_put_back(self):
        self.copied()
        self.lab.receiver.stop()
        there, state = self.there + ".snapshot", self.lab.receiver.state_dir + ".snapshot"
        self.run_command("cp", "-a", self.there, there)
        self.run_command("cp", "-a", self.lab.receiver.state_dir, state)
        self.lab.receiver.start()
        late = [self.straggler() for _ in range(5)]
        for account in range(6):
            deliver(self.root.account(account), b"1850000000.M%dP7.late" % account)
        self.lab.flush()
        self.lab.assert_equal()
        self.lab.receiver.stop()
        for path, snapshot in ((self.there, there), (self.lab.receiver.state_dir, state)):
            shutil.rmtree(path)
            os.rename(snapshot, path)
        self.lab.receiver.start()
        wait_until(lambda: "destination-changed" in self.lab.agent.log_text(), "the agent hears of it", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(all(os.path.exists(path) for path in late))

    def test_a_snapshot_of_the_mail_alone(self):
        self.copied()
        self.lab.receiver.stop()
        there = self.there + ".snapshot"
        self.run_command("cp", "-a", self.there, there)
        self.lab.receiver.start()
        self.straggler()
        self.lab.flush()
        self.lab.receiver.stop()
        shutil.rmtree(self.there)
        os.rename(there, self.there)
        self.lab.receiver.start()
        self.lab.receiver.wait_log("destination-older")
        self.lab.flush()
        self.lab.assert_equal()


class SnapshotsOfADrainedRoot(BothTreesTest):
    """What was given since the snapshot is lost by it, and is given again; what users had removed by then is not."""

    def setUp(self):
        super().setUp()
        self.agent, self.receiver = self.lab.agent, self.lab.receiver
        self.copied()

    def snapshot(self):
        self.receiver.stop()
        for path in (self.there, self.receiver.state_dir):
            self.run_command("cp", "-a", path, path + ".snapshot")
        self.receiver.start()
        self.agent.wait_state(*(["draining"] if self.drains() else ["live"]))

    def put_back(self, *paths: str):
        told = self.agent.log_text().count("destination-changed")
        self.receiver.stop()
        for path in paths or (self.there, self.receiver.state_dir):
            shutil.rmtree(path)
            self.run_command("cp", "-a", path + ".snapshot", path)
        self.receiver.start()
        wait_until(lambda: self.agent.log_text().count("destination-changed") > told, "the agent hears of it", alive=self.lab.daemons)

    def drains(self) -> bool:
        return self.agent.status()["roots"][0]["mode"] == "drain"

    def drain(self):
        self.assert_exit(0, self.agent.cli("drain", "vhosts"))
        self.agent.wait_state("draining")
        self.receiver.wait_log("stock-taken")

    def given(self, *names: bytes) -> list[bytes]:
        """New messages, each in another account, which have arrived."""
        paths = [deliver(self.root.account(number), name) for number, name in enumerate(names)]
        self.agent.flush()
        there = [self.root.at_destination(path) for path in paths]
        self.assertTrue(all(os.path.exists(path) for path in there))
        return there

    def given_again(self) -> int:
        return self.agent.status()["roots"][0]["decision"]["given_again_messages"]

    def test_one_from_before_the_drain(self):
        self.snapshot()
        lost = self.given(b"1700000000.M1P1.mirrored", b"1700000000.M2P1.mirrored")
        self.drain()
        lost += self.given(b"1900000000.M1P1.given", b"1900000000.M2P1.given")
        self.put_back()
        self.agent.flush()
        self.assertEqual([], [path for path in lost if not os.path.exists(path)])
        self.assertEqual(4, self.given_again())
        self.agent.wait_state("draining")
        self.lab.assert_equal()

    def test_the_same_one_again_and_again(self):
        self.drain()
        self.snapshot()
        lost = self.given(b"1900000001.M1P1.lost", b"1900000001.M2P1.lost")
        for paths in ((), (), (self.there,), (self.there,), ()):
            with self.subTest(paths):
                before = self.given_again()
                self.put_back(*paths)
                self.agent.wait_state("draining")
                self.agent.flush()
                self.assertEqual([], [path for path in lost if not os.path.exists(path)])
                self.assertEqual(2, self.given_again() - before)

    def test_one_from_the_drain_keeps_what_users_had_removed(self):
        self.drain()
        stays = self.given(b"1900000000.M1P1.given", b"1900000000.M2P1.given")
        removed = [self.first(), stays.pop()]
        for path in removed:
            os.unlink(path)
        self.snapshot()
        lost = self.given(b"1900000001.M1P1.lost", b"1900000001.M2P1.lost", b"1900000001.M3P1.lost")
        again = stays[0]
        os.unlink(again)  # the snapshot has it
        self.put_back()
        self.agent.flush()
        self.assertEqual([], [path for path in [*lost, again] if not os.path.exists(path)])
        self.assertEqual([], [path for path in removed if os.path.exists(path)])
        self.assertEqual(3, self.given_again())
        # From now on what users remove of it is theirs again, whatever the agent does or forgets.
        os.unlink(lost[0])
        self.agent.restart()
        self.agent.flush("--full")
        self.agent.stop()
        shutil.rmtree(self.agent.state_dir)
        self.agent.start()
        self.agent.wait_state("draining")
        self.agent.flush("--full")
        self.assertEqual([], [path for path in [lost[0], *removed] if os.path.exists(path)])

    def test_the_mail_alone_while_the_agent_is_down(self):
        self.drain()
        self.snapshot()
        lost = self.given(b"1900000001.M1P1.lost", b"1900000001.M2P1.lost")
        self.agent.stop()
        self.receiver.stop()
        shutil.rmtree(self.there)
        os.rename(self.there + ".snapshot", self.there)
        self.receiver.start()
        self.receiver.wait_log("destination-older")
        self.agent.start()
        self.agent.flush()
        self.assertEqual([], [path for path in lost if not os.path.exists(path)])
        self.assertEqual(2, self.given_again())

    def test_a_directory_that_a_person_took_as_it_is_gets_nothing_again(self):
        """It is another one, and how old, nobody knows: what is missing may be its users' work."""
        self.drain()
        gone = self.given(b"1900000001.M1P1.given")[0]
        os.unlink(gone)
        os.unlink(os.path.join(self.there, MARKER))
        self.agent.wait_problem("destination-gone")
        self.assert_exit(0, self.agent.cli("release"))
        wait_until(lambda: "destination-changed" in self.agent.log_text(), "the agent hears of it", alive=self.lab.daemons)
        self.agent.wait_state("draining")
        self.agent.flush("--full")
        self.assertFalse(os.path.exists(gone))
        self.assertEqual(0, self.given_again())


class OlderVolume(BothTreesTest):
    def test_one_that_is_mounted_at_a_drained_root_while_all_runs(self):
        """What the receiver remembers of mail that its users had is as old as the volume, too."""
        image = self.volume()
        self.copied()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        self.lab.receiver.wait_log("stock-taken")
        removed = os.path.join(self.root.at_destination(self.account), b"cur", b"1700000000.M3P1.mx:2,")
        os.unlink(removed)
        self.lab.receiver.stop()
        self.unmount()
        self.run_command("cp", "--sparse=always", image, image + ".older")
        self.mount(image)
        self.lab.receiver.start()
        late = [self.straggler() for _ in range(3)]
        self.lab.agent.flush()
        self.assertTrue(all(os.path.exists(path) for path in late))
        self.unmount("--lazy")
        self.mount(image + ".older")
        self.lab.receiver.wait_log("destination-older")
        wait_until(lambda: "destination-changed" in self.lab.agent.log_text(), "the agent hears of it", alive=self.lab.daemons)
        self.lab.agent.wait_state("draining")
        self.lab.agent.flush()
        self.assertEqual([], [path for path in late if not os.path.exists(path)])
        self.assertFalse(os.path.exists(removed))
        self.assertIn("given-again root=vhosts account=a@example.org messages=3", self.lab.agent.log_text())


if __name__ == "__main__":
    unittest.main()
