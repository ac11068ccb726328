"""A second device without hardware: its tensors compute on the CPU and refuse to meet tensors of the CPU, as on a GPU.

Torch's own `meta` device does not notice every such meeting (`torch.cat` takes both) and has no numbers, so that
nothing that asks for one (`item`, `unique`) could run. Here every operation runs for real, and is checked before.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

OTHER = torch.device("mps", 0)
"""What the other device is called: a type that torch knows, autocasts on, and never initialises."""

_aten = torch.ops.aten
_CROSSING = {_aten._to_copy.default, _aten.copy_.default}
_SAME_KIND = _aten._has_compatible_shallow_copy_type.default
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}


class MixedDevicesError(RuntimeError):
    """An operation was given tensors of both devices."""


class OtherTensor(Tensor):
    """A tensor on the other device, which keeps its numbers in `held`, on the CPU."""

    held: Tensor

    @staticmethod
    @torch.inference_mode(mode=False)  # a view of a parameter could not be made in it
    def __new__(cls, held: Tensor) -> Self:
        made: Self = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device("meta"),  # what C++ sees: it has guards and streams for it
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return OTHER

    @property
    def is_meta(self) -> bool:  # type: ignore[override]
        return False

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _run(func, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be saved as what is held: files are read onto the CPU first."""
        return self.held.__reduce_ex__(protocol)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OtherTensor({self.held!r})"


class OtherDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, `OTHER` is a device like any other: tensors are made there, sent there and brought back."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
    there = [t for t in tensors if isinstance(t, OtherTensor)]
    here = [t for t in tensors if not isinstance(t, OtherTensor) and t.ndim > 0]
    if func is _SAME_KIND:  # whether `Module.to` may keep the parameter that is there: not across devices
        return len(there) in (0, len(tensors))
    if func in _INDEXING:  # a GPU takes indices of the CPU, too
        here = [t for t in here if t.dtype not in (torch.int64, torch.bool)]
    if there and here and func not in _CROSSING:
        raise MixedDevicesError(f"{func}: some tensors are on {OTHER}, one of {tuple(here[0].shape)} on the CPU")
    named = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.device)]
    made = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    to_other = named[0].type in (OTHER.type, "meta") if named else bool(there)
    return _returned(func, args, kwargs, made, _wrapped if to_other else lambda one: one)


def _returned(func: Any, args: Any, kwargs: dict[str, Any], made: Any, wrap: Callable[[Any], Any]) -> Any:
    """Return results as the schema says: what was written into is the very argument, the rest is new."""
    written = [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if written and len(func._schema.returns) == len(written):
        return written[0] if len(written) == 1 else tuple(written)
    return tree_map(wrap, made)


def _held(one: Any) -> Any:
    if isinstance(one, torch.device):
        return torch.device("cpu")
    return one.held if isinstance(one, OtherTensor) else one


def _wrapped(one: Any) -> Any:
    return OtherTensor(one) if isinstance(one, Tensor) and not isinstance(one, OtherTensor) else one
