"""Scores as probabilities: SNIP and its averages, initial weights after training, a network's Jacobian."""

import math

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    identity,
    inequality,
    relative,
    slope,
    theorem,
)
from linreg_mirror.theorems.masks.draws import MASKED, by_draws, lengths, linear_model, mean_error
from sketching import mask_moments, moments, scores, training

_WITNESS = "planted/biased/0"
_several = Hypothesis("two samples or more", lambda it: it.problem.n >= 2)


@theorem(
    "masks.snip.mean_square",
    source=Citation("SK", "idea; formula: ours"),
    statement="residuals r with E rr' = I: E SNIP_i^2 = w_i^2 |X_i|^2; targets y with E yy' = I, E y = 0: "
    "w_i^2 (|X_i|^2 + (X'Xw)_i^2)",
    kind="identity",
    hypotheses=(*MASKED, _several),
    constants={"power": 2.0},
    control=Control("the mean of |SNIP|", _WITNESS, {"power": 1.0}),
)
def snip_mean_square(it: Instance, power: float) -> Evidence:
    """Average over r, or y, in {+- sqrt(n) e_j}, of mean 0 and covariance I: no other moments matter to squares."""
    X, w, _ = linear_model(it)
    points = np.sqrt(len(X)) * np.concatenate([np.eye(len(X)), -np.eye(len(X))])

    def averaged(targets: Array) -> Array:
        return np.mean([scores.snip(X, w, y) ** power for y in targets], axis=0) ** (1 / power)

    over_residuals, over_targets = averaged(X @ w - points), averaged(points)
    found = [
        relative(over_residuals - scores.rms_snip(X, w), over_residuals),
        relative(over_targets - scores.rms_snip(X, w, "targets"), over_targets),
    ]
    return identity(found, 1e-13)


@theorem(
    "masks.snip.single",
    source=Citation("ours", "one residual"),
    statement="draws in proportion to the SNIP scores of a single residual r: their error grows like 1/|cos(X_i, r)|, "
    "so that it has no mean over Gaussian residuals",
    kind="asymptotic",
    hypotheses=(*MASKED, _several),
    constants={"share": 0.0},
    control=Control("with a share of uniform draws it is bounded", _WITNESS, {"share": 0.1}),
)
def snip_single(it: Instance, share: float) -> Evidence:
    """Turn a residual until it is almost orthogonal to the heaviest column; its cosine has a positive density at 0.

    Proof. By masks.second_moment the error has the term |X_i|^2 w_i^2/(k p_i), and p_i = |w_i||X_i||r||cos(X_i, r)|
    over the sum of all scores, which does not vanish with the cosine; the other terms stay bounded. The cosine with
    a Gaussian r has a density that is not zero at 0, over which 1/|cos| has no integral.
    """
    X, w, k = linear_model(it)
    i = int(np.argmax(lengths(X, w)))  # where the leading term is not a small one
    heaviest = X[:, i] / np.linalg.norm(X[:, i])
    r = np.cos(np.arange(1, len(X) + 1))
    r -= heaviest * (heaviest @ r)
    cosines, errors = 10.0 ** -np.arange(7, 10), []
    for cosine in cosines:
        one = scores.snip(X, w, X @ w - (r / np.linalg.norm(r) + cosine * heaviest))
        p = (1 - share) * one / one.sum() + share / w.size
        errors.append(mean_error(X, w, by_draws(p, k)))
    return slope(cosines, errors, expected=-1.0, tolerance=1e-2)


def _training(it: Instance) -> tuple[Array, Array, Array, int]:
    """Return X with fewer samples than features, initial weights, where gradient descent leads them, and k."""
    X, w0, k = linear_model(it)
    few = min(3, w0.size - 1)
    X, y = X[:few], it.problem.y[:few]
    return X, w0, training.trained_from(X, y, w0), k


