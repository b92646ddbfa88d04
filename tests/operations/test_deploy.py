"""`maildirsync deploy` over a real sshd: both servers are systems of another release, each in namespaces of its own, with a line between.

The systems come from the package archive by mmdebstrap, so this needs the network, root, and some minutes; MAILDIRSYNC_SYSTEMS names
the releases (default: bullseye). A system that cannot be had is a skipped test.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from systems import MAILBOXES, Machine, System, make_bundle, make_system, need

RELEASE = os.environ.get("MAILDIRSYNC_SYSTEMS", "bullseye").split()[0]
OLD_ADDRESS, NEW_ADDRESS = "192.0.2.1", "192.0.2.2"

SSH_CONFIG = f"""Host old.example.org
  HostName {OLD_ADDRESS}
  Port 2222
  User root
  StrictHostKeyChecking accept-new
"""
MAIL = "set -eu; useradd --system --uid 5000 --shell /sbin/nologin vmail\n" + MAILBOXES


class Deployed(unittest.TestCase):
    """Two systems on one network; the new one has the receiver's programs, and a key for root on the old one."""

    KIND = System

    @classmethod
    def setUpClass(cls):
        need("patchelf", "mmdebstrap", "nsenter")
        cls.base = tempfile.mkdtemp(prefix="maildirsync-deploy-")
        cls.addClassCleanup(shutil.rmtree, cls.base)
        cls.archive = make_bundle(cls.base, MAILDIRSYNC_BUNDLE_LEVEL="1")
        cls.tree = os.path.join(cls.base, "base")
        make_system(RELEASE, cls.tree, "openssh-server,openssh-client,iproute2,procps,sudo,systemd,systemd-sysv")

    def system(self, name: str) -> System:
        own = tempfile.mkdtemp(prefix=name + "-", dir=self.base)
        self.addCleanup(shutil.rmtree, own)
        root = os.path.join(own, "root")
        for folder in ("root", "over", "work"):
            os.mkdir(os.path.join(own, folder))
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={self.tree},upperdir={own}/over,workdir={own}/work", "overlay", root], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", root], check=True)
        system = self.KIND(root, name)
        self.addCleanup(system.stop)
        return system

    def setUp(self):
        self.old, self.new = self.system("old"), self.system("new")
        subprocess.run(["ip", "link", "add", "eth0", "netns", str(self.old.pid), "type", "veth", "peer", "eth0", "netns", str(self.new.pid)], check=True)
        for system, address in ((self.old, OLD_ADDRESS), (self.new, NEW_ADDRESS)):
            system.must(f"ip address add {address}/24 dev eth0 && ip link set eth0 up")
        self.old.must(MAIL)
        self.new.must("useradd --system --uid 6000 --shell /sbin/nologin vmail && install -d -o vmail -g vmail /srv/mail")
        self.new.must("mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        self.new.write("/root/.ssh/config", SSH_CONFIG)
        self.old.must("mkdir -p -m 700 /root/.ssh && mkdir -p /run/sshd")
        shutil.copy(self.new.root + "/root/.ssh/id_ed25519.pub", self.old.root + "/root/.ssh/authorized_keys")
        self.old.must("/usr/sbin/sshd -p 2222")
        # The receiver's side is installed as a person would, on a system that has little.
        for suffix in (".zst", ".zst.sha256", ".gz"):
            shutil.copy(self.archive + suffix, self.new.root + "/root")
        self.new.must("cd /root && tar -xf maildirsync-*.tar.gz && maildirsync-*/install receiver")
        self.bundle = "/root/" + os.path.basename(self.archive) + ".zst"
        self.clean = self.old.ours()

    def deploy(self, *options: str, status: int = 0) -> subprocess.CompletedProcess:
        done = self.new.run(f"maildirsync deploy old.example.org {' '.join(options)}")
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done

    def fresh(self, *options: str, status: int = 0) -> subprocess.CompletedProcess:
        return self.deploy(f"--bundle {self.bundle} --path /srv/mail --owner vmail:vmail --address {NEW_ADDRESS}", *options, status=status)

    def status(self) -> dict:
        return json.loads(self.old.run("maildirsync --json status").stdout)

    def reaches(self, state: str) -> None:
        end = time.monotonic() + 60
        while self.status()["state"] != state:
            self.assertLess(time.monotonic(), end, self.status())
            time.sleep(0.2)

    def equal(self) -> None:
        self.old.must("maildirsync flush && maildirsync verify --deep")
        self.assertEqual(self.old.must("cd /var/vmail && find . -type f | sort"), self.new.must("cd /srv/mail && find . -type f ! -path '*/.maildirsync*' ! -name '.maildirsync*' | sort"))


class Deploy(Deployed):
    def test_live_after_one_command_again_and_gone(self):
        told = self.fresh("--dry-run").stderr
        self.assertIn("would install maildirsync", told)
        self.assertEqual(self.clean, self.old.ours())
        told = self.fresh().stderr
        self.assertLess(told.index("install maildirsync"), told.index("start both"))
        self.reaches("live")
        self.equal()
        # Once more, over what runs: repaired, and live.
        before = self.old.must("cat /run/maildirsync-agent.pid")
        self.assertIn("repair maildirsync", self.fresh().stderr)
        self.assertNotEqual(before, self.old.must("cat /run/maildirsync-agent.pid"))
        self.assertEqual("1\n", self.old.must("pgrep -c -r S -x maildirsync-age"))
        self.reaches("live")
        self.old.must("printf 'Subject: x\\n\\nx\\n' >/var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx && chown vmail:vmail /var/vmail/example.org/anna/Maildir/new/*")
        self.equal()
        # A receiver on the old side is nothing that deploy made.
        self.new.must("ls /etc/maildirsync/receiver.d/*.toml")
        gone = self.deploy("--remove")
        self.assertIn("left here: the mail in /srv/mail", gone.stdout)
        self.assertEqual({"/var/log/maildirsync-agent.log"}, self.old.ours() - self.clean)
        self.assertIn("left on old.example.org: /var/log/maildirsync-agent.log", gone.stdout)
        self.assertEqual("", self.old.must("pgrep maildirsync || true"))
        self.assertEqual("", self.new.must("ls /etc/maildirsync/receiver.d"))
        self.deploy("--remove")
        self.assertEqual({"/var/log/maildirsync-agent.log"}, self.old.ours() - self.clean)
        self.assertEqual(7, int(self.new.must("find /srv/mail -path '*Maildir*' -type f -name '17*' | wc -l")))

    def test_paused_copies_nothing_until_resume(self):
        told = self.fresh("--paused").stderr
        self.assertIn("maildirsync resume", told)
        self.reaches("paused")
        self.assertEqual("0\n", self.new.must("find /srv/mail -name '17*' | wc -l"))
        log = self.old.must("cat /var/log/maildirsync-agent.log")
        self.old.must("maildirsync resume")
        self.reaches("live")
        self.equal()
        self.assertNotIn("resumed", log)

    def test_a_tunnel_where_no_line_leads_back(self):
        self.deploy(f"--bundle {self.bundle} --path /srv/mail --owner vmail:vmail --tunnel")
        self.assertIn('receiver = "127.0.0.1:4465"', self.old.must("cat /etc/maildirsync/agent.toml"))
        self.assertIn('listen = "127.0.0.1:4465"', self.new.must("cat /etc/maildirsync/receiver.toml"))
        self.reaches("live")
        self.equal()
        # The line comes back by itself.
        self.new.must("pkill -x ssh")
        self.old.must("printf 'Subject: x\\n\\nx\\n' >/var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx && chown vmail:vmail /var/vmail/example.org/anna/Maildir/new/*")
        self.equal()
        self.deploy("--remove")
        self.assertEqual("", self.new.must("pgrep -x ssh || true"))
        self.assertEqual("", self.new.must("ls /etc/init.d | grep tunnel || true"))

    def refused(self, words: str, *options: str, status: int = 2) -> None:
        done = self.fresh(*options, status=status)
        sentences = [line for line in done.stderr.splitlines() if line.startswith("maildirsync: ")]
        self.assertEqual(1, len(sentences), done.stderr)
        self.assertIn(words, sentences[0])
        self.assertEqual(self.clean, self.old.ours(), done.stderr)
        self.assertEqual("", self.new.must("ls /etc/maildirsync/receiver.d 2>/dev/null || true"))

    def test_what_stands_in_the_way_is_named_and_leaves_nothing(self):
        old = self.old
        with self.subTest("no root"):
            old.must("useradd -m -s /bin/sh plain && cp -r /root/.ssh /home/plain && chown -R plain /home/plain")
            self.refused("sudo without a password", '--ssh "ssh -l plain"')
        with self.subTest("a menu"):
            old.write("/usr/local/bin/menu", "#!/bin/sh\necho 1 mail, 2 files, 3 leave\nread x\n")
            old.must("chmod 755 /usr/local/bin/menu && usermod -s /usr/local/bin/menu plain")
            self.refused("no shell answers there; it says: 1 mail, 2 files, 3 leave", '--ssh "ssh -l plain"', status=1)
        with self.subTest("read-only"):
            old.must("mount -t tmpfs -o ro tmpfs /opt")
            self.refused("/opt is read-only there")
            old.must("umount /opt")
        with self.subTest("noexec"):
            old.must("mount -t tmpfs -o noexec tmpfs /opt")
            self.refused("/opt is mounted noexec there")
            old.must("umount /opt")
        with self.subTest("no space"):
            old.must("mount -t tmpfs -o size=4M tmpfs /opt")
            self.refused("KiB free, and")
            old.must("umount /opt")
        with self.subTest("a package of another version"):
            old.write("/usr/bin/maildirsync", "#!/bin/sh\necho maildirsync 0.0.1\n")
            old.must("chmod 755 /usr/bin/maildirsync")
            self.clean = old.ours()
            self.refused("a package of maildirsync 0.0.1 is installed there")
            old.must("rm /usr/bin/maildirsync")
            self.clean = old.ours()
        with self.subTest("another architecture"):
            old.write("/usr/local/bin/uname", "#!/bin/sh\n[ \"$1\" = -m ] && echo riscv64 || /bin/uname \"$@\"\n")
            old.must("chmod 755 /usr/local/bin/uname")
            self.refused("it is riscv64, and the bundle is for")
            old.must("rm /usr/local/bin/uname")
        with self.subTest("a copy that breaks off"):
            old.write("/usr/local/bin/tar", "#!/bin/sh\nhead -c 1000000 >/dev/null\nkill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID))\nexit 1\n")
            old.must("chmod 755 /usr/local/bin/tar")
            self.refused("run the same command again", status=1)
            old.must("rm /usr/local/bin/tar")
        with self.subTest("half an archive"):
            self.new.must(f"head -c 3000000 {self.bundle} >/root/half.tar.zst")
            whole, self.bundle = self.bundle, "/root/half.tar.zst"
            self.refused("the bundle is damaged")
            self.bundle = whole
        with self.subTest("no mail"):
            old.must("mv /var/vmail /var/other")
            self.refused("no Maildirs were found", status=1)
            old.must("mv /var/other /var/vmail")
        with self.subTest("an owner that is unknown here"):
            self.refused("does not exist here", "--owner nobody-at-all:vmail", status=1)
        with self.subTest("no ssh"):
            old.must("pkill -o -x sshd")
            self.refused("ssh does not reach old.example.org", status=1)

    def test_a_failure_leaves_what_was_there_before(self):
        self.old.must("mkdir /var/lib/maildirsync-agent && touch /var/lib/maildirsync-agent/decisions && mv /var/vmail /var/other")
        self.assertIn("no Maildirs were found", self.fresh(status=1).stderr)
        self.old.must("test -e /var/lib/maildirsync-agent/decisions && test ! -e /opt/maildirsync && test ! -e /etc/maildirsync/agent.key")
        # Nor does it take away what it cannot have made.
        self.old.must("touch /etc/maildirsync/agent.toml")
        self.assertIn("say where it is with --into", self.deploy("--remove", status=2).stderr)
        self.old.must("test -e /etc/maildirsync/agent.toml && test -e /var/lib/maildirsync-agent/decisions")

    def test_without_an_archive_it_says_what_to_do(self):
        archive = self.new.must("ls /opt/maildirsync/share/maildirsync/bundles/*.zst").strip()
        self.assertIn("would install maildirsync", self.deploy("--dry-run").stderr)  # `install receiver` has kept it
        self.new.must("mv /opt/maildirsync/share/maildirsync/bundles /root")
        told = self.deploy(status=2).stderr
        self.assertIn(f"there is no bundle for it ({archive}): install the package maildirsync-bundle here, or name the archive for", told)
        self.assertIn("give the .tar.zst", self.deploy("--bundle /root/maildirsync-*.tar.gz", status=2).stderr)
        self.assertEqual(self.clean, self.old.ours())
        # What is installed once more keeps what was there.
        self.new.must("mv /root/bundles /opt/maildirsync/share/maildirsync && rm /root/maildirsync-*.tar.zst* && /root/maildirsync-*/install receiver")
        self.assertEqual(archive, self.new.must(f"ls {archive}").strip())

    def test_by_sudo(self):
        self.old.must("useradd -m -s /bin/sh -u 1200 plain && cp -r /root/.ssh /home/plain && chown -R plain /home/plain && rm -r /root/.ssh")
        self.old.write("/etc/sudoers.d/plain", "plain ALL=(ALL) NOPASSWD: ALL\n")
        user = '--ssh "ssh -l plain"'
        self.fresh(user)
        self.reaches("live")
        self.equal()
        self.deploy("--remove", user)
        self.assertEqual({"/var/log/maildirsync-agent.log"}, self.old.ours() - self.clean)

    def test_behind_a_jump_host_with_the_tunnel(self):
        """new and old have no common network; the host between them forwards ssh, and nothing else."""
        gate = self.system("gate")
        self.new.must("ip link delete eth0")
        for left, right, device, network in ((self.new, gate, "eth0", "192.0.2"), (self.old, gate, "eth1", "198.51.100")):
            subprocess.run(["ip", "link", "add", "eth0", "netns", str(left.pid), "type", "veth", "peer", device, "netns", str(right.pid)], check=True)
            left.must(f"ip address add {network}.1/24 dev eth0 && ip link set eth0 up")
            right.must(f"ip address add {network}.3/24 dev {device} && ip link set {device} up")
        gate.must("useradd -m -s /bin/sh hop && mkdir -p /run/sshd /home/hop/.ssh")
        shutil.copy(self.new.root + "/root/.ssh/id_ed25519.pub", gate.root + "/home/hop/.ssh/authorized_keys")
        gate.must("chown -R hop /home/hop && chmod 700 /home/hop/.ssh && /usr/sbin/sshd -p 2200")
        self.new.write(
            "/root/.ssh/config",
            SSH_CONFIG.replace(OLD_ADDRESS, "198.51.100.1") + "  ProxyJump gate\nHost gate\n  HostName 192.0.2.3\n  Port 2200\n  User hop\n  StrictHostKeyChecking accept-new\n",
        )
        self.deploy("--path /srv/mail --owner vmail:vmail --tunnel")
        self.reaches("live")
        self.equal()
        self.deploy("--remove")
        self.assertEqual({"/var/log/maildirsync-agent.log"}, self.old.ours() - self.clean)

    def test_a_banner_is_no_obstacle(self):
        self.old.must("echo 'echo welcome to old; echo maildirsync-deploy is a fine word' >>/root/.bashrc; printf 'Authorized use only\\n' >/etc/issue.net")
        self.old.must("pkill -o -x sshd; sleep 0.5; /usr/sbin/sshd -p 2222 -o Banner=/etc/issue.net")
        self.old.must("sed -i '1i echo welcome to old' /root/.bashrc")
        self.fresh()
        self.reaches("live")


class DeployWithSystemd(Deployed):
    KIND = Machine

    def test_live_by_units_again_and_gone(self):
        self.fresh()
        self.reaches("live")
        self.equal()
        for system, unit in ((self.old, "maildirsync-agent"), (self.new, "maildirsyncd")):
            system.must(f"systemctl is-active {unit} && systemctl is-enabled {unit}")
            status = system.must(f"cat /proc/$(systemctl show --property MainPID --value {unit})/status")
            self.assertIn("Seccomp:\t2", status)
        before = self.old.must("systemctl show --property MainPID maildirsync-agent")
        self.assertIn("repair maildirsync", self.fresh().stderr)
        self.assertNotEqual(before, self.old.must("systemctl show --property MainPID maildirsync-agent"))
        self.reaches("live")
        self.equal()
        self.deploy("--remove")
        self.assertEqual(set(), self.old.ours() - self.clean)
        self.assertEqual("", self.old.must("systemctl list-unit-files --no-legend 'maildirsync*' || true"))

    def test_an_old_systemd_starts_it_as_root(self):
        """With the unit for systemd before 235, which this one takes as well."""
        self.old.write("/usr/local/bin/systemctl", '#!/bin/sh\n[ "$*" = --version ] && echo systemd 219 && exit\nexec /bin/systemctl "$@"\n')
        self.old.must("chmod 755 /usr/local/bin/systemctl")
        self.clean = self.old.ours()
        self.assertIn("older than 235", self.fresh().stderr)
        self.reaches("live")
        self.equal()
        self.old.must("grep -q -- '--user maildirsync-agent' /etc/systemd/system/maildirsync-agent.service")
        process = self.old.must("systemctl show --property MainPID --value maildirsync-agent").strip()
        status = self.old.must(f"stat -c %U /proc/{process} && cat /proc/{process}/status")
        self.assertTrue(status.startswith("maildirsync-agent\n"), status)
        for line in ("CapEff:\t0000000000000004", "CapBnd:\t0000000000000004", "NoNewPrivs:\t1"):
            self.assertIn(line, status)
        self.deploy("--remove")
        self.assertEqual(set(), self.old.ours() - self.clean)

    def test_the_tunnel_is_a_unit_that_comes_back(self):
        self.deploy("--path /srv/mail --owner vmail:vmail --tunnel --paused")
        unit = "maildirsync-tunnel-old.example.org"
        self.new.must(f"systemctl is-active {unit} && systemctl is-enabled {unit}")
        self.reaches("paused")
        self.old.must("maildirsync resume")
        self.reaches("live")
        self.new.must("pkill -x ssh")
        self.old.must("printf 'Subject: x\\n\\nx\\n' >/var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx && chown vmail:vmail /var/vmail/example.org/anna/Maildir/new/*")
        self.equal()
        self.deploy("--remove")
        self.assertEqual("", self.new.must("systemctl list-unit-files --no-legend 'maildirsync-tunnel*' || true"))


if __name__ == "__main__":
    unittest.main()
