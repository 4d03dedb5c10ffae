"""The report's pictures: each takes numbers and returns an SVG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from linreg_mirror import plots, problems, schedules
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.plots.style import RC, REFERENCE, line
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import ladder, minimum_l1
from linreg_mirror.verification._check import Finding

_STYLE: Any = RC | {"svg.hashsalt": "linreg-mirror"}
_SIZE = (7.0, 2.6)  # inches; the page makes it wider


class _Picture(NamedTuple):
    svg: bytes
    digits: str  # how many of what is shown are proved


def draw_all(findings: Sequence[Finding]) -> dict[str, bytes]:
    """Return caption and SVG of every picture of the report."""
    problem = problems.planted_sparse(n=20, d=60, nonzeros=4, rng=np.random.default_rng(0))
    regimes, penalties = _regimes(problem), _penalties(problem)
    pictures = {
        "Kernel to rich: the limit of the flow from x = 0, solved for at each scale b. It leaves the minimum-L2 "
        "interpolator and approaches the minimum-L1 one, slowly, as b falls: norms above the least ones, and weights. "
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
    network, scales = Hadamard.at(0.0, d=problem.d), np.logspace(4, -12, 65)
    found = ladder(problem, network, scales)
    digits = (
        f"Digits of x that are proved, in the L1 norm: of the limits {min(one.digits for one in found):.1f} or "
        f"more, of the minimum-L1 interpolator {found.least_l1.digits:.1f}, of the minimum-L2 one "
        f"{found.least_l2.digits:.1f}."
    )
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        left, right = figure.subplots(1, 2)
        plots.excess(found, ax=left)
        plots.ladder(problem, network, scales, ax=right)
        return _Picture(_svg(figure), digits)


def _penalties(problem: Problem) -> _Picture:
    network = Hadamard.at(0.7 * np.random.default_rng(1).standard_normal(problem.d))
    rate = 0.02 * problem.gradient_scale
    cases = {
        "none": None,
        "constant": 0.3 * rate,
        "geometric": schedules.Geometric(rate, float(np.exp(-rate / 2))),
        "switched off": schedules.SwitchedOff(schedules.Constant(rate), at=2 / rate),
    }
    least, proved = float(np.abs(minimum_l1(problem, "highs").x).sum()), []
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        left, right = figure.subplots(1, 2)
        for k, (name, schedule) in enumerate(cases.items()):
            run = flow(problem, network, schedule)
            proved.append(f"{name} {run.limit_digits:.1f}" if np.isfinite(run.to_limit) else f"{name} not bounded")
            t = np.maximum(run.t, 1e-3)
            left.loglog(t, _errors(problem, run.x), label=name, **line(k))
            right.semilogx(t, np.abs(run.x).sum(axis=1) / least, label=name, **line(k))
        left.set(xlabel="time", ylabel="|Xx - y| / |y|", xlim=(1e-2, 1e3), ylim=(1e-9, 10))
        right.set(xlabel="time", ylabel="L1 norm / least L1 norm", xlim=(1e-2, 1e3))
        right.axhline(1, **REFERENCE)
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
        figure = Figure(figsize=(_SIZE[0], 0.7 + 0.35 * len(residuals)), layout="constrained")
        axes = figure.subplots()
        for row, values in enumerate(residuals.values()):
            jitter = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            axes.semilogx(np.maximum(values, 1e-17), row + jitter, "o", ms=3, color="0.1", alpha=0.5)
        axes.set_yticks(range(len(residuals)), residuals)
        axes.set(xlabel="relative residual of d grad R = -grad f dt", ylim=(len(residuals) - 0.5, -0.5))
        return _svg(figure)
