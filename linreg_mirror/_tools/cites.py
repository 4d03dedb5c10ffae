"""How things say which papers they come from: by an attribute `cites`, keys of citations/references.bib."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def cites(*keys: str) -> Callable[[_Function], _Function]:
    """Decorate a function with what it cites; classes have an attribute of this name."""

    def decorated(function: _Function) -> _Function:
        vars(function)["cites"] = keys
        return function

    return decorated


def cited(thing: Any) -> tuple[str, ...]:
    """Return what a thing cites; of a partial, what its function does."""
    return getattr(thing.func if isinstance(thing, partial) else thing, "cites", ())
