"""The directory at the destination is known again: another one, or none, is not written to; an older one is compared."""

import os
import shutil
import unittest

from destination_lab import DestinationTest
from maildirsync_testing import OWNER, TreeSpec, make_tree, wait_until
from maildir_trees import make_maildir

MARKER = ".maildirsync.root"


class Identity(DestinationTest):
    """It is known again; another one is held."""

    def test_the_marker_is_the_services_own_and_no_mail(self):
        self.copied()
        status = os.stat(os.path.join(self.there, MARKER))
        self.assertEqual((0o600, os.geteuid()), (status.st_mode & 0o7777, status.st_uid))
        self.assert_exit(0, self.lab.agent.cli("verify", "--deep"))
        plan = self.lab.agent.cli("plan").stdout
        self.assertNotIn(MARKER, plan)

    def test_something_is_mounted_over_it_while_all_runs(self):
        self.own_mounts()
        self.copied()
        self.run_command("mount", "-t", "tmpfs", "maildirsync-test", self.there)
        self.straggler()
        self.assert_held("is empty")
        self.assertEqual([], os.listdir(self.there))
        self.unmount()
        self.assert_goes_on()

    def test_a_marker_that_was_removed_is_held_until_the_receiver_is_told(self):
        self.copied()
        os.unlink(os.path.join(self.there, MARKER))
        self.assert_held("lacks the file .maildirsync.root")
        done = self.lab.receiver.cli("release")
        self.assert_exit(0, done)
        self.assertIn("released: " + self.there, done.stdout)
        self.assert_goes_on()

    def test_a_root_that_was_emptied(self):
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        shutil.rmtree(os.path.join(self.there, "example.org"))
        self.assert_held("is empty, and there were accounts in it")
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.assert_goes_on()

    def test_a_root_that_is_emptied_bit_by_bit(self):
        """A look amid a removal sends nothing into it: the root is empty in the end, and held."""
        make_tree(self.root.source, TreeSpec(accounts=4, messages=80, seed=15))
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.there, "example.org")) for name in names]
        self.lab.receiver.stop()
        for path in paths[: len(paths) // 2]:
            os.unlink(path)
        self.lab.receiver.start()  # and with it, each account is looked at
        self.lab.agent.wait_log("destination-differs")
        for path in paths[len(paths) // 2 :]:
            self.assertFalse(os.path.exists(paths[0]), "nothing was sent into it")
            os.unlink(path)
        for name in os.listdir(self.there):
            if not name.startswith(".maildirsync."):
                shutil.rmtree(os.path.join(self.there, name))
        self.assert_held("is empty, and there were accounts in it")
        self.assert_exit(0, self.lab.agent.cli("release"))
        self.assert_goes_on()

    def known_roots(self) -> str:
        with open(os.path.join(self.lab.receiver.state_dir, "roots.json"), encoding="utf-8") as file:
            return file.read()

    def test_an_account_that_is_removed_at_the_source_empties_the_root_and_holds_nothing(self):
        self.lab.agent.roots.clear()
        self.root = self.lab.add_root("flat", "%n")
        make_maildir(os.path.join(os.fsencode(self.root.source), b"a"), OWNER, is_account=True)
        self.copied()
        wait_until(lambda: '"had_accounts": true' in self.known_roots(), "the receiver has seen accounts", alive=self.lab.daemons)
        self.lab.agent.cli("release")
        shutil.rmtree(os.path.join(self.root.source, "a"))
        self.lab.agent.wait_problem("root-gone")
        self.assert_exit(0, self.lab.agent.cli("release"))
        wait_until(lambda: not os.path.exists(os.path.join(self.there, "a")), "the account goes", alive=self.lab.daemons)
        self.lab.receiver.restart()
        wait_until(lambda: self.lab.agent.status()["peer"]["connected"], "it is connected again", alive=self.lab.daemons)
        self.assertEqual([], self.lab.receiver.problems("destination-gone"))
        self.assertEqual([], self.lab.agent.problems("destination-gone"))

    def test_a_destination_that_was_filled_before_is_taken_as_it_is(self):
        shutil.copytree(self.root.source, self.there, dirs_exist_ok=True)
        self.lab.start()
        self.lab.flush()
        self.assertEqual([], self.lab.receiver.problems())
        self.assertTrue(os.path.exists(os.path.join(self.there, MARKER)))

    def test_the_marker_goes_with_the_root(self):
        self.copied()
        self.lab.agent.roots.clear()
        self.lab.receiver.write_config()
        self.lab.receiver.signal(1)
        wait_until(lambda: not os.path.exists(os.path.join(self.there, MARKER)), "the marker goes", alive=self.lab.daemons)
        self.lab.agent.roots.append(self.root)
        self.lab.receiver.write_config()
        self.lab.receiver.signal(1)
        wait_until(lambda: os.path.exists(os.path.join(self.there, MARKER)), "the marker is there again", alive=self.lab.daemons)
        self.assert_goes_on()

    def test_another_path_by_the_configuration_is_no_hold(self):
        self.copied()
        self.lab.receiver.stop()
        self.root.destination += "-elsewhere"
        os.mkdir(self.there, 0o755)
        self.lab.receiver.start()
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
