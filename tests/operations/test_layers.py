"""scripts/layers finds an arrow between two folders that the build does not name, and one that it names for nothing,
and a place that a map names and that is gone."""

import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Layers(unittest.TestCase):
    def setUp(self) -> None:
        self.tree = tempfile.mkdtemp(prefix="maildirsync-layers-")
        self.addCleanup(shutil.rmtree, self.tree)
        for folder in ("common/os", "common/sync", "agent/send", "docs"):
            os.makedirs(os.path.join(self.tree, folder))
        os.makedirs(os.path.join(self.tree, "scripts"))
        shutil.copy(os.path.join(SOURCE, "scripts/layers"), os.path.join(self.tree, "scripts/layers"))
        self.write("common/os/fd.h", "#include <vector>\n")
        self.write("common/os/CMakeLists.txt", "maildirsync_folder(os)\n")
        self.write("common/sync/plan.h", '#include "common/os/fd.h"\n')
        self.write("common/sync/CMakeLists.txt", "maildirsync_folder(sync LINK maildirsync_os)\n")
        self.write("agent/send/send.cpp", '#include "common/sync/plan.h"\n')
        self.write("agent/send/CMakeLists.txt", "maildirsync_folder(agent_send LINK maildirsync_sync)\n")
        self.write("docs/architecture.md", "`agent/send/` sends what `common/sync/plan.h` decides\n")
        self.write("CONTRIBUTING.md", "Each folder's `CMakeLists.txt`, as `common/os/CMakeLists.txt`, names what it links.\n")

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.tree, name), "w", encoding="utf-8") as file:
            file.write(text)

    def check(self) -> tuple[int, str]:
        done = subprocess.run([os.path.join(self.tree, "scripts/layers")], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def assert_found(self, *words: str) -> None:
        status, said = self.check()
        self.assertEqual(status, 1, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        for word in words:
            self.assertIn(word, said)

    def test_the_source_tree_itself(self) -> None:
        done = subprocess.run([os.path.join(SOURCE, "scripts/layers")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_good_tree(self) -> None:
        self.assertEqual(self.check(), (0, ""))

    def test_an_include_that_is_not_linked(self) -> None:
        self.write("agent/send/send.cpp", '#include "common/sync/plan.h"\n#include "common/os/fd.h"\n')
        self.assert_found("agent/send/send.cpp", "common/os/fd.h", "does not link maildirsync_os")

    def test_a_library_that_is_not_linked(self) -> None:
        self.write("common/sync/plan.cpp", "#include <nlohmann/json.hpp>\n")
        self.assert_found("common/sync/plan.cpp", "does not link nlohmann_json::nlohmann_json")

    def test_a_link_that_is_not_used(self) -> None:
        self.write("agent/send/CMakeLists.txt", "maildirsync_folder(agent_send LINK maildirsync_sync maildirsync_os)\n")
        self.assert_found("agent/send/CMakeLists.txt", "links maildirsync_os, and no file")

    def test_an_include_of_nothing(self) -> None:
        self.write("agent/send/send.cpp", '#include "common/sync/plan.h"\n#include "common/gone/gone.h"\n')
        self.assert_found("there is no common/gone/gone.h")

    def test_a_file_that_the_map_names_and_that_is_gone(self) -> None:
        self.write("docs/architecture.md", "`agent/send/` sends; `common/sync/gone.h` decides\n")
        self.assert_found("docs/architecture.md: there is no common/sync/gone.h")

    def test_a_folder_that_the_map_names_and_that_is_gone(self) -> None:
        self.write("CONTRIBUTING.md", "A command goes to `agent/gone/`.\n")
        self.assert_found("CONTRIBUTING.md: there is no agent/gone/")

    def test_what_a_map_names_elsewhere_is_not_looked_for(self) -> None:
        self.write("docs/architecture.md", "`etc/maildirsync/agent.toml`, `build/release/bin`, `common/sync/plan.h`\n")
        self.assertEqual(self.check(), (0, ""))

    def test_a_map_that_is_gone(self) -> None:
        os.remove(os.path.join(self.tree, "docs/architecture.md"))
        self.assert_found("there is no docs/architecture.md")

    def test_an_arrow_upward(self) -> None:
        self.write("agent/send/send.h", "\n")
        self.write("common/sync/plan.h", '#include "common/os/fd.h"\n#include "agent/send/send.h"\n')
        self.write("common/sync/CMakeLists.txt", "maildirsync_folder(sync LINK maildirsync_os maildirsync_agent_send)\n")
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("common must not know agent", said)
        self.assertIn("a circle: maildirsync_agent_send -> maildirsync_sync -> maildirsync_agent_send", said)


if __name__ == "__main__":
    unittest.main()
