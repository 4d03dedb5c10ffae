"""What estimators have in common: data are checked, and written without an intercept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import validation as sk

from linreg_mirror._tools.centring import centred, contracted, reflected
from linreg_mirror._types import Array
from linreg_mirror.estimator import slips

_SMALL, _LARGE = 10**7, 25 * 10**7  # entries of a sparse X up to which it is made dense at once, and at all
Form = Callable[[Any, Array, Array | None], tuple[Any, Array, Array, float]]


class LinearRegressor(RegressorMixin, BaseEstimator):
    """Predicts by `coef_` and `intercept_`."""

    coef_: Array
    intercept_: Any

    def predict(self, X: Any) -> Array:
        """Return Xx + intercept.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n_samples, n_features)
            Samples in rows.

        Returns
        -------
        array, shape (n_samples,) or (n_samples, n_targets)
            In the units of y.
        """
        sk.check_is_fitted(self)
        with slips.named(X):
            X = _validate_data(self, X, accept_sparse=("csr", "csc"), dtype=np.float64, reset=False)
        return X @ self.coef_.T + self.intercept_

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn wants to know: sparse X is accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def checked(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    """Return X, y and weights as float64, or raise what is wrong with them.

    Parameters
    ----------
    estimator : LinearRegressor
        Learns the number and the names of features.
    X, y, sample_weight
        As `fit` was given them.
    """
    if said := slips.exchanged(X, y):
        raise ValueError(said)
    several = estimator.__sklearn_tags__().target_tags.multi_output
    if not several and len(slips.shape(y)) == 2 and slips.shape(y)[1] > 1:
        name = type(estimator).__name__
        raise ValueError(
            f"{name} fits one target, got y of shape {slips.shape(y)}: write MultiOutputRegressor({name}()).fit(X, y), "
            "which is in sklearn.multioutput"
        )
    with slips.named(X, y):
        X, y = _validate_data(
            estimator, X, y, accept_sparse=("csr", "csc"), y_numeric=True, dtype=np.float64, multi_output=several
        )
        y = y.astype(np.float64)
    weights = None if sample_weight is None else sk._check_sample_weight(sample_weight, X, dtype=np.float64)
    if weights is not None and not (weights.min() >= 0 and weights.any()):
        raise ValueError(
            f"sample_weight must be >= 0 and not all zero, got {weights.min():g} to {weights.max():g}: drop the "
            "samples that do not count"
        )
    return X, y, weights


def merged(X: Any, y: Array, weights: Array | None) -> tuple[Any, Array, Array | None]:
    """Return each sample once, with the sum of its weights, in the order of their first rows; sparse X as it is.

    Copies, as of a bootstrap, would be dependent but for rounding once means are taken.

    Parameters
    ----------
    X : array or sparse matrix, shape (n, d)
        Samples in rows.
    y : array, shape (n,) or (n, targets)
        Targets: rows with the same features and other targets are other samples.
    weights : array, shape (n,), optional
        Of the samples.
    """
    if scipy.sparse.issparse(X):
        return X, y, weights
    rows = np.ascontiguousarray(np.column_stack([X, y]) + 0.0)  # 0 is added so that -0 is 0
    _, first, group = np.unique(rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel(), True, True)
    if len(first) == len(rows):
        return X, y, weights
    sums = np.bincount(group, weights)
    order = np.argsort(first)
    return X[first[order]], y[first[order]], sums[order].astype(float)


def forms(X: Any, weights: Array | None, fit_intercept: bool, solver: str, reads_entries: bool) -> list[Form]:
    """Return ways to write the data without an intercept: the first, and others to try if its answer is none."""
    if not fit_intercept:
        return [weighted]
    n, d = X.shape
    dense = centred if solver == "descent" else contracted  # batches are of samples
    samples = n if weights is None else np.count_nonzero(weights)
    if not scipy.sparse.issparse(X) or reads_entries or n * d <= _SMALL or samples < 2:
        return [dense]
    if n * d > _LARGE:
        return [reflected]
    return [reflected, dense] if n < d else [dense]


def weighted(X: Any, y: Array, weights: Array | None) -> tuple[Any, Array, Array, float]:
    """Return X and y, rows times the roots of the weights, and means that are not taken: 0."""
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    X = X if weights is None else scipy.sparse.diags_array(root) @ X
    return X, root * y, np.zeros(X.shape[1]), 0.0


def _validate_data(estimator: Any, *arguments: Any, **options: Any) -> Any:
    with np.errstate(invalid="ignore"):  # scikit-learn adds up infinities of both signs before it refuses them
        if hasattr(sk, "validate_data"):
            return sk.validate_data(estimator, *arguments, **options)
        return estimator._validate_data(*arguments, **options)  # scikit-learn 1.5
