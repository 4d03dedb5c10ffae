"""The hard-concrete distribution of an L0 gate, in closed form or by quadrature."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from linreg_mirror._tools.arguments import as_real_array, check_number, check_rng
from linreg_mirror._types import Array

_HOTTEST = 100.0  # the number of nodes that integrals need grows with the temperature


@dataclass(frozen=True)
class HardConcrete:
    """z = clip(s (zeta - gamma) + gamma, 0, 1), s = sigmoid((log u - log(1 - u) + log_alpha)/temperature), u uniform.

    A gate in [0, 1] that is exactly 0, or exactly 1, with a probability that is smooth in its logit log_alpha: Louizos
    et al., "Learning Sparse Neural Networks through L0 Regularization", section 2.2.

    All methods take finite real numbers in arrays of any shape, broadcast them and return float64. Nothing overflows
    for |log_alpha| up to 1000 and beyond; what underflows is 0.

    Parameters
    ----------
    gamma, zeta : float
        Where the stretched interval begins, below 0, and ends, above 1. If gamma + zeta = 1, then 1 - z has the
        distribution of z for -log_alpha.
    temperature : float
        Below 1 most of z is at 0 and 1.

    Raises
    ------
    ValueError
        If a parameter is not finite, or out of range; by all methods, if an entry of an array is not finite.
    TypeError
        If a parameter is no number; by all methods, if an array does not hold real numbers.
    """

    gamma: float = -0.1
    zeta: float = 1.1
    temperature: float = 2 / 3

    def __post_init__(self) -> None:
        for name in ("gamma", "zeta", "temperature"):
            check_number(name, getattr(self, name))
        if not -math.inf < self.gamma < 0:
            raise ValueError(f"gamma must be finite and below 0, or no gate is ever 0, got {self.gamma!r}: write -0.1")
        if not 1 < self.zeta < math.inf:
            raise ValueError(f"zeta must be finite and above 1, or no gate is ever 1, got {self.zeta!r}: write 1.1")
        if not 0 < self.temperature <= _HOTTEST:
            raise ValueError(
                f"temperature must be positive and at most {_HOTTEST:g}, got {self.temperature!r}: write 2/3"
            )

    def open_probability(self, log_alpha: ArrayLike) -> Array:
        """Return P(z > 0) = sigmoid(log_alpha - temperature log(-gamma/zeta)), what the L0 penalty counts."""
        return expit(as_real_array("log_alpha", log_alpha) - self.temperature * self._stretched_logit(0.0))

    def full_probability(self, log_alpha: ArrayLike) -> Array:
        """Return P(z = 1) = sigmoid(log_alpha - temperature log((1-gamma)/(zeta-1)))."""
        return expit(as_real_array("log_alpha", log_alpha) - self.temperature * self._stretched_logit(1.0))

    def mean(self, log_alpha: ArrayLike) -> Array:
        """Return E z, to a relative error of 1e-14 for temperatures up to 1.

        The integral of P(z > t) over [0, 1], by Gauss-Legendre quadrature in the logit of the unclipped s.
        """
        log_alpha = as_real_array("log_alpha", log_alpha)
        _, dt = self._nodes
        above, below = self._integrals(log_alpha, dt, dt)
        return np.where(above < below, above, 1 - below)

    def variance(self, log_alpha: ArrayLike) -> Array:
        """Return Var z, to a relative error of 1e-14 for temperatures up to 1.

        By the second moment of z or of 1 - z, whichever is smaller on average: so it is as accurate where gates are
        almost always closed, or open, and their variance is tiny.
        """
        log_alpha = as_real_array("log_alpha", log_alpha)
        t, dt = self._nodes
        mean, complement = self._integrals(log_alpha, dt, dt)
        square, complement_square = self._integrals(log_alpha, 2 * t * dt, 2 * (1 - t) * dt)
        return np.where(mean < complement, square - mean**2, complement_square - complement**2)

    def cdf(self, t: ArrayLike, log_alpha: ArrayLike) -> Array:
        """Return P(z <= t): 0 for t < 0, P(z = 0) at 0, 1 from 1 on."""
        t, log_alpha = _broadcast("t", t, log_alpha)
        inside = expit(self.temperature * self._stretched_logit(np.clip(t, 0, 1)) - log_alpha)
        return np.where(t < 0, 0.0, np.where(t < 1, inside, 1.0))

    def quantile(self, u: ArrayLike, log_alpha: ArrayLike) -> Array:
        """Return the least t in [0, 1] with P(z <= t) >= u; 1/2 gives the median.

        Raises
        ------
        ValueError
            If an entry of u is not in [0, 1].
        """
        u, log_alpha = _broadcast("u", u, log_alpha)
        if ((u < 0) | (u > 1)).any():
            raise ValueError(
                f"u must hold probabilities in [0, 1], got {u.min():g} to {u.max():g}: write 0.5 for medians"
            )
        with np.errstate(over="ignore"):  # at a temperature near 0 gates are 0 or 1
            return self._clipped((logit(u) + log_alpha) / self.temperature)

    def sample(self, log_alpha: ArrayLike, rng: np.random.Generator) -> Array:
        """Draw one gate for each entry; for more, broadcast log_alpha first.

        Raises
        ------
        TypeError
            If `rng` is no Generator.
        """
        check_rng(rng)
        log_alpha = as_real_array("log_alpha", log_alpha)
        return self.quantile(rng.random(log_alpha.shape), log_alpha)

    def deterministic(self, log_alpha: ArrayLike) -> Array:
        """Return clip(sigmoid(log_alpha)(zeta - gamma) + gamma, 0, 1), which stands for z once training is over.

        It has no temperature, and is neither the mean nor the median of z: it lies between them for temperatures below
        1 and gamma + zeta = 1. Where it reaches 0, at log_alpha = log(-gamma/zeta), a gate is still open in training
        with probability 1/(1 + (-zeta/gamma)^(1 - temperature)), by default 0.31, and 0.10 on average.
        """
        return self._clipped(as_real_array("log_alpha", log_alpha))

    def _clipped(self, logits: Array) -> Array:
        return np.clip(expit(logits) * (self.zeta - self.gamma) + self.gamma, 0, 1)

    def _stretched_logit(self, t: Array | float) -> Array:
        """Return the logit of the s that is stretched to t."""
        t = np.asarray(t)
        return np.log((t - self.gamma) / (self.zeta - t))

    @cached_property
    def _nodes(self) -> tuple[Array, Array]:
        """Return t in [0, 1] and weights dt, so many that the error is about exp(-40).

        In the logit of s the integrands have poles, at a distance pi / max(1, temperature) from the real axis.
        """
        first, last = self._stretched_logit(0.0), self._stretched_logit(1.0)
        half = (last - first) / 2
        # An interval so wide that both ends have one logit needs one node.
        count = math.ceil(20 / math.asinh(math.pi / max(float(half) * max(1.0, self.temperature), 1e-6)))
        nodes, weights = np.polynomial.legendre.leggauss(count)
        s = expit(first + half * (nodes + 1))
        width = self.zeta - self.gamma
        return self.gamma + width * s, half * weights * width * s * (1 - s)

    def _integrals(self, log_alpha: Array, above: Array, below: Array) -> tuple[Array, Array]:
        """Return the sums of above * P(z > t) and of below * P(z <= t) over the nodes t."""
        logits = self.temperature * self._stretched_logit(self._nodes[0])
        # Node by node: with many gates an array of all pairs would not fit.
        pairs = list(zip(logits, above, below, strict=True))
        one = sum((a * expit(log_alpha - x) for x, a, _ in pairs), np.zeros_like(log_alpha))
        other = sum((b * expit(x - log_alpha) for x, _, b in pairs), np.zeros_like(log_alpha))
        return one, other


def _broadcast(name: str, value: ArrayLike, log_alpha: ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays of one shape; raise ValueError if there is none."""
    value, log_alpha = as_real_array(name, value), as_real_array("log_alpha", log_alpha)
    try:
        value, log_alpha = np.broadcast_arrays(value, log_alpha)
    except ValueError:
        raise ValueError(
            f"{name} and log_alpha must have shapes that broadcast, got {value.shape} and {log_alpha.shape}"
        ) from None
    return value, log_alpha
