"""Theorems about the package itself: what it computes in two ways comes out the same."""

from linreg_mirror.theorems.twins import certificates, derivatives, pulled, runs, slopes

__all__ = ["certificates", "derivatives", "pulled", "runs", "slopes"]
