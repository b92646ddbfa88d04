"""Power cuts of a machine of its own kernel: what a flush has vouched for must be at the destination, whole, under its
name, once; and both trees become equal again. And the test must notice what does not keep its promise: a device that
lies about flushes, and a way to write that Btrfs is known to break."""

import json
import os
import shutil
import unittest

from guest_image import Image, Missing, install
from machine import Machine, scratch_directory

BIN = os.environ.get("MAILDIRSYNC_BIN", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/release/bin"))
CACHE = os.environ.get("MAILDIRSYNC_MACHINE_CACHE", os.path.join(os.path.dirname(os.path.abspath(BIN)), "machine"))
CUTS = int(os.environ.get("MAILDIRSYNC_MACHINE_CUTS", "4"))
SEED = int(os.environ.get("MAILDIRSYNC_MACHINE_SEED", "1"))


class PowerCut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            install()
            cls.image = Image(CACHE, BIN)
        except Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.addClassCleanup(cls.image.close)

    def machine(self, file_system, **settings):
        scratch = scratch_directory(file_system)
        self.addCleanup(shutil.rmtree, scratch, ignore_errors=True)
        machine = Machine(self.image, scratch, file_system, SEED, **settings)
        self.addCleanup(machine.close)
        machine.boot()
        machine.wait_ready()
        return machine

    @staticmethod
    def tell(machine, found):
        told = {"file_system": machine.file_system, "kernel": machine.kernel, **machine.environment, **found}
        print(json.dumps(told), flush=True)

    def cut(self, machine, number):
        """The receiver's disk alone, both disks, and now and then the whole machine."""
        if number % 6 == 5:
            found = machine.round(["source", "destination"], whole_machine=True)
        else:
            found = machine.round(["destination"] if number % 3 else ["source", "destination"])
        self.tell(machine, found)
        return found

    def keeps(self, file_system, **settings):
        machine = self.machine(file_system, **settings)
        for number in range(1, CUTS + 1):
            found = self.cut(machine, number)
            self.assertEqual([], found["wrong"])
            self.assertEqual(0, found["settled"]["flush"]["status"], found["settled"])
            self.assertEqual([], found["settled"]["differences"])
            self.assertEqual([], found["settled"]["problems"])

    def test_ext4(self):
        self.keeps("ext4")

    def test_xfs(self):
        self.keeps("xfs")

    def test_btrfs(self):
        self.keeps("btrfs")


class Notices(PowerCut):
    """What must make the test fail, within a few cuts of the receiver."""

    def wrong_of(self, machine, cuts=4):
        for _ in range(cuts):
            found = machine.round(["destination"])
            self.tell(machine, found)
            if found["wrong"]:
                return found
        self.fail(f"{cuts} cuts, and nothing was lost")

    test_ext4 = test_xfs = test_btrfs = None

    def test_an_unnamed_file_on_btrfs(self):
        found = self.wrong_of(self.machine("btrfs", environment={"MAILDIRSYNC_WAY_TO_WRITE": "unnamed"}))
        self.assertTrue(any(word.startswith("empty: ") for word in found["wrong"]), found["wrong"])
        self.assert_mended(found)

    def test_a_device_that_lies_about_flushes(self):
        found = self.wrong_of(self.machine("ext4", lies=True))
        if found["settled"]:
            self.assert_mended(found)

    def assert_mended(self, found):
        """What was lost is noticed and put again, under its own name, before a flush is complete."""
        self.assertEqual(0, found["settled"]["flush"]["status"], found["settled"])
        self.assertEqual([], found["settled"]["differences"])


if __name__ == "__main__":
    unittest.main()
