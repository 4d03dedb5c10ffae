"""How long steps may be."""

import numpy as np

from linreg_mirror._arguments import check_batch_size, check_momentum, check_number
from linreg_mirror.limits import limit
from linreg_mirror.parametrizations import NoMirror, Parametrization
from linreg_mirror.problem import Problem


@np.errstate(all="ignore")  # what overflows has an infinite curvature
def largest_stable_step(
    problem: Problem,
    network: Parametrization,
    momentum: float = 0.0,
    batch_size: int | None = None,
    replacement: bool = False,
    penalty: float = 0.0,
) -> float:
    """Return the constant step size up to which descent is stable at the start and where its flow ends.

    2 (1 + momentum) / (lambda + 2 penalty), lambda the larger of the largest eigenvalues of K = X JJ'X' there, J the
    Jacobian of x in the parameters: heavy ball on a quadratic is stable below and not above. The way in between may ask
    for less; with momentum, where velocity piles up, for 2 (1 - momentum) / (lambda + 2 penalty).

    K is multiplied by the Hessian of the loss where Xx = y.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        Without a mirror, or where `limit` has no answer, the start alone is looked at.
    momentum : float
        Of the heavy ball.
    batch_size : int, optional
        The answer is then 2 (1 - momentum) / (lambda + 2 penalty), with a lambda that bounds every batch's own: n /
        batch_size times that of all samples, but at most n times the largest entry of K's diagonal. No batch amplifies,
        and momentum does not pile up the noise between batches.
    replacement : bool
        A batch may then hold one sample many times, and the second of these bounds is the one that counts.
    penalty : float
        The largest alpha.

    Returns
    -------
    float
        Infinity where f has no curvature.

    Raises
    ------
    ValueError
        If shapes do not match or a number is out of range.

    Examples
    --------
    For plain weights it is 2 over the largest eigenvalue of X'X, which is 5:

    >>> import linreg_mirror as lm
    >>> round(lm.largest_stable_step(lm.Problem([[1, 2]], [2]), lm.Direct.at(0.0, d=2)), 6)
    0.4
    """
    n = problem.n
    problem.require_width(network.d)
    check_momentum(momentum)
    check_number("penalty", penalty)
    if not penalty >= 0:
        raise ValueError(f"penalty must be a number >= 0, got {penalty!r}")
    if batch_size is not None:
        check_batch_size(batch_size, n)
    rows = np.stack([network.pullback(network.theta0, row) for row in problem.X])
    kernels = [rows @ rows.T]
    try:
        end, mirror = limit(problem, network), network.mirror()
        z = mirror.initial_dual - problem.X.T @ end.dual
        kernels.append((problem.X * (mirror.metric(z, 0.0) * mirror.dual_rate(0.0))) @ problem.X.T)
    except (NoMirror, ValueError):
        pass
    kernels = [problem.loss.hessian_product(np.zeros(n), kernel) for kernel in kernels]
    curvature = max(
        float(np.linalg.eigvals(kernel).real.max()) if np.isfinite(kernel).all() else np.inf for kernel in kernels
    )
    if batch_size is not None:
        one_sample = n * max(float(np.diag(kernel).max()) for kernel in kernels)
        curvature = one_sample if replacement else min(n / batch_size * curvature, one_sample)
        momentum = -momentum
    curvature += 2 * penalty
    return 2 * (1 + momentum) / curvature if curvature else np.inf
