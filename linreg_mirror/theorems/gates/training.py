"""What optimisers make of the weight lambda of an L0 penalty: Adam cancels it where nothing else reaches the logits.

The penalty is lambda sum c_i P(z_i > 0), c_i the cost of gate i; logits start at those of `gates`. Where torch is
installed the optimiser is the one that methods with gates use, and what it is compared with is written in NumPy.
"""

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, relative, slope, theorem
from linreg_mirror.theorems.gates.as_trained import Gradient, by_adam, by_hand, optimised, penalty
from linreg_mirror.theorems.gates.hard_concrete import log_alphas
from linreg_mirror.theorems.masks.draws import PAIRED, linear_model

_WITNESS = "planted/biased/0"
_STEPS, _RATE = 100, 0.02


def _trained(gradient: Gradient, start: Array, adam: bool = True, eps: float = 1e-8) -> Array:
    return optimised(gradient, start, _RATE, _STEPS, adam, eps)


def _constant(slopes: Array) -> Gradient:
    return lambda _: slopes


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
    start, found = log_alphas(it), []
    costs = np.arange(1.0, start.size + 1)
    for weight in (1e-9, 5e-7, 0.1):
        scaled = _trained(penalty(weight * costs), start)
        plain = by_adam(by_hand(1.0), start, 1e-8 / (weight * costs) ** divided, _RATE, _STEPS)
        found.append(relative(scaled - plain, plain - start))
    return identity(found, 1e-13)


@theorem(
    "gates.adam.limit",
    source=Citation("ours", "eps is all that lambda is compared with"),
    statement="the penalty alone reaches the logits: the ways of Adam with lambda and with 1 differ by O(eps/lambda)",
    kind="asymptotic",
    hypotheses=PAIRED,
    constants={"data": 0.0},
    control=Control("the data loss reaches the logits too", _WITNESS, {"data": 1.0}),
)
def adam_limit(it: Instance, data: float) -> Evidence:
    """Fit the exponent, lambda = 1/100.

    Proof. Adam divides a gradient lambda g by the root of a mean of squares lambda^2 g^2, plus eps: the same as g
    by that of g^2, plus eps/lambda. Steps depend smoothly on that.
    """
    start, loss = log_alphas(it), _data(it)
    light, heavy = penalty(1e-2), penalty(1.0)
    ladder, apart = 10.0 ** -np.arange(8, 12), []
    for eps in ladder:
        one = _trained(lambda a: light(a) + data * loss(a), start, eps=eps)
        other = _trained(lambda a: heavy(a) + data * loss(a), start, eps=eps)
        apart.append(np.abs(one - other).max())
    return slope(ladder, apart, expected=1.0, tolerance=1e-2)


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
    for weight in (1e-10, 1e-8, 1e-6):
        pull = weight * slopes
        path = _trained(_constant(pull), np.zeros_like(pull), eps=eps)
        stated = _RATE * pull / (pull + compared * eps)
        found.append(relative(path[-1] + _STEPS * stated, path[-1]))
    return identity(found, 1e-13)


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
    ladder, moved = 10.0 ** -np.arange(3, 7), []
    for weight in ladder:
        path = _trained(penalty(weight), start, adam=adaptive, eps=1e-12)
        moved.append(np.abs(path[-1] - start).max())
    return slope(ladder, moved, expected=1.0, tolerance=1e-2)
