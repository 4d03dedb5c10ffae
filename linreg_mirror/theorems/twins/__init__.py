"""Theorems about the package itself: what it computes in two ways comes out the same."""

from linreg_mirror.theorems.twins import derivatives, runs

__all__ = ["derivatives", "runs"]
