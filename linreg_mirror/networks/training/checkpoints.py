"""Checkpoints: tensors and JSON in one file, written at once or not at all, and never unpickled."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from linreg_mirror.networks._tools.reading import on_host
from linreg_mirror.runtime.files import explained, replacing


def save(path: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint, so that whoever reads finds the old one or the new one, whole.

    Parameters
    ----------
    path : Path
        A safetensors file; `state` goes into its header.
    tensors : mapping of str to torch.Tensor
        On any device.
    state : mapping of str
        JSON values.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk; then the old one is still there.
    """
    own = on_host(tensors)  # each in memory of its own: safetensors refuses those that share it
    with replacing(path) as partial:
        try:
            save_file(own, partial, metadata={"state": json.dumps(state)})
        except SafetensorError as error:
            raise OSError(f"cannot write {path} ({error}): free some space; what was saved before is there") from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a folder for this process, until it is done or dead.

    Raises
    ------
    BlockingIOError
        If another process has it.
    OSError
        If it cannot be written, naming it and what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            f"another process is training in {folder}: wait for it, or give this one another folder"
        ) from None
    except OSError as error:
        raise explained(error, "write a run", folder) from error
    try:
        yield
    finally:
        lock.release()


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checkpoint: its tensors, on the CPU, and its state.

    Raises
    ------
    ValueError
        If the file is truncated, or none that `save` has written.
    OSError
        If it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = json.loads((file.metadata() or {})["state"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no checkpoint, or damaged ({error}): delete it to start again") from None
    return tensors, state


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return an optimiser's state, taken apart into tensors and JSON values.

    Settings of groups that are tensors are left out: whoever steps sets them before each step.
    """
    whole = optimizer.state_dict()
    tensors, numbers = {}, {}
    for index, entries in whole["state"].items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    groups = [
        {name: value for name, value in group.items() if not isinstance(value, torch.Tensor)}
        for group in whole["param_groups"]
    ]
    return tensors, {"numbers": numbers, "groups": groups}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
) -> None:
    """Put back what `optimizer_state` returned, into an optimiser made in the same way."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **state["numbers"]}.items():
        index, name = key.split(".", 1)
        entries.setdefault(int(index), {})[name] = value
    now = [dict(group) for group in optimizer.param_groups]
    groups = [own | saved for own, saved in zip(optimizer.state_dict()["param_groups"], state["groups"], strict=True)]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
    for parameter, found in optimizer.state.items():
        for name, value in found.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                # Laid out in memory as the parameter is, which fused steps take for granted.
                found[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    for group, before in zip(optimizer.param_groups, now, strict=True):
        # The same tensors, not the copies that torch has made.
        group.update({name: value for name, value in before.items() if isinstance(value, torch.Tensor)})
