"""Where problems come from: random designs, bundled real data, files."""

import csv
import math
import zipfile
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from linreg_mirror._arguments import as_real_array, check_integer, check_number, check_rng
from linreg_mirror.losses import Array
from linreg_mirror.matrix_instances import matrix_sensing, multi_output
from linreg_mirror.problem import Problem

__all__ = [
    "breast_cancer",
    "coherent",
    "correlated",
    "diabetes",
    "duplicated",
    "from_file",
    "ill_conditioned",
    "matrix_sensing",
    "multi_output",
    "planted_sparse",
]


def planted_sparse(*, n: int, d: int, nonzeros: int, rng: np.random.Generator, noise: float = 0.0) -> Problem:
    """Return a standard normal design with y = X truth + noise, the setting of Mask in the Mirror's experiment.

    Parameters
    ----------
    n, d : int
        Samples and features.
    nonzeros : int
        Number of nonzero coefficients in the truth, of random signs and sizes uniform in [1, 2].
    rng : numpy.random.Generator
        Source of all randomness.
    noise : float
        Standard deviation of the noise in y. The rest of the problem does not depend on it.

    Returns
    -------
    Problem
        With X of shape (n, d), y (n,) and truth (d,).

    Raises
    ------
    ValueError
        If n or d is not a positive integer, nonzeros is not in 0..d, or the noise is negative or not finite.
    TypeError
        If `rng` is no Generator.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.instances.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
    >>> problem.X.shape, int((problem.truth != 0).sum())
    ((40, 100), 5)
    """
    _check(n, d, nonzeros, rng, noise)
    return _observed(rng.standard_normal((n, d)), _truth(d, nonzeros, rng), rng, noise)


def correlated(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, rho: float = 0.9, noise: float = 0.0
) -> Problem:
    """Return a design whose rows are normal with covariance rho^|i-j| between features i and j.

    Parameters
    ----------
    n, d, nonzeros, rng
        As in `planted_sparse`.
    rho : float
        Correlation of neighbouring features, -1 < rho < 1.
    noise
        As in `planted_sparse`.

    Returns
    -------
    Problem
        With the squared loss; `truth` is known.

    Raises
    ------
    ValueError, TypeError
        As in `planted_sparse`, and if rho is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> lm.instances.correlated(n=40, d=100, nonzeros=5, rho=0.5, rng=np.random.default_rng(0)).X.shape
    (40, 100)
    """
    _check(n, d, nonzeros, rng, noise)
    check_number("rho", rho)
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho!r}: write rho=0.9, or duplicated() for 1")
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + math.sqrt(1 - rho**2) * X[:, j]
    return _observed(X, _truth(d, nonzeros, rng), rng, noise)


def coherent(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, coherence: float = 0.9, noise: float = 0.0
) -> Problem:
    """Return a design whose columns share one direction, so that any two have a correlation of about `coherence`.

    Parameters
    ----------
    n, d, nonzeros, rng
        As in `planted_sparse`.
    coherence : float
        Expected product of two columns, relative to that of a column with itself, 0 <= coherence < 1.
    noise
        As in `planted_sparse`.

    Returns
    -------
    Problem
        With the squared loss; `truth` is known.

    Raises
    ------
    ValueError, TypeError
        As in `planted_sparse`, and if the coherence is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> lm.instances.coherent(n=40, d=100, nonzeros=5, coherence=0.5, rng=np.random.default_rng(0)).X.shape
    (40, 100)
    """
    _check(n, d, nonzeros, rng, noise)
    check_number("coherence", coherence)
    if not 0 <= coherence < 1:
        raise ValueError(f"coherence must lie in [0, 1), got {coherence!r}: write coherence=0.9, or duplicated() for 1")
    own, shared = rng.standard_normal((n, d)), rng.standard_normal((n, 1))
    X = math.sqrt(1 - coherence) * own + math.sqrt(coherence) * shared
    return _observed(X, _truth(d, nonzeros, rng), rng, noise)


