"""What one step adds to the bound on the error of a numerical path, compiled.

The error e of a path u with the defect delta = u' - F(t, u) obeys e' = -K e + delta, where K is an average of
H = rate X diag(metric) X' between the two paths, symmetric and positive semidefinite. Split delta = a + c, and let A be
the integral of a since the step began. Then r = e - A obeys r' = -K r + c - K A, so that

    (|r|^2)' = -2 |r|_K^2 + 2 <r, c - K A> <= (|c|_(K^-1) + |A|_K)^2 / 2,  and after a step from |e_0|
    |e| <= |A| + sqrt(|e_0|^2 + int (|c|_(K^-1) + |A|_K)^2 / 2).

Defects change their signs within a step: |A| is the error of one step, of order 6, and int |delta| is of order 5. The
root is what a stiff direction needs: there a defect is as large as the error times a large eigenvalue of K, and
forgotten at once. The step's own matrix M = I/(gamma h) + H splits: with v = M^-1 delta, a = v/(gamma h), c = H v,
|c|^2 in the norm of H^-1 is <v, delta> - |v|^2/(gamma h), and |A|_H^2 = (<A, int delta> - |A|^2)/(gamma h). K lies
between H times the least and H times the largest ratio by which an entry of the metric changes along the step. The
smaller one of this bound and of |e_0| + h max |delta| counts.

Two things are estimated, not enclosed. A is a quadrature, to which an estimate of its error is added. Of |delta|,
|c|, |A|_K and the metric the largest of the samples counts for all of the step.
"""

import math

from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous.dual_field import inlined, size_of, solve
from linreg_mirror.solvers.continuous.quadrature import INTEGRALS, LAST, POINTS
from linreg_mirror.solvers.continuous.rodas5p import GAMMA

SAMPLES = len(POINTS)


@inlined
def write_defect(
    h: float, theta: float, s: Array, after: Array, dense: Array, f: Array, defect: Array
) -> None:  # pragma: no cover - compiled
    """Write the path's slope at t + theta h less its field f there."""
    rest = 1 - theta
    for i in range(s.size):
        bend = dense[0, i] + theta * (dense[1, i] + theta * dense[2, i])
        slope = after[i] - s[i] + (rest - theta) * bend + theta * rest * (dense[1, i] + 2 * theta * dense[2, i])
        defect[i] = slope / h - f[i]


@inlined
def split(h: float, L: Array, defect: Array, soft: Array) -> float:  # pragma: no cover - compiled
    """Write a, and return |c|^2 in the norm of H^-1; L is the factor of M."""
    for i in range(defect.size):
        soft[i] = defect[i]
    solve(L, soft)
    product = 0.0
    for i in range(defect.size):
        product += soft[i] * defect[i]
        soft[i] /= GAMMA * h
    size = size_of(soft)
    return max(product - GAMMA * h * size * size, 0.0)


@inlined
def _sum(weights: Array, rows: Array, total: Array) -> float:  # pragma: no cover - compiled
    """Write a weighted sum of rows, and return its size."""
    for i in range(total.size):
        total[i] = 0.0
    for k in range(SAMPLES):
        for i in range(total.size):
            total[i] += weights[k] * rows[k, i]
    return size_of(total)


@inlined
def error_after(
    h: float, error: float, longest: float, least: float, most: float, defects: Array, soft: Array, stiff: Array,
    A: Array, whole: Array,
) -> float:  # fmt: skip  # pragma: no cover - compiled
    """Return the bound on |e| after a step from |e| <= error.

    `longest` is the length of the longest column of X, `least` and `most` are the ratios of the metric; A and `whole`
    are room for the integrals of a and of the defect.
    """
    plain = 0.0
    for k in range(SAMPLES):
        plain = max(plain, h * size_of(defects[k]))
    # The coefficients of Legendre's polynomials fall on as the last two do; from degree 10 on the rule sees them.
    before, last = h * _sum(LAST[0], soft, A), h * _sum(LAST[1], soft, A)
    fall = last / before if before > 0.0 else 0.0
    if not fall < 1.0:
        return error + plain
    unseen = last * fall**5 / (1.0 - fall * fall)
    far, end, forgotten = 0.0, 0.0, stiff[0] / least
    for k in range(1, SAMPLES):
        end = h * _sum(INTEGRALS[k], soft, A)
        _sum(INTEGRALS[k], defects, whole)
        product = 0.0
        for i in range(A.size):
            product += A[i] * whole[i]
        pull = max(h * h * product - end * end, 0.0) / (GAMMA * h)  # |A|^2 in the norm of H; A and `whole` lack an h
        forgotten = max(forgotten, (math.sqrt(stiff[k] / least) + math.sqrt(pull * most)) ** 2)
        far = max(far, end)
    forgotten *= 0.5 * h
    # While |e| stays below a guess, K stays that close to H; if the bound then is below the guess, |e| is.
    guess = 2 * (far + unseen + math.sqrt(error * error + forgotten))
    left = math.sqrt(error * error + forgotten * math.exp(2 * longest * guess))
    return min(error + plain, end + unseen + left) if far + unseen + left <= guess else error + plain
