"""One run by several implementations: NumPy, compiled kernels, batches of runs, torch."""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, relative, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete import descent, descents

_STEPS = 20
_MOMENTA = (0.0, 0.9)


def _start(it: Instance) -> Hadamard:
    """Return a random state: b and log(u0/v0) of every entry apart."""
    rng = it.generator()
    return Hadamard.from_tilt(rng.normal(-1.0, 1.0, it.problem.d), rng.normal(0.0, 1.0, it.problem.d))


def _penalty_and_step(network: Hadamard, problem: Problem, momentum: float, share: float = 1.0) -> tuple[float, float]:
    """Return an alpha that counts, and a third of a step that is stable at the start, for batches of this share."""
    curvature = np.linalg.norm(problem.X * np.hypot(network.m0, network.w0), 2) ** 2
    alpha = 0.3 * float(np.abs(problem.gradient(network.effective(network.theta0))).max())
    return alpha, (1 - momentum) * share * 2 / 3 / (float(curvature + 2 * alpha) or 1.0)


@theorem(
    "twins.descent",
    source=Citation("ours", "one rule for steps, two programs"),
    statement="from any state descent takes the same steps compiled, in u and v, and in NumPy, in m and w: parameters, "
    "sum eta alpha and sum eta l', of gradient descent, SGD and heavy ball, X dense or sparse",
    kind="identity",
    hypotheses=ONCE,
    constants={"decay": 1.0},
    control=Control("the penalty with a 1/2 in one of them", "planted/plain/0", {"decay": 0.5}),
)
def compiled_steps(it: Instance, decay: float) -> Evidence:
    """Compare after each of 20 steps of changing length, a third of what is stable and less."""
    problem, network = it.problem, _start(it)
    batch = max(1, problem.n // 2)
    sparse = Problem(scipy.sparse.csr_array(problem.X), problem.y)
    found = []
    for momentum, batch_size in product(_MOMENTA, (None, batch)):
        alpha, eta = _penalty_and_step(network, problem, momentum, (batch_size or problem.n) / problem.n)
        settings = {"momentum": momentum, "batch_size": batch_size}
        expected = _run(problem, network, eta, decay * alpha, method="numpy", **settings)
        for of in (problem, sparse):
            run = _run(of, network, eta, alpha, method="compiled", **settings)
            found += [relative(one - other, other) for one, other in zip(run, expected, strict=True)]
    return identity(found, 1e-12)


def _run(problem: Problem, network: Hadamard, eta: float, alpha: float, **settings: Any) -> tuple[Array, ...]:
    """Return all parameters, x, duals and decays of a run whose steps are of three lengths."""
    run = descent(
        problem, network, lambda k: eta / (1 + k % 3), alpha, steps=_STEPS, keep=range(_STEPS), tolerance=0.0,
        rng=np.random.default_rng(0), **settings,
    )  # fmt: skip
    assert run.parameters is not None
    return run.parameters, run.x, run.dual, run.decay


def _kinds(X: Array, *others: Array) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments as NumPy arrays and, where torch is installed, as its tensors."""
    yield X, *others
    if find_spec("torch") is not None:
        import torch

        yield tuple(torch.as_tensor(one) for one in (X, *others))


@theorem(
    "twins.descents",
    source=Citation("ours", "one rule for steps, two programs"),
    statement="many runs at once, on NumPy arrays and on torch's tensors, are those of descent, one by one: where they "
    "end, sum eta l', and the b and the tilt that are left",
    kind="identity",
    hypotheses=ONCE,
    constants={"decay": 1.0},
    control=Control("the penalty with a 1/2 in one of them", "planted/plain/0", {"decay": 0.5}),
)
def many_runs(it: Instance, decay: float) -> Evidence:
    """Compare three runs, with step sizes and penalties of their own, after 20 steps.

    Of u and v, whose product is b and whose ratio has the tilt, rounding of m and w leaves the smaller one relative to
    the larger one.
    """
    problem, network = it.problem, _start(it)
    shares = np.array([1.0, 0.5, 0.1])
    found = []
    for momentum in _MOMENTA:
        alpha, eta = _penalty_and_step(network, problem, momentum)
        alpha, eta = alpha * shares[::-1], eta * shares
        alone = [
            descent(
                problem, network, one, decay * two, steps=_STEPS, momentum=momentum, keep=(), tolerance=0.0,
                method="numpy",
            )
            for one, two in zip(eta, alpha, strict=True)
        ]  # fmt: skip
        for X, y, log_scale, tilt, sizes, penalties in _kinds(
            problem.X, problem.y, np.tile(network.log_scale, (3, 1)), np.tile(network.tilt, (3, 1)), eta, alpha
        ):
            runs = descents(
                X,
                y,
                log_scale=log_scale,
                tilt=tilt,
                step_size=sizes,
                penalty=penalties,
                steps=_STEPS,
                momentum=momentum,
                tolerance=0.0,
            )
            for k, run in enumerate(alone):
                x, left = run.x[-1], run.implicit
                b = np.exp(left.log_scale)
                smaller = b / (np.abs(x) + np.hypot(x, b))
                pairs = (
                    (runs.x, x, 1.0),
                    (runs.dual, left.dual, 1.0),
                    (runs.log_scale, left.log_scale, smaller),
                    (runs.tilt, left.tilt, smaller),
                )
                found += [relative((np.asarray(many[k]) - one) * weight, one) for many, one, weight in pairs]
    return identity(found, 1e-11)
