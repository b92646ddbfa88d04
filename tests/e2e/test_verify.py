"""`verify`: each fault at the destination is found and named, nothing else is, and what can be mended is."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from maildirsync_testing import LIMIT, SCALE, SECONDS, LabTest, deliver, duplicates, make_tree, program, scaled_spec, wait_until
from maildir_trees import account_path, make_maildir, read_tree, write_file

KINDS = {"missing", "extra", "content", "name", "size", "time", "owner", "mode", "control"}


class VerifyTest(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()

    def verify(self, *arguments: str, status: int | None = None) -> dict:
        done = self.lab.agent.cli("--json", "verify", *arguments, limit=LIMIT)
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError:
            self.fail(f"exit {done.returncode}: {done.stdout!r}, {done.stderr!r}\n{self.lab.tails()}")
        self.assert_exit(status if status is not None else 0 if answer["equal"] else 1, done)
        self.assertTrue({difference["kind"] for difference in answer["differences"]} <= KINDS, answer)
        return answer

    def assert_found(self, expected, *arguments: str) -> dict:
        """Exactly these (kind, account, folder, name)."""
        answer = self.verify(*arguments, status=1 if expected else 0)
        found = sorted((d["kind"], d["account"], d["folder"], d["name"]) for d in answer["differences"])
        self.assertEqual(sorted(expected), found, json.dumps(answer, indent=1))
        self.assertEqual(not expected, answer["equal"])
        return answer

    def copied(self, **options) -> None:
        make_tree(self.root.source, scaled_spec(**options))
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)

    def account(self, number: int) -> tuple[str, bytes]:
        """Its name, and its path at the destination."""
        path = account_path(self.root.layout, number)
        domain, local = path.split("/")[:2]
        return f"{local}@{domain}", os.fsencode(os.path.join(self.root.destination, path))

    def message(self, number: int, nth: int = 0, area: bytes = b"cur") -> tuple[str, str, bytes]:
        """Account, name and path at the destination."""
        account, path = self.account(number)
        name = sorted(os.listdir(os.path.join(path, area)))[nth]
        return account, os.fsdecode(name), os.path.join(path, area, name)


def rewrite(path: bytes, change) -> None:
    """Other bytes, the same times."""
    status = os.stat(path)
    with open(path, "r+b") as file:
        content = change(file.read())
        file.seek(0)
        file.truncate()
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip_one_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


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


class Said(VerifyTest):
    """What cannot be compared is said in a sentence."""

    def test_no_such_account(self):
        self.copied(accounts=3, messages=60, seed=62)
        done = self.lab.agent.cli("verify", "--account", "nobody@*")
        self.assert_exit(2, done)
        self.assertIn("no account matches", done.stderr)
        self.assertEqual("", done.stdout)

    def test_the_receiver_is_away(self):
        self.copied(accounts=3, messages=60, seed=63)
        self.lab.receiver.stop()
        done = self.lab.agent.cli("verify", limit=LIMIT)
        self.assert_exit(1, done)
        self.assertIn("refuses the connection", done.stderr)
        self.lab.receiver.start()
        self.assertTrue(self.verify()["equal"])

    def hanging(self) -> subprocess.Popen:
        """A verification that waits for a receiver that does not answer."""
        self.copied(accounts=3, messages=60, seed=69)
        self.lab.receiver.signal(signal.SIGSTOP)
        command = subprocess.Popen(
            [program("maildirsync"), "--control", self.lab.agent.control, "verify"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(command.stderr.close)
        self.addCleanup(command.stdout.close)
        self.addCleanup(command.wait)
        self.addCleanup(command.kill)
        self.lab.agent.wait_log("verify-begin")
        return command

    def test_the_agent_ends_meanwhile(self):
        command = self.hanging()
        self.assertEqual(0, self.lab.agent.stop())
        self.lab.receiver.signal(signal.SIGCONT)
        self.assertIn(command.wait(LIMIT), (1, 3))

    def test_nobody_waits_for_it_any_more(self):
        command = self.hanging()
        self.assertIn("another verification", self.lab.agent.cli("verify").stderr)
        command.kill()
        self.lab.agent.wait_log("given_up=true")
        self.lab.receiver.signal(signal.SIGCONT)
        self.assertTrue(self.verify()["equal"])

    def test_a_drained_root_is_not_mended(self):
        self.copied(accounts=3, messages=60, seed=70)
        gone = self.message(0)[2]
        os.unlink(gone)
        self.assert_exit(0, self.lab.agent.cli("drain", self.root.name))
        answer = self.verify("--repair", status=0)
        self.assertEqual(0, answer["repaired"])
        self.assertEqual([], answer["differences"], "what was given is its user's to remove")
        self.assertEqual([self.root.name], [root["root"] for root in answer["drained"]])
        self.assertFalse(os.path.exists(gone))

    def test_the_receiver_is_asked(self):
        self.copied(accounts=3, messages=60, seed=64)
        done = self.lab.receiver.cli("verify")
        self.assert_exit(2, done)
        self.assertIn("agent", done.stderr)

    def test_paused_and_held(self):
        self.copied(accounts=3, messages=300, seed=65)
        self.assert_exit(0, self.lab.agent.cli("pause"))
        path = deliver(self.root.account(0), b"1700000001.M1P1.mx")
        wait_until(lambda: self.lab.agent.status()["pending"]["messages"] > 0, "the delivery is seen")
        answer = self.verify(status=1)
        self.assertEqual([("missing", "1700000001.M1P1.mx")], [(d["kind"], d["name"]) for d in answer["differences"]])
        self.assertIn("paused", json.dumps(answer["left_out"]))
        self.assertIn("paused", self.lab.agent.cli("verify").stdout)
        self.assert_exit(0, self.lab.agent.cli("resume"))
        self.assertTrue(self.verify()["equal"])
        self.assertTrue(os.path.exists(self.root.at_destination(path)))

        # The directory of an account is gone, which no user does.
        os.rename(self.root.account(0), self.root.account(0) + b".away")
        self.lab.agent.wait_state("held")
        answer = self.verify(status=1)
        self.assertIn("release", json.dumps(answer["left_out"]))
        self.assertTrue(all(d["kind"] in ("extra", "control") for d in answer["differences"]), answer["differences"][:3])


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


class Indexes(VerifyTest):
    """A Dovecot that served the destination before the cutover."""

    def setUp(self):
        super().setUp()
        self.copied(accounts=3, messages=60, seed=68)
        self.name, self.path = self.account(1)
        self.assertEqual([], self.lab.agent.problems())
        for where in (b"dovecot.list.index.log", b"dovecot.index.log", b".Sent/dovecot.index.cache"):
            write_file(os.path.join(self.path, where), b"what it remembers", (5000, 5000), 0o600)

    def test_are_noticed_at_the_next_uidlist(self):
        source = self.root.account(1)
        uidlist = os.path.join(source, b"dovecot-uidlist")
        with open(uidlist, "ab") as file:
            file.write(b"999 :gone\n")
        self.assertIn(self.name, self.lab.agent.wait_problem("stale-index")["account"])
        self.lab.flush()
        self.assertEqual(1, len(self.lab.agent.problems()))
        self.assertIn("repair-index", self.lab.agent.cli("status").stdout)

    def test_are_noticed_by_a_comparison_and_put_right(self):
        self.assertTrue(self.verify()["equal"], "what is left out of the mirror is no difference")
        self.lab.agent.wait_problem("stale-index", self.name)
        other = os.path.join(self.account(2)[1], b"dovecot.index.log")
        write_file(other, b"another account's", (5000, 5000), 0o600)
        # What it wrote itself has no other trace than its bytes.
        rewrite(os.path.join(self.path, b"dovecot-uidlist"), flip_one_byte)
        self.assert_exit(0, self.lab.agent.cli("repair-index", "--account", self.name))
        left = [name for _, _, files in os.walk(self.path) for name in files if name.startswith((b"dovecot.index", b"dovecot.list.index"))]
        self.assertEqual([], left)
        self.assertTrue(os.path.exists(other))
        self.assertEqual([], self.lab.agent.problems())
        self.lab.flush()
        self.lab.assert_equal()
        self.assert_exit(2, self.lab.agent.cli("repair-index", "--account", "nobody@*"))
        self.assert_exit(2, self.lab.receiver.cli("repair-index"))


class Adoption(VerifyTest):
    """A destination that was filled by another tool before the first start."""

    def adopt(self) -> None:
        tree = read_tree(self.root.source)
        total = sum(entry.size for entry in tree.values() if entry.kind == "file")
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)
        totals = self.lab.agent.totals()
        self.assertEqual(0, totals["messages_sent"])
        self.assertLess(totals["bytes_source"], total / 100)
        self.assertLess(totals["bytes_wire"], total / 100)
        self.assertEqual({}, {k: v for k, v in duplicates(self.root.destination).items() if k not in duplicates(self.root.source)})
        self.lab.assert_equal()
        self.assertTrue(self.verify("--deep")["equal"])
        self.assertEqual([], self.lab.agent.problems())

    def seed(self, *command: str) -> None:
        make_tree(self.root.source, scaled_spec(accounts=10, messages=2000, seed=67))
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        for directory, _, files in os.walk(self.root.source):
            for name in files:
                if name.startswith("dovecot.index"):
                    os.utime(os.path.join(directory, name), (1_600_000_000, 1_600_000_000))
        subprocess.run([*command, self.root.source + "/.", self.root.destination], check=True)

    def test_filled_by_rsync(self):
        self.seed("rsync", "-a", "-H")
        self.adopt()

    def test_filled_by_cp(self):
        self.seed("cp", "-a")
        self.adopt()

    def test_filled_days_ago(self):
        self.seed("cp", "-a")
        source = self.root.account(0)
        deliver(source, b"1700000001.M1P1.mx")
        cur = os.path.join(source, b"cur")
        names = sorted(os.listdir(cur))
        os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0] + b"T"))
        os.unlink(os.path.join(cur, names[1]))
        self.lab.start()
        self.lab.agent.wait_state("live", limit=600)
        self.lab.flush(limit=600)
        self.assertEqual(1, self.lab.agent.totals()["messages_sent"])
        # What went meanwhile is for us no different from what others put there.
        answer = self.verify(status=1)
        self.assertEqual([("extra", os.fsdecode(names[1]))], [(d["kind"], d["name"]) for d in answer["differences"]])


if __name__ == "__main__":
    unittest.main()
