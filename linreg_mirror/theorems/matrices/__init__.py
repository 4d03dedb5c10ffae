"""Theorems about products of matrices."""

from linreg_mirror.theorems.matrices import linear_networks, low_rank, orthogonal, products

__all__ = ["linear_networks", "low_rank", "orthogonal", "products"]
