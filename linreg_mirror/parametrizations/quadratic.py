"""Weights that are quadratic in their parameters, x_i = w'A_i w/2."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from linreg_mirror import mirrors
from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._types import Array
from linreg_mirror.parametrizations.commutation import describe_defect
from linreg_mirror.parametrizations.protocol import NoMirror, Parametrization
from linreg_mirror.problems import Problem

_ROUNDING = 1e-11  # of the largest entry: what is less, in the basis of eigenvectors, is 0
_TRIES = 5


class Eigenvalues(NamedTuple):
    """What matrices that commute have in common, one for each of K common eigenspaces in which w_0 is not 0.

    Attributes
    ----------
    rates : array, shape (d, K)
        The eigenvalue of A_i in eigenspace k.
    decays : array, shape (K,)
        That of B.
    sizes : array, shape (K,)
        Squared length of the projection of w_0.
    """

    rates: Array
    decays: Array
    sizes: Array


@dataclass(frozen=True, eq=False, repr=False)
class Quadratic(Parametrization):
    """x_i = w'A_i w/2, with penalty w'Bw/2; a mirror flow where all these matrices commute.

    Then w_t = exp(-A_t B - sum_i L_i A_i) w_0, with L_t = int_0^t grad f, and x = grad Q(-L_t) for
    Q(mu) = 1/4 |exp(-A_t B + sum_i mu_i A_i) w_0|^2. This potential is a sum over entries of x where no eigenspace is
    shared by two of them; else `in_eigenvalues` has an equivalent problem whose potential is.

    Parameters
    ----------
    A : array_like, shape (d, p, p)
        Symmetric matrices.
    w0 : array_like, shape (p,)
        Where the parameters start.
    B : array_like, shape (p, p), optional
        Symmetric. Default: twice the identity, for the penalty |w|^2.

    Raises
    ------
    ValueError
        If shapes do not fit together, or a matrix is not symmetric.

    Notes
    -----
    Jacobs, Zhou and Burkholz (arXiv 2504.12883), Theorem 3.3.

    Examples
    --------
    x = m*w is one with A_i = [[0, 1], [1, 0]] for the pair (m_i, w_i), and so is x = u^2:

    >>> import linreg_mirror as lm
    >>> network = lm.Quadratic([[[0, 1], [1, 0]]], w0=[2.0, 1.0])
    >>> network.effective(network.theta0).tolist()
    [2.0]
    >>> squares = lm.Quadratic([[[2, 0], [0, 0]], [[0, 0], [0, 2]]], w0=[0.1, 0.1])
    >>> lm.limit(lm.Problem([[1, 2]], [2]), squares).x.round(6).tolist()
    [0.097531, 0.951234]
    """

    cites: ClassVar[tuple[str, ...]] = ("jacobs2026mirror",)
    A: Array
    w0: Array
    B: Array | None = None

    def __post_init__(self) -> None:
        A, w0 = as_real_array("A", self.A), as_real_array("w0", self.w0)
        if w0.ndim != 1 or not w0.size or A.ndim != 3 or not len(A) or A.shape[1:] != (w0.size, w0.size):
            raise ValueError(
                f"A must have shape (d, p, p), a matrix for each weight, and w0 (p,), got {A.shape} and {w0.shape}"
            )
        B = 2 * np.eye(w0.size) if self.B is None else as_real_array("B", self.B)
        if B.shape != A.shape[1:]:
            raise ValueError(f"B must have shape {A.shape[1:]}, as every matrix of A has, got {B.shape}")
        for name, one in (("A", A), ("B", B)):
            if np.abs(one - one.swapaxes(-1, -2)).max() > _ROUNDING * np.abs(one).max():
                raise ValueError(f"{name} must be symmetric: w'{name}w is that of ({name} + {name}')/2, which to write")
        for name, value in {"A": A, "w0": w0, "B": B}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def sensing(cls, measurements: Any, U0: Any) -> "Quadratic":
        """Return x_i = <X_i, U U'> with penalty |U|_F^2, the measurements of a positive semidefinite matrix.

        Parameters
        ----------
        measurements : array_like, shape (d, size, size)
            X_i; only their symmetric parts matter.
        U0 : array_like, shape (size, rank)
            Where the factor starts.

        Returns
        -------
        Quadratic
            With the entries of U, row by row, as parameters.

        Raises
        ------
        ValueError
            If shapes do not fit together.
        """
        X, U0 = as_real_array("measurements", measurements), as_real_array("U0", U0)
        if X.ndim != 3 or U0.ndim != 2 or not U0.size or X.shape[1:] != (len(U0), len(U0)):
            raise ValueError(
                f"measurements must have shape (d, size, size) and U0 (size, rank), got {X.shape} and {U0.shape}"
            )
        return cls(np.stack([np.kron(one + one.T, np.eye(U0.shape[1])) for one in X]), U0.ravel())

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return len(self.A)

    @property
    def theta0(self) -> Array:
        """Initial parameters w0, shape (p,)."""
        return self.w0

    def effective(self, theta: Array) -> Array:
        """Return w'A_i w/2, shape (d,)."""
        return 0.5 * (self.A @ theta) @ theta

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return sum_i grad_x_i A_i w, shape (p,)."""
        return grad_x @ (self.A @ theta)

    def penalty_gradient(self, theta: Array) -> Array:
        """Return B w."""
        return self._B @ theta

    @property
    def _B(self) -> Array:
        assert self.B is not None
        return self.B

    @cached_property
    def eigenvalues(self) -> Eigenvalues:
        """What the matrices have in common.

        Raises
        ------
        NoMirror
            If two of them do not commute.
        """
        together, scales = np.concatenate([self.A, self._B[None]]), np.ones(self.d + 1)
        scales = 1 / np.maximum(np.abs(together).max(axis=(1, 2)), np.finfo(float).tiny)
        rng = np.random.default_rng(0)
        for _ in range(_TRIES):  # eigenvalues of a random combination coincide where all do, or by bad luck
            _, V = np.linalg.eigh(np.tensordot(scales * rng.standard_normal(len(scales)), together, 1))
            turned = V.T @ together @ V
            values = np.diagonal(turned, axis1=1, axis2=2)
            rest = turned - values[:, :, None] * np.eye(len(V))
            if (np.abs(rest).max(axis=(1, 2)) * scales).max() <= _ROUNDING:
                return _merged(values * (np.abs(values) * scales[:, None] > _ROUNDING), (V.T @ self.w0) ** 2, scales)
        raise NoMirror(f"matrices of x_i = w'A_i w/2 do not commute: {self._defect()}")

    def _defect(self) -> str:
        rng = range(self.d)
        sizes = {
            (i, j): np.abs(P @ Q - Q @ P).max()
            for i, P in ((k, self._B if k < 0 else self.A[k]) for k in (-1, *rng))
            for j, Q in ((k, self.A[k]) for k in rng if k > i)
        }
        i, j = max(sizes, key=lambda pair: sizes[pair])
        return describe_defect(self, entries=[max(i, 0), j], penalty=i < 0)

    def mirror(self) -> mirrors.Quadratic:
        """Return the potential, where it is a sum over entries of x.

        Raises
        ------
        NoMirror
            If matrices do not commute, an eigenspace is shared by two entries, or an entry cannot leave 0.
        """
        rates, decays, sizes = self.eigenvalues
        used = rates != 0
        shared = np.flatnonzero(used.sum(axis=0) > 1)
        if shared.size:
            i, j = np.flatnonzero(used[:, shared[0]])[:2]
            raise NoMirror(
                f"x_{i} and x_{j} share an eigenspace: their mirror flow has a potential that is no sum over entries; "
                "write limit(*network.in_eigenvalues(problem))"
            )
        still = np.flatnonzero(~used.any(axis=1))
        if still.size:
            raise NoMirror(f"x_{still[0]} stays 0: w0 is 0 in all eigenspaces of its matrix but that of eigenvalue 0")
        most = int(used.sum(axis=1).max())
        shape = (self.d, most)
        table = {name: np.full(shape, blank) for name, blank in (("rates", 0.0), ("logs", -np.inf), ("decays", 0.0))}
        for i, own in enumerate(used):
            k = np.flatnonzero(own)
            table["rates"][i, : k.size], table["decays"][i, : k.size] = rates[i, k], decays[k]
            table["logs"][i, : k.size] = np.log(sizes[k])
        return mirrors.Quadratic(table["rates"], table["logs"], table["decays"])

    def in_eigenvalues(self, problem: Problem) -> tuple[Problem, "Quadratic"]:
        """Return the same problem for q_k, half the square of w in eigenspace k, whose potential is a sum over entries.

        x = `eigenvalues.rates` @ q, at the limit and along the flow.

        Parameters
        ----------
        problem : Problem
            Of x, with X of shape (n, d).

        Returns
        -------
        Problem
            With X times `eigenvalues.rates` in place of X.
        Quadratic
            q_k = w_k^2/2, k < K.

        Raises
        ------
        NoMirror
            If matrices do not commute.
        ValueError
            If the problem has another number of features, or X no entries.
        """
        problem.require_network(self)
        rates, decays, sizes = self.eigenvalues
        X = matrices.dense(problem.X, "in_eigenvalues", "Problem(X.toarray(), y)")
        units = np.eye(len(sizes))[:, :, None] * np.eye(len(sizes))[:, None, :]
        network = Quadratic(units, np.sqrt(sizes), np.diag(decays))
        return Problem(X @ rates, problem.y, problem.loss), network


def _merged(values: Array, squares: Array, scales: Array) -> Eigenvalues:
    """Put eigenvectors of the same eigenvalues together, and leave out where w_0 is rounding."""
    left, kept, sizes = values * scales[:, None], [], []
    for k in range(len(squares)):
        same = next((n for n, j in enumerate(kept) if np.abs(left[:, j] - left[:, k]).max() <= _ROUNDING), None)
        if same is None:
            kept.append(k)
            sizes.append(squares[k])
        else:
            sizes[same] += squares[k]
    found, sizes = values[:, kept], np.array(sizes)
    there = sizes > _ROUNDING**2 * sizes.sum()
    return Eigenvalues(found[:-1, there], found[-1, there], sizes[there])
