"""The path of vanishing initialisation: from saddle to saddle to the least L1 norm, exactly."""

import time as clock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.problems.losses import Squared
from linreg_mirror.solvers.certificates import l1_certificate, l1_unique, outcome, with_error
from linreg_mirror.solvers.error_bars import SEVERAL, UNDECIDED, VertexBar, loosened_bar, proving_rows
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.results import Stats
from linreg_mirror.solvers.saddles.path import SaddlePath, end_of, last_of
from linreg_mirror.solvers.saddles.screening import Screening
from linreg_mirror.solvers.saddles.signed_fit import SignedFit

_PROVED = 1e-9  # relative error of the end with which one rests content
_TIE = 1e-14  # of the time: coordinates that arrive within it arrive at once


@cites("pesme2023saddle")
@takes_problem("saddles(problem)")
@one_thread()
@np.errstate(all="ignore")  # what overflows fails the certificate
def saddles(problem: Problem, weights: Any = None) -> SaddlePath:
    """Return the limit of the flow of x = m*w as its initial scale b -> 0, time divided by log(1/b)/2.

    While x rests at a saddle, X'sigma moves along X'(y - Xx), sigma being the integral of y - Xx. Where an entry of it
    reaches a threshold, x jumps to the least-squares fit on all coordinates at their thresholds, each with the sign of
    its threshold; some may return to zero. The last point has the least weighted L1 norm of all interpolators.

    Parameters
    ----------
    problem : Problem
        X is (n, d); the loss must be the squared one. Where Xx = y has no solution, y is in effect replaced by its
        projection onto the range of X, and the status is `inconsistent`.
    weights : array_like, shape (d,), or a tuple (t_plus, t_minus) of two, optional
        Thresholds, positive; default 1. They stand for unequal initial sizes: u = (m+w)/sqrt 2 starts at
        |u0_i|^2 = b^t_plus_i, v = (m-w)/sqrt 2 at |v0_i|^2 = b^t_minus_i. The end has the least
        sum t_plus x^+ + t_minus x^-. `solvers.saddles.thresholds` has those of products of three factors and more.

    Returns
    -------
    SaddlePath
        Jump times, saddles and duals, and a certificate of the end.

    Raises
    ------
    ValueError
        If the loss is not the squared one, or weights are not positive or have the wrong shape.

    Notes
    -----
    Pesme and Flammarion (arXiv 2304.00488), Algorithm 1. A QR factorisation of the active columns is updated, and each
    jump costs about one product with X', or with a part of it: of a large X, columns too far from their thresholds to
    arrive soon are left out. Duals are as large as the condition number of X, which rounding grows with: beyond about
    1e7 the certificate may fail, and the status says so.

    The limit is unique where no two coordinates arrive at once and active columns are independent. Of several that
    arrive at once the one of largest |X_i'(y - Xx)| enters first, of equal ones the first: of equal (or opposite)
    columns the others stay zero, while the flow would share the weight among them in proportion to the prefactors of
    their initial sizes. Columns that depend on active ones never enter. Xx, sigma and the L1 norm of the end do not
    depend on any of these choices.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> path = lm.saddles(lm.Problem([[1, 0, 1], [0, 1, 1]], [1, 3]))
    >>> path.times.round(6).tolist()
    [0.25, 0.5]
    >>> path.points.round(6).tolist()
    [[0.0, 0.0, 2.0], [0.0, 2.0, 1.0]]
    """
    started = clock.perf_counter()
    if not isinstance(problem.loss, Squared):
        raise ValueError(
            f"the path from saddle to saddle is known for the squared loss only, got {problem.loss!r}: write "
            "saddles(Problem(problem.X, problem.y)), or flow(problem, network) at a small scale"
        )
    matrices.require_entries(problem.X, "saddles", "limit(problem, Hadamard.from_scale(1e-6, d=problem.d))")
    thresholds = _thresholds(weights, problem.d)
    unit = float(np.abs(problem.y).max()) or 1.0
    fit = SignedFit(problem.X, problem.y / unit)
    jumps, products = _jumps(fit, *thresholds)
    dual = [jump.dual for jump in jumps]
    interpolates = not fit.residual.any()
    if not interpolates and problem.rank < problem.n:
        # y is out of the range of X: sigma would grow across it without bound, and drown the rest in rounding.
        reduced, lift = problem.reduced()
        jumps, more = _jumps(SignedFit(reduced.X, reduced.y / unit), *thresholds)
        dual, products = [lift(jump.dual) for jump in jumps], products + more
    active, values = tuple(jump.active for jump in jumps), tuple(unit * jump.values for jump in jumps)
    sigma = np.array(dual).reshape(-1, problem.n)
    end, bar = end_of(problem.d, active, values), _bar(problem, active, sigma, thresholds)
    end_dual, rest, error = last_of(sigma), None, np.inf if active or problem.y.any() else 0.0
    notes = (bar,) if isinstance(bar, str) and bar else ()
    if not isinstance(bar, str) and bar.error <= _PROVED * float(np.abs(bar.x).sum()):
        end, error = bar.x, bar.error
        values = (*values[:-1], end[active[-1]])
        end_dual, rest = bar.s
    elif not isinstance(bar, str) and weights is None:
        # The dual of the path proves nothing: how far is its end from that of another way, which does?
        least = minimum_l1(problem)
        error = float(np.abs(end - least.x).sum()) + least.error
    certificate = l1_certificate(problem, end, end_dual, thresholds, rest)
    if error == np.inf and not notes:
        several = l1_unique(problem, end, end_dual, thresholds) is False
        notes = (SEVERAL if several else UNDECIDED,)
    certificate = with_error(certificate, error, end, _PROVED)
    return SaddlePath(
        times=np.array([jump.time / unit for jump in jumps]),
        active=active,
        values=values,
        dual=sigma,
        status=outcome(certificate, problem, end, error),
        stats=Stats(
            method="saddle to saddle, with an updated QR factorisation",
            steps=len(jumps),
            evaluations=products,
            notes=notes,
            seconds=clock.perf_counter() - started,
            cites=cited(saddles),
        ),
        certificate=certificate,
        problem=problem,
        thresholds=thresholds,
        error=error,
        end_dual=end_dual,
        dual_rest=rest,
    )


