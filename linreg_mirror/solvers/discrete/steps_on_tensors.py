"""Steps of many runs on torch tensors, one by one or many of them as one graph."""

from collections.abc import Callable
from functools import cache
from typing import Any

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.discrete.factors import effective, stepped, stepped_on
from linreg_mirror.solvers.discrete.many_problems import ManyProblems
from linreg_mirror.solvers.discrete.steps_on_arrays import Block, times


class StepsOnTensors:
    """The state of all runs, in one block: launching work costs more than memory does.

    Attributes
    ----------
    blocks : list of Block
        The factors.
    dual, r : tensor, shape (B, n)
        Accumulated loss gradient and residual.

    Parameters
    ----------
    problems : ManyProblems
        What is solved.
    graph : int
        How many steps become one graph, compiled when they are first taken; 0 for none. Fewer at a time are taken one
        by one.
    """

    def __init__(self, problems: ManyProblems, graph: int) -> None:
        X, self.y, log_u, log_v = problems
        xp, self.graph = namespace(X), graph
        # Each its own: a graph for which some are the same is another one.
        u, v, *before = (xp.exp(log_factor) for log_factor in (log_u, log_v, log_u, log_v))
        self.blocks = [Block(X, u, v, *before)]
        self.dual = xp.zeros_like(self.y)
        self.r = times(effective(u, v), xp.matrix_transpose(X)) - self.y

    def take(self, eta: Any, stay: Any, push: Any, weights: Any | None, heavy: bool) -> None:
        """Take steps: eta and stay = 1 - 2 eta alpha are (steps, B), momenta (B,), weights (steps, B, n) or None."""
        X, *factors = self.blocks[0]
        on_cuda = X.device.type == "cuda"
        whole = eta.shape[0] == self.graph
        advance: Callable[..., tuple[Any, ...]] = _graph("reduce-overhead" if on_cuda else None) if whole else taken
        found = advance(X, self.y, *factors, self.dual, self.r, eta, stay, push, weights, heavy)
        if whole and on_cuda:
            found = tuple(array.clone() for array in found)  # a CUDA graph overwrites it when it runs again
        *factors, self.dual, self.r = found
        self.blocks = [Block(X, *factors)]


def taken(
    X: Any, y: Any, u: Any, v: Any, u_before: Any, v_before: Any, dual: Any, r: Any, eta: Any, stay: Any, push: Any,
    weights: Any, heavy: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return u, v, both before the last step, dual and residual after as many steps as eta has rows."""
    for k in range(eta.shape[0]):
        slope = r if weights is None else r * weights[k]
        impulse = eta[k, :, None] * slope
        dual = dual + impulse
        move = times(impulse, X)
        ahead = (
            stepped_on(u, v, u_before, v_before, move, stay[k, :, None], push[:, None])
            if heavy
            else stepped(u, v, move, stay[k, :, None])
        )
        u_before, v_before, (u, v) = u, v, ahead
        r = times(effective(u, v), X.mT) - y
    return u, v, u_before, v_before, dual, r


@cache
def _graph(mode: str | None) -> Callable[..., Any]:
    import torch

    return torch.compile(taken, dynamic=False, mode=mode)
