"""Theorems about the hard concrete gates of L0 methods."""

from linreg_mirror.theorems.gates import couplings, hard_concrete, training

__all__ = ["couplings", "hard_concrete", "training"]
