"""One network, solved to the end: of all coefficients that fit best, those that its flow ends at."""

import warnings
from typing import Any, Literal, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from linreg_mirror.estimator.data import LinearRegressor, checked, forms, merged
from linreg_mirror.estimator.parameters import check_parameters
from linreg_mirror.estimator.solving import Fit, advice, fits_of
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers import Status


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
        check_parameters(self)
        X, y, weights = checked(self, X, y, sample_weight)
        if self.fit_intercept and self.batch_size is None:
            X, y, weights = merged(X, y, weights)
        reads_entries = self.solver == "saddles" or self.batch_size is not None
        ways = forms(X, weights, self.fit_intercept, self.solver, reads_entries)
        targets = y[:, None] if y.ndim == 1 else y
        fits = fits_of(self, ways, X, targets, weights)
        self._keep(fits if y.ndim > 1 else fits[0])
        for fit in fits:
            if not (fit.solved.status.solved or fit.solved.status is Status.until_reached):
                said = f"{fit.solved.status}. {advice(fit.solved)}"
                warnings.warn(said, ConvergenceWarning, stacklevel=2)
        return self

    def _keep(self, fits: Fit | list[Fit]) -> None:
        """Set the attributes, of one target or of several."""
        if isinstance(fits, Fit):
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
