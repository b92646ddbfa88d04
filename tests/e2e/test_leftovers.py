"""What the mirror itself left behind at the destination it takes away; what is not provably its own is named, and put
aside when a person says so."""

import json
import os
import shutil
import subprocess
import unittest

from loop_mounts import mount
from maildirsync_testing import LabTest, deliver, wait_until
from maildir_trees import find_accounts, make_maildir, write_file

TRASH = ".maildirsync.trash"


class Leftovers(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        self.account = self.root.make_account(b"a")
        for folder in (b".Archive", b".Old"):
            make_maildir(os.path.join(self.account, folder), (5000, 5000))
        self.inbox = os.path.join(self.account, b"cur")
        self.archive = os.path.join(self.account, b".Archive", b"cur")
        for i in range(60):
            deliver(self.account, b"1700000000.M%dP1.mx:2,S" % i, b"Subject: %d\n\nbody\n" % i, area=b"cur")
        for i in range(60, 70):
            deliver(os.path.join(self.account, b".Old"), b"1700000000.M%dP1.mx:2,S" % i, b"Subject: %d\n\nbody\n" % i, area=b"cur")
        write_file(os.path.join(self.account, b".Old", b"dovecot-uidlist"), b"3 V1700000000 N1 G01\n", (5000, 5000), 0o600)

    def work(self) -> None:
        """A user's week: 20 moved, 10 flagged, a folder renamed."""
        names = sorted(os.listdir(self.inbox))
        for name in names[:20]:
            os.rename(os.path.join(self.inbox, name), os.path.join(self.archive, name))
        for name in names[20:30]:
            os.rename(os.path.join(self.inbox, name), os.path.join(self.inbox, name + b"T"))
        os.rename(os.path.join(self.account, b".Old"), os.path.join(self.account, b".New"))

    def expunge(self, count: int) -> None:
        for name in sorted(os.listdir(self.inbox))[:count]:
            os.unlink(os.path.join(self.inbox, name))

    def flush(self) -> dict:
        result = self.lab.agent.flush()
        self.assertEqual([], result["left_out"])
        return result

    def kinds(self, *arguments: str) -> list[str]:
        answer = json.loads(self.lab.agent.cli("--json", "verify", *arguments).stdout)
        return [one["kind"] for one in answer["differences"]]

    def in_trash(self) -> list[str]:
        trash = os.path.join(self.root.destination, TRASH)
        return [name for _, _, files in os.walk(trash) for name in files if "P1.mx" in name or "other" in name]

    def aside_extra(self) -> dict:
        return json.loads(self.lab.agent.cli("--json", "verify", "--repair", "--aside-extra").stdout)

    def test_mail_that_was_deleted_while_its_folder_was_moved_away_at_the_destination(self):
        """The folder comes back with it, and it goes: it was ours."""
        self.lab.start()
        self.flush()
        there = self.root.at_destination(os.path.join(self.account, b".Old"))
        aside = os.path.join(os.fsencode(self.lab.base), b"aside")
        os.rename(there, aside)
        gone = [b"1700000000.M%dP1.mx:2,S" % number for number in range(60, 63)]
        for name in gone:
            os.unlink(os.path.join(self.account, b".Old", b"cur", name))
        self.flush()
        self.assertEqual(set(), set(gone) & set(os.listdir(os.path.join(there, b"cur"))))
        shutil.rmtree(there)
        os.rename(aside, there)
        self.assertLessEqual(set(gone), set(os.listdir(os.path.join(there, b"cur"))))
        result = self.flush()
        self.assertEqual(0, result["extra"])
        self.lab.assert_equal()
        self.assertEqual([], self.kinds())

    def test_mail_that_was_deleted_while_its_folders_volume_was_away_at_the_destination(self):
        """Nothing of the root is acknowledged until the volume is back; then the mail goes."""
        archive = os.path.join(self.account, b".Archive")
        names = [b"1700000001.M%dP1.mx:2,S" % number for number in range(5)]
        for name in names:
            deliver(archive, name, area=b"cur")
        there = os.fsdecode(self.root.at_destination(archive))
        os.makedirs(there, 0o755)
        mount(self.lab, there, "ext4")
        self.lab.start()
        self.flush()
        self.lab.assert_equal()
        subprocess.run(["umount", "--lazy", there], check=True)
        os.unlink(os.path.join(archive, b"cur", names[0]))
        problem = self.lab.agent.wait_problem("destination-gone", "example.org/a/Maildir/.Archive")
        self.assertIn("lacks the file system that was mounted in it", problem["detail"])
        self.assertFalse(self.lab.agent.flush("--timeout", "10", complete=False)["complete"])
        self.assertEqual([], os.listdir(there))
        subprocess.run(["mount", "-o", "loop", os.path.join(self.lab.base, ".Archive.ext4"), there], check=True)
        self.lab.agent.wait_state("live")
        self.flush()
        self.lab.assert_equal()
        self.assertEqual(set(names[1:]), {os.fsencode(name) for name in os.listdir(os.path.join(there, "cur"))})

    def test_an_account_that_only_the_destination_has(self):
        """By a restore, a backup, or a user who was renamed: status, flush and verify say it, and it hinders no flush."""
        self.lab.start()
        self.flush()
        old = os.path.dirname(os.path.dirname(self.root.at_destination(self.account)))
        shutil.copytree(os.path.join(old, b"a"), os.path.join(old, b"former"))
        result = self.flush()
        self.assertEqual((0, 1), (result["extra"], result["extra_whole_accounts"]))
        self.assertEqual([{"root": "vhosts", "account": "former@example.org", "extra": 0, "whole": True}], result["extras"])
        self.assertIn("1 account at the destination only (former@example.org)", self.lab.agent.cli("flush").stdout)
        status = self.lab.agent.status()
        self.assertEqual((0, 1), (status["extra"], status["extra_whole_accounts"]))
        self.assertIn("only the destination has 1 account (former@example.org), which the source lacks as a whole", status["extra_detail"])
        shown = self.lab.agent.cli("status")
        self.assert_exit(0, shown)
        self.assertIn("1 account at the destination only", shown.stdout.splitlines()[0])
        verified = self.lab.agent.cli("verify")
        self.assert_exit(1, verified)
        self.assertIn("1 difference is at the destination only and no command moves it away", verified.stdout)
        self.assertNotIn("--aside-extra", verified.stdout)
        self.lab.agent.restart()
        wait_until(lambda: self.lab.agent.status()["extra_whole_accounts"] == 1, "it is told after a restart, with no flush", alive=self.lab.daemons)
        shutil.rmtree(os.path.join(old, b"former"))
        self.assertEqual([], self.flush()["extras"])
        self.assertEqual("", self.lab.agent.status()["extra_detail"])
        self.assert_exit(0, self.lab.agent.cli("verify"))

    def test_no_command_is_advised_that_would_move_nothing(self):
        """What users have in a drained root, and what a held account still has."""
        self.lab.start()
        self.flush()
        other = self.root.make_account(b"b")
        deliver(other, b"1700000000.M1P1.mx")
        self.flush()
        shutil.rmtree(os.path.dirname(other))
        self.lab.agent.wait_problem("account-gone")
        self.assertNotIn("--aside-extra", self.lab.agent.cli("verify").stdout)
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        deliver(self.root.at_destination(self.account), b"1800000000.M1P1.new")
        done = self.lab.agent.cli("verify")
        self.assertNotIn("--aside-extra", done.stdout)

    def test_a_destination_filled_days_before(self):
        subprocess.run(["rsync", "-a", self.root.source + "/", self.root.destination + "/"], check=True)
        self.work()
        self.lab.start()
        result = self.flush()
        self.assertEqual(0, result["extra"])
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"], "what is there is moved, not sent")
        self.assertEqual([], self.kinds())

    def test_a_destination_filled_days_before_and_mail_deleted_since(self):
        """What it was cannot be proven: it is named, and put aside when a person says so."""
        subprocess.run(["rsync", "-a", self.root.source + "/", self.root.destination + "/"], check=True)
        self.work()
        self.expunge(12)
        self.lab.start()
        result = self.flush()
        self.assertEqual(12, result["extra"])
        self.assertEqual([{"root": "vhosts", "account": "a@example.org", "extra": 12}], result["extras"])
        text = self.lab.agent.cli("flush").stdout
        self.assertIn("12 files at the destination only (a@example.org: 12); maildirsync verify names them", text)
        self.assertEqual(12, self.lab.agent.status()["roots"][0]["extra"])
        self.lab.agent.restart()
        self.assertEqual(12, self.flush()["extra"], "also after a restart")
        self.assertEqual(["extra"] * 12, self.kinds())
        self.assertEqual(["extra"] * 12, self.kinds("--repair"))
        self.assertIn(
            "12 differences are at the destination only: the mirror leaves it there. Once you have looked at it, maildirsync verify --repair "
            "--aside-extra moves it into the trash there\n",
            self.lab.agent.cli("verify").stdout,
        )
        self.assertIn("12 files at the destination only", self.lab.agent.cli("flush").stdout)
        self.assertRegex(self.lab.agent.cli("status").stdout, r"EXTRA(.*\n)+.*\b12\b")
        answer = self.aside_extra()
        self.assertTrue(answer["equal"], answer)
        self.assertEqual(12, answer["aside"])
        self.lab.assert_equal()
        self.assertEqual(12, len(self.in_trash()))
        self.assertEqual(0, self.flush()["extra"])

    def test_the_agents_state_is_lost(self):
        self.lab.start()
        self.flush()
        self.lab.agent.stop()
        self.lab.agent.lose_state()
        self.work()
        self.lab.agent.start()
        self.assertEqual(0, self.flush()["extra"])
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_a_power_cut_at_the_source_undoes_moves(self):
        """The source, and the agent's state with it, go back to before."""
        self.lab.start()
        self.flush()
        self.lab.agent.stop()
        state = self.lab.agent.state_dir + ".before"
        shutil.copytree(self.lab.agent.state_dir, state)
        self.lab.agent.start()
        names = sorted(os.listdir(self.inbox))[:20]
        for name in names:
            os.rename(os.path.join(self.inbox, name), os.path.join(self.archive, name))
        self.flush()
        self.lab.agent.kill()
        for name in names:
            os.rename(os.path.join(self.archive, name), os.path.join(self.inbox, name))
        shutil.rmtree(self.lab.agent.state_dir)
        os.rename(state, self.lab.agent.state_dir)
        self.lab.agent.start()
        self.lab.agent.flush("--full")
        self.lab.assert_equal()
        self.assertEqual([], self.kinds())
        self.assertEqual(0, self.flush()["extra"])

    def test_doubles_of_an_earlier_version(self):
        """Moved messages that are at both places already."""
        subprocess.run(["rsync", "-a", self.root.source + "/", self.root.destination + "/"], check=True)
        self.work()
        there = self.root.at_destination(self.archive)
        for name in os.listdir(self.archive):
            shutil.copy2(os.path.join(self.archive, name), os.path.join(there, name))
            os.chown(os.path.join(there, name), 5000, 5000)
        self.lab.start()
        self.assertEqual(0, self.flush()["extra"])
        self.lab.assert_equal()
        self.assertEqual(20, len(self.in_trash()), "the wrong place goes, and not for good")
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def others(self) -> None:
        there = self.root.at_destination(self.account)
        deliver(there, b"1700000001.M1P1.other")
        make_maildir(os.path.join(there, b".Theirs"), (5000, 5000))
        deliver(os.path.join(there, b".Theirs"), b"1700000001.M2P1.other")

    def test_mail_of_others_is_put_aside_only_when_a_person_says_so(self):
        self.lab.start()
        self.flush()
        self.others()
        self.assertEqual(["extra", "extra"], self.kinds())
        self.assertEqual(["extra", "extra"], self.kinds("--repair"))
        self.assertEqual([], self.in_trash())
        answer = self.aside_extra()
        self.assertTrue(answer["equal"], answer)
        self.assertEqual(2, len(self.in_trash()))
        self.lab.assert_equal()
        self.assertEqual(2, self.lab.agent.cli("verify", "--aside-extra").returncode, "only with --repair")

    def test_nothing_is_put_aside_of_a_drained_root(self):
        self.lab.start()
        self.flush()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        self.others()
        answer = self.aside_extra()
        self.assertTrue(answer["equal"], "what users have there is no difference of a drained root")
        self.assertEqual(0, answer["aside"])
        self.assertIn("drained", json.dumps(answer["left_out"]))
        self.assertEqual([], self.in_trash())

    def test_an_account_of_others_stays(self):
        self.lab.start()
        self.flush()
        other = os.path.join(os.fsencode(self.root.destination), b"example.org", b"b", b"Maildir")
        os.makedirs(os.path.dirname(other), 0o755)
        make_maildir(other, (5000, 5000), is_account=True)
        deliver(other, b"1700000001.M1P1.other")
        answer = self.aside_extra()
        self.assertEqual(["extra"], [one["kind"] for one in answer["differences"]])
        self.assertEqual([], self.in_trash())
        self.assertEqual(2, len(find_accounts(os.fsencode(self.root.destination), self.root.layout)))


if __name__ == "__main__":
    unittest.main()
