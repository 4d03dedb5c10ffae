"""Data sets that live on the device, or in files if they are too large for that, and their batches.

`data = load("cifar10", DIR).to(device)`, then `Batches(data.train, 128, seed=0, augment=CropFlip())`.
"""

from linreg_mirror._tools.device_generator import DeviceGenerator
from linreg_mirror.networks.data.augment import CropFlip
from linreg_mirror.networks.data.batches import Augmentation, Batches
from linreg_mirror.networks.data.crops import ResizedCrop
from linreg_mirror.networks.data.dataset import Data, Split, hold_out
from linreg_mirror.networks.data.images import ImageFiles
from linreg_mirror.networks.data.registry import DATASETS, load

__all__ = [
    "DATASETS",
    "Augmentation",
    "Batches",
    "CropFlip",
    "Data",
    "DeviceGenerator",
    "ImageFiles",
    "ResizedCrop",
    "Split",
    "hold_out",
    "load",
]
