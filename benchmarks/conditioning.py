"""How many digits of x are right, and how many are proved, as the condition number of X grows?

Ours are `minimum_l1`, `limit`, `saddles`, `lasso`; the peers are HiGHS and Clarabel, and for limits SciPy's L-BFGS on
the dual. What is right is judged by Newton's method in ball arithmetic of 500 bits (python-flint), started from our
dual vector, and by exact vertices (`prove`). The number that must be zero is that of errors above their bars.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cvxpy import SolverError
from scipy.optimize import minimize

from benchmarks.harness import Answer, Array, OverBudget, Settings
from benchmarks.minimum_l1 import _clarabel, _highs
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.proofs import ProofError, prove
from linreg_mirror.solvers import Solution, Status
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.limit import limit, minimum_l1
from linreg_mirror.solvers.saddles import saddles

_BITS = 500
_WEIGHTS = (1e-1, 1e-5)
_LOG_SCALES = (0.0, -10.0, -100.0, -1e4)
_COLUMNS = (
    "minimum_l1, proved", "right", "HiGHS", "Clarabel", "limit at log b = -10, proved", "limit, right",
    "L-BFGS on its dual",
)  # fmt: skip
_TARGETS = ("planted", "dense", "random")


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    conditions = [1e2, 1e8] if settings.quick else [10.0**k for k in range(0, 13, 2)]
    digits = [line for c in conditions for line in _digits(c, settings, progress)]
    bars = _bars(20 if settings.quick else 1000, progress)
    fuzzed = _fuzzed(12 if settings.quick else 200, progress)
    return {
        "question": "Digits of x that are right and that are proved, against the condition number of X",
        "rows": [],
        "tables": {
            "Digits of x, 20 x 80, the least of three problems": digits,
            "Errors and bars of limits, condition 1 to 1e10": bars,
            "Certified of random problems, condition 1e2 to 1e12": fuzzed,
        },
        "notes": [
            f"right: -log10(|x - x*|_1 / |x*|_1), x* by Newton's method with {_BITS} bits, or an exact vertex",
            "targets: planted y = X x with few weights, dense y = X x, random y",
            "above the bar: problems whose true error exceeds what was proved",
        ],
    }


def problem(n: int, d: int, condition: float, targets: str, rng: np.random.Generator) -> Problem:
    """Return a problem whose singular values fall geometrically."""
    left, right = (np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((n, n), (d, n)))
    X = (left * np.geomspace(1, 1 / condition, n)) @ right.T
    if targets == "random":
        return Problem(X, rng.standard_normal(n))
    x = rng.standard_normal(d)
    if targets == "planted":
        x[rng.permutation(d)[max(1, n // 5) :]] = 0
    return Problem(X, X @ x)


def exact_limit(of: Problem, log_b: float | Array, solution: Solution, tilt: float | Array = 0.0) -> list[Any]:
    """Return the limit for the floats X, y, log b and tilt by Newton's method with 500 bits."""
    import flint

    flint.ctx.prec = _BITS
    ball = flint.arb
    n, d = of.n, of.d
    X = [[ball(float(v)) for v in row] for row in of.X]
    b, start = ([ball(float(v)) for v in np.broadcast_to(each, d)] for each in (log_b, tilt))
    b = [v.exp() for v in b]
    rest = np.zeros(n) if solution.dual_rest is None else solution.dual_rest
    s = [ball(float(hi)) + ball(float(lo)) for hi, lo in zip(solution.dual, rest, strict=True)]
    for _ in range(100):
        grown = [(start[j] - 2 * sum(X[i][j] * s[i] for i in range(n))).exp() for j in range(d)]
        x = [b[j] * (e - 1 / e) / 2 for j, e in enumerate(grown)]
        metric = [b[j] * (e + 1 / e) for j, e in enumerate(grown)]
        r = [ball(float(of.y[i])) - sum(X[i][j] * x[j] for j in range(d)) for i in range(n)]
        H = [[sum(X[i][j] * metric[j] * X[k][j] for j in range(d)) for k in range(n)] for i in range(n)]
        step = flint.arb_mat(H).solve(flint.arb_mat([[v] for v in r]))
        s = [(s[i] - step[i, 0]).mid() for i in range(n)]
        if max(abs(float(step[i, 0])) for i in range(n)) < 1e-60:
            return x
    raise ArithmeticError("Newton's method did not converge")


def _distance(x: Array, exact: list[Any]) -> float:
    """Return |x - x*|_1, with as many digits as x* has."""
    return float(sum(abs(v - float(u)) for u, v in zip(x, exact, strict=True)))


def _right(x: Array, exact: list[Any]) -> float:
    if not np.isfinite(x).all():
        return 0.0
    error = _distance(x, exact) / float(sum(abs(v) for v in exact))
    return float(-np.log10(max(error, 1e-17)))


