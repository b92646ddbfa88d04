"""Each kind of change, live: it arrives, and it costs what it should."""

import os
import random
import shutil
import unittest

from maildirsync_testing import OWNER, LabTest, TreeSpec, deliver, make_tree
from maildir_trees import find_accounts, make_maildir, uidlist, write_file


class Live(LabTest):
    """One lab, many changes: each method flushes, then compares all."""

    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.spec = TreeSpec(accounts=4, messages=200, seed=21)
        make_tree(self.root.source, self.spec)
        self.lab.start()
        self.lab.flush()
        self.account = self.root.account(0)
        self.before = self.lab.agent.totals()

    def cost(self, name: str) -> int:
        return self.lab.agent.totals()[name] - self.before[name]

    def arrived(self):
        self.lab.flush()
        self.lab.assert_equal()

    def a_message(self, area: bytes = b"cur") -> bytes:
        """A message that has one name only."""
        directory = os.path.join(self.account, area)
        return next(path for path in (os.path.join(directory, name) for name in sorted(os.listdir(directory))) if os.stat(path).st_nlink == 1)

    def test_deliver(self):
        deliver(self.account, b"1700000000.M1P1.mx,S=15,W=18")
        self.arrived()
        self.assertEqual(1, self.cost("messages_sent"))

    def test_arrives_without_a_flush(self):
        from maildirsync_testing import wait_until

        path = self.root.at_destination(deliver(self.account, b"1700000000.M2P1.mx"))
        wait_until(lambda: os.path.exists(path), "a delivery arrives", alive=self.lab.daemons)
        wait_until(lambda: self.lab.agent.status()["lag_seconds"] == 0, "lag falls to 0", alive=self.lab.daemons)
        self.lab.assert_equal()

    def test_flag(self):
        path = self.a_message()
        os.rename(path, path + b"T")
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))
        self.assertEqual(1, self.cost("renames"))

    def test_new_to_cur(self):
        path = self.a_message(b"new")
        os.rename(path, os.path.join(self.account, b"cur", os.path.basename(path) + b":2,S"))
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))

    def test_move_to_another_folder_by_rename(self):
        path = self.a_message()
        os.rename(path, os.path.join(self.account, b".Drafts", b"cur", os.path.basename(path)))
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))

    def test_move_as_dovecot_does_it(self):
        path = self.a_message()
        os.link(path, os.path.join(self.account, b".Drafts", b"cur", os.path.basename(path)))
        os.unlink(path)
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))

    def test_copy_is_a_link(self):
        path = self.a_message()
        os.link(path, os.path.join(self.account, b".Drafts", b"cur", os.path.basename(path)))
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))
        self.assertEqual(1, self.cost("links"))

    def test_delete(self):
        os.unlink(self.a_message())
        self.arrived()
        self.assertEqual(1, self.cost("deletes"))

    def test_keyword(self):
        path = self.a_message()
        os.rename(path, path + b"c")
        keywords = os.path.join(self.account, b"dovecot-keywords")
        write_file(keywords + b".lock", b"0 $Forwarded\n1 $MDNSent\n2 urgent\n", OWNER, 0o600)
        os.rename(keywords + b".lock", keywords)
        self.arrived()
        self.assertEqual(0, self.cost("messages_sent"))

    def test_attributes(self):
        path = self.a_message()
        os.chmod(path, 0o644)
        os.chown(path, 5002, 5002)
        os.utime(path, ns=(1, 1_234_567_890_123_456_789))
        os.chmod(os.path.join(self.account, b".Drafts", b"cur"), 0o770)
        os.chmod(os.path.join(self.account, b"subscriptions"), 0o640)
        self.lab.agent.flush("--full")
        self.lab.assert_equal()

    def test_a_message_changed_in_place(self):
        path = self.a_message()
        with open(path, "ab") as file:
            file.write(b"X-Spam: no\n")
        self.arrived()

    def test_a_message_replaced_under_its_name(self):
        path = self.a_message()
        write_file(os.path.join(self.account, b"tmp", b"x"), b"Subject: rewritten\n\n", OWNER, 0o600)
        os.rename(os.path.join(self.account, b"tmp", b"x"), path)
        self.arrived()

    def test_folder_with_content_already_in_it(self):
        folder = os.path.join(self.account, b".Made")
        make_maildir(folder, OWNER)
        for i in range(20):
            deliver(folder, b"1700000000.M%dP2.mx" % i)
        self.arrived()
        prepared = os.path.join(self.lab.base.encode(), b"prepared")
        make_maildir(prepared, OWNER)
        for i in range(20):
            deliver(prepared, b"1700000001.M%dP2.mx:2,S" % i, area=b"cur")
        os.rename(prepared, os.path.join(self.account, b".Moved in"))
        self.arrived()
        deliver(os.path.join(self.account, b".Moved in"), b"1700000002.M1P2.mx")
        self.arrived()

    def test_folder_rename_with_children(self):
        for name in (b".Old", b".Old.Child", b".Old.Child.Grandchild"):
            make_maildir(os.path.join(self.account, name), OWNER)
            for i in range(60):
                deliver(os.path.join(self.account, name), b"1700000000.M%dP3.mx" % i)
        self.arrived()
        sent = self.lab.agent.totals()["messages_sent"]
        for name in (b".Old", b".Old.Child", b".Old.Child.Grandchild"):
            os.rename(os.path.join(self.account, name), os.path.join(self.account, name.replace(b".Old", b".Renamed")))
        self.arrived()
        self.assertEqual(sent, self.lab.agent.totals()["messages_sent"])
        deliver(os.path.join(self.account, b".Renamed.Child"), b"1700000000.M100P3.mx")
        self.arrived()

    def test_folder_delete(self):
        shutil.rmtree(os.path.join(self.account, b".Drafts"))
        self.arrived()
        self.assertFalse(os.path.exists(self.root.at_destination(os.path.join(self.account, b".Drafts"))))

    def test_a_removed_folder_takes_the_destinations_index_files_along(self):
        folder = os.path.join(self.account, b".Drafts")
        for name in (b"dovecot.index", b"dovecot.index.cache", b"dovecot.index.log"):
            write_file(os.path.join(self.root.at_destination(folder), name), b"x", OWNER, 0o600)
        shutil.rmtree(folder)
        self.lab.flush()
        self.assertFalse(os.path.exists(self.root.at_destination(folder)))

    def test_account_created_and_removed(self):
        domain = os.path.dirname(os.path.dirname(self.account))
        account = os.path.join(domain, b"fresh", b"Maildir")
        os.mkdir(os.path.dirname(account), 0o700)
        make_maildir(account, OWNER, is_account=True)
        deliver(account, b"1700000000.M1P4.mx")
        self.arrived()
        deliver(account, b"1700000000.M2P4.mx")
        self.arrived()
        shutil.rmtree(os.path.dirname(account))
        # However little it holds, it waits for a person.
        self.lab.agent.wait_problem("account-gone")
        self.assertTrue(os.path.isdir(self.root.at_destination(account)))
        self.assertEqual(0, self.lab.agent.cli("release", "--account", "fresh@*").returncode)
        self.lab.flush()
        self.assertEqual([], [found for found in self.lab.differences() if b"fresh/Maildir" in found.path])

    def test_nested_plain_directories_and_deep_control_files(self):
        deep = os.path.join(self.account, b"courierimapkeywords")
        os.mkdir(deep, 0o700)
        os.chown(deep, *OWNER)
        write_file(os.path.join(deep, b":list"), b"Label1\n", OWNER, 0o600)
        self.arrived()
        write_file(os.path.join(deep, b":list"), b"Label1\nLabel2\n", OWNER, 0o600)
        self.arrived()
        os.unlink(os.path.join(deep, b":list"))
        self.arrived()

    def test_append_to_a_large_uidlist_is_a_delta(self):
        rng = random.Random(22)
        bases = [b"%d.M%dP%d.mx1.example.org,S=%d,W=%d" % (1_600_000_000 + i, rng.getrandbits(20), rng.getrandbits(15), rng.getrandbits(16), rng.getrandbits(16)) for i in range(90_000)]
        path = os.path.join(self.account, b"dovecot-uidlist")
        write_file(path, uidlist(1_600_000_001, bases), OWNER, 0o600)
        self.assertGreater(os.path.getsize(path), 5_000_000)
        self.arrived()
        for i in range(2):
            self.before = self.lab.agent.totals()
            with open(path, "ab") as file:
                file.write(b"%d :1700000000.M%dP1.mx1\n" % (90_001 + i, i))
            self.arrived()
            self.assertGreaterEqual(self.cost("deltas"), 1)
            self.assertLess(self.cost("bytes_wire"), 100_000)
        # Rewritten with some lines gone, as Dovecot does after an expunge.
        self.before = self.lab.agent.totals()
        write_file(path + b".tmp", uidlist(1_600_000_001, bases[:40_000] + bases[40_100:]), OWNER, 0o600)
        os.rename(path + b".tmp", path)
        self.arrived()
        # And once more, with others behind: longer than it was, and yet nothing was appended to it.
        self.before = self.lab.agent.totals()
        write_file(path + b".tmp", uidlist(1_600_000_001, bases[:30_000] + bases[30_100:] + bases[:200]), OWNER, 0o600)
        os.rename(path + b".tmp", path)
        self.arrived()
        self.assertEqual([], self.lab.agent.problems())
        self.assertGreaterEqual(self.cost("deltas"), 1)

    def test_a_uidlist_never_names_what_is_not_there(self):
        """While deliveries run, the destination's uidlist is read again and again: each name in it exists, or did."""
        account, destination = self.account, self.root.at_destination(self.account)
        path = os.path.join(account, b"dovecot-uidlist")
        write_file(path, uidlist(1_600_000_001, []), OWNER, 0o600)
        self.arrived()
        delivered = 0
        for round_number in range(60):
            for _ in range(5):
                delivered += 1
                name = b"1700000000.M%dP9.mx" % delivered
                deliver(account, name)
                with open(path, "ab") as file:
                    file.write(b"%d :%s\n" % (delivered, name))
            with open(os.path.join(destination, b"dovecot-uidlist"), "rb") as file:
                listed = [line.partition(b":")[2].strip() for line in file.read().splitlines()[1:]]
            there = set(os.listdir(os.path.join(destination, b"new")))
            self.assertEqual([], [name for name in listed if name not in there], f"round {round_number}")
        self.arrived()

    def test_each_flush_and_the_status_name_what_is_left_out(self):
        os.mkfifo(os.path.join(self.account, b"cur", b"fifo"))
        os.symlink("/etc/passwd", os.path.join(self.account, b"outside"))
        for arguments in ((), (), ("--full",), ()):
            result = self.lab.agent.flush(*arguments, complete=False)
            self.assertFalse(result["complete"])
            self.assertEqual({"cur/fifo", "outside"}, {item["path"] for item in result["left_out"]}, arguments)
            self.assertEqual({"cur/fifo", "outside"}, {problem["path"] for problem in self.lab.agent.problems()}, arguments)
        os.unlink(os.path.join(self.account, b"cur", b"fifo"))
        os.unlink(os.path.join(self.account, b"outside"))
        self.arrived()
        self.assertEqual([], self.lab.agent.problems())

    def test_full_flush_sends_what_the_destination_lost(self):
        os.unlink(self.root.at_destination(self.a_message()))
        shutil.rmtree(os.path.join(self.root.at_destination(self.account), b".Drafts"))
        self.lab.agent.flush("--full")
        self.lab.assert_equal()


class FlagsOfEverything(LabTest):
    def test_costs_less_than_a_hundredth_of_the_bytes(self):
        root = self.lab.add_root()
        make_tree(root.source, TreeSpec(accounts=6, messages=1500, seed=23, median_size=8192))
        self.lab.start()
        self.lab.flush()
        before = self.lab.agent.totals()
        size = changed = 0
        for account in find_accounts(os.fsencode(root.source), root.layout):
            for directory, _, names in os.walk(os.path.join(os.fsencode(root.source), account)):
                if os.path.basename(directory) == b"cur":
                    for name in names:
                        path = os.path.join(directory, name)
                        size += os.path.getsize(path)
                        os.rename(path, path + b"z")
                        changed += 1
        self.lab.flush()
        self.lab.assert_equal()
        after = self.lab.agent.totals()
        self.assertEqual(before["messages_sent"], after["messages_sent"])
        self.assertEqual(before["bytes_source"], after["bytes_source"])
        self.assertGreaterEqual(after["renames"] - before["renames"], changed)
        self.assertLess(after["bytes_wire"] - before["bytes_wire"], size / 100)


if __name__ == "__main__":
    unittest.main()
