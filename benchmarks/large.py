"""How long do a million features take, in a sparse X and in one that is nothing but products?

Ours are `limit` at several scales and some hundred steps of `descent`. None of the peers solves the same problem; each
solves the one next to it on the same data: minimum L1 (HiGHS on the linear programme), LASSO at a weight of 1e-3 of
lambda_max (scikit-learn), minimum L2 (SciPy's LSQR), and for `descent` the same recursion written in SciPy and NumPy.
Peak memory is that of the process before any peer has run.
"""

import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from scipy.optimize import linprog
from scipy.sparse.linalg import LinearOperator, lsqr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from benchmarks.harness import Answer, Array, Competitor, Judgement, OverBudget, Settings, compare, stopped_after
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import descent
from linreg_mirror.solvers.limit import limit

_SCALES = (1e-2, 1e-5, 1e-8)
_WEIGHT = 1e-3  # of lambda_max
_BETA = 0.02  # m0^2 - w0^2 in descent


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    n, d, steps = (20, 2_000, 100) if settings.quick else (1_000, 1_000_000, 300)
    rows: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    designs: dict[str, Callable[[], Any]] = {
        "operator": lambda: _partial_dct(n, d),
        "sparse 0.002": lambda: _sparse(n, d, 0.002 if not settings.quick else 0.2),
        "sparse 0.01": lambda: _sparse(n, d, 0.01 if not settings.quick else 0.4),
    }
    for name, make in designs.items():  # before any peer, for the peak of memory never falls
        X = make()
        y = _targets(X)
        for what, ours in (
            (f"limit at b={_SCALES[-1]:g}", _limits(X, y, 0.0)[len(_SCALES) - 1]),
            ("descent", _descents(X, y, 30)[0]),
        ):
            progress(f"{what} on {name}: memory")
            started = time.perf_counter()
            ours.solve()
            spent = time.perf_counter() - started
            memory.append({"ours": what, "X": name, "seconds": spent, "peak memory so far, GiB": _peak()})
    for name, make in designs.items():
        X = make()
        y = _targets(X)
        for question, competitors, judge in (
            ("limit", _limits(X, y, settings.budget), _judge_limit(X, y)),
            ("descent", _descents(X, y, steps), _judge_descent(X, y, steps)),
        ):
            case = {"question": question, "X": name, "n": n, "d": d}
            rows += compare(case, competitors, judge, settings, progress)
    return {
        "question": f"Time of {n} x {d} problems, sparse and as operators",
        "rows": rows,
        "tables": {"Peak memory of the process, with ours alone (30 steps of descent)": memory},
        "notes": [
            "a limit is right if |Xx - y| <= 1e-10 |y| and x differs from primal(z0 - X's) by at most 1e-9, relative",
            "peers of limit solve neighbouring problems and are judged by those: minimum L1 and L2 by "
            f"|Xx - y| <= 1e-6, LASSO at {_WEIGHT:g} lambda_max by a duality gap of 1e-6 |y|^2/2, relative",
            f"descent takes {steps} steps; loops are judged by their distance from ours, which is judged by its own "
            "implicit bias: x = b sinh(tilt - 2X's)",
            "operator: rows of a discrete cosine transform, chosen at random, after random signs",
        ],
    }


def _peak() -> float:
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _sparse(n: int, d: int, density: float) -> Any:
    rng, count = np.random.default_rng(0), int(n * d * density)
    where = rng.integers(n, size=count, dtype=np.int32), rng.integers(d, size=count, dtype=np.int32)
    return scipy.sparse.csc_array((rng.standard_normal(count) / np.sqrt(n * density), where), shape=(n, d))


def _partial_dct(n: int, d: int) -> LinearOperator:
    rng = np.random.default_rng(0)
    rows, signs, height = np.sort(rng.choice(d, n, replace=False)), rng.choice([-1.0, 1.0], d), np.sqrt(d / n)

    def forward(x: Array) -> Array:
        return height * scipy.fft.dct(signs * x.ravel(), norm="ortho")[rows]

    def backward(s: Array) -> Array:
        spread = np.zeros(d)
        spread[rows] = s.ravel()
        return height * signs * scipy.fft.idct(spread, norm="ortho")

    return LinearOperator((n, d), matvec=forward, rmatvec=backward, dtype=float)


