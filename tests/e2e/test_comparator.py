"""The oracle itself: equal trees are equal, and each planted fault is found by its name."""

import os
import shutil
import subprocess
import tempfile
import unittest

import maildir_trees as trees
from maildir_traffic import Traffic


class Comparator(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="maildirsync-test-")
        self.addCleanup(shutil.rmtree, self.base)
        self.source, self.destination = os.path.join(self.base, "source"), os.path.join(self.base, "destination")
        trees.make_tree(self.source, trees.TreeSpec(accounts=4, messages=80, seed=7))
        subprocess.run(["cp", "-a", self.source, self.destination], check=True)
        self.account = os.fsencode(os.path.join(self.destination, trees.account_path("%d/%n/Maildir", 0)))
        self.message = self.first(self.account)

    def first(self, account):
        cur = os.path.join(account, b"cur")
        return os.path.join(cur, sorted(name for name in os.listdir(cur) if os.lstat(os.path.join(cur, name)).st_nlink == 1)[0])

    def differences(self, **options):
        return trees.compare_trees(self.source, self.destination, **options)

    def assert_found(self, *kinds, **options):
        found = self.differences(**options)
        self.assertEqual(sorted(kinds), sorted({difference.kind for difference in found}), "\n".join(map(str, found)))

    def test_a_copy_is_equal(self):
        self.assertEqual([], self.differences())

    def test_the_same_seed_makes_the_same_tree(self):
        again = os.path.join(self.base, "again")
        trees.make_tree(again, trees.TreeSpec(accounts=4, messages=80, seed=7))
        self.assertEqual([], trees.compare_trees(self.source, again))

    def test_what_is_left_out_is_no_difference(self):
        for name in (b"dovecot.index.cache", b"dovecot.list.index.log"):
            os.unlink(os.path.join(self.account, name))
        os.unlink(os.path.join(self.account, b"tmp", b"1600000000.M1P1.half"))
        source = os.fsencode(os.path.join(self.source, trees.account_path("%d/%n/Maildir", 0)))
        os.symlink(b"/etc/passwd", os.path.join(source, b"outside"))
        os.symlink(b"../../../x", os.path.join(source, b"cur", b"outside"))
        os.mkfifo(os.path.join(source, b"cur", b"fifo"))
        trees.write_file(os.path.join(source, b"dovecot-uidlist.lock"), b"", (0, 0), 0o600)
        self.assertEqual([], self.differences())

    def test_a_missing_message(self):
        os.unlink(self.message)
        self.assert_found("missing")

    def test_an_extra_message(self):
        trees.write_file(os.path.join(self.account, b"new", b"1.x"), b"", (5000, 5000), 0o600)
        self.assert_found("extra")

    def test_other_bytes_of_the_same_size_and_time(self):
        status = os.stat(self.message)
        with open(self.message, "r+b") as file:
            file.write(b"#")
        os.utime(self.message, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assert_found("content")

    def test_a_nanosecond(self):
        status = os.stat(self.message)
        os.utime(self.message, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        self.assert_found("time")

    def test_a_mode(self):
        os.chmod(self.message, 0o644)
        self.assert_found("mode")

    def test_a_directory_mode(self):
        os.chmod(os.path.join(self.account, b"cur"), 0o755)
        self.assert_found("mode")

    def test_an_owner(self):
        os.chown(self.message, 4242, -1)
        self.assert_found("owner")

    def test_mapped_owners(self):
        self.assert_found("owner", map_owner=lambda uid, gid: (uid + 1, gid))

    def test_a_flag(self):
        os.rename(self.message, self.message + b"T")
        self.assert_found("extra", "missing")

    def test_a_broken_hard_link(self):
        cur = os.path.join(self.account, b"cur")
        linked = [name for name in os.listdir(cur) if os.lstat(os.path.join(cur, name)).st_nlink > 1]
        path = os.path.join(cur, linked[0])
        subprocess.run([b"cp", b"-p", path, path + b".copy"], check=True)
        os.rename(path + b".copy", path)
        self.assert_found("links")
        self.assert_found(links=False)

    def test_a_link_that_should_be_none(self):
        other = os.path.join(self.account, b"cur", sorted(os.listdir(os.path.join(self.account, b"cur")))[-1])
        self.assertNotEqual(other, self.message)
        shutil.copy2(self.message, other)
        os.unlink(self.message)
        os.link(other, self.message)
        self.assertIn("links", {difference.kind for difference in self.differences()})

    def test_a_symbolic_link_elsewhere(self):
        path = os.path.join(self.account, b".dovecot.sieve")
        os.unlink(path)
        os.symlink(b"sieve/other.sieve", path)
        os.lchown(path, 5000, 5000)
        self.assert_found("target")

    def test_a_control_file_is_compared_as_well(self):
        os.unlink(os.path.join(self.account, b"subscriptions"))
        self.assert_found("missing")

    def test_a_leftover(self):
        trees.write_file(os.path.join(self.account, b"tmp", b".maildirsync.1"), b"", (0, 0), 0o600)
        self.assert_found("leftover")

    def test_the_explanation_names_both_sides(self):
        os.unlink(self.message)
        text = trees.explain(self.differences(), self.source, self.destination)
        self.assertIn(trees.show(os.path.basename(self.message)), text)
        self.assertIn("destination:", text)

    def test_duplicates_are_found(self):
        self.assertEqual({}, trees.duplicates(self.destination))
        shutil.copy2(self.message, self.message + b"T")
        self.assertEqual(1, len(trees.duplicates(self.destination)))


class TrafficModel(unittest.TestCase):
    def test_the_writer_knows_what_it_did(self):
        base = tempfile.mkdtemp(prefix="maildirsync-test-")
        self.addCleanup(shutil.rmtree, base)
        trees.make_tree(base, trees.TreeSpec(accounts=3, messages=120, seed=3))
        traffic = Traffic(base, seed=5)
        for _ in range(3000):
            traffic.step()
        self.assertEqual({}, trees.duplicates(base))
        for account in traffic.accounts:
            for folder in account.folders.values():
                for area in trees.AREAS:
                    there = set(os.listdir(os.path.join(folder.path, area)))
                    self.assertEqual({name for name, where in folder.messages.items() if where == area}, there)
        self.assertGreater(min(traffic.counts.values()), 0)
        self.assertEqual(set(traffic.kinds), set(traffic.counts))


if __name__ == "__main__":
    unittest.main()
