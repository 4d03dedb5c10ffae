"""Recipes: everything that a training run depends on, read from TOML."""

from linreg_mirror.networks.recipes.recipe import Comparison, Recipe, changed, check_keep, names, read, read_comparison

__all__ = ["Comparison", "Recipe", "changed", "check_keep", "names", "read", "read_comparison"]
