"""The ledger: what the papers claim, checked on instances, each claim with a control that must fail."""

from linreg_mirror.theorems import convergence, mirror, penalty, regimes
from linreg_mirror.theorems.instance import FAMILIES, SETTINGS, SPECIAL, Instance, grid, instance
from linreg_mirror.theorems.ledger import (
    REGISTRY,
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Theorem,
    Verdict,
    identity,
    inequality,
    relative,
    slope,
    theorem,
)

__all__ = [
    "FAMILIES",
    "REGISTRY",
    "SETTINGS",
    "SPECIAL",
    "Citation",
    "Control",
    "Evidence",
    "Hypothesis",
    "Instance",
    "Theorem",
    "Verdict",
    "convergence",
    "grid",
    "identity",
    "inequality",
    "instance",
    "mirror",
    "penalty",
    "regimes",
    "relative",
    "slope",
    "theorem",
]
