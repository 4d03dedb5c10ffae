"""Theorems about the package itself: what it computes in two ways comes out the same."""

from linreg_mirror.theorems.twins import derivatives, pulled, runs, slopes

__all__ = ["derivatives", "pulled", "runs", "slopes"]
