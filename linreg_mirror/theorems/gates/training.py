"""What optimisers make of the weight lambda of an L0 penalty: Adam cancels it where nothing else reaches the logits.

The penalty is lambda sum c_i P(z_i > 0), c_i the cost of gate i; logits start at those of `gates`. Where torch is
installed the optimiser is the one that methods with gates use, and what it is compared with is written in NumPy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    hypotheses,
    identity,
    relative,
    slope,
    theorem,
)
from linreg_mirror.theorems.gates.as_trained import Gradient, by_adam, by_hand, optimised, penalty
from linreg_mirror.theorems.gates.hard_concrete import log_alphas
from linreg_mirror.theorems.masks.draws import PAIRED, linear_model

_WITNESS = "planted/biased/0"
_STEPS, _RATE = 50, 0.02


def _trained(gradient: Gradient, start: Array, count: int, adam: bool = True, eps: Sequence[float] = (1e-8,)) -> Array:
    """Return `count` paths of the optimiser, (count, steps + 1, d): entry by entry, so that they go side by side."""
    return optimised(gradient, np.tile(start, (count, 1)), _RATE, _STEPS, adam, eps).swapaxes(0, 1)


def _weighted(weights: Sequence[float], start: Array) -> Gradient:
    """Return the gradient of the penalty, with one weight for each of several gates' logits side by side."""
    return penalty(np.repeat(weights, start.size))


def _data(it: Instance) -> Gradient:
    """Return the gradient of E|X(z*w) - y|^2, gates independent, 1 with probability P(z_i > 0), in units of |y|^2."""
    X, w, _ = linear_model(it)
    y = it.problem.y
    squares = (X**2).sum(axis=0) * w**2

    def gradient(log_alpha: Array) -> Array:
        p = HardConcrete().open_probability(log_alpha)
        slopes = 2 * w * (X.T @ (X @ (p * w) - y)) + (1 - 2 * p) * squares
        return slopes * p * (1 - p) / (y @ y)

    return gradient


@theorem(
    "gates.adam",
    source=Citation("KB15", "section 2, invariance to the gradient's scale; with eps: ours"),
    statement="the penalty alone reaches the logits: Adam with weights lambda c_i and eps goes the way of Adam with "
    "weights 1 and eps/(lambda c_i), for every lambda and all costs c_i",
    kind="identity",
    hypotheses=PAIRED,
    constants={"divided": 1},
    control=Control("with the same eps", _WITNESS, {"divided": 0}),
)
def adam_scale(it: Instance, divided: int) -> Evidence:
    """Compare paths. Proof. Both averages grow with the gradient, and lambda c_i cancels in first/(root + eps)."""
    start = log_alphas(it)
    weights = np.outer([1e-9, 5e-7, 0.1], np.arange(1.0, start.size + 1))
    scaled = _trained(penalty(weights.ravel()), start, len(weights))
    eps = 1e-8 / weights.ravel() ** divided
    plain = by_adam(by_hand(1.0), np.tile(start, len(weights)), eps, _RATE, _STEPS).reshape(-1, *weights.shape)
    found = [relative(one - other, other - start) for one, other in zip(scaled, plain.swapaxes(0, 1), strict=True)]
    return identity(found, 1e-13)


def _adam(sp: Any, slopes: Any, eps: Any) -> list[Any]:
    """Return what Adam steps, in units of the rate, for a sequence of gradients; its two decay rates are symbols."""
    decay, long = sp.symbols("beta1 beta2", positive=True)
    first, second, found = 0, 0, []
    for k, g in enumerate(slopes, 1):
        first, second = decay * first + (1 - decay) * g, long * second + (1 - long) * g**2
        found.append(first / (1 - decay**k) / (sp.sqrt(second / (1 - long**k)) + eps))
    return found


@algebra("gates.adam", divided=0)
def adam_scale_derived(sp: Any, divided: int = 1) -> Any:
    """Two steps, any gradients; c stands for lambda c_i."""
    c, eps = sp.symbols("c eps", positive=True)
    slopes = sp.symbols("g1 g2", positive=True)
    scaled, plain = _adam(sp, [c * g for g in slopes], eps), _adam(sp, slopes, eps / c**divided)
    return [one - other for one, other in zip(scaled, plain, strict=True)]


