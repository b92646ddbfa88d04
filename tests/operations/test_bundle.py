"""The bundle on systems that are not the one it was built on: it installs, mirrors, and goes again without a trace.

The systems come from the package archive by mmdebstrap, so this needs the network, root, and some minutes; MAILDIRSYNC_SYSTEMS names
the releases (default: bullseye and trixie). A system that cannot be had is a skipped test.
"""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from systems import MAILBOXES, make_bundle, make_system, need

SYSTEMS = os.environ.get("MAILDIRSYNC_SYSTEMS", "bullseye trixie").split()

# Both sides on one machine: what matters is that the programs of the bundle do all their work beside another C library.
WORK = r"""
set -eu
service() { script=/etc/init.d/$1; [ -x $script ] || script=/opt/maildirsync/share/maildirsync/$1.init; shift; $script "$@"; }
cd /root/maildirsync-*
find / -xdev -path '*maildirsync*' ! -path '/root/*' | sort >/root/before
useradd --system --uid 5000 --shell /sbin/nologin vmail
@MAILBOXES@
# Somebody whom only a module of this system's name service knows.
sed -i -E 's/^(passwd|group):.*/\1: files extrausers/' /etc/nsswitch.conf
echo 'carla:x:70001:70000::/nonexistent:/sbin/nologin' >/var/lib/extrausers/passwd
echo 'directory:x:70000:' >/var/lib/extrausers/group
cp -r /var/vmail/example.org/anna /var/vmail/example.org/carla
chown -R carla:directory /var/vmail/example.org/carla
# What this system's OpenSSL would refuse to work with.
mkdir -p /usr/lib/ssl
printf '%s\n' 'openssl_conf = all' '[all]' 'ssl_conf = parts' 'engines = none' '[parts]' 'system_default = default' '[default]' \
  'CipherString = DEFAULT@SECLEVEL=5' '[none]' 'one = one' '[one]' 'dynamic_path = /nowhere.so' 'init = 1' >/usr/lib/ssl/openssl.cnf
./install receiver
./install agent
mkdir -p /srv/mail
maildirsync setup receiver --yes --listen 127.0.0.1:4465 --address 127.0.0.1 --path /srv/mail >/root/line
maildirsync setup agent --yes --root vhosts=/var/vmail --accounts %d/%n/Maildir --pair "$(tail -n 1 /root/line)" >/root/back
maildirsync pair --name old --path vhosts=/srv/mail "$(tail -n 1 /root/back)"
service maildirsyncd start
service maildirsync-agent start
for n in $(seq 100); do maildirsync status >/dev/null 2>&1 && break; sleep 0.3; done
printf 'Subject: late\n\nx\n' >/var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx
chown vmail:vmail /var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx
maildirsync flush
maildirsync verify --deep
diff -r /var/vmail /srv/mail -x '.maildirsync*'
test "$(stat -c %U /srv/mail/example.org/anna/Maildir/new/1700000009.M1P1.mx)" = vmail
box=/srv/mail/example.org/carla/Maildir
test "$(stat -c '%u:%g %U:%G' "$(ls -d $box/cur/*1.M1P1*)")" = '70001:70000 carla:directory'
for program in maildirsync-agent maildirsyncd; do
  pid=$(cat /run/$program.pid)
  test "$(readlink /proc/$pid/exe)" = /opt/maildirsync/bin/$program
  test "$(stat -c %U /proc/$pid)" = $program
  echo "$program $(grep -E 'CapEff|NoNewPrivs' /proc/$pid/status | tr '\t\n' '  ')"
  ! grep -E ' /(usr/)?lib' /proc/$pid/maps || { echo "a library of the system is loaded"; exit 1; }
  service $program keep && test "$(cat /run/$program.pid)" = $pid
done
kill -9 "$(cat /run/maildirsync-agent.pid)"
for n in $(seq 100); do service maildirsync-agent status >/dev/null || break; sleep 0.1; done
service maildirsync-agent status && exit 1
service maildirsync-agent keep
service maildirsync-agent status
./install agent # again, over what runs
/opt/maildirsync/uninstall
rm -rf /etc/maildirsync /etc/systemd/system/maildirsync* /var/lib/maildirsync* /var/log/maildirsync* /run/maildirsync* /var/run/maildirsync*
rm -rf /var/vmail /srv/mail
find / -xdev -path '*maildirsync*' ! -path '/root/*' | sort >/root/after
diff /root/before /root/after
echo "all of it worked"
""".replace("@MAILBOXES@\n", MAILBOXES)

# A system of BusyBox alone: no C library, no systemd, no /etc/init.d, no getent, and a prefix that is not the usual one.
BUSYBOX_WORK = r"""
set -eu
cd /root/maildirsync-*
@MAILBOXES@
./install receiver --prefix /usr/local/lib/maildirsync
./install agent --prefix /usr/local/lib/maildirsync
maildirsync setup receiver --yes --listen 127.0.0.1:4465 --address 127.0.0.1 --path /srv/mail >/root/line
maildirsync setup agent --yes --root vhosts=/var/vmail --accounts %d/%n/Maildir --pair "$(tail -n 1 /root/line)" >/root/back
maildirsync pair --name old --path vhosts=/srv/mail "$(tail -n 1 /root/back)"
/usr/local/lib/maildirsync/share/maildirsync/maildirsyncd.init start
/usr/local/lib/maildirsync/share/maildirsync/maildirsync-agent.init start
for n in $(seq 100); do maildirsync status >/dev/null 2>&1 && break; sleep 0.3; done
printf 'Subject: late\n\nx\n' >/var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx
chown vmail:vmail /var/vmail/example.org/anna/Maildir/new/1700000009.M1P1.mx
maildirsync flush
maildirsync verify --deep
test "$(cd /var/vmail && find . -type f | sort | xargs sha256sum)" = "$(cd /srv/mail && find . -type f ! -name '.maildirsync*' ! -path '*/.maildirsync*' | sort | xargs sha256sum)"
/usr/local/lib/maildirsync/share/maildirsync/maildirsync-agent.init keep
/usr/local/lib/maildirsync/uninstall
test ! -e /usr/local/lib/maildirsync && test ! -e /usr/local/bin/maildirsync
! pidof maildirsyncd maildirsync-agent
echo "all of it worked"
""".replace("@MAILBOXES@\n", MAILBOXES)
BUSYBOX_USERS = """root:x:0:0:root:/root:/bin/sh
vmail:x:5000:5000::/var/vmail:/bin/false
maildirsync-agent:x:201:201::/nonexistent:/bin/false
maildirsyncd:x:202:202::/nonexistent:/bin/false
"""


