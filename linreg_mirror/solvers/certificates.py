"""Recomputed evidence that an answer is one: feasibility, duality gaps, optimality conditions, uniqueness.

Nothing here calls a solver's formulas: potentials are written out again, in extended precision where it is to be had.
"""

import numpy as np
import scipy

from linreg_mirror._tools import double_double, matrices
from linreg_mirror._types import Array
from linreg_mirror.mirrors import HAM, Euclidean, Hyperbolic, Mirror, Power
from linreg_mirror.problems import Problem
from linreg_mirror.problems.problem import independent
from linreg_mirror.solvers.results import Certificate, Check, Status

_EPS = float(np.finfo(float).eps)


def feasibility(problem: Problem, x: Array) -> float:
    """Return |Xx - y|_inf relative to |y|_inf + max (|X||x|)_i, what rounding in it is relative to.

    Where y is out of the range of X, |X'(Xx - y)|_inf relative to |X|'(|y| + |X||x|) takes its place. The entries of an
    operator are not known: there |X| counts as zero, and in the second case X'y takes the place of |X|'(...).
    """
    r = problem.residual(x)
    size = np.abs(problem.y) + matrices.magnitudes(problem.X, x)
    if _may_be_inconsistent(problem, r) and problem.inconsistency > 1e-10:
        r, size = problem.X.T @ r, matrices.magnitudes(problem.X.T, size)
        size = size if size.any() else np.abs(problem.X.T @ problem.y)
    # What is relative to an infinity is not feasible because of that.
    return float(np.abs(r).max() / (size.max() or 1.0)) if np.isfinite(size).all() else np.inf


def with_error(certificate: Certificate, error: float, x: Array, tolerance: float) -> Certificate:
    """Add the check that a proved bound of |x - x*|_1, relative to |x|_1, is within the tolerance; inf is no bound."""
    if not error < np.inf:
        return certificate
    size = float(np.abs(x).sum())
    return Certificate((*certificate.checks, Check("error of x", error / (size or 1.0), tolerance if size else 0.0)))


def outcome(certificate: Certificate, problem: Problem, x: Array, error: float = np.inf) -> Status:
    """Return the status of an interpolator x with this certificate and this bound of its error."""
    if not certificate.valid:
        return Status.not_certified
    if error < np.inf:
        return Status.converged
    inconsistent = _may_be_inconsistent(problem, problem.residual(x)) and problem.inconsistency > 1e-10
    return Status.inconsistent if inconsistent else Status.unproved


def _may_be_inconsistent(problem: Problem, r: Array) -> bool:
    # y is no farther from the range than Xx is from y: mostly its rank need not be known.
    return bool(np.linalg.norm(r) > 1e-10 * np.linalg.norm(problem.y))


def certify_limit(
    problem: Problem, mirror: Mirror, A: float, x: Array, s: Array, rest: Array | None = None
) -> Certificate:
    """Certify that x minimises R_A(x) - <z_0, x> over Xx = y, from x, the dual s + rest and log b together.

    Checks
    ------
    feasibility
        |Xx - y| relative to |y|.
    primal-dual gap
        R(x) - <z, x> + R*(z) with z = z_0 - X's, the Fenchel gap: zero exactly at the solution. Relative to
        |x|_1 times the largest exponent; for depth D, to |x|_1 times the bound of z.
    dual representation
        Largest difference between x and primal(z_0 - X's), relative to |x|_inf.

    conjugate's slope
        Of a potential that is not written out here, whose own formulas, in float64, take the place of ours: largest
        difference between primal(z) and the conjugate's slope at z, by central differences, relative to |x|_inf.

    Tolerances are 1e-10 or the rounding of exponents as large as log(1/b), whichever is larger. For depth D, what
    rounding of z is magnified by takes the place of log(1/b).
    """
    wide, own_checks = np.longdouble, ()
    z = mirror.initial_dual.astype(wide) - pull(problem, s, rest)
    size = float(np.abs(x).max()) or 1.0
    log_b = _log_hyperbolic_scale(mirror, wide(A))
    if log_b is not None:
        q = 2 * np.abs(z)
        represented = np.sign(z) * np.exp(q + log_b) * -np.expm1(-2 * q) / 2
        exponents = float(np.abs(log_b).max())
        gap = _hyperbolic_gap(x.astype(wide), np.sign(z) * q, log_b)
    elif isinstance(mirror, Euclidean):
        rate = np.exp(-2 * wide(A))
        represented, exponents = rate * z, 1.0
        gap = np.sum((x - represented) ** 2) / (2 * rate)
    elif isinstance(mirror, HAM):
        represented, exponents, gap = _ham_gap(x.astype(wide), z, wide(mirror.a), wide(A))
    elif isinstance(mirror, Power):
        represented, magnified, gap = _power_gap(x.astype(wide), z, mirror, wide(A))
        exponents = float(np.abs(magnified).max()) / size
    else:
        represented, exponents, gap, slope = _own_gap(mirror, A, x, pull(problem, s, rest).astype(float), size)
        own_checks = (Check("conjugate's slope", slope, 1e-5),)
    rounding = 64 * _EPS * max(1.0, exponents)
    if isinstance(mirror, Power) and mirror.depth > 2:
        exponents = 1.0  # z is no exponent then, but a number below 1/(D-2)
    longest = matrices.longest_column(problem.X)
    difference = float(np.abs(x - represented).max()) / size
    gap = float(gap) / (max(1.0, exponents) * max(float(np.abs(x).sum()), size))
    return Certificate(
        (
            Check("feasibility", feasibility(problem, x), 1e-10),
            Check("primal-dual gap", gap, max(1e-12, rounding)),
            Check("dual representation", difference, max(1e-10, rounding * max(1.0, longest))),
            *own_checks,
        )
    )


