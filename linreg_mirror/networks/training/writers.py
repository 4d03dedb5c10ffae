"""What is measured after every epoch, for tools that show runs: to be given to `train` as `progress`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from linreg_mirror.networks.training.runs import Record


def tensorboard(folder: str | Path) -> Callable[[Record], None]:
    """Return a function that writes all numbers of a record for TensorBoard.

    Parameters
    ----------
    folder : str or Path
        Which `tensorboard --logdir` is to read.

    Returns
    -------
    callable
        For `train(..., progress=...)`.

    Raises
    ------
    ModuleNotFoundError
        Without the package tensorboard.
    """
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def write(record: Record) -> None:
        for name, value in numbers(record):
            writer.add_scalar(name, value, record["epoch"])
        writer.flush()

    return write


def wandb(**options: Any) -> Callable[[Record], None]:
    """Return a function that logs all numbers of a record to Weights & Biases.

    Parameters
    ----------
    **options
        Of `wandb.init`, such as project.

    Returns
    -------
    callable
        For `train(..., progress=...)`.

    Raises
    ------
    ModuleNotFoundError
        Without the package wandb.
    """
    import wandb as package  # pyright: ignore[reportMissingImports]

    run = package.init(**options)
    return lambda record: run.log(dict(numbers(record)), step=record["epoch"])


def numbers(record: Record) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a record by name: those in tables as "table/name", those of a cycle as "cycle-00/name".

    Parameters
    ----------
    record : dict
        What was measured after an epoch.

    Yields
    ------
    (str, float)
        But for what counts epochs and cycles.
    """
    prefix = f"cycle-{record['cycle']:02}/" if "cycle" in record else ""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{prefix}{name}/{inner}", number) for inner, number in numbers(value))
        elif isinstance(value, int | float) and name not in ("epoch", "cycle"):
            yield prefix + name, value
