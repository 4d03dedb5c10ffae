"""How much does it gain to solve many problems of one size at once?

Ours are `limits`, `minimum_l1s` and `lassos`; the peers are loops of `limit`, `minimum_l1` and `lasso`, of HiGHS' dual
simplex through SciPy, which finds the least L1 norm, and of scikit-learn's Lasso. All use all cores: ours by threads, a
loop by a pool of one process a core, which is there, has the data and has solved a problem before time counts.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from joblib import cpu_count
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from benchmarks.harness import Answer, Array, Competitor, Judgement, Settings, compare
from benchmarks.loops import One, pooled
from benchmarks.minimum_l1 import _highs
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.batches import Solutions, lassos, limits, minimum_l1s
from linreg_mirror.solvers.certificates import l1_certificate, lasso_certificate
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.limit import limit, minimum_l1

_GAP = 1e-10
_LOG_SCALES = (0.0, -10.0, -20.0, -50.0, -1000.0)
_NONZEROS = (0, 5, 12)  # 0: random targets
_EPOCHS = 100_000  # of scikit-learn's coordinate descent
_SHARES = (0.5, 0.1, 1e-2, 1e-3)  # of the largest weight


class _Case(NamedTuple):
    """Many problems: what they are, who solves them at once, loops over them by name, and who judges answers."""

    what: dict[str, Any]
    name: str
    many: Callable[[], Answer]
    loops: dict[str, One]
    judge: Callable[[Answer], Judgement]


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    B, n, d = (6, 8, 24) if settings.quick else (512, 40, 100)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((B, n, d)), rng.standard_normal((B, n))
    limits(X[:2], y[:2], log_scale=0.0), minimum_l1s(X[:2], y[:2]), lassos(X[:2], y[:2], 1.0)  # compiles
    rows = []
    for case in _cases(X, y, rng, settings):
        with pooled(case.loops, B) as loops:
            ours = Competitor(f"{case.name} (ours)", case.many, ours=True)
            peers = [Competitor(name, solve, ours="ours" in name) for name, solve in loops.items()]
            what = {"B": B, "n": n, "d": d} | case.what
            rows += compare(what, [ours, *peers], case.judge, settings, progress)
    return {
        "question": "Time of many problems of one size at once, against loops of one process a core",
        "rows": rows,
        "tables": {"Milliseconds a problem": [_told(row, B) for row in rows]},
        "notes": [
            f"{cpu_count()} cores, used by all: ours by threads, loops by as many processes, warm and with the data",
            f"right means, of each problem: |Xx - y|, duality gap and excess of |X's| over 1 all <= {_GAP:g}, relative",
            f"of limits: |Xx - y| <= {_GAP:g}, and x from its dual vector to 1e-9",
            f"of the LASSO: the duality gap <= {_GAP:g} of |y|^2/2, which scikit-learn has {_EPOCHS} epochs for",
            "HiGHS beside limits finds the least L1 norm, the limit of b -> 0, whatever b is",
            "digits: the least that is proved of any problem; one by one: how many the batch has left to the loop",
        ],
    }


def _cases(X: Array, y: Array, rng: np.random.Generator, settings: Settings) -> Iterator[_Case]:
    most = 2 if settings.quick else None
    for log_b in _LOG_SCALES[:most]:
        loops = {"limit (ours)": partial(_limit, X, y, log_b), "HiGHS": partial(_by_highs, X, y, settings.budget)}
        yield _Case({"log b": log_b}, "limits", partial(_limits, X, y, log_b), loops, partial(_judged_limits, X, y))
    for k in _NONZEROS[:most]:
        targets = np.einsum("bnd,bd->bn", X, _planted(len(X), X.shape[2], k, rng)) if k else y
        loops = {
            "minimum_l1 (ours)": partial(_minimum_l1, X, targets),
            "HiGHS": partial(_by_highs, X, targets, settings.budget),
        }
        what = {"y": f"planted, k={k}" if k else "random"}
        many, judge = partial(_minimum_l1s, X, targets), partial(_judged_least_norms, X, targets)
        yield _Case(what, "minimum_l1s", many, loops, judge)
    for share in _SHARES[:most]:
        weight = share * np.abs(np.einsum("bnd,bn->bd", X, y)).max(axis=1)
        loops = {
            "lasso (ours)": partial(_lasso, X, y, weight),
            "scikit-learn": partial(_by_scikit_learn, X, y, weight),
        }
        many, judge = partial(_lassos, X, y, weight), partial(_judged_lassos, X, y, weight)
        yield _Case({"weight": f"{share:g} max|X'y|"}, "lassos", many, loops, judge)


def _planted(B: int, d: int, k: int, rng: np.random.Generator) -> Array:
    x = np.zeros((B, d))
    for row in x:
        row[rng.permutation(d)[:k]] = rng.standard_normal(k)
    return x


def _told(row: dict[str, Any], B: int) -> dict[str, Any]:
    (what,) = (f"{name} = {value}" for name, value in row["case"].items() if name not in "Bnd")
    counts = {told: row["counts"].get(name, "") for told, name in (("digits", "digits"), ("one by one", "singly"))}
    return {"case": what, "": row["competitor"], "ms": 1e3 * row["seconds"] / B, **counts}


def _together(found: Solutions, **counts: float) -> Answer:
    counts |= {"singly": found.singly, "digits": float(found.digits.min())}
    return Answer(found.x, all(one.solved for one in found.status), dual=found.dual, counts=counts)


def _alone(found: Solution, **counts: float) -> Answer:
    return Answer(found.x, found.status.solved, dual=found.dual, counts=counts | {"digits": found.digits})


def _limits(X: Array, y: Array, log_b: float) -> Answer:
    return _together(limits(X, y, log_scale=log_b), log_b=log_b)


def _limit(X: Array, y: Array, log_b: float, k: int) -> Answer:
    return _alone(limit(Problem(X[k], y[k]), Hadamard.from_scale(log_b=log_b, d=X.shape[2])), log_b=log_b)


def _minimum_l1s(X: Array, y: Array) -> Answer:
    return _together(minimum_l1s(X, y))


def _minimum_l1(X: Array, y: Array, k: int) -> Answer:
    return _alone(minimum_l1(Problem(X[k], y[k])))


def _by_highs(X: Array, y: Array, budget: float, k: int) -> Answer:
    return _highs(X[k], y[k], "highs-ds", budget)


def _lassos(X: Array, y: Array, weight: Array) -> Answer:
    return _together(lassos(X, y, weight))


def _lasso(X: Array, y: Array, weight: Array, k: int) -> Answer:
    return _alone(lasso(Problem(X[k], y[k]), weight[k]))


def _by_scikit_learn(X: Array, y: Array, weight: Array, k: int) -> Answer:
    model = Lasso(weight[k] / len(y[k]), fit_intercept=False, tol=_GAP / 2, max_iter=_EPOCHS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # which n_iter_ says as well
        x = model.fit(X[k], y[k]).coef_
    return Answer(x, model.n_iter_ < _EPOCHS, dual=y[k] - X[k] @ x)


def _judged_limits(X: Array, y: Array, answer: Answer) -> Judgement:
    if "log_b" not in answer.counts:
        return _judged_least_norms(X, y, answer)
    mirror = Hadamard.from_scale(log_b=answer.counts["log_b"], d=X.shape[2]).mirror()
    represented = mirror.primal(-np.einsum("bnd,bn->bd", X, answer.dual), 0.0)
    left = np.abs(np.einsum("bnd,bd->bn", X, answer.x) - y).max(axis=1) / np.abs(y).max(axis=1)
    apart = np.abs(represented - answer.x).max(axis=1) / np.abs(answer.x).max(axis=1)
    errors = {"infeasibility": float(left.max()), "dual representation": float(apart.max())}
    return Judgement(errors, errors["infeasibility"] <= _GAP and errors["dual representation"] <= 1e-9)


def _judged_least_norms(X: Array, y: Array, answer: Answer) -> Judgement:
    assert answer.dual is not None
    checks = {"infeasibility": "feasibility", "gap": "duality gap", "dual excess": "dual feasibility"}
    certificates = [
        l1_certificate(Problem(X[k], y[k]), x, s) for k, (x, s) in enumerate(zip(answer.x, answer.dual, strict=True))
    ]
    errors = {name: max(one[check].value for one in certificates) for name, check in checks.items()}
    return Judgement(errors, max(errors.values()) <= _GAP)


def _judged_lassos(X: Array, y: Array, weight: Array, answer: Answer) -> Judgement:
    assert answer.dual is not None
    gaps = [
        lasso_certificate(Problem(X[k], y[k]), x, float(weight[k]), s).checks[0].value
        for k, (x, s) in enumerate(zip(answer.x, answer.dual, strict=True))
    ]
    return Judgement({"gap": max(gaps)}, max(gaps) <= _GAP)
