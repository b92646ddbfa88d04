"""The alert rules do what they say, and name metrics that the daemons have."""

import json
import os
import re
import subprocess
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MONITORING = os.path.join(SOURCE, "monitoring")
METRIC = re.compile(r"\bmaildirsyncd?_[a-z_]+\b")


def read(*path: str) -> str:
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def metrics_of_the_daemons() -> set[str]:
    return {
        name
        for path in ("agent/requests/metrics.cpp", "daemon/session/receiver_status.cpp")
        for name in re.findall(r'"(maildirsyncd?_[a-z_]+)"', read(path))
    }


def expressions_of_the_dashboard() -> list[str]:
    return [target["expr"] for panel in json.loads(read("monitoring/grafana-dashboard.json"))["panels"] for target in panel.get("targets", [])]


class Monitoring(unittest.TestCase):
    def promtool(self, *arguments: str) -> None:
        done = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_alert_rules_pass_their_tests(self):
        self.promtool("check", "rules", "maildirsync.rules.yml")
        self.promtool("test", "rules", "test_rules.yml")

    def test_each_alert_has_a_test_in_which_it_fires(self):
        rules = set(re.findall(r"- alert: (\w+)", read("monitoring/maildirsync.rules.yml")))
        tests = read("monitoring/test_rules.yml")
        fired = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", tests)) | set(re.findall(r'alertname="(\w+)"', tests))
        self.assertEqual(rules - fired, set())

    def test_rules_and_dashboard_name_only_metrics_that_exist(self):
        known = metrics_of_the_daemons()
        rules = re.findall(r"^\s+expr: (.*(?:\n {10}.*)*)", read("monitoring/maildirsync.rules.yml"), re.MULTILINE)
        for expression in rules + expressions_of_the_dashboard():
            with self.subTest(expression):
                self.assertEqual(set(METRIC.findall(expression)) - known, set())

    def test_the_dashboard_asks_the_right_job_for_each_metric(self):
        for expression in expressions_of_the_dashboard():
            for metric, job in re.findall(r'(maildirsyncd?)_[a-z_]+\{job="([^"]+)"', expression):
                self.assertEqual(job, {"maildirsync": "maildirsync-agent", "maildirsyncd": "maildirsyncd"}[metric], expression)


if __name__ == "__main__":
    unittest.main()
