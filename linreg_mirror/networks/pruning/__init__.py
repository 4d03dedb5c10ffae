"""Masks of a network: at initialisation by scores, after training by magnitude; batch norm after pruning."""

from linreg_mirror.networks.pruning.magnitude import largest
from linreg_mirror.networks.pruning.masking import Batch, masks_at_initialization, random_batch, read_batch
from linreg_mirror.networks.pruning.recalibration import recalibrate
from linreg_mirror.networks.pruning.saved import load_masks, save_masks

__all__ = [
    "Batch",
    "largest",
    "load_masks",
    "masks_at_initialization",
    "random_batch",
    "read_batch",
    "recalibrate",
    "save_masks",
]
