"""The check of both trees with the destination on Btrfs: each file system has its own stamps and inode numbers."""

import unittest

import both_trees


class BothTreesOnBtrfs(both_trees.BothTreesOnAVolume):
    file_system = "btrfs"


if __name__ == "__main__":
    unittest.main()
