"""The three kinds of X: a dense array, a sparse one, an operator. Nothing else tells them apart.

Products are the same for all, X @ v and X.T @ v; here is what else is asked of a matrix.
"""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

from linreg_mirror._tools.arguments import as_real_array, check_real, refuse_entry
from linreg_mirror._types import Array

Matrix: TypeAlias = Any  # Array | csc_array | csr_array | LinearOperator: SciPy's have no types to be checked by

LARGEST_GRAM = 5000  # rows up to which an n x n matrix is formed of an X that is not dense
_SMALL = 10**7  # n d up to which a sparse X is treated as a dense one where that is simpler
_BLOCK = 1 << 23  # entries of the blocks in which operators are multiplied with many vectors


def as_matrix(name: str, value: Any) -> Matrix:
    """Return `value` as a float64 array, compressed sparse array or operator, or say what is wrong with it."""
    if scipy.sparse.issparse(value):
        return _as_sparse(name, value)
    if isinstance(value, LinearOperator):
        _check_operator(name, value)
        return value
    return as_real_array(name, value)


def is_dense(X: Matrix) -> bool:
    """Whether X is an array."""
    return isinstance(X, np.ndarray)


def has_entries(X: Matrix) -> bool:
    """Whether the entries of X can be read."""
    return not isinstance(X, LinearOperator)


def has_gram(X: Matrix) -> bool:
    """Whether XX' is cheap enough to be formed without being asked for."""
    return is_dense(X) or (has_entries(X) and X.shape[0] * X.shape[1] <= _SMALL)


def require_entries(X: Matrix, asker: str, instead: str) -> None:
    """Raise TypeError if X is an operator."""
    if not has_entries(X):
        raise TypeError(f"{asker} reads entries of X, and got an operator: write {instead}")


def require_gram(X: Matrix, asker: str, instead: str) -> None:
    """Raise ValueError if a sparse X has so many rows that XX' is not formed."""
    if not is_dense(X) and X.shape[0] > LARGEST_GRAM:
        raise ValueError(
            f"{asker} factorises n x n matrices, of a sparse X for n <= {LARGEST_GRAM}, got n = {X.shape[0]}: write "
            f"{instead}"
        )


def dense(X: Matrix, asker: str, instead: str) -> Array:
    """Return X as an array, which a sparse one must be small for, or raise TypeError."""
    require_entries(X, asker, instead)
    if is_dense(X):
        return X
    if X.shape[0] * X.shape[1] > _SMALL:
        raise TypeError(f"{asker} needs a dense X, and got a sparse one of shape {X.shape}: write {instead}")
    return X.toarray()


def dense_if_small(X: Matrix) -> Array | None:
    """Return X as an array; None for operators and for sparse arrays too large for that."""
    if is_dense(X):
        return X
    return X.toarray() if has_entries(X) and X.shape[0] * X.shape[1] <= _SMALL else None


