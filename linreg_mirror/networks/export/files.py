"""Files of sparse networks: dense, with compressed sparse rows, or as ONNX; and how large they are."""

import copy
import json
import zlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn.utils import parametrize

from linreg_mirror.networks.models import input_shape
from linreg_mirror.runtime.files import replacing
from sketching import masks_of, prunable, remove_masks

_PARTS = ("crow_indices", "col_indices", "values")  # as torch and SciPy call them


class Sizes(NamedTuple):
    """Bytes on disk.

    Attributes
    ----------
    dense, csr : int
        As safetensors, with all numbers, and with rows of those that are not zero.
    compressed : int
        The dense file, compressed by zlib.
    """

    dense: int
    csr: int
    compressed: int


def export(model: torch.nn.Module, path: str | Path, form: str) -> Path:
    """Write a model.

    Parameters
    ----------
    model : torch.nn.Module
        Zeros are what is pruned. Masks of `sketching.apply_masks` are folded into the weights of what is written.
    path : str or Path
        The file.
    form : {"safetensors", "csr", "onnx"}
        All numbers, which any safetensors reader reads; compressed sparse rows, for `read_csr`; or ONNX, by torch's
        exporter, which needs the packages onnx and onnxscript.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        If there is no such form, weights are parametrized by more than masks, or, for ONNX, the model does not say its
        `input_shape`.
    ModuleNotFoundError
        If a package is missing.
    OSError
        If it cannot be written.
    """
    if form not in FORMATS:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}, got {form!r}")
    path, plain = Path(path), _plain(model)
    with replacing(path) as partial:
        FORMATS[form](plain, partial)
    return path


def _plain(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model, or a copy without its masks whose pruned weights are 0; raise ValueError if it has factors."""
    if masks_of(model):
        model = remove_masks(copy.deepcopy(model))
    left = [name for name, layer in model.named_modules() if parametrize.is_parametrized(layer)]
    if left:
        raise ValueError(
            f"the weights of {', '.join(left)} are made of other parameters: call method.finish() before you export"
        )
    return model


def read_csr(path: Path) -> dict[str, torch.Tensor]:
    """Return the state dict that `export` wrote with compressed sparse rows: dense tensors, on the CPU.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to torch.Tensor
        For `load_state_dict`.

    Raises
    ------
    ValueError
        If it is no such file.
    OSError
        If it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            shapes = json.loads((file.metadata() or {})["shapes"])
            order = json.loads((file.metadata() or {})["order"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no sparse rows, or is damaged ({error}): export it again") from None
    for name, shape in shapes.items():
        ends, columns, values = (tensors.pop(f"{name}.{part}") for part in _PARTS)
        whole = values.new_zeros(shape)
        rows = torch.arange(shape[0]).repeat_interleave(ends.diff())
        whole.view(shape[0], -1)[rows, columns.long()] = values
        tensors[name] = whole
    return {name: tensors[name] for name in order}


def sizes_of(model: torch.nn.Module) -> Sizes:
    """Return how many bytes a model takes on disk.

    Parameters
    ----------
    model : torch.nn.Module
        With plain weights.

    Returns
    -------
    Sizes
        Measured on files that are written, and deleted.
    """
    with TemporaryDirectory() as folder:
        dense, csr = (export(model, Path(folder) / form, form) for form in ("safetensors", "csr"))
        return Sizes(dense.stat().st_size, csr.stat().st_size, len(zlib.compress(dense.read_bytes(), 9)))


def _safetensors(model: torch.nn.Module, path: Path) -> None:
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}, path)


def _csr(model: torch.nn.Module, path: Path) -> None:
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    tensors: dict[str, torch.Tensor] = {}
    sparse = list(prunable(model, "*"))
    for name, tensor in state.items():
        if name not in sparse:
            tensors[name] = tensor.contiguous().clone()
            continue
        matrix = tensor.flatten(1)
        ends = torch.cat([torch.zeros(1, dtype=torch.int64), (matrix != 0).sum(1).cumsum(0)])
        # Four bytes an index are enough for 2^31 inputs.
        parts = ends.to(torch.int32), matrix.nonzero()[:, 1].to(torch.int32), matrix[matrix != 0]
        tensors |= {f"{name}.{part}": one.contiguous() for part, one in zip(_PARTS, parts, strict=True)}
    shapes = {name: list(state[name].shape) for name in sparse}
    save_file(tensors, path, metadata={"shapes": json.dumps(shapes), "order": json.dumps(list(state))})


def _onnx(model: torch.nn.Module, path: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f"to write ONNX torch needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    like = next(model.parameters())
    example = torch.zeros((1, *input_shape(model)), dtype=like.dtype, device=like.device)
    # Weights in a file beside it would have the name that this one has until it is whole.
    torch.onnx.export(
        model, (example,), path, input_names=["inputs"], output_names=["outputs"], dynamo=True, external_data=False
    )


FORMATS: Mapping[str, Callable[[torch.nn.Module, Path], Any]] = {
    "safetensors": _safetensors,
    "csr": _csr,
    "onnx": _onnx,
}