class Bundle(unittest.TestCase):
    def setUp(self):
        need("patchelf", "mmdebstrap")
        self.base = tempfile.mkdtemp(prefix="maildirsync-bundle-")
        self.addCleanup(shutil.rmtree, self.base)
        self.archive = make_bundle(self.base) + ".gz"

    def enter(self, system: str, script: str, shell: str = "/bin/bash") -> str:
        with open(os.path.join(system, "root", "work"), "w", encoding="utf-8") as file:
            file.write(script)
        inside = f"ip link set lo up && mount --bind {system} {system} && mount -t proc proc {system}/proc && exec chroot {system} {shell} /root/work"
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", inside], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def test_on_other_systems(self):
        for release in SYSTEMS:
            with self.subTest(release=release):
                system = os.path.join(self.base, release)
                make_system(release, system, "libnss-extrausers")
                subprocess.run(["tar", "-C", os.path.join(system, "root"), "-xf", self.archive], check=True)
                self.assertIn("all of it worked", self.enter(system, WORK))

    def test_on_a_system_of_busybox_alone(self):
        system = os.path.join(self.base, "busybox")
        for folder in ("bin", "dev", "etc", "proc", "root", "run", "srv/mail", "tmp", "usr/local/bin", "usr/local/lib", "var/lib", "var/log"):
            os.makedirs(os.path.join(system, folder))
        had = subprocess.run(["apt-get", "download", "-q", "busybox-static"], cwd=self.base, capture_output=True, text=True)
        package = next((name for name in os.listdir(self.base) if name.startswith("busybox-static_")), None)
        if not package:
            self.skipTest(f"no busybox-static can be had: {had.stderr[-300:]}")
        subprocess.run(["dpkg-deb", "--extract", package, "unpacked"], cwd=self.base, check=True)
        shutil.copy(os.path.join(self.base, "unpacked", "bin", "busybox"), os.path.join(system, "bin"))
        for tool in subprocess.check_output([os.path.join(system, "bin", "busybox"), "--list"], text=True).split():
            if tool != "busybox":
                os.symlink("busybox", os.path.join(system, "bin", tool))
        with open(os.path.join(system, "etc", "passwd"), "w", encoding="utf-8") as passwd:
            passwd.write(BUSYBOX_USERS)
        with open(os.path.join(system, "etc", "group"), "w", encoding="utf-8") as group:
            group.writelines("{0}:x:{2}:\n".format(*line.split(":")) for line in BUSYBOX_USERS.splitlines())
        os.mknod(os.path.join(system, "dev", "null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(os.path.join(system, "dev", "null"), 0o666)
        subprocess.run(["tar", "-C", os.path.join(system, "root"), "-xf", self.archive], check=True)
        self.assertIn("all of it worked", self.enter(system, BUSYBOX_WORK, "/bin/sh"))

    def test_what_stands_in_the_way_is_named_and_leaves_nothing(self):
        """In a private view of this machine, whose own directories are hidden."""
        unpacked = next(os.path.join(self.base, name) for name in os.listdir(self.base) if os.path.isdir(os.path.join(self.base, name)))
        place = os.path.join(self.base, "place")
        os.mkdir(place)

        def install(*options: str, before: str = "true") -> subprocess.CompletedProcess:
            hidden = "mount -t tmpfs tmpfs /usr/local/bin && mount -t tmpfs tmpfs " + place
            command = f"{hidden} && {before} && {unpacked}/install agent --no-service {' '.join(options)}; status=$?; ls -A {place}; exit $status"
            return subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL)

        done = install("--prefix", place + "/here")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("here", done.stdout.splitlines()[-1])
        for words, options, before in (
            ("is it read-only?", ("--prefix", place + "/here"), f"mount -o remount,ro {place}"),
            ("is it mounted noexec?", ("--prefix", place + "/here"), f"mount -o remount,noexec {place}"),
            ("KiB free", ("--prefix", place + "/here"), f"mount -o remount,size=4M {place}"),
            ("is too long", ("--prefix", place + "/" + "x" * 200), "true"),
            ("is not ours", ("--prefix", place + "/here"), f"mkdir {place}/here"),
            ("an absolute path is needed", ("--prefix", "here"), "true"),
        ):
            with self.subTest(words=words):
                done = install(*options, before=before)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
                self.assertIn(done.stdout.split(), ([], ["here"]))
        broken = os.path.join(unpacked, "lib", "libzstd.so.1")
        with open(broken, "ab") as file:
            file.write(b"x")
        done = install("--prefix", place + "/here")
        self.assertIn("copy and unpack it anew", done.stderr)
        self.assertEqual(2, subprocess.run([os.path.join(unpacked, "install")], capture_output=True).returncode)


if __name__ == "__main__":
    unittest.main()
