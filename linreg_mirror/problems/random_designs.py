"""Problems with random designs and planted coefficients."""

import math
from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import check_integer, check_number, check_rng
from linreg_mirror._types import Array
from linreg_mirror.problems.problem import Problem


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
    >>> problem = lm.problems.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
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
    >>> lm.problems.correlated(n=40, d=100, nonzeros=5, rho=0.5, rng=np.random.default_rng(0)).X.shape
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
    >>> lm.problems.coherent(n=40, d=100, nonzeros=5, coherence=0.5, rng=np.random.default_rng(0)).X.shape
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
    >>> problem = lm.problems.duplicated(n=8, d=20, nonzeros=3, copies=2, rng=np.random.default_rng(0))
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
    >>> problem = lm.problems.ill_conditioned(n=8, d=20, nonzeros=3, condition=100.0, rng=np.random.default_rng(0))
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
