"""Where a network starts: given as numbers or entry by entry, and not at zero."""

from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._types import Array


def broadcast_start(x0: Any, log_scale: Array, d: int | None, instead: str) -> tuple[Array, Array]:
    """Return x0 and the logarithm of the scale, both of shape (d,), whichever of the three says what d is.

    Raise ValueError, advising `instead`, if they name no number of entries, or several.
    """
    x0 = as_real_array("x0", x0)
    if d is not None:
        check_integer("d", d, 1)
    elif x0.shape == log_scale.shape == ():
        raise ValueError(f"d, the number of entries, is missing where all else are numbers: write {instead}")
    shapes = {x0.shape, log_scale.shape, () if d is None else (d,)} - {()}
    shape = next(iter(shapes), ())
    if len(shapes) != 1 or len(shape) != 1 or shape == (0,):
        raise ValueError(
            f"x0, scale and d must agree on the number of entries, got x0 of shape {x0.shape}, scale of shape "
            f"{log_scale.shape} and d={d}: write {instead}"
        )
    return np.broadcast_to(x0, shape).copy(), np.broadcast_to(log_scale, shape).copy()


def refuse_underflow(scale: str, log_scale: Array, smallest: Array) -> None:
    """Raise ValueError if a factor is zero in float64 though its scale is not."""
    if (smallest[np.isfinite(log_scale)] == 0).any():
        raise ValueError(
            f"the parameters at log {scale} = {log_scale.min():.4g} are zero in float64, and no step moves them: write "
            "flow(problem, network), which needs no parameters, or saddles(problem), the limit of vanishing scale"
        )
