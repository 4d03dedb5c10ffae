"""Scores as probabilities: SNIP and its averages, initial weights after training, a network's Jacobian."""

import math
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    algebra,
    identity,
    inequality,
    relative,
    slope,
    theorem,
)
from linreg_mirror.theorems.masks._outcomes import draws, error_of, positive, products, shares
from linreg_mirror.theorems.masks.draws import MASKED, SPREAD, by_draws, lengths, linear_model, mean_error
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


@algebra("masks.snip.mean_square", power=1)
def snip_mean_square_derived(sp: Any, power: int = 2) -> Any:
    """Two features, two samples: SNIP is the derivative by an entry of the mask; r, or y, is +-sqrt 2 e_j."""
    X, w = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22", real=True)), sp.Matrix(sp.symbols("w1 w2", real=True))
    m, y, found = sp.symbols("m1 m2"), sp.Matrix(sp.symbols("y1 y2")), []
    r = X * sp.Matrix([w[0] * m[0], w[1] * m[1]]) - y
    score = sp.Abs((r.dot(r) / 2).diff(m[0]).subs({m[0]: 1, m[1]: 1}))
    points = [sign * sp.sqrt(2) * sp.eye(2)[:, j] for sign in (1, -1) for j in (0, 1)]
    column = X[:, 0].dot(X[:, 0])
    for targets, stated in ((lambda r: X * w - r, column), (lambda r: r, column + X[:, 0].dot(X * w) ** 2)):
        averaged = sum(score.subs(dict(zip(y, targets(r), strict=True))) ** power for r in points) / 4
        found.append(averaged ** (2 // power) - w[0] ** 2 * stated)
    return found


@theorem(
    "masks.snip.single",
    source=Citation("ours", "one residual"),
    statement="draws in proportion to the SNIP scores of a single residual r: their error grows like 1/|cos(X_i, r)|, "
    "so that it has no mean over Gaussian residuals",
    kind="asymptotic",
    hypotheses=(*MASKED, _several, SPREAD),
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


@algebra("masks.snip.single", share=0.1)
def snip_single_derived(sp: Any, share: float = 0) -> Any:
    """Three features, by masks.second_moment: the error times the cosine has a limit that is not 0."""
    a, (_, *others), cosine = positive(sp), positive(sp, name="z"), sp.Symbol("cosine", positive=True)
    rho = sp.nsimplify(share)
    p = [(1 - rho) * one + rho / 3 for one in shares((cosine * a[0], *others))]
    error = sum(a_i**2 / p_i for a_i, p_i in zip(a, p, strict=True)) - sum(products(sp, a))
    return sp.limit(cosine * error, cosine, 0) - a[0] * sum(others)


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


@algebra("masks.training.end", start=0)
def training_end_derived(sp: Any, start: int = 1) -> Any:
    """Two features, one sample: w* + c X' steps to w* + (1 - eta |X|^2) c X', and w_0 is of this form."""
    (X1, X2, y, eta, c), w0 = sp.symbols("X1 X2 y eta c"), sp.Matrix(sp.symbols("w1 w2"))
    X, size = sp.Matrix([[X1, X2]]), X1**2 + X2**2
    end = start * w0 + X.T * (y - start * X.dot(w0)) / size
    w = end + c * X.T
    after = w - eta * X.T * (X.dot(w) - y)
    return [after - end - (1 - eta * size) * c * X.T, X2 * (w0 - end)[0] - X1 * (w0 - end)[1]]


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
    return identity(relative([stated - exact, computed - exact], np.sum(lengths(X, end) ** 2 / a) * a.sum()), 1e-13)


@algebra("masks.training", initial=False)
def trained_derived(sp: Any, initial: bool = True) -> Any:
    """Three features, one draw; z = |w0|."""
    z, w, l, d = positive(sp, name="z"), positive(sp, name="w"), positive(sp, name="l"), range(3)
    inner, scores = products(sp, [w[i] * l[i] for i in d]), [z[i] * l[i] for i in d]
    trained = sum(l[i] * w[i] ** 2 / z[i] for i in d) if initial else sum(w[i] * l[i] for i in d) ** 2 / sum(scores)
    return error_of(inner, draws(shares(scores), 1)) - (sum(scores) * trained - sum(inner))


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


@algebra("masks.training.bound", covered=0)
def training_bound_derived(sp: Any, covered: int = 1) -> Any:
    """Three features, by masks.second_moment: p_i = c p*_i + e_i with p*_i = a_i/sum a, and p_i = rho/d + e_i."""
    a, e, (c, rho) = positive(sp), sp.symbols("e1:4", nonnegative=True), sp.symbols("c rho", positive=True)
    bounds = (sum(a) ** 2 / c**covered, 3 / rho * sum(a_i**2 for a_i in a))
    found, d = [], range(3)
    for bound, least in zip(bounds, ([c * a_i / sum(a) for a_i in a], [rho / 3] * 3), strict=True):
        p = [least[i] + e[i] for i in d]
        more = bound - sum(a[i] ** 2 / p[i] for i in d)
        found.append((more, sum(a[i] ** 2 * e[i] / (least[i] * p[i]) for i in d)))
    return found


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


@algebra("masks.training.heavy_tail", share=0.1)
def heavy_tail_derived(sp: Any, share: float = 0) -> Any:
    """Three features, by masks.second_moment, z = |w0|: z_1 times the error has a limit that is not 0."""
    (z, w, l), rho, d = (positive(sp, name=name) for name in "zwl"), sp.nsimplify(share), range(3)
    p = [(1 - rho) * one + rho / 3 for one in shares([z[i] * l[i] for i in d])]
    error = sum((w[i] * l[i]) ** 2 / p[i] for i in d) - sum(products(sp, [w[i] * l[i] for i in d]))
    return sp.limit(z[0] * error, z[0], 0) - l[0] * w[0] ** 2 * (l[1] * z[1] + l[2] * z[2])


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


@algebra("masks.network", degree=1)
def network_derived(sp: Any, degree: int = 2) -> Any:
    """Two features, two samples, one draw; J by derivatives of X(m*w)."""
    X, theta = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22")), sp.symbols("m1 m2 w1 w2")
    output = X * sp.Matrix([theta[0] * theta[2], theta[1] * theta[3]])
    J, p1, p2, p3 = output.jacobian(theta) * sp.diag(*theta), *sp.symbols("p1:4")
    inner, p = J.T * J, (p1, p2, p3, 1 - p1 - p2 - p3)
    stated = sum(inner[i, i] / p[i] for i in range(4)) - degree**2 * output.dot(output)
    return [error_of(inner, draws(p, 1)) - stated, *(inner[i, i] - inner[2 + i, 2 + i] for i in (0, 1))]


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


@algebra("masks.network.gap", factor=0.5)
def network_gap_derived(sp: Any, factor: float = 1) -> Any:
    """Two features, one sample; J by derivatives of X(m*w)."""
    X, theta, change = sp.symbols("X1 X2"), sp.symbols("m1 m2 w1 w2"), sp.symbols("dm1 dm2 dw1 dw2")
    output = X[0] * theta[0] * theta[2] + X[1] * theta[1] * theta[3]
    moved = output.subs({one: one + by for one, by in zip(theta, change, strict=True)}, simultaneous=True)
    linear = output + sum(output.diff(one) * by for one, by in zip(theta, change, strict=True))
    return moved - linear - sp.nsimplify(factor) * sum(X[i] * change[i] * change[2 + i] for i in (0, 1))
