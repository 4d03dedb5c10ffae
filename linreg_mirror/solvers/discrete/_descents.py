"""Many runs of gradient descent on x = m*w at once: seeds x scales x penalties x step sizes in one batched call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from array_api_compat import is_torch_array

from linreg_mirror._tools.arguments import check_batch_size, check_integer, check_momentum, check_number, real_array
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cites
from linreg_mirror._types import Array
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.schedules import Schedule, require_clock
from linreg_mirror.solvers.discrete.factors import effective, stepped, stepped_on
from linreg_mirror.solvers.results import Status

_CHECK_EVERY = 64  # steps between two looks at which runs are over
_RUNAWAY = 1e6  # as in `descent`
_CACHE = 1 << 16  # numbers in a block of columns that is to stay in a core's own cache, for all runs together


@dataclass(frozen=True, eq=False)
class Descents:
    """Where many runs ended, and what each of them solved. Arrays are of the kind and on the device of X.

    Attributes
    ----------
    x : array, shape (B, d)
        Effective weights.
    log_scale, tilt : array, shape (B, d)
        The Bregman problem that each run solved, as in `ImplicitBias`.
    dual : array, shape (B, n)
        Accumulated loss gradient, divided by 1 - momentum.
    steps : array of int, shape (B,)
        Steps that each run took.
    status : tuple of Status, length B
        `converged`, `diverged` (then x is not finite or huge) or `horizon_reached`.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X, y = np.array([[1.0, 2.0]]), np.array([2.0])
    >>> runs = lm.descents(X, y, np.log([[0.1], [0.2]]), np.zeros(2), step_size=[0.05, 0.02], steps=5000)
    >>> runs.x.shape, runs.dual.shape
    ((2, 2), (2, 1))
    """

    cites: ClassVar[tuple[str, ...]] = ("even2023sgd",)
    x: Any
    log_scale: Any
    tilt: Any
    dual: Any
    steps: Any
    status: tuple[Status, ...]

    def __repr__(self) -> str:
        counts = {name: sum(s.name == name for s in self.status) for name in sorted({s.name for s in self.status})}
        return f"Descents({len(self.status)} runs, d={self.x.shape[-1]}, {counts})"


@cites(*Descents.cites)
@one_thread()
@np.errstate(all="ignore")  # what overflows has diverged
def descents(
    X: Any,
    y: Any,
    log_scale: Any,
    tilt: Any,
    step_size: Any,
    penalty: Any = 0.0,
    *,
    steps: int,
    momentum: float = 0.0,
    batch_size: int | None = None,
    replacement: bool = False,
    tolerance: float = 1e-9,
    rng: np.random.Generator | None = None,
    compiled: bool = False,
) -> Descents:
    """Run B descents on x = m*w with squared loss side by side, on NumPy arrays or torch tensors.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all runs, or one for each. float64 or float32; decides kind, device and precision of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    log_scale, tilt : array, broadcast to (B, d)
        Each start, as log b and log(u0/v0): Hadamard's attributes of these names.
    step_size, penalty : number, array of shape (B,), or function of the step number that returns one of these
        eta_k and alpha_k.
    steps : int
        Step budget of each run.
    momentum, batch_size, replacement
        As in `descent`. Every run draws batches of its own.
    tolerance : float
        Relative stationarity max|X'r| / max|X'y| at which runs stop whose penalty is the number 0; looked at every 64
        steps. 0, or any other penalty, for all steps.
    rng : numpy Generator, optional
        Draws the batches, on the CPU, so that they are the same on every device; required with `batch_size`.
    compiled : bool
        Let torch.compile fuse the arithmetic of a step between its two matrix products: worth its compilation, which
        takes some ten seconds, for long runs on tensors. On NumPy arrays it always is fused.

    Returns
    -------
    Descents
        Ends, and the Bregman problem that each run solved.

    Raises
    ------
    ValueError
        If shapes do not fit together, or a number is not finite or out of range.
    TypeError
        If X and y are not arrays, X holds no floats, or `rng` is missing where it is needed.

    Notes
    -----
    Even, Pesme, Gunasekar, Flammarion (arXiv 2302.08982) for the implicit bias of finite steps.

    Examples
    --------
    Three scales at once:

    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X, y = np.array([[1.0, 2.0]]), np.array([2.0])
    >>> runs = lm.descents(X, y, np.log([[1e-1], [1e-2], [1e-3]]), np.zeros(2), step_size=0.05, steps=5000)
    >>> [status.name for status in runs.status]
    ['converged', 'converged', 'converged']
    >>> bool((np.diff(abs(runs.x).sum(axis=1)) < 0).all())  # the smaller the scale, the smaller the L1 norm
    True
    """
    check_integer("steps", steps, 1)
    check_momentum(momentum)
    check_number("tolerance", tolerance)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r}: write tolerance=1e-9")
    runs = _Runs(X, y, log_scale, tilt, compiled)
    eta, alpha = runs.per_run("step_size", step_size), runs.per_run("penalty", penalty)
    weights = None if batch_size is None else _batch_weights(runs, batch_size, replacement, rng)
    if tolerance == 0 or callable(penalty) or _any(alpha(0) != 0):
        tolerance = -1.0  # the end of a run with a penalty is not where X'r = 0
    for k in range(steps):
        if k % _CHECK_EVERY == 0 and not runs.look(tolerance, at_rest_too=momentum > 0):
            break
        runs.step(eta(k), alpha(k), momentum, None if weights is None else next(weights))
    runs.look(tolerance, at_rest_too=momentum > 0)
    return runs.result(momentum)


class _Runs:
    """The state of all runs: u, v and the residual, in blocks of columns that fit into a cache.

    One pass over the blocks takes a step: gradient, update and next residual of a block while it is at hand.
    """

    def __init__(self, X: Any, y: Any, log_scale: Any, tilt: Any, compiled: bool) -> None:
        _require(X, y)
        self._update: Callable[..., tuple[Any, ...]] = (
            _update_arrays if type(X) is np.ndarray else _fused() if compiled else _update_tensors
        )
        xp = self.xp = namespace(X)
        n, d = X.shape[-2:]
        y, log_scale, tilt = (
            _like(X, name, value) for name, value in (("y", y), ("log_scale", log_scale), ("tilt", tilt))
        )
        for name, array in {"X": X, "y": y, "log_scale": log_scale, "tilt": tilt}.items():
            if not _all(xp.isfinite(array)):
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
        self.B, self.n = shape[0], n
        self.y = xp.broadcast_to(y, (self.B, n))
        log_scale, tilt = xp.broadcast_to(log_scale, shape), xp.broadcast_to(tilt, shape)
        # On an accelerator one block: there launching work costs more than memory does.
        width = d if type(X) is not np.ndarray else max(256, _CACHE // self.B)
        blocks = [slice(first, first + width) for first in range(0, d, width)]
        self.X = [xp.asarray(X[..., J], copy=True) for J in blocks]
        log_u, log_v = 0.5 * (log_scale + tilt), 0.5 * (log_scale - tilt)
        # For each block u and v, and both as they were before the last step.
        if _any(xp.exp(log_u) == 0) or _any(xp.exp(log_v) == 0):
            raise ValueError(
                f"the factors at log_scale = {float(xp.min(log_scale)):.4g} are zero in {X.dtype}, and no step moves "
                "them: use float64, or, if it is, flow(...), which has no factors, or saddles(...), the limit of "
                "vanishing scale"
            )
        self.state = [[xp.exp(log_factor[:, J]) for log_factor in (log_u, log_v, log_u, log_v)] for J in blocks]
        # Memory fresh from the system costs as much as what is written to it.
        on_arrays = type(X) is np.ndarray
        self._room = np.empty(self.B * width, X.dtype) if on_arrays else None
        self._room_r = np.empty(self.B * n, X.dtype) if on_arrays else None
        self.dual = xp.zeros_like(self.y)
        self.r = self._residual()
        size = self._largest_slope(self.y)
        self.slope_scale = xp.where(size > 0, size, xp.ones_like(size))
        self.runaway = _RUNAWAY * (xp.max(xp.abs(self.y), axis=-1) + xp.max(xp.abs(self.r), axis=-1))
        self.going = self.runaway >= 0
        self.converged = self.diverged = ~self.going
        self.steps = xp.zeros_like(size)

    def per_run(self, name: str, value: Any) -> Callable[[int], Any]:
        """Return step number -> array of shape (B,)."""
        if isinstance(value, Schedule) and not isinstance(value, type):
            require_clock(value, "step")
        if callable(value):
            return lambda k: self._checked(name, value(k), f" at step {k}")
        constant = self._checked(name, value)
        return lambda k: constant

    def _checked(self, name: str, value: Any, where: str = "") -> Any:
        array = _like(self.y, name, value)
        if tuple(array.shape) not in ((), (self.B,)) or not _all((array >= 0) & self.xp.isfinite(array)):
            raise ValueError(f"{name} must be finite and >= 0, one number or one for each of {self.B} runs{where}")
        return self.xp.broadcast_to(array, (self.B,))

    def step(self, eta: Any, alpha: Any, momentum: float, weights: Any | None) -> None:
        """Take a step of every run that is not over: eta and alpha have shape (B,), weights of samples (B, n)."""
        xp = self.xp
        going = xp.astype(self.going, self.y.dtype)
        eta = eta * going
        slope = self.r if weights is None else self.r * xp.asarray(weights, dtype=self.y.dtype, device=self.y.device)
        self.dual += eta[:, None] * slope
        factors = [column[:, None] for column in (eta, 1.0 - 2.0 * eta * alpha, momentum * going)]
        r = -self.y
        for i, X in enumerate(self.X):
            g = _times(slope, X, self._room)
            *self.state[i], x = self._update(*self.state[i], g, *factors, momentum > 0)
            r += _times(x, xp.matrix_transpose(X), self._room_r)
        self.r = r
        self.steps += going

    def look(self, tolerance: float, at_rest_too: bool) -> bool:
        """Find out which runs are over; return whether any goes on."""
        xp = self.xp
        over = self.going & ~(xp.max(xp.abs(self.r), axis=-1) <= self.runaway)
        done = self.going & ~over & (self._largest_slope(self.r) <= tolerance * self.slope_scale)
        if at_rest_too:
            done = done & (self._largest_move() <= tolerance)
        self.diverged, self.converged = self.diverged | over, self.converged | done
        self.going = self.going & ~(over | done)
        return _any(self.going)

    def result(self, momentum: float) -> Descents:
        """Sum up."""
        xp = self.xp
        u, v = (xp.concat([block[i] for block in self.state], axis=-1) for i in (0, 1))
        dual = self.dual / (1 - momentum)
        gradient = xp.concat([_times(dual, X) for X in self.X], axis=-1)
        with np.errstate(all="ignore"):
            log_u, log_v = xp.log(xp.abs(u)), xp.log(xp.abs(v))
            return Descents(
                x=effective(u, v),
                log_scale=log_u + log_v,
                tilt=log_u - log_v + 2 * gradient,
                dual=dual,
                steps=xp.astype(self.steps, xp.int64),
                status=tuple(
                    Status.diverged if over else Status.converged if done else Status.horizon_reached
                    for over, done in zip(self.diverged.tolist(), self.converged.tolist(), strict=True)
                ),
            )

    def _residual(self) -> Any:
        r = -self.y
        for X, (u, v, *_) in zip(self.X, self.state, strict=True):
            r = r + _times(effective(u, v), self.xp.matrix_transpose(X))
        return r

    def _largest_slope(self, r: Any) -> Any:
        """Return max|X'r| of each run, shape (B,)."""
        return self._largest(_times(r, X) for X in self.X)

    def _largest_move(self) -> Any:
        """Return the largest change of a factor in the last step, relative to the largest factor."""
        moves = self._largest(block[i] - block[i + 2] for block in self.state for i in (0, 1))
        return moves / self._largest(block[i] for block in self.state for i in (0, 1))

    def _largest(self, blocks: Iterator[Any]) -> Any:
        xp = self.xp
        return xp.max(xp.stack([xp.max(xp.abs(block), axis=-1) for block in blocks]), axis=0)


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


