"""How long a pass of a sparse network takes on this machine: dense, without its empty channels, with sparse rows."""

import copy
import warnings
from dataclasses import dataclass

import torch
from torch.nn.functional import pad, unfold
from torch.utils.benchmark import Timer

from linreg_mirror.networks.gates import extract
from linreg_mirror.networks.models import input_shape

_GAINED = 0.95  # of the time of the dense network: what is nearer to it may be chance


@dataclass(frozen=True)
class Latency:
    """Seconds of a forward pass, medians.

    Attributes
    ----------
    batch : int
        Examples in a pass.
    dense : float
        With all zeros.
    extracted : float or None
        Without the channels that are zero; None if all are in use, or the model cannot be traced.
    csr : float or None
        With compressed sparse rows in linear layers, and in convolutions that are not grouped; None if there are none.
    """

    batch: int
    dense: float
    extracted: float | None
    csr: float | None

    @property
    def verdict(self) -> str:
        """One sentence on what is gained."""
        forms = {"without empty channels": self.extracted, "with sparse rows": self.csr}
        measured = {name: time for name, time in forms.items() if time is not None}
        if not measured:
            return "No time is gained: no channel is empty, and torch has no sparse form of these layers."
        name = min(measured, key=lambda name: measured[name])
        ratio = measured[name] / self.dense
        if ratio > _GAINED:
            return f"No time is gained: {name} a pass takes {ratio:.2f} times as long as dense."
        return f"{name.capitalize()} a pass takes {ratio:.2f} of the time that it takes dense."


def _compressed(weight: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        return weight.detach().flatten(1).to_sparse_csr()


class _Rows(torch.nn.Module):
    """A linear layer whose weight is a matrix of compressed sparse rows."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.rows, self.bias = _compressed(layer.weight), layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return W x + b for the last axis of x."""
        flat = x.reshape(-1, x.shape[-1])
        outputs = (self.rows @ flat.T).T.reshape(*x.shape[:-1], -1)
        return outputs if self.bias is None else outputs + self.bias


class _Patches(torch.nn.Module):
    """A convolution as a matrix of compressed sparse rows, times all patches of its input."""

    def __init__(self, layer: torch.nn.Conv2d) -> None:
        super().__init__()
        self.rows, self.bias = _compressed(layer.weight), layer.bias
        # Padding that is a word has numbers too, for each side, the last axis first.
        self.sides = layer._reversed_padding_repeated_twice
        self.shape = {"kernel_size": layer.kernel_size, "dilation": layer.dilation, "stride": layer.stride}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of a batch of images."""
        x = pad(x, self.sides)
        patches = unfold(x, **self.shape)  # (batch, inputs of a patch, patches)
        flat = patches.transpose(0, 1).flatten(1)
        size = [
            (length - reach * (kernel - 1) - 1) // step + 1
            for length, kernel, reach, step in zip(x.shape[2:], *self.shape.values(), strict=True)
        ]
        outputs = (self.rows @ flat).reshape(-1, len(x), *size).transpose(0, 1)
        return outputs if self.bias is None else outputs + self.bias[:, None, None]


def _with_rows(layer: torch.nn.Module) -> torch.nn.Module | None:
    if type(layer) is torch.nn.Linear:
        return _Rows(layer)
    if type(layer) is torch.nn.Conv2d and layer.groups == 1 and layer.padding_mode == "zeros":
        return _Patches(layer)
    return None


def latency_of(model: torch.nn.Module, *, batch: int = 1, seconds: float = 1.0) -> Latency:
    """Measure how long a forward pass takes, on the device of the model, by torch.utils.benchmark.

    Parameters
    ----------
    model : torch.nn.Module
        With plain weights, and an attribute `input_shape`.
    batch : int
        Examples in a pass.
    seconds : float
        For which each form is run, at least.

    Returns
    -------
    Latency
        Its `verdict` says in a sentence what is gained.

    Raises
    ------
    ValueError
        If it is unknown which inputs the model takes.
    """
    like = next(model.parameters())
    inputs = torch.zeros((batch, *input_shape(model)), dtype=like.dtype, device=like.device)
    model = copy.deepcopy(model).eval()

    @torch.inference_mode()
    def time(network: torch.nn.Module) -> float:
        timer = Timer(
            "network(inputs)", globals={"network": network, "inputs": inputs}, num_threads=torch.get_num_threads()
        )
        return timer.blocked_autorange(min_run_time=seconds).median

    small, rows = _extracted(model), with_rows(model)
    times = [None if one is None else time(one) for one in (small, rows)]
    return Latency(batch, time(model), *times)


def with_rows(model: torch.nn.Module) -> torch.nn.Module | None:
    """Return a copy whose linear layers and convolutions have compressed sparse rows, None if it has no such layer."""
    copied = copy.deepcopy(model)
    found = {name: rows for name, layer in copied.named_modules() if (rows := _with_rows(layer)) is not None}
    if "" in found:
        return found[""]
    for name, rows in found.items():
        path, _, own = name.rpartition(".")
        setattr(copied.get_submodule(path), own, rows)
    return copied if found else None


def _extracted(model: torch.nn.Module) -> torch.nn.Module | None:
    try:
        small = extract(model)
    except ValueError:
        return None
    sizes = [sum(parameter.numel() for parameter in one.parameters()) for one in (small, model)]
    return small if sizes[0] < sizes[1] else None