@theorem(
    "masks.training.end",
    source=Citation("ours", "gradient descent without penalty"),
    statement="gradient descent on |Xw - y|^2 from w0 ends in w* = w0 + X^+(y - X w0)",
    kind="identity",
    hypotheses=MASKED,
    constants={"start": 1.0},
    control=Control("w* = X^+ y, where it ends from 0", _WITNESS, {"start": 0.0}),
)
def training_end(it: Instance, start: float) -> Evidence:
    """Compare with gradient descent itself, 2^j steps at once by composing its affine map with itself.

    Proof. Steps stay in w0 + the row space of X, and below 2 over the largest eigenvalue of X'X they converge to a
    minimiser; w0 + X^+(y - X w0) is the one in there.
    """
    X, w0, _, _ = _training(it)
    y = it.problem.y[: len(X)]
    stated = training.trained_from(X, y, start * w0)
    sizes = np.linalg.svd(X, compute_uv=False) ** 2
    slowest = sizes[sizes > 1e-12 * sizes[0]][-1]
    doublings = math.ceil(math.log2(40 * sizes[0] / slowest))  # what is left is below exp(-40)
    turn, shift = np.eye(w0.size) - X.T @ X / sizes[0], X.T @ y / sizes[0]
    for _ in range(doublings):
        turn, shift = turn @ turn, turn @ shift + shift
    rounding = 4 * w0.size * float(np.finfo(float).eps) * 2.0**doublings  # each doubling doubles what there was
    return identity(relative(turn @ w0 + shift - stated, [w0, stated]), rounding)


@theorem(
    "masks.training",
    source=Citation("SK", "idea; formula: ours, by DKM06"),
    statement="p_i ~ |X_i||w0_i|, trained weights w*: E|X(w* * m) - Xw*|^2 = [sum |X_j||w0_j| sum |X_i| w*_i^2/|w0_i| "
    "- |Xw*|^2]/k",
    kind="identity",
    hypotheses=MASKED,
    constants={"initial": True},
    control=Control("as if drawn by the trained weights", _WITNESS, {"initial": False}),
)
def trained(it: Instance, initial: bool) -> Evidence:
    X, w0, end, k = _training(it)
    a, norms = lengths(X, w0), np.linalg.norm(X, axis=0)
    exact = mean_error(X, end, by_draws(a / a.sum(), k))
    ratio = np.sum(norms * end**2 / np.abs(w0)) if initial else np.sum(lengths(X, end)) ** 2 / a.sum()
    stated = (a.sum() * ratio - np.sum((X @ end) ** 2)) / k
    computed = training.after_training(X, w0, end, k).error.second_moment
    return identity(relative([stated - exact, computed - exact], exact), 1e-13)


@theorem(
    "masks.training.bound",
    source=Citation("SK", "idea; bounds: ours, by DKM06"),
    statement="p >= c p*: E|X(w* * m) - Xw*|^2 <= [(sum |X_i||w*_i|)^2/c - |Xw*|^2]/k; p_i >= rho/d: <= [(d/rho) "
    "sum |X_i|^2 w*_i^2 - |Xw*|^2]/k",
    kind="inequality",
    hypotheses=MASKED,
    constants={"covered": 1.0},
    control=Control("c = 1, as if p were optimal", _WITNESS, {"covered": 0.0}),
)
def training_bound(it: Instance, covered: float) -> Evidence:
    """Compare on the way from w0 to w*, for several shares rho; attained at w0 with rho = 0, and everywhere at rho = 1.

    Proof. 1/p_i <= 1/(c p*_i), or d/rho, in the exact error.
    """
    X, w0, end, k = _training(it)
    left, right = [], []
    for way in (0.0, 0.1, 0.5, 1.0):
        w = w0 + way * (end - w0)
        for share in (0.0, 0.1, 0.5, 1.0):
            p = (1 - share) * lengths(X, w0) / lengths(X, w0).sum() + share / w.size
            found = training.after_training(X, w0, w, k, share)
            signal = found.error.signal
            left += [mean_error(X, w, by_draws(p, k))] * 2
            right += [
                ((k * found.coverage_bound + signal) * found.coverage ** (1 - covered) - signal) / k,
                found.share_bound,
            ]
    return inequality(left, right, scale=max(left))