def _like(X: Any, name: str, value: Any) -> Any:
    """Return `value` as an array of the kind of X, or raise TypeError unless it holds real numbers."""
    if not is_torch_array(value):
        value = real_array(name, value)
    elif value.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}: write {name}.real")
    with np.errstate(over="ignore"):  # beyond single precision is infinite, which is refused
        return namespace(X).asarray(value, dtype=X.dtype, device=X.device)


def _times(rows: Any, X: Any, room: Array | None = None) -> Any:
    """Return rows @ X, one row for each run, if possible in the room given; X may be a stack, a matrix for each run."""
    if X.ndim == 3:
        return (rows[:, None, :] @ X)[:, 0, :]
    if room is None:
        return rows @ X
    return np.matmul(rows, X, out=room[: len(rows) * X.shape[1]].reshape(len(rows), -1))


def _update_arrays(
    u: Any, v: Any, u_before: Any, v_before: Any, g: Any, eta: Any, stay: Any, momentum: Any, heavy: bool
) -> tuple[Any, ...]:
    """Return u, v, u_before, v_before and x after a step, all in the places of what came in."""
    from linreg_mirror.solvers.discrete import kernels

    kernels.update_runs(u, v, u_before, v_before, g, eta[:, 0], stay[:, 0], momentum[:, 0])
    return u, v, u_before, v_before, g


