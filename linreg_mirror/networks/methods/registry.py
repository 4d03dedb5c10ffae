"""Methods by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from linreg_mirror.networks._tools.arguments import check_options
from linreg_mirror.networks.methods.continuous_sparsification import ContinuousSparsification
from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.methods.dep_l0 import DepL0
from linreg_mirror.networks.methods.gradual import GradualMagnitude
from linreg_mirror.networks.methods.granet import GraNet
from linreg_mirror.networks.methods.ham import HAM
from linreg_mirror.networks.methods.l0 import L0
from linreg_mirror.networks.methods.l1 import L1
from linreg_mirror.networks.methods.masked import Masked
from linreg_mirror.networks.methods.mirror_descent import MirrorPILoT
from linreg_mirror.networks.methods.pilot import PILoT
from linreg_mirror.networks.methods.powerprop import Powerprop
from linreg_mirror.networks.methods.protocol import Method
from linreg_mirror.networks.methods.rigl import RigL
from linreg_mirror.networks.methods.soft_threshold import STR
from linreg_mirror.networks.methods.spred import Spred

METHODS: Mapping[str, Callable[..., Method]] = {
    "dense": Dense,
    "masked": Masked,
    "l1": L1,
    "spred": Spred,
    "pilot": PILoT,
    "pilot-mirror": MirrorPILoT,
    "powerprop": Powerprop,
    "cs": ContinuousSparsification,
    "str": STR,
    "ham": HAM,
    "gmp": GradualMagnitude,
    "rigl": RigL,
    "granet": GraNet,
    "l0": L0,
    "dep-l0": DepL0,
}


def create(name: str, /, **options: Any) -> Method:
    """Make a method by its name.

    Parameters
    ----------
    name : str
        One of METHODS, such as "dense", which is pruned by magnitude in the end.
    **options
        Arguments of the class.

    Returns
    -------
    Method
        Not yet attached to a model.

    Raises
    ------
    ValueError
        If the name is unknown, or an option out of range.
    TypeError
        If the method does not take the options, or lacks one.

    Examples
    --------
    >>> from linreg_mirror.networks import methods
    >>> type(methods.create("spred", alpha=1e-4)).__name__
    'Spred'
    """
    found = _found(name)
    check_options(name, found, options)
    return found(**options)


def create_for(name: str, options: Mapping[str, Any], **run: Any) -> Method:
    """Make a method for a run: of the run it gets what it takes, where options do not say otherwise.

    Parameters
    ----------
    name : str
        One of METHODS.
    options : mapping
        As of `create`. With "decay" in place of "alpha" the method is made by its `for_decay`.
    **run
        epochs, steps (in an epoch), lr (a function of the epochs done), momentum, seed, and batch, which returns the
        examples that training begins with.

    Returns
    -------
    Method
        Not yet attached to a model.

    Raises
    ------
    ValueError, TypeError
        As from `create`.
    """
    found: Any = _found(name)
    make = found.for_decay if "decay" in options and hasattr(found, "for_decay") else found
    if make is found:  # where steps are those of the whole run
        run = {**run, "steps": run["epochs"] * run["steps"]}
    taken = inspect.signature(make).parameters
    options = {key: value for key, value in run.items() if key in taken} | dict(options)
    check_options(name, make, options)
    return make(**options)


def _found(name: str) -> Callable[..., Method]:
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: known are {', '.join(METHODS)}")
    return METHODS[name]
