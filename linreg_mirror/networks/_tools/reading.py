"""Numbers of a device, read by the host all at once."""

from collections.abc import Mapping

import torch


def read(tensors: Mapping[str, torch.Tensor]) -> dict[str, list[float]]:
    """Return the entries of small tensors, which travel together: the host waits once.

    Parameters
    ----------
    tensors : mapping of str to torch.Tensor
        On one device, of floats, bools, or integers below 2^53.

    Returns
    -------
    dict of str to list of float
        Of each the entries in a row.
    """
    if not tensors:
        return {}
    rows = [tensor.detach().reshape(-1).double() for tensor in tensors.values()]
    numbers = iter(torch.cat(rows).tolist())
    return {name: [next(numbers) for _ in range(len(row))] for name, row in zip(tensors, rows, strict=True)}


def on_host(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return contiguous copies on the CPU, each in memory of its own; those of a device travel together.

    Parameters
    ----------
    tensors : mapping of str to torch.Tensor
        Of any type, on any device.
    """
    found: dict[str, torch.Tensor] = {}
    for device in {tensor.device for tensor in tensors.values()}:
        own = {name: tensor.detach() for name, tensor in tensors.items() if tensor.device == device}
        if device.type == "cpu":
            found |= {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in own.items()}
            continue
        rows = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in own.values()]
        parts = torch.cat(rows).cpu().split([len(row) for row in rows])
        for (name, tensor), part in zip(own.items(), parts, strict=True):
            found[name] = part.clone().view(tensor.dtype).view(tensor.shape)
    return {name: found[name] for name in tensors}
