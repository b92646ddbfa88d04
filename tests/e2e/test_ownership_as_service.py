"""Owners, groups and modes with both daemons as their units start them: with the service users, their few capabilities and a umask of 077."""

import unittest

import test_ownership
from maildirsync_testing import LabTest
from service_units import check_privileges, run_as_service_user


class AsServiceUser(test_ownership.Ownership, LabTest):
    is_service = True

    def prepare(self):
        for daemon in self.lab.daemons:
            run_as_service_user(daemon)

    def check(self):
        for daemon in self.lab.daemons:
            check_privileges(daemon)


if __name__ == "__main__":
    unittest.main()
