"""One trouble, five commands: what `status`, `verify`, `plan`, `doctor` and `cutover` say of each, word for word, so that none of them calls good what another
one knows to be bad."""

import os
import re
import shutil
import unittest

from maildirsync_testing import LabTest, wait_until
from maildir_trees import make_maildir, write_file

OWNER = (5000, 5000)
LIVE = r"^MAILDIRSYNC WARNING - live, "
HELD = r"^MAILDIRSYNC CRITICAL - held, "
EQUAL = r"(?m)^equal; 2 accounts, 2 folders, \d+ messages"
READY = r"(?m)^ready$"


class Words(LabTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can make mail of others")
        self.root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}})
        self.account, self.other = (self.make_account(self.root, name) for name in (b"a", b"b"))
        self.frozen = os.path.join(self.lab.base, "frozen")

    @staticmethod
    def make_account(root, name: bytes) -> bytes:
        account = root.make_account(name)
        for i in range(5):
            Words.message(account, i)
        return account

    @staticmethod
    def message(folder: bytes, number: int, owner=OWNER, body: bytes = b"Subject: x\n\nx\n", mtime: int = 1_700_000_000) -> None:
        write_file(os.path.join(folder, b"cur", b"1700000000.M%dP1.mx:2,S" % number), body, owner, 0o644, mtime * 10**9)

    def copied(self) -> None:
        self.lab.start()
        self.lab.flush()

    def told(self, code: str, agent=None) -> None:
        """Until it is known: by events, or by the next flush."""
        agent = agent or self.lab.agent

        def known():
            agent.flush("--timeout", "5", complete=False)
            return agent.problems(code)

        wait_until(known, code, alive=self.lab.daemons)

    def say(self, *, status: str, verify: str, plan: str, doctor: str, cutover: str, agent=None) -> None:
        """Each pattern is found in what the command prints. OK, equal, ready, healthy and complete are what exit status 0 says, and nothing else."""
        agent = agent or self.lab.agent
        commands = {
            "status": (["status"], status),
            "verify": (["verify"], verify),
            "plan": (["plan"], plan),
            "doctor": (["doctor", "--config", agent.config], doctor),
            "cutover": (["cutover", "--freeze", f"touch '{self.frozen}'", "--thaw", "true", "--switch", "true", "--timeout", "20"], cutover),
        }
        good = {"status": r"^MAILDIRSYNC OK", "verify": r"(?m)^equal; ", "plan": READY, "doctor": r"(?m)^healthy", "cutover": r"(?m)^complete "}
        for name, (arguments, pattern) in commands.items():
            done = agent.cli(*arguments, limit=120)
            text = done.stdout + done.stderr
            self.assertRegex(text, pattern, f"{name}, exit {done.returncode}")
            self.assertEqual(done.returncode == 0, bool(re.search(good[name], text)), f"{name}, exit {done.returncode}: {text}")
            if name == "cutover":
                self.assertEqual(done.returncode == 0, os.path.exists(self.frozen), text)

    def test_nothing_is_wrong(self):
        self.copied()
        agent = self.lab.agent
        self.assertRegex(agent.cli("status").stdout, r"^MAILDIRSYNC OK - live, lag 0\.0 s, 0 messages pending \|")
        self.assertRegex(agent.cli("verify").stdout, EQUAL)
        self.assertRegex(agent.cli("plan").stdout, READY)
        self.assertRegex(agent.cli("cutover", "--freeze", "true", "--thaw", "true", "--switch", "true").stdout, r"^complete after ")

    def test_an_account_is_gone(self):
        self.copied()
        shutil.rmtree(os.path.dirname(self.account))
        self.told("account-gone")
        detail = "a@example.org: the account's directory is gone at the source; its 5 messages stay at the destination until a person has looked"
        detail = re.escape(detail)
        self.say(
            status=HELD + r"lag \d+\.\d s, \d+ messages? pending, 1 problem \(account-gone\)",
            verify="(?s)left out: vhosts: " + detail + ".*not equal: 1 difference",
            plan=r"(?s)- account-gone: vhosts: .*not ready: 1 thing to put right first",
            doctor="problem: account-gone: vhosts: a@example.org: ",
            cutover="something is held: maildirsync status says what, and maildirsync release lets it go on",
        )

    def test_an_inbox_is_gone(self):
        self.copied()
        shutil.rmtree(os.path.join(self.account, b"cur"))
        self.told("mass-deletion")
        self.say(
            status=HELD + r".*1 problem \(mass-deletion\)",
            verify="(?s)left out: vhosts: a@example.org: 5 of 5 messages would be deleted at once, for the INBOX's directory cur/ is gone, .*not equal: 6 differences",
            plan=r"(?s)- mass-deletion: vhosts: .*5 of 5 messages would be deleted.*not ready: 1 thing",
            doctor="problem: mass-deletion: vhosts: a@example.org: ",
            cutover="something is held",
        )

    def test_a_mailbox_was_opened_at_the_destination(self):
        self.copied()
        write_file(os.path.join(self.root.at_destination(self.account), b"dovecot.index.log"), b"index", OWNER, 0o600)
        self.told("stale-index")
        self.say(
            status=LIVE + r"lag 0\.0 s, 0 messages pending, 1 problem \(stale-index\)",
            verify=EQUAL,
            plan=r"(?s)- stale-index: vhosts: a@example.org: a Dovecot at the destination has written indexes of 1 folder.*not ready: 1 thing",
            doctor="problem: stale-index: vhosts: a@example.org: ",
            cutover=r"(?s)stopped at presync.*stale-index: a Dovecot at the destination has opened 1 account before the time \(a@example.org\)",
        )
        self.assert_exit(0, self.lab.agent.cli("repair-index", "--account", "a@example.org"))
        self.assert_exit(0, self.lab.agent.cli("cutover", "--freeze", "true", "--thaw", "true", "--switch", "true"))

    def test_a_conflict(self):
        self.copied()
        self.message(self.root.at_destination(self.account), 77, (5001, 5001), b"theirs, theirs\n", 1_600_000_000)
        self.message(self.account, 77)
        self.told("conflict")
        detail = r"another file has the name of the message 1700000000\.M77P1\.mx at the destination, and was kept"
        self.say(
            status=LIVE + r".*1 problem \(conflict\)",
            verify=r"(?s)where the name 1700000000\.M77P1\.mx:2,S was taken by another file.*not equal: 2 differences",
            plan=f"(?s)- conflict: vhosts: a@example.org: .*{detail}.*not ready: 1 thing",
            doctor="problem: conflict: vhosts: a@example.org: .*" + detail,
            cutover=f"(?s)stopped at presync.*1 left out: vhosts: a@example.org: .*{detail}",
        )
        os.unlink(os.path.join(self.root.at_destination(self.account), b"cur", b"1700000000.M77P1.mx:2,S"))
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_a_message_is_refused_for_its_owner(self):
        self.message(self.account, 77, (5077, 5000))
        self.lab.start()
        self.told("unmapped-owner")
        detail = r'the source\'s user 5077 is not mapped; add "5077" = '
        self.say(
            status=LIVE + r"lag \d+\.\d s for 1 message that is refused, 0 messages pending, 1 problem \(unmapped-owner\)",
            verify=r"(?s)is not at the destination: its owner 5077:5000 is not mapped there.*not equal: 1 difference",
            plan=f"(?s)- unmapped-owner: vhosts: {detail}.*not ready: 1 thing",
            doctor="problem: unmapped-owner: vhosts: a@example.org: .*" + detail,
            cutover=f"(?s)stopped at presync.*1 left out: vhosts: a@example.org: .*{detail}",
        )

    def test_a_link_to_an_archive(self):
        archive = os.path.join(os.fsencode(self.lab.base), b"archive")
        make_maildir(archive, OWNER)
        os.symlink(archive, os.path.join(self.account, b".Archive"))
        self.lab.start()
        self.told("mail-left-out")
        detail = r"\.Archive: it is a symbolic link to a directory out of the account"
        self.say(
            status=LIVE + r".*1 problem \(mail-left-out\)",
            verify=f"(?s)left out: vhosts: a@example.org: {detail}.*not equal",
            plan=f"(?s)- mail-left-out: vhosts: a@example.org: {detail}.*not ready: 1 thing",
            doctor="problem: mail-left-out: vhosts: a@example.org: " + detail,
            cutover=f"(?s)stopped at presync.*1 left out: vhosts: a@example.org: {detail}",
        )

    def test_what_is_no_mail_hinders_nothing(self):
        os.mkfifo(os.path.join(self.account, b"cur", b"fifo"))
        self.lab.start()
        self.told("special-file")
        self.say(
            status=LIVE + r".*1 problem \(special-file\)",
            verify=EQUAL,
            plan="(?s)left out: 1 file\n  a@example.org: cur/fifo: it is a fifo, and left out.*\nready",
            doctor="problem: special-file: vhosts: a@example.org: cur/fifo: it is a fifo, and left out",
            cutover=r"(?s)^complete after .*1 left out that is no mail",
        )

    def test_a_date_that_cannot_be_held(self):
        self.message(self.account, 77, mtime=9_999_999_999)
        self.lab.start()
        self.told("time-range")
        detail = r"cur/1700000000\.M77P1\.mx:2,S: arrived, but its date is beyond the years 1677 to 2262"
        self.say(
            status=LIVE + r".*1 problem \(time-range\)",
            verify=r"(?s)has a time beyond the years 1677 to 2262 at the source, which does not come along.*not equal: 1 difference",
            plan=f"(?s)- time-range: vhosts: a@example.org: {detail}.*not ready: 1 thing",
            doctor="problem: time-range: vhosts: a@example.org: " + detail,
            cutover=f"(?s)stopped at presync.*1 left out: vhosts: a@example.org: {detail}",
        )

    def second_agent(self):
        """One that lands where the first, which runs, does; and its root."""
        self.root.landing["shared"] = True
        second = self.lab.add_agent("second")
        shared = self.lab.add_root(agent=second, owner=self.root.owner, landing={"shared": True})
        os.rmdir(shared.destination)
        shared.destination = self.root.destination
        self.lab.receiver.start()
        self.lab.agent.start()
        self.lab.agent.flush()
        return second, shared

    def test_another_agent_has_the_account(self):
        second, shared = self.second_agent()
        self.message(self.make_account(shared, b"a"), 78)
        self.make_account(shared, b"c")
        second.start()
        self.told("owned-by-another", second)
        detail = r'it belongs to root "vhosts" of peer "agent", which brought it here; nothing of it is touched'
        self.say(
            agent=second,
            status=LIVE + r".*that is refused.*1 problem \(owned-by-another\)",
            verify=f"(?s)left out: vhosts: a@example.org: .*{detail}.*not equal",
            plan=f"(?s)- owned-by-another: vhosts: a@example.org: .*{detail}.*not ready: 1 thing",
            doctor="problem: owned-by-another: vhosts: a@example.org: .*" + detail,
            cutover=f"(?s)stopped at presync.*1 left out: vhosts: a@example.org: .*{detail}",
        )

    def test_another_agent_has_the_only_account(self):
        second, shared = self.second_agent()
        self.message(self.make_account(shared, b"a"), 78)
        second.start()
        self.told("owned-by-another", second)
        root, = second.wait_state("blocked")["roots"]
        self.assertEqual(("blocked", {"refused": 1}), (root["state"], root["states"]))
        self.assertRegex(root["trouble"], r'^its only account is refused: a@example\.org: .*it belongs to root "vhosts" of peer "agent"')
        detail = r'it belongs to root "vhosts" of peer "agent", which brought it here; nothing of it is touched'
        self.say(
            agent=second,
            status=r"^MAILDIRSYNC CRITICAL - blocked, .*that is refused.*1 problem \(owned-by-another\)",
            verify=f"(?s)left out: vhosts: a@example.org: .*{detail}.*not equal",
            plan=f"(?s)- owned-by-another: vhosts: a@example.org: .*{detail}.*not ready: 1 thing",
            doctor="problem: owned-by-another: vhosts: a@example.org: .*" + detail,
            cutover="a root cannot be read or written: maildirsync status says which, and why",
        )
        # What belongs to nobody else arrives, and the state tells of it.
        self.make_account(shared, b"c")
        root, = second.wait_state("live")["roots"]
        self.assertEqual({"refused": 1, "live": 1}, root["states"])

    def test_the_destination_has_more(self):
        """OK stays OK, for nothing waits; but what a cutover would stop at is told before it."""
        self.copied()
        for number in (91, 92):
            self.message(self.root.at_destination(self.account), number)
        self.message(self.root.at_destination(self.other), 93)
        self.lab.flush()
        agent = self.lab.agent
        status = agent.status()
        self.assertEqual((3, 2), (status["extra"], status["extra_accounts"]))
        self.assertEqual([("vhosts", "a@example.org", 2), ("vhosts", "b@example.org", 1)], [(one["root"], one["account"], one["extra"]) for one in status["extras"]])
        self.assertEqual(
            "only the destination has 3 files in 2 accounts (a@example.org: 2, b@example.org: 1): the mirror leaves them there, and a cutover stops at them. "
            "maildirsync verify names each, verify --repair --aside-extra moves what is extra into the trash there",
            status["extra_detail"],
        )
        done = agent.cli("status")
        self.assert_exit(0, done)
        first, second = done.stdout.split("\n\n")[:2]
        self.assertRegex(first, r"^MAILDIRSYNC OK - live, lag 0\.0 s, 0 messages pending, 3 files at the destination only \|")
        self.assertIn("extra: " + status["extra_detail"], second)
        done = agent.cli("verify")
        self.assert_exit(1, done)
        self.assertRegex(done.stdout, "(?s)3 differences are at the destination only: .*maildirsync verify --repair --aside-extra.*not equal: 3 differences")
        self.assertIn("a file altered in place at the destination changes none of them", agent.cli("flush").stdout)
        self.assertIn("looked at: name, size and dates of each file on both sides", agent.cli("flush", "--full").stdout)
        # Of a drained root it is its users' own.
        self.assert_exit(0, agent.cli("drain", "vhosts"))
        status = agent.status()
        self.assertEqual((0, ""), (status["extra"], status["extra_detail"]))
        self.assertNotIn("at the destination only", agent.cli("status").stdout)
        self.assertIn("looked at: the source; what is at the destination of a drained root is its users'", agent.cli("flush").stdout)
        self.assertNotRegex(agent.cli("status").stdout, "only the destination|EXTRA")

    def test_the_receiver_is_away(self):
        self.copied()
        self.lab.receiver.stop()
        wait_until(lambda: not self.lab.agent.status()["peer"]["connected"], "it is away", alive=[self.lab.agent])
        self.lab.agent.wait_problem("unreachable")
        self.say(
            status=r"^MAILDIRSYNC CRITICAL - connecting, .*not connected to 127\.0\.0\.1:\d+, 1 problem \(unreachable\)",
            verify="nothing was compared: cannot connect to the receiver .*: it refuses the connection: nobody listens on that port there",
            plan="(?s)- unreachable: the receiver was not asked for space and owners: .*not ready: 1 thing",
            doctor="receiver: nobody answers: cannot connect to the receiver ",
            cutover="the receiver is not connected: maildirsync status says why",
        )
        self.lab.receiver.start()

    def test_it_is_paused(self):
        self.copied()
        self.assert_exit(0, self.lab.agent.cli("pause"))
        self.message(self.account, 77)
        agent = self.lab.agent
        wait_until(lambda: agent.status()["pending"]["messages"] == 1 or agent.status()["lag_seconds"], "it is noticed", alive=self.lab.daemons)
        self.assertRegex(agent.cli("status").stdout, r"^MAILDIRSYNC \w+ - paused, ")
        done = agent.cli("verify")
        self.assert_exit(1, done)
        self.assertRegex(done.stdout, "(?s)paused.*not equal")
        done = agent.cli("cutover", "--freeze", f"touch '{self.frozen}'", "--thaw", "true", "--switch", "true")
        self.assert_exit(1, done)
        self.assertIn("the agent is paused: maildirsync resume, and wait until the lag is 0", done.stderr)
        self.assertFalse(os.path.exists(self.frozen))


if __name__ == "__main__":
    unittest.main()
