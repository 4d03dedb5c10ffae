"""Matrix factorization U V' and U U', as in matrix sensing and matrix completion."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.parametrizations._products import Product
from linreg_mirror.parametrizations.commutation import describe_defect
from linreg_mirror.parametrizations.deep_linear import DeepLinear
from linreg_mirror.parametrizations.protocol import NoMirror


@dataclass(frozen=True, eq=False, repr=False)
class Factorized(Product):
    """x = the entries, row by row, of U V' with penalty |U|_F^2 + |V|_F^2; or of U U' with penalty |U|_F^2.

    Parameters
    ----------
    U0 : array_like, shape (rows, rank)
        Left factor at the start.
    V0 : array_like, shape (columns, rank), optional
        Right factor at the start. Default: there is none, and x = U U'; `Factorized.symmetric` says so.

    Raises
    ------
    ValueError
        If a factor is not a matrix, has no entry or one that is not finite, or ranks differ.

    Notes
    -----
    Gunasekar, Woodworth, Bhojanapalli, Neyshabur, Srebro (arXiv 1705.09280). Without penalty U'U - V'V is conserved.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> network = lm.Factorized([[1.0], [2.0]], [[3.0], [4.0]])
    >>> network.effective(network.theta0).tolist()
    [3.0, 4.0, 6.0, 8.0]
    """

    cites: ClassVar[tuple[str, ...]] = ("gunasekar2017implicit",)
    U0: Array
    V0: Array | None = None

    def __post_init__(self) -> None:
        factors = {"U0": as_real_array("U0", self.U0)}
        if self.V0 is not None:
            factors["V0"] = as_real_array("V0", self.V0)
        for name, factor in factors.items():
            if factor.ndim != 2 or not factor.size:
                raise ValueError(f"{name} must be a matrix with at least one entry, got shape {factor.shape}")
            object.__setattr__(self, name, factor)
        if len({factor.shape[1] for factor in factors.values()}) > 1:
            raise ValueError(
                "U0 and V0 must have as many columns, the rank of U V', got shapes "
                + " and ".join(str(factor.shape) for factor in factors.values())
            )

    @classmethod
    def symmetric(cls, U0: Any) -> "Factorized":
        """Start x = U U', which stays symmetric and positive semidefinite, at U0.

        Parameters
        ----------
        U0 : array_like, shape (size, rank)
            The initial factor.

        Returns
        -------
        Factorized
            With one factor.
        """
        return cls(U0)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the product."""
        return len(self.U0), len(self.U0 if self.V0 is None else self.V0)

    @property
    def d(self) -> int:
        """Number of effective weights, rows times columns."""
        return self.shape[0] * self.shape[1]

    @property
    def degree(self) -> int:
        """Degree of x in the parameters."""
        return 2

    @property
    def theta0(self) -> Array:
        """U0 and, where there is one, V0, each flattened row by row."""
        return self.U0.ravel() if self.V0 is None else np.concatenate([self.U0.ravel(), self.V0.ravel()])

    def factors(self, theta: Array) -> tuple[Array, Array]:
        """Return the matrices U and V that theta consists of; V is U where x = U U'.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        U = theta[: self.U0.size].reshape(self.U0.shape)
        return U, U if self.V0 is None else theta[self.U0.size :].reshape(self.V0.shape)

    def imbalance(self, theta: Array) -> list[Array]:
        """Return U'U - V'V, in a list, as `DeepLinear` does for its pairs of layers.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        U, V = self.factors(theta)
        return [U.T @ U - V.T @ V]

    def effective(self, theta: Array) -> Array:
        """Return the entries of U V', row by row, shape (d,)."""
        U, V = self.factors(theta)
        return (U @ V.T).ravel()

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return G V and G'U, G being grad_x as a matrix; their sum where x = U U'."""
        U, V = self.factors(theta)
        G = grad_x.reshape(self.shape)
        left, right = G @ V, G.T @ U
        return (left + right).ravel() if self.V0 is None else np.concatenate([left.ravel(), right.ravel()])

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta."""
        return 2 * theta

    def unused_slope(self, grad_x: Array, alpha: float) -> float:
        """Return the steepest descent of f + alpha h that vanishing weights could still make use of.

        Zero at a minimum; 0.0 also where the rank is limited and only the parameters can tell.

        Parameters
        ----------
        grad_x : array, shape (d,)
            Gradient of f.
        alpha : float
            The penalty.
        """
        G = grad_x.reshape(self.shape)
        if self.U0.shape[1] < min(self.shape):
            return 0.0
        steepest = np.linalg.norm(G, 2) if self.V0 is not None else -np.linalg.eigvalsh(G + G.T)[0]
        return max(float(steepest) - 2 * alpha, 0.0)

    def mirror(self) -> Hyperbolic:
        """Return the mirror of U V' with a single entry, that of `DeepLinear` with two layers.

        Raises
        ------
        NoMirror
            If the product has several entries, whose gradients do not commute; and for x = U U', where b = 0.
        """
        if self.V0 is not None:
            return DeepLinear((self.V0.T, self.U0)).mirror()  # pyright: ignore[reportReturnType]
        if self.d > 1:
            defect = describe_defect(self, entries=[0, 1], penalty=False)
            raise NoMirror(f"a product of matrices with several entries has no mirror: {defect}")
        raise NoMirror("U U' with a single entry is balanced: its potential degenerates at scale b = 0")