def pull(problem: Problem, s: Array, rest: Array | None) -> Array:
    """Return X's in extended precision; of a dense X with 106 bits on the way, where the dual vector has as many."""
    if rest is None or not matrices.is_dense(problem.X):
        return matrices.transposed_product(problem.X, s)
    hi, lo = double_double.transposed_product(problem.X, double_double.Pair(s, rest))
    return hi.astype(np.longdouble) + lo


def _own_gap(mirror: Mirror, A: float, x: Array, pull: Array, size: float) -> tuple[Array, float, float, float]:
    """Return primal(z), what rounding is relative to, the gap, and how far primal is from the conjugate's slope.

    A potential and a conjugate that do not belong together have a gap that is not zero; a primal that belongs to
    neither is seen by the difference quotient.
    """
    z = mirror.initial_dual - pull
    represented, conjugate = mirror.primal(z, A), mirror.conjugate(z, A)
    terms = np.stack([mirror.potential(x, A), conjugate, x * pull])
    h = 1e-5 * np.maximum(np.abs(z), 1.0)
    quotient = (mirror.conjugate(z + h, A) - mirror.conjugate(z - h, A)) / (2 * h)
    exponents = float(np.abs(terms).sum()) / max(float(np.abs(x).sum()), size)
    return represented, exponents, float(np.abs(terms.sum())), float(np.abs(quotient - represented).max()) / size


def _hyperbolic_gap(x: Array, q: Array, log_b: Array) -> Array:
    """Return the sum of R(x) + R*(q/2) - x q/2 for R = [x arcsinh(x/b) - sqrt(x^2+b^2)]/2, term by term non-negative.

    With x = b sinh p a term is [x (p - q) - b cosh p + b cosh q]/2. Where p and q are close, that difference cancels;
    b cosh p (p - q)^2 / 4 is its leading term and equal to it as far as rounding lets one see.
    """
    size = np.abs(x)
    b = np.exp(log_b)
    p = np.sign(x) * (np.log(size + np.hypot(size, b)) - log_b) if np.all(b > 0) else _log_arcsinh(x, log_b)
    cosh_p = np.hypot(size, b)
    difference = p - q
    exact = (x * difference - cosh_p + np.exp(np.abs(q) + log_b) * (1 + np.exp(-2 * np.abs(q))) / 2) / 2
    return np.sum(np.where(np.abs(difference) < 1e-4, cosh_p * difference**2 / 4, np.abs(exact)))


def _ham_gap(x: Array, z: Array, a: np.longdouble, A: np.longdouble) -> tuple[Array, float, np.longdouble]:
    """Return primal(z), the largest exponent, and a exp(-2A) times the sum of R(x) + R*(z) - xz, no term negative.

    With p = ln(1 + a|x|), q = a exp(-2A) z and t = |q| - p, a term is e^p (e^t - 1 - t) / a where q has the sign of x.
    """
    q = a * np.exp(-2 * A) * z
    represented = np.sign(q) * np.expm1(np.abs(q)) / a
    p = np.log1p(a * np.abs(x))
    same = np.sign(x) * np.sign(q) >= 0
    t = np.abs(q) - p
    agreeing = np.exp(p) * np.where(np.abs(t) < 1e-4, t**2 / 2, np.expm1(t) - t)
    opposed = np.expm1(np.abs(q)) - np.abs(q) + np.exp(p) * p - np.expm1(p) + a * np.abs(x) * np.abs(q)
    return represented, float(np.abs(q).max()), np.sum(np.where(same, agreeing, opposed)) / a


