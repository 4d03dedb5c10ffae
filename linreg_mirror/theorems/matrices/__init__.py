"""Theorems about products of matrices."""

from linreg_mirror.theorems.matrices import flatness, linear_networks, low_rank, orthogonal, products

__all__ = ["flatness", "linear_networks", "low_rank", "orthogonal", "products"]
