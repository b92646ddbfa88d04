"""`verify`: each fault at the destination is found and named, nothing else is, and what can be mended is."""

import os
import shutil
import subprocess
import time
import unittest

from maildirsync_testing import SCALE, SECONDS, deliver, make_tree, scaled_spec
from maildir_trees import make_maildir, write_file
from verify_lab import VerifyTest, flip_one_byte, rewrite


class Faults(VerifyTest):
    def setUp(self):
        super().setUp()
        # Without extras, for their hard links would make two faults of one. MAILDIRSYNC_E2E_SCALE=25: 100 accounts, 50,000 messages.
        size = {} if SCALE > 1 else {"accounts": 6, "messages": 400}
        make_tree(self.root.source, scaled_spec(**size, seed=61, extras=False))
        if SCALE > 1:  # what the first copy costs is no matter here
            subprocess.run(["cp", "-a", self.root.source + "/.", self.root.destination], check=True)
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)

    def test_equal_trees(self):
        for arguments in ((), ("--deep",)):
            answer = self.assert_found([], *arguments)
            self.assertEqual(arguments == ("--deep",), answer["deep"])
            status = self.lab.agent.status()
            totals = status["roots"][0]
            self.assertEqual(
                (totals["accounts"], totals["folders"], totals["messages"], totals["bytes"]),
                tuple(answer[key] for key in ("accounts", "folders", "messages", "bytes")),
            )
            self.assertEqual([], answer["left_out"])
            self.assertGreater(answer["elapsed_seconds"], 0)
            self.assertTrue(status["verified"]["equal"])
            self.assertEqual(answer["deep"], status["verified"]["deep"])
        self.assertEqual([], status["problems"])

    def test_each_fault_is_found_named_and_mended(self):
        plain, deep_only, extra = [], [], []

        account, name, path = self.message(0, 0)
        os.unlink(path)
        plain.append(("missing", account, "", name))

        account, name, path = self.message(0, 1)
        os.rename(path, path + b"T")
        plain.append(("name", account, "", name))

        account, name, path = self.message(0, 2)
        rewrite(path, lambda content: content + b"more\n")
        plain.append(("size", account, "", name))

        account, name, path = self.message(1, 0)
        os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 1))
        plain.append(("time", account, "", name))

        account, name, path = self.message(1, 1)
        os.chown(path, 4321, -1)
        plain.append(("owner", account, "", name))

        account, name, path = self.message(1, 2)
        os.chown(path, -1, 4321)
        plain.append(("owner", account, "", name))

        account, name, path = self.message(1, 3)
        os.chmod(path, 0o604)
        plain.append(("mode", account, "", name))

        account, name, path = self.message(2, 0)
        rewrite(path, flip_one_byte)
        deep_only.append(("content", account, "", name))

        account, path = self.account(2)
        rewrite(os.path.join(path, b"dovecot-uidlist"), flip_one_byte)
        plain.append(("control", account, "", "dovecot-uidlist"))
        os.unlink(os.path.join(path, b".Sent", b"maildirfolder"))
        plain.append(("control", account, ".Sent", "maildirfolder"))

        account, path = self.account(3)
        shutil.rmtree(os.path.join(path, b".Drafts"))
        plain.append(("missing", account, ".Drafts", ""))
        os.chmod(os.path.join(path, b".Sent"), 0o711)
        plain.append(("mode", account, ".Sent", ""))
        os.chown(os.path.join(path, b".Sent", b"cur"), 4321, -1)
        plain.append(("owner", account, ".Sent", "cur"))

        account, path = self.account(4)
        shutil.rmtree(path)
        plain.append(("missing", account, "", ""))

        account, path = self.account(5)
        deliver(path, b"1700000000.M1P1.others")
        extra.append(("extra", account, "", "1700000000.M1P1.others"))
        make_maildir(os.path.join(path, b".Theirs"), (5000, 5000))
        extra.append(("extra", account, ".Theirs", ""))
        other = os.fsencode(os.path.join(self.root.destination, "example.org/zoe/Maildir"))
        os.makedirs(os.path.dirname(other))
        make_maildir(other, (5000, 5000), is_account=True)
        extra.append(("extra", "zoe@example.org", "", ""))
        # None of these is mail, nor a difference.
        for where in (b"dovecot.index.cache", b"dovecot.list.index", b"x.lock", b"tmp/half", b"cur/.nfs0001", b".Sent/dovecot.index.log"):
            write_file(os.path.join(path, where), b"x", (5000, 5000), 0o600)

        self.assert_found(plain + extra)
        before = self.lab.agent.totals()["messages_sent"]
        self.assert_found(plain + deep_only + extra, "--deep")
        self.assertEqual(before, self.lab.agent.totals()["messages_sent"])
        self.assertFalse(self.lab.agent.status()["verified"]["equal"])

        # One account is asked for, and it alone is answered.
        account = self.account(3)[0]
        answer = self.assert_found([fault for fault in plain if fault[1] == account], "--account", account)
        self.assertEqual(1, answer["accounts"])

        done = self.lab.agent.cli("verify", "--deep")
        self.assert_exit(1, done)
        for kind, account, folder, name in plain + deep_only + extra:
            self.assertTrue(any(kind in line and account in line and name in line for line in done.stdout.splitlines()), (kind, account, name, done.stdout))

        answer = self.assert_found(extra, "--deep", "--repair")
        self.assertEqual(len(plain + deep_only), answer["repaired"])
        self.assert_found(extra, "--deep")
        shutil.rmtree(os.path.join(self.account(5)[1], b".Theirs"))
        shutil.rmtree(os.path.dirname(other))
        os.unlink(os.path.join(self.account(5)[1], b"new", b"1700000000.M1P1.others"))
        self.assert_found([], "--deep")
        self.lab.assert_equal()
        self.assertEqual({"stale-index"}, {problem["code"] for problem in self.lab.agent.problems()})

    def test_a_mend_is_not_undone_by_a_restart(self):
        account, name, path = self.message(2, 0)
        rewrite(path, flip_one_byte)
        self.assertEqual(1, self.verify("--deep", "--repair", status=0)["repaired"])
        self.lab.agent.restart()
        self.lab.agent.wait_state("live")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_names_that_are_no_text(self):
        source = self.root.account(0)
        paths = [deliver(source, name) for name in (b"1700000001.M1P1.\xff\xfe", b"1700000002.M1P1.a b\nc")]
        self.lab.flush()
        for path in paths:  # a flush after it would send them again
            os.unlink(self.root.at_destination(path))
        answer = self.verify(status=1)
        self.assertEqual(["missing", "missing"], [d["kind"] for d in answer["differences"]], answer)
        self.assert_exit(1, self.lab.agent.cli("verify"))
        self.assertEqual(2, self.verify("--repair", status=0)["repaired"])

    def test_a_page_of_its_own(self):
        account, name, path = self.message(0)
        os.unlink(path)
        page = os.path.join(self.lab.base, "report.html")
        self.assert_exit(1, self.lab.agent.cli("verify", "--html", page))
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(name.replace("&", "&amp;"), text)
        self.assertIn("missing", text)
        self.assertNotIn("://", text)


