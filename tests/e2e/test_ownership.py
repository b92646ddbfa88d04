"""Owners, groups and modes: what the tables say, exactly, for files and directories, as root and as the service user.

Each test of Ownership runs twice: here with both daemons as root, and in test_ownership_as_service.py.
"""

import os
import signal
import stat
import struct
import unittest

from maildirsync_testing import LabTest, TreeSpec, deliver, make_tree, wait_until
from maildir_trees import make_directory, make_maildir, write_file

BASE = b"1700000000.M%dP1.mx"
# Names that every Debian has, with the same numbers.
MAIL, GAMES, PROXY, WWW = 8, 5, 13, 33  # users: mail, games, proxy, www-data
MAIL_GROUP, MAN_GROUP, STAFF_GROUP, GAMES_GROUP = 8, 12, 50, 60


class Ownership:
    def setUp(self):
        super().setUp()
        self.prepare()

    def prepare(self):
        pass

    def check(self):
        pass

    def start(self):
        self.lab.start()
        self.check()

    def assert_mapped(self, users: dict, groups: dict, **options):
        """Equal trees but for the owners, each of which is in the tables."""
        self.lab.assert_equal(map_owner=lambda uid, gid: (users[uid], groups[gid]), **options)

    def new_root(self, name="vhosts", **owner):
        return self.lab.add_root(name, owner=owner)

    # -- policies

    def test_tables_by_name_and_number_users_and_groups_apart(self):
        root = self.new_root(
            policy="map",
            users={"mail": "games", "games": "7005", "5000": "proxy", "5001": "7001", "8": "7999"},
            groups={"mail": "staff", "5000": "man", "5001": "7101", "games": "7160"},
        )
        # A name is looked up before its number: "8" is mail's, and does not count.
        users = {MAIL: GAMES, GAMES: 7005, 5000: PROXY, 5001: 7001}
        groups = {MAIL_GROUP: STAFF_GROUP, 5000: MAN_GROUP, 5001: 7101, GAMES_GROUP: 7160}
        owners = [(user, group) for user in users for group in groups]
        make_tree(root.source, TreeSpec(accounts=len(owners), messages=160, seed=201, owners=tuple(owners)))
        self.start()
        self.lab.flush()
        self.assert_mapped(users, groups)
        # Live, too, and by what others do with mail that is there.
        for number, owner in enumerate(owners):
            deliver(root.account(0), BASE % number, owner=owner)
            os.chown(os.path.join(root.account(number), b"cur"), *owners[(number + 1) % len(owners)])
        self.lab.flush()
        self.assert_mapped(users, groups)
        self.assertEqual([], self.lab.agent.problems())

    def test_policy_name(self):
        root = self.new_root(policy="name")
        make_tree(root.source, TreeSpec(accounts=4, messages=60, seed=202, owners=((MAIL, MAIL_GROUP), (WWW, STAFF_GROUP), (PROXY, GAMES_GROUP))))
        nameless = deliver(root.account(0), BASE % 1, owner=(5000, MAIL_GROUP))
        self.start()
        problem = self.lab.agent.wait_problem("unmapped-owner", os.path.basename(nameless).decode())
        self.assertIn("5000", problem["detail"])
        relative = os.path.relpath(nameless, os.fsencode(root.source))
        self.lab.agent.flush("--timeout", "20", complete=False)
        self.lab.assert_equal(skip=lambda path: path == relative)
        os.chown(nameless, MAIL, MAIL_GROUP)
        self.lab.flush()
        self.lab.assert_equal()

    def test_accounts_of_their_own_unix_users(self):
        """As with cPanel: a user and a group for each account, `mail` as the group of some directories, mode 0751."""
        root = self.new_root(policy="numeric")
        owners = tuple((20_000 + number, 20_000 + number) for number in range(12))
        make_tree(root.source, TreeSpec(accounts=12, messages=240, seed=203, owners=owners))
        for number, (user, _) in enumerate(owners):
            os.chmod(root.account(number), 0o751)
            os.chown(root.account(number), user, MAIL_GROUP)
        self.start()
        self.lab.flush()
        self.lab.assert_equal()
        # An account changes hands: every file of it, none of them sent again.
        before = self.lab.agent.totals()["messages_sent"]
        for directory, _, files in os.walk(root.account(3)):
            for path in [directory] + [os.path.join(directory, name) for name in files]:
                os.lchown(path, 30_000, 30_000)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(before, self.lab.agent.totals()["messages_sent"])

    def test_several_vmail_users_of_several_roots(self):
        roots = [
            self.new_root(f"r{number}", policy="map", users={"5000": f"{7000 + number}", "5001": f"{7100 + number}"}, groups={"5000": "mail"})
            for number in range(3)
        ]
        for number, root in enumerate(roots):
            make_tree(root.source, TreeSpec(accounts=4, messages=40, seed=204 + number, owners=((5000, 5000), (5001, 5000))))
        self.start()
        self.lab.flush()
        for number, root in enumerate(roots):
            self.lab.agent.roots = [root]
            self.assert_mapped({5000: 7000 + number, 5001: 7100 + number}, {5000: MAIL_GROUP})
        self.lab.agent.roots = roots

    # -- unmapped

    def test_unmapped_is_refused_by_name_until_the_table_knows_it(self):
        root = self.new_root(policy="map", users={"5000": "7000"}, groups={"5000": "7000"}, unmapped="reject")
        make_tree(root.source, TreeSpec(accounts=3, messages=60, seed=207, owners=((5000, 5000),)))
        account = root.account(0)
        message = deliver(account, BASE % 1, owner=(5999, 5000))
        group_only = deliver(account, BASE % 2, owner=(5000, 5998))
        control = os.path.join(account, b"maildirsize")
        os.chown(control, 5999, 5000)
        folder = os.path.join(account, b".Foreign")
        make_maildir(folder, (5999, 5999))
        deliver(folder, BASE % 3, owner=(5999, 5999))
        bad = {os.path.relpath(path, os.fsencode(root.source)) for path in (message, group_only, control, folder)}

        def is_bad(path):
            return path in bad or os.path.relpath(folder, os.fsencode(root.source)) in path

        self.start()
        for path in (message, group_only, control, folder):
            problem = self.lab.agent.wait_problem("unmapped-owner", os.path.basename(path).decode())
            self.assertRegex(problem["detail"], "599[89]")
            self.assertEqual("vhosts", problem["root"])
        left_out = self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertFalse(left_out["complete"])
        self.assert_mapped({5000: 7000}, {5000: 7000}, skip=is_bad)
        for path in (message, group_only, folder):
            self.assertFalse(os.path.lexists(root.at_destination(path)), path)
        # The rest of the same account goes on.
        deliver(account, BASE % 4)
        wait_until(lambda: os.path.exists(root.at_destination(os.path.join(account, b"new", BASE % 4))), "a delivery", alive=self.lab.daemons)
        # A control file that was mapped and is not any more keeps the destination's last version.
        root.owner["users"]["5999"], root.owner["groups"]["5999"], root.owner["groups"]["5998"] = "games", "7999", "7998"
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        wait_until(lambda: not self.lab.agent.problems("unmapped-owner"), "the problems clear", alive=self.lab.daemons)
        self.lab.flush()
        self.assert_mapped({5000: 7000, 5999: GAMES}, {5000: 7000, 5999: 7999, 5998: 7998})

    def test_a_message_whose_owner_becomes_unmapped_stays_at_the_destination(self):
        root = self.new_root(policy="map", users={"5000": "7000"}, groups={"5000": "7000"})
        make_tree(root.source, TreeSpec(accounts=1, messages=20, seed=208, owners=((5000, 5000),)))
        path = deliver(root.account(0), BASE % 1)
        self.start()
        self.lab.flush()
        os.chown(path, 5999, 5999)
        self.lab.agent.wait_problem("unmapped-owner", os.path.basename(path).decode())
        self.assertTrue(os.path.exists(root.at_destination(path)))
        self.lab.agent.stop()
        self.lab.agent.start()
        self.lab.agent.wait_problem("unmapped-owner", os.path.basename(path).decode())
        os.chown(path, 5000, 5000)
        self.lab.flush()
        self.assert_mapped({5000: 7000}, {5000: 7000})

    def test_unmapped_takes_the_rest_each_id_by_itself(self):
        root = self.new_root(policy="map", users={"5000": "7000"}, groups={"5002": "7002"}, unmapped="games:mail")
        make_tree(root.source, TreeSpec(accounts=6, messages=60, seed=209, owners=((5000, 5000), (5000, 5002), (5001, 5002), (0, 0))))
        self.start()
        self.lab.flush()
        self.lab.assert_equal(map_owner=lambda uid, gid: (7000 if uid == 5000 else GAMES, 7002 if gid == 5002 else MAIL_GROUP))

    # -- changes

    def test_group_only_owner_only_and_mode_only_changes(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=2, messages=60, seed=210))
        self.start()
        self.lab.flush()
        account = root.account(0)
        cur = os.path.join(account, b"cur")
        names = [name for name in sorted(os.listdir(cur)) if os.lstat(os.path.join(cur, name)).st_nlink == 1]
        os.chown(os.path.join(cur, names[0]), -1, 6001)
        os.chown(os.path.join(cur, names[1]), 6002, -1)
        os.chmod(os.path.join(cur, names[2]), 0o644)
        os.chown(os.path.join(account, b"dovecot-uidlist"), -1, 6003)
        os.chmod(os.path.join(account, b"subscriptions"), 0o660)
        os.chown(cur, -1, 6004)
        os.chmod(os.path.join(account, b"new"), 0o750)
        os.chown(os.path.join(account, b"tmp"), 6005, 6005)
        os.chown(os.path.join(account, b".Sent"), 6006, 6006)
        os.chmod(account, 0o711)
        # A flag change and a new group at once.
        os.rename(os.path.join(cur, names[3]), os.path.join(cur, names[3].partition(b":2,")[0] + b":2,DFS"))
        os.chown(os.path.join(cur, names[3].partition(b":2,")[0] + b":2,DFS"), -1, 6007)
        wait_until(lambda: not self.lab.differences(), "changes of attributes arrive by themselves", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        # And those that were made while the agent was away, which nothing but a look at each message finds.
        self.lab.agent.stop()
        os.chown(os.path.join(cur, names[4]), -1, 6008)
        os.chmod(os.path.join(cur, names[5]), 0o604)
        os.chown(os.path.join(account, b".Sent", b"new"), -1, 6009)
        os.chmod(os.path.join(account, b"cur"), 0o2770)
        self.lab.agent.start()
        self.lab.agent.flush("--full")
        self.lab.assert_equal()
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_an_account_that_is_given_to_another_while_the_agent_is_away(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=2, messages=60, seed=221))
        self.start()
        self.lab.flush()
        self.lab.agent.stop()
        for directory, _, files in os.walk(root.account(0)):
            for path in [directory] + [os.path.join(directory, name) for name in files]:
                os.lchown(path, 6010, 6011)
        self.lab.agent.start()
        wait_until(lambda: not self.lab.differences(), "the new owner arrives without a flush", alive=self.lab.daemons)
        self.assertEqual(0, self.lab.agent.totals()["messages_sent"])

    def test_directories_above_the_accounts(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=211))
        domain = os.path.join(os.fsencode(root.source), b"example.org")
        os.chown(domain, 6001, 6002)
        os.chmod(domain, 0o2751)
        self.start()
        self.lab.flush()
        self.lab.assert_equal()

    def test_directories_above_the_accounts_of_owners_that_nobody_mapped_are_as_the_root(self):
        root = self.new_root(policy="map", users={"5000": "7000"}, groups={"5000": "7000"})
        os.chown(root.destination, 7100, 7100)
        os.chmod(root.destination, 0o2751)
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=218, owners=((5000, 5000),)))
        domains = {name.encode() for name in os.listdir(root.source)}
        for name in domains:
            os.chown(os.path.join(os.fsencode(root.source), name), 5999, 5999)
        self.start()
        self.lab.flush()
        self.assert_mapped({5000: 7000}, {5000: 7000}, skip=lambda path: path in domains)
        for name in domains:
            status = os.stat(os.path.join(os.fsencode(root.destination), name))
            self.assertEqual((0o2751, 7100, 7100), (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))

    # -- modes

    def test_each_mode_of_files_and_directories(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=1, messages=10, seed=212))
        account = root.account(0)
        for number, mode in enumerate((0o000, 0o200, 0o400, 0o440, 0o444, 0o600, 0o606, 0o640, 0o644, 0o660, 0o666, 0o700, 0o755, 0o777)):
            path = deliver(account, BASE % number, owner=(5000 + number % 3, 5000 + number % 2))
            os.chmod(path, mode)
            write_file(os.path.join(account, b"control-%04o" % mode), b"x", (5000, 5001), mode)
        for mode in (0o500, 0o700, 0o711, 0o750, 0o751, 0o755, 0o770, 0o775, 0o777, 0o1777, 0o2700, 0o2750, 0o2751, 0o2770, 0o2775, 0o3771):
            folder = os.path.join(account, b".M%04o" % mode)
            make_maildir(folder, (5001, 5002), mode)
            os.chmod(folder, mode)
            deliver(folder, BASE % mode, owner=(5001, 5002))
            plain = os.path.join(account, b"plain-%04o" % mode)
            make_directory(plain, (5002, 5001), mode)
            os.chmod(plain, mode)
        self.start()
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(0o2751, stat.S_IMODE(os.lstat(root.at_destination(os.path.join(account, b".M2751", b"cur"))).st_mode))
        # The same live, where folders are made and change.
        for mode in (0o2751, 0o2770, 0o700):
            folder = os.path.join(account, b".L%04o" % mode)
            make_maildir(folder, (5003, 5004), mode)
            for area in (b"", b"cur", b"new", b"tmp"):
                os.chmod(os.path.join(folder, area), mode)
            deliver(folder, BASE % mode, owner=(5003, 5004))
        for area in (b"", b"cur", b"new", b"tmp"):
            os.chmod(os.path.join(account, b".M0700", area), 0o2711)
            os.chmod(os.path.join(account, b".M2750", area), 0o750)
            os.chown(os.path.join(account, b".M2770", area), 5005, 5006)  # the bits of a directory outlast chown(2)
        self.lab.flush()
        self.lab.assert_equal()

    def test_setgid_directories_do_not_give_their_group_to_what_arrives(self):
        root = self.new_root(policy="numeric")
        os.chown(root.destination, 0, 4321)
        os.chmod(root.destination, 0o2775)
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=213))
        for directory, _, _ in os.walk(root.account(0)):
            os.chmod(directory, 0o2770)
            os.chown(directory, -1, 6100)
        self.start()
        self.lab.flush()
        for number in range(10):
            deliver(root.account(0), BASE % number, owner=(5000, 5000))
            deliver(os.path.join(root.account(0), b".Sent"), BASE % number, owner=(5001, 6100))
        self.lab.flush()
        self.lab.assert_equal()

    def test_a_default_acl_of_the_destination_changes_no_mode(self):
        root = self.new_root(policy="numeric")
        try:
            os.setxattr(root.destination, "system.posix_acl_default", default_acl())
        except OSError as error:
            self.skipTest(f"no access control lists here: {error}")
        make_tree(root.source, TreeSpec(accounts=3, messages=30, seed=214))
        self.start()
        deliver(root.account(0), BASE % 1)
        self.lab.flush()
        self.lab.assert_equal()

    def test_the_umask_plays_no_part(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=2, messages=20, seed=215))
        for number, umask in enumerate(("0077", "0000", "0777")):
            with self.subTest(umask):
                if umask != "0077" and self.lab.receiver.prefix[:2] == ["sh", "-c"]:
                    continue  # the unit's own
                for daemon in self.lab.daemons:
                    daemon.prefix = ["sh", "-c", f'umask {umask}; exec "$@"', "sh"] if not self.is_service else daemon.prefix
                self.start()
                for mode in (0o600, 0o640, 0o666, 0o777):
                    os.chmod(deliver(root.account(0), BASE % (1000 * number + mode)), mode)
                folder = os.path.join(root.account(1), b".U%d" % number)
                make_maildir(folder, (5000, 5000), 0o777)
                os.symlink(b"subscriptions", os.path.join(folder, b"link"))
                os.lchown(os.path.join(folder, b"link"), 5000, 5000)
                self.lab.flush()
                self.lab.assert_equal()
                for daemon in self.lab.daemons:
                    self.assertEqual(0, daemon.stop())

    def test_set_user_and_set_group_bits_of_files_stay_behind_and_are_named(self):
        """Nothing makes these but a `chmod -R`; the mail has to arrive, and becomes no program of anybody's."""
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=1, messages=10, seed=216))
        account = root.account(0)
        modes = {}
        for number, mode in enumerate((0o4600, 0o2640, 0o2660, 0o1600, 0o4755, 0o2770)):
            paths = [deliver(account, BASE % number, owner=(5001, 5002)), os.path.join(account, b"bits-%04o" % mode)]
            write_file(paths[1], b"x", (5000, 5000), 0o600)
            for path in paths:
                os.chmod(path, mode)
                modes[path] = mode
        self.start()
        for path, mode in modes.items():
            if mode & 0o6000:
                problem = self.lab.agent.wait_problem("permission", os.path.basename(path).decode())
                self.assertIn(f"{mode & 0o1777:04o} instead of {mode:04o}", problem["detail"])
        result = self.lab.agent.flush("--timeout", "20", complete=False)
        self.assertFalse(result["complete"])
        expected = {f"{mode:04o} became {mode & 0o1777:04o}" for mode in modes.values() if mode & 0o6000}
        differences = self.lab.differences()
        self.assertEqual({("mode", detail) for detail in expected}, {(found.kind, found.detail) for found in differences}, differences)
        before = self.lab.agent.totals()["messages_sent"]
        for path, mode in modes.items():
            os.chmod(path, mode & 0o1777)
        wait_until(lambda: not self.lab.agent.problems("permission"), "the problems clear", alive=self.lab.daemons)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual(before, self.lab.agent.totals()["messages_sent"])

    def test_a_directory_keeps_set_group_and_not_set_user(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=1, messages=10, seed=217))
        folder = os.path.join(root.account(0), b".Shared")
        make_maildir(folder, (5001, 5002))
        os.chmod(folder, 0o6770)
        self.start()
        self.assertIn("2770 instead of 6770", self.lab.agent.wait_problem("permission", "Shared")["detail"])
        there = root.at_destination(folder)
        self.assertEqual(0o2770, stat.S_IMODE(os.stat(there).st_mode))
        os.chmod(folder, 0o2770)
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())

    def test_root_gets_what_a_table_names_and_nothing_else(self):
        root = self.new_root(policy="numeric")
        make_tree(root.source, TreeSpec(accounts=1, messages=10, seed=218))
        paths = [deliver(root.account(0), BASE % number, owner=owner) for number, owner in enumerate(((0, 5000), (5000, 0)))]
        self.start()
        for path in paths:
            self.assertIn("root", self.lab.agent.wait_problem("unmapped-owner", os.path.basename(path).decode())["detail"])
        self.lab.agent.flush("--timeout", "20", complete=False)
        for path in paths:
            self.assertFalse(os.path.lexists(root.at_destination(path)))
        root.owner |= {"users": {"0": "root"}, "groups": {"0": "0"}}
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.receiver.wait_log("reloaded")
        self.lab.flush(limit=300)
        self.lab.assert_equal()


