"""A mount at the source that never answers holds up what lies on it, and nothing else."""

import os
import signal
import unittest

from hung_mount_lab import HungMountTest
from maildir_trees import make_maildir
from maildirsync_testing import OWNER, wait_until


class OthersGoOn(HungMountTest):
    """A root at the source."""

    def test_its_other_roots_and_the_status_go_on(self):
        self.lab.start()
        self.lab.flush()
        self.hang(self.hung.source)
        self.assert_arrive(self.deliver_to(self.beside))
        states = {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}
        self.assertEqual("live", states["beside"])
        late = os.path.join(os.fsencode(self.beside.source), b"example.org", b"late", b"Maildir")
        os.makedirs(os.path.dirname(late), 0o755)
        make_maildir(late, OWNER, is_account=True)  # found by a walk, which the other root's does not hold up
        self.accounts["beside"].append(late)
        self.assert_arrive(self.deliver_to(self.beside))

    def test_accounts_that_hang_take_all_connections_only_for_a_moment(self):
        self.lab.start()
        self.lab.flush()
        mount = self.hang(os.path.join(self.hung.source, "example.org"))
        self.begin("flush")
        self.lab.agent.wait_problem("timed-out", "does not answer")
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.restart()
        self.assert_arrive(self.deliver_to(self.beside))
        mount.end()
        wait_until(lambda: not self.lab.agent.problems(), "the agent has no problem", alive=self.lab.daemons)
        self.assert_arrive(self.deliver_to(self.hung))
        self.lab.flush()
        self.lab.assert_equal()

    def test_it_begins_and_is_configured_anew_beside_it(self):
        self.lab.agent.extra["watch"] = {"backend": "auto"}
        mount = self.hang(self.hung.source)
        self.lab.start()
        self.assert_arrive(self.deliver_to(self.beside))
        self.lab.agent.signal(signal.SIGHUP)
        self.lab.agent.wait_log("reloaded")
        self.assert_arrive(self.deliver_to(self.beside))
        self.assertEqual("live", {root["name"]: root["state"] for root in self.lab.agent.status()["roots"]}["beside"])
        mount.end()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

if __name__ == "__main__":
    unittest.main()