def _bar(
    problem: Problem, active: tuple[NDArray[np.intp], ...], sigma: Array, thresholds: tuple[Array, Array]
) -> VertexBar | str:
    """Return the end with its last digits and its bar, or why there is none."""
    rows = proving_rows(problem)
    if isinstance(rows, str) or not active:
        return rows if isinstance(rows, str) else ""
    # Columns that have left the support are at their thresholds still.
    found = loosened_bar(rows, active[-1], rows.scaled(Pair.of(sigma[-1])), thresholds)
    return found._replace(s=rows.unscaled(found.s))


class _Jump(NamedTuple):
    time: float
    active: NDArray[np.intp]
    values: Array
    dual: Array


def _jumps(fit: SignedFit, t_plus: Array, t_minus: Array) -> tuple[list[_Jump], int]:
    """Follow the path to its end; return the jumps, and how many products with X' they took."""
    time, near = 0.0, Screening(fit, t_plus, t_minus)
    waiting: dict[int, float] = {}  # coordinates at a threshold that are zero, with the sign of the threshold
    jumps: list[_Jump] = []
    while True:
        slopes = near.slopes()
        pushed = dict(zip(waiting, slopes[near.places(list(waiting))], strict=True))
        outward = {i: sign * pushed[i] for i, sign in waiting.items() if sign * pushed[i] > 0}
        if not outward:
            waiting = {i: sign for i, sign in waiting.items() if pushed[i] == 0}
            step, arrived = _next_arrival(time, near.s, slopes, near.t_plus, near.t_minus)
            if not arrived.size and not near.widen():
                return jumps, near.products
            coordinates, moved = near.which[arrived].tolist(), slopes[arrived]
            if not arrived.size or not near.advance(step, slopes, arrived):
                continue
            time += step
            waiting |= zip(coordinates, np.sign(moved).tolist(), strict=True)
            outward = dict(zip(coordinates, np.abs(moved).tolist(), strict=True))
        steepest = max(outward.values())
        first = min(i for i, slope in outward.items() if slope > (1 - 1e-9) * steepest)
        waiting |= fit.enter(first, waiting.pop(first))
        if jumps and jumps[-1].time == time:  # several arrived at once: one jump
            jumps.pop()
        jumps.append(_Jump(time, *fit.support(), near.sigma))


def _next_arrival(
    time: float, s: Array, slopes: Array, t_plus: Array, t_minus: Array
) -> tuple[float, NDArray[np.intp]]:
    """Return how long s + step * slopes stays within its thresholds, and who reaches them then."""
    goals = np.where(slopes > 0, t_plus, -t_minus)
    steps = np.divide(goals - s, slopes, out=np.full(len(s), np.inf), where=slopes != 0)
    step = max(float(steps.min()), 0.0)
    if np.isinf(step):
        return step, np.arange(0)
    return step, np.flatnonzero(steps <= step + _TIE * (time + step))


def _thresholds(weights: Any, d: int) -> tuple[Array, Array]:
    if weights is None:
        return np.ones(d), np.ones(d)
    pair = weights if isinstance(weights, tuple) else (weights, weights)
    if len(pair) != 2:
        raise ValueError(
            f"weights must be one array or a pair of them, got a tuple of {len(pair)}: write (t_plus, t_minus)"
        )
    t_plus, t_minus = (as_real_array("weights", side) for side in pair)
    for side in (t_plus, t_minus):
        if side.shape != (d,):
            raise ValueError(
                f"weights must have shape ({d},), one threshold a feature, got {side.shape}: write "
                "weights=np.full(problem.d, t), or a tuple (t_plus, t_minus)"
            )
        if not (side > 0).all():
            raise ValueError(
                f"weights must be positive, got {side.min():g}: a threshold of 0 would be reached before the start"
            )
    return t_plus, t_minus