def _log_hyperbolic_scale(mirror: Mirror, A: np.longdouble) -> Array | None:
    """Return log b, also of x = p^2 - q^2; None if the potential is not the hyperbolic entropy."""
    wide = np.longdouble
    if isinstance(mirror, Hyperbolic):
        return mirror.log_scale.astype(wide) - 4 * A
    if isinstance(mirror, Power) and mirror.depth == 2:
        return np.log(wide(2)) + 2 * mirror.log_scale.astype(wide) - 4 * A
    return None


def _power_gap(x: Array, z: Array, mirror: Power, A: np.longdouble) -> tuple[Array, Array, Array]:
    """Return primal(z), z d(primal)/dz at the dual of x, and the sum of R(x) + R*(z) - xz, x = p^D - q^D, D >= 3.

    In units of the scale p = (1 - w)^(-1/m), q = (1 + w)^(-1/m) with m = D - 2 and w = mz, and R* = (p^2 + q^2)/2. The
    dual of x is found from e = 1 - |w|, a fixed point of (|x| + (2 - e)^(-D/m))^(-m/D). Where it is close to z, half
    the squared difference times dx/dz is the gap.
    """
    D, m = mirror.depth, mirror.depth - 2
    log_scale = mirror.log_scale.astype(x.dtype)
    unit, height = np.exp(m * (log_scale - log_scale.max())), np.exp(D * (log_scale - 2 * A))
    z, x = z * unit, x / height
    edge = 1 - np.finfo(x.dtype).eps
    w = np.clip(m * z, -edge, edge)
    log_p, log_q = -np.log1p(-w) / m, -np.log1p(w) / m
    size = np.abs(x)
    e = (1 + size) ** (-m / D)
    for _ in range(10):  # Newton's method: the slope of the fixed-point map lies between -1 and 0
        e += ((size + (2 - e) ** (-D / m)) ** (-m / D) - e) / (1 + (e / (2 - e)) ** (D / m + 1))
    found = np.sign(x) * (1 - e) / m
    difference = z - found
    slope = D * (e ** ((2 - 2 * D) / m) + (2 - e) ** ((2 - 2 * D) / m))
    exact = (np.exp(2 * log_p) + np.exp(2 * log_q) - e ** (-2 / m) - (2 - e) ** (-2 / m)) / 2 - x * difference
    gap = np.where(np.abs(difference) < 1e-4 * e, slope * difference**2 / 2, np.abs(exact))
    primal = np.exp(D * log_q) * np.expm1(D * (log_p - log_q))
    return height * primal, height * slope * found, np.sum(height / unit * gap)


def _log_arcsinh(x: Array, log_b: Array) -> Array:
    """arcsinh(x/b) where b underflows: sign(x) (log 2|x| - log b), and 0 at x = 0."""
    size = np.where(x == 0, 1, np.abs(x))
    return np.where(x == 0, 0, np.sign(x) * (np.log(2 * size) - log_b))


def l1_certificate(
    problem: Problem,
    x: Array,
    s: Array,
    thresholds: tuple[Array, Array] | None = None,
    rest: Array | None = None,
) -> Certificate:
    """Certify a minimum-L1 interpolator: Xx = y, |X's| <= 1, and |x|_1 = <y, s> up to the gap, for the dual s + rest.

    With `thresholds` (t_plus, t_minus), two positive arrays of shape (d,), the norm is sum t_plus x^+ + t_minus x^-,
    and -t_minus <= X's <= t_plus, excess relative to them.
    """
    t_plus, t_minus = thresholds or (np.ones(problem.d), np.ones(problem.d))
    norm = float(t_plus @ np.maximum(x, 0) + t_minus @ np.maximum(-x, 0))
    slopes = (problem.X.T @ s) if rest is None else pull(problem, s, rest).astype(float)
    slope = float(np.abs(_relative(slopes, thresholds)).max())
    # <Xx, s> is that for the targets, or for their projection where they are out of range.
    lower_bound = float(x @ slopes) / max(1.0, slope)
    return Certificate(
        (
            Check("feasibility", feasibility(problem, x), 1e-10),
            Check("duality gap", abs(norm - lower_bound) / (norm or 1.0), 1e-10),
            Check("dual feasibility", float(np.maximum(slope - 1, 0)), 1e-9),
        )
    )


