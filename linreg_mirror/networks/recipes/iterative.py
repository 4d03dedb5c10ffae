"""The settings of iterative pruning."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror.networks._tools.arguments import check_keep

_Rewind = Literal["initialisation", "weights", "learning-rate"]


class Cycles(NamedTuple):
    """How cycles start again, and which papers that comes from."""

    rewind: _Rewind
    cites: tuple[str, ...]


CYCLES: Mapping[str, Cycles] = {
    "imp": Cycles("initialisation", ("frankle2019lottery",)),
    "wr": Cycles("weights", ("renda2020comparing",)),
    "lrr": Cycles("learning-rate", ("renda2020comparing",)),
}


@dataclass(frozen=True)
class Iterative:
    """Train, prune the smallest weights of all layers, and train again what is left, from cycle to cycle.

    Attributes
    ----------
    rewind : {"initialisation", "weights", "learning-rate"}
        Where the weights that are left start again: where they were drawn (IMP), where they were at an early time of
        the first cycle (WR), or where they are (LRR).
    cycles : int
        How many, the first of which is dense.
    keep : float
        Share of the weights that each cycle passes on to the next.
    epoch : int, optional
        For "weights" only: the early time is the end of this epoch. Default: 2.

    Raises
    ------
    ValueError
        If a setting is out of range, or there is an epoch where it has no meaning.
    """

    rewind: _Rewind
    cycles: int = 25
    keep: float = 0.8
    epoch: int | None = None

    def __post_init__(self) -> None:
        if self.rewind not in get_args(_Rewind):
            raise ValueError(f"rewind must be one of {', '.join(get_args(_Rewind))}, got {self.rewind!r}")
        check_integer("cycles", self.cycles, 1)
        check_keep(self.keep)
        if self.rewind != "weights" and self.epoch is not None:
            raise ValueError(
                f'rewind = "{self.rewind}" takes no epoch, got epoch={self.epoch!r}: write rewind = "weights" to go '
                "back to the end of that epoch"
            )
        if self.rewind == "weights":
            object.__setattr__(self, "epoch", 2 if self.epoch is None else self.epoch)
            check_integer("epoch", self.epoch, 1)


def iterative(table: Any) -> Iterative:
    """Return the settings that a table holds, or ValueError."""
    known = [one.name for one in fields(Iterative)]
    if not isinstance(table, Mapping) or "rewind" not in table or not table.keys() <= set(known):
        raise ValueError(
            f"iterative must be a table of {', '.join(known)}, the first of which is needed, got {table!r}: write "
            'iterative = {rewind = "weights", cycles = 25}'
        )
    return Iterative(**table)
