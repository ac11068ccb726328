"""Named tensors of a file, read without running anything in it, and put into a module without leaving anything out.

Errors:
    WeightsError    a file cannot be used; it names the file and the reason. Commands end as with any wrong setting
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from reid_worker.endless import ENDLESS, is_endless
from reid_worker.model.state_dict import UnreadableError, listed, read_state_dict
from wire.errors import SettingsError

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class WeightsError(SettingsError):
    """A weight file cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"weights {path}: {reason}")
        self.path = path
        self.reason = reason


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, or a state dict that `torch.save` wrote, by what is in it, not by its name.

    A state dict may lie inside other dicts, as training programs keep it; see `read_state_dict`. Code in the file is
    not run: it makes the file unreadable.

    Raises:
        WeightsError: The file is missing, truncated, holds code, or holds something else than named tensors.
    """
    if is_endless(path):
        raise WeightsError(path, ENDLESS)
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:9] == b"{":  # eight bytes of length, then JSON
            return dict(load_file(path))
        return read_state_dict(path)
    except OSError as error:
        raise WeightsError(path, error.strerror or str(error)) from error
    except UnreadableError as error:
        raise WeightsError(path, str(error)) from error
    except SafetensorError as error:
        raise WeightsError(path, f"not a complete safetensors file ({error}): copy or download it again") from error


def put_tensors(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    path: Path,
    what: str,
    *,
    called: Callable[[str], str] = str,
) -> None:
    """Fill `module` with tensors read from `path`: all there, in their shapes, finite, and none too many.

    Half, bfloat16 and double precision become the module's own. A module on the meta device takes the tensors
    themselves. `called` gives the name that a tensor has in the file.

    Raises:
        WeightsError: They do not fit `what`; the first names are listed. The module is as it was.
    """
    wanted = module.state_dict()
    missing = [called(name) for name in wanted if name not in tensors]
    unknown = [called(name) for name in tensors if name not in wanted]
    other = {called(name): _mismatch(wanted[name], tensors[name]) for name in wanted if name in tensors}
    odd = [f"{name} {reason}" for name, reason in other.items() if reason]
    found = (("missing", missing), ("unknown", unknown), ("wrong:", odd))
    complaints = [f"{word} {listed(names)}" for word, names in found if names]
    if complaints:
        raise WeightsError(path, f"the tensors do not fit {what}: {'; '.join(complaints)}")
    own = {name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}
    broken = [called(name) for name, tensor in own.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(path, f"NaN or infinite numbers in {listed(broken)}")
    module.load_state_dict(own, strict=True, assign=any(tensor.is_meta for tensor in wanted.values()))


def _mismatch(wanted: Tensor, given: Tensor) -> str:
    """Return what is wrong with a tensor, or nothing."""
    if wanted.shape != given.shape:
        return f"is {_shape(given)}, not {_shape(wanted)}"
    if wanted.is_floating_point() and given.dtype not in _FLOATS:
        return f"is {given.dtype}, not a float"
    if not wanted.is_floating_point() and given.dtype != wanted.dtype:
        return f"is {given.dtype}, not {wanted.dtype}"
    return ""


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
