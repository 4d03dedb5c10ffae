"""What a paper claims of experiments, and where that is tested here."""

from dataclasses import dataclass
from typing import Literal

from linreg_mirror.ledger import Citation


@dataclass(frozen=True)
class Pair:
    """Two methods of a comparison.

    Attributes
    ----------
    recipe : str
        Of the comparison, as in `linreg-mirror compare RECIPE`.
    method, rival : str
        Their labels in it; with `cost`, their names, each with several settings.
    cost : {"weights", "operations"}, optional
        For methods that decide themselves how much they leave: accuracies are compared where both have as many weights
        that are not zero, or as many operations. Default: at each share of the weights that is kept.
    """

    recipe: str
    method: str
    rival: str
    cost: Literal["weights", "operations"] | None = None


@dataclass(frozen=True)
class Claim:
    """A claim that one method reaches a higher accuracy than another, or loses nothing against it.

    Attributes
    ----------
    id : str
        Dotted name, group first.
    source : Citation
        Paper and part of it; no number of a table unless it is known.
    statement : str
        In one line.
    relation : {"better", "not worse"}
        What is claimed of the difference in accuracy; `judge` says what decides.
    published : str
        On which networks and data, and the numbers where they are known.
    pairs : tuple of Pair
        Comparisons that test the claim, each by itself.
    unmeasured : str
        Why there is no measurement, for as long as none of them is stored.
    most : float
        The claim is about networks that keep this share of the weights or less.
    """

    id: str
    source: Citation
    statement: str
    relation: Literal["better", "not worse"]
    published: str
    pairs: tuple[Pair, ...]
    unmeasured: str
    most: float = 0.2
