"""How long does a mirror flow take until it is stationary to 1e-9, and who gets there?

Ours integrates the n-dimensional dual. The peers integrate the 2d parameters m and w of x = m*w, as one would write
the gradient flow down, with SciPy's and diffrax's solvers. They stop at this stationarity, never at a horizon. Ours
stops by the proved error of x, at a tolerance that makes it as stationary.
The last cases show what a horizon does, and how far paths are from the exact one on the way.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.exact_paths import exact_path
from benchmarks.harness import Answer, Array, Competitor, Judgement, OverBudget, Settings, compare
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem, planted_sparse
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit

_STATIONARITY = 1e-9
_TOLERANCE = 1e-10  # of x, of ours: about as strict, and judged by stationarity too
_NEVER = 1e15
# Explicit methods end on the edge of stability, where the error control leaves noise of about 1e3 rtol in the gradient:
# with rtol = 1e-9 they are never stationary to 1e-9. Implicit ones damp it.
_RTOL = {"LSODA": 1e-9, "Kvaerno5": 1e-9, "RK45": 1e-13, "Tsit5": 1e-13}
_HORIZON, _HORIZON_SCALE = 1200.0, 1e-6


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    sizes = [(5, 12)] if settings.quick else [(20, 60), (40, 100), (100, 1000)]
    scales = [1e-1, 1e-4] if settings.quick else [1e-1, 1e-2, 1e-4, 1e-6, 1e-8]
    notes = [
        f"every peer stops where |X'(Xx - y)| <= {_STATIONARITY:g} |X'y|, both in the largest entry; ours where the "
        f"error of x is proved to be below {_TOLERANCE:g} |x| in the L1 norm, and is then as stationary",
        "rtol of the peers: " + ", ".join(f"{name} {rtol:g}" for name, rtol in _RTOL.items())
        + "; atol = 1e-6 sqrt(2b) (explicit: rtol sqrt(2b)); looser explicit ones never become stationary",
        "distance is to limit(problem, network).x, relative to its largest entry",
        "on the way: at the times of a quarter and of half of the steps of a flow to its end, default accuracy; exact "
        "paths by Taylor series of order 30 in extended precision; medians, but for the last column",
    ]  # fmt: skip
    if find_spec("diffrax") is None:
        notes.append("diffrax is not installed: its two solvers were left out (pip install diffrax)")
    rows = []
    for competitor in _competitors(_problem(5, 12, 0), 0.1, settings):  # warm-up of what the first call imports
        with suppress(OverBudget):
            competitor.solve()
    for n, d in sizes:
        problem = _problem(n, d, seed=0)
        for scale in scales:
            network = Hadamard.from_scale(scale, d=d)
            case = {"n": n, "d": d, "scale": scale}
            rows += compare(case, _competitors(problem, scale, settings), _judge(problem, network), settings, progress)
    horizon = f"The usual way: mean squares, solve_ivp to T = {_HORIZON:g}, scale {_HORIZON_SCALE:g}, rtol 1e-8"
    return {
        "question": "Time of a mirror flow until relative stationarity 1e-9",
        "rows": rows,
        "tables": {
            horizon: _fixed_horizon(sizes[:2], 2 if settings.quick else 5, progress),
            "Errors of x on the way, relative": _on_the_way(2 if settings.quick else 5, progress),
            "Time of a path with a proved error, beside the default": _proved(settings.quick, progress),
        },
        "notes": notes,
    }


def _problem(n: int, d: int, seed: int) -> Problem:
    return planted_sparse(n=n, d=d, nonzeros=max(2, n // 10), rng=np.random.default_rng(seed))


def _judge(problem: Problem, network: Hadamard) -> Callable[[Answer], Judgement]:
    end = limit(problem, network)
    if end.status is not Status.converged:
        raise ArithmeticError(f"nothing to judge by: {end.status}")

    def judge(answer: Answer) -> Judgement:
        errors = {"stationarity": _stationarity(problem, answer.x), "distance": _distance(answer.x, end.x)}
        return Judgement(errors, errors["stationarity"] <= 1.001 * _STATIONARITY and errors["distance"] <= 1e-5)

    return judge


def _stationarity(problem: Problem, x: Array) -> float:
    X, y = problem.X, problem.y
    return float(np.abs(X.T @ (X @ x - y)).max() / np.abs(X.T @ y).max())


def _distance(x: Array, end: Array) -> float:
    return float(np.abs(x - end).max() / np.abs(end).max())


def _competitors(problem: Problem, scale: float, settings: Settings) -> list[Competitor]:
    X, y, budget = problem.X, problem.y, settings.budget
    theta0 = np.concatenate([np.full(problem.d, np.sqrt(2 * scale)), np.zeros(problem.d)])

    def ours() -> Answer:
        # A new problem and network each time: nothing is left over from the round before.
        path = flow(Problem(X, y), Hadamard.from_scale(scale, d=X.shape[1]), tolerance=_TOLERANCE)
        counts = {"steps": path.stats.steps, "evaluations": path.stats.evaluations, "digits": path.limit_digits}
        return Answer(path.x[-1], path.status is Status.converged, path.stats.method, counts=counts)

    def scipy_peer(method: str, jacobian: bool) -> Callable[[], Answer]:
        return lambda: _solve_ivp(X, y, theta0, method, jacobian, _RTOL[method], _atol(method, scale), budget)

    competitors = [
        Competitor("flow (ours)", ours, ours=True),
        Competitor("LSODA, analytic Jacobian", scipy_peer("LSODA", True)),
        Competitor("LSODA", scipy_peer("LSODA", False)),
        Competitor("RK45", scipy_peer("RK45", False)),
    ]
    if find_spec("diffrax") is not None:
        from benchmarks import diffrax_peer

        def diffrax_solver(name: str, seconds: float) -> Answer:
            rtol, atol = _RTOL[name], _atol(name, scale)
            return diffrax_peer.solve(name, X, y, theta0, rtol, atol, _STATIONARITY, seconds)

        def compiled(name: str) -> None:
            with suppress(OverBudget):
                diffrax_solver(name, -1.0)

        for name in ("Tsit5", "Kvaerno5"):
            competitors.append(
                Competitor(
                    f"diffrax {name}",
                    lambda name=name: diffrax_solver(name, budget),
                    prepare=lambda name=name: compiled(name),
                )
            )
    return competitors


def _atol(method: str, scale: float) -> float:
    return (1e-6 if _RTOL[method] > 1e-12 else _RTOL[method]) * float(np.sqrt(2 * scale))


def _gradient_flow(X: Array, y: Array) -> Callable[[float, Array], Array]:
    d = X.shape[1]

    def field(_: float, theta: Array) -> Array:
        m, w = theta[:d], theta[d:]
        g = X.T @ (X @ (m * w) - y)
        return -np.concatenate([w * g, m * g])

    return field


def _solve_ivp(
    X: Array, y: Array, theta0: Array, method: str, jacobian: bool, rtol: float, atol: float, budget: float
) -> Answer:
    d, started, plain = X.shape[1], time.perf_counter(), _gradient_flow(X, y)
    scale = np.abs(X.T @ y).max()

    def field(t: float, theta: Array) -> Array:
        if time.perf_counter() - started > budget:
            raise OverBudget
        return plain(t, theta)

    def stationary(_: float, theta: Array) -> float:
        return float(np.abs(X.T @ (X @ (theta[:d] * theta[d:]) - y)).max() / scale - _STATIONARITY)

    stationary.terminal = True  # type: ignore[attr-defined]
    options: dict[str, Any] = {}
    if jacobian:
        options["jac"] = _jacobian(X, y)
    answer = solve_ivp(field, (0, _NEVER), theta0, method, events=stationary, rtol=rtol, atol=atol, **options)
    counts = {"steps": len(answer.t) - 1, "evaluations": answer.nfev}
    return Answer(answer.y[:d, -1] * answer.y[d:, -1], bool(answer.success), answer.message, counts=counts)


def _jacobian(X: Array, y: Array) -> Callable[[float, Array], Array]:
    d, gram, i = X.shape[1], X.T @ X, np.arange(X.shape[1])

    def jacobian(_: float, theta: Array) -> Array:
        m, w = theta[:d], theta[d:]
        g = X.T @ (X @ (m * w) - y)
        J = np.tile(-gram, (2, 2)) * np.concatenate([w, m])[:, None] * np.concatenate([w, m])
        J[i, d + i] -= g
        J[d + i, i] -= g
        return J

    return jacobian


def _fixed_horizon(sizes: list[tuple[int, int]], seeds: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return, for each size and method, the worst of several problems among those that reported success."""
    lines = []
    for n, d in sizes:
        for method in ("RK45", "LSODA"):
            progress(f"n={n}, d={d}: {method} to a fixed horizon")
            worst: dict[str, Any] = {}
            for seed in range(seeds):
                problem, network = _problem(n, d, seed), Hadamard.from_scale(_HORIZON_SCALE, d=d)
                end = limit(problem, network)
                theta0 = np.concatenate([network.m0, network.w0])
                atol = 1e-6 * float(network.m0.max())
                field = _gradient_flow(problem.X / np.sqrt(n), problem.y / np.sqrt(n))  # the mean of squares
                answer = solve_ivp(field, (0, _HORIZON), theta0, method, rtol=1e-8, atol=atol)
                x = answer.y[:d, -1] * answer.y[d:, -1]
                norm = float(np.abs(end.x).sum())
                line = {
                    "n": n,
                    "d": d,
                    "method": method,
                    "seed": seed,
                    "reports success": bool(answer.success),
                    "stationarity": _stationarity(problem, x),
                    "excess L1": (float(np.abs(x).sum()) - norm) / norm,
                    "distance": _distance(x, end.x),
                }
                if answer.success and (not worst or abs(line["excess L1"]) > abs(worst["excess L1"])):
                    worst = line
            lines.append(worst)
    return lines