def duplicated(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, copies: int = 2, noise: float = 0.0
) -> Problem:
    """Return a standard normal design whose last `copies` columns are copies of others; solutions are not unique.

    Column d - copies + k is a copy of the k-th original, counting those of the support first, each group from left to
    right; every second copy, beginning with the second, has its sign changed. The truth is zero on copies.

    Parameters
    ----------
    n, d, nonzeros, rng
        As in `planted_sparse`.
    copies : int
        How many, at most one for each original: 1..d//2.
    noise
        As in `planted_sparse`.

    Returns
    -------
    Problem
        With the squared loss; `truth` is known.

    Raises
    ------
    ValueError, TypeError
        As in `planted_sparse`, and if there are too many copies, or too few originals for the nonzero coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.instances.duplicated(n=8, d=20, nonzeros=3, copies=2, rng=np.random.default_rng(0))
    >>> len(np.unique(abs(problem.X), axis=1).T)
    18
    >>> lm.minimum_l1(problem).unique
    False
    """
    _check(n, d, nonzeros, rng, noise)
    check_integer("d", d, 2)
    check_integer("copies", copies, 1, d // 2)
    originals = d - copies
    if nonzeros > originals:
        raise ValueError(
            f"nonzeros = {nonzeros} exceeds the {originals} features that are no copies: write "
            f"d={nonzeros + copies} or more"
        )
    X = rng.standard_normal((n, originals))
    truth = _truth(originals, nonzeros, rng)
    copied = np.argsort(truth == 0, kind="stable")[:copies]
    signs = np.where(np.arange(copies) % 2, -1.0, 1.0)
    return _observed(np.hstack([X, X[:, copied] * signs]), np.pad(truth, (0, copies)), rng, noise)


def ill_conditioned(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, condition: float = 1e4, noise: float = 0.0
) -> Problem:
    """Return a design with uniformly random singular vectors and singular values falling geometrically.

    Parameters
    ----------
    n, d, nonzeros, rng
        As in `planted_sparse`.
    condition : float
        Largest singular value, sqrt(d), over the smallest, >= 1. With n = 1 or d = 1 there is only the largest.
    noise
        As in `planted_sparse`.

    Returns
    -------
    Problem
        With the squared loss; `truth` is known.

    Raises
    ------
    ValueError, TypeError
        As in `planted_sparse`, and if the condition is below 1 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.instances.ill_conditioned(n=8, d=20, nonzeros=3, condition=100.0, rng=np.random.default_rng(0))
    >>> round(float(np.linalg.cond(problem.X)), 6)
    100.0
    """
    _check(n, d, nonzeros, rng, noise)
    check_number("condition", condition)
    if not 1 <= condition < np.inf:
        raise ValueError(f"condition must be a finite number >= 1, got {condition!r}: write condition=1e4")
    left, _, right = np.linalg.svd(rng.standard_normal((n, d)), full_matrices=False)
    values = math.sqrt(d) * np.geomspace(1.0, 1.0 / condition, min(n, d))
    return _observed(left * values @ right, _truth(d, nonzeros, rng), rng, noise)


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
    >>> problem = lm.instances.diabetes(degree=2, rows=30, rng=np.random.default_rng(0))
    >>> problem.n, problem.d
    (30, 65)
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return _polynomial("diabetes", np.asarray(X), np.asarray(y), degree, rows, rng)


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
    >>> problem = lm.instances.breast_cancer(degree=1, rows=20, rng=np.random.default_rng(0))
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


def from_file(path: str | Path, y_path: str | Path | None = None) -> Problem:
    """Read a problem from an npz file with arrays X and y, or from two CSV files.

    Parameters
    ----------
    path : path
        An .npz file; or, with any other ending, the CSV file of X: one sample a line, cells separated by commas. A
        first line without any number in it is taken for a header; empty lines are skipped.
    y_path : path, optional
        The CSV file of y, in one column or one line; needed with CSV, refused with npz.

    Returns
    -------
    Problem
        With the squared loss; `truth` is not known.

    Raises
    ------
    ValueError
        If arrays are missing, an entry is no finite number (naming line and column in CSV), or shapes do not fit.
    OSError
        If a file cannot be read.

    Notes
    -----
    Nothing is unpickled. y may also be a matrix of one column or one row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "data.npz", X=[[1.0, 2.0]], y=[2.0])
    ...     problem = lm.instances.from_file(Path(folder) / "data.npz")
    >>> problem.n, problem.d
    (1, 2)
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        if y_path is not None:
            raise ValueError(f"an .npz file holds both X and y, got {path} and {y_path}: leave the second out")
        X, y = _read_npz(path)
    else:
        if y_path is None:
            raise ValueError(
                f"{path} is read as CSV, because it does not end in .npz, and holds X alone: name the CSV file of y too"
            )
        X, y = _read_csv(path), _read_csv(Path(y_path))
    if y.ndim == 2 and 1 in y.shape:
        y = y.ravel()
    try:
        return Problem(as_real_array("X", X), as_real_array("y", y))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path if y_path is None else f'{path} and {y_path}'}: {error}") from None


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # NumPy would take it for a pickle, and complain of that
            raise ValueError(f"{path} is not an npz file, or a damaged one: write np.savez(path, X=X, y=y)")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                if not {"X", "y"} <= set(archive.files):
                    raise ValueError(f"it holds {', '.join(archive.files) or 'nothing'}, arrays X and y are expected")
                return np.asarray(archive["X"]), np.asarray(archive["y"])
        except Exception as error:  # a damaged archive raises whatever zipfile, zlib or NumPy's parser stumble over
            raise ValueError(
                f"{path} does not hold a problem: {error}; write np.savez(path, X=X, y=y) with arrays of numbers"
            ) from None


def _read_csv(path: Path) -> Array:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file ({error}): cells separated by commas are expected") from None
    if lines and not any(map(_is_number, lines[0][1])):
        lines = lines[1:]  # a header
    if not lines:
        raise ValueError(f"{path} holds no numbers: one sample a line, cells separated by commas, is expected")
    first, width = lines[0][0], len(lines[0][1])
    X = np.empty((len(lines), width))
    for i, (line, cells) in enumerate(lines):
        if len(cells) != width:
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells, but {width} in line {first}: give all lines as many"
            )
        for j, cell in enumerate(cells):
            if not (_is_number(cell) and math.isfinite(float(cell))):
                raise ValueError(
                    f"{path}, line {line}, column {j + 1}: {cell.strip()[:40]!r} is not a finite number; write "
                    "numbers like -1.5e3, separated by commas"
                )
            X[i, j] = float(cell)
    return X


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check(n: Any, d: Any, nonzeros: Any, rng: Any, noise: float) -> None:
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    check_integer("nonzeros", nonzeros, 0, d)
    check_rng(rng)
    check_number("noise", noise)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is a standard deviation, finite and >= 0, got {noise!r}: write noise=0.0 for none")


def _truth(d: int, nonzeros: int, rng: np.random.Generator) -> Array:
    truth = np.zeros(d)
    support = rng.choice(d, nonzeros, replace=False)
    truth[support] = rng.uniform(1, 2, nonzeros) * rng.choice([-1.0, 1.0], nonzeros)
    return truth


def _observed(X: Array, truth: Array, rng: np.random.Generator, noise: float) -> Problem:
    return Problem(X, X @ truth + noise * rng.standard_normal(len(X)), truth=truth)


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
