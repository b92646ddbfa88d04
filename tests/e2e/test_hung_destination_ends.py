"""A mount at the destination that never answers: the receiver ends all the same, and all goes on once the mount answers."""

import unittest

from hung_mount_lab import HungDestinationTest
from maildirsync_testing import wait_until


class ItsEnd(HungDestinationTest):
    def test_all_goes_on_by_itself_once_it_answers(self):
        mount = self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.deliver_to(self.hung)
        mount.end()
        wait_until(lambda: not self.lab.receiver.problems(), "the receiver has no problem", alive=self.lab.daemons)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_the_receiver_ends_all_the_same_and_begins_anew_beside_it(self):
        self.start_and_hang()
        self.lab.receiver.wait_problem("timed-out", "does not answer")
        self.assertEqual(0, self.lab.receiver.stop())
        self.lab.receiver.start()
        self.assert_arrive(self.deliver_to(self.other))
        self.lab.receiver.wait_problem("timed-out", "does not answer")


if __name__ == "__main__":
    unittest.main()
