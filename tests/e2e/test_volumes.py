"""The destination's directory as a volume, and both trees' check, on real file systems: each has its own stamps, inode numbers and names."""

import os
import unittest

import test_destination
from maildirsync_testing import deliver, wait_until

OWNER = test_destination.OWNER
DestinationTest = test_destination.DestinationTest


class Volumes:
    """It is known again; another one is held."""

    def test_a_volume_that_is_not_mounted_when_the_receiver_starts(self):
        image = self.volume()
        self.copied()
        self.lab.receiver.stop()
        self.unmount()
        self.lab.receiver.start()
        self.assert_held("is empty")
        late = self.straggler()
        flushed = self.lab.agent.flush(limit=5, complete=False)
        self.assertFalse(flushed["complete"])
        self.assertEqual([], os.listdir(self.there))
        self.mount(image)
        self.assert_goes_on()
        self.assertTrue(os.path.exists(late))

    def test_a_volume_that_is_unmounted_while_all_runs(self):
        image = self.volume()
        self.copied()
        self.unmount("--lazy")
        late = self.straggler()
        self.assert_held("is empty")
        self.assertEqual([], os.listdir(self.there))
        self.mount(image)
        self.assert_goes_on()
        self.assertTrue(os.path.exists(late))

    def test_a_drained_root_never_gives_into_a_mount_point(self):
        image = self.volume()
        self.copied()
        self.assert_exit(0, self.lab.agent.cli("drain", "vhosts"))
        self.unmount("--lazy")
        late = self.straggler()
        flushed = self.lab.agent.flush("--full", limit=20, complete=False)
        self.assertFalse(flushed["complete"])
        self.assert_held("is empty")
        self.assertEqual([], os.listdir(self.there))
        self.mount(image)
        self.lab.agent.wait_state("draining")
        self.lab.agent.flush()
        self.assertTrue(os.path.exists(late))

    def test_another_file_system_with_a_copy_is_held_until_release(self):
        self.volume()
        self.copied()
        self.lab.receiver.stop()
        copy = os.path.join(self.lab.base, "copy")
        self.run_command("cp", "-a", self.there, copy)
        self.unmount()
        self.mount(self.image("other"))
        self.run_command("cp", "-aT", copy, self.there)
        self.lab.receiver.start()
        self.assert_held("is on another file system")
        done = self.lab.agent.cli("release")
        self.assert_exit(0, done)
        self.assertIn("released: 1", done.stdout)
        self.assert_goes_on()

    def test_a_mount_point_after_the_receivers_state_was_lost_too(self):
        image = self.volume()
        self.copied()
        self.lab.receiver.stop()
        self.unmount()
        self.lab.receiver.lose_state()
        self.lab.receiver.start()
        self.assert_held("is empty, and the agent's mail was in it")
        self.mount(image)
        self.assert_goes_on()


class VolumesOnExt4(Volumes, DestinationTest):
    pass


class VolumesOnXfs(Volumes, DestinationTest):
    file_system = "xfs"


class VolumesOnBtrfs(Volumes, DestinationTest):
    file_system = "btrfs"


class VolumesOnExt3(Volumes, DestinationTest):
    file_system, mkfs_options = "ext3", ("-I", "128")


class OnAVolume:
    """Each file system has its own stamps and inode numbers."""

    def setUp(self):
        super().setUp()
        self.volume()

    def test_an_older_image_of_the_volume_is_put_back(self):
        image = os.path.join(self.lab.base, "volume")
        self.copied()
        self.lab.receiver.stop()
        self.unmount()
        self.run_command("cp", "--sparse=always", image, image + ".older")
        self.mount(image)
        self.lab.receiver.start()
        late = [self.straggler() for _ in range(5)]
        self.lab.flush()
        self.lab.receiver.stop()
        self.unmount()
        os.rename(image + ".older", image)
        self.mount(image)
        self.lab.receiver.start()
        self.lab.receiver.wait_log("destination-older")
        self.lab.flush()
        self.lab.assert_equal()
        self.assertTrue(all(os.path.exists(path) for path in late))


class BothTreesOnExt4(OnAVolume, test_destination.BothTrees):
    file_system = "ext4"


class BothTreesOnXfs(OnAVolume, test_destination.BothTrees):
    file_system = "xfs"


class BothTreesOnBtrfs(OnAVolume, test_destination.BothTrees):
    file_system = "btrfs"


class CoarseStamps(DestinationTest):
    """ext3 keeps whole seconds: what is as young as that is not believed, and compared at the next flush."""

    file_system, mkfs_options = "ext3", ("-I", "128")

    def test_a_change_within_the_second_of_ours(self):
        self.volume()
        for folder, _, names in os.walk(os.fsencode(self.root.source)):
            for name in names:
                os.utime(os.path.join(folder, name), (1700000000, 1700000000))
        self.copied()
        aside = os.path.join(self.account, b"tmp", b"1800000000.M1P7.old")
        with open(aside, "wb") as file:
            file.write(b"Subject: x\n\nx\n")
        os.chown(aside, *OWNER)
        os.utime(aside, (1700000000, 1700000000))
        os.rename(aside, os.path.join(self.account, b"new", b"1800000000.M1P7.old"))
        late = os.path.join(self.root.at_destination(self.account), b"new", b"1800000000.M1P7.old")
        wait_until(lambda: os.path.exists(late), "it arrives", alive=self.lab.daemons)
        os.unlink(late)
        self.lab.flush()
        self.lab.assert_equal()


if __name__ == "__main__":
    unittest.main()
