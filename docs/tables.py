"""What docs/ and the dashboards say of the code's own words: settings and metrics, written there by `make readme`."""

import ast
import inspect
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

from prometheus_client import CollectorRegistry
from pydantic.fields import FieldInfo

from docs.dashboards import dashboard_files
from gallery.access.users import ROLES
from gallery.api.rules import RULES
from gallery.config import ApiSettings, GallerySettings
from gallery.metrics import GalleryMetrics
from gallery.outputs.config import AlertSettings
from gallery.outputs.metrics import AlertMetrics
from gallery.recording.config import RecordingSettings
from gallery.recording.metrics import RecordingMetrics
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from reid_worker.config import WorkerSettings
from reid_worker.metrics import WorkerMetrics
from wire.logs import LogSettings
from wire.metrics import ServiceMetrics, TracingMetrics
from wire.settings import KafkaSettings, RedisSettings, Settings
from wire.tracing import TracingSettings

SECTIONS = (
    KafkaSettings,
    RedisSettings,
    IngestSettings,
    WorkerSettings,
    GallerySettings,
    AlertSettings,
    RecordingSettings,
    ApiSettings,
    LogSettings,
    TracingSettings,
)
FAMILIES = (
    ServiceMetrics,
    IngestMetrics,
    WorkerMetrics,
    GalleryMetrics,
    AlertMetrics,
    RecordingMetrics,
    TracingMetrics,
)
PAGE = Path("docs/operating.md")
ACCESS = Path("docs/guides/access.md")


def tracked_files(root: Path) -> list[str]:
    """Return the files that git knows (`git add` comes first), by path."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (root / name).is_file())


def describe(path: Path) -> str:
    """Return one line about a module: the first of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def settings_tables() -> str:
    """Return every section as a table: key, default, and what its class says about it."""
    return "\n".join(_settings_table(one) for one in SECTIONS)


def metrics() -> dict[str, str]:
    """Return every metric family of all services, and what it says about itself."""
    registry = CollectorRegistry()
    for families in FAMILIES:
        families(registry)
    return {f"{one.name}{'_total' if one.type == 'counter' else ''}": one.documentation for one in registry.collect()}


def metrics_table() -> str:
    """Return every metric family as a table."""
    return "| metric | what |\n|---|---|\n" + "".join(f"| `{name}` | {what} |\n" for name, what in metrics().items())


def roles_table() -> str:
    """Return a row for every request: the least role it needs, and what the audit log says of it."""
    found = [(ROLES.index(rule.role), path, method, rule) for (method, path), rule in RULES.items() if rule.role]
    lines = (
        f"| `{method} {path}` | {rule.role} | {rule.what} |\n"
        for _, path, method, rule in sorted(found, key=lambda row: row[:3])
    )
    return "| request | least role | recorded as |\n|---|---|---|\n" + "".join(lines)


def section(page: str, name: str) -> str:
    """Return what stands between the markers of a section."""
    return page[slice(*_span(page, name))]


def main() -> None:
    """Write all sections into their page, and the dashboards."""
    root = Path(__file__).parent.parent
    path = root / PAGE
    written = {"settings": settings_tables(), "metrics": metrics_table()}
    path.write_text(fill(path.read_text(encoding="utf-8"), written), encoding="utf-8")
    access = root / ACCESS
    access.write_text(fill(access.read_text(encoding="utf-8"), {"roles": roles_table()}), encoding="utf-8")
    for file, text in dashboard_files(root).items():
        (root / file).write_text(text, encoding="utf-8")


def fill(page: str, written: Mapping[str, str]) -> str:
    """Return the page with these texts between the markers of their sections, and nothing else changed."""
    for name, text in written.items():
        start, end = _span(page, name)
        page = page[:start] + text + page[end:]
    return page


def attributes(documented: type) -> dict[str, str]:
    """Return what the section `Attributes:` of a class says, one line a name; names that share a text have it each."""
    _, _, text = inspect.cleandoc(documented.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \w)", "\n" + text):
        names, colon, said = " ".join(entry.split()).partition(": ")
        if colon:
            found |= dict.fromkeys(names.split(", "), said)
    return found


def _settings_table(one: type[Settings]) -> str:
    said = {f"{name}_file": f"A file that holds `{name}`, in its place." for name in one.model_fields} | attributes(one)
    own_first = sorted(one.model_fields.items(), key=lambda item: item[0] not in one.__annotations__)
    rows = (f"| `{name}` | {_default(field)} | {_cell(said.get(name, ''), field)} |\n" for name, field in own_first)
    return f"### `{one.section}`\n\n| key | default | what |\n|---|---|---|\n" + "".join(rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value in (None, "", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def _cell(said: str, field: FieldInfo) -> str:
    """Return a text with what is allowed behind it, where that is a choice of words."""
    kinds = (field.annotation, *get_args(field.annotation))
    choices = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())
    allowed = f"One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return f"{said} {allowed}".strip()


def _span(page: str, name: str) -> tuple[int, int]:
    """Return where the text between the markers of a section begins and ends."""
    first = f"<!-- {name}: written by `make readme` -->\n"
    start = page.find(first)
    end = page.find(f"<!-- end of {name} -->", start)
    if start < 0 or end < 0:
        raise ValueError(f"the page has no section {name}")
    return start + len(first), end


if __name__ == "__main__":
    main()
