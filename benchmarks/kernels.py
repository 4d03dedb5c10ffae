"""How many kernels does a step launch, and how often does it wait for a number? Counted by torch's profiler."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from torch.profiler import DeviceType, ProfilerActivity, profile

# What torch reports of an operation that makes a view, or memory, and launches nothing.
_FREE = {
    *("as_strided", "view", "_unsafe_view", "alias", "select", "slice", "unsqueeze", "squeeze", "expand", "transpose"),
    *(
        "t",
        "mT",
        "permute",
        "reshape",
        "broadcast_to",
        "detach",
        "to",
        "_to_copy",
        "empty",
        "empty_strided",
        "empty_like",
    ),
    *("resize_", "resolve_conj", "resolve_neg", "lift_fresh", "_local_scalar_dense", "item", "is_nonzero"),
}
_WAIT = "aten::_local_scalar_dense"


def kernels_a_step(run: Callable[[int], object], device: str, steps: int = 64) -> dict[str, float]:
    """Return kernels and waits a step, between runs of so many steps and of twice as many.

    On a CPU, where nothing is launched, an operation of torch that computes counts as a kernel, and so does a function
    that torch.compile has written.
    """
    counts = []
    for many in (steps, 2 * steps):
        run(many)  # compiles
        with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")) as profiler:
            run(many)
        events = profiler.events() or []
        found = Counter(waits=sum(event.name == _WAIT for event in events))
        found["kernels"] = sum(_on_cuda(events) if device == "cuda" else _on_cpu(events))
        counts.append(found)
    return {name: (counts[1][name] - counts[0][name]) / steps for name in ("kernels", "waits")}


def _on_cuda(events: Any) -> Iterator[bool]:
    return (event.device_type == DeviceType.CUDA and not event.name.startswith("Mem") for event in events)


def _on_cpu(events: Any) -> Iterator[bool]:
    """Yield whether each event computes: it, and nothing that it calls."""

    def computes(event: Any) -> bool:
        name = event.name.removeprefix("aten::")
        return "cpp_fused" in name or (name != event.name and name not in _FREE)

    def within(event: Any) -> bool:
        return any(computes(child) or within(child) for child in event.cpu_children)

    return (computes(event) and not within(event) for event in events)
