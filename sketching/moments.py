"""What the moments of a mask m mean for the linear model: how far X(w*m) is from Xw."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sketching._arguments import check_count
from sketching._linear import column_norms, in_range, linear_model, quiet, squared_norm
from sketching.mask_moments import MaskMoments
from sketching.scores import rms_snip


@dataclass(frozen=True)
class SketchError:
    """The expected squared error of a masked linear model, beside the signal it is to preserve.

    Attributes
    ----------
    signal : float
        |Xw|^2, which is also the error of the mask that keeps nothing.
    bias : float
        |X(w*E m) - Xw|^2.
    variance : float
        E|X(w*m) - X(w*E m)|^2, inf where it does not exist.

    Examples
    --------
    Of two equal entries one is kept, and doubled:

    >>> import numpy as np
    >>> import sketching
    >>> moments = sketching.mask_moments.systematic(np.ones(2), 1, rescale=True)
    >>> error = sketching.moments.sketch_error(np.eye(2), np.ones(2), moments)
    >>> error.signal, error.bias, error.variance
    (2.0, 0.0, 2.0)
    """

    signal: float
    bias: float
    variance: float

    @property
    def second_moment(self) -> float:
        """E|X(w*m) - Xw|^2, bias and variance together."""
        return self.bias + self.variance

    @property
    def relative(self) -> float:
        """The second moment as a share of the signal; inf where there is an error and no signal, 0 where neither is."""
        if self.second_moment == 0:
            return 0.0
        return self.second_moment / self.signal if self.signal > 0 else np.inf

    @property
    def vacuous(self) -> bool:
        """Whether the error is larger than the signal: then to keep nothing is better on average."""
        return self.second_moment > self.signal

    def __str__(self) -> str:
        verdict = ", vacuous: to keep nothing would be better" if self.vacuous else ""
        return (
            f"signal {self.signal:.4g}, error {self.second_moment:.4g} = bias {self.bias:.4g} + variance "
            f"{self.variance:.4g}, {self.relative:.3g} of the signal{verdict}"
        )


@quiet
def sketch_error(X: Any, w: Any, moments: MaskMoments) -> SketchError:
    """Return E|X(w*m) - Xw|^2 = |X(w*(mu - 1))|^2 + sum_ij C_ij w_i w_j X_i'X_j, m of mean mu and covariance C.

    Exact, for any mask: S2, (sum |X_i|^2 w_i^2/p_i - |Xw|^2)/k for k independent draws (Drineas, Kannan, Mahoney 2006),
    and sum w_i^2 |X_i|^2 (1-q_i)/q_i for independent entries, are special cases.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples; or, for a network, the Jacobian of its outputs, with its parameters for w: then the error is that of
        the linearised network.
    w : array, shape (d,)
        Weights.
    moments : MaskMoments
        Of a mask with d entries, such as mask_moments.with_replacement(scores, k, rescale=True).

    Returns
    -------
    SketchError
        Costs O(nd) unless the covariance is a full matrix.

    Raises
    ------
    ValueError
        If a shape does not fit, or an entry of X or w is not finite.
    TypeError
        If X is a tensor of integers.

    Examples
    --------
    Leaving out the second entry for good is a bias, and no variance:

    >>> import numpy as np
    >>> import sketching
    >>> moments = sketching.mask_moments.top_k(np.array([2.0, 1.0]), 1)
    >>> error = sketching.moments.sketch_error(np.eye(2), np.array([2.0, 1.0]), moments)
    >>> error.signal, error.bias, error.variance
    (5.0, 1.0, 0.0)
    """
    xp, X, w = linear_model(X, w=w)
    if moments.mean.shape != tuple(w.shape):
        raise ValueError(f"moments of {moments.mean.size} entries do not fit w of {w.shape[0]}: select among these")

    def like(array: Any) -> Any:
        return xp.asarray(array, dtype=X.dtype, device=X.device)

    spread = like(moments.spread)
    if spread.ndim == 1:
        terms = (w * column_norms(xp, X)) ** 2
        variance = float(xp.sum(xp.where(terms > 0, spread, xp.zeros_like(spread)) * terms))
    else:
        parts = X * w
        variance = float(xp.sum(spread * (xp.matrix_transpose(parts) @ parts)))
    if moments.shared is not None:
        variance -= squared_norm(xp, X @ (w * like(moments.shared)))
    if np.isfinite(moments.spread).all():  # infinite are variances that do not exist
        in_range(variance)
    return SketchError(
        signal=in_range(squared_norm(xp, X @ w)),
        bias=in_range(squared_norm(xp, X @ (w * (like(moments.mean) - 1)))),
        variance=max(variance, 0.0),  # where it vanishes, rounding may be on either side
    )


@quiet
def optimal_probabilities(X: Any, w: Any) -> Any:
    """Return p_i = |X_i||w_i| / sum |X_j||w_j|: no other p makes the error of k independent draws smaller.

    The same numbers as scores of `selection.bernoulli` are optimal for independent entries of expected number k.
    Optimal among rescaled masks, that is: one that leaves entries out for good has a bias, and may still be better.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w : array, shape (d,)
        Weights.

    Returns
    -------
    array, shape (d,)
        At least 0, with sum 1.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, or every |X_i||w_i| is 0.

    Notes
    -----
    Drineas, Kannan, Mahoney, SIAM J. Comput. 36(1), 2006, for the product of two matrices.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w = np.array([[3.0, 0.0], [4.0, 1.0]]), np.array([1.0, -5.0])
    >>> sketching.moments.optimal_probabilities(X, w).tolist()
    [0.5, 0.5]
    """
    scores = rms_snip(X, w)
    total = in_range(scores.sum())
    if not total > 0:
        raise ValueError("every |X_i||w_i| is 0, so that Xw = 0 whatever is kept: there is nothing to sample for")
    return scores / total


@quiet
def least_error(X: Any, w: Any, k: int) -> float:
    """Return the second moment of the error at the optimal probabilities: [(sum |X_i||w_i|)^2 - |Xw|^2]/k.

    Parameters
    ----------
    X, w
        As in `optimal_probabilities`.
    k : int
        How many draws, at least 1.

    Returns
    -------
    float
        In the units of |Xw|^2.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, or k is no integer >= 1.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.moments.least_error(np.eye(2), np.ones(2), k=1)  # (1 + 1)^2 - 2
    2.0
    """
    check_count("k", k, least=1)
    xp, X, w = linear_model(X, w=w)
    error = in_range(squared_norm(xp, xp.sum(rms_snip(X, w))) - squared_norm(xp, X @ w))
    return max(error, 0.0) / k
