"""The part of a path's error that is known, carried from step to step, and a bound on the rest, compiled.

The error e of a path u with the defect delta = u' - F(t, u) obeys e' = -K e + delta, where K is an average of
H = rate X diag(metric) X' between the two paths, symmetric and positive semidefinite. Let p be known. Then r = e - p
obeys r' = -K r + rho with rho = delta - p' - K p. Split rho = a + c, and let A be the integral of a since the step
began. Then q = r - A obeys q' = -K q + c - K A, so that

    (|q|^2)' = -2 |q|_K^2 + 2 <q, c - K A> <= (|c|_(K^-1) + |A|_K)^2 / 2,  and after a step from |r_0|
    |r - A| <= sqrt(|r_0|^2 + int (|c|_(K^-1) + |A|_K)^2 / 2).

What is known after the step is p + A. The root is what a stiff direction needs: there a defect is as large as the error
times a large eigenvalue of K, and forgotten at once.

Any p is right, and a good one leaves little of the defect. With F = (I + gamma h H)^-1 it is the sum of

- exp(-theta h H) p_0, to order 2, by polynomials in theta and powers of F, which vanish at the end in stiff directions,
- the integral of F delta, the error that the step itself makes in soft directions,
- w = gamma h (I - F)^2 F delta, what a defect leaves in stiff ones, where it is balanced at once.

Here a = F^2 rho: with F alone what is known would grow in stiff directions. Then c = H v, v = gamma h (F + F^2) rho,
and |A|_H^2 = (<A, int F rho> - |A|^2)/(gamma h). K lies between H times the least and H times the largest ratio by
which an entry of the metric changes along the step. |e| grows by h max |delta| at most: where the bound is no better
than that, or does not bear itself, nothing is known any more.

Three things are estimated, not enclosed. A and the integral of F delta are quadratures, to which estimates of their
errors are added. So is what rounding makes of the field, where F lets it pass, and of s. Of |delta|, |c|, |A|_K and the
metric the largest of the samples counts for all of the step.
"""

import math
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous.dual_field import inlined, size_of, solve, solve_six
from linreg_mirror.solvers.continuous.quadrature import INTEGRALS, LAST, POINTS, SLOPES
from linreg_mirror.solvers.continuous.rodas5p import GAMMA

SAMPLES = len(POINTS)


def _decays(theta: Array) -> tuple[Array, Array]:
    """Return weights of F^j, j = 0 to 3, of which exp(-theta h H) is the sum to order 2 in h H, and their slopes."""
    kept, t, half = (1 - theta) ** 3, theta / GAMMA, 0.5 * (theta / GAMMA) ** 2
    falls, t_slope, half_slope = 3 * (1 - theta) ** 2, 1 / GAMMA, theta / GAMMA**2
    return (
        np.stack([kept, *_of_powers(1 - kept, t, half)], axis=-1),
        np.stack([-falls, *_of_powers(falls, t_slope, half_slope)], axis=-1),
    )


def _of_powers(total: Array, first: Array | float, second: Array) -> tuple[Array, Array, Array]:
    """Return weights of F, F^2, F^3 that sum to a total and match the terms of first and second order."""
    return 3 * total - 3 * first + second, 5 * first - 2 * second - 3 * total, second - 2 * first + total


DECAYS, FALLS = _decays(POINTS)


@inlined
def room_for(n: int, d: int) -> tuple[Array, ...]:  # pragma: no cover - compiled
    """Return what `carry` writes to."""
    powers, products, pulls = np.empty((DECAYS.shape[1], n)), np.empty((SAMPLES, d)), np.empty(SAMPLES)
    rows = np.empty((5, SAMPLES, n))
    return powers, rows[0], rows[1], rows[2], rows[3], rows[4], products, pulls


@inlined
def carry(
    h: float, X: Array, rate: float, L: Array, ratios: tuple[float, float], longest: float, noise: float,
    metrics: Array, defects: Array, soft: Array, known: Array, rest: float, room: Any,
) -> float:  # fmt: skip  # pragma: no cover - compiled
    """Carry what is known of the error through a step, in place, and return the bound on the rest of it.

    L is the factor of M, `ratios` are the least and the largest one of the metric, `longest` is the length of the
    longest column of X, `noise` is what rounding makes of the field; metrics, shape (samples, d), defects and F times
    these, shape (samples, n), are along the step.
    """
    path, left, products, pulls = room[1], room[2], room[6], room[7]
    plain = 0.0
    for k in range(SAMPLES):
        plain = max(plain, h * size_of(defects[k]))
    plain += rest + size_of(known)
    rounding = noise * _passed(h, L, defects[1], room[0][0])
    unseen = _unseen(h, soft, left)
    _write_path(h, L, defects, soft, known, room[0], path, left)
    largest = 0.0
    for k in range(SAMPLES):
        largest = max(largest, size_of(path[k]))
    np.dot(path, X, products)
    at_start = 0.0  # |p|^2 in the norm of the step's H
    for k in range(SAMPLES):
        total = there = 0.0  # |p|^2 in the norm of H there
        for l in range(X.shape[1]):
            product = rate * products[k, l]
            total += metrics[0, l] * product * products[k, l]
            there += metrics[k, l] * product * products[k, l]
            products[k, l] = metrics[k, l] * product
        at_start, pulls[k] = max(at_start, total), there
    pulled = np.dot(products, X.T)
    for i in range(X.shape[0]):
        known[i] = path[SAMPLES - 1, i]
        for k in range(SAMPLES):
            left[k, i] -= pulled[k, i]
    tilted = pulls.max()
    unseen += 0.71 * _unevenness(metrics) * math.sqrt(h * at_start)  # as sqrt(z)/(1 + gamma z)^2 < 0.71
    rest = _rest_after(h, L, ratios, longest, largest, tilted, unseen, left, known, rest, room)
    if rest + size_of(known) < plain:
        return rest + rounding
    for i in range(known.size):
        known[i] = 0.0
    return plain + rounding