def gram(X: Matrix, weights: Array | None = None) -> Array:
    """Return X diag(weights) X', shape (n, n), without weights XX'; of an operator by n products of either kind."""
    if is_dense(X):
        half = X if weights is None else X * np.sqrt(weights)
        return half @ half.T  # which NumPy sees to be symmetric, and takes half as long for
    n, d = X.shape
    if n > LARGEST_GRAM:
        raise ValueError(f"XX' of a sparse X is formed for n <= {LARGEST_GRAM}, got n = {n}: write X @ (X.T @ v)")
    if has_entries(X):
        return ((X if weights is None else X.multiply(weights)) @ X.T).toarray()
    product, block = np.empty((n, n)), max(1, _BLOCK // d)
    for first in range(0, n, block):
        width = min(block, n - first)
        rows = X.T @ np.eye(n, width, -first)
        product[:, first : first + width] = X @ (rows if weights is None else weights[:, None] * rows)
    return 0.5 * (product + product.T)


def gram_diagonal(X: Matrix, weights: Array) -> Array:
    """Return the diagonal of X diag(weights) X', shape (n,); not for operators."""
    return (X**2 if is_dense(X) else X.multiply(X)) @ weights


def column_weights(X: Matrix) -> Array:
    """Return the squared norms of the columns, shape (d,); not for operators."""
    return np.einsum("ij,ij->j", X, X) if is_dense(X) else X.multiply(X).sum(axis=0)


def lengths(X: Matrix) -> Array:
    """Return the norms of the columns, shape (d,); not for operators."""
    return np.sqrt(column_weights(X))


def largest_entry(X: Matrix) -> float:
    """Return the largest |X_ij|; 1 for operators, of which it is not known."""
    return float(abs(X).max()) if has_entries(X) else 1.0


def longest_column(X: Matrix) -> float:
    """Return the largest norm of a column; 1 for operators, of which it is not known."""
    return float(lengths(X).max()) if has_entries(X) else 1.0


def columns(X: Matrix, which: Any) -> Array:
    """Return some columns as an array, shape (n, k); of an operator by k products."""
    if is_dense(X):
        return X[:, which]
    if has_entries(X):
        return X[:, which].toarray()
    n, d = X.shape
    which = np.asarray(which)
    found, block = np.empty((n, len(which))), max(1, _BLOCK // d)
    for first in range(0, len(which), block):
        some = which[first : first + block]
        units = np.zeros((d, len(some)))
        units[some, np.arange(len(some))] = 1
        found[:, first : first + block] = X @ units
    return found


def column(X: Matrix, i: int) -> Array:
    """Return a column, shape (n,)."""
    return X[:, i] if is_dense(X) else columns(X, [i])[:, 0]


def rows(X: Matrix) -> Matrix:
    """Return X such that rows are quickly taken from it, X[i]; not for operators."""
    return X if is_dense(X) else X.tocsr()


def mirrored(X: Matrix) -> Matrix:
    """Return [X, -X], shape (n, 2d); not for operators."""
    return np.hstack([X, -X]) if is_dense(X) else scipy.sparse.hstack([X, -X], format="csc")


def as_sparse_matrix(X: Matrix) -> Any:
    """Return X for libraries that do not know SciPy's sparse arrays; not for operators."""
    return X if is_dense(X) else scipy.sparse.csc_matrix(X)


def magnitudes(X: Matrix, x: Array) -> Array:
    """Return |X||x|, shape (n,); zero for operators."""
    if is_dense(X):
        support = np.flatnonzero(x)
        return np.abs(X[:, support]) @ np.abs(x[support])
    return abs(X) @ np.abs(x) if has_entries(X) else np.zeros(X.shape[0])


def transposed_product(X: Matrix, s: Array) -> Array:
    """Return X's in extended precision; of an operator in its own."""
    wide = np.longdouble
    return X.T.astype(wide) @ s.astype(wide) if has_entries(X) else (X.T @ s).astype(wide)


def _as_sparse(name: str, value: Any) -> Matrix:
    check_real(name, value.dtype)
    if value.ndim != 2:
        return as_real_array(name, value.toarray())
    # Compressed along the shorter side, so that products write into, or read from, a vector that fits into the cache.
    kind = scipy.sparse.csc_array if value.shape[0] <= value.shape[1] else scipy.sparse.csr_array
    X = kind(value, dtype=np.float64, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    if max(X.nnz, *value.shape) < np.iinfo(np.int32).max:  # half the memory, and all that other libraries take
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    if not np.isfinite(X.data).all():
        entries = X.tocoo()
        bad = np.flatnonzero(~np.isfinite(entries.data))[0]
        refuse_entry(name, entries.data[bad], (int(entries.row[bad]), int(entries.col[bad])))
    return X


def _check_operator(name: str, X: LinearOperator) -> None:
    if X.dtype is not None:
        check_real(name, X.dtype)
    n, d = X.shape
    if 0 in (n, d):
        return  # the problem says what shapes it takes
    rng = np.random.default_rng(0)
    x, s = rng.standard_normal(d), rng.standard_normal(n)
    try:
        forward = np.asarray(X.matvec(x))
    except ValueError as error:
        raise ValueError(f"{name}, an operator of shape {X.shape}, failed to multiply: {error}") from error
    try:
        backward = np.asarray(X.rmatvec(s))
    except (NotImplementedError, TypeError):
        raise TypeError(
            f"{name} must multiply vectors from both sides, got an operator without X'v: write "
            "LinearOperator(shape, matvec=..., rmatvec=...)"
        ) from None
    except ValueError as error:
        raise ValueError(f"{name}, an operator of shape {X.shape}, failed to multiply by X': {error}") from error
    for product in (forward, backward):
        check_real(name, product.dtype)
        if not np.isfinite(product).all():
            raise ValueError(f"{name} must be finite, got an operator whose products with finite vectors are not")
    difference = abs(float(s @ forward) - float(backward @ x))
    size = np.linalg.norm(s) * np.linalg.norm(forward) + np.linalg.norm(backward) * np.linalg.norm(x)
    if difference > 1e-5 * size:
        raise ValueError(
            f"rmatvec of {name} must multiply by the transpose of what matvec does, got <s, Xx> and <X's, x> that "
            f"differ by {difference / size:.1g}: correct rmatvec"
        )
