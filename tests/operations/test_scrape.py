"""A real Prometheus scrapes both daemons, with the configuration and the rules that are in monitoring/."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MONITORING = os.path.join(SOURCE, "monitoring")
sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))

from maildirsync_testing import LabTest, TreeSpec, deliver, free_port, make_tree, wait_until, write_text  # noqa: E402


class Scrape(LabTest):
    def setUp(self):
        super().setUp()
        self.root = self.lab.add_root()
        make_tree(self.root.source, TreeSpec(accounts=3, messages=60, seed=701))
        self.ports = {daemon.executable: free_port() for daemon in self.lab.daemons}
        for daemon in self.lab.daemons:
            daemon.extra["metrics"] = {"listen": f"127.0.0.1:{self.ports[daemon.executable]}"}
        self.lab.start()
        self.lab.flush()

    def start_prometheus(self):
        directory = os.path.join(self.lab.base, "prometheus")
        os.mkdir(directory)
        with open(os.path.join(MONITORING, "prometheus.yml"), encoding="utf-8") as file:
            text = file.read()
        for old, new in (
            ("/etc/prometheus/", directory + "/"),
            ("old.example.org:9465", f"127.0.0.1:{self.ports['maildirsync-agent']}"),
            ("new.example.org:9466", f"127.0.0.1:{self.ports['maildirsyncd']}"),
            ("scrape_interval: 15s", "scrape_interval: 1s"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        config = write_text(os.path.join(directory, "prometheus.yml"), text)
        shutil.copy(os.path.join(MONITORING, "maildirsync.rules.yml"), directory)
        self.server = f"127.0.0.1:{free_port()}"
        log = open(os.path.join(directory, "log"), "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "prometheus", f"--config.file={config}", f"--web.listen-address={self.server}", f"--storage.tsdb.path={directory}/data"],
            stdout=log,
            stderr=log,
        )
        self.addCleanup(self.end, process)

    def end(self, process):
        process.kill()
        process.wait()

    def ask(self, path: str, **arguments):
        url = f"http://{self.server}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, expression: str) -> float | None:
        data = self.ask("query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def test_both_are_up_and_tell_what_status_tells(self):
        self.start_prometheus()
        for job in ("maildirsync-agent", "maildirsyncd"):
            wait_until(lambda: self.value(f'up{{job="{job}"}}') == 1, f"prometheus scrapes {job}", alive=self.lab.daemons)
        sent = self.lab.agent.totals()["messages_sent"]
        self.assertGreater(sent, 0)
        wait_until(lambda: self.value("maildirsync_messages_sent_total") == sent, "the messages that were sent", alive=self.lab.daemons)
        wait_until(lambda: self.value("maildirsync_lag_seconds") == 0, "no lag", alive=self.lab.daemons)
        self.assertEqual(1, self.value("maildirsync_connected"))
        self.assertEqual(3, self.value("maildirsync_accounts"))
        deliver(self.root.account(0), b"1700000000.M1P1.mx")
        wait_until(lambda: self.value("maildirsync_messages_sent_total") == sent + 1, "one message more", alive=self.lab.daemons)
        self.assertGreater(self.value("maildirsyncd_sync_seconds_total"), 0)
        self.assertGreater(self.value("maildirsync_connections_total"), 0)
        self.assertEqual(0, self.value('maildirsync_queued_accounts{queue="live"}'))
        os.symlink("/etc/passwd", os.path.join(self.root.account(0), b"a-link"))
        wait_until(lambda: self.value('maildirsync_problems_by_code{code="special-file"}') == 1, "a problem", alive=self.lab.daemons)
        # Rules and board ask for nothing that is not there.
        groups = wait_until(lambda: (self.ask("rules") or {}).get("groups"), "the rules", alive=self.lab.daemons)
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 5)
        self.assertEqual([], [rule["name"] for rule in rules if rule.get("lastError")])
        with open(os.path.join(MONITORING, "grafana-dashboard.json"), encoding="utf-8") as file:
            expressions = [target["expr"] for panel in json.load(file)["panels"] for target in panel.get("targets", [])]
        for metric in sorted({name for expression in expressions for name in re.findall(r"\bmaildirsyncd?_[a-z_]+\b", expression)}):
            with self.subTest(metric):
                self.assertIsNotNone(self.value(metric))

    def test_a_daemon_that_ends_is_seen(self):
        self.start_prometheus()
        wait_until(lambda: self.value('up{job="maildirsyncd"}') == 1, "prometheus scrapes the receiver", alive=self.lab.daemons)
        self.lab.receiver.stop()
        wait_until(lambda: self.value('up{job="maildirsyncd"}') == 0, "prometheus sees that it is gone", alive=[self.lab.agent])
        wait_until(lambda: self.value("maildirsync_connected") == 0, "and that the agent has lost it", alive=[self.lab.agent])


if __name__ == "__main__":
    unittest.main()
