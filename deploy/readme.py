"""What README.md says of the code's own words: settings, metrics, the file tree. `make readme` writes it there."""

import ast
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

from gallery.config import ApiSettings, GallerySettings
from gallery.metrics import GalleryMetrics
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from reid_worker.config import WorkerSettings
from reid_worker.metrics import WorkerMetrics
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings

SECTIONS = (KafkaSettings, RedisSettings, IngestSettings, WorkerSettings, GallerySettings, ApiSettings)
FAMILIES = (ServiceMetrics, IngestMetrics, WorkerMetrics, GalleryMetrics)
COLUMN = 34
# Files that cannot say themselves what they are.
DESCRIPTIONS = {
    ".ci/run": "What continuous integration runs.",
    ".gitignore": "What git leaves alone.",
    "ARCHITECTURE.md": "What always holds, which test holds it, and why it is so.",
    "CHANGELOG.md": "What changed for users.",
    "CONTRIBUTING.md": "How to change something.",
    "LICENSE": "MIT.",
    "Makefile": "`make run`, `make test`, `make check`, `make bench`, `make readme`.",
    "README.md": "This page.",
    "pyproject.toml": "Packages, dependencies, and the rules of ruff, mypy, pytest and import-linter.",
    "deploy/prometheus/prometheus.yml": "Scrapes one service of each kind.",
    "deploy/test_servers.sh": "Installs what the tests run against, on Debian.",
    "gallery/store_confirm.lua": "Redis: notes that events are published.",
    "gallery/store_write.lua": "Redis: applies one window of decisions, all of it or nothing.",
    "reid_worker/weights/climb-tiny.json": "How the shipped weights were trained and judged, for machines.",
    "reid_worker/weights/climb-tiny.safetensors": "The shipped CLIMB weights with their preprocessing.",
    "reid_worker/weights/person-detector.onnx": "The small person detector that is used without any download.",
    "tests/golden/messages_v1.json": "Messages of schema version 1, as bytes.",
    "tests/golden/metrics.json": "CMC, mAP and mINP of seeded features by FastReID.",
    "tests/golden/rerank.json": "Re-ranked distances of seeded features by the authors' program.",
    "tests/bench/adapt.jsonl": "What `python -m training.bench_adapt` printed, one line a site.",
    "tests/bench/ablation.jsonl": "What `python -m training.ablation` found, one line a variant and seed.",
    "tests/bench/network.jsonl": "What `climbtrack bench scan|model` printed, one line a measurement.",
    "tests/bench/pipeline.jsonl": "What `climbtrack bench pipeline` printed, one line a measurement.",
    "tests/bench/training.jsonl": "What `climbtrack bench training|evaluation` printed, one line a measurement.",
    "reid_worker/weights/person-detector.json": "Card of the bundled person detector: data, command, figures.",
    "training/real_labels.csv": "Who is who in boxes of the real videos that weights are judged by.",
    "training/LOG.md": "What was tried in training, with numbers; failures too.",
}


def tracked_files(root: Path) -> list[str]:
    """Return the files that git knows (`git add` comes first), by path."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (root / name).is_file())


def describe(root: Path, name: str) -> str:
    """Return one line about a file: its docstring's first sentence, what `DESCRIPTIONS` says, or its heading."""
    if name.endswith(".py"):
        text = ast.get_docstring(ast.parse((root / name).read_text(encoding="utf-8"))) or ""
        return text.partition("\n")[0]
    if name not in DESCRIPTIONS and name.endswith((".md", ".yaml")):
        return (root / name).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return DESCRIPTIONS.get(name, "")


def tree(root: Path, names: Iterable[str]) -> str:
    """Return the tree as text: folders end with a slash, files are indented below them."""
    lines: list[str] = []
    folder = ""
    for name in sorted(names, key=lambda name: ("/" in name, name.rpartition("/")[0], name)):
        parent, _, file = name.rpartition("/")
        if parent != folder:
            folder = parent
            lines.append(f"{parent}/")
        lines.append(f"{'  ' if parent else ''}{file}".ljust(COLUMN) + describe(root, name))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def settings_table() -> str:
    """Return every key of every section as a table."""
    rows = (f"| `{one.section}` | {', '.join(f'`{key}`' for key in one.model_fields)} |\n" for one in SECTIONS)
    return "| section | keys |\n|---|---|\n" + "".join(rows)


def metrics_table() -> str:
    """Return every metric family as a table."""
    registry = CollectorRegistry()
    for families in FAMILIES:
        families(registry)
    names = {f"{one.name}{'_total' if one.type == 'counter' else ''}": one.documentation for one in registry.collect()}
    return "| metric | what |\n|---|---|\n" + "".join(f"| `{name}` | {what} |\n" for name, what in names.items())


def section(page: str, name: str) -> str:
    """Return what stands between the markers of a section."""
    return page[slice(*_span(page, name))]


def main() -> None:
    """Write all sections into README.md."""
    root = Path(__file__).parent.parent
    path = root / "README.md"
    written = {
        "settings": settings_table(),
        "metrics": metrics_table(),
        "tree": f"```text\n{tree(root, tracked_files(root))}```\n",
    }
    path.write_text(fill(path.read_text(encoding="utf-8"), written), encoding="utf-8")


def fill(page: str, written: Mapping[str, str]) -> str:
    """Return the page with these texts between the markers of their sections, and nothing else changed."""
    for name, text in written.items():
        start, end = _span(page, name)
        page = page[:start] + text + page[end:]
    return page


def _span(page: str, name: str) -> tuple[int, int]:
    """Return where the text between the markers of a section begins and ends."""
    first = f"<!-- {name}: written by `make readme` -->\n"
    start = page.find(first)
    end = page.find(f"<!-- end of {name} -->", start)
    if start < 0 or end < 0:
        raise ValueError(f"README.md has no section {name}")
    return start + len(first), end


if __name__ == "__main__":
    main()
