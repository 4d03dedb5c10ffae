"""What many runs of gradient descent have come to."""

from dataclasses import dataclass
from typing import Any, ClassVar

from linreg_mirror.solvers.results import Status


@dataclass(frozen=True, eq=False)
class Descents:
    """Where many runs ended, and what each of them solved. Arrays are of the kind and on the device of X.

    Attributes
    ----------
    x : array, shape (B, d)
        Effective weights.
    log_scale, tilt : array, shape (B, d)
        The Bregman problem that each run solved, as in `ImplicitBias`.
    dual : array, shape (B, n)
        Accumulated loss gradient, divided by 1 - momentum.
    steps : array of int, shape (B,)
        Steps that each run took.
    status : tuple of Status, length B
        `converged`, `diverged` (then x is not finite or huge) or `horizon_reached`.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X, y = np.array([[1.0, 2.0]]), np.array([2.0])
    >>> runs = lm.descents(X, y, log_scale=np.log([[0.1], [0.2]]), step_size=[0.05, 0.02], steps=5000)
    >>> runs.x.shape, runs.dual.shape
    ((2, 2), (2, 1))
    """

    cites: ClassVar[tuple[str, ...]] = ("even2023sgd",)
    x: Any
    log_scale: Any
    tilt: Any
    dual: Any
    steps: Any
    status: tuple[Status, ...]

    def __repr__(self) -> str:
        counts = {name: sum(s.name == name for s in self.status) for name in sorted({s.name for s in self.status})}
        return f"Descents({len(self.status)} runs, d={self.x.shape[-1]}, {counts})"
