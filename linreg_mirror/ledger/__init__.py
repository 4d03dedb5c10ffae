"""What a theorem is: a statement on instances, with hypotheses, evidence, a control that must fail, a source."""

from linreg_mirror.ledger._instance import FAMILIES, SETTINGS, SPECIAL, WHOLE_GRID, Instance, grid, instance, spread
from linreg_mirror.ledger.algebra import algebra
from linreg_mirror.ledger.evidence import Evidence, certified, identity, inequality, relative, slope
from linreg_mirror.ledger.ledger import REGISTRY, Control, Hypothesis, Theorem, Verdict, theorem
from linreg_mirror.ledger.papers import Citation

__all__ = [
    "FAMILIES",
    "REGISTRY",
    "SETTINGS",
    "SPECIAL",
    "WHOLE_GRID",
    "Citation",
    "Control",
    "Evidence",
    "Hypothesis",
    "Instance",
    "Theorem",
    "Verdict",
    "algebra",
    "certified",
    "grid",
    "identity",
    "inequality",
    "instance",
    "relative",
    "slope",
    "spread",
    "theorem",
]
