"""Every method with the options that it needs, by its name in the registry and, if there is more than one, a word."""

import torch

from linreg_mirror.networks import methods

_PILOT = {"epochs": 6, "alpha": 1e-3, "K": 5.0, "delta": 1.5}
_L0 = {"epochs": 6, "lam": 1e-3}
_NEEDED = {
    "masked": {"score": "magnitude", "keep": 0.5, "rounds": 1},
    "l1": {"alpha": 1e-3},
    "l1 proximal": {"alpha": 1e-3, "proximal": True},
    "spred": {"alpha": 1e-3},
    "pilot": _PILOT,
    "pilot-mirror": _PILOT,
    "powerprop": {"exponent": 1.5},
    "cs": {"epochs": 6, "alpha": 1e-2},
    "str": {"s_init": -2.0},
    "ham": {"metric": 2.0, "shrink": 0.1},
    "gmp": {"epochs": 6, "keep": 0.3},
    "rigl": {"epochs": 6, "keep": 0.3, "every": 3},
    "granet": {"epochs": 6, "keep": 0.3, "start": 0.6, "every": 3},
    "l0": _L0,
    "l0 channels": _L0 | {"on": "channels"},
    "dep-l0": _L0,
    "dep-l0 backward": _L0 | {"direction": "backward"},
}
# A new method is among them at once.
VARIANTS = {name: {} for name in methods.METHODS} | _NEEDED


def class_of(variant):
    return methods.METHODS[variant.partition(" ")[0]]


HOLDING = [variant for variant in VARIANTS if class_of(variant).takes_masks]


def make(variant, **options):
    return class_of(variant)(**VARIANTS[variant] | options)


def recipe_of(variant):
    """The method of a recipe; epochs and seed are those of the run."""
    options = {key: value for key, value in VARIANTS[variant].items() if key != "epochs"}
    return {"name": variant.partition(" ")[0], **options}


def ended(name, x, **options):
    """A layer with these effective weights, as the method would end with."""
    method, layer = make(name, **options), torch.nn.Linear(len(x), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([x]))
    method.attach(layer)
    return method, layer
