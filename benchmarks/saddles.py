"""How long does the whole path of vanishing initialisation take, beside paths and programmes that end where it ends?

Ours is `saddles`. scikit-learn's LARS follows the LASSO path down to weight 0, celer follows it down to a small
positive weight, and HiGHS solves the linear programme of the end alone.
"""

import importlib
import importlib.util
import timeit
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path

from benchmarks.harness import Answer, Array, Competitor, Judgement, OverBudget, Settings, compare
from linreg_mirror.problems import Problem, planted_sparse
from linreg_mirror.solvers.certificates import feasibility
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.saddles import saddles

_TOLERANCE = 1e-10
_SMALLEST = 1e-2  # of lambda_max: where celer's path ends; to 1e-3 it took minutes


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    sizes = [(10, 60)] if settings.quick else [(100, 1000), (500, 5000)]
    rows, paths = [], []
    for competitor in _competitors(_problem(5, 20, "planted"), settings.budget):  # warm-up: compilation, imports
        competitor.solve()
    for n, d in sizes:
        for targets in ("planted", "random"):
            problem = _problem(n, d, targets)
            case = {"n": n, "d": d, "y": targets}
            new = compare(case, _competitors(problem, settings.budget), _judge(problem), settings, progress)
            rows += new
            paths.append(_path(case, problem, new[0]))
    return {
        "question": f"Time of the whole path from saddle to saddle, its end right to {_TOLERANCE:g}",
        "rows": rows,
        "tables": {"Ours: beside one product with X' for each jump, and the worst of all jumps": paths},
        "notes": [
            f"right means: |Xx - y| and the excess of |x|_1 over the least are <= {_TOLERANCE:g}, relative; the least "
            "is that of minimum_l1, certified by its dual",
            "LARS takes as many steps as it needs (max_iter is raised); its knots are not our jumps, nor as many",
            f"celer solves for 20 weights down to {_SMALLEST:g} lambda_max and never reaches an interpolator, which is "
            "where the others end; absent where it is not installed",
            "products: one with X' for each jump, at its own measured time; ours leaves out what is out of reach",
        ],
    }


def _problem(n: int, d: int, targets: str) -> Problem:
    rng = np.random.default_rng(0)
    problem = planted_sparse(n=n, d=d, nonzeros=max(2, n // 10), rng=rng)
    return problem if targets == "planted" else Problem(problem.X, rng.standard_normal(n))


def _judge(problem: Problem) -> Callable[[Answer], Judgement]:
    reference = minimum_l1(problem)
    assert reference.certificate.valid, str(reference.certificate)
    least = np.abs(reference.x).sum()

    def judge(answer: Answer) -> Judgement:
        errors = {
            "infeasibility": feasibility(problem, answer.x),
            "excess": float(abs(np.abs(answer.x).sum() / least - 1)),
        }
        return Judgement(errors, max(errors.values()) <= _TOLERANCE)

    return judge


def _competitors(problem: Problem, budget: float) -> list[Competitor]:
    X, y = problem.X, problem.y
    peers = [
        Competitor("saddles (ours)", lambda: _ours(X, y), ours=True),
        Competitor("scikit-learn lars_path", lambda: _lars(X, y)),
        Competitor("HiGHS dual simplex, end only", lambda: _highs(X, y, budget)),
    ]
    if importlib.util.find_spec("celer"):
        peers.append(Competitor(f"celer_path to {_SMALLEST:g}", lambda: _celer(X, y)))
    return peers


def _ours(X: Array, y: Array) -> Answer:
    # A new problem each time: its rank, once known, would be a gift to the next round.
    path = saddles(Problem(X, y))
    counts = {"jumps": path.stats.steps, "products": path.stats.evaluations, "digits": path.digits}
    return Answer(path.at(np.inf), path.status.solved, path.stats.method, counts=counts)


def _lars(X: Array, y: Array) -> Answer:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", ConvergenceWarning)
        weights, _, points = lars_path(X, y, method="lasso", max_iter=100 * sum(X.shape))
    early = [str(w.message) for w in raised if issubclass(w.category, ConvergenceWarning)]
    return Answer(points[:, -1], not early, "".join(early[:1]), counts={"knots": len(weights)})


def _highs(X: Array, y: Array, budget: float) -> Answer:
    d = X.shape[1]
    options = {
        "time_limit": budget,
        "primal_feasibility_tolerance": 1e-10,
        "dual_feasibility_tolerance": 1e-10,
    }
    answer = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y, method="highs-ds", options=options)
    if answer.status == 1:
        raise OverBudget
    if answer.x is None:
        raise ArithmeticError(answer.message)
    return Answer(answer.x[:d] - answer.x[d:], answer.status == 0, answer.message)


def _celer(X: Array, y: Array) -> Answer:
    celer = importlib.import_module("celer")
    weights = np.abs(X.T @ y).max() / len(y) * np.geomspace(1, _SMALLEST, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it reaches is judged like all else
        _, points, _ = celer.celer_path(X, y, pb="lasso", alphas=weights, tol=1e-8, prune=True)
    return Answer(points[:, -1], False, "ends at a positive weight, as asked")


def _path(case: dict[str, Any], problem: Problem, row: dict[str, Any]) -> dict[str, Any]:
    X, r = problem.X, problem.y
    product = min(timeit.repeat(lambda: X.T @ r, number=1, repeat=50))
    path = saddles(problem)
    slopes, x = path.dual @ X, path.points
    products = len(path.times) * product
    return {
        "measured / products": row["seconds"] / products,
        **case,
        "jumps": len(path.times),
        "measured": row["seconds"],
        "products": products,
        "dual infeasibility": float(np.abs(slopes).max() - 1),
        "complementarity": float(np.abs((slopes - np.sign(x))[x != 0]).max()),
    }
