"""Manual pages and completions name the options that the programs have, and no others."""

import os
import re
import shutil
import subprocess
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MANUALS = os.path.join(SOURCE, "docs", "man")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
EVERYWHERE = {"--help"}


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, "MANWIDTH": "200"})
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def program(name: str) -> str:
    return os.path.join(os.environ["MAILDIRSYNC_BIN"], name)


def options_of(*command: str) -> set[str]:
    return set(OPTION.findall(output(*command, "--help")))


def commands() -> list[str]:
    """The subcommands that `maildirsync --help` lists."""
    listed = re.split(r"^\s*(?:subcommands|commands):\s*$", output(program("maildirsync"), "--help"), flags=re.IGNORECASE | re.MULTILINE)[-1]
    return re.findall(r"^  ([a-z][a-z-]*)\s", listed, re.MULTILINE)


def plain(path: str) -> str:
    return output("groff", "-man", "-Tascii", "-rHY=0", "-rLL=200n", "-P-c", "-P-b", "-P-o", "-P-u", path)


def completion() -> str:
    with open(os.path.join(SOURCE, "packaging", "completion", "maildirsync.bash"), encoding="utf-8") as file:
        return file.read()


def completed_options(command: str) -> set[str]:
    """What the bash completion offers after `maildirsync COMMAND`."""
    case = re.search(rf"^    (?:[a-z ]+\| )*{command}(?: \|[a-z| ]+)?\)(.*?);;$", completion(), re.MULTILINE | re.DOTALL)
    return set(OPTION.findall(case[1] if case else "")) - {"--control", "--json"}


class Manuals(unittest.TestCase):
    def test_pages_format_without_a_warning(self):
        for name in sorted(os.listdir(MANUALS)):
            with self.subTest(name):
                done = subprocess.run(
                    ["groff", "-ww", "-man", "-Tutf8", "-z", os.path.join(MANUALS, name)], capture_output=True, text=True
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_daemons_and_their_pages_have_the_same_options(self):
        for daemon in ("maildirsync-agent", "maildirsyncd"):
            with self.subTest(daemon):
                page = plain(os.path.join(MANUALS, f"{daemon}.8"))
                options = page[page.index("\nOPTIONS") : page.index("\nSIGNALS")]
                self.assertEqual(set(OPTION.findall(options)), options_of(program(daemon)))

    def test_each_command_and_its_options_are_in_the_page_and_completed(self):
        page = plain(os.path.join(MANUALS, "maildirsync.1"))
        self.assertGreater(len(commands()), 5, "no commands found in --help")
        for command in commands():
            options = options_of(program("maildirsync"), command) - EVERYWHERE
            with self.subTest(command):
                self.assertRegex(page, rf"(?m)^ {{7}}(\w+, )?{command}\b", "not in maildirsync(1)")
                self.assertEqual(options - set(OPTION.findall(page)), set(), "not in maildirsync(1)")
                self.assertIn(command, re.search(r'commands="([^"]*)"', completion())[1].split(), "not completed")
                self.assertEqual(completed_options(command), options, "the completion of its options differs")

    def test_the_page_names_no_command_or_option_that_is_not_there(self):
        page = plain(os.path.join(MANUALS, "maildirsync.1"))
        known = options_of(program("maildirsync")).union(*(options_of(program("maildirsync"), command) for command in commands()))
        self.assertEqual(set(OPTION.findall(page)) - known, set())
        described = {name for line in re.findall(r"^ {7}([a-z]+(?:, [a-z]+)*)(?= |$)", page[page.index("\nCOMMANDS") : page.index("\nEXIT")], re.MULTILINE)
                     for name in line.split(", ")}
        self.assertEqual(described - set(commands()), set())

    def test_each_event_with_a_message_id_is_described(self):
        with open(os.path.join(SOURCE, "common", "service", "journal.cpp"), encoding="utf-8") as file:
            known = dict(re.findall(r'\{"([a-z-]+)", "([0-9a-f]{32})"\}', file.read()))
        with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as file:
            described = {}
            for line in re.findall(r"^\| (`.*[0-9a-f]{32}`.*)$", file.read(), re.MULTILINE):
                names, ids = line.split(" | ")[:2]
                described.update(zip(re.findall(r"`([a-z-]+)`", names), re.findall(r"`([0-9a-f]{32})`", ids)))
        self.assertGreater(len(known), 3)
        self.assertEqual(known, described)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_completions_parse(self):
        folder = os.path.join(SOURCE, "packaging", "completion")
        output("bash", "-n", os.path.join(folder, "maildirsync.bash"))
        output("zsh", "-n", os.path.join(folder, "_maildirsync"))


if __name__ == "__main__":
    unittest.main()
