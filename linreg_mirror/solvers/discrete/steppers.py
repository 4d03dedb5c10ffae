"""Taking gradient steps: in NumPy for every network and loss, and compiled for x = m*w with squared loss.

Of a sparse X or an operator only the update of the factors is compiled; products are its own.
"""

from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Squared
from linreg_mirror.solvers.discrete.factors import effective
from linreg_mirror.solvers.discrete.implicit_bias import LogProducts
from linreg_mirror.solvers.discrete.minibatches import Rows

_NO_ROWS = np.empty((0, 1), dtype=np.int64)


class Chunk(NamedTuple):
    """Steps to be taken.

    Attributes
    ----------
    eta, alpha : array, shape (K,)
        Step size and penalty of each.
    keep : array of bool, shape (K,)
        After which steps the state is returned.
    rows, sizes : array of int, shape (K, b) and (K,), or None
        Samples of each minibatch, of which the first `sizes[k]` count; None where every step sees all samples.
    """

    eta: Array
    alpha: Array
    keep: NDArray[np.bool_]
    rows: Rows | None = None
    sizes: Rows | None = None


class Stepper(Protocol):
    """Holds the state of a run.

    Attributes
    ----------
    theta : array, shape (p,)
        Parameters.
    moved : float
        Largest change of a parameter in the last step; 0 without momentum, where it does not matter.
    dual : array, shape (n,)
        Sum of eta times the loss gradient, so that X'dual is the accumulated gradient.
    """

    @property
    def theta(self) -> Array:
        """Parameters, shape (p,)."""
        ...

    @property
    def moved(self) -> float:
        """Largest change of a parameter in the last step."""
        ...

    @property
    def dual(self) -> Array:
        """Accumulated loss gradient, shape (n,)."""
        ...

    def advance(self, chunk: Chunk) -> tuple[Array, Array]:
        """Take the steps; return parameters, shape (kept, p), and duals, shape (kept, n), after those to keep."""
        ...

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log|u| and log|v| of x = m*w, shape (d,); None for other networks."""
        ...


class Gradients:
    """Gradients of f, or of batches, at the steps of a chunk."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    @cached_property
    def _rows(self) -> matrices.Matrix:
        return matrices.rows(self._problem.X)

    def __call__(self, x: Array, chunk: Chunk, k: int) -> tuple[Array, Array]:
        """Return the loss gradient of step k, shape (n,), and that in x, shape (d,)."""
        problem = self._problem
        if chunk.rows is None or chunk.sizes is None:
            slope = problem.loss.gradient(problem.residual(x))
            return slope, problem.X.T @ slope
        rows = chunk.rows[k, : chunk.sizes[k]]
        batch = self._rows[rows]
        of_batch = problem.loss.gradient(batch @ x - problem.y[rows]) * (problem.n / len(rows))
        # With replacement a sample may be drawn twice, and counts twice.
        return np.bincount(rows, of_batch, problem.n).astype(float), batch.T @ of_batch