@theorem(
    "gates.adam.limit",
    source=Citation("ours", "eps is all that lambda is compared with"),
    statement="the penalty alone reaches the logits: the ways of Adam with lambda and with 1 differ by O(eps/lambda)",
    kind="asymptotic",
    hypotheses=(*PAIRED, hypotheses.targets),
    constants={"data": 0.0},
    control=Control("the data loss reaches the logits too", _WITNESS, {"data": 1.0}),
)
def adam_limit(it: Instance, data: float) -> Evidence:
    """Fit the exponent, lambda = 1/100.

    Proof. Adam divides a gradient lambda g by the root of a mean of squares lambda^2 g^2, plus eps: the same as g
    by that of g^2, plus eps/lambda. Steps depend smoothly on that.
    """
    start, loss = log_alphas(it), _data(it)
    ladder = 10.0 ** -np.arange(9, 12)
    own = _weighted([1e-2, 1.0] * len(ladder), start)

    def gradient(logits: Array) -> Array:
        others = np.concatenate([loss(one) for one in logits.reshape(-1, start.size)]) if data else 0.0
        return own(logits) + data * others

    paths = _trained(gradient, start, 2 * len(ladder), eps=[*ladder])
    return slope(ladder, np.abs(paths[::2] - paths[1::2]).max(axis=(1, 2)), expected=1.0, tolerance=1e-2)


@algebra("gates.adam.limit", data=1)
def adam_limit_derived(sp: Any, data: int = 0) -> Any:
    """Two steps with weights lambda and 1: at eps = 0 they are the same; the control has slopes of the data, too."""
    weight, eps = sp.symbols("lambda eps", positive=True)
    slopes, others = sp.symbols("g1 g2", positive=True), sp.symbols("h1 h2", positive=True)
    light, heavy = (
        _adam(sp, [one * g + data * h for g, h in zip(slopes, others, strict=True)], eps) for one in (weight, 1)
    )
    return [(one - other).subs(eps, 0) for one, other in zip(light, heavy, strict=True)]


@theorem(
    "gates.adam.speed",
    source=Citation("ours", "Adam under a constant gradient"),
    statement="a penalty of constant slope g > 0 in the logits: Adam with step eta lowers each by eta lambda g/(lambda "
    "g + eps) a step; lambda counts only up to about eps/g",
    kind="identity",
    hypotheses=PAIRED,
    constants={"compared": 1.0},
    control=Control("eta, whatever lambda is", _WITNESS, {"compared": 0.0}),
)
def adam_speed(it: Instance, compared: float) -> Evidence:
    """Compare for lambda from below to above eps/g. Proof. Corrected averages of a constant are that constant."""
    slopes, eps, found = by_hand(1.0)(log_alphas(it)), 1e-8, []
    pulls = np.outer([1e-10, 1e-8, 1e-6], slopes)
    paths = _trained(lambda _: pulls.ravel(), np.zeros_like(slopes), len(pulls), eps=[eps])
    for pull, path in zip(pulls, paths, strict=True):
        stated = _RATE * pull / (pull + compared * eps)
        found.append(relative(path[-1] + _STEPS * stated, path[-1]))
    return identity(found, 1e-13)


@algebra("gates.adam.speed", compared=0)
def adam_speed_derived(sp: Any, compared: int = 1) -> Any:
    """Three steps; g stands for lambda g."""
    g, eps = sp.symbols("g eps", positive=True)
    return [step - g / (g + compared * eps) for step in _adam(sp, [g] * 3, eps)]


@theorem(
    "gates.sgd",
    source=Citation("ours", "gradient descent on the penalty alone"),
    statement="the penalty alone reaches the logits: how far gradient descent moves them is in proportion to lambda",
    kind="asymptotic",
    hypotheses=PAIRED,
    constants={"adaptive": False},
    control=Control("Adam", _WITNESS, {"adaptive": True}),
)
def sgd_scale(it: Instance, adaptive: bool) -> Evidence:
    """Fit the exponent for small lambda.

    Proof. The first step is in proportion to lambda, and a smooth gradient differs at later ones by O(lambda).
    """
    start = log_alphas(it)
    ladder = 10.0 ** -np.arange(4, 7)
    paths = _trained(_weighted([*ladder], start), start, len(ladder), adam=adaptive, eps=[1e-12])
    moved = np.abs(paths[:, -1] - start).max(axis=1)
    return slope(ladder, moved, expected=1.0, tolerance=1e-2)


@algebra("gates.sgd", adaptive=True)
def sgd_scale_derived(sp: Any, adaptive: bool = False) -> Any:
    """Two steps on any penalty with slope g, the derivative by lambda at 0; Adam moves by its rate alone."""
    a, eta, weight, g = sp.Symbol("a"), sp.Symbol("eta"), sp.Symbol("lambda", positive=True), sp.Function("g")
    at = a
    for _ in range(2):
        at -= eta * (weight * g(at) / sp.sqrt((weight * g(at)) ** 2) if adaptive else weight * g(at))
    return (at - a).diff(weight).subs(weight, 0).doit() + 2 * eta * g(a)
