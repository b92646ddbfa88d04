"""The RPM has what `cmake --install` installs, and owns no directory of the system."""

import os
import re
import subprocess
import tempfile
import unittest

BUILD = os.path.dirname(os.path.abspath(os.environ.get("MAILDIRSYNC_BIN", "build/release/bin")))
SHARED = re.compile(r"/(usr|etc|lib|usr/(s?bin|lib|share)(/(man(/man\d)?|doc|licenses|zsh|bash-completion|systemd(/system)?|(sysusers|tmpfiles|sysctl)\.d))?)")


def run(*command: str, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Rpm(unittest.TestCase):
    def test_it_has_what_is_installed(self):
        with tempfile.TemporaryDirectory(prefix="maildirsync-rpm-") as base:
            run("cpack", "-G", "RPM", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", base)
            package = next(os.path.join(base, name) for name in os.listdir(base) if name.endswith(".rpm"))
            run("rpm", "-K", "--nosignature", package)
            listed = run("rpm", "-qp", "--qf", r"[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]", package).splitlines()
            entries = [line.split(" ", 2) for line in listed]
            self.assertEqual({"root:root"}, {owner for _, owner, _ in entries})
            staged = os.path.join(base, "staged")
            run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": staged})
            installed = {os.path.join(directory, name)[len(staged) :] for directory, _, names in os.walk(staged) for name in names}
            self.assertGreater(len(installed), 30)
            self.assertEqual(installed, {path for mode, _, path in entries if not mode.startswith("d")})
            self.assertEqual([], [path for mode, _, path in entries if mode.startswith("d") and SHARED.fullmatch(path)])
            # The programs are where their units look for them.
            with open(next(staged + path for path in installed if path.endswith("/maildirsyncd.service")), encoding="utf-8") as unit:
                self.assertIn("\nExecStart=/usr/sbin/maildirsyncd\n", unit.read())
            scripts = run("rpm", "-qp", "--scripts", package)
            for word in ("systemd-sysusers", "systemctl disable --now", "systemctl try-restart"):
                self.assertIn(word, scripts)


if __name__ == "__main__":
    unittest.main()
