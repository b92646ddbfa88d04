"""The destination's directory as a volume of ext4."""

import unittest

from destination_lab import DestinationTest
from volumes_lab import Volumes


class VolumesOnExt4(Volumes, DestinationTest):
    file_system = "ext4"


if __name__ == "__main__":
    unittest.main()
