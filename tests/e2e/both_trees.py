"""The check of both trees, for whatever file system the destination is on."""

import os
import shutil

from destination_lab import BothTreesTest
from maildirsync_testing import deliver, wait_until


class BothTrees(BothTreesTest):
    """`flush`, a new session and a clock compare the destination too, one look a folder."""

    def test_a_flush_with_nothing_pending_compares_no_account(self):
        self.copied()
        self.straggler()
        self.lab.flush()
        count = self.compared()
        self.lab.flush()
        self.assertEqual(count, self.compared(), self.lab.agent.tail())
        self.lab.agent.restart()
        self.lab.flush()
        self.assertEqual(count, self.compared(), self.lab.agent.tail())

    def test_what_is_under_way_when_a_session_begins_looks_like_no_one_elses_work(self):
        self.copied()
        for _ in range(3):
            self.lab.agent.stop()
            for directory, _, _ in os.walk(os.fsencode(self.root.source)):
                if os.path.basename(directory) == b"new":
                    for number in range(80):
                        self.serial += 1
                        deliver(os.path.dirname(directory), b"1800000000.M%dP8.old" % self.serial)
            self.lab.agent.start()
            self.lab.flush()
        self.assertEqual(0, self.compared(), self.lab.agent.tail())
        self.lab.assert_equal()

    def test_a_message_that_was_removed_at_the_destination_is_sent_again(self):
        self.copied()
        os.unlink(self.first())
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_flag_that_was_set_at_the_destination_and_a_message_that_was_put_there(self):
        self.copied()
        os.rename(self.first(), self.first() + b"S")
        deliver(os.path.dirname(os.path.dirname(self.first())), b"1900000000.M1P1.theirs")
        self.lab.flush()
        self.assertTrue(os.path.exists(self.first()))
        self.assertEqual(1, self.lab.agent.status()["roots"][0]["extra"])

    def test_a_folder_and_an_account_that_were_removed_at_the_destination(self):
        self.copied()
        for _ in range(3):  # one may be seen while the other has a turn, and the other way round
            shutil.rmtree(os.path.join(self.root.at_destination(self.account), b".Lists"))
            shutil.rmtree(os.path.dirname(self.root.at_destination(self.root.account(1))))
            self.lab.flush()
            self.lab.assert_equal()

    def test_a_change_between_two_messages_of_ours_is_not_taken_for_ours(self):
        self.copied()
        os.unlink(self.first())
        self.straggler()
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_new_session_finds_it_without_a_flush(self):
        self.copied()
        self.lab.receiver.stop()
        os.unlink(self.first())
        self.lab.receiver.start()
        wait_until(lambda: os.path.exists(self.first()), "the message is sent again", alive=self.lab.daemons)

    def test_a_drained_root_is_not_compared(self):
        self.copied()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        os.unlink(self.first())
        count = self.compared()
        self.lab.agent.flush()
        self.lab.receiver.restart()
        wait_until(lambda: self.lab.agent.status()["peer"]["connected"], "it is connected again", alive=self.lab.daemons)
        self.lab.agent.flush()
        self.assertFalse(os.path.exists(self.first()))
        self.assertEqual(count, self.compared())

    def test_a_mailbox_that_a_dovecot_opened_at_the_destination_is_seen_by_the_next_flush(self):
        self.copied()
        folder = self.root.at_destination(self.account)
        with open(os.path.join(folder, b"dovecot.index.log"), "wb") as file:
            file.write(b"index")
        self.lab.flush()
        problem = self.lab.agent.wait_problem("stale-index", "a@example.org")
        self.assertIn("repair-index", problem["detail"])


class BothTreesOnAVolume(BothTrees):
    """Each file system has its own stamps and inode numbers."""

    def setUp(self):
        super().setUp()
        self.volume()

    def test_an_older_image_of_the_volume_is_put_back(self):
        image = os.path.join(self.lab.base, "volume")
        self.copied()
        self.lab.receiver.stop()
        self.unmount()
        self.run_command("cp", "--sparse=always", image, image + ".older")
        self.mount(image)
        self.lab.receiver.start()
        late = [self.straggler() for _ in range(5)]
        self.lab.flush()
        self.lab.receiver.stop()
        self.unmount()
        os.rename(image + ".older", image)
        self.mount(image)
        self.lab.receiver.start()
        self.lab.receiver.wait_log("destination-older")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(all(os.path.exists(path) for path in late))
