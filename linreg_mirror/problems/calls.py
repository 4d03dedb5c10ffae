"""Slips in calls of solvers: what was meant is said, where Python alone would name a type or a keyword."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from linreg_mirror.problems.problem import Problem

_Function = TypeVar("_Function", bound=Callable[..., Any])


def takes_problem(call: str, **meant: str) -> Callable[[_Function], _Function]:
    """Decorate a solver whose first argument is a problem.

    Parameters
    ----------
    call : str
        How it is called, such as "limit(problem, network)".
    **meant : str
        Keywords that it does not have, by what to write instead, as "tolerance=".

    Returns
    -------
    callable
        The decorator. Its solver raises TypeError, with what to write, for arrays in place of a problem, for a problem
        that is not the first argument, and for these keywords.
    """

    def decorated(function: _Function) -> _Function:
        @wraps(function)
        def called(*arguments: Any, **options: Any) -> Any:
            _check_keywords(function, options, meant)
            first = arguments[:1] or ([options["problem"]] if "problem" in options else [])
            if first and not isinstance(first[0], Problem):
                got = type(first[0]).__name__
                if any(isinstance(one, Problem) for one in arguments[1:]):
                    raise TypeError(f"the problem comes first, got {got}: write {call}")
                instead = call.replace("problem", "Problem(X, y)", 1)
                raise TypeError(f"the first argument must be a Problem, got {got}: write {instead}")
            return function(*arguments, **options)

        return called  # pyright: ignore[reportReturnType]

    return decorated


def takes_arrays(call: str, **meant: str) -> Callable[[_Function], _Function]:
    """Decorate a solver of many problems, whose first arguments are X and y.

    Parameters
    ----------
    call : str
        How it is called with the arrays of one problem, such as "lassos(problem.X, problem.y, weight)".
    **meant : str
        As for `takes_problem`.

    Returns
    -------
    callable
        The decorator. Its solver raises TypeError, with what to write, for a problem, and for these keywords.
    """

    def decorated(function: _Function) -> _Function:
        @wraps(function)
        def called(*arguments: Any, **options: Any) -> Any:
            _check_keywords(function, options, meant)
            if any(isinstance(one, Problem) for one in (*arguments, *options.values())):
                raise TypeError(f"{function.__name__} takes arrays, got a Problem: write {call}")
            return function(*arguments, **options)

        return called  # pyright: ignore[reportReturnType]

    return decorated


def _check_keywords(function: Callable[..., Any], options: dict[str, Any], meant: dict[str, str]) -> None:
    for name in options.keys() & meant.keys():
        raise TypeError(f"{function.__name__} has no argument {name}=: write {meant[name]}")
