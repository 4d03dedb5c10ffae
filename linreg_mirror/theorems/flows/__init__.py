"""Theorems about flows of x = m*w, their limits, and steps of finite size."""

from linreg_mirror.theorems.flows import (
    bars,
    contraction,
    convergence,
    depth,
    depth_rates,
    gating,
    ham,
    mirror,
    mirror_descent,
    penalty,
    regimes,
    saddles,
    sharpness,
    small_scales,
    steps,
    unbalanced,
)

__all__ = [
    "bars",
    "contraction",
    "convergence",
    "depth",
    "depth_rates",
    "gating",
    "ham",
    "mirror",
    "mirror_descent",
    "penalty",
    "regimes",
    "saddles",
    "sharpness",
    "small_scales",
    "steps",
    "unbalanced",
]
