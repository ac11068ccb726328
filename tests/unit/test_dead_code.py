"""What nothing uses goes: functions and classes that only tests call, and patterns of package data without a file."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "ingest", "reid_worker", "gallery", "training", "deploy")
TREES = {path: ast.parse(path.read_text()) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

# References that other implementations must equal.
REFERENCES = {"BruteForceIndex", "MemoryStore"}
# Called by a library, by these names.
CALLED_FROM_OUTSIDE = {
    "do_GET",
    "do_HEAD",
    "emit",
    "get_next",
    "handle_error",
    "handle_exit",
    "list_commands",
    "log_message",
    "on_partitions_assigned",
    "on_partitions_lost",
    "on_partitions_revoked",
    "settings_customise_sources",
}


def test_no_function_or_class_is_there_for_tests_only() -> None:
    used = Counter(name for tree in TREES.values() for name in _used(tree))
    unused = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, tree in TREES.items()
        for line, name in _defined(tree)
        if not used[name] and name not in REFERENCES | CALLED_FROM_OUTSIDE | {path.stem}  # loaded by its module's name
    ]
    assert unused == []


def test_every_pattern_of_package_data_finds_a_file() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    empty = [
        f"{package}: {pattern}"
        for package, wanted in patterns.items()
        for pattern in wanted
        if not list((ROOT / package.replace(".", "/")).glob(pattern))
    ]
    assert empty == []


def _defined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the public and private functions, methods and classes of a module that nothing registers on its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            registered = any(isinstance(decorator, ast.Call) for decorator in node.decorator_list)
            if not node.name.startswith("__") and not registered:
                yield node.lineno, node.name


def _used(tree: ast.Module) -> Iterator[str]:
    """Yield every name that is read, imported, or given as a word of its own, as registries do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [] if " " in node.value else re.split(r"\W+", node.value)
