"""argmin |Xx - y|^2/2 + weight |x|_1: coordinate descent, an active set, and a bar."""

import time as clock
import warnings

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_number
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.solvers.certificates import lasso_certificate, with_error
from linreg_mirror.solvers.error_bars import lasso_bar
from linreg_mirror.solvers.lasso.active_set import active_set
from linreg_mirror.solvers.results import Solution, Stats, Status

_EPOCHS = 1000  # of coordinate descent, which crawls where X is ill-conditioned
_FINE = 1e-9  # relative error of x
_GAP = 1e-8  # duality gap relative to |y|^2 at which its support is nearly right


@cites("tibshirani1996regression", "pedregosa2011scikit", "lee2006efficient")
@takes_problem("lasso(problem, weight)", alpha="weight=, which is 2 alpha")
@np.errstate(all="ignore")  # what overflows fails the certificate
def lasso(problem: Problem, weight: float) -> Solution:
    """Return argmin |Xx - y|^2/2 + weight |x|_1, with exact zeros, by scikit-learn and an active set.

    Parameters
    ----------
    problem : Problem
        X is (n, d). The loss is taken to be the squared one.
    weight : float
        Positive. Not divided by n, unlike scikit-learn's alpha.

    Returns
    -------
    Solution
        `dual` is y - Xx, shape (n,), for x before it was rounded to float64; the certificate holds the duality gap
        relative to |y|^2/2. `error` is a proved bound of |x - x*|_1, x* being the minimiser for the floats X, y and
        weight, which is then the only one; it is inf, and the status `unproved`, where an entry is zero, or a column at
        its threshold, but for rounding.

    Raises
    ------
    ValueError
        If the weight is not positive.

    See Also
    --------
    linreg_mirror.lassos : Of many problems of one size at once.
    linreg_mirror.MirrorRegressorCV : Chooses the weight by cross-validation, with path="lasso".

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> solution = lm.lasso(lm.Problem([[1, 2]], [2]), weight=1.0)
    >>> solution.x.round(6).tolist(), solution.digits > 14
    ([0.0, 0.75], True)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    started = clock.perf_counter()
    check_number("weight", weight)
    matrices.require_entries(problem.X, "lasso", "descent(problem, network, step_size, weight / 2)")
    if not 0 < weight / problem.n < np.inf:
        raise ValueError(
            f"weight must be finite and positive, got {weight!r}: for weight 0 ask minimum_l1 or minimum_l2"
        )
    weight = float(weight)
    model = Lasso(weight / problem.n, fit_intercept=False, tol=_GAP, max_iter=_EPOCHS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the active set goes on from there
        start = np.array(model.fit(problem.X, problem.y).coef_)
    x, steps = active_set(problem, weight, start)
    bar = lasso_bar(problem, weight, x)
    certificate = with_error(lasso_certificate(problem, bar.x, weight, bar.dual.hi), bar.error, bar.x, _FINE)
    solved = Status.converged if bar.error < np.inf else Status.unproved
    return Solution(
        x=bar.x,
        dual=bar.dual.hi,
        log_scale=None,
        status=solved if certificate.valid else Status.not_certified,
        stats=Stats(
            method="scikit-learn Lasso, then an active set",
            steps=steps,
            seconds=clock.perf_counter() - started,
            notes=bar.notes,
            cites=cited(lasso),
        ),
        certificate=certificate,
        unique=True if bar.error < np.inf else None,
        error=bar.error,
        entry_errors=bar.entries if bar.error < np.inf else None,
        dual_rest=bar.dual.lo,
    )
