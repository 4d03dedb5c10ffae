"""The ledger: what the papers claim, checked on instances, each claim with a control that must fail."""

from linreg_mirror.ledger import REGISTRY
from linreg_mirror.theorems import flows, gates, masks, matrices, twins

__all__ = ["REGISTRY", "flows", "gates", "masks", "matrices", "twins"]
