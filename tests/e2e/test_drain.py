"""A drained root gives the mail that is new at the source, and changes nothing that users do at the destination."""

import os
import shutil
import signal
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_maildir


class Drain(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        make_maildir(os.path.join(self.account, b".Lists"), OWNER)
        for i in range(20):
            deliver(self.account, b"1700000000.M%dP1.mx:2," % i, b"Subject: %d\n\nx\n" % i, area=b"cur")
            deliver(os.path.join(self.account, b".Lists"), b"1700000001.M%dP1.mx:2," % i, area=b"cur")
        self.lab.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.there = self.root.at_destination(self.account)
        self.serial = 0

    def drain(self):
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        self.assertEqual("draining", self.lab.agent.status()["state"])

    def names(self, *below: bytes) -> set[bytes]:
        return set(os.listdir(os.path.join(self.there, *below)))

    def straggler(self, *below: bytes) -> bytes:
        """A message comes by the old server; where it is at the destination once it is there."""
        self.serial += 1
        path = self.root.at_destination(deliver(os.path.join(self.account, *below), b"1800000000.M%dP7.old" % self.serial))
        wait_until(lambda: os.path.exists(path), f"{path!r} arrives", alive=self.lab.daemons)
        return path

    def users_change_things(self):
        """At the destination, as people do on their new server."""
        cur = os.path.join(self.there, b"cur")
        os.unlink(os.path.join(cur, b"1700000000.M0P1.mx:2,"))
        os.rename(os.path.join(cur, b"1700000000.M1P1.mx:2,"), os.path.join(cur, b"1700000000.M1P1.mx:2,FS"))
        os.rename(os.path.join(cur, b"1700000000.M2P1.mx:2,"), os.path.join(self.there, b".Lists", b"cur", b"1700000000.M2P1.mx:2,S"))

    def assert_users_changes(self):
        cur = self.names(b"cur")
        self.assertNotIn(b"1700000000.M0P1.mx:2,", cur)
        self.assertEqual({b"1700000000.M1P1.mx:2,FS"}, {name for name in cur if b".M1P1" in name})
        self.assertEqual(set(), {name for name in cur if b".M2P1" in name})
        self.assertIn(b"1700000000.M2P1.mx:2,S", self.names(b".Lists", b"cur"))

    def test_gives_new_mail_and_repeats_nothing_else(self):
        self.drain()
        self.users_change_things()
        before = self.names(b"cur")
        source = os.path.join(self.account, b"cur")
        for i in range(3, 9):
            os.unlink(os.path.join(source, b"1700000000.M%dP1.mx:2," % i))
        os.rename(os.path.join(source, b"1700000000.M1P1.mx:2,"), os.path.join(source, b"1700000000.M1P1.mx:2,T"))
        os.rename(os.path.join(source, b"1700000000.M9P1.mx:2,"), os.path.join(self.account, b".Lists", b"cur", b"1700000000.M9P1.mx:2,"))
        with open(os.path.join(self.account, b"subscriptions"), "ab") as file:
            file.write(b"Old\n")
        shutil.rmtree(os.path.join(self.account, b".Lists"))
        self.straggler()
        self.lab.flush()
        self.assertEqual(before, self.names(b"cur"))
        self.assertEqual(21, len(self.names(b".Lists", b"cur")))
        self.assertFalse(os.path.exists(os.path.join(self.there, b"subscriptions")))
        self.assert_users_changes()

    def test_lasts_over_restarts_and_lost_connections(self):
        self.drain()
        self.users_change_things()
        self.lab.receiver.kill()
        late = [self.root.at_destination(deliver(self.account, b"1900000000.M%dP7.old" % i)) for i in range(50)]
        os.unlink(os.path.join(self.account, b"cur", b"1700000000.M5P1.mx:2,"))
        self.lab.receiver.start()
        wait_until(lambda: all(os.path.exists(path) for path in late), "mail arrives after the receiver's crash", alive=self.lab.daemons)
        self.lab.agent.kill()
        late = self.root.at_destination(deliver(self.account, b"1900000001.M1P7.old"))
        self.lab.agent.start()
        wait_until(lambda: os.path.exists(late), "mail arrives after the agent's crash", alive=self.lab.daemons)
        self.assertEqual("drain", self.lab.agent.status()["roots"][0]["mode"])
        self.lab.flush()
        self.assertIn(b"1700000000.M5P1.mx:2,", self.names(b"cur"))
        self.assert_users_changes()

    def test_another_receivers_state_brings_nothing_back(self):
        self.drain()
        self.users_change_things()
        self.lab.receiver.stop()
        shutil.rmtree(self.lab.receiver.state_dir)
        self.lab.receiver.start()
        self.lab.agent.wait_log("receiver-changed")
        self.straggler()
        self.lab.flush()
        self.assert_users_changes()

    def test_a_folder_that_users_removed_comes_back_for_new_mail_only(self):
        self.drain()
        shutil.rmtree(os.path.join(self.there, b".Lists"))
        self.straggler()
        self.lab.flush()
        self.assertFalse(os.path.exists(os.path.join(self.there, b".Lists")))
        path = self.straggler(b".Lists")
        self.lab.flush()
        self.assertEqual([os.path.basename(path)], os.listdir(os.path.join(self.there, b".Lists", b"new")))
        self.assertEqual(set(), self.names(b".Lists", b"cur"))

    def test_a_new_folder_and_a_new_account(self):
        self.drain()
        make_maildir(os.path.join(self.account, b".Fresh"), OWNER)
        self.straggler(b".Fresh")
        fresh = os.path.join(os.fsencode(self.root.source), b"example.org", b"b", b"Maildir")
        os.mkdir(os.path.dirname(fresh), 0o755)
        make_maildir(fresh, OWNER, is_account=True)
        path = self.root.at_destination(deliver(fresh, b"1800000000.M1P8.old"))
        wait_until(lambda: os.path.exists(path), "mail of a new account arrives", alive=self.lab.daemons)

    def test_an_account_that_goes_at_the_source_stays(self):
        self.drain()
        self.users_change_things()
        aside = os.path.join(self.lab.base.encode(), b"aside")
        os.rename(os.path.dirname(self.account), aside)
        # The only account: an empty root is held. Another one makes it an account that went.
        other = os.path.join(os.fsencode(self.root.source), b"example.org", b"b", b"Maildir")
        os.mkdir(os.path.dirname(other), 0o755)
        make_maildir(other, OWNER, is_account=True)
        deliver(other, b"1800000000.M1P8.old")
        self.lab.agent.wait_state("draining")
        self.lab.flush()
        self.assertEqual(18, len(self.names(b"cur")))
        os.rename(aside, os.path.dirname(self.account))
        self.straggler()
        self.lab.flush()
        self.assert_users_changes()

    def test_a_lost_state_gives_no_message_twice(self):
        self.drain()
        given = self.straggler()
        read = os.path.join(self.there, b"cur", os.path.basename(given) + b":2,S")
        os.rename(given, read)
        self.lab.agent.stop()
        shutil.rmtree(self.lab.agent.state_dir)
        self.root.options["mode"] = "drain"
        self.lab.agent.start()
        self.lab.agent.wait_state("draining")
        self.straggler()
        self.lab.flush()
        self.assertTrue(os.path.exists(read))
        self.assertFalse(os.path.exists(given))
        self.assertEqual(21, len(self.names(b"cur")))

    def test_mirror_makes_it_equal_again(self):
        self.drain()
        self.users_change_things()
        os.unlink(os.path.join(self.account, b"cur", b"1700000000.M5P1.mx:2,"))
        self.straggler()
        self.assert_exit(1, self.lab.agent.cli("mirror", "vhosts"))  # it says what it would undo
        self.assert_users_changes()
        self.assert_exit(0, self.lab.agent.cli("mirror", "vhosts", "--undo-what-users-did"))
        self.lab.flush()
        # What users moved there is theirs.
        theirs = b".Lists/cur/1700000000.M2P1.mx:2,S"
        self.assertEqual([], [found for found in self.lab.differences() if theirs not in found.path])

    def test_the_configurations_newer_word_counts(self):
        self.drain()
        self.lab.agent.restart()
        self.assertEqual("drain", self.lab.agent.status()["roots"][0]["mode"])
        self.root.options["mode"] = "drain"
        self.lab.agent.write_config()
        self.lab.agent.signal(signal.SIGHUP)
        self.lab.agent.wait_log("reloaded")
        self.root.options["mode"] = "mirror"
        self.lab.agent.restart()
        self.assertEqual("mirror", self.lab.agent.status()["roots"][0]["mode"])
        self.lab.flush()
        self.lab.assert_equal()


class DrainFromTheStart(LabTest):
    def test_a_destination_that_was_filled_before(self):
        root = self.lab.add_root(mode="drain")
        make_tree(root.source, TreeSpec(accounts=3, messages=60, seed=71))
        shutil.copytree(os.fsencode(root.source), os.fsencode(root.destination), symlinks=True, dirs_exist_ok=True)
        for directory, _, names in os.walk(os.fsencode(root.source)):
            for name in names:
                path = os.path.join(directory, name)
                os.lchown(root.at_destination(path), os.lstat(path).st_uid, os.lstat(path).st_gid)
        self.lab.start()
        self.lab.flush()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])
        self.assertEqual(0, self.lab.agent.totals()["deletes"])


if __name__ == "__main__":
    unittest.main()
