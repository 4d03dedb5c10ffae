"""The report's pictures: each takes numbers and returns an SVG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from linreg_mirror import problems, schedules
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.solvers.limit import limit, minimum_l1
from linreg_mirror.verification._check import Finding

_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.hashsalt": "linreg-mirror",
    "legend.frameon": False,
}


class _Picture(NamedTuple):
    svg: bytes
    digits: str  # how many of what is shown are proved


def draw_all(findings: Sequence[Finding]) -> dict[str, bytes]:
    """Return caption and SVG of every picture of the report."""
    problem = problems.planted_sparse(n=20, d=60, nonzeros=4, rng=np.random.default_rng(0))
    regimes, penalties = _regimes(problem), _penalties(problem)
    pictures = {
        "Kernel to rich: the limit of the flow from x = 0, solved for at each scale b. It leaves the minimum-L2 "
        "interpolator and approaches the minimum-L1 one (HiGHS), slowly, as b falls. "
        f"{regimes.digits}": regimes.svg,
        "A decaying penalty moves the flow from a biased start to a sparse solution with zero training error; a "
        "constant one leaves an error, none stays at the norm that the start dictates. "
        f"{penalties.digits}": penalties.svg,
    }
    printed = _residuals(findings)
    if printed:
        pictures[
            "Printed and corrected mirror flow: residual of d grad R = -grad f dt on every instance. The printed scale "
            "2 u0 v0 exp(-2A) is wrong in both readings; the corrected ones hold to integration error."
        ] = _printed(printed)
    return pictures


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _regimes(problem: Problem) -> _Picture:
    sparse, small = minimum_l1(problem, "highs"), minimum_l2(problem)
    scales = np.logspace(4, -12, 65)
    limits = [limit(problem, Hadamard.from_scale(b, d=problem.d)) for b in scales]
    l1, l2, ends = sparse.x, small.x, np.stack([found.x for found in limits])
    digits = (
        f"Digits of x that are proved, in the L1 norm: of the limits {min(found.digits for found in limits):.1f} or "
        f"more, of the minimum-L1 interpolator {sparse.digits:.1f}, of the minimum-L2 one {small.digits:.1f}."
    )
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, norm, style in (
            ("L1", lambda x: np.abs(x).sum(-1), "-"),
            ("L2", lambda x: (x**2).sum(-1) ** 0.5, "--"),
        ):
            best = l1 if name == "L1" else l2
            left.loglog(scales, norm(ends) / norm(best) - 1, style, color="0.1" if name == "L1" else "tab:blue",
                        label=f"{name} norm above its minimum")  # fmt: skip
        left.set(xlabel="scale b", ylabel="relative excess", ylim=(1e-10, None))
        left.invert_xaxis()
        left.legend(loc="lower center")
        right.semilogx(scales, ends[:, np.argsort(-np.abs(l1))[:8]], color="0.1", lw=1.2)
        rest = np.argsort(-np.abs(l1))[8:]
        right.semilogx(scales, ends[:, rest], color="tab:blue", lw=0.5, alpha=0.5)
        right.set(xlabel="scale b", ylabel="weights (blue: all but 8)")
        right.invert_xaxis()
        return _Picture(_svg(figure), digits)


def _penalties(problem: Problem) -> _Picture:
    network = Hadamard.at(0.7 * np.random.default_rng(1).standard_normal(problem.d))
    rate = 0.02 * problem.gradient_scale
    cases = {
        "none": (None, "-", "tab:blue"),
        "constant": (0.3 * rate, "--", "tab:red"),
        "geometric": (schedules.Geometric(rate, float(np.exp(-rate / 2))), "-", "0.1"),
        "switched off": (schedules.SwitchedOff(schedules.Constant(rate), at=2 / rate), ":", "0.1"),
    }
    least, proved = float(np.abs(minimum_l1(problem, "highs").x).sum()), []
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, (schedule, style, colour) in cases.items():
            run = flow(problem, network, schedule)
            proved.append(f"{name} {run.limit_digits:.1f}" if np.isfinite(run.to_limit) else f"{name} not bounded")
            t = np.maximum(run.t, 1e-3)
            left.loglog(t, _errors(problem, run.x), style, color=colour, label=name)
            right.semilogx(t, np.abs(run.x).sum(axis=1) / least, style, color=colour, label=name)
        left.set(xlabel="time", ylabel="|Xx - y| / |y|", xlim=(1e-2, 1e3), ylim=(1e-9, 10))
        right.set(xlabel="time", ylabel="L1 norm / least L1 norm", xlim=(1e-2, 1e3))
        right.axhline(1, color="0.6", lw=0.8, zorder=0)
        right.legend(title="penalty")
        digits = f"Digits that the ends are proved to share with their limits, by penalty: {', '.join(proved)}."
        return _Picture(_svg(figure), digits)


def _errors(problem: Problem, x: Array) -> Array:
    return np.linalg.norm(x @ problem.X.T - problem.y, axis=1) / np.linalg.norm(problem.y)


def _residuals(findings: Sequence[Finding]) -> Mapping[str, Array]:
    """Residuals of the mirror-flow identity by reading, from the evidence itself: tolerance minus margin."""
    from linreg_mirror.theorems.flows.mirror import TOLERANCE

    return {
        finding.theorem.id: np.array([TOLERANCE - r.evidence.margin for r in finding.records if r.evidence is not None])
        for finding in findings
        if finding.theorem.id.startswith("mirror.flow") and finding.records
    }


def _printed(residuals: Mapping[str, Any]) -> bytes:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 0.9 + 0.45 * len(residuals)), layout="constrained")
        axes = figure.subplots()
        for row, values in enumerate(residuals.values()):
            jitter = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            axes.semilogx(np.maximum(values, 1e-17), row + jitter, "o", ms=3, color="0.1", alpha=0.5)
        axes.set_yticks(range(len(residuals)), residuals)
        axes.set(xlabel="relative residual of d grad R = -grad f dt", ylim=(len(residuals) - 0.5, -0.5))
        return _svg(figure)
