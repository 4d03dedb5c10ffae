"""Scores of pruning at initialisation on linear networks: what SynFlow conserves, and what GraSP says of the gradient.

Where torch is installed, scores are also those that `sketching.network_scores` takes of a network.
"""

from collections.abc import Sequence
from functools import reduce
from importlib.util import find_spec
from itertools import pairwise, product
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, identity, relative, theorem
from linreg_mirror.problems import Problem
from linreg_mirror.theorems.masks.draws import PAIRED, by_tosses, linear_model
from sketching import scores

_HAS_TORCH = find_spec("torch") is not None
_WITNESS = "planted/biased/0"


def _layers(it: Instance) -> list[Array]:
    """Return W_1, W_2 and W_3: samples as units, with features as inputs, and random layers of three and two units."""
    X, _, _ = linear_model(it)
    rng = it.generator()
    first = X[:4] / np.abs(X).max()
    return [first, rng.standard_normal((3, len(first))), rng.standard_normal((2, 3))]


def _flow(weights: Sequence[Array]) -> float:
    """Return R = 1'|W_L| ... |W_1|1."""
    inputs = np.ones(weights[0].shape[1])
    return float(reduce(lambda signal, W: np.abs(W) @ signal, weights, inputs).sum())


def _through(weights: Sequence[Array]) -> list[Array]:
    """Return the part of R that goes through each weight: R with all others of its layer 0."""
    found = []
    for layer, W in enumerate(weights):
        parts = np.zeros(W.shape)
        for i, j in product(*map(range, W.shape)):
            only = np.zeros(W.shape)
            only[i, j] = W[i, j]
            parts[i, j] = _flow([*weights[:layer], only, *weights[layer + 1 :]])
        found.append(parts)
    return found


def _in_torch(weights: Sequence[Array]) -> Any:
    """Return the linear network of these layers."""
    import torch

    model = torch.nn.Sequential(*(torch.nn.Linear(*W.shape[::-1], bias=False) for W in weights)).double()
    with torch.no_grad():
        for layer, W in zip(model, weights, strict=True):
            layer.get_parameter("weight").copy_(torch.as_tensor(W))
    return model


def _synflow(weights: Sequence[Array]) -> list[Array]:
    """Return SynFlow's scores, as the package computes them; without torch, the parts of R."""
    if not _HAS_TORCH:
        return _through(weights)
    from sketching import network_scores

    found = network_scores.synflow(_in_torch(weights), (weights[0].shape[1],))
    return [found[f"{layer}.weight"].numpy() for layer in range(len(weights))]


@theorem(
    "masks.synflow",
    source=Citation("TKYG20", "Thms 1 and 2"),
    statement="linear network, R = 1'|W_L| ... |W_1|1: SynFlow's score |w dR/dw| is the part of R that goes through w; "
    "scores into a unit and out of it have one sum, those of a layer add up to R; of x = m*w, m_i and w_i have |x_i|",
    kind="identity",
    hypotheses=PAIRED,
    constants={"mean": False},
    control=Control("the mean score of all layers is the same", _WITNESS, {"mean": True}),
)
def synflow(it: Instance, mean: bool) -> Evidence:
    """Compare with R when all other weights of a layer are 0, on three layers and on x = m*w as two.

    So the mean score of a layer falls with its size: thresholds for all layers empty the largest first.

    Proof. R is linear in the absolute weights of a layer, |w dR/dw| its part with this weight, and these parts add up
    to R. What enters a unit is what leaves it: both are the part of R that goes through the unit.
    """
    weights = _layers(it)
    R, taken, parts = _flow(weights), _synflow(weights), _through(weights)
    found = [relative(one - other, R) for one, other in zip(taken, parts, strict=True)]
    for into, out in pairwise(taken):
        found.append(relative(into.sum(axis=1) - out.sum(axis=0), R))
    totals = [(one.mean() - taken[0].mean() if mean else one.sum() - R) for one in taken]
    m, w = it.hadamard.m0[:5], it.hadamard.w0[:5]
    first, second = _synflow([np.diag(m), w[None]])
    x = scores.synflow(m * w)
    found += [relative(totals, R), relative([np.diag(first) - x, second[0] - x], x)]
    return identity(found, 1e-14)


