"""Wrong formulas in the place of right ones, for a while."""

import inspect
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from unittest.mock import patch

from linreg_mirror.theorems import REGISTRY

CORE = ("mirror", "convergence", "spred", "signs", "decay", "regimes")


@dataclass(frozen=True)
class Mutant:
    """A wrong formula, how to put it in place for a while, and the theorems that are asked about it."""

    name: str
    applied: Callable[[], AbstractContextManager]
    theorems: tuple[str, ...]


def replaced(
    name: str,
    owner: object,
    attribute: str,
    wrong: Callable[[Callable], Callable],
    *theorems: str,
) -> Mutant:
    """`wrong` takes the right function and returns the one that takes its place; properties stay properties.

    Theorems are ids or beginnings of ids.
    """
    right = inspect.getattr_static(owner, attribute)
    mutated = property(wrong(right.fget)) if isinstance(right, property) else wrong(right)
    return Mutant(name, lambda: patch.object(owner, attribute, mutated), theorems or CORE)


def edited(name: str, owner: object, attribute: str, was: str, now: str, *theorems: str) -> Mutant:
    """As `replaced`, with a piece of the function's own text changed."""

    def wrong(right: Callable) -> Callable:
        source = textwrap.dedent(inspect.getsource(right))
        if source.count(was) != 1:
            raise ValueError(f"{attribute} must have {was!r} once, found it {source.count(was)} times")
        found: dict[str, Callable] = {}
        exec(source.replace(was, now), vars(sys.modules[right.__module__]), found)
        made = found[attribute]
        return made.fget if isinstance(made, property) else made  # as `replaced` hands over what a property computes

    return replaced(name, owner, attribute, wrong, *theorems)


def stated(name: str, theorem: str, **constants: object) -> Mutant:
    """A wrong constant in the statement itself, which must then be refuted by the evidence."""
    return Mutant(name, lambda: patch.dict(REGISTRY[theorem].constants, constants), (theorem,))


def changed(**fields: Callable) -> Callable[[Callable], Callable]:
    """Change fields of what the right function returns: each by a function of the whole."""
    return lambda right: (
        lambda *args, **options: replace(
            answer := right(*args, **options), **{name: field(answer) for name, field in fields.items()}
        )
    )


def scaled(factor: Callable) -> Callable[[Callable], Callable]:
    """Multiply what the right function returns by a function of its arguments."""
    return lambda right: lambda *args, **options: right(*args, **options) * factor(*args)
