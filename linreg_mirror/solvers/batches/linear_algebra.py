"""Cholesky factors of a stack of small matrices: compiled loops for NumPy arrays, torch.linalg for tensors."""

from contextlib import suppress
from typing import Any

import numpy as np


def cholesky(H: Any) -> tuple[Any, Any]:
    """Return lower triangles L with H = LL', and which matrices are positive definite; of others L is not finite.

    Parameters
    ----------
    H : array, shape (B, n, n)
        Symmetric matrices.
    """
    if type(H) is np.ndarray:
        return _kernels().cholesky(H)
    import torch

    L, info = torch.linalg.cholesky_ex(H)
    positive = info == 0
    return torch.where(positive[:, None, None], L, torch.nan), positive


def forward(L: Any, v: Any) -> Any:
    """Return L^-1 v by substitution, shape (B, n)."""
    if type(v) is np.ndarray:
        return _kernels().forward(L, v)
    import torch

    return torch.linalg.solve_triangular(L, v[..., None], upper=False)[..., 0]


def solve(L: Any, v: Any) -> Any:
    """Return (LL')^-1 v, shape (B, n)."""
    if type(v) is np.ndarray:
        return _kernels().backward(L, _kernels().forward(L, v))
    import torch

    return torch.cholesky_solve(v[..., None], L)[..., 0]


def inverse(L: Any) -> Any:
    """Return the inverses of lower triangles by substitution, shape (B, n, n)."""
    if type(L) is np.ndarray:
        return _kernels().inverse(L)
    import torch

    eye = torch.eye(L.shape[-1], dtype=L.dtype, device=L.device)
    return torch.linalg.solve_triangular(L, eye.expand_as(L), upper=False)


def triangle(roots: Any) -> Any:
    """Return L with LL' = AA', lower triangles but for signs of their diagonals, by Householder's reflections of A'.

    Parameters
    ----------
    roots : array, shape (B, n, d)
        A, d >= n. Where columns come in the order of their sizes, small ones count as they should.
    """
    if type(roots) is np.ndarray:
        right: Any = np.linalg.qr(roots.mT, mode="r")
        return np.ascontiguousarray(right.mT)
    import torch

    return torch.linalg.qr(roots.mT, mode="r").R.mT


def general_inverse(matrices: Any) -> tuple[Any, Any]:
    """Return the inverses of square matrices, shape (B, n, n), and which of them have one.

    Parameters
    ----------
    matrices : array, shape (B, n, n)
        Any; what comes of a singular one is not finite, or rounding.
    """
    if type(matrices) is np.ndarray:
        try:
            return np.linalg.inv(matrices), np.ones(len(matrices), bool)
        except np.linalg.LinAlgError:  # for one of them, all are lost
            found = np.full(matrices.shape, np.nan)
            for k, matrix in enumerate(matrices):
                with suppress(np.linalg.LinAlgError):
                    found[k] = np.linalg.inv(matrix)
            return found, np.isfinite(found).all((1, 2))
    import torch

    found, info = torch.linalg.inv_ex(matrices)
    return found, info == 0


def _kernels() -> Any:
    from linreg_mirror.solvers.batches import kernels

    return kernels
