"""An accelerator that is simulated on the CPU: mixing its tensors with those of the CPU raises, waits are counted.

Its tensors say that they are on the device "meta", for which torch needs neither kernels nor streams, and have their
numbers in a tensor of the CPU.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
aten = torch.ops.aten

# The host must know numbers, or how many there are, before it can go on.
_WAITING = {
    *(aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.is_nonzero, aten._unique2),
    *(aten.unique_dim, aten.bincount, aten.allclose, aten.isin),
}
_COPYING = {aten.copy_, aten._to_copy, aten._foreach_copy_, aten.set_, aten.lift_fresh}


class Simulated(torch.Tensor):
    """A tensor of the accelerator."""

    @staticmethod
    def __new__(cls, numbers):
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, numbers.shape, strides=numbers.stride(), storage_offset=numbers.storage_offset(), dtype=numbers.dtype,
            device=DEVICE,
        )  # fmt: skip
        tensor.numbers = numbers
        return tensor

    def __repr__(self, **_):
        return f"Simulated({self.numbers})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("outside of the simulation this tensor is of no use")


class Accelerator(TorchDispatchMode):
    """Runs what is asked of the accelerator on the CPU.

    Attributes
    ----------
    waits : Counter
        How often the host had to wait, by the operation that made it.
    calls : int
        Operations on the accelerator.
    """

    def __init__(self):
        super().__init__()
        self.waits, self.calls = Counter(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
        ours = [one for one in tensors if isinstance(one, Simulated)]
        target = kwargs.get("device")
        here = target is not None and torch.device(target) == DEVICE
        if not ours and not here:
            return func(*args, **kwargs)
        self.calls += 1
        packet = func.overloadpacket
        foreign = [one for one in tensors if not isinstance(one, Simulated)]
        if packet not in _COPYING and ours and any(one.ndim for one in foreign):
            raise RuntimeError(f"{func}: tensors on two devices, cpu and the simulated accelerator")
        leaving = target is not None and not here
        if packet in _WAITING or leaving or (packet is aten.copy_ and not isinstance(args[0], Simulated)):
            self.waits[str(packet)] += 1
        if packet is aten.index and any(one is not None and one.dtype == torch.bool for one in args[1]):
            self.waits["index by a mask"] += 1
        if target is not None:
            kwargs["device"] = torch.device("cpu")

        def numbers(one):
            return one.numbers if isinstance(one, Simulated) else one

        found = func(*tree_map(numbers, args), **tree_map(numbers, kwargs))
        same = {id(one.numbers): one for one in ours}

        def wrapped(one):
            if not isinstance(one, torch.Tensor):
                return one
            if id(one) in same:
                return same[id(one)]
            return one.clone() if leaving else Simulated(one)

        if packet is aten.copy_ and not isinstance(args[0], Simulated):
            return args[0]
        return tree_map(wrapped, found)


class _Calls(TorchFunctionMode):
    """What torch does for "meta" and for classes of tensors before it asks the other mode."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        made = func in (torch.tensor, torch.asarray) and not isinstance(args[0], torch.Tensor)
        if made and kwargs.get("device") is not None and torch.device(kwargs["device"]) == DEVICE:
            return func(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        if func is torch.Tensor.tolist and isinstance(args[0], Simulated):
            return args[0].cpu().tolist()
        return func(*args, **kwargs)


@contextmanager
def simulated(monkeypatch):
    """Give an accelerator, on which `DEVICE` is until the end."""
    state = {"state": torch.zeros(1, dtype=torch.uint8)}
    module = SimpleNamespace(
        get_rng_state=lambda device=None: state["state"],
        set_rng_state=lambda new, device=None: state.update(state=new),
        manual_seed=lambda seed: torch.default_generator.manual_seed(seed),
        device_count=lambda: 1,
        is_available=lambda: True,
    )
    monkeypatch.setattr(torch, "meta", module, raising=False)
    for optimizer in ("sgd", "adam"):  # which know the devices that have fused steps
        file = sys.modules[f"torch.optim.{optimizer}"]
        monkeypatch.setattr(file, "_device_dtype_check_for_fused", lambda *_, **__: None)
    with Accelerator() as accelerator, _Calls():
        yield accelerator