@theorem(
    "masks.training.heavy_tail",
    source=Citation("ours", "weights that begin close to 0"),
    statement="p_i ~ |X_i||w0_i|: the error on trained weights grows like 1/|w0_i| as a weight begins closer to 0, so "
    "that it has no mean over Gaussian w0",
    kind="asymptotic",
    hypotheses=MASKED,
    constants={"share": 0.0},
    control=Control("with a share of uniform draws it is bounded", _WITNESS, {"share": 0.1}),
)
def heavy_tail(it: Instance, share: float) -> Evidence:
    """Fit the exponent; E 1/|w0_i| is infinite, because the density of w0_i does not vanish at 0.

    Proof. By masks.training the error has the term |X_i| w*_i^2 sum |X_j||w0_j| / (k |w0_i|), and w*_i tends to
    what training makes of a weight that begins at 0.
    """
    X, w0, _, k = _training(it)
    y, features = it.problem.y[: len(X)], np.arange(w0.size)
    # The weight that training moves the farthest from there: of others the leading term is a small one.
    moved = [lengths(X, training.trained_from(X, y, np.where(features == i, 0.0, w0)))[i] for i in features]
    heaviest = int(np.argmax(moved))
    starts, errors = 10.0 ** -np.arange(12, 16), []
    for start in starts:
        w0 = np.where(features == heaviest, start, w0)
        end = training.trained_from(X, y, w0)
        p = (1 - share) * lengths(X, w0) / lengths(X, w0).sum() + share / w0.size
        errors.append(mean_error(X, end, by_draws(p, k)))
    return slope(starts, errors, expected=-1.0, tolerance=1e-2)


def _network(it: Instance) -> tuple[Array, Array, Array, int]:
    """Return X, the parameters (m, w) of x = m*w, and the Jacobian of Xx in them, for two features."""
    X, _, _ = linear_model(it, features=2)
    theta = np.concatenate([it.hadamard.m0[:2], it.hadamard.w0[:2]])
    return X, theta, np.hstack([X * theta[2:], X * theta[:2]]), 3


@theorem(
    "masks.network",
    source=Citation("SK", "idea; formula: ours, by DKM06"),
    statement="network X(m*w), masks on m and w, linearised at theta = (m, w): E|J(theta * mask) - J theta|^2 = (sum "
    "|J_i|^2 theta_i^2/p_i - 4|X(m*w)|^2)/k, least for p_i ~ |J_i||theta_i|, the same for m_i and w_i",
    kind="identity",
    hypotheses=MASKED,
    constants={"degree": 2},
    control=Control("|X(m*w)|^2, as if J theta were the output", _WITNESS, {"degree": 1}),
)
def network(it: Instance, degree: int) -> Evidence:
    """Compare for several p. The output is of degree 2 in theta, so that J theta is twice the output."""
    X, theta, J, k = _network(it)
    output = X @ (theta[:2] * theta[2:])
    best, found = lengths(J, theta), []
    for one in (best, np.abs(theta), np.ones(4)):
        p = one / one.sum()
        exact = mean_error(J, theta, by_draws(p, k))
        stated = (np.sum(best**2 / p) - degree**2 * np.sum(output**2)) / k
        computed = moments.sketch_error(J, theta, mask_moments.with_replacement(one, k, rescale=True)).second_moment
        found.append([stated - exact, computed - exact])
    return identity(relative([*np.ravel(found), *(best[:2] ** 2 - best[2:] ** 2)], best.sum() ** 2), 1e-12)


@theorem(
    "masks.network.gap",
    source=Citation("ours", "linearisation gap"),
    statement="network X(m*w): f(theta * mask) - [f(theta) + J(theta * mask - theta)] = X(dm * dw), dm and dw what the "
    "mask changes of m and w",
    kind="identity",
    hypotheses=MASKED,
    constants={"factor": 1.0},
    control=Control("half of that, as of a square", _WITNESS, {"factor": 0.5}),
)
def network_gap(it: Instance, factor: float) -> Evidence:
    """Compare on every mask.

    Proof. (m + dm) * (w + dw) = m*w + m*dw + w*dm + dm*dw, and J is the derivative, of the two terms in the middle.
    """
    X, theta, J, k = _network(it)
    p = moments.optimal_probabilities(J, theta)
    changes = (by_draws(p, k)[1] - 1) * theta
    masked = theta + changes
    output = (theta[:2] * theta[2:]) @ X.T
    gap = (masked[:, :2] * masked[:, 2:]) @ X.T - output - changes @ J.T
    stated = factor * (changes[:, :2] * changes[:, 2:]) @ X.T
    return identity(relative(gap - stated, gap), 1e-13)
