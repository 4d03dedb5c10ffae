"""Problems whose coefficients are a matrix: regression with several outputs, matrix sensing.

The d coefficients are the entries of the matrix, row by row, as `DeepLinear` and `Factorized` have them.
"""

import numpy as np

from linreg_mirror._tools.arguments import check_integer, check_rng
from linreg_mirror._types import Array
from linreg_mirror.problems.problem import Problem


def multi_output(*, n: int, inputs: int, outputs: int, rank: int, rng: np.random.Generator) -> Problem:
    """Return regression with several outputs, y = M z for n standard normal samples z.

    Parameters
    ----------
    n, inputs, outputs : int
        Samples, entries of z, entries of y.
    rank : int
        Rank of the truth M, which has random singular vectors and singular values uniform in [1, 2].
    rng : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    Problem
        With X = kron(I, Z) of shape (n * outputs, outputs * inputs), targets output by output, and truth the entries
        of M, shape (outputs, inputs), row by row.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or rank is not in 0..min(inputs, outputs).
    TypeError
        If `rng` is no Generator.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.problems.multi_output(n=4, inputs=3, outputs=2, rank=1, rng=np.random.default_rng(0))
    >>> problem.X.shape, int(np.linalg.matrix_rank(problem.truth.reshape(2, 3)))
    ((8, 6), 1)
    """
    check_rng(rng)
    for name, value in (("n", n), ("inputs", inputs), ("outputs", outputs)):
        check_integer(name, value, 1)
    check_integer("rank", rank, 0, min(inputs, outputs))
    return _observed(np.kron(np.eye(outputs), rng.standard_normal((n, inputs))), _low_rank(outputs, inputs, rank, rng))


def matrix_sensing(
    *, n: int, shape: tuple[int, int], rank: int, rng: np.random.Generator, commuting: bool = False
) -> Problem:
    """Return n linear measurements y_i = <A_i, M> of a matrix M of low rank.

    Parameters
    ----------
    n : int
        Measurements.
    shape : (int, int)
        Of M.
    rank : int
        Rank of the truth M, which has random singular vectors and singular values uniform in [1, 2].
    rng : numpy.random.Generator
        Source of all randomness.
    commuting : bool
        Draw symmetric A_i with common random eigenvectors and standard normal eigenvalues, and M positive semidefinite
        with the same eigenvectors: the case in which Gunasekar et al. (arXiv 1705.09280) prove that U U' from a
        vanishing start ends at the least nuclear norm. Default: the entries of A_i are standard normal.

    Returns
    -------
    Problem
        With the entries of A_i, row by row, in row i of X, shape (n, rows * columns); truth the entries of M.

    Raises
    ------
    ValueError
        If a size is not a positive integer, rank is not in 0..min(shape), or commuting matrices are not square.
    TypeError
        If `rng` is no Generator.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.problems.matrix_sensing(n=4, shape=(3, 3), rank=1, rng=np.random.default_rng(0))
    >>> problem.X.shape, int(np.linalg.matrix_rank(problem.truth.reshape(3, 3)))
    ((4, 9), 1)
    """
    check_rng(rng)
    check_integer("n", n, 1)
    rows, columns = shape
    check_integer("rows", rows, 1)
    check_integer("columns", columns, 1)
    check_integer("rank", rank, 0, min(shape))
    if not commuting:
        return _observed(rng.standard_normal((n, rows * columns)), _low_rank(rows, columns, rank, rng))
    if rows != columns:
        raise ValueError(f"matrices that commute are square, got shape={shape}: write shape=({rows}, {rows})")
    basis = np.linalg.qr(rng.standard_normal((rows, rows)))[0]
    values = np.zeros(rows)
    values[:rank] = rng.uniform(1, 2, rank)
    return with_eigenvectors(basis, rng.standard_normal((n, rows)), values)


def with_eigenvectors(basis: Array, spectra: Array, values: Array) -> Problem:
    """Return measurements <A_i, M> by commuting matrices A_i.

    Parameters
    ----------
    basis : array, shape (size, size)
        Common eigenvectors, in orthonormal columns.
    spectra : array, shape (n, size)
        The eigenvalues of A_i in row i.
    values : array, shape (size,)
        The eigenvalues of M, which is the truth.
    """
    X = np.stack([(basis * spectrum @ basis.T).ravel() for spectrum in spectra])
    return Problem(X, spectra @ values, truth=(basis * values @ basis.T).ravel())


def _low_rank(rows: int, columns: int, rank: int, rng: np.random.Generator) -> Array:
    left, right = (np.linalg.qr(rng.standard_normal((size, rank)))[0] for size in (rows, columns))
    return (left * rng.uniform(1, 2, rank) @ right.T).ravel()


def _observed(X: Array, truth: Array) -> Problem:
    return Problem(X, X @ truth, truth=truth)
