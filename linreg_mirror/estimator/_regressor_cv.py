"""How far to follow which flow: scale and stopping time by cross-validation."""

import warnings
from typing import Any, Literal, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv

from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._types import Array
from linreg_mirror.estimator.data import LinearRegressor, checked
from linreg_mirror.estimator.paths import Candidate, Standardised
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.lasso import lasso

_SCALES = (1e-1, 1e-2, 1e-4, 1e-8)
_FINAL = 1e-6  # accuracy of the path that is kept
_PATHS = {"flow": (True, False), "lasso": (False, True), "both": (True, True)}


class MirrorRegressorCV(LinearRegressor):
    """Least squares by a mirror flow that is stopped early, its scale and stopping time chosen by cross-validation.

    Where y is noisy, an interpolator such as `MirrorRegressor` predicts badly. The flow from a large scale that is
    stopped early is about as good as ridge regression, from a small one as the LASSO. One flow has all stopping times,
    so that a scale costs one path a fold. Coefficients of a stopped flow are small, but not zero; those of
    `path="lasso"` are exactly zero where the LASSO's are.

    Parameters
    ----------
    scales : array_like, shape (n_scales,), optional
        Scales b > 0 among which is chosen, for standardised features and y of length 1. Default: 1e-1,
        1e-2, 1e-4 and 1e-8.
    depth : int or sequence of int
        2 for x = m*w, D >= 3 for x = p^D - q^D, or several to choose from. Paths of depth 3 take ten times as long.
    path : {"flow", "lasso", "both"}
        What regularises: the stopping time of a flow without penalty; a constant penalty alpha that the flow follows to
        its end, which at any scale is the LASSO of weight 2 alpha; or the better of both.
    n_points : int
        How many stopping times a flow has, and how many penalties the LASSO.
    cv : int, splitter or iterable, optional
        As in scikit-learn: default 5 folds, not shuffled.
    one_standard_error : bool
        Whether to choose, of the path with the least error, the most regularised point within one standard error of it.
    average : bool
        Whether `coef_` is the mean over all paths, each at the point that is chosen on it, in place of the one of least
        error. It predicts better where folds cannot tell scales apart (:doc:`/benchmarks`), for as many more paths on
        all data.
    standardize : bool
        Whether features count in units of their standard deviation. `coef_` is in the units of X all the same.
    fit_intercept : bool
        Whether to centre the data, so that the intercept fits best at all times and is not penalised.

    Attributes
    ----------
    coef_ : array, shape (n_features,)
        Coefficients, in the units of X. A feature that is constant has 0. All below but `intercept_` is about the path
        of least error, also where `coef_` is a mean over paths.
    intercept_ : float
        0.0 without `fit_intercept`.
    coef_path_ : array, shape (n_points, n_features)
        Those of the path that was chosen, on all data.
    grid_ : array, shape (n_points,)
        Its stopping times, or penalties; both count for the loss |Ax - c|^2/2, A with columns and c of length 1.
    scale_ : float
        The scale that was chosen; 0.0 if it is the LASSO. It is of standardised features and y of length 1, and no
        `scale` for `MirrorRegressor`, which takes X and y as they are.
    depth_ : int
        The depth that was chosen.
    time_ : float
        The stopping time; inf for the LASSO, which is the end of a flow.
    penalty_ : float
        The constant penalty alpha; 0.0 for a flow.
    lasso_alpha_ : float
        The `alpha` at which scikit-learn's Lasso has the same coefficients on features scaled by `StandardScaler`,
        2 `penalty_` times the standard deviation of y. Without `standardize` it is that on X. 0.0 for a flow.
    cv_errors_ : array, shape (n_candidates, n_points, n_folds)
        Mean squared errors of prediction.
    cv_mean_ : array, shape (n_candidates, n_points)
        Their mean over folds, which count by the mean weight of their samples.
    candidates_ : tuple of Candidate
        Scale and depth of each path.
    grids_ : array, shape (n_candidates, n_points)
        Stopping times of each path, or penalties.
    best_ : tuple of int
        The chosen candidate, and its point.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str, shape (n_features_in_,)
        Where X had names, all of them strings.

    See Also
    --------
    MirrorRegressor : Follows the flow to its end.
    linreg_mirror.flow, linreg_mirror.lasso : The solvers.

    Notes
    -----
    Ali, Kolter and Tibshirani (arXiv 1810.10082) for early stopping as ridge regression, which is the large scale;
    Vaskevicius, Kanade and Rebeschini (arXiv 1909.05122) for x = u^2 - v^2 stopped early as sparse regression, which is
    the small one. A sparse X is made dense. For several targets write
    `sklearn.multioutput.MultiOutputRegressor(MirrorRegressorCV())`.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import MirrorRegressor, MirrorRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((250, 100))
    >>> y = 3 * X[:, 7] - 2 * X[:, 30] + 2 * rng.standard_normal(250)
    >>> stopped = MirrorRegressorCV().fit(X[:50], y[:50])
    >>> interpolating = MirrorRegressor().fit(X[:50], y[:50])
    >>> stopped.score(X[50:], y[50:]) > interpolating.score(X[50:], y[50:])
    True
    """

    def __init__(
        self,
        *,
        scales: Any = None,
        depth: Any = 2,
        path: Literal["flow", "lasso", "both"] = "flow",
        n_points: int = 40,
        cv: Any = None,
        one_standard_error: bool = False,
        average: bool = False,
        standardize: bool = True,
        fit_intercept: bool = True,
    ) -> None:
        self.scales = scales
        self.depth = depth
        self.path = path
        self.n_points = n_points
        self.cv = cv
        self.one_standard_error = one_standard_error
        self.average = average
        self.standardize = standardize
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose a path and a point on it, and fit the coefficients there.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n_samples, n_features)
            Samples in rows.
        y : array_like, shape (n_samples,)
            Targets.
        sample_weight : array_like, shape (n_samples,), optional
            Weights >= 0 of squared residuals, in fits and in errors of prediction.

        Returns
        -------
        self
            This one.

        Raises
        ------
        ValueError
            If the data are not finite, do not match, or a parameter is out of range.
        TypeError
            If a parameter is of the wrong type.

        Warns
        -----
        ConvergenceWarning
            If a flow did not get to the last of its stopping times.
        """
        candidates = self._candidates()
        X, y, weights = checked(self, X, y, sample_weight)
        data = self._standardised(X, y, weights, slice(None))
        grids = [candidate.grid(data.steepest, self.n_points) for candidate in candidates]
        errors, counts, ends = [], [], set()
        for train, test in check_cv(self.cv).split(X, y):  # pyright: ignore[reportAttributeAccessIssue]
            share = np.ones(len(test)) if weights is None else weights[test]
            if not share.any() or not (weights is None or weights[train].any()):
                continue  # a fold that does not count
            fold = self._standardised(X, y, weights, train)
            found = [fold.path(candidate, grid) for candidate, grid in zip(candidates, grids, strict=True)]
            ends |= {end for _, end in found}
            errors.append([_errors(fold, x, X[test], y[test], share) for x, _ in found])
            counts.append(share.sum() / len(share))
        if not errors:
            raise ValueError("no fold has samples of positive weight to fit and to predict: give fewer folds, cv=2")
        self.cv_errors_ = np.moveaxis(np.array(errors), 0, -1)
        self.cv_mean_ = self.cv_errors_ @ (np.array(counts) / np.sum(counts))
        self.candidates_, self.grids_ = candidates, np.array(grids)
        which = int(np.argmin(self.cv_mean_.min(axis=1)))
        point = self._point(which)
        self.best_, chosen = (which, point), candidates[which]
        self.scale_, self.depth_, self.grid_ = chosen.scale, chosen.depth, grids[which]
        self.coef_path_, end = data.path(chosen, self.grid_, _FINAL)
        ends.add(end)
        self.time_, self.penalty_ = (
            (float(self.grid_[point]), 0.0) if chosen.scale else (np.inf, float(self.grid_[point]))
        )
        self.lasso_alpha_ = self.penalty_ * data.lasso_unit
        self.coef_ = self._at(data, which, point)
        if self.average:
            others = [self._at(data, k, self._point(k)) for k in range(len(candidates)) if k != which]
            self.coef_ = np.mean([self.coef_, *others], axis=0)
        self.intercept_ = float(data.intercept(self.coef_))
        for one in ends - {Status.until_reached}:
            warnings.warn(f"a flow was not followed to its last stopping time: {one}", ConvergenceWarning, stacklevel=2)
        return self

    def plot(self, **options: Any) -> Any:
        """Draw the errors of prediction along all paths; a short form of `linreg_mirror.plots.validation`.

        Parameters
        ----------
        **options
            Those of `linreg_mirror.plots.validation`, such as `ax`.

        Returns
        -------
        Axes
            With the picture.
        """
        from linreg_mirror.plots import validation

        return validation(self, **options)

    def _candidates(self) -> tuple[Candidate, ...]:
        if self.path not in _PATHS:
            raise ValueError(f"path must be {', '.join(map(repr, _PATHS))}, got {self.path!r}")
        for name in ("one_standard_error", "average", "standardize", "fit_intercept"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        check_integer("n_points", self.n_points, least=2)
        scales = np.ravel(as_real_array("scales", _SCALES if self.scales is None else self.scales))
        if not (scales.size and (scales > 0).all()):
            raise ValueError(f"scales must be positive, got {self.scales!r}: write scales=[0.1, 1e-3, 1e-6]")
        depths = list(self.depth) if np.iterable(self.depth) else [self.depth]
        for depth in depths:
            check_integer("depth", depth, least=2)
        flows, penalties = _PATHS[self.path]
        found = [Candidate(float(scale), int(depth)) for depth in depths for scale in scales] if flows else []
        return (*found, *([Candidate(0.0)] if penalties else []))

    def _standardised(self, X: Any, y: Array, weights: Array | None, rows: Any) -> Standardised:
        share = None if weights is None else weights[rows]
        return Standardised.of(X[rows], y[rows], share, bool(self.fit_intercept), bool(self.standardize))

    def _point(self, which: int) -> int:
        """Return the point that is chosen on a path."""
        mean, folds = self.cv_mean_[which], self.cv_errors_.shape[-1]
        point = int(np.argmin(mean))
        if self.one_standard_error and folds > 1:
            spread = float(np.std(self.cv_errors_[which, point], ddof=1) / np.sqrt(folds))
            point = int(np.argmax(mean <= mean[point] + spread))  # the first
        return point

    def _at(self, data: Standardised, which: int, point: int) -> Array:
        """Return coefficients of all data at a point of a path."""
        candidate, at = self.candidates_[which], float(self.grids_[which, point])
        if not candidate.scale and data.steepest:
            return lasso(Problem(data.A, data.c), 2 * at).x * data.unit
        if which == self.best_[0]:
            return self.coef_path_[point]
        return data.path(candidate, np.array([at]), _FINAL)[0][0]


def _errors(data: Standardised, path: Array, X: Any, y: Array, weights: Array) -> Array:
    """Return mean squared errors of prediction, one for each point of a path."""
    predicted = X @ path.T + data.intercept(path)
    return np.average((predicted - y[:, None]) ** 2, axis=0, weights=weights)
