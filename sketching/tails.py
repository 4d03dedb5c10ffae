"""How likely the error of a sketch is to be large."""

from typing import Any

import numpy as np

from sketching._arguments import check_count
from sketching._arrays import real
from sketching._linear import column_norms, in_range, linear_model, quiet
from sketching.mask_moments import with_replacement
from sketching.moments import SketchError


def chebyshev(error: SketchError, t: Any) -> Any:
    """Return min(1, E err^2/t^2), a bound of the probability that |X(w*m) - Xw| >= t, for any mask.

    Parameters
    ----------
    error : SketchError
        Of the mask.
    t : number or ndarray
        Lengths, at least 0.

    Returns
    -------
    float or ndarray
        Bounds in [0, 1], of the shape of `t`.

    Raises
    ------
    ValueError
        If t is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> moments = sketching.mask_moments.systematic(np.ones(2), 1, rescale=True)
    >>> error = sketching.moments.sketch_error(np.eye(2), np.ones(2), moments)
    >>> float(sketching.tails.chebyshev(error, 2.0))  # E err^2 is 2
    0.5
    """
    t = _lengths(t)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(t > 0, np.minimum(error.second_moment / t**2, 1.0), 1.0)[()]


@quiet
def bennett(X: Any, w: Any, scores: Any, k: int, t: Any) -> Any:
    """Return a bound of the probability that |X(w*m) - Xw| >= t which falls exponentially, for k independent draws.

    min(1, 2 exp(-(V/M^2) h(tM/V))), h(u) = (1 + u) log(1 + u) - u, with V the variance of the error and M the longest
    step X_i w_i/(k p_i) - Xw/k of one draw; below Bernstein's 2 exp(-t^2/(2V + 2tM/3)). For vectors it is due to
    Pinelis (Ann. Probab. 1994).

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w : array, shape (d,)
        Weights.
    scores : array, shape (d,)
        What is drawn in proportion to, positive where X_i w_i is not 0.
    k : int
        How many draws, 1 to d.
    t : number or ndarray
        Lengths, at least 0.

    Returns
    -------
    float or ndarray
        Bounds in [0, 1], of the shape of `t`.

    Raises
    ------
    ValueError
        If a shape does not fit, X or w is not finite, something that matters has score 0, k is out of range, or t is
        negative or not finite.

    Notes
    -----
    Proof. For independent steps s_j of mean 0 with sum S, E cosh|S| <= prod E(exp|s_j| - |s_j|): along x + us the
    second derivative of cosh|x + us| is at most |s|^2 cosh|x + us| <= |s|^2 exp(u|s|) cosh|x|, the mean of the first
    vanishes at u = 0, and one integrates twice. With |s_j| <= M it follows that E cosh(c|S|) <=
    exp(V (exp(cM) - 1 - cM)/M^2). As cosh >= exp/2, P(|S| >= t) <= 2 exp(-ct) times that; c = log(1 + tM/V)/M is best.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w = np.ones((1, 100)), np.linspace(1, 2, 100)
    >>> bool(sketching.tails.bennett(X, w, np.ones(100), k=80, t=20.0) < 1e-3)
    True
    """
    t = _lengths(t)
    xp, X, w = linear_model(X, w=w)
    check_count("k", k, most=w.shape[0], least=1)
    factors = with_replacement(scores, k, rescale=True).spread  # 1/(k p), 0 where nothing is ever drawn
    factors = xp.asarray(factors, dtype=X.dtype, device=X.device)
    if factors.shape != w.shape:
        raise ValueError(f"scores must have shape {tuple(w.shape)}, one for each weight, got {factors.shape[0]}")
    drawn = factors > 0
    if bool(xp.any((X * w)[:, ~drawn] != 0)):
        raise ValueError(
            "an entry with X_i w_i != 0 has score 0 and is never drawn: add a small constant to all scores"
        )
    steps = column_norms(xp, (X * (w * factors) - (X @ w)[:, None] / k)[:, drawn])
    longest = float(in_range(xp.max(steps)))
    if longest == 0:
        return np.where(t > 0, 0.0, 1.0)[()]
    variance = float(in_range(xp.sum(steps**2 / factors[drawn])))
    u = t * longest / variance
    exponent = variance / longest**2 * ((1 + u) * np.log1p(u) - u)
    return np.minimum(2 * np.exp(-exponent), 1.0)[()]


def _lengths(t: Any) -> np.ndarray:
    t = real("t", t)
    t = np.asarray(t if isinstance(t, np.ndarray) else t.detach().cpu(), float)
    if not np.all((t >= 0) & np.isfinite(t)):
        raise ValueError("t must be finite and >= 0: the length |X(w*m) - Xw| is compared with it")
    return t
