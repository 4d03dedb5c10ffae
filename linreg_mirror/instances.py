"""Where problems come from: random designs, bundled real data, files."""

from pathlib import Path
from typing import Any

import numpy as np

from linreg_mirror.losses import Array
from linreg_mirror.problem import Problem, as_real_array


def planted_sparse(*, n: int, d: int, nonzeros: int, rng: np.random.Generator, noise: float = 0.0) -> Problem:
    """Return a standard normal design with y = X truth + noise, the setting of Mask in the Mirror's experiment.

    Parameters
    ----------
    n, d : int
        Samples and features.
    nonzeros : int
        Number of nonzero coefficients, with random signs and sizes uniform in [1, 2].
    rng : numpy.random.Generator
        Source of all randomness.
    noise : float
        Standard deviation of the noise in y.

    Raises
    ------
    ValueError
        If a size does not make sense.
    """
    _check_sizes(n, d, nonzeros)
    return _planted(rng.standard_normal((n, d)), nonzeros, rng, noise)


def correlated(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, rho: float = 0.9, noise: float = 0.0
) -> Problem:
    """Return a design with normal rows of covariance rho^|i-j|; other parameters as in `planted_sparse`."""
    _check_sizes(n, d, nonzeros)
    if not -1 < rho < 1:
        raise ValueError(f"rho must lie between -1 and 1, got {rho!r}: write rho=0.9")
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    return _planted(X, nonzeros, rng, noise)


def coherent(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, coherence: float = 0.9, noise: float = 0.0
) -> Problem:
    """Return a design whose columns share one direction, so that any two are correlated by about `coherence`."""
    _check_sizes(n, d, nonzeros)
    if not 0 <= coherence < 1:
        raise ValueError(f"coherence must lie in [0, 1), got {coherence!r}: write coherence=0.9")
    X = np.sqrt(1 - coherence) * rng.standard_normal((n, d)) + np.sqrt(coherence) * rng.standard_normal((n, 1))
    return _planted(X, nonzeros, rng, noise)


def duplicated(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, copies: int = 1, noise: float = 0.0
) -> Problem:
    """Return a normal design whose last `copies` columns repeat others, those of the support first.

    Every second copy has its sign changed. y is made from the originals alone; solutions are not unique.
    """
    _check_sizes(n, d, nonzeros)
    if not 1 <= copies <= d // 2:
        raise ValueError(f"copies must lie in 1..{d // 2}, half the features, got {copies!r}")
    if nonzeros > d - copies:
        raise ValueError(f"{nonzeros} nonzero coefficients do not fit beside {copies} copies in {d} features")
    originals = _planted(rng.standard_normal((n, d - copies)), nonzeros, rng, noise)
    truth = originals.truth
    assert truth is not None
    order = np.argsort(truth == 0, kind="stable")[:copies]
    signs = np.where(np.arange(copies) % 2, -1.0, 1.0)
    X = np.hstack([originals.X, originals.X[:, order] * signs])
    return Problem(X, originals.y, truth=np.concatenate([truth, np.zeros(copies)]))


def ill_conditioned(
    *, n: int, d: int, nonzeros: int, rng: np.random.Generator, condition: float = 1e4, noise: float = 0.0
) -> Problem:
    """Return a design with random singular vectors and singular values from sqrt(d) down to sqrt(d)/condition."""
    _check_sizes(n, d, nonzeros)
    if not condition >= 1:
        raise ValueError(f"condition must be at least 1, got {condition!r}: write condition=1e4")
    left, _, right = np.linalg.svd(rng.standard_normal((n, d)), full_matrices=False)
    values = np.sqrt(d) * np.geomspace(1.0, 1.0 / condition, min(n, d))
    return _planted(left * values @ right, nonzeros, rng, noise)


