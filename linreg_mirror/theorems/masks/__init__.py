"""Theorems about masks as sketches."""

from linreg_mirror.theorems.masks import moments, scores, selections, tails

__all__ = ["moments", "scores", "selections", "tails"]
