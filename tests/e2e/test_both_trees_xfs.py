"""The check of both trees with the destination on XFS: each file system has its own stamps and inode numbers."""

import unittest

import both_trees


class BothTreesOnXfs(both_trees.BothTreesOnAVolume):
    file_system = "xfs"


if __name__ == "__main__":
    unittest.main()
