"""The operations of a step, recorded and replayed: what a graph does, on devices that have none."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_READING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero"}


class Recording(TorchDispatchMode):
    """Records operations as they are done; `replay` does them again, on the same tensors and with the same numbers.

    As in a graph of CUDA, results go to where they were, numbers of the host stay what they were, generators of random
    numbers go on, and what Python did beside the operations is not done again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[torch.Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do an operation, and keep it."""
        name = func._schema.name
        if name in _READING or (name == "aten::index" and any(one.dtype == torch.bool for one in _tensors(args[1]))):
            raise RuntimeError(f"{name} makes the host wait for numbers of the device")
        found = func(*args, **(kwargs or {}))
        if not func.is_view:  # one shows what is there
            self._calls.append((func, args, kwargs or {}, _tensors(found)))
        return found

    @torch.no_grad()
    def replay(self) -> None:
        """Do all operations again."""
        for func, args, kwargs, kept in self._calls:
            found = func(*args, **kwargs)
            for leaf in tree_leaves(found):
                wait = getattr(leaf, "wait", None) if isinstance(leaf, torch.ScriptObject) else None
                if wait is not None:  # for what processes do together
                    wait()
            for old, new in zip(kept, _tensors(found), strict=True):
                if old is not new:  # as what is changed in place
                    old.copy_(new)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