@algebra("masks.synflow", mean=True)
def synflow_derived(sp: Any, mean: bool = False) -> Any:
    """Two layers, of three inputs, two units and one output; absolute weights in place of weights."""
    W, V = sp.Matrix(2, 3, sp.symbols("W1:7", positive=True)), sp.Matrix(1, 2, sp.symbols("V1:3", positive=True))
    R = (V * W * sp.ones(3, 1))[0, 0]
    into, out = W.applyfunc(lambda one: one * R.diff(one)), V.applyfunc(lambda one: one * R.diff(one))
    units = [sum(into[i, :]) - out[0, i] for i in (0, 1)]
    totals = [sum(into) / 6 - sum(out) / 2] if mean else [sum(into) - R, sum(out) - R]
    return [*units, *totals]


@theorem(
    "masks.grasp",
    source=Citation("WZG20", "score; with its squares: ours"),
    statement="linear model, g = X'(Xw - y), H = X'X: to take away the weights of S changes |g|^2 by -2 times the sum "
    "over S of GraSP's scores w_i (Hg)_i, plus |sum over S of w_i H_i|^2; at y = 0 all scores add up to |g|^2",
    kind="identity",
    hypotheses=PAIRED,
    constants={"slope": 2.0},
    control=Control("without 2", _WITNESS, {"slope": 1.0}),
)
def grasp(it: Instance, slope: float) -> Evidence:
    """Compare with gradients of the loss at all masks, and the scores with those of the network.

    Proof. The loss is of degree 2: where w_S is taken away its gradient is g - H w_S, whose square this is. At y = 0
    g = Hw, and <w, Hg> = <g, g>.
    """
    X, w, _ = linear_model(it)
    y, (_, masks) = it.problem.y, by_tosses(np.full(w.size, 0.5))
    problem, taken = Problem(X, y), scores.grasp(X, w, y)
    before = np.sum(problem.gradient(w) ** 2)
    change = [np.sum(problem.gradient(mask * w) ** 2) - before for mask in masks]
    stated = -slope * (1 - masks) @ taken + np.sum(((1 - masks) * w @ X.T @ X) ** 2, axis=1)
    at_zero = np.sum(Problem(X, 0 * y).gradient(w) ** 2)
    sizes = np.abs(X)  # of terms, which cancel where g is small
    slopes, slopes_at_zero = (sizes.T @ (sizes @ np.abs(w) + size) for size in (np.abs(y), 0 * y))
    found = [
        relative(change - stated, np.sum(slopes**2)),
        relative(scores.grasp(X, w, 0 * y).sum() - at_zero, np.sum(slopes_at_zero**2)),
    ]
    if _HAS_TORCH:
        terms = np.abs(w) * (sizes.T @ (sizes @ slopes))
        found.append(relative(_grasp_of_network(X, w, y) - taken, terms))
    return identity(found, 1e-14)


def _grasp_of_network(X: Array, w: Array, y: Array) -> Array:
    import torch

    from sketching import network_scores

    found = network_scores.grasp(
        _in_torch([w[None]]),
        lambda outputs, targets: (outputs - targets).square().sum() / 2,
        torch.as_tensor(X.copy()),
        torch.as_tensor(y[:, None].copy()),
    )
    return found["0.weight"].numpy()[0]


@algebra("masks.grasp", slope=1)
def grasp_derived(sp: Any, slope: int = 2) -> Any:
    """Two features, two samples; one weight taken away, and both."""
    X, w = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22")), sp.Matrix(sp.symbols("w1 w2"))
    y, (m1, m2) = sp.Matrix(sp.symbols("y1 y2")), sp.symbols("m1 m2")
    r = X * w - y
    g = sp.Matrix([(r.dot(r) / 2).diff(one) for one in w])
    H, square = g.jacobian(w), g.dot(g)
    taken = [w[i] * (H * g)[i] for i in (0, 1)]
    masked = square.subs({w[0]: m1 * w[0], w[1]: m2 * w[1]}, simultaneous=True)
    found = []
    for mask in ((0, 1), (0, 0)):
        lost = sp.Matrix([(1 - mask[i]) * w[i] for i in (0, 1)])
        stated = (H * lost).dot(H * lost) - slope * sum((1 - mask[i]) * taken[i] for i in (0, 1))
        found.append(masked.subs({m1: mask[0], m2: mask[1]}) - square - stated)
    return [*found, (sum(taken) - square).subs(dict.fromkeys(y, 0))]
