"""Bars of many problems at once, in float64, against answers in exact arithmetic: none is smaller than the error.

Each is given answers that are right but for rounding, and answers moved off: weights, dual vectors, bases, supports.
Problems have two samples and a few features, so that exact answers can be found by trying everything.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import bars, few_weights, pythagoras, supports, vertices
from linreg_mirror.solvers.batches.active_sets import support_of
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.theorems import _exact
from linreg_mirror.theorems.flows._shares import Shares

Indices = NDArray[np.intp]
_CUTS = (0.0, 1e-14, 1e-9, 1e-4, 1e-2, 0.1)  # relative errors of what bars are given
_CONTROL = Control("a quarter of the bars", "planted/plain/0", {"share": 0.25})


def _moved(rng: np.random.Generator, array: Array, cut: float) -> Array:
    """Return an array with relative errors of this size, of some rows far smaller."""
    rows = (len(array), *[1] * (array.ndim - 1))
    return array * (1 + cut * 10 ** rng.uniform(-3, 0, rows) * rng.uniform(-1, 1, array.shape))


def _stack(X: Array, y: Array, log_b: Array | float = 0.0, tilt: Array | float = 0.0) -> Stack:
    wide = (np.broadcast_to(one, X[:, 0].shape).astype(float) for one in (log_b, tilt))
    return Stack(X, y, Hyperbolic(*wide), np.zeros((len(y), 1)))


def _random(rng: np.random.Generator, B: int, n: int, d: int) -> tuple[Array, Array]:
    """Return X, whose rows are of sizes that differ by up to a thousand, and y."""
    rows = 10 ** rng.uniform(-3, 0, (B, n))
    return rows[:, :, None] * rng.standard_normal((B, n, d)), rows * rng.standard_normal((B, n))


# Limits


class _Limits(NamedTuple):
    """A stack, its limits, and their dual vectors with 106 bits."""

    of: Stack
    x: list[Any]
    s: Pair


def _limits(X: Array, y: Array, log_b: Array, tilt: Array) -> _Limits:
    answers = [_exact.hyperbolic_limit(*one) for one in zip(X, y, log_b, tilt, strict=True)]
    hi, lo = zip(*(_exact.pair(s) for _, s in answers), strict=True)
    return _Limits(_stack(X, y, log_b, tilt), [x for x, _ in answers], Pair(np.array(hi), np.array(lo)))


@theorem(
    "bars.batches.limits",
    source=Citation("ours", "generalised self-concordance"),
    statement="limits of many problems at once: |x_i - x*_i| and |x - x*|_1 never exceed their bars, for dual vectors "
    "near and far, x* in a hundred digits",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def limits(it: Instance, share: float) -> Evidence:
    """Compare where rounding is all that there is, where exponents change by much, and where a bar is attained.

    Proof. bars.self_concordance and its sum, of an H that is enclosed (bars.rounding.norms) and of residuals whose
    rounding is bounded (bars.rounding.products). Two opposite columns attain the bar of an entry: one has nearly all of
    the weight and falls by a share, and the other grows as fast as it can. A single column in its linear regime attains
    both.
    """
    rng, found = it.generator(), Shares()

    def judge(of: _Limits, s: Pair) -> None:
        with np.errstate(all="ignore"):
            bar = bars.bars(of.of, s)
        found.add(bar.x, bar.error, of.x, bar.entries)

    plain = _limits(*_random(rng, 4, 2, 4), rng.uniform(-6, 1, (4, 4)), 0.5 * rng.standard_normal((4, 4)))
    for cut in _CUTS:
        judge(plain, Pair(_moved(rng, plain.s.hi, cut), plain.s.lo))
    X, y = _random(rng, 16, 1, 2)
    long = _limits(X, y, rng.uniform(-4, 1, (16, 2)), rng.standard_normal((16, 2)))
    judge(long, exact(long.s.hi + rng.uniform(-1, 1, (16, 1)) / np.abs(X).max(axis=2)))
    shares = np.array([[0.1], [0.3], [0.45]])
    light = np.broadcast_to([30 + np.log(2), 10.0], (3, 2))  # weights of 1 and e^-20/2 at s = 0
    judge(_limits(np.tile([[[1.0, -1.0]]], (3, 1, 1)), 1 - shares, np.full((3, 2), -30.0), light), exact(0 * shares))
    one = np.ones((1, 1))
    judge(_limits(2 * one[None], 0.02 * one, 0 * one, 0 * one), exact(0 * one))
    return found.evidence(share)


@theorem(
    "bars.batches.interpolators",
    source=Citation("ours", "N4"),
    statement="interpolators of many problems at once, close to weights of dual vectors or few: |p - x*|_1 never "
    "exceeds its bar, also where p does not fit, x* in a hundred digits",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def interpolators(it: Instance, share: float) -> Evidence:
    """Compare at scales from 1 to e^-80, where weights off the support are below rounding.

    Proof. bars.interpolator, p being moved to Xp = y at the cost of |X^+ (y - Xp)|_1. Of few weights, off the support
    D(x, q) grows by log(2 tau/b) - |2 (z_0 - X's)| at least for each unit past tau.
    """
    rng, found = it.generator(), Shares()
    for log_b in (0.0, -20.0, -80.0):
        X = rng.standard_normal((2, 2, 4))
        y = X[:, :, 0] * rng.standard_normal((2, 1))
        of, x, s = _limits(X, y, np.full((2, 4), log_b), 0.5 * rng.standard_normal((2, 4)))
        with np.errstate(all="ignore"):
            for cut in _CUTS:
                point = bars.point_of(of, Pair(_moved(rng, s.hi, cut), s.lo))
                for rounds in (0, 4):
                    found.add(*pythagoras.interpolator(of, point, rounds), x)
            if log_b > -80:
                continue
            bases = vertices.bases_of(of, np.tile([0, 1], (2, 1)))
            p = vertices.weights_on(of, bases)
            for cut in (0.0, 1e-13, 1e-7):
                answers = few_weights.near(of, bases, Pair(_moved(rng, p.hi, cut), p.lo), 1e-12)
                found.add(answers.x, answers.error, x)
    return found.evidence(share)


# Least L1 norms


@theorem(
    "bars.batches.vertices",
    source=Citation("ours", "sharpness of minimum L1"),
    statement="weights on bases of many problems at once, right and wrong, with dual vectors right and wrong: "
    "|p - x*|_1 never exceeds its bar, x* the interpolator of least L1 norm, in fractions",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def of_vertices(it: Instance, share: float) -> Evidence:
    """Compare best bases and others, weights that fit and do not, and columns that are nearly as good or nearly equal.

    Proof. bars.sharpness, p being moved to Xp = y by eta, which costs (1 + K) |eta|_1 and twice |eta|_1 of the gap.
    """
    rng, found = it.generator(), Shares()
    X, y = _random(rng, 6, 2, 4)
    answers = [_exact.least_l1(*one) for one in zip(X, y, strict=True)]
    x = np.array([one.astype(float) for one in answers])
    order = np.argsort(-np.abs(x), axis=1, kind="stable")
    for basis in (order[:, :2], order[:, [0, 2]]):
        of, whole = _whole(X, y)
        with np.errstate(all="ignore"):
            right = vertices.vertices(of, whole, basis, np.zeros((6, 2)))
        found.add(right.x, right.error, answers)
        for cut in _CUTS:
            p, s = _moved(rng, _at(right.x, basis), cut), _moved(rng, right.s.hi, cut / 9)
            _judge_vertex(found, X, y, basis, p, s, answers)
    for by in (1e-12, 1e-6, 1e-2):
        # Of columns 1 and 1 + by the second is the better one, and a dual vector 1 - 2 by meets the first only nearly.
        pair, one = np.array([[[1.0, 1.0 + by]]]), np.ones((1, 1))
        _judge_vertex(found, pair, one, np.zeros((1, 1), int), one, one - 2 * by, [_exact.least_l1(pair[0], one[0])])
    for short in (1e-1, 1e-3, 1e-5):
        # Two columns are nearly parallel: what weights leave of y is little for the third one, and much for these.
        X, basis = np.array([[[1.0, 1 - short / 2, 0.0], [0.0, short, 1.0]]]), np.array([[0, 1]])
        y, p = np.array([[2 - short / 2, short]]), np.array([[1 - (1 - short / 2) * 1e-6, 1 + 1e-6]])
        _judge_vertex(found, X, y, basis, p, np.array([[1.0, 0.5]]), [_exact.least_l1(X[0], y[0])])
        # They are also cheaper than the third one, with which a weight on the first alone is nearly an interpolator.
        y, p, basis = np.array([[1.0, 1e-12]]), np.array([[1.0, 0.0]]), np.array([[0, 2]])
        _judge_vertex(found, X, y, basis, p, np.array([[1.0, 0.4]]), [_exact.least_l1(X[0], y[0])])
    return found.evidence(share)


def _whole(X: Array, y: Array) -> tuple[Stack, Factors]:
    of = _stack(X, y)
    return of, factors(of.hessian(np.ones_like(of.mirror.log_scale)), X.shape[2])


def _at(x: Array, basis: Indices) -> Array:
    return np.take_along_axis(x, basis, axis=1)


def _judge_vertex(found: Shares, X: Array, y: Array, basis: Indices, p: Array, s: Array, answers: list[Any]) -> None:
    of, whole = _whole(X, y)
    x = np.zeros(X[:, 0].shape)
    np.put_along_axis(x, basis, p, axis=1)
    with np.errstate(all="ignore"):
        error = vertices.errors(of, whole, vertices.bases_of(of, basis), exact(p), exact(s))
    found.add(x, error, answers)


# The LASSO


@theorem(
    "bars.batches.lasso",
    source=Citation("ours", "strong convexity on a support"),
    statement="LASSO solutions of many problems at once, on supports and with signs right and wrong: |x - x*|_1 never "
    "exceeds its bar, x* in fractions",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def of_lasso(it: Instance, share: float) -> Evidence:
    """Compare solutions, what is nearly one, and weights that are off by so much that a column or a sign is hidden.

    Proof. On a support S, with signs, the solution has X_S'(y - X_S x) = weight sign, so that x - x* = H^-1 times what
    that leaves, H = X_S'X_S. It is the solution of all columns if signs and slopes stay as they should within the bar.
    """
    rng, found, B = it.generator(), Shares(), 8
    X, y = _random(rng, B, 2, 4)
    weight = 10 ** rng.uniform(-3, 0, (B, 1)) * np.abs(np.einsum("bnd,bn->bd", X, y)).max(axis=1, keepdims=True)
    answers = [_exact.lasso(*one) for one in zip(X, y, weight[:, 0], strict=True)]
    right = np.array([one.astype(float) for one in answers])
    fewer, more, flipped = right.copy(), right.copy(), right.copy()
    rows, most, least = np.arange(B), np.abs(right).argmax(axis=1), np.abs(right).argmin(axis=1)
    fewer[rows, most], flipped[rows, most], more[rows, least] = 0.0, -right[rows, most], 1.0
    with np.errstate(all="ignore"):
        for x in (right, fewer, more, flipped, 0 * right):
            solved = supports.proved(_stack(X, y), weight, x)
            found.add(solved.x, solved.error, answers)
    for cut in _CUTS:
        for signs in (right, fewer):
            _judge_support(found, X, y, weight, np.sign(signs), lambda v, cut=cut: _moved(rng, v, cut), right, answers)
    # At x_1 = 2 the second slope is 1.0004, at 2.001 it is 0.9998; and x_1 = 0.1 has the sign that its solution lacks.
    for rows, targets, beside in (
        ([[1.0, 0.6], [0.0, 0.8]], [3.0, 0.5005], [2.001, 0.0]),
        ([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.0], [0.1, 0.0]),
    ):
        X, y, x = np.array([rows]), np.array([targets]), np.array([beside])
        answers = [_exact.lasso(X[0], y[0], 1.0)]
        _judge_support(found, X, y, np.ones((1, 1)), np.sign(x), lambda v: v, x, answers)
    return found.evidence(share)


def _judge_support(
    found: Shares,
    X: Array,
    y: Array,
    weight: Array,
    signs: Array,
    moved: Callable[[Array], Array],
    x: Array,
    answers: list[Any],
) -> None:
    of = _stack(X, y)
    with np.errstate(all="ignore"):
        on = support_of(of, signs, X.shape[1])
        v = on.kept * moved(_at(x, on.at))
        near = supports.near(of, weight, signs, on, factors(on.gram, X.shape[1]), exact(v))
    found.add(near.x, near.error, answers)
