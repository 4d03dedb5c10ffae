"""How long steps may be."""

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigs

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_batch_size, check_momentum, check_number
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import NoMirror, Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit import limit


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
        X is (n, d). An operator, or a large sparse X, only for `Hadamard`, `Power` and `Direct`.
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
    TypeError
        If the answer would take entries of X that there are none of, or too many.

    Examples
    --------
    For plain weights it is 2 over the largest eigenvalue of X'X, which is 5:

    >>> import linreg_mirror as lm
    >>> round(lm.largest_stable_step(lm.Problem([[1, 2]], [2]), lm.Direct.at(0.0, d=2)), 6)
    0.4
    """
    n = problem.n
    problem.require_network(network)
    check_momentum(momentum)
    check_number("penalty", penalty)
    if not penalty >= 0:
        raise ValueError(f"penalty must be a number >= 0, got {penalty!r}")
    if batch_size is not None:
        check_batch_size(batch_size, n)
        matrices.require_entries(problem.X, "the stable step of batches", "largest_stable_step(problem, network)")
    kernels = [_kernel_at_start(problem, network)]
    try:
        end, mirror = limit(problem, network), network.mirror()
        z = mirror.initial_dual - problem.X.T @ end.dual
        kernels.append(_Weighted(problem, mirror.metric(z, 0.0) * mirror.dual_rate(0.0)))
    except (NoMirror, ValueError):
        pass
    curvature = max(kernel.largest_eigenvalue() for kernel in kernels)
    if batch_size is not None:
        one_sample = n * max(kernel.largest_diagonal() for kernel in kernels)
        curvature = one_sample if replacement else min(n / batch_size * curvature, one_sample)
        momentum = -momentum
    curvature += 2 * penalty
    return 2 * (1 + momentum) / curvature if curvature else np.inf


class _Formed:
    """The n x n matrix itself."""

    def __init__(self, problem: Problem, kernel: Array) -> None:
        self._kernel = problem.loss.hessian_product(np.zeros(problem.n), kernel)

    def largest_eigenvalue(self) -> float:
        return float(np.linalg.eigvals(self._kernel).real.max()) if np.isfinite(self._kernel).all() else np.inf

    def largest_diagonal(self) -> float:
        return float(np.diag(self._kernel).max())


class _Weighted:
    """X diag(weights) X', by its products where it is not cheap."""

    def __init__(self, problem: Problem, weights: Array) -> None:
        self._problem, self._weights = problem, weights
        self._formed = _Formed(problem, matrices.gram(problem.X, weights)) if problem.rank_is_cheap else None

    def largest_eigenvalue(self) -> float:
        if self._formed is not None:
            return self._formed.largest_eigenvalue()
        X, loss, n = self._problem.X, self._problem.loss, self._problem.n

        def times(v: Array) -> Array:
            return loss.hessian_product(np.zeros(n), X @ (self._weights * (X.T @ v.ravel())))

        # Hessian times kernel: similar to a symmetric matrix, but symmetric only where all samples count alike.
        if n <= 2:  # ARPACK needs more
            return float(np.linalg.eigvals(np.stack([times(row) for row in np.eye(n)], axis=1)).real.max())
        start = np.random.default_rng(0).standard_normal(n)
        if not times(start).any():
            return 0.0
        kernel = LinearOperator((n, n), matvec=times, dtype=float)  # pyright: ignore[reportCallIssue]
        return float(np.real(eigs(kernel, k=1, which="LR", v0=start, return_eigenvectors=False)).max())

    def largest_diagonal(self) -> float:
        if self._formed is not None:
            return self._formed.largest_diagonal()
        diagonal = matrices.gram_diagonal(self._problem.X, self._weights)
        return float(self._problem.loss.hessian_product(np.zeros(len(diagonal)), diagonal).max())


def _kernel_at_start(problem: Problem, network: Parametrization) -> "_Formed | _Weighted":
    if not matrices.is_dense(problem.X) and network.diagonal:
        slopes = network.pullback(network.theta0, np.ones(problem.d)).reshape(-1, problem.d)
        return _Weighted(problem, (slopes**2).sum(axis=0))
    X = matrices.dense(problem.X, f"largest_stable_step of {type(network).__name__}", "Problem(X.toarray(), y)")
    rows = np.stack([network.pullback(network.theta0, row) for row in X])
    return _Formed(problem, rows @ rows.T)
