"""Masks as sketches: how well a random or chosen subset of coordinates stands for the whole."""

from sketching.allocation import erdos_renyi, erk, given, globally, uniform
from sketching.masks import iterative_masks, select_masks
from sketching.selection import (
    bernoulli,
    gumbel_top_k,
    inclusion_probabilities,
    systematic,
    top_k,
    with_replacement,
)

__all__ = [
    "bernoulli",
    "erdos_renyi",
    "erk",
    "given",
    "globally",
    "gumbel_top_k",
    "inclusion_probabilities",
    "iterative_masks",
    "select_masks",
    "systematic",
    "top_k",
    "uniform",
    "with_replacement",
]
