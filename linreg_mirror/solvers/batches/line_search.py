"""Steps of Newton's method on a stack of convex objectives, shortened where they go too far."""

from collections.abc import Callable
from typing import Any

from linreg_mirror.mirrors.protocol import namespace

_TRIALS = 40  # halvings of a step


def shortened(slope: Callable[[Any], Any], like: Any) -> Any:
    """Return t in (0, 1], shortened until the objective no longer rises steeply at the end; 0 where it rises at once.

    Parameters
    ----------
    slope : callable
        t -> the objectives' slopes along their steps, both of shape (B, 1).
    like : array, shape (B, 1)
        Of the kind and on the device that t is to be.
    """
    xp = namespace(like)
    first = slope(xp.zeros_like(like))
    t = xp.where(first > 0, 0.0, xp.ones_like(like))
    for _ in range(_TRIALS):
        steep = slope(t) > -0.5 * first
        if not bool(xp.any(steep)):
            break
        t = xp.where(steep, 0.5 * t, t)
    return t
