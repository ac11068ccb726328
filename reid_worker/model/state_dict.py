"""The named tensors in a file of `torch.save`, whatever a training run wrapped around them; no code in it is run."""

import argparse
import collections
import logging
import pathlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

log = logging.getLogger(__name__)

# Keys under which programs keep a network, the usual first; and words in keys of what is never one.
_USUAL = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "params", "weights")
_NEVER = re.compile("optim|sched|scaler|criterion|loss|cent(er|re)|config|cfg|args|meta", re.IGNORECASE)
# What torch.load raises for a file that is not a checkpoint, only a part of one, or one with code in it.
_UNREADABLE = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)
_NAMED = 4  # names in a message; the rest is a number
_AGAIN = "copy or download it again"
_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


class UnreadableError(ValueError):
    """There are no tensors to be had; the message says why and, where something can be done, what."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a network from a file of `torch.save`.

    They may lie inside other dicts, such as `{"model": …, "optimizer": …}`. Of several networks the one under the
    usual name is taken, with a warning that names the others.

    Raises:
        UnreadableError: The file is not a checkpoint, is truncated, holds code, or holds anything else than tensors.
        OSError: It cannot be read at all.
    """
    try:
        with torch.serialization.safe_globals(_plain_values()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, which is refused in other words below
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _UNREADABLE as error:
        raise UnreadableError(_why_unreadable(path, error)) from error
    return _network_in(content, path)


def listed(names: list[str]) -> str:
    """Return the first names and how many more there are.

    >>> listed(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _network_in(content: object, path: Path) -> dict[str, Tensor]:
    while not _is_state_dict(content):
        if not isinstance(content, Mapping) or not content:
            raise UnreadableError(f"holds {type(content).__name__}, not named tensors")
        inner = [name for name, value in content.items() if _is_wrapper(name, value)]
        if not inner:
            foreign = [str(name) for name, value in content.items() if not _is_named_tensor(name, value)]
            raise UnreadableError(f"not tensors: {listed(foreign)}. Save the network's state_dict() alone")
        content = content[_chosen(inner, path)]
    assert isinstance(content, Mapping)
    return dict(content)


def _chosen(names: list[str], path: Path) -> str:
    usual = [name for name in _USUAL if name in names]
    if len(names) > 1 and not usual:
        raise UnreadableError(
            f"holds {len(names)} networks: {listed(names)}. Save the one you mean alone: torch.save(torch.load(FILE)"
            f"[{names[0]!r}], NEW)"
        )
    chosen = usual[0] if usual else names[0]
    if len(names) > 1:
        others = [name for name in names if name != chosen]
        log.warning("%s: taking the network under %r, not %s", path, chosen, listed(others))
    return chosen


def _is_state_dict(content: object) -> bool:
    return isinstance(content, Mapping) and bool(content) and all(_is_named_tensor(*one) for one in content.items())


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and torch.is_tensor(value)


def _is_wrapper(name: object, value: object) -> bool:
    """Tell whether a network lies under this key, at any depth."""
    if not isinstance(name, str) or not isinstance(value, Mapping) or _NEVER.search(name):
        return False
    return any(_is_named_tensor(*one) or _is_wrapper(*one) for one in value.items())


def _why_unreadable(path: Path, error: Exception) -> str:
    if (known := _another_file(path)) is not None:
        return known
    if "TorchScript" in str(error):
        return "is a TorchScript archive: save its tensors with torch.save(torch.jit.load(FILE).state_dict(), NEW)"
    unsafe = "neither safetensors nor a state dict that can be read safely"
    if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"{unsafe}: it holds a {code[1]}, which could run code. If you trust the file, save its tensors alone: "
            "torch.save(model.state_dict(), NEW)"
        )
    said = str(error).strip().partition("\n")[0]
    if not said or "weights_only" in said:  # torch advises to run whatever code the file holds
        return f"{unsafe}: {_AGAIN}"
    return f"{unsafe} ({said}): {_AGAIN}"


def _another_file(path: Path) -> str | None:
    """Return what a file is by its first bytes, None where they do not tell."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return f"is empty: {_AGAIN}"
    if _PAGE.match(start):
        return "is a web page, not weights: the download went wrong; open its address in a browser to see why"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights themselves: run `git lfs pull`"
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"is truncated: {_AGAIN}"
    return None


def _plain_values() -> list[Any]:
    """Return the types beside tensors that training programs save and that run nothing when they are read."""
    kinds = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")]
    paths = [pathlib.PosixPath, (pathlib.PosixPath, "pathlib.PosixPath")]  # Python 3.13 renamed its module
    plain = [argparse.Namespace, collections.defaultdict, np.dtype, *paths, *kinds]
    scalar = np.float64(0).__reduce__()[0]  # makes numbers of numpy; numpy 2 moved it
    return [*plain, *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core"))]
