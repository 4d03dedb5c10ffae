"""Problems made of data sets that come with scikit-learn."""

import math
from itertools import count

import numpy as np

from linreg_mirror._tools.arguments import check_integer, check_rng
from linreg_mirror._tools.cites import cites
from linreg_mirror._types import Array
from linreg_mirror.problems.problem import Problem


@cites("pedregosa2011scikit")
def diabetes(*, degree: int = 2, rows: int | None = None, rng: np.random.Generator | None = None) -> Problem:
    """Return scikit-learn's diabetes data with polynomial features: ten measurements, a year's progression.

    Parameters
    ----------
    degree : int
        Of the polynomials: 65 features at degree 2, 285 at 3, 1000 at 4.
    rows : int, optional
        How many of the 442 patients, drawn by `rng`. Default: all, for which degree 4 is needed.
    rng : numpy.random.Generator, optional
        Needed for `rows`.

    Returns
    -------
    Problem
        With more features than rows, and no truth.

    Raises
    ------
    ValueError
        If there are not more features than rows, or an argument is out of range.
    TypeError
        If `rng` is neither None nor a Generator.

    Notes
    -----
    After rows are drawn, measurements are standardised (constant ones dropped) and multiplied out. Features that are
    zero throughout are dropped, the others scaled to norm sqrt(rows). Features are not centred: X keeps its full row
    rank, and Xx = y its solutions. y is centred and scaled to standard deviation 1.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.problems.diabetes(degree=2, rows=30, rng=np.random.default_rng(0))
    >>> problem.n, problem.d
    (30, 65)
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return _polynomial("diabetes", np.asarray(X), np.asarray(y), degree, rows, rng)


@cites("pedregosa2011scikit")
def breast_cancer(
    *, degree: int = 2, rows: int | None = None, features: int | None = None, rng: np.random.Generator | None = None
) -> Problem:
    """Return scikit-learn's breast-cancer data with polynomial features: thirty measurements, benign or malignant.

    Parameters
    ----------
    degree : int
        Of the polynomials: 495 features at degree 2, 5455 at 3.
    rows : int, optional
        How many of the 569 tumours, drawn by `rng`. Default: all, for which degree 3 is needed.
    features : int, optional
        Use the first so many of the 30 measurements. Default: all.
    rng : numpy.random.Generator, optional
        Needed for `rows`.

    Returns
    -------
    Problem
        With more features than rows, and no truth. y has two values, the positive one for benign.

    Raises
    ------
    ValueError
        If there are not more features than rows, or an argument is out of range.
    TypeError
        If `rng` is neither None nor a Generator.

    Notes
    -----
    Scaled as in `diabetes`, labels -1 and 1 included.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.problems.breast_cancer(degree=1, rows=20, rng=np.random.default_rng(0))
    >>> problem.n, problem.d
    (20, 30)
    """
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    X, labels = np.asarray(X), 2.0 * np.asarray(y) - 1
    if features is not None:
        check_integer("features", features, 1, X.shape[1])
        X = X[:, :features]
    return _polynomial("breast_cancer", X, labels, degree, rows, rng)


def _polynomial(
    name: str, X: Array, y: Array, degree: int, rows: int | None, rng: np.random.Generator | None
) -> Problem:
    from sklearn.preprocessing import PolynomialFeatures

    check_integer("degree", degree, 1)
    if rows is not None:
        check_integer("rows", rows, 2, len(y))
        if rng is None:
            raise ValueError(f"rows are drawn at random: write {name}(rows={rows}, rng=np.random.default_rng(0))")
        check_rng(rng)
        chosen = np.sort(rng.choice(len(y), rows, replace=False))
        X, y = X[chosen], y[chosen]
    X = X[:, np.ptp(X, axis=0) > 0]  # not by the standard deviation, which rounding may leave a little above 0
    measurements = X.shape[1]
    X = PolynomialFeatures(degree, include_bias=False).fit_transform((X - X.mean(axis=0)) / X.std(axis=0))
    size = np.sqrt((X**2).mean(axis=0))
    X = X[:, size > 0] / size[size > 0]
    n, d = X.shape
    if d <= n:
        enough = next(k for k in count(degree + 1) if math.comb(measurements + k, k) > n + 1)
        fewer = f", or rows={d // 2}, rng=np.random.default_rng(0)" if d >= 4 else ""
        raise ValueError(
            f"{name} has {d} features of degree {degree} for {n} rows, but more features than rows are needed: write "
            f"degree={enough}{fewer}"
        )
    return Problem(X, (y - y.mean()) / (y.std() or 1.0))
