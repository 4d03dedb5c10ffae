"""Limits of one network on one problem, from scale to scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._tools.cards import card
from linreg_mirror._tools.cites import cites
from linreg_mirror._tools.frames import dataframe
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard, Parametrization, Power
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.solvers.limit._limit import limit
from linreg_mirror.solvers.limit._minimum_l1 import minimum_l1
from linreg_mirror.solvers.results import Solution


@dataclass(frozen=True, eq=False)
class Ladder:
    """Where flows from one start end, by the logarithm of their scale.

    Attributes
    ----------
    problem : Problem
        X is (n, d).
    log_scales : array, shape (K,)
        log b, at depth D log alpha; largest first.
    limits : tuple of Solution
        One for each.
    depth : int or None
        D of p^D - q^D; None of m*w.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> found = lm.ladder(lm.Problem([[1, 2]], [2]), lm.Hadamard.at(0.0, d=2), [1e2, 1e-12])
    >>> found.l2_excess.round(6).tolist()
    [0.0, 0.118034]
    """

    problem: Problem
    log_scales: Array
    limits: tuple[Solution, ...]
    depth: int | None = None

    @cached_property
    def x(self) -> Array:
        """The limits' weights, shape (K, d)."""
        return np.stack([found.x for found in self.limits])

    @cached_property
    def least_l1(self) -> Solution:
        """The interpolator of least L1 norm, which small scales approach."""
        return minimum_l1(self.problem)

    @cached_property
    def least_l2(self) -> Solution:
        """The interpolator of least L2 norm, which large equal scales approach."""
        return minimum_l2(self.problem)

    @property
    def log_weight_scales(self) -> Array:
        """log b, at depth D log 2 alpha^D: scales in the unit of weights, which those of other depths compare with."""
        return self.log_scales if self.depth is None else np.log(2) + self.depth * self.log_scales

    @property
    def l1_excess(self) -> Array:
        """L1 norms of the limits over the least one, minus 1; shape (K,). NaN where that is 0."""
        return _excess(np.abs(self.x).sum(axis=1), float(np.abs(self.least_l1.x).sum()))

    @property
    def l2_excess(self) -> Array:
        """L2 norms of the limits over the least one, minus 1; shape (K,). NaN where that is 0."""
        return _excess(np.linalg.norm(self.x, axis=1), float(np.linalg.norm(self.least_l2.x)))

    def __len__(self) -> int:
        return len(self.limits)

    def __iter__(self) -> Iterator[Solution]:
        return iter(self.limits)

    def __repr__(self) -> str:
        scales = f"log scale {self.log_scales[0]:.4g} to {self.log_scales[-1]:.4g}"
        digits = min(found.digits for found in self.limits)
        return f"Ladder({len(self)} limits, {scales}, d={self.problem.d}, digits >= {digits:.1f})"

    def _repr_html_(self) -> str:
        rows = {
            "limits": f"{len(self)}, log scale {self.log_scales[0]:.4g} to {self.log_scales[-1]:.4g}",
            "samples, weights": f"{self.problem.n}, {self.problem.d}",
            "digits": f"{min(found.digits for found in self.limits):.1f} or more",
        }
        return card("Ladder", rows, self.x)

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame: a row for each scale, with norms, their excess, status and proved digits."""
        return dataframe(
            log_scale=self.log_scales,
            l1_norm=np.abs(self.x).sum(axis=1),
            l2_norm=np.linalg.norm(self.x, axis=1),
            l1_excess=self.l1_excess,
            l2_excess=self.l2_excess,
            status=[found.status.name for found in self.limits],
            digits=[found.digits for found in self.limits],
        )

    def plot(self, **options: Any) -> Any:
        """Draw the excess of both norms; a short form of `linreg_mirror.plots.excess`.

        Parameters
        ----------
        **options
            Those of `linreg_mirror.plots.excess`, such as `ax`.

        Returns
        -------
        Axes
            With the picture.
        """
        from linreg_mirror.plots import excess

        return excess(self, **options)


def _excess(norms: Array, least: float) -> Array:
    return norms / least - 1 if least else np.full(norms.shape, np.nan)


@cites("jacobs2025mask", "woodworth2020kernel")
@takes_problem("ladder(problem, network, scales)", scale="scales=", b="scales=")
def ladder(
    problem: Problem,
    network: Parametrization,
    scales: ArrayLike | None = None,
    *,
    log_scales: ArrayLike | None = None,
    decay: float = 0.0,
) -> Ladder:
    """Solve for the limits of flows that start at the same weights, each at a scale of its own.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Hadamard or Power
        Whose start x_0, and depth, all flows have; its scale counts for nothing.
    scales : array_like, shape (K,), optional
        Scales, positive: b = (m^2 - w^2)/2 of Hadamard, alpha of Power, at depth 2 b = 2 alpha^2. Default: 33 of them
        from 1e2 to 1e-12, at depth D >= 3 to 10^(-8/(D-2)), below which float64 does not tell duals apart.
    log_scales : array_like, shape (K,), optional
        Their logarithms, in place of `scales`, for those that no float64 holds.
    decay : float
        Accumulated penalty of all flows.

    Returns
    -------
    Ladder
        Sorted, the largest scale first.

    Raises
    ------
    TypeError
        If the network is neither, or the problem none.
    ValueError
        If both kinds of scales are given, or one is not positive and finite, or there are none.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> found = lm.ladder(lm.Problem([[1, 2]], [2]), lm.Hadamard.at(0.0, d=2), [1e2, 1e-12])
    >>> found.x.round(4).tolist()
    [[0.4, 0.8], [0.0, 1.0]]
    """
    if type(network) not in (Hadamard, Power):
        raise TypeError(
            f"network must be Hadamard or Power, which have a scale, got {type(network).__name__}: write "
            "ladder(problem, Hadamard.at(x0=0.0, d=problem.d), scales)"
        )
    if scales is not None and log_scales is not None:
        raise ValueError("scales and log_scales are two ways to say the same: give one of them")
    if log_scales is None:
        scales = as_real_array("scales", _usual(network) if scales is None else scales)
        if not (scales > 0).all():
            raise ValueError(f"scales must be positive, got {scales.min():g}: write log_scales= for very small ones")
        log_scales = np.log(scales)
    found = np.sort(np.ravel(as_real_array("log_scales", log_scales)))[::-1]
    if not found.size:
        raise ValueError("a ladder needs a scale: write scales=[1.0, 1e-3]")
    x0 = network.effective(network.theta0)
    limits = tuple(limit(problem, network_at(network, x0, at), decay) for at in found)
    return Ladder(problem, found, limits, network.depth if isinstance(network, Power) else None)


def _usual(network: Parametrization) -> Array:
    if isinstance(network, Power) and network.depth > 2:
        return np.logspace(2, -8 / (network.depth - 2), 33)
    return np.logspace(2, -12, 33)


def network_at(network: Parametrization, x0: Array, log_scale: float) -> Parametrization:
    """Return the network at another scale, from the weights x0."""
    if isinstance(network, Power):
        return Power.from_scale(log_alpha=log_scale, depth=network.depth, x0=x0)
    return Hadamard.from_scale(log_b=log_scale, x0=x0)
