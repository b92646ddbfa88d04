"""The check of both trees, where the destination is a directory like others."""

import unittest

import both_trees


class BothTrees(both_trees.BothTrees):
    pass


if __name__ == "__main__":
    unittest.main()
