"""Recipes: everything that a training run depends on, and what is compared, read from TOML files."""

from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.recipes.comparison import Comparison, Entry, read_comparison
from linreg_mirror.networks.recipes.finetune import Finetune
from linreg_mirror.networks.recipes.iterative import Iterative
from linreg_mirror.networks.recipes.listing import Described, described
from linreg_mirror.networks.recipes.origins import with_origin
from linreg_mirror.networks.recipes.reading import changed, names, read
from linreg_mirror.networks.recipes.recipe import Recipe

__all__ = [
    "Comparison",
    "Described",
    "Entry",
    "Finetune",
    "Iterative",
    "Recipe",
    "changed",
    "check_keep",
    "described",
    "names",
    "read",
    "read_comparison",
    "with_origin",
]
