"""The destination's directory as a volume of a real file system: known again, and not written to while another one, or none, is in its place."""

import os

from destination_lab import OWNER, DestinationTest


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


class WholeSeconds(DestinationTest):
    """What old servers have: ext3, or ext4 with inodes of 128 bytes. The source's stamps are whole seconds, too."""

    file_system, mkfs_options = "ext3", ("-I", "128")
    STAMP = 1700000000

    def setUp(self):
        super().setUp()
        for folder, _, names in os.walk(os.fsencode(self.root.source)):
            for name in names:
                os.utime(os.path.join(folder, name), (self.STAMP, self.STAMP))

    def straggler(self) -> bytes:
        self.serial += 1
        name = b"1800000000.M%dP7.old" % self.serial
        aside = os.path.join(self.account, b"tmp", name)
        with open(aside, "wb") as file:
            file.write(b"Subject: x\n\nx\n")
        os.chown(aside, *OWNER)
        os.utime(aside, (self.STAMP, self.STAMP))
        final = os.path.join(self.account, b"new", name)
        os.rename(aside, final)
        return self.root.at_destination(final)
