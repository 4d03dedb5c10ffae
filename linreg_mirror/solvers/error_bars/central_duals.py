"""Dual vectors far from the thresholds of columns off a support, where fewer columns than samples have weight."""

import math
from typing import Any

from linreg_mirror.mirrors.protocol import namespace

_STEP = 1.3  # from power to power
_POWERS = tuple(2 * _STEP**k for k in range(27))  # up to 1800
_RIDGE = 1e-13  # of the Hessian's size: columns far from their thresholds may have next to no weight
_NEAR = 4  # times n columns are enough to keep away from once it is known which are near
_HELD = 1e4  # weight of columns of the support, relative to the heaviest other


def central_duals(X: Any, signs: Any, worthwhile: float | None = None) -> Any:
    """Return s with X_i's about sign x_i on a support, and max |X_j's| off it about as small as can be.

    A dual vector proves that weights are the only ones of least L1 norm where |X_j's| < 1 off their support. There are
    many where that has fewer columns than there are samples; the one of least p-norm, for ever larger p, keeps away
    from the thresholds. It is found by least squares with weights |X_j's|^(p-2).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    signs : array, shape (B, d)
        Signs of the weights, zero off the support.
    worthwhile : float, optional
        Growth of the distance to the thresholds, relative, below which no larger power is tried. Default: try all.

    Returns
    -------
    array, shape (B, n)
        The best on the way; zero where there is none.
    """
    xp, n = namespace(X), X.shape[-2]
    on, transposed = signs != 0, xp.matrix_transpose(X)
    ridge = _RIDGE * xp.eye(n, dtype=X.dtype, device=X.device)
    weight = xp.where(on, _HELD * xp.ones_like(signs), 1.0)
    s, best, least = None, xp.zeros_like(signs[:, :1] * X[:1, :, 0]), xp.full_like(signs[:, :1], math.inf)
    going = least > 0  # each for itself: the answer to one does not depend on others
    for p in _POWERS:
        hessian = _hessian(X, weight, all_columns=s is None)
        size = xp.max(xp.abs(hessian), axis=(-2, -1), keepdims=True)
        size = xp.where(size > 0, size, 1.0)
        found = xp.linalg.solve(hessian + ridge * size, X @ (weight * signs)[:, :, None])[..., 0]
        # A whole step would overshoot: the weights change with the slopes.
        s = found if s is None else s + (found - s) / (p - 1)
        slopes = xp.where(on, 0.0, xp.abs((transposed @ s[..., None])[..., 0]))
        height = xp.max(slopes, axis=-1, keepdims=True)
        better = going & (height < least)
        if worthwhile is not None:
            going = going & ~((height < 1) & (1 - height <= (1 + worthwhile) * (1 - least)))
        best, least = xp.where(better, s, best), xp.where(better, height, least)
        if not bool(xp.any(going)):
            break
        weight = xp.where(on, _HELD, (slopes / xp.where(height > 0, height, 1.0)) ** (_STEP * p - 2))
    return best


def _hessian(X: Any, weight: Any, all_columns: bool) -> Any:
    """Return X diag(weight) X' of each, of all columns or of the heaviest."""
    xp, (n, d), B = namespace(X), X.shape[-2:], len(weight)
    if not all_columns and d > 2 * _NEAR * n:
        heavy = xp.argsort(-weight, axis=-1)[:, : _NEAR * n]
        weight = xp.take_along_axis(weight, heavy, axis=-1)
        X = xp.take_along_axis(xp.broadcast_to(X, (B, n, d)), heavy[:, None, :], axis=-1)
    return (X * weight[:, None, :]) @ xp.matrix_transpose(X)
