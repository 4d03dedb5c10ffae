"""Masks of a network: at initialisation by scores, after training by magnitude; batch norm after pruning."""

from linreg_mirror.networks.pruning.magnitude import largest
from linreg_mirror.networks.pruning.masking import Batch, masks_at_initialization, random_batch, read_batch
from linreg_mirror.networks.pruning.recalibration import recalibrate

__all__ = ["Batch", "largest", "masks_at_initialization", "random_batch", "read_batch", "recalibrate"]
