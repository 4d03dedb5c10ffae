"""How functions say which papers they come from."""

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])


def cites(*keys: str) -> Callable[[_Function], _Function]:
    """Decorate a function with the BibTeX keys of its papers, as its attribute `cites`."""

    def decorated(function: _Function) -> _Function:
        vars(function)["cites"] = keys
        return function

    return decorated
