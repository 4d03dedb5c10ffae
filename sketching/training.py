"""A mask drawn by scores of the initial weights, applied to the trained ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sketching._arguments import check_count, check_share
from sketching._linear import column_norms, in_range, linear_model, quiet
from sketching.mask_moments import with_replacement
from sketching.moments import SketchError, optimal_probabilities, sketch_error


@dataclass(frozen=True)
class AfterTraining:
    """The error of k independent draws from initial scores, on trained weights w*, and two bounds of it.

    Attributes
    ----------
    error : SketchError
        Of X(w*m) for the trained weights, exactly. A weight that began at 0, without a share of uniform draws, is never
        drawn: a bias.
    coverage : float
        The largest c with p >= c p*, p* the optimal probabilities for the trained weights.
    coverage_bound : float
        (S^2/c - |Xw*|^2)/k, S = sum |X_i||w*_i|; inf for c = 0.
    share_bound : float
        [(d/rho) sum |X_i|^2 w*_i^2 - |Xw*|^2]/k, whatever the initial weights were; inf for rho = 0.
    """

    error: SketchError
    coverage: float
    coverage_bound: float
    share_bound: float

    @property
    def bound(self) -> float:
        """The smaller of the two bounds of the second moment of the error."""
        return min(self.coverage_bound, self.share_bound)

    @property
    def vacuous(self) -> bool:
        """Whether even the smaller bound is above the signal: it promises less than a mask that keeps nothing."""
        return self.bound > self.error.signal

    def __str__(self) -> str:
        return (
            f"{self.error}; bounds: {self.coverage_bound:.4g} for p >= {self.coverage:.3g} p*, {self.share_bound:.4g} "
            f"from the uniform share{', both vacuous' if self.vacuous else ''}"
        )


@quiet
def after_training(X: Any, w0: Any, trained: Any, k: int, share: float = 0.0) -> AfterTraining:
    """Return the error on trained weights of k draws from p_i = (1 - rho) |X_i||w0_i|/sum + rho/d.

    The second moment is [sum |X_i|^2 w*_i^2/p_i - |Xw*|^2]/k. Without a share of uniform draws it has no mean over
    Gaussian w0: it grows like 1/|w0_i| where a weight begins close to 0, and E 1/|w0_i| is infinite. The idea of a mask
    from the start at the end is that of Bar and Giryes (arXiv 2305.17559).

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w0, trained : array, shape (d,)
        Initial and trained weights, such as trained_from(X, y, w0).
    k : int
        How many draws, 1 to d.
    share : float
        rho, in [0, 1].

    Returns
    -------
    AfterTraining
        The error, and two bounds of it.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, k or rho is out of range, or every |X_i||w0_i| is 0
        and rho < 1.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w0 = np.array([[1.0, 2.0]]), np.array([1.0, 1.0])
    >>> trained = sketching.training.trained_from(X, np.array([2.0]), w0)
    >>> after = sketching.training.after_training(X, w0, trained, k=1, share=0.5)
    >>> bool(after.error.second_moment <= min(after.coverage_bound, after.share_bound))
    True
    """
    check_share("share", share)
    share = float(share)  # one of single precision would take the answers with it
    xp, X, w0, trained = linear_model(X, w0=w0, trained=trained)
    d = X.shape[1]
    check_count("k", k, most=d, least=1)
    p = xp.full_like(w0, 1 / d) if share == 1 else (1 - share) * optimal_probabilities(X, w0) + share / d
    error = sketch_error(X, trained, with_replacement(p, k, rescale=True))
    a = column_norms(xp, X * trained)
    total = float(in_range(xp.sum(a)))
    needed = a > 0
    coverage = float(xp.min(p[needed] / a[needed])) * total if total > 0 else 1.0
    squares = float(in_range(xp.sum(a * a)))
    return AfterTraining(
        error,
        coverage,
        _bound(total**2, coverage, error.signal, k),
        _bound(d * squares, share, error.signal, k),
    )


@quiet
def trained_from(X: Any, y: Any, w0: Any) -> Any:
    """Return w0 + X^+(y - X w0): where gradient descent on |Xw - y|^2 without penalty ends that begins at w0.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    y : array, shape (n,)
        Targets.
    w0 : array, shape (d,)
        Initial weights.

    Returns
    -------
    array, shape (d,)
        The weights at the end.

    Raises
    ------
    ValueError
        If a shape does not fit, or an entry or a result is not finite.
    TypeError
        If X is of half precision, or anything holds no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.training.trained_from(np.array([[1.0, 2.0]]), np.array([2.0]), np.zeros(2)).round(6).tolist()
    [0.4, 0.8]
    """
    xp, X, y, w0 = linear_model(X, y=y, w0=w0)
    if X.dtype.itemsize < 4:
        raise TypeError(f"X must hold floats of 32 or 64 bits, of others there is no pseudoinverse, got {X.dtype}")
    return in_range(w0 + xp.linalg.pinv(X) @ (y - X @ w0))


def _bound(numerator: float, denominator: float, signal: float, k: int) -> float:
    if numerator == 0:
        return 0.0
    return (numerator / denominator - signal) / k if denominator > 0 else np.inf
