"""The check of both trees with the destination on ext4: each file system has its own stamps and inode numbers."""

import unittest

import both_trees


class BothTreesOnExt4(both_trees.BothTreesOnAVolume):
    file_system = "ext4"


if __name__ == "__main__":
    unittest.main()
