"""The hard concrete distribution of a gate z in [0, 1], which is exactly 0 or 1 with positive probability.

Louizos et al. (arXiv 1712.01312). `loga` is the logit of the gate; tensors keep their shape, device and dtype.
"""

import math

import torch

from linreg_mirror.hard_concrete import HardConcrete

_USUAL = HardConcrete()
GAMMA, ZETA, TEMPERATURE = _USUAL.gamma, _USUAL.zeta, _USUAL.temperature


def sample(loga: torch.Tensor, batch: tuple[int, ...] = ()) -> torch.Tensor:
    """Draw gates from torch's default generator.

    Parameters
    ----------
    loga : torch.Tensor
        Logits, of any size; gradients stay finite.
    batch : tuple of int
        Leading dimensions: how many independent gates for each logit.

    Returns
    -------
    torch.Tensor, shape (*batch, *loga.shape)
        clip(s (zeta - gamma) + gamma, 0, 1) with s = sigmoid((log u - log(1 - u) + loga)/T) and u uniform.
    """
    # Half precision has so few numbers below 1 that u would often be 1 itself.
    wide = torch.promote_types(loga.dtype, torch.float32)
    u = torch.rand((*batch, *loga.shape), dtype=wide, device=loga.device)
    noise = u.clamp_min(torch.finfo(wide).tiny).logit()  # u = 0 does happen
    return _stretched((noise + loga) / TEMPERATURE).to(loga.dtype)


def deterministic(loga: torch.Tensor) -> torch.Tensor:
    """Return the gate for testing, clip(sigmoid(loga) (zeta - gamma) + gamma, 0, 1): neither mean nor median of z.

    Parameters
    ----------
    loga : torch.Tensor
        Logits.

    Returns
    -------
    torch.Tensor
        Gates in [0, 1], of the shape of `loga`.

    Notes
    -----
    Louizos, Welling, Kingma (arXiv 1712.01312).
    """
    return _stretched(loga)


def open_probability(loga: torch.Tensor) -> torch.Tensor:
    """Return P(z > 0) = sigmoid(loga - T log(-gamma/zeta)).

    Parameters
    ----------
    loga : torch.Tensor
        Logits.

    Returns
    -------
    torch.Tensor
        Probabilities, of the shape of `loga`.

    Notes
    -----
    Louizos, Welling, Kingma (arXiv 1712.01312).
    """
    return torch.sigmoid(loga - TEMPERATURE * math.log(-GAMMA / ZETA))


def _stretched(logit: torch.Tensor) -> torch.Tensor:
    return (torch.sigmoid(logit) * (ZETA - GAMMA) + GAMMA).clamp(0, 1)
