"""The destination's directory as a volume of btrfs."""

import unittest

from destination_lab import DestinationTest
from volumes_lab import Volumes


class VolumesOnBtrfs(Volumes, DestinationTest):
    file_system = "btrfs"


if __name__ == "__main__":
    unittest.main()