def _targets(X: Any) -> Array:
    """Return what a few large weights give, with noise."""
    n, d = X.shape
    rng, x = np.random.default_rng(1), np.zeros(d)
    x[rng.choice(d, n // 20, replace=False)] = rng.choice([-1.0, 1.0], n // 20)
    y = X @ x
    return y + 0.1 * np.linalg.norm(y) / np.sqrt(n) * rng.standard_normal(n)


def _limits(X: Any, y: Array, budget: float) -> list[Competitor]:
    d = X.shape[1]

    def ours(scale: float) -> Answer:
        solution = limit(Problem(X, y), Hadamard.from_scale(scale, d=d))
        stats = solution.stats
        counts = {"scale": scale, "steps": stats.steps, "products": stats.evaluations}
        return Answer(solution.x, solution.status.solved, str(solution.status), solution.dual, counts)

    def least_l2() -> Answer:
        found = lsqr(X, y, atol=1e-12, btol=1e-12, iter_lim=10_000)
        return Answer(found[0], found[1] in (1, 2), f"istop {found[1]}", counts={"l2": 1, "products": found[2]})

    def least_l1(method: str) -> Answer:
        both = scipy.sparse.hstack([X, -X], format="csc")
        answer = linprog(np.ones(2 * d), A_eq=both, b_eq=y, method=method)
        if answer.x is None:
            raise ArithmeticError(answer.message)
        return Answer(answer.x[:d] - answer.x[d:], answer.status == 0, answer.message, counts={"l1": 1})

    def lasso() -> Answer:
        weight = _WEIGHT * np.abs(X.T @ y).max()
        model = Lasso(weight / len(y), fit_intercept=False, tol=1e-7, max_iter=1000)
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always", ConvergenceWarning)
            x = model.fit(scipy.sparse.csc_matrix(X), y).coef_
        if complaints and time.perf_counter() - started > budget:
            raise OverBudget
        return Answer(x, not complaints, str(complaints[0].message) if complaints else "", counts={"weight": weight})

    competitors = [
        Competitor(f"limit at b={scale:g} (ours)", lambda scale=scale: ours(scale), ours=True) for scale in _SCALES
    ]
    competitors.append(Competitor("SciPy LSQR, minimum L2", least_l2))
    if scipy.sparse.issparse(X):
        competitors += [
            Competitor("scikit-learn, LASSO", lasso),
            Competitor("HiGHS dual simplex, minimum L1", lambda: stopped_after(budget, lambda: least_l1("highs-ds"))),
            Competitor(
                "HiGHS interior point, minimum L1", lambda: stopped_after(budget, lambda: least_l1("highs-ipm"))
            ),
        ]
    return competitors


def _judge_limit(X: Any, y: Array) -> Callable[[Answer], Judgement]:
    def judge(answer: Answer) -> Judgement:
        residual = y - X @ answer.x
        infeasible = float(np.abs(residual).max() / np.abs(y).max())
        if "scale" in answer.counts:
            assert answer.dual is not None
            scale = answer.counts["scale"]
            represented = scale * np.sinh(-2 * (X.T @ answer.dual))
            difference = float(np.abs(represented - answer.x).max() / np.abs(answer.x).max())
            errors = {"infeasibility": infeasible, "dual representation": difference}
            return Judgement(errors, infeasible <= 1e-10 and difference <= 1e-9)
        if "weight" in answer.counts:
            weight = answer.counts["weight"]
            dual = residual * min(1.0, weight / np.abs(X.T @ residual).max())
            primal = 0.5 * residual @ residual + weight * np.abs(answer.x).sum()
            gap = float((primal - 0.5 * (y @ y - (y - dual) @ (y - dual))) / (0.5 * y @ y))
            return Judgement({"gap": gap}, gap <= 1e-6)
        return Judgement({"infeasibility": infeasible}, infeasible <= 1e-6)

    return judge


def _descents(X: Any, y: Array, steps: int) -> list[Competitor]:
    d = X.shape[1]
    step_size = 0.5 / _largest_eigenvalue(X)

    def ours() -> Answer:
        run = descent(Problem(X, y), Hadamard.at(0.0, _BETA, d=d), step_size, steps=steps, tolerance=0.0, keep=())
        bias = run.implicit
        represented = np.exp(bias.log_scale) * np.sinh(bias.tilt - 2 * (X.T @ bias.dual))
        difference = float(np.abs(represented - run.x[-1]).max() / np.abs(run.x[-1]).max())
        return Answer(run.x[-1], run.status is Status.until_reached, counts={"difference": difference})

    def loop() -> Answer:
        m, w = np.full(d, np.sqrt(_BETA)), np.zeros(d)
        Xt = X.T
        for _ in range(steps):
            g = Xt @ (X @ (m * w) - y)
            m, w = m - step_size * w * g, w - step_size * m * g
        return Answer(m * w, True)

    return [Competitor("descent (ours)", ours, ours=True), Competitor("SciPy and NumPy loop", loop)]


def _judge_descent(X: Any, y: Array, steps: int) -> Callable[[Answer], Judgement]:
    reference = _descents(X, y, steps)[0].solve().x

    def judge(answer: Answer) -> Judgement:
        if "difference" in answer.counts:
            difference = answer.counts["difference"]
            return Judgement({"implicit representation": difference}, difference <= 1e-9)
        difference = float(np.abs(answer.x - reference).max() / np.abs(reference).max())
        return Judgement({"differs from ours": difference}, difference <= 1e-9)

    return judge


def _largest_eigenvalue(X: Any) -> float:
    """Return an upper estimate of the largest eigenvalue of XX' by the power method."""
    v = np.random.default_rng(0).standard_normal(X.shape[0])
    for _ in range(20):
        v = X @ (X.T @ v)
        v /= np.linalg.norm(v)
    return 1.2 * float(np.linalg.norm(X @ (X.T @ v)))