def _relative(slopes: Array, thresholds: tuple[Array, Array] | None) -> Array:
    """Return X's, each entry relative to the threshold on its side of zero."""
    return slopes if thresholds is None else slopes / np.where(slopes > 0, *thresholds)


def l1_unique(
    problem: Problem, x: Array, s: Array, thresholds: tuple[Array, Array] | None = None, tolerance: float = 1e-8
) -> bool | None:
    """Decide whether the minimum-L1 interpolator, with thresholds as in `l1_certificate`, is unique.

    It is if the columns with |X_i's| = 1 are linearly independent (strict complementarity makes these the support).
    Otherwise a linear programme decides: another solution exists exactly if a direction v with Xv = 0, zero where
    |X_i's| < 1, moves no vanishing x_i against the sign of X_i's.

    Returns
    -------
    bool or None
        None where the linear programme gave no answer.
    """
    slope = _relative(problem.X.T @ s, thresholds)
    tight = np.flatnonzero(np.abs(slope) >= 1 - tolerance)
    if not tight.size:
        return True
    columns, signs = matrices.columns(problem.X, tight), np.sign(slope[tight])
    if independent(columns):
        return True
    free = np.abs(x[tight]) > tolerance * (np.abs(x).max() or 1.0)
    if free.any() and not independent(columns[:, free]):
        return False
    bounds = [(-1, 1) if f else (0, 1) for f in free]
    # In signed coordinates a direction into the face never decreases an entry that is zero.
    answer = scipy.optimize.linprog(
        np.where(free, 0.0, -1.0), A_eq=columns * signs, b_eq=np.zeros(problem.n), bounds=bounds
    )
    return None if answer.status != 0 else bool(-answer.fun < tolerance)


def nuclear_certificate(
    problem: Problem, shape: tuple[int, int], x: Array, s: Array, positive: bool = False
) -> Certificate:
    """Certify an interpolator of least nuclear norm: Xx = y, |sum s_i A_i| <= 1, and the norm is <y, s> up to the gap.

    Where `positive`, M has no negative eigenvalue, and the symmetric part of sum s_i A_i none above 1.
    """
    M, slope = x.reshape(shape), (problem.X.T @ s).reshape(shape)
    norm = float(np.linalg.norm(M, "nuc"))
    steepest = float(np.linalg.eigvalsh(slope + slope.T)[-1] / 2 if positive else np.linalg.norm(slope, 2))
    lower_bound = float((problem.X @ x) @ s) / max(1.0, steepest)
    checks = [
        Check("feasibility", feasibility(problem, x), 1e-10),
        Check("duality gap", abs(norm - lower_bound) / (norm or 1.0), 1e-8),
        Check("dual feasibility", max(steepest - 1, 0.0), 1e-8),
    ]
    if positive:
        negative = max(-float(np.linalg.eigvalsh(M + M.T)[0]) / 2, float(np.abs(M - M.T).max()), 0.0)
        checks.append(Check("positive semidefinite", negative / (norm or 1.0), 1e-8))
    return Certificate(tuple(checks))


def lasso_certificate(problem: Problem, x: Array, weight: float, dual: Array | None = None) -> Certificate:
    """Certify a LASSO solution min |Xx - y|^2/2 + weight |x|_1 by its duality gap, relative to |y|^2/2.

    Any vector will do as `dual`; the default is y - Xx, of which rounding of x may leave little.
    """
    r = problem.residual(x)
    primal = 0.5 * float(r @ r) + weight * float(np.abs(x).sum())
    dual = -r if dual is None else dual
    correlation = float(np.abs(problem.X.T @ dual).max())
    theta = dual * min(1.0, weight / correlation if correlation else 1.0)
    bound = 0.5 * float(problem.y @ problem.y) - 0.5 * float((problem.y - theta) @ (problem.y - theta))
    scale = 0.5 * float(problem.y @ problem.y) or 1.0
    return Certificate((Check("duality gap", abs(primal - bound) / scale, 1e-10),))
