"""Theorems about the package itself: what it computes in two ways comes out the same."""

from linreg_mirror.theorems.twins import derivatives, pulled, runs

__all__ = ["derivatives", "pulled", "runs"]
