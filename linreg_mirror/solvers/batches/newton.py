"""Newton's method on the duals of a stack of Bregman projections, continued in the scale, each at its own pace."""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.stack import Stack

_COARSE = 1e-2  # residual on the way, relative to the scale of y
_FIRST = 8.0  # step in log b; each is twice the one before
_ROUNDS = 400  # in all: 20 are usual; what needs more is left to the solver of single problems
_TRIALS = 40  # halvings of a step
_TINY = float(np.finfo(float).tiny)


@dataclass
class _State:
    """Where each problem stands; arrays have a row for each problem that is under way.

    Attributes
    ----------
    place : array of int, shape (B,)
        Which problem.
    nu : array, shape (B, n)
        The dual: x = primal(z0 + X'nu).
    z, z0 : array, shape (B, d)
        Dual points of this stage, now and at the start.
    shift : array, shape (B, d)
        How far log b is above the one that is wanted.
    left, step, total, size, scale : array, shape (B, 1)
        Way to go in log b, the next step, the whole way; size of the weights, and of y.
    best : array, shape (B, 1)
        Least residual of this stage so far.
    stale : array, shape (B, 1)
        Rounds without progress.
    """

    place: Any
    nu: Any
    z: Any
    z0: Any
    shift: Any
    left: Any
    step: Any
    total: Any
    size: Any
    scale: Any
    best: Any
    stale: Any

    def part(self, at: Any) -> "_State":
        return _State(*(getattr(self, field.name)[at] for field in fields(self)))


def continued(stack: Stack, tolerance: float, before: tuple[Any, float] | None = None) -> tuple[Any, Any]:
    """Return nu, shape (B, n), with X primal(z_0 + X'nu) = y up to the tolerance, and where that was reached.

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
    state = _begun(stack) if before is None else _resumed(stack, *before)
    nu, done = xp.zeros_like(stack.y), xp.zeros_like(stack.y[:, 0]) > 0
    for _ in range(_ROUNDS):
        state, over, reached = _round(way, state, tolerance)
        if bool(xp.any(over)):
            at = state.place[over]
            nu[at], done[at] = state.nu[over], reached[over]
            going = xp.nonzero(~over)[0]
            if not len(going):
                break
            way, state = way.part(going), state.part(going)
    return nu, done


def _begun(stack: Stack) -> _State:
    xp, mirror = stack.xp, stack.mirror
    start = mirror.primal(mirror.initial_dual, stack.decay)
    missing = stack.y - stack.of(start)
    scale = _largest(stack.y)
    scale = xp.where(scale > 0, scale, _largest(stack.of(start)))
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    metric = xp.ones_like(stack.decay)
    nu = _solved(stack, metric, missing)
    size = xp.clip(xp.maximum(_largest(stack.pull(nu)), 1e-8 * scale), _TINY, None)
    total = xp.max(_above(stack, size), axis=-1, keepdims=True)
    state = _State(
        xp.arange(len(nu), device=nu.device) if not isinstance(nu, np.ndarray) else np.arange(len(nu)),
        nu, 0 * metric, 0 * metric, 0 * metric, total, 0 * total + _FIRST, total, size, scale,
        0 * total + math.inf, 0 * total,
    )  # fmt: skip
    state.shift, state.z0 = _potential(stack, state, state.left)
    metric = mirror.metric(state.z0, stack.decay - state.shift / 4)
    nu = nu / xp.max(metric, axis=-1, keepdims=True)
    # From a potential that is far from quadratic the start itself is the better guess.
    better = _objective(stack, state, nu) < _objective(stack, state, 0 * nu)
    state.nu = xp.where(better, nu, 0 * nu)
    state.z = state.z0 + stack.pull(state.nu)
    return state


def _resumed(stack: Stack, nu: Any, left: float) -> _State:
    state = _begun(stack)
    state.left = stack.xp.clip(state.total, None, left)
    state.nu, state.step = nu, 0 * state.step + max(_FIRST, left / 2)
    state.shift, state.z0 = _potential(stack, state, state.left)
    state.z = state.z0 + stack.pull(nu)
    return state


def _round(stack: Stack, state: _State, tolerance: float) -> tuple[_State, Any, Any]:
    """Take a step of every problem: one of Newton's method, or to the next scale; return which are over and reached."""
    xp, mirror = stack.xp, stack.mirror
    A = stack.decay - state.shift / 4
    x, metric = mirror.primal(state.z, A), mirror.metric(state.z, A)
    r = stack.y - stack.of(x)
    residual = _largest(r)
    last = state.left <= 0
    required = xp.where(last, 0 * residual + tolerance, 0 * residual + _COARSE) * state.scale
    stale = xp.where(residual < 0.5 * state.best, 0 * residual, state.stale + 1)
    # Rounding in the exponents ends the quadratic convergence.
    solved = (residual <= required) | ((stale >= 3) & (residual <= 1e-6 * state.scale))
    over, reached = (last & solved)[:, 0], (last & solved)[:, 0]
    best = xp.minimum(residual, state.best)

    onward = solved & ~last
    left = xp.where(onward, xp.clip(state.left - state.step, 0.0, None), state.left)
    shift, z0 = _potential(stack, state, left)
    growth = xp.where(onward, (1 + state.total - left) / xp.clip(1 + state.total - state.left, 1.0, None), 1 + 0 * left)
    # To first order: how nu changes with z_0 and A, from the guess that exponents grow like log(size/b).
    guess = (growth - 1) * (state.z - state.z0)
    moved = -4 * x * (state.shift - shift) / 4 + metric * (z0 - state.z0 + guess)
    rhs = xp.where(onward, -stack.of(moved), r) if bool(xp.any(onward)) else r
    step = _solved(stack, metric, rhs)
    nu = growth * state.nu
    z = z0 + growth * (state.z - state.z0)
    t = _length(stack, stack.decay - shift / 4, z, stack.pull(step), stack.y, step)
    broken = ~xp.isfinite(xp.sum(step, axis=-1))
    moves = ~over[:, None]
    new = _State(
        state.place,
        xp.where(moves, nu + t * step, state.nu),
        z + t * stack.pull(step),
        z0, shift, left, xp.where(onward, 2 * state.step, state.step), state.total, state.size, state.scale,
        xp.where(onward, 0 * best + math.inf, best), xp.where(onward, 0 * stale, stale),
    )  # fmt: skip
    return new, over | broken, reached


