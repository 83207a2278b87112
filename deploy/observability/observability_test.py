#!/usr/bin/env python3
"""Dashboards and alerts use metrics that the gateway exports, and alerts fire when they should.

Run by CTest. Takes names and labels from service/base/metrics.*; promtool tests the rules.
"""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SERVICE = ROOT / "service"
# Labels that Prometheus and the operator add.
TARGET_LABELS = {"job", "instance"}


def instruments():
    """The metrics that service/base/metrics.cc declares: name -> type."""
    source = (SERVICE / "base/metrics.cc").read_text()
    found = re.findall(r'Declare<(\w+)>\(\s*registry,\s*"([a-z_]+)"', source)
    return {name: kind for kind, name in found}


def documented():
    """The table in service/base/metrics.h: name -> labels."""
    table = {}
    for name, labels in re.findall(r"^//   \| ([a-z_]+) +\| ([a-z_, ]*?) *\|",
                                   (SERVICE / "base/metrics.h").read_text(), flags=re.M):
        table["assetgate_" + name] = {word for word in labels.split(", ") if word}
    return table


class Known:
    """The metrics and labels that a query may use."""

    def __init__(self):
        self.labels = {"up": set()}
        for name, kind in instruments().items():
            own = documented().get(name, set())
            if kind == "Histogram":
                self.labels[name + "_bucket"] = own | {"le"}
                self.labels[name + "_sum"] = self.labels[name + "_count"] = own
            else:
                self.labels[name] = own
        protos = "".join(path.read_text() for path in (ROOT / "proto").rglob("*.proto"))
        sources = (SERVICE / "base/metrics.cc", *sorted((SERVICE / "server").glob("*.cc")))
        source = "".join(path.read_text() for path in sources)
        # Labels whose values are fixed are written in these.
        self.texts = set(re.findall(r'"([a-z0-9_]+)"', source)) | {
            word.lower() for word in re.findall(r"^\s+([A-Z_]+) = \d+", protos, flags=re.M)} | {
            "OK"}

    def faults(self, query):
        """The faults of a query; empty where it has none."""
        faults = []
        asked = set()
        bare = re.sub(r'"[^"]*"', '""', query)
        for name in re.findall(r"\b(assetgate_\w+|process_\w+|up)\b", bare):
            if name in self.labels:
                asked |= self.labels[name] | TARGET_LABELS
            else:
                faults.append(f"there is no metric {name}")
        if not asked:
            faults.append("no metric is asked for")
        for name, matchers in re.findall(r"(\w+)\{((?:[^{}\"]|\"[^\"]*\")*)\}", query):
            for label, op, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
                if label not in self.labels.get(name, set()) | TARGET_LABELS:
                    faults.append(f"{name} has no label {label}")
                elif label not in TARGET_LABELS | {"provider", "le"}:
                    faults += [f"no {label} is called {word}"
                               for word in (value.split("|") if "~" in op else [value])
                               if word not in self.texts]
        for group in re.findall(r"\bby\s*\(([^)]*)\)", bare):
            faults += [f"nothing asked for has a label {label}"
                       for label in re.split(r"[\s,]+", group.strip()) if label not in asked]
        return faults


def dashboard():
    return json.loads((HERE / "dashboard.json").read_text())


def rules():
    return yaml.safe_load((HERE / "rules.yaml").read_text())["groups"][0]["rules"]


class MetricsTest(unittest.TestCase):
    def test_the_table_of_metrics_is_complete(self):
        ours = {name for name in instruments() if name.startswith("assetgate_")}
        self.assertGreater(len(ours), 20)
        self.assertEqual(set(documented()), ours)

    def test_an_invalid_query_is_detected(self):
        known = Known()
        good = 'sum by (provider) (assetgate_provider_state{state="down"}) > 0'
        self.assertEqual(known.faults(good), [])
        for right, wrong in (("assetgate_provider_state", "assetgate_provider_states"),
                             ("state=", "status="), ("down", "dwon"), ("by (provider", "by (kind")):
            self.assertEqual(len(known.faults(good.replace(right, wrong))) > 0, True, wrong)
        # A histogram has no series under its bare name.
        self.assertTrue(known.faults("assetgate_rpc_seconds"))
        self.assertEqual(known.faults("rate(assetgate_rpc_seconds_count[5m])"), [])


class DashboardTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dashboard = dashboard()
        cls.panels = [panel for panel in cls.dashboard["panels"] if panel["type"] != "row"]

    def test_every_metric_and_label_of_a_panel_exists(self):
        known = Known()
        for panel in self.panels:
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                self.assertEqual(known.faults(target["expr"]), [],
                                 f"{panel['title']}: {target['expr']}")
        for variable in self.dashboard["templating"]["list"]:
            if variable["type"] == "query":
                query = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
                self.assertEqual(known.faults(query[1]), [], variable["name"])
                name = query[1].split("{")[0]
                self.assertIn(query[2], known.labels[name] | TARGET_LABELS)

    def test_every_metric_of_the_gateway_is_shown(self):
        text = json.dumps([panel["targets"] for panel in self.panels])
        for name in instruments():
            self.assertIn(name, text)

    def test_it_can_be_imported_anywhere(self):
        self.assertGreaterEqual(self.dashboard["schemaVersion"], 39)
        source = self.dashboard["templating"]["list"][0]
        self.assertEqual((source["name"], source["type"]), ("datasource", "datasource"))
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(set(ids)), len(ids))
        for panel in self.panels:
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${datasource}", panel["title"])
        for variable in set(re.findall(r"\$(\w+)", json.dumps(self.panels))) - {"__rate_interval"}:
            self.assertIn(variable, [each["name"] for each in self.dashboard["templating"]["list"]])

    def test_panels_do_not_overlap(self):
        taken = set()
        for panel in self.dashboard["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells

    def test_rows_are_those_of_the_operations_guide(self):
        self.assertEqual([panel["title"] for panel in self.dashboard["panels"]
                          if panel["type"] == "row"],
                         ["RPCs", "Watches", "Providers", "Submissions and money",
                          "Tracking and detection lag", "Store", "Process"])


class RulesTest(unittest.TestCase):
    def test_every_metric_and_label_of_a_rule_exists(self):
        known = Known()
        for rule in rules():
            self.assertEqual(known.faults(rule["expr"]), [], rule["alert"])

    def test_every_alert_has_a_severity_and_a_remedy(self):
        for rule in rules():
            self.assertIn("for", rule, rule["alert"])
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"), rule["alert"])
            self.assertTrue(rule["annotations"]["summary"], rule["alert"])
            self.assertGreater(len(rule["annotations"]["description"]), 80, rule["alert"])

    def test_every_alert_links_to_its_section_of_the_runbook(self):
        headings = re.findall(r"^#+ (\w+)$", (ROOT / "docs/operations.md").read_text(), flags=re.M)
        for rule in rules():
            self.assertIn(rule["alert"], headings)
            # The anchor of a heading is its text in lower case.
            self.assertEqual(rule["annotations"]["runbook_url"],
                             "https://assetgate.internal/docs/operations.md#" + rule["alert"].lower())
        alerts = [each for each in headings if each.startswith("Assetgate")]
        self.assertEqual(alerts, [rule["alert"] for rule in rules()])

    def test_every_alert_has_a_case_for_and_against_it(self):
        tests = yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
        seen = set()
        for test in tests:
            for case in test["promql_expr_test"]:
                alert = re.search(r'alertname="(\w+)"', case["expr"])[1]
                seen.add((alert, bool(case["exp_samples"])))
        alerts = {rule["alert"] for rule in rules()}
        self.assertEqual(seen, {(alert, fires) for alert in alerts for fires in (True, False)})

    def promtool(self, *arguments):
        if shutil.which("promtool") is None:
            self.skipTest("there is no promtool to ask")
        result = subprocess.run(["promtool", *arguments], cwd=HERE, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_promtool_accepts_the_rules(self):
        self.assertIn(f"{len(rules())} rules found", self.promtool("check", "rules", "rules.yaml"))

    def test_alerts_fire_when_they_should_and_not_otherwise(self):
        self.assertIn("SUCCESS", self.promtool("test", "rules", "rules_test.yaml"))


class PodMonitorTest(unittest.TestCase):
    def test_it_selects_the_pods_of_every_overlay(self):
        if shutil.which("kubectl") is None:
            self.skipTest("there is no kubectl to render with")

        def render(folder):
            result = subprocess.run(["kubectl", "kustomize", ROOT / "deploy/kustomize" / folder],
                                    capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            return [each for each in yaml.safe_load_all(result.stdout) if each]

        monitor, = render("prometheus-operator")
        self.assertEqual(monitor["kind"], "PodMonitor")
        endpoint, = monitor["spec"]["podMetricsEndpoints"]
        selector = monitor["spec"]["selector"]["matchLabels"]
        self.assertTrue(selector)
        for overlay in ("overlays/embedded", "overlays/replicated"):
            objects = render(overlay)
            # A cluster without the operator must accept every object.
            self.assertNotIn("PodMonitor", [each["kind"] for each in objects])
            pod, = [each["spec"]["template"] for each in objects
                    if each["kind"] in ("StatefulSet", "Deployment")]
            self.assertLessEqual(selector.items(), pod["metadata"]["labels"].items())
            container, = pod["spec"]["containers"]
            self.assertIn(endpoint["port"], [port["name"] for port in container["ports"]])
            self.assertEqual(endpoint["path"], pod["metadata"]["annotations"]["prometheus.io/path"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
