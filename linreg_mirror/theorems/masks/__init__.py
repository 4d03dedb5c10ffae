"""Theorems about masks as sketches."""

from linreg_mirror.theorems.masks import comparisons, moments, pruning_scores, scores, selections, tails

__all__ = ["comparisons", "moments", "pruning_scores", "scores", "selections", "tails"]