@inlined
def _write_path(
    h: float, L: Array, defects: Array, soft: Array, known: Array, powers: Array, path: Array, left: Array
) -> None:  # pragma: no cover - compiled
    """Write p and, so far, delta - p'."""
    for k in range(SAMPLES):
        for i in range(known.size):
            path[k, i] = GAMMA * h * soft[k, i]
    for _ in range(2):
        _filter(h, L, path, left)
        for k in range(SAMPLES):
            for i in range(known.size):
                path[k, i] -= left[k, i]
    for i in range(known.size):
        powers[0, i] = known[i] - path[0, i]
    for j in range(1, powers.shape[0]):
        for i in range(known.size):
            powers[j, i] = powers[j - 1, i] / (GAMMA * h)
        solve(L, powers[j])
    for k in range(SAMPLES):
        for i in range(known.size):
            left[k, i] = defects[k, i] - soft[k, i]
    _add(-1.0 / h, SLOPES, path, left)
    _add(-1.0 / h, FALLS, powers, left)
    _add(h, INTEGRALS, soft, path)
    _add(1.0, DECAYS, powers, path)


@inlined
def _add(factor: float, weights: Array, rows: Array, out: Array) -> None:  # pragma: no cover - compiled
    """Add weighted sums of rows."""
    for k in range(out.shape[0]):
        for j in range(rows.shape[0]):
            weight = factor * weights[k, j]
            for i in range(out.shape[1]):
                out[k, i] += weight * rows[j, i]


@inlined
def _filter(h: float, L: Array, rows: Array, out: Array) -> None:  # pragma: no cover - compiled
    """Write F times each row."""
    for k in range(SAMPLES):
        for i in range(rows.shape[1]):
            out[k, i] = rows[k, i] / (GAMMA * h)
    solve_six(L, out)


@inlined
def _rest_after(
    h: float, L: Array, ratios: tuple[float, float], longest: float, largest: float, tilted: float, unseen: float,
    rho: Array, known: Array, rest: float, room: Any,
) -> float:  # fmt: skip  # pragma: no cover - compiled
    """Return the bound on |r - A| and add A to what is known; return infinity, where the bound does not bear itself."""
    least, most = ratios
    once, twice, areas, wholes = room[1], room[3], room[4], room[5]
    _filter(h, L, rho, once)
    _filter(h, L, once, twice)
    for k in range(SAMPLES):
        for i in range(known.size):
            areas[k, i] = wholes[k, i] = 0.0
    _add(1.0, INTEGRALS, twice, areas)
    _add(1.0, INTEGRALS, once, wholes)
    far, forgotten = 0.0, 0.0
    for k in range(SAMPLES):
        stiff = pull = 0.0
        for i in range(known.size):
            stiff += (once[k, i] + twice[k, i]) * (rho[k, i] - twice[k, i])
            pull += areas[k, i] * (wholes[k, i] - areas[k, i])
        stiff = math.sqrt(max(GAMMA * h * stiff, 0.0) / least)
        forgotten = max(forgotten, stiff + math.sqrt(max(h * pull / GAMMA, 0.0) * most))
        far = max(far, h * size_of(areas[k]))
    # While |e| stays below a guess, K stays that close to H; if the bound then is below the guess, |e| is.
    guess = 2 * (largest + far + unseen + math.sqrt(rest * rest + 0.5 * h * forgotten * forgotten))
    near = math.exp(longest * guess)
    forgotten = near * (forgotten + (near * near - 1.0) * math.sqrt(tilted))
    after = unseen + math.sqrt(rest * rest + 0.5 * h * forgotten * forgotten)
    if not largest + far + after <= guess:
        return math.inf
    for i in range(known.size):
        known[i] += h * areas[SAMPLES - 1, i]
    return after


@inlined
def _passed(h: float, L: Array, signs: Array, probe: Array) -> float:  # pragma: no cover - compiled
    """Return h times the share of a vector of random signs that F keeps."""
    for i in range(signs.size):
        probe[i] = math.copysign(1.0, signs[i]) / (GAMMA * h)
    solve(L, probe)
    return h * size_of(probe) / math.sqrt(signs.size)


@inlined
def _unseen(h: float, soft: Array, ends: Array) -> float:  # pragma: no cover - compiled
    """Estimate what the quadrature of F delta misses.

    The coefficients of Legendre's polynomials fall on as the last two do; from degree 10 on the rule sees them.
    """
    ends[:2] = 0.0
    _add(h, LAST, soft, ends[:2])
    before, last = size_of(ends[0]), size_of(ends[1])
    fall = last / before if before > 0.0 else 0.0
    return last * fall**5 / (1.0 - fall * fall) if fall < 1.0 else math.inf


@inlined
def _unevenness(metrics: Array) -> float:  # pragma: no cover - compiled
    """Estimate the largest change of degree 4 and above in an entry of the metric, relative to where the step began."""
    largest = 0.0
    for l in range(metrics.shape[1]):
        before, last = 0.0, 0.0
        for k in range(SAMPLES):
            before += LAST[0, k] * metrics[k, l]
            last += LAST[1, k] * metrics[k, l]
        if metrics[0, l] > 0.0:
            largest = max(largest, (abs(before) + abs(last)) / metrics[0, l])
    return largest
