"""Theorems about masks as sketches."""

from linreg_mirror.theorems.masks import comparisons, moments, scores, selections, tails

__all__ = ["comparisons", "moments", "scores", "selections", "tails"]
