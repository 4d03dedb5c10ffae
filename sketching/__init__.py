"""Masks as sketches: how well a random or chosen subset of weights stands for all of them.

A mask comes about in four steps, each a function of its own: score -> allocation -> selection -> application. What
needs torch is imported when it is first used.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sketching import mask_moments, moments, scores, tails, temperature, training
from sketching.allocation import erdos_renyi, erk, given, globally, uniform
from sketching.masks import iterative_masks, select_masks
from sketching.selection import (
    bernoulli,
    gumbel_top_k,
    inclusion_probabilities,
    systematic,
    top_k,
    with_replacement,
)
from sketching.signed import absolute, positive_part
from sketching.structured import n_of_m

if TYPE_CHECKING:
    from sketching import network_scores, ntk
    from sketching._diagnosis import Diagnosis, LayerDiagnosis, diagnosis
    from sketching.application import Mask, apply_masks, masks_of, remove_masks
    from sketching.weights import prunable

__all__ = [
    "Diagnosis",
    "LayerDiagnosis",
    "Mask",
    "absolute",
    "apply_masks",
    "bernoulli",
    "diagnosis",
    "erdos_renyi",
    "erk",
    "given",
    "globally",
    "gumbel_top_k",
    "inclusion_probabilities",
    "iterative_masks",
    "mask_moments",
    "masks_of",
    "moments",
    "n_of_m",
    "network_scores",
    "ntk",
    "positive_part",
    "prunable",
    "remove_masks",
    "scores",
    "select_masks",
    "systematic",
    "tails",
    "temperature",
    "top_k",
    "training",
    "uniform",
    "with_replacement",
]

_MODULES = ("network_scores", "ntk")
_IN_TORCH = {
    "Diagnosis": "_diagnosis",
    "LayerDiagnosis": "_diagnosis",
    "Mask": "application",
    "apply_masks": "application",
    "diagnosis": "_diagnosis",
    "masks_of": "application",
    "prunable": "weights",
    "remove_masks": "application",
}


def __getattr__(name: str) -> Any:
    if name not in (*_MODULES, *_IN_TORCH):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("torch") is None:
        raise ModuleNotFoundError(f"sketching.{name} needs torch: pip install torch", name="torch")
    if name in _MODULES:
        return import_module(f"sketching.{name}")
    return getattr(import_module(f"sketching.{_IN_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return __all__
