"""Recipes: everything that a training run depends on, read from TOML."""

from linreg_mirror.networks.recipes.recipe import Comparison, Recipe, check_keep, names, read, read_comparison

__all__ = ["Comparison", "Recipe", "check_keep", "names", "read", "read_comparison"]
