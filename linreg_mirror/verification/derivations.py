"""Theorems proved by computer algebra, with controls that must not be."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from linreg_mirror.ledger.algebra import ALGEBRA, Remainder, remainder
from linreg_mirror.verification._check import select


@dataclass(frozen=True)
class Derived:
    """What algebra says about a theorem.

    Attributes
    ----------
    theorem : str
        Its id.
    left : Remainder
        What its derivation leaves.
    control : Remainder
        What the wrong constants of its control leave.
    """

    theorem: str
    left: Remainder
    control: Remainder

    @property
    def as_expected(self) -> bool:
        """Whether nothing is left of the theorem, and something of the control."""
        return self.left.vanishes is True and self.control.vanishes is False


def derive(theorems: Sequence[str] = ()) -> list[Derived]:
    """Derive theorems from their definitions, for symbols in the place of numbers.

    Parameters
    ----------
    theorems : sequence of str
        Ids or beginnings of ids; default: all that have a derivation.

    Returns
    -------
    list of Derived
        In the order of the ledger.

    Raises
    ------
    ValueError
        If a name is unknown, or no theorem of that name is proved by algebra.
    ModuleNotFoundError
        If SymPy is missing.
    """
    chosen = [theorem.id for theorem in select(theorems) if theorem.id in ALGEBRA]
    if not chosen:
        raise ValueError(
            f"{', '.join(theorems)}: no proof by algebra; `linreg-mirror theorems {theorems[0]} --json` says which kind"
        )
    sympy = _sympy()
    return [_derived(sympy, id) for id in chosen]


def _derived(sympy: ModuleType, id: str) -> Derived:
    entry = ALGEBRA[id]
    right, wrong = entry.derive(sympy), entry.derive(sympy, **entry.wrong)
    return Derived(id, remainder(sympy, right), remainder(sympy, wrong))


def _sympy() -> ModuleType:
    try:
        import sympy
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("proofs by algebra need SymPy: pip install 'linreg-mirror[proof]'") from error
    return sympy
