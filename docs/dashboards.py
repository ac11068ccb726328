"""Writes deploy/grafana/dashboards.yaml as the JSON that Grafana imports; `make readme` does so."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

FOLDER = Path("deploy/grafana")
SOURCE = FOLDER / "dashboards.yaml"
GRID_COLUMNS = 24
SIZES: Mapping[str, tuple[int, int]] = {"stat": (4, 4), "timeseries": (8, 8)}  # columns and rows

_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_OPTIONS: Mapping[str, dict[str, object]] = {
    "stat": {"colorMode": "background", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel, as dashboards.yaml explains it; `at` is column and row of its upper left corner."""

    title: str
    about: str
    unit: str
    kind: Literal["stat", "timeseries"]
    lines: Mapping[str, str]
    at: tuple[int, int]
    size: tuple[int, int]
    stacked: bool
    below: float | None
    above: float | None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; `name` is that of its file."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def read_dashboards(root: Path) -> tuple[Dashboard, ...]:
    """Return the dashboards of a repository, with their panels in rows that are filled from the left."""
    content = yaml.safe_load((root / SOURCE).read_text(encoding="utf-8"))
    return tuple(Dashboard(name, one["title"], tuple(_placed(one["panels"]))) for name, one in content.items())


def dashboard_files(root: Path) -> dict[Path, str]:
    """Return what the JSON files of the dashboards contain, by their paths in the repository."""
    made = {FOLDER / f"{one.name}.json": _as_json(one) for one in read_dashboards(root)}
    return {path: json.dumps(content, indent=1) + "\n" for path, content in made.items()}


def _placed(panels: list[dict[str, Any]]) -> Iterator[Panel]:
    column = row = height = 0
    for given in panels:
        fields = {"stacked": False, "below": None, "above": None} | given
        expression, width = fields.pop("stat", None), fields.pop("width", None)
        kind: Literal["stat", "timeseries"] = "stat" if expression else "timeseries"
        size = (width or SIZES[kind][0], SIZES[kind][1])
        if column + size[0] > GRID_COLUMNS or height not in {0, size[1]}:
            column, row = 0, row + height
        height = size[1]
        fields |= {"lines": {"": expression}} if expression else {}
        yield Panel(kind=kind, at=(column, row), size=size, **fields)
        column += size[0]


def _as_json(one: Dashboard) -> dict[str, object]:
    return {
        "uid": f"climbtrack-{one.name}",
        "title": one.title,
        "tags": ["climbtrack"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["climbtrack"], "title": "climbtrack", "asDropdown": False}],
        "templating": {"list": list(_variables(one))},
        "panels": [_panel(number, panel) for number, panel in enumerate(one.panels, 1)],
    }


def _variables(one: Dashboard) -> Iterator[dict[str, object]]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    query = {"type": "query", "refresh": 2, "datasource": _DATA_SOURCE}
    yield {"name": "job", "query": "label_values(climbtrack_build_info, job)", **query}
    if any("$camera" in expression for panel in one.panels for expression in panel.lines.values()):
        everything = {"includeAll": True, "multi": True, "current": {"text": "All", "value": "$__all"}}
        cameras = 'label_values(climbtrack_ingest_frames_total{job="$job"}, camera)'
        yield {"name": "camera", "query": cameras, **query, **everything}


def _panel(number: int, panel: Panel) -> dict[str, object]:
    (x, y), (width, height) = panel.at, panel.size
    targets = [
        {"refId": chr(ord("A") + n), "expr": expression, "legendFormat": legend, "datasource": _DATA_SOURCE}
        for n, (legend, expression) in enumerate(panel.lines.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATA_SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "targets": targets,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _field(panel: Panel) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"color": "green" if panel.below is None else "red", "value": None}]
    steps += [] if panel.below is None else [{"color": "green", "value": panel.below}]
    steps += [] if panel.above is None else [{"color": "red", "value": panel.above}]
    limits = {"thresholdsStyle": {"mode": "line"}} if len(steps) > 1 else {}
    drawn = {"stacking": {"mode": "normal"}, "fillOpacity": 40} if panel.stacked else {"fillOpacity": 8}
    return {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {"lineWidth": 1, "showPoints": "never", **drawn, **limits},
    }
