"""The interpolators of least L1 norm of many problems, found together."""

from typing import Any

from linreg_mirror._tools.cites import cited, cites
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems.calls import takes_arrays
from linreg_mirror.solvers.batches.arguments import alike, features, targets
from linreg_mirror.solvers.batches.least_norms import PROVED, least_norms
from linreg_mirror.solvers.batches.parts import in_parts
from linreg_mirror.solvers.batches.solutions import Solutions, singly, solution_of
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.certificates import l1_certificate
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.results import Solution, Stats


@cites("woodworth2020kernel", "jacobs2025mask")
@takes_arrays("minimum_l1s(problem.X, problem.y)")
def minimum_l1s(X: Any, y: Any, *, threads: int | None = None) -> Solutions:
    """Return argmin{|x|_1 : Xx = y} of B problems, as `minimum_l1` does of one, on NumPy arrays or torch tensors.

    On NumPy arrays compiled pivots of the simplex method lead to vertices from the largest weights of least L2 norm. On
    tensors, and where these prove nothing, vertices are read off the mirror limits at a few scales, and improved by a
    few pivots. What none of them proves is left to `minimum_l1`.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all problems, or one for each; decides kind and device of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    threads : int, optional
        How many parts of the batch are solved at once, of NumPy arrays. Default: as many as there are cores.

    Returns
    -------
    Solutions
        `error` is a proved bound for each; where it is finite, x is the only solution.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers.
    ValueError
        If shapes do not fit together, or a number is not finite.

    See Also
    --------
    linreg_mirror.minimum_l1 : The same of one problem.
    linreg_mirror.limits : At scales that do not vanish.
    linreg_mirror.lassos : With a penalty, for targets with noise.

    Notes
    -----
    The scale -> 0 limit of Woodworth et al. (2020) and Mask in the Mirror (arXiv 2408.09966).

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> lm.minimum_l1s(np.array([[1.0, 2.0]]), np.array([[2.0], [-4.0]])).x.round(6).tolist()
    [[0.0, 1.0], [0.0, -2.0]]
    """
    X = features(X)
    (y,) = alike(X, y=targets(X, y))
    flat = namespace(X).zeros_like(y[:, :1])
    stack = Stack(X, y, Hyperbolic(flat, flat), flat)

    stats = Stats(method="pivots and mirror limits of a batch, then vertices", cites=cited(minimum_l1s))

    def solution(k: int, found: tuple[Any, Any, Any, float]) -> Solution:
        x, dual, rest, _ = found
        problem = stack.problem(k)
        return solution_of(problem, l1_certificate(problem, x, dual, rest=rest), found, PROVED, stats)

    found = in_parts(X, len(y), lambda part: least_norms(stack.part(part)), threads)
    return singly(found, PROVED, lambda k: minimum_l1(stack.problem(k)), solution)
