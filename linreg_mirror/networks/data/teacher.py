"""Data without files: normal inputs, labelled by a random network."""

from typing import Any

import numpy as np
import torch

import sketching
from linreg_mirror._tools.arguments import check_integer
from linreg_mirror.networks.data.dataset import Data
from linreg_mirror.networks.models import create, input_shape
from sketching import network_scores


def teacher(
    *,
    model: str = "mlp",
    train: int = 10_000,
    test: int = 2_000,
    keep: float = 1.0,
    outputs: bool = False,
    seed: int = 0,
    **options: Any,
) -> Data:
    """Return standard normal inputs and what a network with random weights makes of them.

    Parameters
    ----------
    model : str
        The teacher, by its name in `linreg_mirror.networks.models`.
    train, test : int
        Examples.
    keep : float
        Share of its weights that the teacher keeps, in every layer the largest.
    outputs : bool
        Whether labels are its outputs, as targets; or else the class with the largest output. Classes of a random
        network need not be equally frequent, and may be missing.
    seed : int
        Of teacher and inputs. The teacher is not the model that is created with this seed.
    **options
        Of the model, as in `models.create`.

    Returns
    -------
    Data
        Inputs of float32, (n, ...) as the model takes them; targets of float32, computed in float64.

    Raises
    ------
    ValueError
        If an argument is out of range, or an output is not one row of numbers per example.
    TypeError
        If the model does not take the options.
    """
    check_integer("seed", seed, 0)
    of_teacher, of_train, of_test = np.random.default_rng(seed).spawn(3)
    network = create(model, seed=int(of_teacher.integers(2**63)), **options).double().eval()
    if keep != 1:
        scores = network_scores.magnitude(network)
        sketching.apply_masks(network, sketching.select_masks(scores, keep, allocate=sketching.uniform))
    parts = {}
    for name, examples, rng in (("train", train, of_train), ("test", test, of_test)):
        check_integer(name, examples, 1)
        inputs = torch.as_tensor(rng.standard_normal((examples, *input_shape(network)), dtype=np.float32))
        with torch.no_grad():
            found = torch.cat([network(part.double()) for part in inputs.split(1000)])
        if found.ndim != 2:
            raise ValueError(f"a teacher must return (n, outputs), {model} returned {tuple(found.shape)}")
        parts[name] = (inputs, found.float() if outputs else found.argmax(1))
    return Data.of("teacher", **parts, classes=None if outputs else found.shape[1])
