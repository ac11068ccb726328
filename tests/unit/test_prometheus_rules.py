"""The shipped rules of Prometheus: tested alert by alert, explained in a runbook, and about metrics that exist."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from docs.tables import metrics
from tests.conftest import need
from tests.docs_tools import ROOT, anchors

FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks" / "README.md"
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]

NAMES = re.compile(r"\b(?:[a-z_]+:)?(?:climbtrack|process|up|DCGM)[\w:]*")
OTHERS = {"up", "climbtrack"}  # Prometheus's own, and the name of the job


def test_every_rule_does_what_its_tests_say() -> None:
    program = shutil.which("promtool")
    need(found=program is not None, what="promtool")
    done = subprocess.run(
        [str(program), "test", "rules", "rules_test.yml"], cwd=FOLDER, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_firing_beside_series_that_must_not_raise_it() -> None:
    raised = {case["alertname"] for test in TESTS for case in test.get("alert_rule_test", ()) if case["exp_alerts"]}
    assert raised == set(ALERTS)
    for test in TESTS:
        for case in test.get("alert_rule_test", ()):
            assert len(case["exp_alerts"]) < len(test["input_series"]), case["alertname"]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_severity_a_summary_and_an_entry_in_the_runbooks(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert ROOT / page == RUNBOOKS
    assert anchor == name.lower()
    assert anchor in anchors(RUNBOOKS)


def test_every_entry_of_the_runbooks_says_meaning_look_and_do_of_an_alert_that_exists() -> None:
    entries = re.split(r"^## (Climbtrack\w+)\n", RUNBOOKS.read_text(), flags=re.MULTILINE)[1:]
    assert entries[::2] == list(ALERTS)
    for name, text in zip(entries[::2], entries[1::2], strict=True):
        assert all(part in text for part in ("**Meaning.**", "**Look", "**do" if "**do" in text else "**Do")), name


def used() -> Iterator[str]:
    """Yield the metrics of all expressions, without what follows a histogram's name."""
    for rule in RULES:
        without_labels = re.sub(r"\{[^}]*\}|\b(?:by|on) \([^)]*\)", "", rule["expr"])
        yield from NAMES.findall(without_labels)


def test_rules_use_metrics_that_exist_and_what_other_rules_record() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    families = metrics().keys()
    known = (
        families | recorded | OTHERS | {f"{name}{end}" for name in families for end in ("_bucket", "_sum", "_count")}
    )
    assert set(used()) <= known
    assert len(set(used()) & families) > 10
