"""One network, solved to the end: of all coefficients that fit best, those that its flow ends at."""

import warnings
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._types import Array
from linreg_mirror.estimator.data import Form, LinearRegressor, checked, forms, merged
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule, as_schedule, require_clock
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.batches import limits
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.solvers.limit import limit
from linreg_mirror.solvers.saddles import saddles

_SCALE = 1e-6  # as of the command `solve`

# Parameters that not every solver uses: their defaults, which all of them take, and who does.
_USED_BY = {
    "scale": (None, ("limit", "descent")),
    "log_scale": (None, ("limit", "descent")),
    "depth": (2, ("limit", "descent")),
    "schedule": (None, ("limit", "descent")),
    "tol": (None, ("limit", "descent")),
    "step_size": (None, ("descent",)),
    "momentum": (0.0, ("descent",)),
    "batch_size": (None, ("descent",)),
    "max_iter": (None, ("descent",)),
}
_SOLVERS = {
    "limit": "goes to the end of the flow without steps",
    "descent": "takes steps",
    "saddles": "is the limit of vanishing scale, without penalty and with the same end at any depth",
}


class MirrorRegressor(LinearRegressor):
    """Least squares by gradient descent on x = m*w, or by the limit of its flow.

    Of all coefficients that fit the data best, it finds those that the mirror flow from x = 0 ends at: of least L2 norm
    for a large `scale`, of least L1 norm for a small one. With more samples than features this is ordinary least
    squares; `scale`, `depth` and `solver` then change nothing, unless features depend on each other.

    Parameters
    ----------
    scale : float or array_like, shape (n_features,), optional
        The scale b = (m0^2 - w0^2)/2 > 0 of the start, one for all features or one for each. Default: 1e-6. Where
        `depth` is D >= 3, p0 = q0 = sqrt(b/2), as they are at depth 2.
    log_scale : float or array_like, shape (n_features,), optional
        log b, in place of `scale`, for scales that no float64 holds.
    depth : int
        2 for x = m*w (`Hadamard`), D >= 3 for x = p^D - q^D (`Power`).
    schedule : Schedule or float, optional
        One of `linreg_mirror.schedules`: the penalty alpha on |m|^2 + |w|^2 (or |p|^2 + |q|^2). "limit" needs one on
        clock "time" with a finite integral; at depth 2 a constant one takes "descent" to the LASSO solution of weight
        2 alpha. Default: none.
    solver : {"limit", "descent", "saddles"}
        "limit" solves for the end of the flow; "descent" takes steps of finite size; "saddles" follows the path of
        vanishing scale to its end, which has the least L1 norm.
    fit_intercept : bool
        Whether to centre the data, so that the intercept fits best at all times and is not penalised.
    step_size : float, Schedule or callable, optional
        Of "descent", for the loss |Xx - y|^2/2 summed over samples. Default: half the largest stable one, which takes
        the eigenvalues of a matrix as large as the rank of X, with `batch_size` as the number of samples.
    momentum : float
        Of "descent", in [0, 1): heavy ball.
    batch_size : int, optional
        Of "descent": samples a step, a new permutation each epoch. Default: all.
    max_iter : int, optional
        Steps of "descent", at the most. Default: that of `linreg_mirror.descent`.
    tol : float, optional
        Of "limit", largest proved error of coef_ in the L1 norm, relative to it (where no error can be proved, largest
        violation of Xx = y); of "descent", largest violation of stationarity. Default: those of `linreg_mirror.limit`
        and `linreg_mirror.descent`.
    random_state : int, RandomState or None
        Draws the batches.

    Attributes
    ----------
    coef_ : array, shape (n_features,) or (n_targets, n_features)
        Effective weights x. A feature that is constant keeps 0.
    intercept_ : float, or array of shape (n_targets,)
        0.0 without `fit_intercept`. Of several targets, the following three are a list, a list and an array.
    certificate_ : Certificate
        Checks of the solution on the centred data, recomputed by code that the solver does not share.
    status_ : Status
        How the solver ended: `converged` where the proved error is within the tolerance, `unproved` where there is
        none, `inconsistent` where the data were fitted by least squares, not interpolated.
    error_ : float
        Upper bound of the error of coef_ in the L1 norm, for the data as centred in float64; inf where none is proved.
    n_iter_ : int, or array of shape (n_targets,)
        Newton steps of "limit", steps of "descent", jumps of "saddles"; of several targets an array. Not set where
        "limit" solves for several targets together, at depth 2 and of dense X: it does not count the steps of each.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str, shape (n_features_in_,)
        Where X had names, all of them strings.

    See Also
    --------
    linreg_mirror.limit, linreg_mirror.descent, linreg_mirror.saddles : The solvers, with other starts and losses.

    Notes
    -----
    Woodworth et al. (arXiv 2002.09277) for the scale; Mask in the Mirror (arXiv 2408.09966), Theorem 2.3, for "limit".

    A sparse X stays sparse without `fit_intercept`. With it, and zeros counted as entries, it

    * is made dense up to 10^7 entries, and for "saddles" and `batch_size` at any size;
    * stays sparse beyond 25 10^7 entries;
    * in between stays sparse if it has fewer samples than features, and is made dense after all if samples depend on
      each other.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import MirrorRegressor
    >>> X = np.random.default_rng(0).standard_normal((20, 50))
    >>> y = 3 * X[:, 7] - 2 * X[:, 30] + 1
    >>> model = MirrorRegressor(scale=1e-9).fit(X, y)
    >>> np.flatnonzero(abs(model.coef_) > 1e-3)
    array([ 7, 30])
    >>> round(model.intercept_, 3), model.status_.name, model.certificate_.valid
    (1.0, 'converged', True)
    """

    def __init__(
        self,
        *,
        scale: Any = None,
        log_scale: Any = None,
        depth: int = 2,
        schedule: Schedule | float | None = None,
        solver: Literal["limit", "descent", "saddles"] = "limit",
        fit_intercept: bool = True,
        step_size: Any = None,
        momentum: float = 0.0,
        batch_size: int | None = None,
        max_iter: int | None = None,
        tol: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.scale = scale
        self.log_scale = log_scale
        self.depth = depth
        self.schedule = schedule
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.step_size = step_size
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n_samples, n_features)
            Samples in rows.
        y : array_like, shape (n_samples,) or (n_samples, n_targets)
            Targets. Several are fitted side by side, with one and the same design: see `linreg_mirror.limits`.
        sample_weight : array_like, shape (n_samples,), optional
            Weights >= 0 of squared residuals. Where all samples can be fitted exactly, "limit" and "saddles" do so
            whatever the weights. Copies of a sample, as of a bootstrap, count as one of their number in weight.

        Returns
        -------
        self
            This one.

        Raises
        ------
        ValueError
            If the data are not finite, do not match, or a parameter is out of range, meant for another solver, or too
            small for float64.
        TypeError
            If a parameter is of the wrong type.

        Warns
        -----
        ConvergenceWarning
            If the solver did not get to the end, or the certificate is not valid.
        """
        self._require_consistent_parameters()
        X, y, weights = checked(self, X, y, sample_weight)
        if self.fit_intercept and self.batch_size is None:
            X, y, weights = merged(X, y, weights)
        reads_entries = self.solver == "saddles" or self.batch_size is not None
        ways = forms(X, weights, self.fit_intercept, self.solver, reads_entries)
        targets = y[:, None] if y.ndim == 1 else y
        fits = self._fitted(ways, X, targets, weights)
        self._keep(fits if y.ndim > 1 else fits[0])
        for fit in fits:
            if not (fit.solved.status.solved or fit.solved.status is Status.until_reached):
                said = f"{fit.solved.status}. {_advice(fit.solved)}"
                warnings.warn(said, ConvergenceWarning, stacklevel=2)
        return self

    def _fitted(self, ways: list[Form], X: Any, targets: Array, weights: Array | None) -> list["_Fit"]:
        """Return a fit for each target: together where the solver can, and in another form where the first fails."""
        form, *others = ways
        given = [form(X, y, weights) for y in targets.T]
        A = given[0][0]
        together = len(given) > 1 and self.solver == "limit" and self.depth == 2 and type(A) is np.ndarray
        found: list[tuple[Array, Any]]
        if together:
            network = self._network(A.shape[1])
            y = np.stack([b for _, b, *_ in given])
            solutions = limits(A, y, network, decay=self._total_decay(), **self._tolerance())
            found = [(solution.x, solution) for solution in solutions]
        else:
            found = [self._solve(Problem(A, b)) for A, b, *_ in given]
        fits = []
        for k, ((*_, mean_X, mean_y), (coef, solved)) in enumerate(zip(given, found, strict=True)):
            if solved.status is Status.not_certified and others:
                A, b, mean_X, mean_y = others[0](X, targets[:, k], weights)
                coef, solved = self._solve(Problem(A, b))
            fits.append(_Fit(coef, float(mean_y - mean_X @ coef), solved, not together))
        return fits

    def _keep(self, fits: "_Fit | list[_Fit]") -> None:
        """Set the attributes, of one target or of several."""
        if isinstance(fits, _Fit):
            solved = fits.solved
            self.coef_, self.intercept_, self.n_iter_ = fits.coef, fits.intercept, solved.stats.steps
            self.status_, self.certificate_, self.error_ = solved.status, solved.certificate, self._error(solved)
            return
        self.coef_ = np.stack([fit.coef for fit in fits])
        self.intercept_ = np.array([fit.intercept for fit in fits])
        self.status_ = [fit.solved.status for fit in fits]
        self.certificate_ = [fit.solved.certificate for fit in fits]
        self.error_ = np.array([self._error(fit.solved) for fit in fits])
        vars(self).pop("n_iter_", None)  # of another fit
        if all(fit.counted for fit in fits):
            self.n_iter_ = np.array([fit.solved.stats.steps for fit in fits])

    def _error(self, solved: Any) -> float:
        return np.inf if self.solver == "descent" else float(solved.error)  # no limit of steps is known

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn wants to know: there may be several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _require_consistent_parameters(self) -> None:
        if self.solver not in _SOLVERS:
            raise ValueError(f"solver must be {', '.join(map(repr, _SOLVERS))}, got {self.solver!r}")
        if self.scale is not None and self.log_scale is not None:
            raise ValueError("scale and log_scale both set the scale: give one of them")
        if not isinstance(self.fit_intercept, bool | np.bool_):
            raise TypeError(f"fit_intercept must be True or False, got {self.fit_intercept!r}")
        if self.max_iter is not None:
            check_integer("max_iter", self.max_iter, least=1)
        if self.tol is not None and not (isinstance(self.tol, int | float | np.number) and 0 <= self.tol < np.inf):
            raise ValueError(f"tol must be a number >= 0, got {self.tol!r}: leave it out for the solver's own")
        for name, (default, solvers) in _USED_BY.items():
            value = getattr(self, name)
            if self.solver not in solvers and np.any(value != default):
                raise ValueError(
                    f'solver="{self.solver}" {_SOLVERS[self.solver]}, and does not use {name}, got {value!r}: leave '
                    f'{name} out, or write solver="{solvers[0]}"'
                )

    def _solve(self, problem: Problem) -> tuple[Array, Any]:
        """Return the coefficients, and what the solver returned."""
        if self.solver == "saddles":
            path = saddles(problem)
            return path.solution.x, path
        network = self._network(problem.d)
        if self.solver == "limit":
            solution = limit(problem, network, self._total_decay(), **self._tolerance())
            return solution.x, solution
        schedule = as_schedule(self.schedule)
        budget: dict[str, Any] = {} if self.max_iter is None else {"steps": self.max_iter}
        step_size = self._stable_step(problem, network, schedule) if self.step_size is None else self.step_size
        rng = None
        if self.batch_size is not None:
            rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        run = descent(
            problem, network, step_size, schedule, batch_size=self.batch_size, momentum=self.momentum, rng=rng,
            **self._tolerance(), **budget,
        )  # fmt: skip
        return run.x[-1], run

    def _tolerance(self) -> dict[str, Any]:
        return {} if self.tol is None else {"tolerance": self.tol}

    def _total_decay(self) -> float:
        """Return the integral of the penalty over the whole flow."""
        schedule = as_schedule(self.schedule)
        require_clock(schedule, "time")
        if not schedule.integrable:
            raise ValueError(
                f'solver="limit" needs a penalty with a finite integral, got {schedule!r}: write '
                f'schedules.SwitchedOff({schedule!r}, at=10.0), or solver="descent"'
            )
        return float(schedule.integral(0, np.inf))

    def _network(self, d: int) -> Hadamard | Power:
        check_integer("depth", self.depth, least=2)
        if self.log_scale is not None:
            log_b = as_real_array("log_scale", self.log_scale)
        else:
            scale = as_real_array("scale", _SCALE if self.scale is None else self.scale)
            if not (scale > 0).all():
                raise ValueError(f"scale must be positive, got {scale.min():g}: write log_scale= for a very small one")
            log_b = np.log(scale)
        if log_b.shape not in ((), (d,)):
            raise ValueError(
                f"a scale must be one number, or one for each of the {d} features, got shape {log_b.shape}: write "
                "scale=1e-6"
            )
        if self.depth == 2:
            return Hadamard.from_scale(log_b=log_b, d=d)
        return Power.from_scale(log_alpha=0.5 * (log_b - np.log(2)), depth=self.depth, d=d)

    def _stable_step(self, problem: Problem, network: Hadamard | Power, schedule: Schedule) -> float:
        penalty = max(schedule(t) for t in (0.0, *schedule.breakpoints))
        if self.batch_size is None:
            problem, _ = problem.reduced()
        step = 0.5 * largest_stable_step(problem, network, self.momentum, self.batch_size, penalty=penalty)
        if self.batch_size is None:  # on the way velocity piles up
            step *= (1 - self.momentum) / (1 + self.momentum)
        return step if np.isfinite(step) else 1.0


class _Fit(NamedTuple):
    """The coefficients for one target, what the solver returned, and whether it counted its steps."""

    coef: Array
    intercept: float
    solved: Any
    counted: bool


def _advice(solved: Any) -> str:
    """Return the advice of a status in the estimator's terms."""
    if solved.status is Status.horizon_reached:
        return 'MirrorRegressor has max_iter=, tol= and solver="limit" for these.'
    if solved.status is Status.diverged:
        return "step_size=None chooses one that is."
    return f"The certificate_ is {solved.certificate}."
