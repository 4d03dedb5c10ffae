"""The two parameters behind a weight that is parametrized by a pair, such as x = m*w."""

import torch

from sketching.removable import Removable, chains, registered


def pairs_of(model: torch.nn.Module, kind: type[Removable]) -> dict[str, tuple[torch.nn.Parameter, torch.nn.Parameter]]:
    """Return them for all weights with a parametrization of this kind, by the names of the weights."""
    behind = {name: chains(module)[weight] for name, module, weight, _ in registered(model, kind)}
    return {name: (chain.original0, chain.original1) for name, chain in behind.items()}
