"""Which weights of a torch module can be masked."""

import torch
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize


def prunable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the weights that masks are about: trainable, with two or more dimensions.

    Biases and the gains of normalisation layers have one dimension and are left as they are, as in the papers; so are
    frozen parameters (`requires_grad` is False).

    Parameters
    ----------
    model : torch.nn.Module
        Any module.

    Returns
    -------
    dict of str to torch.nn.Parameter
        By their names in `model.named_parameters()`, in its order.

    Raises
    ------
    ValueError
        If there is no such weight, a lazy layer has not seen its input yet, a weight has two names, or one is
        parametrized, as by a mask that is applied already.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    >>> {name: tuple(weight.shape) for name, weight in sketching.prunable(model).items()}
    {'0.weight': (8, 4), '2.weight': (2, 8)}
    """
    lazy = [name for name, p in model.named_parameters() if isinstance(p, UninitializedParameter)]
    if lazy:
        raise ValueError(f"not initialised yet: {', '.join(lazy)}: pass one batch through the model first")
    parametrized = [name or "the model" for name, m in model.named_modules() if parametrize.is_parametrized(m)]
    if parametrized:
        raise ValueError(
            f"parametrized already: {', '.join(parametrized)}: first make its weights plain ones; if it carries masks, "
            "sketching.remove_masks(model) does"
        )
    names: dict[torch.nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.requires_grad and parameter.ndim >= 2:
            names.setdefault(parameter, []).append(name)
    shared = [" = ".join(several) for several in names.values() if len(several) > 1]
    if shared:
        raise ValueError(f"one weight under two names: {'; '.join(shared)}: which mask it has would be undecided")
    if not names:
        raise ValueError(
            f"{type(model).__name__} has no trainable weight with two or more dimensions, so that there is nothing to "
            "prune: are all its parameters frozen?"
        )
    return {name: parameter for parameter, (name,) in names.items()}
