"""The destination's directory as a volume of what old servers have: whole seconds, and inodes of 128 bytes."""

import os
import unittest

from volumes_lab import Volumes, WholeSeconds
from maildirsync_testing import wait_until


class VolumesOnExt3(Volumes, WholeSeconds):
    pass


class CoarseStamps(WholeSeconds):
    """What is as young as a second is not believed, and compared at the next flush."""

    def test_a_change_within_the_second_of_ours(self):
        self.volume()
        self.copied()
        late = self.straggler()
        wait_until(lambda: os.path.exists(late), "it arrives", alive=self.lab.daemons)
        os.unlink(late)
        self.lab.flush()
        self.lab.assert_equal()


class CoarseStampsOnExt4(CoarseStamps):
    file_system = "ext4"


if __name__ == "__main__":
    unittest.main()
