"""The LASSO solutions of many problems, found together."""

from typing import Any

from linreg_mirror._tools.cites import cited, cites
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems.calls import takes_arrays
from linreg_mirror.solvers.batches.active_sets import corrected
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.arguments import alike, features, per_problem, targets
from linreg_mirror.solvers.batches.parts import in_parts
from linreg_mirror.solvers.batches.smoothing import smoothed
from linreg_mirror.solvers.batches.solutions import Solutions, singly, solution_of
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.supports import proved
from linreg_mirror.solvers.certificates import lasso_certificate
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.results import Solution, Stats

_FINE = 1e-9  # relative error of x that counts as the answer, as for `lasso`


@cites("tibshirani1996regression", "lee2006efficient")
@takes_arrays(
    "lassos(problem.X, problem.y, weight)",
    alpha="weight=, which is 2 alpha of the flow and n alpha of scikit-learn",
    weights="weight=",
)
def lassos(X: Any, y: Any, weight: Any, *, threads: int | None = None) -> Solutions:
    """Return argmin |Xx - y|^2/2 + weight |x|_1 of B problems, as `lasso` does of one.

    On NumPy arrays or torch tensors. The norm is smoothed as the flow of x = m*w with constant penalty smooths it, ever
    less; then an active set ends at the solution. What is not proved so is left to `lasso`.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all problems, or one for each; decides kind and device of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    weight : number or array of shape (B,)
        Positive; of the limit of a constant penalty alpha it is 2 alpha. Not divided by n.
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
        If shapes do not fit together, or a number is not finite or out of range.

    See Also
    --------
    linreg_mirror.lasso : The same of one problem.
    linreg_mirror.minimum_l1s : Without a penalty.
    linreg_mirror.limits : Of flows whose penalty ends.

    Examples
    --------
    A path of weights:

    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> lm.lassos(np.array([[1.0, 2.0]]), np.array([2.0]), np.array([1.0, 4.0])).x.round(6).tolist()
    [[0.0, 0.75], [0.0, 0.0]]
    """
    X = features(X)
    y, weight = alike(X, y=targets(X, y), weight=per_problem(X, "weight", weight))
    xp = namespace(X)
    if not bool(xp.all(weight > 0)):
        raise ValueError(f"weight must be positive, got {float(xp.min(weight)):g}: for weight 0 ask minimum_l1s(X, y)")
    flat = xp.zeros_like(weight)
    stack = Stack(X, y, Hyperbolic(flat, flat), flat)

    def solve(part: slice) -> Answers:
        some, strength = stack.part(part), weight[part]
        return proved(some, strength, corrected(some, strength, smoothed(some, strength)))

    stats = Stats(method="smoothed norms of a batch, then active sets", cites=cited(lassos))

    def solution(k: int, found: tuple[Any, Any, Any, float]) -> Solution:
        problem = stack.problem(k)
        certificate = lasso_certificate(problem, found[0], float(weight[k, 0]), found[1])
        return solution_of(problem, certificate, found, _FINE, stats)

    found = in_parts(X, len(y), solve, threads)
    return singly(found, _FINE, lambda k: lasso(stack.problem(k), float(weight[k, 0])), solution)
