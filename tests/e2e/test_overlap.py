"""A root that lands in its own source, or around it: nothing is sent or deleted, every command says so by name, and it
goes on by itself when it is put right. The marker of another destination in a source is no hindrance."""

import json
import os
import shutil
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until

MARKER = ".maildirsync.root"
CODE = "destination-overlaps"


def picture(directory: str) -> dict:
    """Every path below, with its inode and its time of change."""
    seen = {}
    for folder, directories, files in os.walk(directory):
        for name in directories + files:
            if name.startswith(".maildirsync."):
                continue
            path = os.path.join(folder, name)
            status = os.lstat(path)
            seen[path] = (status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns if os.path.isfile(path) else 0)
    return seen


class OverlapTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=10))

    def land_in(self, path: str):
        os.makedirs(path, exist_ok=True)
        self.root.destination = path

    def assert_held(self, where: str) -> str:
        agent = self.lab.agent
        problem = agent.wait_problem(CODE, where)
        self.assertEqual((self.root.name, "", self.root.source), (problem["root"], problem["account"], problem["path"]))
        self.assertEqual("held", agent.status()["state"])
        self.assert_exit(2, agent.cli("status"))
        flushed = agent.flush(limit=20, complete=False)
        self.assertEqual((False, [CODE]), (flushed["complete"], sorted({one.get("code") for one in flushed["left_out"]})))
        verified = json.loads(agent.cli("--json", "verify").stdout)
        self.assertFalse(verified["equal"])
        self.assertIn(where, json.dumps(verified, ensure_ascii=False))
        for command in (["plan"], ["doctor", "--config", agent.config], ["cutover", "--switch", "true", "--freeze", "true", "--thaw", "true", "--yes"]):
            done = agent.cli(*command)
            self.assert_exit(1, done)
            self.assertIn(where, " ".join((done.stdout + done.stderr).split()), command[0])
        done = agent.cli("release", "--yes")
        self.assertIn("nothing was released", done.stdout + done.stderr)
        return problem["detail"]

    def reload(self, daemon):
        daemon.write_config()
        self.assert_exit(0, daemon.cli("reload"))

    def assert_goes_on_to(self, path: str):
        """The receiver's path is put right."""
        self.land_in(path)
        self.reload(self.lab.receiver)
        self.lab.agent.wait_state("live")
        self.assertEqual([], self.lab.agent.problems(CODE))
        self.lab.flush()
        self.lab.assert_equal()


