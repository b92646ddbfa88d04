"""A mount at the source that never answers, or one under the agent's own state: the agent ends all the same, and all is as before."""

import unittest

from hung_mount_lab import HungMountTest


class ItsEnd(HungMountTest):
    def test_it_ends_all_the_same_and_all_is_as_before_once_the_mount_is_gone(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(self.hung.source)
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual(0, self.lab.agent.stop())
        mount.end()
        self.lab.agent.start()
        self.assert_arrive(self.deliver_to(self.hung))
        self.lab.flush()
        self.lab.assert_equal()

    def test_its_own_directory_hangs(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(self.lab.agent.state_dir)
        self.begin("pause")
        self.lab.agent.status()
        self.assertEqual(0, self.lab.agent.stop())
        mount.end()
        self.lab.agent.start()
        self.begin("resume").wait()
        for root in (self.hung, self.beside):
            self.assert_arrive(self.deliver_to(root))
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
