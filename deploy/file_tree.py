"""The file tree of README.md, one line a file, from the files' own first lines: `make tree` writes it."""

import ast
import subprocess
from collections.abc import Iterable
from pathlib import Path

BEGIN, END = "<!-- tree: written by `make tree` -->\n```text\n", "```\n<!-- end of tree -->"
COLUMN = 34
# Files that cannot say themselves what they are.
DESCRIPTIONS = {
    ".ci/run": "What continuous integration runs.",
    ".gitignore": "What git leaves alone.",
    "ARCHITECTURE.md": "What always holds, which test holds it, and why it is so.",
    "CHANGELOG.md": "What changed for users.",
    "CONTRIBUTING.md": "How to change something.",
    "LICENSE": "MIT.",
    "Makefile": "`make run`, `make test`, `make check`, `make bench`, `make tree`.",
    "README.md": "This page.",
    "pyproject.toml": "Packages, dependencies, and the rules of ruff, mypy, pytest and import-linter.",
    "deploy/prometheus/prometheus.yml": "Scrapes one service of each kind.",
    "deploy/test_servers.sh": "Installs what the tests run against, on Debian.",
    "gallery/store_confirm.lua": "Redis: notes that events are published.",
    "gallery/store_write.lua": "Redis: applies one window of decisions, all of it or nothing.",
    "reid_worker/weights/climb-tiny.safetensors": "The shipped CLIMB weights with their preprocessing.",
    "reid_worker/weights/person-detector.onnx": "The small person detector that is used without any download.",
    "tests/golden/messages_v1.json": "Messages of schema version 1, as bytes.",
    "training/LOG.md": "What was tried in training, with numbers; failures too.",
    "training/configs/climb_tiny.yaml": "The recipe of the shipped weights.",
}


def tracked_files(root: Path) -> list[str]:
    """Return the files that git knows (`git add` comes first), by path."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (root / name).is_file())


def describe(root: Path, name: str) -> str:
    """Return one line about a file: its docstring's first sentence, or what `DESCRIPTIONS` says."""
    if name.endswith(".py"):
        text = ast.get_docstring(ast.parse((root / name).read_text(encoding="utf-8"))) or ""
        return text.partition("\n")[0]
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


def main() -> None:
    """Write the tree into README.md."""
    root = Path(__file__).parent.parent
    page = root / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + tree(root, tracked_files(root)) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