def default_acl() -> bytes:
    """user::rwx, user:4000:rwx, group::r-x, mask::rwx, other::r-x, as the kernel keeps it."""
    entries = ((1, 7, 0xFFFFFFFF), (2, 7, 4000), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 5, 0xFFFFFFFF))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


class SeveralNames(LabTest):
    """A second name of a message is a link at the destination, but not of one that is kept out."""

    def test_each_is_named_while_its_owner_is_not_mapped_and_both_arrive_as_one_when_it_is(self):
        root = self.lab.add_root(owner={"policy": "map", "users": {"5000": "5000"}, "groups": {"5000": "5000"}})
        make_tree(root.source, TreeSpec(accounts=1, messages=10, seed=33, owners=((5000, 5000),), extras=False))
        account = root.account(0)
        first, second = (os.path.join(account, name) for name in (b"cur/1700000900.M1P1.mx:2,S", b"new/1700000901.M2P1.mx"))
        write_file(first, b"of a user whom the table does not name\n", (5001, 5001), 0o644)
        os.link(first, second)
        self.lab.start()
        for path in (first, second):
            self.lab.agent.wait_problem("unmapped-owner", os.path.basename(path).decode())
        self.lab.agent.flush("--timeout", "10", complete=False)
        self.assertEqual({"unmapped-owner"}, {problem["code"] for problem in self.lab.agent.status()["problems"]})
        root.owner["users"]["5001"] = root.owner["groups"]["5001"] = "5001"
        self.lab.receiver.write_config()
        self.lab.receiver.signal(signal.SIGHUP)
        self.lab.receiver.wait_log("reloaded")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertEqual([], self.lab.agent.problems())


class AsRoot(Ownership, LabTest):
    is_service = False


if __name__ == "__main__":
    unittest.main()
