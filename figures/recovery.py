"""When does the end of training find a sparse truth, as n/d and k/n vary?

White: always, black: never, over random problems with d features, n samples, k nonzeros; line: above it the minimum-L1
interpolator fails (d -> infinity). Expected: from x0 = 0 (top) recovery needs a small scale b, and as b -> 0 fills all
that L1 can do. From a random start with b = 1/2 (bottom) a decaying penalty does the same, and counts through its
integral A alone, which makes the scale exp(-4A)/2: the end is that of Theorem 2.3 of Mask in the Mirror
(arXiv 2408.09966), solved for instead of simulated.
Transition: Donoho and Tanner (2009); as the statistical dimension of a descent cone, Amelunxen et al. (2014), sec. 4.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import linreg_mirror as lm
from figures import style, tables

_NEAR = 1e-3  # largest error of an entry, relative to the largest entry of the truth, that counts as recovery
_SCALES = {"$b = 10^{-4}$": 1e-4, "$b = 10^{-8}$": 1e-8, "$b = 10^{-32}$": 1e-32}
_PENALTIES = {
    "$2/(1+t)^2$": lm.schedules.Quadratic(2.0),
    "$1$ until $t = 5$": lm.schedules.SwitchedOff(1.0, at=5.0),
    "$0.95^t$": lm.schedules.Geometric(1.0, 0.95),
}


def cells(quick: bool) -> tables.Table:
    shares = np.linspace(0.05, 0.95, 3 if quick else 19).round(2).tolist()
    return tables.product(
        case=[*_SCALES, *_PENALTIES],
        d=[30 if quick else 100],
        share_of_samples=shares,
        shares_of_nonzeros=[shares],
        trials=[2 if quick else 10],
    )


def compute(cell: tables.Row) -> tables.Row:
    d = cell["d"]
    n = round(cell["share_of_samples"] * d)
    recovered = []
    for share in cell["shares_of_nonzeros"]:
        k = max(1, round(share * n))
        recovered.append(np.mean([_recovers(cell["case"], n, d, k, trial) for trial in range(cell["trials"])]))
    return {"recovered": recovered}


def _recovers(case, n, d, k, trial):
    rng = np.random.default_rng([n, d, k, trial])  # the same problems in every panel
    problem = lm.problems.planted_sparse(n=n, d=d, nonzeros=k, rng=rng)
    if case in _SCALES:
        end = lm.limit(problem, lm.Hadamard.from_scale(_SCALES[case], d=d))
    else:
        start = lm.Hadamard.at(rng.standard_normal(d), beta=1.0)
        end = lm.limit(problem, start, decay=_total(case))
    return np.abs(end.x - problem.truth).max() <= _NEAR * np.abs(problem.truth).max()


def _total(case):
    """Return A, the integral of the penalty."""
    return _PENALTIES[case].integral(0.0, np.inf)


def transition(share):
    """Return n/d from which on minimum-L1 finds a truth with this k/d: the infimum over tau of a cone's width."""

    def width(tau):
        tail = (1 + tau**2) * norm.sf(tau) - tau * norm.pdf(tau)  # half the mean square of (|u| - tau)+
        return share * (1 + tau**2) + (1 - share) * 2 * tail

    return minimize_scalar(width, bounds=(0, 40), method="bounded", options={"xatol": 1e-10}).fun


def draw(table: tables.Table) -> Figure:
    figure, axes = style.panels(4.4, rows=2, columns=3, sharex=True, sharey=True)
    share = np.concatenate([np.geomspace(1e-5, 0.1, 100), np.linspace(0.1, 0.99, 100)])
    needed = np.array([transition(s) for s in share])
    for axis, case in zip(axes.flat, (*_SCALES, *_PENALTIES), strict=True):
        rows = tables.select(table, case=case)
        image = axis.pcolormesh(
            [row["share_of_samples"] for row in rows], rows[0]["shares_of_nonzeros"],
            np.transpose([row["recovered"] for row in rows]), cmap="gray", vmin=0, vmax=1, shading="nearest",
        )  # fmt: skip
        limits = axis.get_xlim(), axis.get_ylim()
        # Seen on black and on white.
        axis.plot(needed, share / needed, color="white", lw=2.6)
        axis.plot(needed, share / needed, color=style.COLOURS[2])
        axis.set(xlim=limits[0], ylim=limits[1], xticks=(0.2, 0.4, 0.6, 0.8), yticks=(0.2, 0.4, 0.6, 0.8))
        axis.set_title(f"{case}, $A = {_total(case):.3g}$" if case in _PENALTIES else case)
    for axis in axes[:, 0]:
        axis.set_ylabel("nonzeros / samples, $k/n$")
    for axis in axes[-1]:
        axis.set_xlabel("samples / features, $n/d$")
    figure.colorbar(image, ax=axes, label="share recovered", shrink=0.6, pad=0.02)
    return figure


def caption(table: tables.Table) -> str:
    row = table[0]
    shares = ", ".join(
        f"{case.replace('$', '')}: {np.mean([r['recovered'] for r in tables.select(table, case=case)]):.2f}"
        for case in (*_SCALES, *_PENALTIES)
    )
    return (
        f"Share of {row['trials']} random problems with d = {row['d']} whose planted truth is recovered to "
        f"{_NEAR:g} of its largest entry. Top: start at 0. Bottom: random start with b = 1/2, penalty with integral A. "
        f"Line: transition of the minimum-L1 interpolator for d -> infinity. Recovered on average: {shares}."
    )
