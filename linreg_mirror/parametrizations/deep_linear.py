"""Deep linear networks W_L ... W_1, whose effective weights are the entries of a matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from linreg_mirror._tools.arguments import as_real_array, check_integer, check_positive, check_rng, is_whole
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Euclidean, Hyperbolic
from linreg_mirror.parametrizations._products import Product
from linreg_mirror.parametrizations.commutation import describe_defect
from linreg_mirror.parametrizations.protocol import NoMirror

_AT_REST = "from zero weights the flow never moves"


@dataclass(frozen=True, eq=False, repr=False)
class DeepLinear(Product):
    """x = the entries, row by row, of the matrix W_L ... W_1, with penalty sum |W_l|_F^2.

    A problem for it has features that are read as matrices: `instances.multi_output`, `instances.matrix_sensing`.

    Parameters
    ----------
    weights : sequence of array_like
        The layers at the start, first layer first: W_1 (h_1, inputs), W_2 (h_2, h_1), ..., W_L (outputs, h_{L-1}).

    Raises
    ------
    ValueError
        If there is no layer, a layer is not a matrix, has no entry or one that is not finite, or does not take what
        the one before it gives.

    Notes
    -----
    The flow without penalty conserves W_{l+1}'W_{l+1} - W_l W_l' for every pair of neighbours (Arora, Cohen, Hazan,
    arXiv 1802.06509); under a penalty it decays like exp(-4 A_t).

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> network = lm.DeepLinear.identity(2.0, size=2, depth=3)
    >>> network.effective(network.theta0).tolist()
    [8.0, 0.0, 0.0, 8.0]
    """

    cites: ClassVar[tuple[str, ...]] = ("arora2018optimization",)
    weights: tuple[Array, ...]

    def __post_init__(self) -> None:
        weights = tuple(as_real_array(f"W_{l}", W) for l, W in enumerate(self.weights, start=1))
        if not weights:
            raise ValueError("at least one layer is needed, got none: write DeepLinear([W_1, W_2])")
        for l, W in enumerate(weights, start=1):
            if W.ndim != 2 or not W.size:
                raise ValueError(
                    f"layers are matrices (outputs, inputs) with at least one entry, got W_{l} of shape {W.shape}"
                )
        for l, (first, second) in enumerate(pairwise(weights), start=1):
            if second.shape[1] != len(first):
                raise ValueError(
                    f"each layer takes what the one before gives, got W_{l} of shape {first.shape} and W_{l + 1} of "
                    f"shape {second.shape}: layers are (outputs, inputs), the first one first"
                )
        object.__setattr__(self, "weights", weights)

    @classmethod
    def balanced(cls, start: Any, widths: Sequence[int], rng: np.random.Generator) -> "DeepLinear":
        """Start with W_{l+1}'W_{l+1} = W_l W_l' for all l.

        Parameters
        ----------
        start : array_like, shape (outputs, inputs), or float
            The product at the start; a number is the value of all its singular values, their vectors being random.
        widths : sequence of int
            (inputs, h_1, ..., outputs); no hidden width may be below the rank of the product.
        rng : numpy.random.Generator
            Draws the bases of the hidden layers.

        Returns
        -------
        DeepLinear
            With depth len(widths) - 1.

        Raises
        ------
        ValueError
            If shapes and widths do not fit together, or a hidden width is below the rank of the product.
        """
        check_rng(rng)
        widths = _as_widths(widths)
        start = as_real_array("start", start)
        inputs, outputs = widths[0], widths[-1]
        if start.ndim == 0:
            rank = min(inputs, outputs)
            start = start * _orthonormal(outputs, rank, rng) @ _orthonormal(inputs, rank, rng).T
        if start.shape != (outputs, inputs):
            raise ValueError(
                f"start must be a number or have shape {(outputs, inputs)}, the last and the first of "
                f"widths={widths}, got {start.shape}"
            )
        left, values, right = np.linalg.svd(start, full_matrices=False)
        rank = max(1, int(np.sum(values > values[0] * max(start.shape) * np.finfo(float).eps)))
        bases = [right[:rank].T, *(_orthonormal(width, rank, rng) for width in widths[1:-1]), left[:, :rank]]
        root = values[:rank] ** (1 / (len(widths) - 1))
        return cls(tuple(after * root @ before.T for before, after in pairwise(bases)))

    @classmethod
    def gaussian(cls, widths: Sequence[int], scale: float, rng: np.random.Generator) -> "DeepLinear":
        """Start with independent normal weights of standard deviation `scale`.

        Parameters
        ----------
        widths : sequence of int
            (inputs, h_1, ..., outputs).
        scale : float
            Positive.
        rng : numpy.random.Generator
            Draws the weights.

        Returns
        -------
        DeepLinear
            With depth len(widths) - 1.
        """
        check_rng(rng)
        check_positive("scale", scale, _AT_REST)
        return cls(tuple(scale * rng.standard_normal((out, into)) for into, out in pairwise(_as_widths(widths))))

    @classmethod
    def identity(cls, scale: float, size: int, depth: int) -> "DeepLinear":
        """Start every one of `depth` layers at `scale` times the identity of `size` rows.

        Parameters
        ----------
        scale : float
            Of every layer.
        size : int
            Rows and columns.
        depth : int
            Number of layers.

        Returns
        -------
        DeepLinear
            Whose product starts at scale^depth times the identity.
        """
        check_integer("size", size, 1)
        check_integer("depth", depth, 1)
        check_positive("scale", scale, _AT_REST)
        return cls((scale * np.eye(size),) * depth)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs), the shape of the product."""
        return len(self.weights[-1]), self.weights[0].shape[1]

    @property
    def d(self) -> int:
        """Number of effective weights, outputs times inputs."""
        return self.shape[0] * self.shape[1]

    @property
    def theta0(self) -> Array:
        """Initial layers, each flattened row by row, first layer first."""
        return np.concatenate([W.ravel() for W in self.weights])

    def layers(self, theta: Array) -> list[Array]:
        """Return the matrices W_1, ..., W_L that theta, shape (p,), consists of.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        return [theta[part].reshape(shape) for part, shape in self._parts]

    @cached_property
    def _parts(self) -> list[tuple[slice, tuple[int, ...]]]:
        """Where each layer is in theta, and its shape."""
        ends = accumulate((W.size for W in self.weights), initial=0)
        return [(slice(*place), W.shape) for place, W in zip(pairwise(ends), self.weights, strict=True)]

    def imbalance(self, theta: Array) -> list[Array]:
        """Return W_{l+1}'W_{l+1} - W_l W_l' for l = 1, ..., L-1.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        layers = self.layers(theta)
        return [second.T @ second - first @ first.T for first, second in pairwise(layers)]

    def effective(self, theta: Array) -> Array:
        """Return the entries of W_L ... W_1, row by row, shape (d,)."""
        product, *others = self.layers(theta)
        for W in others:
            product = W @ product
        return product.ravel()

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return (W_L ... W_{l+1})' G (W_{l-1} ... W_1)' for every layer l, G being grad_x as a matrix."""
        layers = self.layers(theta)
        before = [layers[0]]  # W_1, W_2 W_1, ...
        for W in layers[1:-1]:
            before.append(W @ before[-1])
        gradient, after = np.empty_like(theta), grad_x.reshape(len(layers[-1]), -1)
        for l in range(len(layers) - 1, 0, -1):
            gradient[self._parts[l][0]] = (after @ before[l - 1].T).ravel()
            after = layers[l].T @ after
        gradient[self._parts[0][0]] = after.ravel()
        return gradient

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta."""
        return 2 * theta

    @property
    def degree(self) -> int:
        """Degree of x in the parameters: the number of layers."""
        return len(self.weights)

    def unused_slope(self, grad_x: Array, alpha: float) -> float:
        """Return the steepest descent of f + alpha sum |W_l|_F^2 that weights near zero could still make use of.

        Zero at a minimum; 0.0 also where only the parameters can tell: for a single layer, where a hidden width limits
        the rank of the product, and at three layers or more with a penalty, which makes zero a minimum.

        Parameters
        ----------
        grad_x : array, shape (d,)
            Gradient of f.
        alpha : float
            The penalty.
        """
        hidden = [len(W) for W in self.weights[:-1]]
        if not hidden or min(hidden) < min(self.shape) or (len(hidden) > 1 and alpha > 0):
            return 0.0
        return max(float(np.linalg.norm(grad_x.reshape(self.shape), 2)) - 2 * alpha, 0.0)

    def mirror(self) -> Euclidean | Hyperbolic:
        """Return the mirror: of one layer the squared norm, of two layers and one entry the hyperbolic entropy.

        With u = (W_1' + W_2)/sqrt 2 and v = (W_1' - W_2)/sqrt 2 its scale is b = |u||v|, its tilt log(|u|/|v|).

        Raises
        ------
        NoMirror
            Otherwise: gradients of two entries of a product do not commute; of three layers or more neither do those
            of the penalty and of a single entry. Also for one entry started with W_1' = +-W_2, where b = 0.
        """
        if self.degree == 1:
            return Euclidean(self.theta0)
        if self.d > 1:
            defect = describe_defect(self, entries=[0, 1], penalty=False)
            raise NoMirror(f"a product of matrices with several entries has no mirror: {defect}")
        if self.degree > 2:
            raise NoMirror(f"no mirror is known for three factors or more: {describe_defect(self, entries=[0])}")
        first, second = self.weights[0].ravel(), self.weights[1].ravel()
        # math.hypot squares nothing that is beyond float64.
        u, v = (math.hypot(*(0.5 * first + 0.5 * sign * second)) * math.sqrt(2) for sign in (1, -1))
        if u == 0 or v == 0:
            raise NoMirror(
                "the start is balanced (W_1' = +-W_2): the potential degenerates at scale b = 0; start from "
                'DeepLinear.gaussian(widths, scale, rng), or write flow(..., method="parameters")'
            )
        log_u, log_v = np.log([u]), np.log([v])
        return Hyperbolic(log_u + log_v, log_u - log_v)


def _as_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Return widths as a tuple, or say what is wrong with them."""
    widths = tuple(widths)
    if len(widths) < 2 or not all(is_whole(width) and width >= 1 for width in widths):
        raise ValueError(f"widths are (inputs, h_1, ..., outputs), two or more integers >= 1, got {widths!r}")
    return widths


def _orthonormal(size: int, rank: int, rng: np.random.Generator) -> Array:
    """Return `rank` random orthonormal columns, shape (size, rank)."""
    if size < rank:
        raise ValueError(f"a product of rank {rank} needs widths of {rank} or more, got a width of {size}")
    return np.linalg.qr(rng.standard_normal((size, rank)))[0]
