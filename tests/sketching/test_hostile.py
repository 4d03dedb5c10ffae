"""As test_hostile.py, for `sketching`: NumPy arrays, torch tensors and small networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import sketching
from sketching import (
    allocation,
    mask_moments,
    moments,
    network_scores,
    ntk,
    scores,
    selection,
    tails,
    temperature,
    training,
)
from tests.helpers.hostile import Plain, assert_honest, attack, public_names

N, D = 3, 5
Case = Callable[[Plain], Any]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def X(h: Plain) -> Any:
    h.names.append("X_i")
    return h.array("X", (N, D))


def vector(h: Plain, name: str) -> Any:
    return h.array(name, (N,) if name == "y" else (D,))


def weighed(h: Plain) -> Any:
    return h.array("scores", (D,), low=0.1)


def of(function: Callable[..., Any], *vectors: str) -> Case:
    return lambda h: function(X(h), *(vector(h, name) for name in vectors))


def selecting(name: str, rescale: bool) -> Case:
    select = getattr(selection, name)
    more = {"rescale": True} if rescale else {}
    return lambda h: select(weighed(h), h.count("k", 2), rng(), **more)


def described(name: str, rescale: bool) -> Case:
    describe = getattr(mask_moments, name)
    more = {"rescale": True} if rescale else {}
    return lambda h: describe(weighed(h), h.count("k", 2), **more)


def tensor(array: Any) -> Any:
    """As a tensor if torch has such: of the byte order of the machine, with positive strides."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiubc" or array.dtype.itemsize > 8:
        return array
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("=")))


class OnTensors(Plain):
    """Gives tensors where another would give arrays."""

    def __init__(self, other: Plain) -> None:
        self.other, self.hostile, self.names = other, other.hostile, other.names

    def array(self, name: str, shape: tuple[int, ...], low: float | None = None) -> Any:
        return tensor(self.other.array(name, shape, low))

    def number(self, name: str, usual: float) -> Any:
        return self.other.number(name, usual)

    def count(self, name: str, usual: int) -> Any:
        return self.other.count(name, usual)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))


def weights(h: Plain, name: str, low: float | None = None) -> dict[str, Any]:
    h.names += ["0.weight", "2.weight"]
    return {"0.weight": h.array(name, (3, 4), low), "2.weight": h.array(name, (2, 3), low)}


def inputs(h: Plain) -> Any:
    return tensor(h.array("inputs", (4, 4)))


def targets(h: Plain) -> Any:
    return tensor(h.array("targets", (4, 2)))


