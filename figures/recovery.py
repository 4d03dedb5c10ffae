"""When does the end of training find a sparse truth, as samples, nonzeros, scale, depth and steps vary?

White: always, black: never, over random problems with d features, n samples, k nonzeros. Lines: where the minimum-L1
interpolator finds a tenth, half and nine tenths of them, by the theory of `transition`; points: half of this panel.
Expected: from x0 = 0 recovery needs a small scale b, and as b -> 0 fills all that L1 can do; depth needs less of it.
Steps of nine tenths of what is stable end near the flow of their scale if 20,000 suffice, which they do not with many
nonzeros. From a random start with b = 1/2 a decaying penalty does the same as a small scale, through its integral A
alone, which makes the scale exp(-4A)/2: Theorem 2.3 of Mask in the Mirror (arXiv 2408.09966). Below: what L1 finds is a
normal distribution function of n, and how wide transitions are.
"""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables
from figures.phases import fits, phases, standardised, widths
from figures.transition import volumes

_NEAR = 1e-2  # largest error of an entry, relative to the largest entry of the truth, that counts as recovery
_STEPS = 20_000
_L1 = "minimum $|x|_1$"
_PENALTY = lm.schedules.Geometric(1.0, 0.95)


def _scale(b: float) -> Callable:
    return lambda X, y, truth, rng: lm.limits(X, y, log_scale=np.log(b), tolerance=1e-6).x


def _decayed(X, y, truth, rng):
    starts = [lm.Hadamard.at(one, beta=1.0) for one in rng.standard_normal(truth.shape)]
    log_scale, tilt = (np.array([getattr(start, name) for start in starts]) for name in ("log_scale", "tilt"))
    return lm.limits(X, y, log_scale=log_scale, tilt=tilt, decay=_total(), tolerance=1e-6).x


def _deep(depth: int) -> Callable:
    def ends(X, y, truth, rng):
        start = lm.Power.from_scale(1e-8 ** (1 / depth), depth=depth, d=truth.shape[1])
        return np.array([lm.limit(lm.Problem(*one), start, tolerance=1e-6).x for one in zip(X, y, strict=True)])

    return ends


def _stepwise(X, y, truth, rng):
    """Steps of nine tenths of what is stable at the truth."""
    eta = [
        0.9 * lm.largest_stable_step(lm.Problem(A, b), lm.Hadamard.from_scale(1e-8, x0=at))
        for A, b, at in zip(X, y, truth, strict=True)
    ]
    start = np.full((len(y), 1), np.log(1e-8))
    return lm.descents(X, y, log_scale=start, step_size=np.array(eta), steps=_STEPS, tolerance=1e-6).x


_CASES: dict[str, Callable] = {
    "$b = 10^{-4}$": _scale(1e-4),
    "$b = 10^{-8}$": _scale(1e-8),
    "$b = 10^{-16}$": _scale(1e-16),
    _L1: lambda X, y, truth, rng: lm.minimum_l1s(X, y).x,
    "depth 3": _deep(3),
    "depth 4": _deep(4),
    "steps, $b = 10^{-8}$": _stepwise,
    "penalty $0.95^t$": _decayed,
}


def cells(quick: bool) -> tables.Table:
    d, spacing = (30, 5) if quick else (60, 3)
    sizes = range(spacing, d, spacing)
    # Fewer samples than nonzeros find nothing.
    return [
        {"case": case, "d": d, "n": n, "nonzeros": k, "trials": 3 if quick else 75}
        for case in _CASES for n in sizes for k in sizes if k < n
    ]  # fmt: skip


def compute(cell: tables.Row) -> tables.Row:
    n, d, k = cell["n"], cell["d"], cell["nonzeros"]
    # The same problems in every panel.
    made = [
        lm.problems.planted_sparse(n=n, d=d, nonzeros=k, rng=np.random.default_rng([n, d, k, trial]))
        for trial in range(cell["trials"])
    ]
    X, y, truth = (np.array([getattr(problem, name) for problem in made]) for name in ("X", "y", "truth"))
    x = _CASES[cell["case"]](X, y, truth, np.random.default_rng([n, d, k]))
    return {"recovered": np.mean(np.abs(x - truth).max(axis=1) <= _NEAR * np.abs(truth).max(axis=1))}


def _total():
    """Return A, the integral of the penalty."""
    return _PENALTY.integral(0.0, np.inf)


def draw(table: tables.Table) -> Figure:
    figure = Figure(figsize=(style.WIDTH, 6.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.8, 1))
    axes = above.subplots(2, 4, sharex=True, sharey=True)
    for axis, case in zip(axes.flat, _CASES, strict=True):
        image = phases(axis, tables.select(table, case=case))
        axis.set_title(case)
    for axis in axes[:, 0]:
        axis.set_ylabel("$k/d$")
    for axis in axes[1]:
        axis.set_xlabel("$n/d$")
    above.colorbar(image, ax=axes, label="share recovered", shrink=0.6, pad=0.01)
    left, right = below.subplots(1, 2)
    standardised(left, tables.select(table, case=_L1))
    left.set_title(f"{_L1}, each $k$ and $n$")
    widths(right, {case: tables.select(table, case=case) for case in _CASES})
    return figure


def caption(table: tables.Table) -> str:
    row, found = table[0], []
    d = row["d"]
    for case in _CASES:
        of_case = fits(tables.select(table, case=case))
        if of_case:
            theory = np.array([volumes(k, d) for k in of_case])
            measured = np.array(list(of_case.values()))
            later, wider = np.mean(measured[:, 0] - theory[:, 0]), np.mean(measured[:, 1] / theory[:, 1])
            found.append(f"{case.replace('$', '')}: {later:+.1f} samples, {wider:.2f} times as wide")
    return (
        f"Share of {row['trials']} random problems a cell, {row['trials'] * len(table):,} in all, with d = {d}, whose "
        f"planted truth is recovered to {_NEAR:g} of its largest entry. Lines: theory of the minimum-L1 interpolator "
        "for d -> infinity, a tenth, half and nine tenths; points: half, by a fit. Beside the intrinsic volumes of its "
        f"descent cones at this d, in the mean over k: {'; '.join(found)}."
    )
