"""The check of both trees on real file systems at the destination: each has its own stamps and inode numbers."""

import os
import unittest

import test_destination


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


if __name__ == "__main__":
    unittest.main()
