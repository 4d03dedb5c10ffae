"""Masks shared by groups of weights, as in neuron-wise or channel-wise pruning: a network without a mirror."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.parametrizations.commutation import describe_defect
from linreg_mirror.parametrizations.hadamard import Hadamard
from linreg_mirror.parametrizations.protocol import NoMirror, Parametrization


@dataclass(frozen=True, eq=False, repr=False)
class SharedHadamard(Parametrization):
    """x_i = m_g(i) w_i with one mask entry for each group g, and penalty |m|^2 + |w|^2.

    Parameters
    ----------
    m0 : array_like, shape (groups,)
        Initial mask.
    w0 : array_like, shape (d,)
        Initial weights.
    group : array_like of int, shape (d,)
        The group of each weight, in 0..groups-1.

    Raises
    ------
    ValueError
        If shapes do not fit together, or `group` does not hold integers in 0..groups-1.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> network = lm.SharedHadamard([1.0, 2.0], [3.0, 4.0, 5.0], group=[0, 0, 1])
    >>> network.effective(network.theta0).tolist()
    [3.0, 4.0, 10.0]
    """

    m0: Array
    w0: Array
    group: NDArray[Any]

    def __post_init__(self) -> None:
        m0, w0, group = as_real_array("m0", self.m0), as_real_array("w0", self.w0), np.asarray(self.group)
        if m0.ndim != 1 or w0.ndim != 1 or group.shape != w0.shape:
            raise ValueError(
                f"m0 (groups,), w0 (d,) and group (d,) are expected, got shapes {m0.shape}, {w0.shape}, {group.shape}"
            )
        if group.dtype.kind not in "iu" or group.min(initial=0) < 0 or group.max(initial=0) >= m0.size:
            raise ValueError(f"group must hold integers in 0..{m0.size - 1}, the entries of m0")
        for name, value in {"m0": m0, "w0": w0, "group": group.astype(np.intp)}.items():
            object.__setattr__(self, name, value)

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return self.w0.size

    @property
    def theta0(self) -> Array:
        """Initial parameters (m0, w0), shape (groups + d,)."""
        return np.concatenate([self.m0, self.w0])

    def effective(self, theta: Array) -> Array:
        """Return x, each weight times its group's mask."""
        return theta[self.group] * theta[self.m0.size :]

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return the gradient in (m, w): sums of w*grad_x over groups, then m*grad_x."""
        m, w = theta[: self.m0.size], theta[self.m0.size :]
        return np.concatenate([np.bincount(self.group, w * grad_x, self.m0.size).astype(float), m[self.group] * grad_x])

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta."""
        return 2 * theta

    def mirror(self) -> Hyperbolic:
        """Return the mirror of m*w where every weight has a mask of its own.

        Raises
        ------
        NoMirror
            If a mask entry serves two weights: it couples them.
        """
        largest = int(np.bincount(self.group).argmax())
        shared = np.flatnonzero(self.group == largest)[:2]
        if len(shared) > 1:
            defect = describe_defect(self, [int(i) for i in shared])
            raise NoMirror(f"a mask shared by several weights has no mirror: {defect}")
        return Hadamard(np.asarray(self.m0)[self.group], self.w0).mirror()
