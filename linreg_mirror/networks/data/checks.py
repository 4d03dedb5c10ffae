"""What data sets require of arrays and devices."""

from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_integer
from sketching._arrays import real


def checked_arrays(what: str, inputs: Any, labels: Any, classes: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels as tensors on the CPU, or raise ValueError or TypeError that says what is wrong."""
    inputs, labels = _tensor(f"{what}: inputs", inputs), _tensor(f"{what}: labels", labels)
    if classes is not None:
        check_integer("classes", classes, 1)
    images = inputs.dtype == torch.uint8 and inputs.ndim == 4
    if not (images or (inputs.is_floating_point() and inputs.ndim >= 2)) or inputs.numel() == 0:
        raise ValueError(
            f"{what}: inputs must be images (n, channels, height, width) of uint8, or (n, ...) of floats, and not "
            f"empty, got shape {tuple(inputs.shape)} of {inputs.dtype}; gray images are images[:, None]"
        )
    if not images and not inputs.isfinite().all():
        raise ValueError(f"{what}: an entry of inputs is NaN or infinite; all must be finite")
    kind = "targets (n, ...) of floats" if classes is None else "classes (n,) of integers"
    fits = labels.is_floating_point() if classes is None else labels.ndim == 1 and _is_integer(labels)
    if not fits or labels.ndim == 0 or len(labels) != len(inputs):
        raise ValueError(
            f"{what}: for {len(inputs)} inputs labels must be {kind}, got shape {tuple(labels.shape)} of {labels.dtype}"
        )
    if classes is None:
        return inputs, labels
    labels = labels.to(torch.int64)
    check_labels(what, labels.numpy(), classes)
    return inputs, labels


def check_labels(what: object, labels: np.ndarray, classes: int) -> None:
    """Raise ValueError unless all labels are in 0..classes - 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise ValueError(f"{what}: labels must be in 0..{classes - 1}, got {labels[wrong[0]]} for example {wrong[0]}")


def checked_device(device: torch.device | str) -> torch.device:
    """Return the device, or raise ValueError if it is not there to hold numbers."""
    try:
        torch.zeros(1, device=device).item()
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r} cannot be used here ({reason}): there are {_devices()}") from None


def _devices() -> str:
    """Return the names of the devices of this machine."""
    accelerator: Any = getattr(torch, "accelerator", None)  # older releases have none
    kind = None if accelerator is None else accelerator.current_accelerator()
    count = 0 if accelerator is None or kind is None else accelerator.device_count()
    return ", ".join(["cpu", *(f"{kind}:{number}" for number in range(count))])


def _tensor(name: str, values: Any) -> torch.Tensor:
    values = real(name, values)
    if isinstance(values, torch.Tensor):
        return values.cpu()
    known = values.dtype.newbyteorder("=") if values.dtype.itemsize <= 8 else np.dtype(float)
    # A tensor cannot be read-only, as arrays that are mapped from files are, nor run backwards.
    return torch.as_tensor(np.require(values, known, ["C", "W"]))


def _is_integer(labels: torch.Tensor) -> bool:
    return not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