def _update_tensors(
    u: Any, v: Any, u_before: Any, v_before: Any, g: Any, eta: Any, stay: Any, momentum: Any, heavy: bool
) -> tuple[Any, ...]:
    """Return the same in new arrays."""
    ahead = stepped_on(u, v, u_before, v_before, eta * g, stay, momentum) if heavy else stepped(u, v, eta * g, stay)
    return *ahead, u, v, effective(*ahead)


@cache
def _fused() -> Callable[..., Any]:
    import torch

    return torch.compile(_update_tensors, dynamic=False)


def _batch_weights(runs: _Runs, batch_size: int, replacement: bool, rng: np.random.Generator | None) -> Iterator[Array]:
    """Yield how much each sample counts in the next step of each run, shape (B, n): n / batch size if it is drawn."""
    B, n = runs.B, runs.n
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"batch_size needs a NumPy generator, got rng={rng!r}: write rng=np.random.default_rng(0)")
    check_batch_size(batch_size, n)
    return _weights(B, n, batch_size, replacement, rng)


def _weights(B: int, n: int, batch_size: int, replacement: bool, rng: np.random.Generator) -> Iterator[Array]:
    order = np.tile(np.arange(n), (B, 1))
    while True:
        if replacement:
            yield rng.multinomial(batch_size, np.full(n, 1 / n), size=B) * (n / batch_size)
            continue
        batch = rng.permuted(order, axis=1) // batch_size
        for number in range(-(-n // batch_size)):
            mine = batch == number
            yield mine * (n / mine[0].sum())


def _any(mask: Any) -> bool:
    return bool(mask.any())


def _all(mask: Any) -> bool:
    return bool(mask.all())
