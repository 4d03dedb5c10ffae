"""About the LASSO solutions of a stack: ends of flows with constant penalty at ever smaller scales."""

from functools import partial
from typing import Any, NamedTuple

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.line_search import shortened
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.stack import Stack

_SHARPNESS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)  # log(size/b)
_NEWTON = 30  # steps for each
_SMALL = 0.03  # step relative to r, from which on the next sharpness is tried
_TALLEST = 300.0  # exponents of trial steps that are far too long


def smoothed(stack: Stack, weight: Any) -> Any:
    """Return about the LASSO solutions, shape (B, d).

    The norm is the hyperbolic entropy divided by log(1/b)/2. With it the solution is x = b sinh(L X'r / weight) for
    r = y - Xx and L = log(size/b), which Newton's method solves for r.

    Parameters
    ----------
    stack : Stack
        Problems.
    weight : array, shape (B, 1)
        Positive.
    """
    xp, slopes = stack.xp, stack.pull(stack.y)
    steepest = largest(slopes)
    r = stack.y * xp.clip(weight / xp.where(steepest > 0, steepest, weight), None, 1.0)
    # As large as the weight of a column that has all of y to itself.
    size = largest(xp.where(stack.lengths > 0, slopes / stack.lengths**2, 0.0))
    log_size = xp.log(xp.where(size > 0, size, 1.0))
    norms = [_Norm(weight, L, log_size - L) for L in _SHARPNESS]
    for norm in norms:
        r = _solved(stack, norm, r)
    return norms[-1].weights(stack.pull(r))


class _Norm(NamedTuple):
    """A smoothed norm: x = b sinh(L X'r / weight) where it is least."""

    weight: Any
    L: float
    log_b: Any

    def weights(self, pull: Any) -> Any:
        """Return x for X'r."""
        xp = namespace(pull)
        h = xp.abs(self.L * pull / self.weight)
        return xp.sign(pull) * 0.5 * xp.exp(xp.clip(h + self.log_b, None, _TALLEST)) * -xp.expm1(-2 * h)

    def slope(self, x: Any) -> Any:
        """Return dx / d(X'r)."""
        xp = namespace(x)
        return self.L / self.weight * xp.sqrt(x * x + xp.exp(2 * self.log_b))


def _solved(stack: Stack, norm: _Norm, r: Any) -> Any:
    """Return r with y = r + Xx by Newton's method, which the convex objective of r damps."""
    xp = stack.xp
    eye = xp.eye(r.shape[-1], dtype=r.dtype, device=r.device)
    pull = stack.pull(r)
    for _ in range(_NEWTON):
        x = norm.weights(pull)
        L, _ = linear_algebra.cholesky(eye + stack.hessian(norm.slope(x)))
        step = linear_algebra.solve(L, stack.y - r - stack.of(x))
        along = stack.pull(step)
        t = shortened(partial(_slope, norm, r - stack.y, pull, step, along), norm.weight)
        r, pull = r + t * step, pull + t * along
        far = largest(step) > _SMALL * largest(r)
        if not bool(xp.any(far | (t < 1))):
            break
    return r


def _slope(norm: _Norm, r: Any, pull: Any, step: Any, along: Any, t: Any) -> Any:
    """Return the slope of the objective of r + y at r + t step, whose X'r is pull + t along."""
    xp = namespace(t)
    inner = xp.sum((r + t * step) * step, axis=-1, keepdims=True)
    return inner + xp.sum(norm.weights(pull + t * along) * along, axis=-1, keepdims=True)