def loss(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    if wanted.dtype == torch.bool:
        raise TypeError("targets must be numbers")
    if wanted.shape != outputs.shape:
        raise ValueError(f"targets of shape {tuple(wanted.shape)} do not fit")
    return ((outputs - wanted) ** 2).sum()


def with_network(case: Callable[[Plain, torch.nn.Module], Any]) -> Case:
    def run(h: Plain) -> Any:
        # What is not finite in the network itself shows in outputs, scores and losses.
        h.names += ["outputs", "scores", "loss", "factors", "shape", "sizes"]
        with torch.random.fork_rng(), np.errstate(over="ignore"):
            return case(h, network())

    return run


def probabilities(h: Plain) -> dict[str, Any]:
    p = weights(h, "probabilities", low=0.1)
    if h.hostile:
        return p
    total = sum(float(np.sum(array)) for array in p.values())
    return {name: array / total for name, array in p.items()}


def lengths(h: Plain) -> Any:
    return h.array("t", (4,), low=0.0)


ERROR = moments.SketchError(signal=1.0, bias=0.1, variance=0.5)
SHAPES = {"a": (3, 4), "b": (2, 3)}
ARRAYS: dict[str, Case] = {
    "scores.magnitude": lambda h: scores.magnitude(vector(h, "w")),
    "scores.synflow": lambda h: scores.synflow(vector(h, "w")),
    "scores.snip": of(scores.snip, "w", "y"),
    "scores.grasp": of(scores.grasp, "w", "y"),
    "scores.rms_snip": of(scores.rms_snip, "w"),
    "scores.rms_snip over targets": lambda h: scores.rms_snip(X(h), vector(h, "w"), "targets"),
    "moments.sketch_error": lambda h: moments.sketch_error(
        X(h), vector(h, "w"), mask_moments.with_replacement(np.ones(D), 2, rescale=True)
    ),
    "moments.optimal_probabilities": of(moments.optimal_probabilities, "w"),
    "moments.least_error": lambda h: moments.least_error(X(h), vector(h, "w"), h.count("k", 2)),
    "tails.chebyshev": lambda h: tails.chebyshev(ERROR, lengths(h)),
    "tails.bennett": lambda h: tails.bennett(X(h), vector(h, "w"), weighed(h), h.count("k", 2), lengths(h)),
    "temperature.tempered": lambda h: temperature.tempered(weighed(h), h.number("power", 2.0)),
    "temperature.excess": lambda h: temperature.excess(h.array("importance", (D,), low=0.1), weighed(h)),
    "temperature.data_free": of(temperature.data_free, "w"),
    "training.after_training": lambda h: training.after_training(
        X(h), vector(h, "w0"), vector(h, "trained"), h.count("k", 2), h.number("share", 0.1)
    ),
    "training.trained_from": of(training.trained_from, "y", "w0"),
    "top_k": lambda h: sketching.top_k(weighed(h), h.count("k", 2)),
    "n_of_m": lambda h: sketching.n_of_m(h.array("scores", (3, 4)), h.count("n", 1), h.count("m", 2)),
    **{
        f"{name}{' rescaled' * rescale}": selecting(name, rescale)
        for name in ("gumbel_top_k", "systematic", "bernoulli", "with_replacement")
        for rescale in (False, True)
    },
    "inclusion_probabilities": lambda h: sketching.inclusion_probabilities(weighed(h), h.count("k", 2)),
    "mask_moments.top_k": described("top_k", False),
    **{
        f"mask_moments.{name}{' rescaled' * rescale}": described(name, rescale)
        for name in ("gumbel_top_k", "systematic", "bernoulli", "with_replacement")
        for rescale in (False, True)
    },
    "absolute": lambda h: sketching.absolute(h.array("scores", (D,))),
    "positive_part": lambda h: sketching.positive_part(h.array("scores", (D,))),
    "select_masks": lambda h: sketching.select_masks(weights(h, "scores", low=0.1), h.number("keep", 0.5), warn=False),
    "select_masks at random": lambda h: sketching.select_masks(
        weights(h, "scores", low=0.1), h.number("keep", 0.5), select=sketching.gumbel_top_k, rng=rng(), warn=False
    ),
    "iterative_masks": lambda h: sketching.iterative_masks(
        lambda masks: weights(h, "scores", low=0.1), h.number("keep", 0.5), rounds=h.count("rounds", 2), warn=False
    ),
}  # fmt: skip
OTHERS: dict[str, Case] = {
    **{
        allocate.__name__: lambda h, allocate=allocate: allocate(SHAPES, h.number("keep", 0.5))
        for allocate in (allocation.globally, allocation.uniform, allocation.erdos_renyi, allocation.erk)
    },
    "given": lambda h: sketching.given({"a": h.number("densities", 0.5), "b": 0.5})(SHAPES, 0.5),
    "network_scores.magnitude": with_network(
        lambda h, model: network_scores.magnitude(model, masks=weights(h, "masks", low=0.1))
    ),
    "network_scores.random": with_network(
        lambda h, model: network_scores.random(model, rng(), masks=weights(h, "masks", low=0.1))
    ),
    "network_scores.snip": with_network(lambda h, model: network_scores.snip(model, loss, inputs(h), targets(h))),
    "network_scores.grasp": with_network(lambda h, model: network_scores.grasp(model, loss, inputs(h), targets(h))),
    "network_scores.rms_snip": with_network(
        lambda h, model: network_scores.rms_snip(model, loss, inputs(h), targets(h), chunk=h.count("chunk", 2))
    ),
    "network_scores.synflow": with_network(lambda h, model: network_scores.synflow(model, inputs(h))),
    "network_scores.synflow by shape": with_network(
        lambda h, model: network_scores.synflow(model, (h.count("inputs", 4),))
    ),
    "network_scores.jacobian_norm": with_network(
        lambda h, model: network_scores.jacobian_norm(model, inputs(h), chunk=h.count("chunk", 2))
    ),
    "network_scores.inner_product": lambda h: network_scores.inner_product(
        torch.ones(4, 2, dtype=torch.float64), torch.from_numpy(h.finite("targets", (4, 2)))
    ),
    "network_scores.random_inputs": lambda h: network_scores.random_inputs(
        h.count("n", 2), (h.count("shape", 4),), rng(), mean=h.number("mean", 0.0), std=h.number("std", 1.0)
    ),
    "ntk.expected_error": with_network(
        lambda h, model: ntk.expected_error(model, inputs(h), probabilities(h), h.count("k", 2))
    ),
    "ntk.linearisation_gap": with_network(
        lambda h, model: ntk.linearisation_gap(model, inputs(h), weights(h, "masks", low=0.1))
    ),
    "apply_masks": with_network(
        lambda h, model: sketching.apply_masks(model, weights(h, "masks", low=0.1))(torch.ones(2, 4))
    ),
    "diagnosis": with_network(
        lambda h, model: sketching.diagnosis(model, weights(h, "masks", low=0.1), inputs=inputs(h)).to_dict()
    ),
}  # fmt: skip
CASES: dict[str, Case] = {
    **ARRAYS,
    **{f"{name} of tensors": lambda h, case=case: case(OnTensors(h)) for name, case in ARRAYS.items()},
    **OTHERS,
}
# Variances that do not exist, bounds where there is none.
INFINITE = {
    name
    for name in CASES
    if name.startswith(("mask_moments.", "moments.", "temperature.", "training.", "absolute", "positive_part"))
}
# What takes no numbers of the caller's, and what only holds what others computed.
EXEMPT = {
    *("Diagnosis", "Diagnosis.to_dict", "Diagnosis.to_text", "LayerDiagnosis", "masks_of", "prunable", "remove_masks"),
    *("Mask", "Mask.forward"),  # made by apply_masks, which checks
    *("moments.SketchError", "mask_moments.MaskMoments", "temperature.DataFree", "training.AfterTraining"),
    *("ntk.LinearisedError", "ntk.LinearisationGap"),
}


@pytest.mark.parametrize("name", CASES)
def test_ordinary_arguments_are_accepted(name):
    assert_honest(CASES[name], Plain(), infinite=name in INFINITE)


@pytest.mark.parametrize("name", CASES)
def test_hostile_arguments(name):
    attack(CASES[name], infinite=name in INFINITE)


def test_every_public_function_is_in_the_table():
    modules = (scores, moments, mask_moments, tails, temperature, training, ntk, network_scores)
    found = public_names(sketching).union(
        *(public_names(module, f"{module.__name__.removeprefix('sketching.')}.") for module in modules)
    )
    assert {name for name in CASES if " " not in name} | EXEMPT == found