def _digits(condition: float, settings: Settings, progress: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for targets in _TARGETS:
        progress(f"condition {condition:g}, {targets}")
        found: dict[str, list[float]] = {}
        for seed in range(1 if settings.quick else 3):
            of = problem(20, 80, condition, targets, np.random.default_rng(seed))
            ours, exact = minimum_l1(of), _exact_vertex(of)
            found.setdefault("minimum_l1, proved", []).append(ours.digits)
            if exact is not None:
                found.setdefault("right", []).append(_right(ours.x, exact))
                highs = _peer(lambda of=of: _highs(of.X, of.y, "highs-ds", settings.budget), of.d)
                clarabel = _peer(lambda of=of: _clarabel(of.X, of.y, settings.budget), of.d)
                found.setdefault("HiGHS", []).append(_right(highs, exact))
                found.setdefault("Clarabel", []).append(_right(clarabel, exact))
            at = limit(of, Hadamard.from_scale(log_b=-10.0, d=of.d))
            exact = exact_limit(of, -10.0, at)
            found.setdefault("limit at log b = -10, proved", []).append(at.digits)
            found.setdefault("limit, right", []).append(_right(at.x, exact))
            found.setdefault("L-BFGS on its dual", []).append(_right(_lbfgs(of, -10.0), exact))
        yield {"condition": condition, "y": targets, **{name: min(found.get(name, [np.nan])) for name in _COLUMNS}}


def _exact_vertex(of: Problem) -> list[Any] | None:
    try:
        proof = prove(of, minimum_l1(of))
    except ProofError:
        return None
    if proof.kind != "vertex":
        return None
    x = [0.0] * of.d
    for place, value in zip(proof.content["basis"], proof.content["x"], strict=True):
        x[place] = float(value)
    return x


def _peer(solve: Callable[[], Answer], d: int) -> Array:
    """Return a peer's answer; NaN where it gives none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that answers may be inaccurate is what is measured here
            return solve().x
    except (ArithmeticError, OverBudget, SolverError):
        return np.full(d, np.nan)


def _lbfgs(of: Problem, log_b: float) -> Array:
    mirror = Hadamard.from_scale(log_b=log_b, d=of.d).mirror()

    def value(s: Array) -> tuple[float, Array]:
        z = of.X.T @ s
        return float(mirror.conjugate(z, 0.0).sum() - of.y @ s), of.X @ mirror.primal(z, 0.0) - of.y

    found = minimize(
        value, np.zeros(of.n), jac=True, method="L-BFGS-B", options={"maxiter": 50_000, "ftol": 0, "gtol": 1e-14}
    )
    return mirror.primal(of.X.T @ found.x, 0.0)


def _bars(count: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    lines: dict[float, list[tuple[float, float]]] = {log_b: [] for log_b in _LOG_SCALES}
    rng = np.random.default_rng(0)
    for i in range(count):
        if i % 100 == 0:
            progress(f"bars: {i} of {count}")
        n = int(rng.integers(3, 9))
        of = problem(n, int(rng.integers(2, 5)) * n, 10 ** rng.uniform(0, 10), _TARGETS[i % 3], rng)
        log_b = _LOG_SCALES[(i // 3) % 4]
        at = limit(of, Hadamard.from_scale(log_b=log_b, d=of.d))
        if np.isfinite(at.error):
            lines[log_b].append((_distance(at.x, exact_limit(of, log_b, at)), at.error))
    table = []
    for log_b, pairs in lines.items():
        errors, bars = np.array(pairs).T
        shown = bars[errors > 0] / errors[errors > 0]
        table.append(
            {"log b": log_b, "problems": len(pairs), "above the bar": int((errors > bars).sum()),
             "bar / error, median": float(np.median(shown)), "largest": float(shown.max())}
        )  # fmt: skip
    return table


def _fuzzed(count: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    solvers: dict[str, Callable[[Problem], Any]] = {"minimum_l1": minimum_l1, "saddles": saddles}
    for share in _WEIGHTS:
        solvers[f"lasso, weight {share:g} max|X'y|"] = lambda of, share=share: lasso(
            of, share * float(np.abs(of.X.T @ of.y).max())
        )
    for log_b in _LOG_SCALES:
        solvers[f"limit, log b = {log_b:g}"] = lambda of, log_b=log_b: limit(
            of, Hadamard.from_scale(log_b=log_b, d=of.d)
        )
    table = []
    for name, solve in solvers.items():
        progress(f"{count} random problems: {name}")
        rng, answers = np.random.default_rng(1), []
        for i in range(count):
            n = int(rng.integers(5, 40))
            d = n * int(rng.integers(2, 8))
            answers.append(solve(problem(n, d, 10 ** rng.uniform(2, 12), _TARGETS[i % 3], rng)))
        digits = np.array([answer.digits for answer in answers])
        table.append(
            {"solver": name, "problems": count, "certified": sum(a.status is Status.converged for a in answers),
             "nine digits or more": int((digits >= 9).sum()), "least digits": float(digits.min()),
             "median": float(np.median(digits))}
        )  # fmt: skip
    return table
