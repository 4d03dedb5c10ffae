"""Examples of which there are as many of each class."""

from collections.abc import Iterable

import torch


def balanced(
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]], examples: int, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first examples of each class, class after class in turn, so that parts of equal size are balanced too.

    Parameters
    ----------
    batches : iterable of (inputs, labels)
        Read until there are enough.
    examples : int
        How many in all, a multiple of the classes.
    classes : int
        How many there are.

    Returns
    -------
    (torch.Tensor, torch.Tensor)
        Inputs and labels.

    Raises
    ------
    ValueError
        If examples is no such multiple, or a class has too few.
    """
    each, rest = divmod(examples, classes)
    if rest or not each:
        raise ValueError(f"balanced examples of {classes} classes are a multiple of {classes}, got examples={examples}")
    inputs: list[list[torch.Tensor]] = [[] for _ in range(classes)]
    for batch, labels in batches:
        for one, label in zip(batch, labels.tolist(), strict=True):
            if len(inputs[label]) < each:
                inputs[label].append(one)
        if all(len(own) == each for own in inputs):
            order = [(label, number) for number in range(each) for label in range(classes)]
            chosen = torch.stack([inputs[label][number] for label, number in order])
            return chosen, labels.new_tensor([label for label, _ in order])
    fewest = min(range(classes), key=lambda label: len(inputs[label]))
    raise ValueError(
        f"{examples} balanced examples need {each} of each class, and of class {fewest} there are "
        f"{len(inputs[fewest])}: write fewer examples"
    )