class Mapped(VerifyTest):
    def test_owners_are_compared_as_the_receiver_maps_them(self):
        self.root.owner = {"policy": "map", "users": {"5000": "6000", "5001": "6001"}, "groups": {"5000": "6500"}, "unmapped": "reject"}
        make_tree(self.root.source, scaled_spec(accounts=2, messages=100, seed=71, extras=False))
        self.lab.start()
        self.lab.flush()
        self.assert_found([])
        account, name, path = self.message(1)
        os.chown(path, 5001, 5000)  # as at the source
        self.assert_found([("owner", account, "", name)])
        self.assertEqual(1, self.verify("--repair", status=0)["repaired"])
        self.assertEqual((6001, 6500), (os.stat(path).st_uid, os.stat(path).st_gid))

        foreign = deliver(self.root.account(0), b"1700000001.M1P1.mx", owner=(5003, 5000))
        self.lab.agent.wait_problem("unmapped-owner")
        answer = self.assert_found([("missing", self.account(0)[0], "", os.path.basename(foreign).decode())], "--repair")
        self.assertIn("not mapped", answer["differences"][0]["detail"])
        self.assertEqual(0, answer["repaired"])


class Live(VerifyTest):
    def test_nothing_is_reported_while_a_writer_runs(self):
        self.copied(accounts=6, messages=600, seed=66)
        traffic = self.lab.write_traffic(self.root, rate=150, seed=66)
        traffic.start()
        runs = 0
        stop = time.monotonic() + SECONDS
        while runs < 4 or time.monotonic() < stop:
            answer = self.verify(*(("--deep",) if runs % 2 else ()))
            self.assertEqual([], answer["differences"], "\n".join(line for d in answer["differences"][:3] for line in traffic.about(os.fsencode(d["name"]))))
            self.assertTrue(answer["equal"], answer["left_out"])
            runs += 1
        traffic.stop()
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(self.verify("--deep")["equal"])


if __name__ == "__main__":
    unittest.main()
