"""Where Newton's method stands on the dual of each problem of a stack, and at which potential on the way."""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.stack import Stack

FIRST_STEP = 8.0  # in log b; each is twice the one before
_TINY = float(np.finfo(float).tiny)


@dataclass
class State:
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

    def part(self, at: Any) -> "State":
        """Return some of the problems."""
        return State(*(getattr(self, field.name)[at] for field in fields(self)))


def begun(stack: Stack) -> State:
    """Return the start at potentials that are nearly quadratic, from the solution of quadratic ones.

    Parameters
    ----------
    stack : Stack
        Problems of full row rank.
    """
    xp, mirror = stack.xp, stack.mirror
    start = mirror.primal(mirror.initial_dual, stack.decay)
    metric = xp.ones_like(start)
    nu = solved(stack, metric, stack.y - stack.of(start))
    scale = largest(stack.y)
    scale = xp.where(scale > 0, scale, largest(stack.of(start)))
    scale = xp.where(scale > 0, scale, 1.0)
    size = xp.clip(xp.maximum(largest(stack.pull(nu)), 1e-8 * scale), _TINY, None)
    total = xp.max(_above(stack, size), axis=-1, keepdims=True)
    shift, z0 = potential(stack, size, total, total)
    metric = mirror.metric(z0, stack.decay - shift / 4)
    nu = nu / xp.max(metric, axis=-1, keepdims=True)
    # From a potential that is far from quadratic the start itself is the better guess.
    better = _objective(stack, z0, shift, nu) < _objective(stack, z0, shift, xp.zeros_like(nu))
    nu = xp.where(better, nu, 0.0)
    return State(
        xp.arange(len(nu), device=nu.device), nu, z0 + stack.pull(nu), z0, shift, total,
        xp.full_like(total, FIRST_STEP), total, size, scale, xp.full_like(total, math.inf), xp.zeros_like(total),
    )  # fmt: skip


def resumed(stack: Stack, nu: Any, left: float) -> State:
    """Return the start at a scale whose logarithm is larger by `left`, from the dual there.

    Parameters
    ----------
    stack : Stack
        Problems of full row rank, without tilt.
    nu : array, shape (B, n)
        The dual.
    left : float
        Way to go in log b.
    """
    state = begun(stack)
    state.left, state.nu = stack.xp.clip(state.total, None, left), nu
    state.step = stack.xp.full_like(state.step, max(FIRST_STEP, left / 2))
    state.shift, state.z0 = potential(stack, state.size, state.total, state.left)
    state.z = state.z0 + stack.pull(nu)
    return state


def potential(stack: Stack, size: Any, total: Any, left: Any) -> tuple[Any, Any]:
    """Return shift and z0 of the potential with the part `left` of the way to go, as `on_the_way` of one mirror.

    Parameters
    ----------
    stack : Stack
        Problems and the potentials that are wanted.
    size, total, left : array, shape (B, 1)
        As in State.
    """
    xp, mirror = stack.xp, stack.mirror
    shift = _above(stack, size) * (left / xp.where(total > 0, total, 1.0))
    if not bool(xp.any(mirror.tilt != 0)):
        return shift, xp.zeros_like(shift)
    start = xp.maximum(xp.abs(mirror.primal(mirror.initial_dual, stack.decay)), size)
    reach = Hyperbolic(stack.log_b + shift, mirror.tilt).dual(start, 0.0)
    tilt = 0.5 * xp.abs(mirror.tilt)
    return shift, xp.sign(mirror.tilt) * xp.where(left > 0, xp.minimum(tilt, reach), tilt)


def solved(stack: Stack, metric: Any, v: Any) -> Any:
    """Return H^-1 v; not finite where H is singular.

    Parameters
    ----------
    stack : Stack
        Problems.
    metric : array, shape (B, d)
        Of H.
    v : array, shape (B, n)
        Vectors.
    """
    L, _ = linear_algebra.cholesky(stack.hessian(metric))
    return linear_algebra.solve(L, v)


def _above(stack: Stack, size: Any) -> Any:
    return stack.xp.clip(stack.xp.log(size) - stack.log_b, 0.0, None)


def _objective(stack: Stack, z0: Any, shift: Any, nu: Any) -> Any:
    xp = stack.xp
    value = stack.mirror.conjugate(z0 + stack.pull(nu), stack.decay - shift / 4)
    return xp.sum(value, axis=-1, keepdims=True) - xp.sum(stack.y * nu, axis=-1, keepdims=True)
