"""What many runs of gradient descent solve and where they start, checked and brought to one kind and shape."""

from typing import Any, NamedTuple

import numpy as np

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.discrete.per_run import as_like


class ManyProblems(NamedTuple):
    """B problems and starts.

    Attributes
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all, or one for each.
    y : array, shape (B, n)
        Targets.
    log_u, log_v : array, shape (B, d)
        Logarithms of the factors of x = (u^2 - v^2)/2 at the start.
    """

    X: Any
    y: Any
    log_u: Any
    log_v: Any

    @classmethod
    def of(cls, X: Any, y: Any, log_scale: Any, tilt: Any) -> "ManyProblems":
        """Return arguments of `descents` as arrays of the kind of X, or say what is wrong with them."""
        _require(X, y)
        xp, d = namespace(X), X.shape[-1]
        y, log_scale, tilt = (
            as_like(X, name, value) for name, value in (("y", y), ("log_scale", log_scale), ("tilt", tilt))
        )
        for name, array in {"X": X, "y": y, "log_scale": log_scale, "tilt": tilt}.items():
            if not bool(xp.isfinite(array).all()):
                raise ValueError(
                    f"{name} must be finite: remove or impute what is not; for a balanced start (log b = -inf) write "
                    "descent(problem, Hadamard.balanced(x0), ...)"
                )
        try:
            stacked = ((*array.shape[:-k], 1) for array, k in ((X, 2), (y, 1)))
            shape = np.broadcast_shapes(*stacked, log_scale.shape, tilt.shape, (1, d))
        except ValueError:
            shape = ()
        if len(shape) != 2 or shape[1] != d:
            raise ValueError(
                f"log_scale and tilt must broadcast to (B, {d}), got {tuple(log_scale.shape)} and {tuple(tilt.shape)} "
                f"beside X {tuple(X.shape)} and y {tuple(y.shape)}: give one entry a run and feature, (B, 1) or (d,)"
            )
        y = xp.broadcast_to(y, (shape[0], X.shape[-2]))
        log_scale, tilt = xp.broadcast_to(log_scale, shape), xp.broadcast_to(tilt, shape)
        log_u, log_v = 0.5 * (log_scale + tilt), 0.5 * (log_scale - tilt)
        if any(bool((xp.exp(log_factor) == 0).any()) for log_factor in (log_u, log_v)):
            raise ValueError(
                f"the factors at log_scale = {float(xp.min(log_scale)):.4g} are zero in {X.dtype}, and no step moves "
                "them: use float64, or, if it is, flow(...), which has no factors, or saddles(...), the limit of "
                "vanishing scale"
            )
        return cls(X, y, log_u, log_v)


def _require(X: Any, y: Any) -> None:
    if not (hasattr(X, "ndim") and hasattr(y, "ndim")):
        raise TypeError("X and y must be NumPy arrays or torch tensors, X a float array: write np.asarray(X, float)")
    if X.ndim not in (2, 3) or y.ndim not in (1, 2) or y.shape[-1] != X.shape[-2] or 0 in X.shape:
        raise ValueError(
            f"X (n, d) or (B, n, d) and y (n,) or (B, n) are expected, got shapes {tuple(X.shape)} and {tuple(y.shape)}"
        )
    if "float" not in str(X.dtype) or (isinstance(X, np.ndarray) and X.dtype not in (np.float32, np.float64)):
        raise TypeError(
            f"X must hold floats of 32 or 64 bits, which decide the precision of everything, got {X.dtype}: convert it"
        )
