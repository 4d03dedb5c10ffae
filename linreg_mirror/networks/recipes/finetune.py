"""The settings of training after pruning."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from linreg_mirror._tools.arguments import check_integer, check_positive


@dataclass(frozen=True)
class Finetune:
    """Train on what pruning leaves, the zeros held.

    Attributes
    ----------
    epochs : int
        How many times all training examples are seen, for each share that is kept.
    lr : float
        Learning rate at first; it falls to 0 along half a cosine.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    epochs: int
    lr: float

    def __post_init__(self) -> None:
        check_integer("finetune.epochs", self.epochs, 1)
        check_positive("finetune.lr", self.lr, "write finetune.lr=0.01")
        object.__setattr__(self, "lr", float(self.lr))


def finetune(table: Any) -> Finetune:
    """Return the settings that a table holds, or ValueError."""
    known = [one.name for one in fields(Finetune)]
    if not isinstance(table, Mapping) or table.keys() != set(known):
        raise ValueError(
            f"finetune must be a table of {' and '.join(known)}, got {table!r}: write "
            "finetune = {epochs = 5, lr = 0.01}; for "
            "epochs in which l0 and dep-l0 freeze their gates write method.finetune"
        )
    return Finetune(**table)