class Destination(OverlapTest):
    def test_is_the_source_itself(self):
        before = picture(self.root.source)
        self.land_in(self.root.source)
        self.lab.start()
        detail = self.assert_held("is itself the directory in which it lands")
        self.assertIn("path", detail)
        deliver(self.root.account(0), b"1800000000.M1P1.mx")
        os.unlink(os.path.join(self.root.source, self.a_message()))
        self.lab.agent.flush(limit=10, complete=False)
        after = picture(self.root.source)
        self.assertEqual(len(before), len(after), "one came, one went")
        self.assertEqual({}, {path: seen for path, seen in after.items() if path in before and before[path] != seen})
        self.assert_goes_on_to(os.path.join(self.lab.base, "right"))

    def a_message(self) -> str:
        """One without another name, whose stamps would tell of its removal."""
        cur = os.path.join(os.fsdecode(self.root.account(1)), "cur")
        return next(path for path in (os.path.join(cur, name) for name in sorted(os.listdir(cur))) if os.lstat(path).st_nlink == 1)

    def test_is_empty_and_lies_in_the_source(self):
        """Where it would be walked as a domain."""
        self.land_in(os.path.join(self.root.source, "new"))
        before = picture(self.root.source)
        self.lab.start()
        self.assert_held("in the source")
        self.assertEqual(before, picture(self.root.source))
        self.assert_goes_on_to(os.path.join(self.lab.base, "right"))

    def test_is_an_account_of_the_source(self):
        account = os.path.join(self.root.source, "example.org", "x", "Maildir")
        self.land_in(account)
        before = picture(self.root.source)
        self.lab.start()
        self.assert_held(account)
        self.assertEqual(before, picture(self.root.source))

    def test_lies_beside_accounts(self):
        place = os.path.join(self.root.source, "example.org", "backups", "new")
        self.land_in(place)
        before = picture(self.root.source)
        self.lab.start()
        self.assert_held(place)
        self.assertEqual(before, picture(self.root.source))

    def test_lies_deep_and_is_found_by_a_full_flush(self):
        place = os.path.join(self.root.source, "example.org", "backups", "2026", "11", "new")
        self.land_in(place)
        self.lab.start()
        self.lab.agent.wait_state("live")  # it is too deep for the walk before the first mail
        self.lab.agent.flush("--full", limit=20, complete=False)
        self.lab.agent.wait_problem(CODE, place)
        after = picture(self.root.source)
        self.lab.agent.flush(limit=20, complete=False)
        self.lab.agent.restart()
        self.lab.agent.flush("--full", limit=20, complete=False)
        self.lab.agent.wait_problem(CODE, place)
        self.assertEqual(after, picture(self.root.source))

    def test_holds_the_source(self):
        self.root.source, above = os.path.join(self.root.source, "deeper", "mail"), self.root.source
        make_tree(self.root.source, TreeSpec(accounts=2, messages=40, seed=11))
        before = picture(above)
        self.land_in(above)
        self.lab.start()
        self.assert_held("lies in " + above)
        self.assertEqual(before, picture(above))
        self.lab.agent.restart()
        self.assert_held("lies in " + above)
        self.assertEqual(before, picture(above))

    def test_becomes_the_source_by_a_reload_and_the_agents_path_is_put_right(self):
        self.lab.start()
        self.lab.flush()
        right, self.root.source = self.root.source, self.root.destination
        before = picture(self.root.destination)
        self.reload(self.lab.agent)
        self.assert_held("is itself")
        self.assertEqual(before, picture(self.root.destination))
        self.root.source = right
        self.reload(self.lab.agent)
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()

    def test_is_known_where_its_marker_cannot_be_read(self):
        """A mount of the network takes the agent for any user: the file tells by what it is."""
        for folder, directories, files in os.walk(self.root.source):
            for name in directories + files:
                os.chmod(os.path.join(folder, name), 0o777)
        os.chmod(self.root.source, 0o777)
        self.land_in(self.root.source)
        agent = self.lab.agent
        os.makedirs(agent.state_dir, exist_ok=True)
        for path in (agent.directory, agent.state_dir, agent.identity.key, agent.identity.certificate):
            os.chown(path, 5000, 5000)
        agent.prefix = ["setpriv", "--reuid", "5000", "--regid", "5000", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all"]
        agent.write_config()
        os.chown(agent.config, 5000, 5000)
        self.lab.start()
        agent.wait_problem(CODE, "is itself")
        self.lab.receiver.restart()  # which writes its marker anew
        wait_until(lambda: agent.status()["peer"]["connected"], "the agent is connected", alive=self.lab.daemons)
        agent.wait_problem(CODE, "is itself")
        self.assertEqual([], [line for line in agent.log_text().splitlines() if "account-copied" in line])

    def test_of_one_root_is_the_source_of_another_and_the_other_way_round(self):
        other = self.lab.add_root("other")
        make_tree(other.source, TreeSpec(accounts=2, messages=30, seed=12))
        self.root.destination, other.destination = other.source, self.root.source
        before = [picture(self.root.source), picture(other.source)]
        self.lab.start()
        for root in (self.root, other):
            self.lab.agent.wait_problem(CODE, root.source)
        self.lab.agent.flush(limit=10, complete=False)
        self.assertEqual(before, [picture(self.root.source), picture(other.source)])


class OtherMarkers(OverlapTest):
    """None of them is this root's destination."""

    def test_a_chain_of_servers(self):
        """What lands at the second is the source of what lands at the third."""
        second = self.lab.add_agent("second")
        on = self.lab.add_root("vhosts", agent=second)
        shutil.rmtree(on.source)
        on.source = self.root.destination
        self.lab.start()
        self.lab.agent.flush()
        self.assertTrue(os.path.exists(os.path.join(on.source, MARKER)))
        second.flush()
        deliver(self.root.account(0), b"1800000000.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()
        second.restart()
        second.wait_state("live")
        self.assertEqual([], second.problems(CODE))
        self.lab.assert_equal()

    def test_the_way_back(self):
        """The former destination is the source, and the former source the destination."""
        self.lab.start()
        self.lab.flush()
        self.lab.agent.stop()
        back = self.lab.add_agent("back")
        root = self.lab.add_root("vhosts", agent=back)
        shutil.rmtree(root.source)
        shutil.rmtree(root.destination)
        root.source, root.destination = self.root.destination, self.root.source
        self.reload(self.lab.receiver)
        back.start()
        back.wait_state("live")
        self.assertEqual([], back.problems(CODE))
        self.lab.agents.remove(self.lab.agent)
        self.lab.flush()

    def test_a_copy_of_the_destination_is_held_until_the_marker_is_removed_from_it(self):
        self.lab.start()
        self.lab.flush()
        shutil.copy2(os.path.join(self.root.destination, MARKER), self.root.source)
        self.lab.agent.restart()
        detail = self.lab.agent.wait_problem(CODE, "is itself")["detail"]
        self.assertIn("remove the file .maildirsync.root from it", detail)
        os.unlink(os.path.join(self.root.source, MARKER))
        self.lab.agent.wait_state("live")
        deliver(self.root.account(0), b"1800000000.M1P1.mx")
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