class NumpySteps:
    """Steps of any network by its own pullback, and log-products from the gradients alone where it is x = m*w."""

    def __init__(self, problem: Problem, network: Parametrization, momentum: float) -> None:
        self.problem, self.network, self.momentum = problem, network, momentum
        self.theta = self._before = network.theta0.copy()
        self.dual = np.zeros(problem.n)
        self._start = network.log_factors()
        self._products = None if self._start is None else LogProducts(network.d, momentum)
        self._gradient = Gradients(problem)

    @property
    def moved(self) -> float:
        """Largest change of a parameter in the last step; 0 without momentum, where it does not matter."""
        return float(np.abs(self.theta - self._before).max()) if self.momentum else 0.0

    def advance(self, chunk: Chunk) -> tuple[Array, Array]:
        """Take the steps."""
        problem, network = self.problem, self.network
        kept = []
        for k, (eta, alpha) in enumerate(zip(chunk.eta, chunk.alpha, strict=True)):
            slope, g = self._gradient(network.effective(self.theta), chunk, k)
            force = network.pullback(self.theta, g)
            if alpha:
                force = force + alpha * network.penalty_gradient(self.theta)
            self.dual = self.dual + eta * slope
            ahead = self.theta - eta * force
            if self.momentum:
                ahead += self.momentum * (self.theta - self._before)
            self.theta, self._before = ahead, self.theta
            if self._products is not None:
                self._products.step(g, eta, alpha)
            if chunk.keep[k]:
                kept.append((self.theta, self.dual))
        p, n = self.theta.size, problem.n
        return np.array([t for t, _ in kept]).reshape(-1, p), np.array([s for _, s in kept]).reshape(-1, n)

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log|u| and log|v| by the log-products."""
        if self._start is None or self._products is None:
            return None
        log_u, log_v = self._start
        return log_u + self._products.log_u, log_v + self._products.log_v


class CompiledSteps:
    """The same steps of x = m*w, compiled."""

    @staticmethod
    def can_do(problem: Problem, network: Parametrization) -> bool:
        """Whether this problem and network are what was compiled."""
        return matrices.is_dense(problem.X) and ProductSteps.can_do(problem, network)

    def __init__(self, problem: Problem, network: Parametrization, momentum: float) -> None:
        self.problem, self.momentum = problem, momentum
        # From the logarithms: m0 - w0 would lose v where the scale is small.
        factors = network.log_factors()
        assert factors is not None
        self._u, self._v = (aligned(np.exp(log_factor)) for log_factor in factors)
        self._before = self._u.copy(), self._v.copy()
        self.dual = np.zeros(problem.n)
        self._prepare()

    def _prepare(self) -> None:
        self._X = aligned(self.problem.X)

    @property
    def theta(self) -> Array:
        """(m, w), shape (2d,)."""
        return _factors(np.concatenate([self._u, self._v]))

    @property
    def moved(self) -> float:
        """Largest change of a parameter in the last step; 0 without momentum, where it does not matter."""
        before = _factors(np.concatenate(self._before))
        return float(np.abs(self.theta - before).max()) if self.momentum else 0.0

    def advance(self, chunk: Chunk) -> tuple[Array, Array]:
        """Take the steps."""
        from linreg_mirror.solvers.discrete import kernels

        n, d = self.problem.X.shape
        kept = np.empty((np.count_nonzero(chunk.keep), 2 * d + n))
        rows, sizes = (
            (_NO_ROWS, _NO_ROWS[:, 0]) if chunk.rows is None or chunk.sizes is None else (chunk.rows, chunk.sizes)
        )
        kernels.take_steps(
            self._X, self.problem.y, self._u, self._v, *self._before, self.dual,
            chunk.eta, chunk.alpha, self.momentum, chunk.keep, kept, rows, sizes,
        )  # fmt: skip
        return _factors(kept[:, : 2 * d]), kept[:, 2 * d :]

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log|u| and log|v|, -inf where a factor is no longer a normal number."""
        factors = np.abs(self._u), np.abs(self._v)
        log_u, log_v = (np.log(np.where(factor < np.finfo(float).tiny, 0.0, factor)) for factor in factors)
        return log_u, log_v


class ProductSteps(CompiledSteps):
    """The same steps with products by X itself, sparse or an operator, and compiled factors."""

    @staticmethod
    def can_do(problem: Problem, network: Parametrization) -> bool:
        """Whether this problem and network are what was compiled."""
        return network.log_factors() is not None and type(problem.loss) is Squared

    def _prepare(self) -> None:
        self._gradient = Gradients(self.problem)

    def advance(self, chunk: Chunk) -> tuple[Array, Array]:
        """Take the steps."""
        from linreg_mirror.solvers.discrete import kernels

        kept = []
        u, v, u_before, v_before = (factor[None] for factor in (self._u, self._v, *self._before))
        momentum = np.array([self.momentum])
        x = effective(self._u, self._v)
        for k, (eta, alpha) in enumerate(zip(chunk.eta, chunk.alpha, strict=True)):
            slope, g = self._gradient(x, chunk, k)
            self.dual += eta * slope
            x = np.array(g)  # the kernel puts x in the place of the gradient
            kernels.update_runs(
                u, v, u_before, v_before, x[None], np.array([eta]), np.array([1 - 2 * eta * alpha]), momentum
            )
            if chunk.keep[k]:
                kept.append(np.concatenate([self._u, self._v, self.dual]))
        d = self.problem.d
        states = np.array(kept).reshape(-1, 2 * d + self.problem.n)
        return _factors(states[:, : 2 * d]), states[:, 2 * d :]


def aligned(array: Array) -> Array:
    """Return a copy, row after row, that begins at a cache line: out of step with it, a kernel takes a third longer."""
    line = 64 // array.itemsize
    store = np.empty(array.size + line)
    first = -(store.ctypes.data // array.itemsize) % line
    copy = store[first : first + array.size].reshape(array.shape)
    copy[...] = array
    return copy


def _factors(uv: Array) -> Array:
    """Return (m, w) of (u, v), shape (..., 2d)."""
    d = uv.shape[-1] // 2
    u, v = uv[..., :d], uv[..., d:]
    return np.concatenate([u + v, u - v], axis=-1) * np.sqrt(0.5)
