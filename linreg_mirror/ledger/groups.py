"""The groups of the ledger: the first part of an id, and what its theorems are about."""

from collections.abc import Mapping

GROUPS: Mapping[str, str] = {
    "mirror": "The flow of x = m*w and its potential",
    "convergence": "To where and how fast",
    "regimes": "From the kernel to the rich regime",
    "spred": "A constant penalty: LASSO",
    "signs": "Signs",
    "decay": "A penalty that decays",
    "steps": "Steps of finite size",
    "steepest": "Steepest flows of other norms",
    "saddles": "Vanishing initial scale",
    "depth": "Depth D",
    "margin": "Separable data: margins",
    "networks": "Products of matrices",
    "masks": "Masks as sketches",
    "gates": "L0 gates",
    "bars": "Error bars",
    "twins": "One thing computed in two ways",
}


def group_of(id: str) -> str:
    """Return the group of a theorem.

    Parameters
    ----------
    id : str
        Of a theorem, which need not be in the ledger.
    """
    return id.partition(".")[0]


def ordered(groups: Mapping[str, object]) -> list[str]:
    """Return the names of groups in the order of the ledger, those of one's own last.

    Parameters
    ----------
    groups : mapping
        With the names as its keys.
    """
    return [*(name for name in GROUPS if name in groups), *(name for name in groups if name not in GROUPS)]


def title_of(group: str) -> str:
    """Return what the theorems of a group are about; of a group of one's own its name.

    Parameters
    ----------
    group : str
        Its name.
    """
    return GROUPS.get(group, group)
