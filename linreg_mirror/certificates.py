"""Recomputed evidence that an answer is one: feasibility, duality gaps, optimality conditions, uniqueness.

Nothing here calls a solver's formulas: potentials are written out again, in extended precision where it is to be had.
"""

import numpy as np
from scipy.optimize import linprog

from linreg_mirror.losses import Array
from linreg_mirror.mirrors import Euclidean, Hyperbolic, Mirror
from linreg_mirror.problem import Problem, independent
from linreg_mirror.trajectory import Certificate, Check, Status

_EPS = float(np.finfo(float).eps)


def feasibility(problem: Problem, x: Array) -> float:
    """Return |Xx - y|_inf relative to |y|_inf + max (|X||x|)_i, what rounding in it is relative to.

    Where y is out of the range of X, |X'(Xx - y)|_inf relative to |X|'(|y| + |X||x|) takes its place.
    """
    r = problem.residual(x)
    size = np.abs(problem.y) + np.abs(problem.X) @ np.abs(x)
    if problem.inconsistency > 1e-10:
        r, size = problem.X.T @ r, np.abs(problem.X).T @ size
    return float(np.abs(r).max() / (size.max() or 1.0))


def outcome(certificate: Certificate, problem: Problem) -> Status:
    """Return the status of an interpolator with this certificate."""
    if not certificate.valid:
        return Status.not_certified
    return Status.converged if problem.inconsistency <= 1e-10 else Status.inconsistent


def certify_limit(problem: Problem, mirror: Mirror, A: float, x: Array, s: Array) -> Certificate:
    """Certify that x minimises R_A(x) - <z_0, x> over Xx = y, from x, the dual s and log b together.

    Checks
    ------
    feasibility
        |Xx - y| relative to |y|.
    primal-dual gap
        R(x) - <z, x> + R*(z) with z = z_0 - X's, the Fenchel gap: zero exactly at the solution. Relative to
        |x|_1 times the largest exponent.
    dual representation
        Largest difference between x and primal(z_0 - X's), relative to |x|_inf.

    Tolerances are 1e-10 or the rounding of exponents as large as log(1/b), whichever is larger.
    """
    wide = np.longdouble
    z = mirror.initial_dual.astype(wide) - problem.X.T.astype(wide) @ s.astype(wide)
    size = float(np.abs(x).max()) or 1.0
    if isinstance(mirror, Hyperbolic):
        log_b = mirror.log_scale.astype(wide) - 4 * wide(A)
        q = 2 * np.abs(z)
        represented = np.sign(z) * np.exp(q + log_b) * -np.expm1(-2 * q) / 2
        exponents = float(np.abs(log_b).max())
        gap = _hyperbolic_gap(x.astype(wide), np.sign(z) * q, log_b)
    elif isinstance(mirror, Euclidean):
        rate = np.exp(-2 * wide(A))
        represented, exponents = rate * z, 1.0
        gap = np.sum((x - represented) ** 2) / (2 * rate)
    else:
        raise TypeError(f"no certificate is known for {type(mirror).__name__}")
    rounding = 64 * _EPS * max(1.0, exponents)
    difference = float(np.abs(x - represented).max()) / size
    gap = float(gap) / (max(1.0, exponents) * max(float(np.abs(x).sum()), size))
    return Certificate(
        (
            Check("feasibility", feasibility(problem, x), 1e-10),
            Check("primal-dual gap", gap, max(1e-12, rounding)),
            Check("dual representation", difference, max(1e-10, rounding * _largest_column(problem))),
        )
    )


def _largest_column(problem: Problem) -> float:
    return max(1.0, float(np.sqrt((problem.X**2).sum(axis=0)).max()))


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


def _log_arcsinh(x: Array, log_b: Array) -> Array:
    """arcsinh(x/b) where b underflows: sign(x) (log 2|x| - log b), and 0 at x = 0."""
    size = np.where(x == 0, 1, np.abs(x))
    return np.where(x == 0, 0, np.sign(x) * (np.log(2 * size) - log_b))


def l1_certificate(problem: Problem, x: Array, s: Array) -> Certificate:
    """Certify a minimum-L1 interpolator: Xx = y, |X's| <= 1, and |x|_1 = <y, s> up to the gap."""
    norm = float(np.abs(x).sum())
    fitted = problem.X @ x  # the targets, or their projection where they are out of range
    slope = float(np.abs(problem.X.T @ s).max())
    lower_bound = float(fitted @ s) / max(1.0, slope)
    return Certificate(
        (
            Check("feasibility", feasibility(problem, x), 1e-10),
            Check("duality gap", abs(norm - lower_bound) / (norm or 1.0), 1e-10),
            Check("dual feasibility", float(np.maximum(slope - 1, 0)), 1e-9),
        )
    )


def l1_unique(problem: Problem, x: Array, s: Array, tolerance: float = 1e-8) -> bool | None:
    """Decide whether the minimum-L1 interpolator is unique.

    It is if the columns with |X_i's| = 1 are linearly independent (strict complementarity makes these the support).
    Otherwise a linear programme decides: another solution exists exactly if a direction v with Xv = 0, zero where
    |X_i's| < 1, moves no vanishing x_i against the sign of X_i's.

    Returns
    -------
    bool or None
        None where the linear programme gave no answer.
    """
    slope = problem.X.T @ s
    tight = np.flatnonzero(np.abs(slope) >= 1 - tolerance)
    if not tight.size:
        return True
    columns, signs = problem.X[:, tight], np.sign(slope[tight])
    if independent(columns):
        return True
    free = np.abs(x[tight]) > tolerance * (np.abs(x).max() or 1.0)
    if free.any() and not independent(columns[:, free]):
        return False
    bounds = [(-1, 1) if f else (0, 1) for f in free]
    # In signed coordinates a direction into the face never decreases an entry that is zero.
    answer = linprog(np.where(free, 0.0, -1.0), A_eq=columns * signs, b_eq=np.zeros(problem.n), bounds=bounds)
    return None if answer.status != 0 else bool(-answer.fun < tolerance)


def lasso_certificate(problem: Problem, x: Array, weight: float) -> Certificate:
    """Certify a LASSO solution min |Xx - y|^2/2 + weight |x|_1 by its duality gap, relative to |y|^2/2."""
    r = problem.residual(x)
    primal = 0.5 * float(r @ r) + weight * float(np.abs(x).sum())
    correlation = float(np.abs(problem.X.T @ r).max())
    theta = -r * min(1.0, weight / correlation if correlation else 1.0)
    dual = 0.5 * float(problem.y @ problem.y) - 0.5 * float((problem.y - theta) @ (problem.y - theta))
    scale = 0.5 * float(problem.y @ problem.y) or 1.0
    return Certificate((Check("duality gap", abs(primal - dual) / scale, 1e-10),))