def _on_the_way(seeds: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return, for each size and scale, how far x is from the exact path and how far it is proved to be at most."""
    lines = []
    for n, d in ((5, 12), (20, 60)):
        for scale in (1e-1, 1e-4, 1e-8):
            progress(f"n={n}, d={d}, scale={scale:g}: paths beside exact ones")
            found = []
            for seed in range(seeds):
                problem, network = _problem(n, d, seed), Hadamard.from_scale(scale, d=d)
                times = flow(problem, network).t
                times = times[[len(times) // 4, len(times) // 2]]
                for t, x in zip(times, exact_path(problem, scale, times), strict=True):
                    run = flow(problem, network, until=t)
                    theirs = _lsoda_at(problem, network, scale, t)
                    size = float(np.abs(x).sum())
                    true = float(np.abs(run.x[-1] - x).sum())
                    found.append((true / size, run.error / size, float(np.abs(theirs - x).sum()) / size))
            ours, bounds, theirs = np.array(found).T
            lines.append({
                "n": n,
                "d": d,
                "scale": scale,
                "flow (ours)": float(np.median(ours)),
                "proved": float(np.median(bounds)),
                "proved / true": float(np.median(bounds / ours)),
                "LSODA, analytic Jacobian": float(np.median(theirs)),
                "true / proved, largest": float((ours / bounds).max()),
            })  # fmt: skip
    return lines


def _proved(quick: bool, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return how much longer a flow to half of its steps takes where a relative error of x is to be proved."""
    lines = []
    for n, d in ((5, 12),) if quick else ((20, 60), (40, 100)):
        for scale in (1e-1, 1e-4, 1e-8):
            progress(f"n={n}, d={d}, scale={scale:g}: proved errors")
            problem, network = _problem(n, d, 0), Hadamard.from_scale(scale, d=d)
            times = flow(problem, network).t
            until = float(times[len(times) // 2])
            base, proved = _timed(problem, network, until, 1e-8)
            seconds, accuracy = base, 1e-8
            line: dict[str, Any] = {"n": n, "d": d, "scale": scale, "by default": proved, "seconds": base}
            for goal in (1e-8, 1e-10):
                while proved > goal and accuracy > 1e-14:
                    accuracy *= 10**-0.25
                    seconds, proved = _timed(problem, network, until, accuracy)
                line[f"{goal:g}"] = f"{seconds / base:.2f}x, accuracy {accuracy:.0e}"
            lines.append(line)
    return lines


def _timed(problem: Problem, network: Hadamard, until: float, accuracy: float) -> tuple[float, float]:
    """Return the shortest of five times, and the relative error of x that is proved."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        flow(problem, network, until=until, accuracy=accuracy)
        times.append(time.perf_counter() - started)
    run = flow(problem, network, until=until, accuracy=accuracy)
    return min(times), run.error / float(np.abs(run.x[-1]).sum())


def _lsoda_at(problem: Problem, network: Hadamard, scale: float, t: float) -> Array:
    """Return x of the gradient flow of m and w at a time, as integrated with the options of the comparison."""
    theta0, d = np.concatenate([network.m0, network.w0]), problem.d
    options: dict[str, Any] = {"rtol": _RTOL["LSODA"], "atol": _atol("LSODA", scale)}
    options["jac"] = _jacobian(problem.X, problem.y)
    end = solve_ivp(_gradient_flow(problem.X, problem.y), (0, t), theta0, "LSODA", **options).y[:, -1]
    return end[:d] * end[d:]
