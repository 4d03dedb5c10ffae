"""A stack of problems X_k x = y_k of one size, each with the potential of x = m*w, on NumPy arrays or torch tensors."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.batches.norms import norm


@dataclass(frozen=True, eq=False)
class Stack:
    """B problems and potentials.

    Attributes
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Each problem's features, or the same for all.
    y : array, shape (B, n)
        Targets.
    mirror : Hyperbolic
        log b and tilt of shape (B, d).
    decay : array, shape (B, d)
        Accumulated penalty.
    """

    X: Any
    y: Any
    mirror: Hyperbolic
    decay: Any

    @property
    def xp(self) -> Any:
        """The array API namespace."""
        return namespace(self.y)

    @property
    def shared(self) -> bool:
        """Whether all problems have the same features."""
        return len(self.X) == 1

    @cached_property
    def lengths(self) -> Any:
        """Norms of the columns of X, shape (B, d) or (1, d)."""
        return norm(self.X, axis=-2)

    @cached_property
    def log_b(self) -> Any:
        """log b after the penalty, shape (B, d), rounded to float64."""
        return self.mirror.log_scale_at(self.decay)

    def of(self, x: Any) -> Any:
        """Return X_k x_k, shape (B, n)."""
        if self.shared:
            return x @ self.X[0].T
        return (self.X @ x[..., None])[..., 0]

    def pull(self, s: Any) -> Any:
        """Return X_k's_k, shape (B, d)."""
        if self.shared:
            return s @ self.X[0]
        return (s[:, None, :] @ self.X)[:, 0, :]

    def hessian(self, metric: Any) -> Any:
        """Return X_k diag(metric_k) X_k', shape (B, n, n)."""
        return (self.X * metric[:, None, :]) @ self.xp.matrix_transpose(self.X)

    def problem(self, k: int) -> Problem:
        """Return one of the problems, on NumPy arrays."""
        return Problem(host(self.X[0 if self.shared else k]), host(self.y[k]))

    def with_features(self, X: Any) -> "Stack":
        """Return the problems with other features, whose number may differ from that of the potentials.

        Parameters
        ----------
        X : array, shape (B, n, k)
            Features.
        """
        return Stack(X, self.y, self.mirror, self.decay)

    def part(self, at: Any) -> "Stack":
        """Return some of the problems.

        Parameters
        ----------
        at : array of int or slice
            Which.
        """
        return Stack(
            self.X if self.shared else self.X[at],
            self.y[at],
            Hyperbolic(self.mirror.log_scale[at], self.mirror.tilt[at]),
            self.decay[at],
        )


def host(array: Any) -> Any:
    """Return an array as one of NumPy."""
    return array if type(array) is np.ndarray else array.cpu().numpy()
