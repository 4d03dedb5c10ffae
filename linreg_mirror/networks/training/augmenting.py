"""How a recipe augments training images."""

from linreg_mirror.networks import data
from linreg_mirror.networks.recipes import Recipe


def augmentation_of(recipe: Recipe, split: data.Split) -> data.Augmentation | data.ResizedCrop | None:
    """Return the augmentation of these examples, or None.

    Parameters
    ----------
    recipe : Recipe
        Whose `augment` says it.
    split : Split
        Training examples.
    """
    if recipe.augment is False:
        return None
    return split.augmentation(**({} if recipe.augment is True else recipe.augment))
