"""The destination's directory as a volume of xfs."""

import unittest

from destination_lab import DestinationTest
from volumes_lab import Volumes


class VolumesOnXfs(Volumes, DestinationTest):
    file_system = "xfs"


if __name__ == "__main__":
    unittest.main()
