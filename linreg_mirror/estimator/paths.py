"""Paths of coefficients: all stopping times of one flow, or all constant penalties."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from linreg_mirror._tools.centring import contracted
from linreg_mirror._types import Array
from linreg_mirror.estimator.data import weighted
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow

_FIRST, _LAST = -1, 1.5  # log10 of times, in units of the first arrival
_WEAKEST = -3  # log10 of the least penalty, relative to the one that makes all zero
_ACCURACY = 1e-3  # of paths that are only compared: 1e-4 of |x|_1 and less, as measured
_COMPILED = 1e8  # n^2 d up to which Rodas5P's matrix in each step is cheaper than LSODA's many steps


@dataclass(frozen=True)
class Candidate:
    """A path: that of a flow from a scale, or that of the LASSO.

    Attributes
    ----------
    scale : float
        b of the flow on standardised data; 0 for the LASSO.
    depth : int
        2 for x = m*w, D >= 3 for x = p^D - q^D.
    """

    scale: float
    depth: int = 2

    def __str__(self) -> str:
        if not self.scale:
            return "LASSO"
        return f"b = {self.scale:g}" + (f", depth {self.depth}" if self.depth > 2 else "")

    def network(self, d: int) -> Hadamard | Power:
        """Return the start, x = 0."""
        if self.depth == 2:
            return Hadamard.from_scale(self.scale, d=d)
        return Power.from_scale(np.sqrt(self.scale / 2), depth=self.depth, d=d)

    def arrival(self) -> float:
        """Return about when the first weight has grown to the size of 1, if the largest slope is 1."""
        if self.depth == 2:
            return float(np.log1p(1 / self.scale))
        return float(np.sqrt(2 / self.scale) ** (self.depth - 2) / (self.depth * (self.depth - 2)))

    def grid(self, steepest: float, points: int) -> Array:
        """Return times, or penalties alpha, from the strongest regularisation to the weakest, shape (points,).

        Parameters
        ----------
        steepest : float
            The largest entry of |A'c| of the standardised data.
        points : int
            How many.
        """
        steepest = steepest or 1.0
        if not self.scale:
            return np.logspace(0, _WEAKEST, points) * steepest / 2
        return np.logspace(_FIRST, _LAST, points) * self.arrival() / steepest


@dataclass(frozen=True)
class Standardised:
    """Data without an intercept, features in units of their standard deviation, y of length 1.

    Attributes
    ----------
    A : array, shape (k, d)
        At most min(n, d) rows, for which A'A and A'c are those of all.
    c : array, shape (k,)
        The target.
    unit : array, shape (d,)
        What a coefficient of A is multiplied by to be one of X.
    mean_X : array, shape (d,)
        Means of features.
    mean_y : float
        Mean of the target.
    lasso_unit : float
        What a penalty alpha is multiplied by to be the alpha of scikit-learn's Lasso.
    """

    A: Array
    c: Array
    unit: Array
    mean_X: Array
    mean_y: float
    lasso_unit: float

    @classmethod
    def of(cls, X: Any, y: Array, weights: Array | None, fit_intercept: bool, standardize: bool) -> "Standardised":
        """Return X and y in this form; a feature that is constant has a column of zeros."""
        X = X.toarray() if scipy.sparse.issparse(X) else X
        if weights is not None:
            X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        A, c, mean_X, mean_y = (contracted if fit_intercept else weighted)(X, y, weights)
        largest = np.abs(A).max(axis=0, initial=0.0)
        lengths = np.linalg.norm(A / np.where(largest, largest, 1.0), axis=0) * largest
        if not standardize:
            lengths = np.full(A.shape[1], float(lengths.max(initial=0.0)))
        size = float(np.linalg.norm(c))
        samples = len(y) if weights is None else float(weights.sum())
        lasso_unit = 2 * size * (1 / np.sqrt(samples) if standardize else float(lengths.max(initial=0.0)) / samples)
        A, c = A / np.where(lengths, lengths, 1.0), c / (size or 1.0)
        if A.shape[0] > A.shape[1]:
            Q, A = np.linalg.qr(A)
            c = Q.T @ c
        return cls(A, c, size / np.where(lengths, lengths, np.inf), mean_X, mean_y, lasso_unit)

    @property
    def steepest(self) -> float:
        """The largest slope at x = 0."""
        return float(np.abs(self.A.T @ self.c).max())

    def path(self, candidate: Candidate, grid: Array, accuracy: float = _ACCURACY) -> tuple[Array, Status]:
        """Return coefficients of X along a grid, shape (points, d), and how the solver ended."""
        if not self.steepest:
            return np.zeros((len(grid), len(self.unit))), Status.until_reached
        x, status = _lasso_path(self, grid) if not candidate.scale else _flow_path(self, candidate, grid, accuracy)
        return x * self.unit, status

    def intercept(self, coef: Array) -> Any:
        """Return the best intercept of coefficients of X, shape (..., d)."""
        return self.mean_y - coef @ self.mean_X


def _flow_path(data: Standardised, candidate: Candidate, times: Array, accuracy: float) -> tuple[Array, Status]:
    n, d = data.A.shape
    compiled = candidate.depth == 2 and n * n * d <= _COMPILED
    run = flow(
        Problem(data.A, data.c), candidate.network(d), until=float(times[-1]), at=times, accuracy=accuracy,
        integrators=("Rodas5P", "LSODA") if compiled else None,
    )  # fmt: skip
    return run.x[np.minimum(np.searchsorted(run.t, times), len(run.t) - 1)], run.status


def _lasso_path(data: Standardised, penalties: Array) -> tuple[Array, Status]:
    from sklearn.linear_model import lasso_path

    weights: Any = 2 * penalties / len(data.c)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the end of a path, which is not chosen
        x = lasso_path(data.A, data.c, alphas=weights, max_iter=5000)[1]
    return np.asarray(x).T, Status.until_reached
