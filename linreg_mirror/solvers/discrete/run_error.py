r"""How far rounding has taken a run of gradient descent on x = m*w from the run that is exact.

A step of theta = (m, w) has the Jacobian 1 - eta H, H = J'X'WXJ + diag(g, -g) + 2 alpha up to a rotation, where
g = X'W(Xx - y) with weights W of the samples. H is symmetric and its first part has no negative eigenvalue, so that an
error e grows to at most max(|1 - 2 eta alpha + eta |g|_inf|, |1 - 2 eta alpha - eta (lambda_max + |g|_inf)|) e, with g
and lambda_max between the two runs; and rounding adds what it may in one step (see docs/theory/error_bars).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete.steppers import Chunk, CompiledSteps, Stepper
from linreg_mirror.solvers.error_bars.rows import UNIT

_STORE = 1 << 20  # numbers of the states that are looked at together
_FACTORS = 8  # Hessians in a part of a run whose largest eigenvalue is computed, at the most


class _Step(NamedTuple):
    """What the growth of errors in each step depends on; arrays of shape (K,)."""

    eta: Array
    stay: Array  # 1 - 2 eta alpha
    slope: Array  # |g|_inf
    steepest: Array  # lambda_max of X diag(m^2 + w^2) X'
    of_batch: Array  # and with the weights of the batch
    weight: Array  # the largest of these
    rounding: Array  # of one step, in the 2-norm


class BoundedSteps:
    """The steps of another stepper, and a bound of the distance to the exact run from the same factors.

    Parameters
    ----------
    steps : CompiledSteps
        Without momentum.
    problem : Problem
        Of which entries are known and X diag(.) X' is cheap enough (see `why_not`).

    Attributes
    ----------
    distance : float
        Upper bound of |theta - theta*|_2.
    """

    def __init__(self, steps: CompiledSteps, problem: Problem) -> None:
        self.steps, self._problem, self.distance = steps, problem, 0.0
        self._squares = matrices.column_weights(problem.X)
        self._lengths = np.sqrt(self._squares)
        self._longest = 1.01 * float(self._lengths.max())
        self._seen, self._largest = np.zeros(problem.d), 0.0  # m^2 + w^2, and lambda_max with that

    @property
    def theta(self) -> Array:
        """Parameters, shape (2d,)."""
        return self.steps.theta

    @property
    def moved(self) -> float:
        """Largest change of a parameter in the last step: it does not matter here."""
        return self.steps.moved

    @property
    def dual(self) -> Array:
        """Accumulated loss gradient, shape (n,)."""
        return self.steps.dual

    @property
    def error(self) -> float:
        """Upper bound of |x - x*|_1 for the weights of these parameters, as they are rounded; inf if there is none."""
        weight = float(self.theta @ self.theta)
        found = 1.01 * (weight**0.5 * self.distance + 0.5 * self.distance**2 + 8 * UNIT * weight)
        return found if np.isfinite(found) else np.inf

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log|u| and log|v|."""
        return self.steps.log_factors()

    def advance(self, chunk: Chunk) -> tuple[Array, Array]:
        """Take the steps, some at a time, and let the bound follow."""
        from linreg_mirror.solvers.discrete import kernels

        kept = []
        for part in _parts(chunk, max(1, _STORE // (2 * self._problem.d + self._problem.n))):
            start = self.theta
            thetas, duals = self.steps.advance(part._replace(keep=np.ones(len(part.eta), bool)))
            step = self._step(part, np.vstack([start, thetas[:-1]]))
            self.distance = kernels.grown_error(self.distance, self._longest, *step)
            kept.append((thetas[part.keep], duals[part.keep]))
        thetas, duals = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
        return thetas, duals

    def _step(self, part: Chunk, thetas: Array) -> _Step:
        """Return what each step does to errors, for the states before them, shape (K, 2d)."""
        X, y, n, d = self._problem.X, self._problem.y, self._problem.n, self._problem.d
        m, w = thetas[:, :d], thetas[:, d:]
        squares = m**2 + w**2
        r = (X @ (m * w).T).T - y
        weights = _weights(part, n)
        weighted = r if weights is None else weights * r
        weight = np.ones(len(r)) if weights is None else weights.max(axis=1)
        # x = mw and (u - v)(u + v)/2 are wrong by units of m^2 + w^2; sums of k terms by k units of those of moduli.
        lost_r = (d + 20) * UNIT * (squares @ self._lengths + float(np.linalg.norm(y)))
        size = np.linalg.norm(weighted, axis=1) + 2 * weight * lost_r
        lost_g = 1.01 * self._longest * (n + 12) * UNIT * size
        slope = np.abs((X.T @ weighted.T).T).max(axis=1) + lost_g + 1.01 * self._longest * weight * lost_r
        trace = np.full(len(r), np.inf)
        if weights is not None:  # of one sample the trace is all there is
            entries = X**2 if matrices.is_dense(X) else X.multiply(X)
            trace = 1.01 * np.sum(weights * (entries @ squares.T).T, axis=1)
        steepest = self._steepest(squares, weight, np.where(part.eta * trace <= 2, np.inf, 2 / part.eta))
        of_batch = np.minimum(weight * steepest, trace)
        # What is lost of the residual comes back through J'X'W, that of the gradient and of products entry by entry.
        own = part.eta * lost_g + 6 * UNIT * (1 + 2 * part.eta * np.abs(part.alpha) + part.eta * slope)
        rounding = np.sqrt(squares.sum(axis=1)) * own + part.eta * np.sqrt(weight * of_batch) * lost_r
        underflow = float(np.finfo(float).tiny) * (2 * d) ** 0.5
        return _Step(
            part.eta, 1 - 2 * part.eta * part.alpha, slope, steepest, of_batch, weight, 1.01 * rounding + underflow
        )

    def _steepest(self, squares: Array, weight: Array, enough: Array) -> Array:
        """Return upper bounds of lambda_max(X diag(m^2 + w^2) X'), from those of few states and traces of changes.

        Times the weight they are good enough up to `enough`.
        """
        found = self._largest + 1.01 * np.maximum(squares - self._seen, 0) @ self._squares
        for _ in range(_FACTORS):
            steep = np.flatnonzero(weight * found > enough)
            if not steep.size:
                break
            seen = squares[steep[0]]
            gram = matrices.gram(self._problem.X, seen)
            if not np.isfinite(gram).all():
                break
            inexact = 8 * (len(seen) + len(gram)) * UNIT * float(np.trace(gram))
            largest = 1.01 * (float(np.linalg.eigvalsh(gram)[-1]) + inexact)
            if not largest < 0.99 * found[steep[0]]:
                break
            self._seen, self._largest = seen, largest
            found = np.minimum(found, largest + 1.01 * np.maximum(squares - seen, 0) @ self._squares)
        return found


def why_not(problem: Problem, stepper: Stepper, momentum: float) -> str | None:
    """Return why the distance to the exact run is not bounded, or None if it is.

    Parameters
    ----------
    problem : Problem
        X of any kind.
    stepper : Stepper
        What takes the steps.
    momentum : float
        Of the heavy ball.
    """
    if not isinstance(stepper, CompiledSteps):
        return "no bound of error: only the compiled steps of x = m*w with squared loss have one"
    if momentum:
        return "no bound of error: with momentum a step is no gradient step, whose errors are bounded"
    if not matrices.has_entries(problem.X):
        return "no bound of error: an operator's products may be wrong by anything"
    if not matrices.is_dense(problem.X) and problem.n > matrices.LARGEST_GRAM:
        return f"no bound of error: XX' of a sparse X is formed for n <= {matrices.LARGEST_GRAM}"
    return None


def _parts(chunk: Chunk, most: int) -> Iterator[Chunk]:
    for first in range(0, len(chunk.eta), most):
        yield Chunk(*(None if array is None else array[first : first + most] for array in chunk))  # type: ignore[arg-type]


def _weights(part: Chunk, n: int) -> Array | None:
    """Return how often each sample counts in each step, shape (K, n); None if each counts once."""
    if part.rows is None or part.sizes is None:
        return None
    weights = np.zeros((len(part.eta), n))
    used = np.arange(part.rows.shape[1]) < part.sizes[:, None]
    step, place = np.nonzero(used)
    np.add.at(weights, (step, part.rows[step, place]), n / part.sizes[step])
    return weights
