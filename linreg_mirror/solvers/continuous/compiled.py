"""The dual flow as compiled code takes it, where there is such code: x = m*w, squared loss, a dense X."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic, Mirror, Power
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Squared
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.penalties import alpha_at, closed_form

Job = Callable[[], tuple[int, int]]  # a call of `kernel.advance`, which needs no lock of the interpreter's


class CompiledFlow:
    """One dual flow on its way: where it is, and how far from the exact flow it can be.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples in rows.
    y : array, shape (n,)
        Targets, in the range of X.
    potential : Hyperbolic
        What x = m*w induces.
    rate : float
        The speed of the dual flow.
    schedule : Schedule
        The penalty.
    atol, rtol : float
        A step may make errors of atol + rtol |s_i|, in the root mean square.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        potential: Hyperbolic,
        rate: float,
        schedule: Schedule,
        atol: float,
        rtol: float,
    ) -> None:
        self.state, self._known = np.zeros(len(y)), np.zeros(len(y))  # s, and what is known of its error
        self.counts = np.zeros(2, dtype=np.int64)  # evaluations, matrices
        self._potential = potential
        self._flow = (
            np.ascontiguousarray(X), np.ascontiguousarray(y), 2 * potential.initial_dual, potential.log_scale, rate,
            potential.tallest,
        )  # fmt: skip
        self._lengths, self._tallest = np.sqrt(matrices.column_weights(X)), np.abs(X).max(axis=1)
        self._schedule, self._tolerances = schedule, (atol, rtol)
        self._progress = np.array([0.0, np.inf, 0.0])  # t, the next step, the rest of the error
        self._piece = np.empty(0)

    @property
    def t(self) -> float:
        """Time."""
        return float(self._progress[0])

    def take_over(self, t: float, state: Array) -> None:
        """Go on from where another integrator has got to, which says nothing of its error."""
        self.state[:] = state
        self._known[:] = 0.0
        self._progress[:] = t, np.inf, np.inf

    def begin_piece(self) -> None:
        """Go over a jump of the schedule, where the next step must be short."""
        piece = closed_form(self._schedule, self.t)
        assert piece is not None  # `compiled_flow` has asked
        self._piece = piece
        X, y, z2, _, rate, _ = self._flow
        x = self._potential.primal(0.5 * z2 - X.T @ self.state, piece[2])
        speed = 2 * rate * float(np.abs(X.T @ (X @ x - y)).max()) + 4 * alpha_at(piece, self.t)  # of exponents
        exponent = self._tolerances[0] * max(1.0, float(self._lengths.max()))
        self._progress[1] = min(self._progress[1], 0.5 * exponent**0.2 / speed if speed > 0 else np.inf)

    def job(self, end: float, target: float, room: tuple[Array, Array, Array]) -> Job:
        """Return a call of `kernel.advance`.

        Parameters
        ----------
        end : float
            Time at which the piece ends.
        target : float
            Stop where a relative error of x of this size explains what Xx leaves of y; never if it is negative.
        room : tuple of arrays, shapes (T,), (T, n), (T,)
            For times, states and errors.
        """
        from linreg_mirror.solvers.continuous import kernel  # takes half a second

        return partial(
            kernel.advance, self._flow, self._lengths, self._tallest, self._piece, *self._tolerances, target,
            end, self.state, self._known, self._progress, self.counts, *room,
        )  # fmt: skip


def compiled_flow(
    problem: Problem, mirror: Mirror, y: Array, schedule: Schedule, atol: float, rtol: float
) -> CompiledFlow | None:
    """Return the flow of a problem as compiled code takes it, or None where there is none for it.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    mirror : Mirror
        Hyperbolic, or the one of depth 2, which is the same at twice the speed.
    y : array, shape (n,)
        Targets, in the range of X.
    schedule : Schedule
        The penalty.
    atol, rtol : float
        A step may make errors of atol + rtol |s_i|, in the root mean square.
    """
    if type(problem.loss) is not Squared or not matrices.is_dense(problem.X) or closed_form(schedule, 0.0) is None:
        return None
    if type(mirror) is Hyperbolic:
        return CompiledFlow(problem.X, y, mirror, 1.0, schedule, atol, rtol)
    if type(mirror) is Power and mirror.depth == 2:
        hyperbolic = Hyperbolic(math.log(2) + 2 * mirror.log_scale, mirror.tilt)
        return CompiledFlow(problem.X, y, hyperbolic, 2.0, schedule, atol, rtol)
    return None
