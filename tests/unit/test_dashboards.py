"""The shipped dashboards, as files; tests/e2e/test_prometheus.py evaluates their queries."""

import json
from pathlib import Path
from typing import Any

import pytest

from docs.dashboards import FOLDER, GRID_COLUMNS, Dashboard, dashboard_files, read_dashboards
from tests.docs_tools import ROOT

FILES = dashboard_files(ROOT)
DASHBOARDS = read_dashboards(ROOT)


def test_there_are_the_five_dashboards_that_operators_look_for() -> None:
    assert [one.name for one in DASHBOARDS] == ["site", "cameras", "workers", "gallery", "capacity"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_files_are_those_of_the_table(path: Path) -> None:
    """`make readme` writes them."""
    assert (ROOT / path).read_text() == FILES[path]
    assert sorted(file.name for file in (ROOT / FOLDER).glob("*.json")) == sorted(file.name for file in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_data_source_is_the_one_that_was_chosen(path: Path) -> None:
    content: dict[str, Any] = json.loads(FILES[path])
    assert content["templating"]["list"][0]["type"] == "datasource"
    sources = [part["datasource"] for panel in content["panels"] for part in (panel, *panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}


@pytest.mark.parametrize("one", DASHBOARDS, ids=lambda one: one.name)
def test_panels_lie_side_by_side_within_the_grid(one: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in one.panels:
        (x, y), (width, height) = panel.at, panel.size
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & taken, panel.title
        assert max(column for column, _ in cells) < GRID_COLUMNS
        taken |= cells


def test_every_panel_says_what_it_is_about() -> None:
    panels = [panel for one in DASHBOARDS for panel in one.panels]
    assert all(panel.about.endswith(".") and panel.lines for panel in panels)
    for one in DASHBOARDS:
        titles = [panel.title for panel in one.panels]
        assert len(set(titles)) == len(titles)
