"""What is minimised: f(x) = l(Xx - y)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import lsqr

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import as_real_array, is_number
from linreg_mirror._tools.cards import card
from linreg_mirror._tools.matrices import Matrix
from linreg_mirror._types import Array
from linreg_mirror.problems.losses import Loss, Squared

_factor, _inverse_condition = scipy.linalg.get_lapack_funcs(("getrf", "gecon"), dtype=np.float64)
_SMALLEST, _LARGEST = 1e-152, 1e152  # their squares, and sums of these, are numbers in float64


@dataclass(frozen=True, eq=False)
class Problem:
    """A linear regression problem f(x) = l(Xx - y).

    Parameters
    ----------
    X : array_like, sparse array or matrix, or scipy.sparse.linalg.LinearOperator, shape (n, d)
        Samples in rows, features in columns. Converted to float64; integer and float32 input is accepted.
        Zero columns, duplicated columns, rank-deficient X and n >= d are allowed and have defined answers:
        a feature that X does not see keeps what initialisation and decay make of it. Any sparse format is accepted and
        compressed, duplicates summed. An operator must be real and have matvec and rmatvec; that they multiply by
        transposed matrices is checked on one pair of random vectors, that they are linear and give the same answer each
        time is not. `limit`, `descent` and `minimum_l2` take all three; what else reads entries of X says so.
    y : array_like, shape (n,)
        Targets. y = 0 is allowed.
    loss : Loss
        l, a function of the residual. Default: half the squared norm.
    truth : array_like, shape (d,), optional
        The coefficients the targets were made from, where they are known. No solver reads them.

    Raises
    ------
    ValueError
        If X is not a matrix with at least one row and one column, if y does not match it, if an entry is not finite,
        or if the largest of X or y is beyond 1e152 or, but for zeros alone, below 1e-152, or if an operator's two
        products do not belong to one matrix.
    TypeError
        If X or y is not real and numeric, X an operator without rmatvec, or the loss none.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> problem.n, problem.d
    (1, 2)
    >>> problem.value([0, 0])
    2.0
    """

    cites: ClassVar[tuple[str, ...]] = ()
    X: Matrix
    y: Array
    loss: Loss = Squared()
    truth: Array | None = None

    def __post_init__(self) -> None:
        X, y = matrices.as_matrix("X", self.X), as_real_array("y", self.y)
        if X.ndim != 2 or 0 in X.shape:
            remedy = "Problem(X, y), X first" if y.ndim == 2 else "Problem(np.atleast_2d(X), y) for a single sample"
            raise ValueError(
                f"X must be a matrix (n samples, d features) with n, d >= 1, got shape {X.shape}: write {remedy}"
            )
        if y.shape != (X.shape[0],):
            raise ValueError(
                f"y must have shape ({X.shape[0]},), one target for each row of X, got {y.shape}: "
                f"{_remedy(X.shape, y.shape)}"
            )
        if isinstance(self.loss, type) or not isinstance(self.loss, Loss):
            got = f"the class {self.loss.__name__}" if isinstance(self.loss, type) else repr(self.loss)
            raise TypeError(
                f"loss must be one of linreg_mirror.problems.losses, got {got}: write loss=losses.Huber(1.0)"
            )
        for name, array in (("X", X), ("y", y)):
            check_largest(name, matrices.largest_entry(array))
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        if self.truth is not None:
            truth = as_real_array("truth", self.truth)
            if truth.shape != (X.shape[1],):
                raise ValueError(f"truth must have shape ({X.shape[1]},), one entry a feature, got {truth.shape}")
            object.__setattr__(self, "truth", truth)

    def __repr__(self) -> str:
        kind = "" if matrices.is_dense(self.X) else f", X={type(self.X).__name__}"
        truth = "" if self.truth is None else f", {np.count_nonzero(self.truth)} nonzeros in truth"
        return f"Problem(n={self.n}, d={self.d}, loss={self.loss!r}{kind}{truth})"

    def _repr_html_(self) -> str:
        rows = {"samples": self.n, "features": self.d, "loss": self.loss, "|y|": f"{np.linalg.norm(self.y):.4g}"}
        if not matrices.is_dense(self.X):
            rows["X"] = type(self.X).__name__
        if self.truth is not None:
            rows["truth"] = f"{np.count_nonzero(self.truth)} of {self.d} not zero"
        return card("Problem", rows, self.y)

    @property
    def n(self) -> int:
        """Number of samples, the rows of X."""
        return self.X.shape[0]

    @property
    def d(self) -> int:
        """Number of features, the columns of X."""
        return self.X.shape[1]

    def require_network(self, network: Any) -> None:
        """Raise an error unless a network has an effective weight for each of the d features.

        Parameters
        ----------
        network : Parametrization
            With `d` effective weights.

        Raises
        ------
        ValueError
            If X has another number of columns.
        TypeError
            If it is no network, such as the scale alone of one, or a class of networks.
        """
        d = getattr(network, "d", None)
        if not is_number(d):
            scale = f"{network:g}" if is_number(network) else "1e-6"
            got = f"the class {network.__name__}" if isinstance(network, type) else type(network).__name__
            raise TypeError(
                f"network must be a network with {self.d} effective weights and their start, got {got}: write "
                f"Hadamard.from_scale({scale}, d=problem.d)"
            )
        if d != self.d:
            raise ValueError(
                f"the network has {d} effective weights, the problem {self.d} features: build the network with "
                "d=problem.d"
            )

    def residual(self, x: Array) -> Array:
        """Return Xx - y, shape (n,).

        Parameters
        ----------
        x : array, shape (d,)
            Coefficients.
        """
        return self.X @ x - self.y

    def value(self, x: Array) -> float:
        """Return f(x) = l(Xx - y).

        Parameters
        ----------
        x : array, shape (d,)
            Coefficients.
        """
        return self.loss.value(self.residual(x))

    def gradient(self, x: Array) -> Array:
        """Return the gradient of f at x, shape (d,).

        Parameters
        ----------
        x : array, shape (d,)
            Coefficients.
        """
        return self.X.T @ self.loss.gradient(self.residual(x))

    @cached_property
    def gradient_scale(self) -> float:
        """Largest entry of |grad f(0)|, what stationarity is relative to (for squares: LASSO's lambda_max)."""
        return float(np.abs(self.gradient(np.zeros(self.d))).max())

    @cached_property
    def gram(self) -> Array:
        """XX', shape (n, n); of an operator by n products with X and n with X'."""
        return matrices.gram(self.X)

    @property
    def rank_is_cheap(self) -> bool:
        """Whether solvers may ask for the rank: not of operators, nor of sparse X with n d > 10^7."""
        return matrices.has_gram(self.X)

    @cached_property
    def range_basis(self) -> Array:
        """Orthonormal basis of the range of X, shape (n, rank)."""
        X = matrices.dense_if_small(self.X)
        if X is None:  # squares the condition number: directions below 1e-7 of the longest count as none
            values, vectors = scipy.linalg.eigh(self.gram)
            return vectors[:, values > values[-1] * self.n * np.finfo(float).eps]
        left, singular, _ = scipy.linalg.svd(X, full_matrices=False)
        return left[:, singular > singular[0] * max(X.shape) * np.finfo(float).eps]

    @cached_property
    def rank(self) -> int:
        """Numerical rank of X."""
        # The Gram matrix squares the condition number; only where it is in doubt are singular values needed.
        if self.n <= self.d and independent(self.gram, tolerance=1e-10):
            return self.n
        return self.range_basis.shape[1]

    def reduced(self) -> tuple["Problem", Callable[[Array], Array]]:
        """Return an equivalent problem with full row rank, and the map of its dual vectors back to R^n.

        Its equations Xx = y are those of least squares, projected onto the range of X: independent, and solvable. Of a
        sparse X some rows are chosen. Of a zero matrix one row is kept. Where the rank is not cheap all rows are kept,
        and only y is projected.
        """
        if not self.rank_is_cheap:
            return (self if not self.inconsistency else Problem(self.X, self.y - self._outside)), lambda s: s
        if self.rank == self.n:
            return self, lambda s: s
        basis = self.range_basis if self.rank else np.eye(self.n, 1)
        y = basis.T @ self.y
        if not self.rank or np.abs(y).max() <= 8 * np.finfo(float).eps * np.abs(self.y).max():
            y = np.zeros(len(y))  # nothing of y is in the range
        if matrices.is_dense(self.X):
            return Problem(basis.T @ self.X, y), lambda s: basis @ s
        chosen = np.sort(scipy.linalg.qr(basis.T, mode="r", pivoting=True)[-1][: len(y)])

        def lift(s: Array) -> Array:
            whole = np.zeros(self.n)
            whole[chosen] = s
            return whole

        return Problem(matrices.rows(self.X)[chosen], (basis @ y)[chosen]), lift

    @cached_property
    def inconsistency(self) -> float:
        """Distance of y from the range of X, relative to |y|; zero where Xx = y has a solution."""
        outside = self._outside
        return float(np.linalg.norm(outside) / np.linalg.norm(self.y)) if outside.any() else 0.0

    @cached_property
    def _outside(self) -> Array:
        """What of y is outside the range of X, shape (n,); where the rank is not cheap, LSQR says."""
        if not self.y.any():
            return np.zeros(self.n)
        if self.rank_is_cheap:
            basis = self.range_basis if self.rank < self.n else None
            return np.zeros(self.n) if basis is None else self.y - basis @ (basis.T @ self.y)
        x, found, *_ = lsqr(self.X, self.y, atol=1e-13, btol=1e-13, conlim=0, iter_lim=4 * min(self.n, self.d))
        return self.y - self.X @ x if found in (0, 2) else np.zeros(self.n)  # X'y = 0, or X'r = 0 but not r


def _remedy(X: tuple[int, ...], y: tuple[int, ...]) -> str:
    """Return what to do about targets of shape y for an X of another number of rows."""
    if np.prod(y) == X[0]:
        return "write Problem(X, np.ravel(y))"
    if y == (X[1],):
        return "write Problem(X.T, y) if samples are its columns"
    return "X has samples in rows, features in columns"


def check_largest(name: str, largest: float) -> None:
    """Raise ValueError if the largest entry of an array is neither 0 nor of a size whose square is a number."""
    if largest and not _SMALLEST <= largest <= _LARGEST:
        raise ValueError(
            f"the largest entry of {name} must lie between {_SMALLEST:g} and {_LARGEST:g}, so that squares are "
            f"numbers in float64, got {largest:.3g}: divide {name} by it"
        )


def require_problem(problem: Any, call: str) -> None:
    """Raise TypeError unless it is a problem.

    Parameters
    ----------
    problem : object
        What was given as one.
    call : str
        What to write instead.
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"the first argument must be a Problem, got {type(problem).__name__}: write {call}")


def independent(columns: Array, tolerance: float = 1e-12) -> bool:
    """Whether columns are linearly independent: LAPACK's estimate of 1/condition exceeds `tolerance`."""
    if columns.shape[1] > columns.shape[0]:
        return False
    if columns.shape[1] == columns.shape[0]:
        factors, size = _factor(columns)[0], np.abs(columns).sum(axis=0).max()
    else:  # an upper triangle is its own LU factorisation
        factors = scipy.linalg.qr(columns, mode="r", check_finite=False)[0][: columns.shape[1]]
        size = np.abs(factors).sum(axis=0).max()
    return bool(_inverse_condition(factors, size)[0] > tolerance)
