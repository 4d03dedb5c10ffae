"""What is used in place of the Hessian X diag(metric) X' of the dual, where that is not formed."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, get_lapack_funcs

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem

Inverse = Callable[[Array], Array]

# SciPy's own calls look at their arguments for longer than a small system takes to solve.
_factor, _solve = get_lapack_funcs(("potrf", "potrs"), dtype=np.float64)

_CACHE = 1 << 26  # entries of an operator's columns that are kept: 512 MiB


class Preconditioner(Protocol):
    """Maps a metric, shape (d,), to v -> P^-1 v with P close to X diag(metric) X'.

    Attributes
    ----------
    exact : bool
        Whether P is X diag(metric) X'.
    rounds : int
        Steps of conjugate gradients after which they are cut short.
    """

    exact: bool
    rounds: int

    @property
    def stronger(self) -> "Callable[[], Preconditioner] | None":
        """Makes the preconditioner that is taken where this one was not enough; None if there is none."""
        ...

    def minimum_norm(self) -> Inverse | None:
        """Return v -> (XX')^-1 v, None where it is not known."""
        ...

    def __call__(self, metric: Array) -> Inverse:
        """Return v -> P^-1 v."""
        ...


def preconditioner(problem: Problem) -> Preconditioner:
    """Return the one to begin with, for a problem with full row rank."""
    return (
        HeavyColumns(problem.X, problem.gram)
        if problem.rank_is_cheap or matrices.is_dense(problem.X)
        else Diagonal(problem.X)
    )


class HeavyColumns:
    """Columns are ranked by their weight in the Hessian; all but the heaviest enter with the mean of their weights.

    Which costs no more than a multiple of XX'. Where d <= 4n all enter exactly, otherwise the 2n heaviest.

    Parameters
    ----------
    X : array or sparse array, shape (n, d)
        Full row rank.
    gram : array, shape (n, n)
        XX'.
    """

    rounds, stronger = 40, None

    def __init__(self, X: matrices.Matrix, gram: Array) -> None:
        self._X, self._gram = X, gram
        n, d = X.shape
        self.exact = d <= 4 * n
        self._weights = matrices.column_weights(X)

    def minimum_norm(self) -> Inverse:
        """Return v -> (XX')^-1 v."""
        return inverse(self._gram)

    def __call__(self, metric: Array) -> Inverse:
        """Return v -> P^-1 v."""
        X, (n, d) = self._X, self._X.shape
        if self.exact:
            return inverse(matrices.gram(X, metric))
        weight = metric * self._weights
        heavy = np.argpartition(weight, d - 2 * n)[d - 2 * n :]
        rest = weight.sum() - weight[heavy].sum()
        mean = max(rest, 0.0) / max(self._weights.sum() - self._weights[heavy].sum(), 1e-300)
        columns = matrices.columns(X, heavy)
        return inverse(mean * self._gram + (columns * (metric[heavy] - mean)) @ columns.T)


class OperatorColumns:
    """The same for an operator: columns by products with unit vectors, and a multiple of the identity for XX'.

    A column enters if its own part of the Hessian is not lost in that of all others. Columns once computed are kept.

    Parameters
    ----------
    X : operator, shape (n, d)
        Full row rank.
    """

    exact, stronger = False, None

    def __init__(self, X: matrices.Matrix) -> None:
        self._X, (n, d) = X, X.shape
        self.rounds = min(2 * n + 40, 500)
        rng, probes = np.random.default_rng(0), 4
        squares = [float(np.sum((X.T @ rng.choice([-1.0, 1.0], n)) ** 2)) for _ in range(probes)]
        self._height = sum(squares) / (probes * n)  # about the mean of XX''s diagonal
        self._place = np.full(d, -1)  # of a column among those kept
        self._kept = np.empty((n, 0))

    def minimum_norm(self) -> None:
        """Return None."""

    def __call__(self, metric: Array) -> Inverse:
        """Return v -> P^-1 v."""
        n, d = self._X.shape
        most = min(2 * n, d)
        heavy = np.argpartition(metric, d - most)[d - most :]
        rest = (metric.sum() - metric[heavy].sum()) / max(d - most, 1)
        heavy = heavy[metric[heavy] > 0.3 * max(rest, 0.0) * d / n]
        mean = max(metric.sum() - metric[heavy].sum(), 0.0) / max(d - len(heavy), 1)
        columns = self._columns(heavy)
        return inverse(mean * self._height * np.eye(n) + (columns * (metric[heavy] - mean)) @ columns.T)

    def _columns(self, which: NDArray[np.intp]) -> Array:
        new = which[self._place[which] < 0]
        if new.size:
            if self._kept.size + len(new) * len(self._kept) > _CACHE:
                self._place[:], self._kept, new = -1, self._kept[:, :0], which
            self._place[new] = self._kept.shape[1] + np.arange(len(new))
            self._kept = np.hstack([self._kept, matrices.columns(self._X, new)])
        return self._kept[:, self._place[which]]


class Diagonal:
    """The diagonal; of an operator nothing at all. Enough where columns are many and much alike.

    Columns are asked for once conjugate gradients take as long as forming an n x n matrix of them, or, of an operator,
    as computing its columns. Above 5000 rows no such matrix is formed.

    Parameters
    ----------
    X : sparse array or operator, shape (n, d)
        Rows may depend on each other if the targets do so too.
    """

    exact = False

    def __init__(self, X: matrices.Matrix) -> None:
        self._X, n = X, X.shape[0]
        self._squares = X.multiply(X) if matrices.has_entries(X) else None
        self.stronger, self.rounds = (self._columns, 50 + n // 10) if n <= matrices.LARGEST_GRAM else (None, 1000)
        if self.stronger and self._squares is not None:
            # A number of X takes part in a product about as long as in 40 operations of a factorisation.
            self.rounds = int(np.clip(4 * n**3 / (40 * max(X.nnz, 1)), 20, 500))

    def minimum_norm(self) -> None:
        """Return None."""

    def __call__(self, metric: Array) -> Inverse:
        """Return v -> P^-1 v."""
        if self._squares is None:
            return lambda v: v
        diagonal = self._squares @ metric
        diagonal[diagonal == 0] = 1.0  # rows of zeros
        return lambda v: v / diagonal

    def _columns(self) -> Preconditioner:
        X = self._X
        return OperatorColumns(X) if self._squares is None else HeavyColumns(X, matrices.gram(X))


def inverse(hessian: Array) -> Inverse:
    """Return v -> H^-1 v, restricted to the directions in which H is above rounding.

    Where a vertex has fewer weights than there are samples, H loses rank as b falls. Steps along what is lost would
    be rounding errors divided by rounding errors, and wake weights that are asleep; there nu keeps its predicted value.
    """
    factor, failed = _factor(hessian, lower=True, clean=False)
    pivots = np.diag(factor)
    if not failed and pivots.min() ** 2 > 1e-11 * pivots.max() ** 2:
        return lambda v: _solve(factor, v, lower=True)[0]
    values, vectors = eigh(hessian, check_finite=False)
    seen = values > 1e-12 * values[-1]
    values, vectors = values[seen], vectors[:, seen]
    return lambda v: vectors @ ((vectors.T @ v) / values)