def diabetes(*, degree: int = 2, rows: int | None = None, rng: np.random.Generator | None = None) -> Problem:
    """Return scikit-learn's diabetes data with all polynomial features, scaled.

    Parameters
    ----------
    degree : int
        Of the polynomials in the ten measurements: 65 features at degree 2, 285 at 3, 1000 at 4.
    rows : int, optional
        How many of the 442 patients, drawn by `rng`. Default: all.
    rng : numpy.random.Generator, optional
        Needed for `rows`.

    Raises
    ------
    ValueError
        If there are not more features than rows.

    Notes
    -----
    Measurements are standardised, then multiplied out; every feature is divided by its root mean square and y by its
    standard deviation. Features are not centred: that would cost X a rank, and Xx = y its solution.
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return _polynomial("diabetes", np.asarray(X), np.asarray(y, float), degree, rows, rng)


def breast_cancer(
    *, degree: int = 2, rows: int | None = None, features: int | None = None, rng: np.random.Generator | None = None
) -> Problem:
    """Return scikit-learn's breast-cancer data (labels -1 and 1) with all polynomial features, scaled.

    Parameters
    ----------
    degree : int
        Of the polynomials: 495 features at degree 2.
    rows : int, optional
        How many of the 569 patients, drawn by `rng`. Default: all.
    features : int, optional
        Use the first so many of the 30 measurements.
    rng : numpy.random.Generator, optional
        Needed for `rows`.

    Raises
    ------
    ValueError
        If there are not more features than rows.

    Notes
    -----
    Scaling as in `diabetes`.
    """
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return _polynomial("breast_cancer", np.asarray(X)[:, :features], 2.0 * np.asarray(y) - 1, degree, rows, rng)


def from_file(path: str | Path, y_path: str | Path | None = None) -> Problem:
    """Read a problem from an npz file with arrays X and y, or from two CSV files.

    Parameters
    ----------
    path : path
        .npz, or the CSV file of X: one sample a line, comma separated, a header line allowed.
    y_path : path, optional
        The CSV file of y, one number a line; needed with CSV, refused with npz.

    Raises
    ------
    ValueError
        If arrays are missing, an entry is no number (naming line and column), or shapes do not fit.
    OSError
        If a file cannot be read.

    Notes
    -----
    Nothing is unpickled.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if y_path is not None:
            raise ValueError(f"{path} holds X and y; leave {y_path} out")
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = [name for name in ("X", "y") if name not in archive]
                if missing:
                    raise ValueError(
                        f"{path} must hold arrays X and y, it holds {', '.join(archive) or 'none'}: write "
                        "np.savez(path, X=X, y=y)"
                    )
                X, y = archive["X"], archive["y"]
        except (ValueError, OSError, EOFError) as error:
            if isinstance(error, FileNotFoundError) or "must hold" in str(error):
                raise
            raise ValueError(f"{path} is not a readable npz file of numbers: {error}") from None
        except Exception as error:  # zipfile and zlib have their own exceptions for damaged archives
            raise ValueError(f"{path} is not a readable npz file of numbers: {error}") from None
        return Problem(as_real_array("X", X), as_real_array("y", y))
    if y_path is None:
        raise ValueError(f"{path} is read as CSV and holds X alone: name the CSV file of y too, or give an .npz file")
    return Problem(_read_csv(path), np.ravel(_read_csv(Path(y_path))))


def _read_csv(path: Path) -> Array:
    try:
        lines = [line for line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1) if line[1].strip()]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file; CSV or .npz is expected") from None
    rows = [(number, line.split(",")) for number, line in lines]
    if rows and not all(map(_is_number, rows[0][1])):
        rows = rows[1:]  # a header
    if not rows:
        raise ValueError(f"{path} holds no numbers: one sample a line, comma separated, is expected")
    for number, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise ValueError(f"{path}, line {number}: {len(cells)} cells, {len(rows[0][1])} in the lines before")
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                raise ValueError(f"{path}, line {number}, column {column}: {cell.strip()!r} is not a number")
    return np.array([[float(cell) for cell in cells] for _, cells in rows])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_sizes(n: Any, d: Any, nonzeros: Any) -> None:
    for name, value, least in (("n", n, 1), ("d", d, 1), ("nonzeros", nonzeros, 0)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    if nonzeros > d:
        raise ValueError(f"nonzeros = {nonzeros} exceeds the {d} features: lower nonzeros or raise d")


def _planted(X: Array, nonzeros: int, rng: np.random.Generator, noise: float) -> Problem:
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise must be a finite number >= 0, got {noise!r}")
    n, d = X.shape
    truth = np.zeros(d)
    support = rng.choice(d, nonzeros, replace=False)
    truth[support] = rng.uniform(1, 2, nonzeros) * rng.choice([-1.0, 1.0], nonzeros)
    return Problem(X, X @ truth + noise * rng.standard_normal(n), truth=truth)


def _polynomial(
    name: str, X: Array, y: Array, degree: int, rows: int | None, rng: np.random.Generator | None
) -> Problem:
    from sklearn.preprocessing import PolynomialFeatures

    if rows is not None:
        if rng is None:
            raise ValueError(f"rows are drawn at random: write {name}(rows={rows}, rng=np.random.default_rng(0))")
        if not 2 <= rows <= len(y):
            raise ValueError(f"rows must lie in 2..{len(y)}, got {rows!r}")
        chosen = np.sort(rng.choice(len(y), rows, replace=False))
        X, y = X[chosen], y[chosen]
    spread = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    X = PolynomialFeatures(degree, include_bias=False).fit_transform(X)
    size = np.sqrt((X**2).mean(axis=0))
    X = X[:, size > 0] / size[size > 0]
    n, d = X.shape
    if d <= n:
        raise ValueError(
            f"{name} with degree {degree} has {d} features for {n} rows, and more features than rows are needed: write "
            f"degree={degree + 1}, or rows={d // 2} with rng=..."
        )
    return Problem(X, y / (y.std() or 1.0))
