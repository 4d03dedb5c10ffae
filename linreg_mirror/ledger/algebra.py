"""Proofs by computer algebra: a statement derived from its definitions for symbols, which stand for all numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Derivation:
    """A symbolic twin of a theorem.

    Attributes
    ----------
    derive : callable
        (sympy, **constants) -> what must vanish: an expression, a matrix, or a list of these. An entry of the list may
        be a pair (slack, sum), for 0 <= slack: the two must be equal, and no term of the sum negative by the
        assumptions on its symbols.
    wrong : mapping
        The constants of the control, under which something must remain.
    """

    derive: Callable[..., Any]
    wrong: Mapping[str, Any] = field(default_factory=dict)


_READABLE = 60  # operations: what is longer is not read, and takes its time to expand

ALGEBRA: dict[str, Derivation] = {}


def algebra(id: str, **wrong: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated function `(sympy, **constants)` as the symbolic twin of a theorem.

    Parameters
    ----------
    id : str
        The theorem.
    **wrong
        The constants of the control; the defaults of the function are right.

    Returns
    -------
    callable
        A decorator that leaves its function as it is.

    Raises
    ------
    ValueError
        If there is no wrong constant: a derivation that cannot fail shows nothing.
    """
    if not wrong:
        raise ValueError(f"algebra({id!r}) needs a wrong constant, under which the derivation must fail")

    def enter(derive: Callable[..., Any]) -> Callable[..., Any]:
        ALGEBRA[id] = Derivation(derive, wrong)
        return derive

    return enter


@dataclass(frozen=True)
class Remainder:
    """What a derivation leaves.

    Attributes
    ----------
    text : str
        "0", or the first expression that does not vanish.
    vanishes : bool or None
        None where SymPy cannot tell.
    """

    text: str
    vanishes: bool | None


def remainder(sympy: ModuleType, derived: Any) -> Remainder:
    """Return what is left of what should vanish.

    Parameters
    ----------
    sympy : module
        SymPy.
    derived : expression, matrix, pair, or list of these
        As a derivation returns it.
    """
    undecided = False
    for expression in _expressions(sympy, derived):
        if _differs(sympy, expression):
            return Remainder(str(_shorter(sympy, expression)), False)
        if _cancels(sympy, expression) or _cancels(sympy, rooted := _factored_roots(sympy, expression)):
            continue
        left = sympy.simplify(rooted)
        if left != 0:
            if _numbers(sympy, left).equals(0) is False:
                return Remainder(str(left), False)
            undecided = True
    return Remainder("undecided", None) if undecided else Remainder("0", True)


def _expressions(sympy: ModuleType, derived: Any) -> list[Any]:
    if isinstance(derived, tuple):
        slack, shown = derived
        negative = [term for term in sympy.Add.make_args(shown) if not term.is_nonnegative]
        # A term of unknown sign proves nothing: what is left is then that term.
        return [slack - shown, *negative]
    if isinstance(derived, list | sympy.MatrixBase):
        return [one for part in derived for one in _expressions(sympy, part)]
    return [sympy.sympify(derived)]


def _differs(sympy: ModuleType, expression: Any) -> bool:
    """Whether an expression is seen to differ from 0 where numbers are put in; no answer is no."""
    expression = _numbers(sympy, expression)
    # Ratios of primes, between 0.4 and 2.2, are no zeros by chance.
    symbols = sorted(expression.free_symbols, key=str)
    at = {
        one: sympy.Rational(sympy.prime(k + 4), 1 if one.is_integer else sympy.prime(k + 7 - 5 * (k % 2)))
        for k, one in enumerate(symbols)
    }
    value = sympy.N(expression.subs(at), 30)
    return bool(value.is_number and value.is_finite and abs(value) > 1e-12)


def _cancels(sympy: ModuleType, expression: Any) -> bool:
    numerator, _ = sympy.fraction(sympy.together(expression))
    return sympy.expand(numerator) == 0


def _shorter(sympy: ModuleType, expression: Any) -> Any:
    if expression.count_ops() > _READABLE:
        return expression
    return min((sympy.factor_terms(sympy.expand(expression)), expression), key=lambda one: one.count_ops())


def _factored_roots(sympy: ModuleType, expression: Any) -> Any:
    """Return the expression with what stands under roots factored, so that squares leave them."""
    return expression.replace(
        lambda one: one.is_Pow and one.exp.is_Rational and not one.exp.is_Integer,
        lambda one: sympy.factor(sympy.simplify(one.base)) ** one.exp,
    )


def _numbers(sympy: ModuleType, expression: Any) -> Any:
    """Return the expression with symbols in the place of functions, so that numbers can be put in."""
    unknown = [*expression.atoms(sympy.Derivative), *expression.atoms(sympy.core.function.AppliedUndef)]
    return expression.subs({one: sympy.Dummy(real=True) for one in unknown})
