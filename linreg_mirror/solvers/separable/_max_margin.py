"""The separator of largest margin, by linear programming or non-negative least squares, with a certificate."""

import time as clock
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import is_number
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.problems.problem import require_problem
from linreg_mirror.solvers.results import Certificate, Check, Solution, Stats, Status

_GAP = 1e-9  # relative: what may be between the margin and its upper bound
_NORMS = (1, 2, np.inf)
_DUAL = {1: np.inf, 2: 2, np.inf: 1}
_UNBOUNDED = "no error bar: margins are certified, and how sharply they fall away from x is not computed"


@cites("huangfu2018parallelizing", "virtanen2020scipy")
def max_margin(problem: Problem, norm: float = 1) -> Solution:
    """Return the x of least norm with y_i <x_i, x> >= 1 for all samples: the separator of largest margin, 1/|x|.

    Parameters
    ----------
    problem : Problem
        X is (n, d); y holds labels, 1 and -1. The loss does not matter.
    norm : {1, 2, inf}
        In which the length of x is measured, and distances in the dual norm. Default: 1, to which the flow of x = m*w
        tends.

    Returns
    -------
    Solution
        x, with a least y_i <x_i, x> of 1; the dual vector a >= 0 with |sum a_i y_i x_i| <= 1 in the dual norm, which
        proves that no x has a margin above 1/sum a. The certificate has the relative gap between the two. No error of x
        is proved, so that the status is `unproved`.

    Raises
    ------
    ValueError
        If y holds anything but 1 and -1, no x separates the samples, or the norm is another one.

    Notes
    -----
    Norms 1 and inf by HiGHS; 2 by the non-negative least squares of Lawson and Hanson: where
    |sum a_i z_i|^2 + (1 - sum a)^2 is least, with z_i = y_i x_i, x is in proportion to sum a_i z_i.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    >>> for norm in (1, 2):
    ...     print(lm.max_margin(problem, norm).x.round(6).tolist())
    [1.0, 0.0]
    [0.8, -0.4]
    """
    started = clock.perf_counter()
    require_problem(problem, "max_margin(Problem(X, labels))")
    check_norm(norm)
    Z = signed_samples(problem, "max_margin")
    unit = float(np.abs(Z).max()) or 1.0
    x, a = _SOLVERS[norm](Z / unit)
    least = float((Z @ x).min())
    if not least > 0:
        raise ValueError(
            "no x has y_i <x_i, x> > 0 for all samples: they are not linearly separable, and there is no margin to "
            "maximise; write minimum_l1(problem) or lasso(problem, weight) for regression on the labels"
        )
    x, a = x / least, np.maximum(a, 0.0)
    a /= float(np.linalg.norm(Z.T @ a, _DUAL[norm])) or 1.0
    certificate = _certificate(Z, x, a, norm)
    return Solution(
        x=x,
        dual=a,
        log_scale=None,
        status=Status.unproved if certificate.valid else Status.not_certified,
        stats=Stats(
            method="Lawson and Hanson" if norm == 2 else "HiGHS",
            seconds=clock.perf_counter() - started,
            notes=(_UNBOUNDED,),
            cites=cited(max_margin),
        ),
        certificate=certificate,
    )


def check_norm(norm: float) -> None:
    """Raise ValueError unless it is 1, 2 or inf."""
    if not is_number(norm) or norm not in _NORMS:
        raise ValueError(f"norm must be 1, 2 or inf, got {norm!r}: write norm=1, or norm=np.inf")


def signed_samples(problem: Problem, asker: str) -> Array:
    """Return the rows y_i x_i, shape (n, d); raise ValueError unless y holds labels."""
    other = np.flatnonzero(np.abs(problem.y) != 1)
    if other.size:
        raise ValueError(
            f"{asker} takes labels, y = 1 or -1, got {problem.y[other[0]]:g} at index {other[0]}: write "
            "Problem(X, np.where(y > threshold, 1, -1))"
        )
    return problem.y[:, None] * matrices.dense(problem.X, asker, "Problem(X.toarray(), y)")


def _certificate(Z: Array, x: Array, a: Array, norm: float) -> Certificate:
    """Check that x is feasible, that a is, and that both have the same value."""
    length, bound = float(np.linalg.norm(x, norm)), float(a.sum())
    return Certificate(
        (
            Check("feasibility", max(1 - float((Z @ x).min()), 0.0), 1e-12),
            Check("dual feasibility", max(float(np.linalg.norm(Z.T @ a, _DUAL[norm])) - 1, -float(a.min())), 1e-12),
            Check("primal-dual gap", abs(length - bound) / length, _GAP),
        )
    )


def _least_l1(Z: Array) -> tuple[Array, Array]:
    d = Z.shape[1]
    answer = scipy.optimize.linprog(
        np.ones(2 * d), A_ub=-matrices.mirrored(Z), b_ub=-np.ones(len(Z)), method="highs-ds"
    )
    return _answered(answer, answer.x[:d] - answer.x[d:] if answer.status == 0 else None, Z)


def _least_max(Z: Array) -> tuple[Array, Array]:
    (n, d), eye = Z.shape, np.eye(Z.shape[1])
    above = np.block([[-Z, np.zeros((n, 1))], [eye, -np.ones((d, 1))], [-eye, -np.ones((d, 1))]])
    answer = scipy.optimize.linprog(
        np.append(np.zeros(d), 1.0), A_ub=above, b_ub=np.append(-np.ones(n), np.zeros(2 * d)),
        bounds=(None, None), method="highs-ds",
    )  # fmt: skip
    return _answered(answer, answer.x[:d] if answer.status == 0 else None, Z)


def _answered(answer: Any, x: Array | None, Z: Array) -> tuple[Array, Array]:
    if answer.status == 2:  # infeasible
        return np.zeros(Z.shape[1]), np.zeros(len(Z))
    if x is None:
        raise ArithmeticError(f"HiGHS gave up on the margin of these samples: {answer.message}")
    return x, -answer.ineqlin.marginals[: len(Z)]


def _least_l2(Z: Array) -> tuple[Array, Array]:
    a, _ = scipy.optimize.nnls(np.vstack([Z.T, np.ones(len(Z))]), np.append(np.zeros(Z.shape[1]), 1.0))
    x = Z.T @ a
    # Where 0 is a mean of the samples, all is fitted and what is left of x is rounding.
    return (x, a) if 1 - a.sum() > 1e-12 else (0 * x, a)


_SOLVERS: Mapping[float, Callable[[Array], tuple[Array, Array]]] = {1: _least_l1, 2: _least_l2, np.inf: _least_max}