def _potential(stack: Stack, state: _State, left: Any) -> tuple[Any, Any]:
    """Return shift and z0 of the potential with the part `left` of the way to go, as `on_the_way` of one mirror."""
    xp, mirror = stack.xp, stack.mirror
    shift = _above(stack, state.size) * (left / xp.where(state.total > 0, state.total, 1 + 0 * left))
    if not bool(xp.any(mirror.tilt != 0)):
        return shift, 0 * shift
    start = xp.maximum(xp.abs(mirror.primal(mirror.initial_dual, stack.decay)), state.size)
    reach = Hyperbolic(stack.log_b + shift, mirror.tilt).dual(start, 0.0)
    tilt = 0.5 * xp.abs(mirror.tilt)
    z0 = xp.sign(mirror.tilt) * xp.where(left > 0, xp.minimum(tilt, reach), tilt)
    return shift, z0


def _above(stack: Stack, size: Any) -> Any:
    return stack.xp.clip(stack.xp.log(size) - stack.log_b, 0.0, None)


def _length(stack: Stack, A: Any, z: Any, dz: Any, y: Any, step: Any) -> Any:
    """Return t in (0, 1], shortened until the convex objective no longer rises steeply at the end."""
    xp, mirror = stack.xp, stack.mirror

    def slope(t: Any) -> Any:
        return xp.sum(mirror.primal(z + t * dz, A) * dz, axis=-1, keepdims=True) - along

    along = xp.sum(y * step, axis=-1, keepdims=True)
    t = xp.ones_like(along)
    descent = xp.abs(slope(0 * t))
    for _ in range(_TRIALS):
        steep = slope(t) > 0.5 * descent
        if not bool(xp.any(steep)):
            return t
        t = xp.where(steep, 0.5 * t, t)
    return t


def _objective(stack: Stack, state: _State, nu: Any) -> Any:
    xp = stack.xp
    value = stack.mirror.conjugate(state.z0 + stack.pull(nu), stack.decay - state.shift / 4)
    return xp.sum(value, axis=-1, keepdims=True) - xp.sum(stack.y * nu, axis=-1, keepdims=True)


def _solved(stack: Stack, metric: Any, v: Any) -> Any:
    """Return H^-1 v; not finite where H is singular."""
    L, _ = linear_algebra.cholesky(stack.hessian(metric))
    return linear_algebra.solve(L, v)


def _largest(v: Any) -> Any:
    xp = namespace(v)
    return xp.max(xp.abs(v), axis=-1, keepdims=True)
