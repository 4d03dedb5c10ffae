"""Newton's method on the duals of a stack of Bregman projections, continued in the scale, each at its own pace."""

import math
from functools import partial
from typing import Any

from linreg_mirror.solvers.batches.line_search import shortened
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.states import State, begun, potential, resumed, solved

_COARSE = 1e-2  # residual on the way, relative to the scale of y
_CLOSE = 1e-6  # residual that may be all that rounding allows
_PATIENCE = 3  # rounds in which it does not fall to half
_ROUNDS = 400  # in all: 20 are usual; what needs more is left to the solver of single problems


def continued(stack: Stack, tolerance: float, before: tuple[Any, float] | None = None) -> Any:
    """Return nu, shape (B, n), with X primal(z_0 + X'nu) = y up to the tolerance, zero where that was not reached.

    Parameters
    ----------
    stack : Stack
        Problems of full row rank.
    tolerance : float
        Largest residual, relative to the scale of y.
    before : (array of shape (B, n), float), optional
        nu at a scale whose logarithm is larger by this number, without tilt. Default: from a nearly quadratic one.
    """
    xp, way = stack.xp, stack
    state = begun(stack) if before is None else resumed(stack, *before)
    nu = xp.zeros_like(stack.y)
    for _ in range(_ROUNDS):
        state, reached, lost = _round(way, state, tolerance)
        nu[state.place[reached]] = state.nu[reached]
        over = reached | lost
        if bool(xp.any(over)):
            going = xp.nonzero(~over)[0]
            if not len(going):
                break
            way, state = way.part(going), state.part(going)
    return nu


def _round(stack: Stack, state: State, tolerance: float) -> tuple[State, Any, Any]:
    """Take a step of every problem: one of Newton's method, or to the next scale; return which are done, and lost."""
    xp, mirror = stack.xp, stack.mirror
    A = stack.decay - state.shift / 4
    x, metric = mirror.primal(state.z, A), mirror.metric(state.z, A)
    r = stack.y - stack.of(x)
    residual = largest(r)
    last = state.left <= 0
    required = xp.where(last, tolerance * state.scale, _COARSE * state.scale)
    stale = xp.where(residual < 0.5 * state.best, 0.0, state.stale + 1)
    # Rounding in the exponents ends the quadratic convergence.
    there = (residual <= required) | ((stale >= _PATIENCE) & (residual <= _CLOSE * state.scale))
    reached, onward = last & there, there & ~last

    left = xp.where(onward, xp.clip(state.left - state.step, 0.0, None), state.left)
    shift, z0 = potential(stack, state.size, state.total, left)
    growth = xp.where(onward, (1 + state.total - left) / xp.clip(1 + state.total - state.left, 1.0, None), 1.0)
    # To first order: how nu changes with z_0 and A, from the guess that exponents grow like log(size/b).
    moved = -x * (state.shift - shift) + metric * (z0 - state.z0 + (growth - 1) * (state.z - state.z0))
    step = solved(stack, metric, xp.where(onward, -stack.of(moved), r))
    z, along = z0 + growth * (state.z - state.z0), stack.pull(step)
    t = shortened(partial(_slope, stack, stack.decay - shift / 4, z, along, step), left)
    new = State(
        state.place, xp.where(reached, state.nu, growth * state.nu + t * step), z + t * along, z0, shift,
        left, xp.where(onward, 2 * state.step, state.step), state.total, state.size, state.scale,
        xp.where(onward, math.inf, xp.minimum(residual, state.best)), xp.where(onward, 0.0, stale),
    )  # fmt: skip
    return new, reached[:, 0], ~xp.isfinite(xp.sum(step, axis=-1))


def _slope(stack: Stack, A: Any, z: Any, along: Any, step: Any, t: Any) -> Any:
    """Return the slope of the dual objective at nu + t step, whose dual point is z + t along."""
    xp = stack.xp
    rise = xp.sum(stack.mirror.primal(z + t * along, A) * along, axis=-1, keepdims=True)
    return rise - xp.sum(stack.y * step, axis=-1, keepdims=True)
