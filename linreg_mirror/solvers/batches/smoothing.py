"""About the LASSO solutions of a stack: ends of flows with constant penalty at ever smaller scales."""

from typing import Any, NamedTuple

from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.stack import Stack

_SHARPNESS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)  # log(size/b)
_NEWTON = 30  # steps for each
_SMALL = 0.03  # step relative to r, from which on the next sharpness is tried
_TRIALS = 40  # halvings of a step
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
    xp = stack.xp
    steepest = _largest(xp, stack.pull(stack.y))
    r = stack.y * xp.clip(weight / xp.where(steepest > 0, steepest, weight), None, 1.0)
    gram, _ = linear_algebra.cholesky(stack.hessian(xp.ones_like(stack.mirror.log_scale)))
    log_size = xp.log(_largest(xp, stack.pull(linear_algebra.solve(gram, stack.y))))
    norm = _Norm(xp, weight, 0.0, log_size)
    for L in _SHARPNESS:
        norm = _Norm(xp, weight, L, log_size - L)
        r = _solved(stack, norm, r)
    return norm.weights(stack.pull(r))


class _Norm(NamedTuple):
    """A smoothed norm: x = b sinh(L X'r / weight) where it is least."""

    xp: Any
    weight: Any
    L: float
    log_b: Any

    def weights(self, pull: Any) -> Any:
        """Return x for X'r."""
        xp = self.xp
        h = xp.abs(self.L * pull / self.weight)
        return xp.sign(pull) * 0.5 * xp.exp(xp.clip(h + self.log_b, None, _TALLEST)) * -xp.expm1(-2 * h)

    def slope(self, x: Any) -> Any:
        """Return dx / d(X'r)."""
        xp = self.xp
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
        t = _length(stack, norm, r, pull, step, along)
        r, pull = r + t * step, pull + t * along
        far = _largest(xp, step) > _SMALL * _largest(xp, r)
        if not bool(xp.any(far | (t < 1))):
            break
    return r


def _length(stack: Stack, norm: _Norm, r: Any, pull: Any, step: Any, along: Any) -> Any:
    """Return t in (0, 1], shortened until the objective no longer rises steeply at the end."""
    xp = stack.xp

    def slope(t: Any) -> Any:
        inner = (r + t * step - stack.y) * step
        outer = norm.weights(pull + t * along) * along
        return xp.sum(inner, axis=-1, keepdims=True) + xp.sum(outer, axis=-1, keepdims=True)

    t = xp.ones_like(norm.weight)
    descent = xp.abs(slope(0 * t))
    for _ in range(_TRIALS):
        steep = slope(t) > 0.5 * descent
        if not bool(xp.any(steep)):
            break
        t = xp.where(steep, 0.5 * t, t)
    return t


def _largest(xp: Any, v: Any) -> Any:
    return xp.max(xp.abs(v), axis=-1, keepdims=True)
