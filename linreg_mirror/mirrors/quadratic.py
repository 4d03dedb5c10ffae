"""The potential of weights that are quadratic in their parameters, w'A_i w/2 with matrices A_i that commute."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from linreg_mirror.mirrors.protocol import Mirror, Potential, at_most, namespace

# As for the hyperbolic entropy: a trial step that is far too long meets a huge finite number.
_TALLEST = 300.0
_STEPS = 100  # of a safeguarded Newton method, which takes about 6, or bisects
_SAME = 4e-16  # relative change of a dual variable that ends it


@dataclass(frozen=True, eq=False, repr=False)
class Quadratic(Mirror):
    """The potential whose conjugate is Q_A(z) = 1/4 sum_k c_k exp(2 r_k z - 2 A b_k), in each entry with K terms.

    `primal` is Q' and has a closed form. `dual` solves Q'(z) = x: with P(z) the terms of positive rates r_k and N(z)
    those of negative ones, log P(z) = log(x + N(z)) for x >= 0. The difference of the two sides has a slope of at least
    twice the smallest positive rate, which encloses z: Newton's method stays in the enclosure.

    Parameters
    ----------
    rates : array, shape (d, K)
        r_k, eigenvalues of A_i.
    log_sizes : array, shape (d, K)
        log c_k, c_k the square of w_0 along the eigenvector; -inf where an entry has fewer terms.
    decays : array, shape (d, K)
        b_k, eigenvalues of B of the penalty w'Bw/2.

    Notes
    -----
    Jacobs, Zhou and Burkholz (arXiv 2504.12883), Theorem 3.3: Q_A(mu) = 1/4 |exp(-A B + sum_i mu_i A_i) w_0|^2. Where
    rates of an entry have one sign, so has the entry: duals of other weights are NaN. Weights far below the terms that
    they are the difference of have fewer digits.
    """

    rates: Any
    log_sizes: Any
    decays: Any

    @property
    def initial_dual(self) -> Any:
        """Zero: the start is in the sizes."""
        return 0.0 * self.rates[..., 0]

    def primal(self, z: Any, A: Any) -> Any:
        """Return x = 1/2 sum_k c_k r_k exp(2 r_k z - 2 A b_k)."""
        return 0.5 * self._sum(self.rates, z, A)

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA = -sum_k c_k r_k b_k exp(2 r_k z - 2 A b_k)."""
        return -self._sum(self.rates * self.decays, z, A)

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz = sum_k c_k r_k^2 exp(2 r_k z - 2 A b_k)."""
        return self._sum(self.rates**2, z, A)

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return Q_A(z), entry by entry."""
        return 0.25 * self._sum(1.0, z, A)

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return twice the largest |r_k|: the metric is a sum of exponentials of z at these rates."""
        xp = namespace(z)
        return 0 * z + 2 * xp.max(xp.where(self._there, xp.abs(self.rates), 0.0), axis=-1)

    def dual(self, x: Any, A: Any) -> Any:
        """Return z, the inverse of `primal`, to the last digits; NaN where no z has this x."""
        xp = namespace(x)
        sign = xp.where(x < 0, -1.0, 1.0)  # of the terms that must make up for x and for those of the other sign
        with_x, against = self._logs(xp, sign, A)
        rates = sign[..., None] * self.rates
        log_x = xp.where(x == 0, -xp.inf, xp.log(xp.where(x == 0, 1.0, xp.abs(x))))
        helped, opposed = xp.any(with_x > -xp.inf, axis=-1), xp.any(against > -xp.inf, axis=-1)
        reached = helped & (opposed | (x != 0))

        def excess(z: Any) -> tuple[Any, Any]:
            left, slope = _log_sum(xp, with_x, rates, z)
            right, fall = _log_sum(xp, against, rates, z)
            tallest = xp.where(reached, xp.maximum(log_x, right), 0.0)
            both = tallest + xp.log(xp.where(reached, xp.exp(log_x - tallest) + xp.exp(right - tallest), 1.0))
            value = xp.where(reached, left, 0.0) - both
            return value, xp.where(reached, slope - fall * xp.exp(right - both), 1.0)

        z = 0.0 * x
        least = 2 * xp.min(xp.where(with_x > -xp.inf, xp.abs(rates), xp.inf), axis=-1)
        value, slope = excess(z)
        low, high = xp.minimum(z, z - value / least), xp.maximum(z, z - value / least)
        for _ in range(_STEPS):
            low, high = xp.where(value < 0, z, low), xp.where(value > 0, z, high)
            newton = z - value / slope
            inside = (newton >= low) & (newton <= high)
            # Where both sides are rounding, the enclosure is, too.
            after = xp.where(value == 0, z, xp.where(inside, newton, 0.5 * (low + high)))
            settled = ~(xp.abs(after - z) > _SAME * xp.abs(z))
            z = after
            if bool(xp.all(settled)):
                break
            value, slope = excess(z)
        return xp.where(reached, sign * z, xp.nan)

    def continuation(self, A: float, size: float) -> Iterator[Potential]:
        """Yield potentials from weights of about `size` at dual 0 down to the target, by less penalty in growing steps.

        Where a penalty leaves an entry alone, or lets it grow, there is the last potential only.
        """
        used = self._there & (self.rates != 0)
        slowest = np.where(used, self.decays, np.inf).min(axis=-1)
        if (slowest <= 0).any():
            yield Potential(self.initial_dual, A, 1.0, last=True)
            return
        around, _ = _log_sum(np, *self._half(np, A), 0 * slowest)
        excess = np.maximum(math.log(size) - around, 0.0)
        total = left = float(excess.max())
        step, growth = 2.0, 1.0
        while left > 0:
            yield Potential(self.initial_dual, A - excess * (left / total) / (2 * slowest), growth, last=False)
            # As for the hyperbolic entropy: in the end all duals grow like log(size/scale).
            growth = (1 + total - max(left - step, 0.0)) / max(1 + total - left, 1.0)
            left, step = left - step, 1.5 * step
        yield Potential(self.initial_dual, A, growth, last=True)

    def _half(self, xp: Any, A: Any) -> tuple[Any, Any]:
        """Return the logarithms of |terms| of x at z = 0, -inf for a rate of 0, and the rates."""
        logs = self.log_sizes - 2 * _column(xp, A) * self.decays
        seen = self.rates != 0
        return xp.where(seen, xp.log(xp.where(seen, 0.5 * xp.abs(self.rates), 1.0)) + logs, -xp.inf), self.rates

    @cached_property
    def _there(self) -> Any:
        return self.log_sizes > -namespace(self.log_sizes).inf

    def _sum(self, weights: Any, z: Any, A: Any) -> Any:
        xp = namespace(z)
        exponents = self.log_sizes + 2 * self.rates * z[..., None] - 2 * _column(xp, A) * self.decays
        return xp.sum(weights * xp.exp(at_most(exponents, _TALLEST)), axis=-1)

    def _logs(self, xp: Any, sign: Any, A: Any) -> tuple[Any, Any]:
        """Return the logarithms at z = 0 of terms that have x's sign, and of the others; -inf where there is none."""
        logs, _ = self._half(xp, A)
        agrees = sign[..., None] * self.rates > 0
        return xp.where(agrees, logs, -xp.inf), xp.where(agrees, -xp.inf, logs)


def _column(xp: Any, A: Any) -> Any:
    return A if isinstance(A, int | float) else xp.asarray(A)[..., None]


def _log_sum(xp: Any, logs: Any, rates: Any, z: Any) -> tuple[Any, Any]:
    """Return log sum_k exp(logs_k + 2 rates_k z), and its slope; -inf and 0 where there is no term."""
    exponents = logs + 2 * rates * z[..., None]
    tallest = xp.max(exponents, axis=-1)
    there = tallest > -xp.inf
    tallest = xp.where(there, tallest, 0.0)
    terms = xp.exp(exponents - tallest[..., None])
    total = xp.where(there, xp.sum(terms, axis=-1), 1.0)
    slope = xp.sum(2 * rates * terms, axis=-1) / total
    return xp.where(there, tallest + xp.log(total), -xp.inf), slope
