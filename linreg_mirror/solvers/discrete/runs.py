"""Many runs side by side: their steps in pieces, which of them are over, and where they end."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.discrete.descents_result import Descents
from linreg_mirror.solvers.discrete.factors import effective
from linreg_mirror.solvers.discrete.many_problems import ManyProblems
from linreg_mirror.solvers.discrete.steps_on_arrays import StepsOnArrays, times
from linreg_mirror.solvers.discrete.steps_on_tensors import StepsOnTensors
from linreg_mirror.solvers.results import Status

_RUNAWAY = 1e6  # as in `descent`


class Runs:
    """All runs, and which of them go on.

    Parameters
    ----------
    problems : ManyProblems
        What they solve, and where they start.
    piece : int
        Steps that are taken at a time.
    compiled : bool
        Whether a piece on tensors becomes one graph.
    """

    def __init__(self, problems: ManyProblems, piece: int, compiled: bool) -> None:
        xp = self.xp = namespace(problems.X)
        self.y, self.piece = problems.y, piece
        self.at: StepsOnArrays | StepsOnTensors = (
            StepsOnArrays(problems)
            if type(problems.X) is np.ndarray
            else StepsOnTensors(problems, piece if compiled else 0)
        )
        size = self._largest_slope(self.y)
        self.slope_scale = xp.where(size > 0, size, xp.ones_like(size))
        self.runaway = _RUNAWAY * (xp.max(xp.abs(self.y), axis=-1) + xp.max(xp.abs(self.at.r), axis=-1))
        self.going = self.runaway >= 0
        self.converged = self.diverged = ~self.going
        self.steps = xp.zeros_like(self.going, dtype=xp.int64)

    def take(
        self, eta: Any, alpha: Any, momentum: float, first: int, weights: Callable[[int, int], Any] | None
    ) -> None:
        """Take the steps from the first on, of every run that is not over: eta and alpha have shape (steps, B)."""
        going = self.xp.astype(self.going, self.y.dtype)
        eta = eta * going
        stay, push = 1.0 - 2.0 * eta * alpha, momentum * going
        for start in range(0, eta.shape[0], self.piece):
            part = slice(start, start + self.piece)
            count = eta[part].shape[0]
            drawn = None if weights is None else weights(first + start, count)
            self.at.take(eta[part], stay[part], push, drawn, momentum > 0)
        self.steps = self.steps + self.going * eta.shape[0]

    def look(self, tolerance: float, at_rest_too: bool) -> bool:
        """Find out which runs are over; return whether any goes on."""
        xp, r = self.xp, self.at.r
        over = self.going & ~(xp.max(xp.abs(r), axis=-1) <= self.runaway)
        done = self.going & ~over & (self._largest_slope(r) <= tolerance * self.slope_scale)
        if at_rest_too:
            done = done & (self._largest_move() <= tolerance)
        self.diverged, self.converged = self.diverged | over, self.converged | done
        self.going = self.going & ~(over | done)
        return bool(self.going.any())

    def result(self, momentum: float) -> Descents:
        """Sum up."""
        xp, blocks = self.xp, self.at.blocks
        u, v = (xp.concat([block[i] for block in blocks], axis=-1) for i in (1, 2))
        dual = self.at.dual / (1 - momentum)
        gradient = xp.concat([times(dual, block.X) for block in blocks], axis=-1)
        with np.errstate(all="ignore"):
            log_u, log_v = xp.log(xp.abs(u)), xp.log(xp.abs(v))
            return Descents(
                x=effective(u, v),
                log_scale=log_u + log_v,
                tilt=log_u - log_v + 2 * gradient,
                dual=dual,
                steps=self.steps,
                status=tuple(
                    Status.diverged if over else Status.converged if done else Status.horizon_reached
                    for over, done in zip(self.diverged.tolist(), self.converged.tolist(), strict=True)
                ),
            )

    def _largest_slope(self, r: Any) -> Any:
        """Return max|X'r| of each run, shape (B,)."""
        return self._largest(times(r, block.X) for block in self.at.blocks)

    def _largest_move(self) -> Any:
        """Return the largest change of a factor in the last step, relative to the largest factor."""
        pairs = [(one, before) for _, u, v, *was in self.at.blocks for one, before in zip((u, v), was, strict=True)]
        return self._largest(one - before for one, before in pairs) / self._largest(one for one, _ in pairs)

    def _largest(self, arrays: Iterable[Any]) -> Any:
        xp = self.xp
        return xp.max(xp.stack([xp.max(xp.abs(array), axis=-1) for array in arrays]), axis=0)
