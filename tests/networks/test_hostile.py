"""As test_hostile.py, for `linreg_mirror.networks`: where numbers, arrays and tensors of the caller go in."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from linreg_mirror.networks import data, gates, models
from linreg_mirror.networks.optimizers import MirrorDescent
from tests.helpers.hostile import Plain, assert_honest, attack
from tests.helpers.methods import VARIANTS, class_of

Case = Callable[[Plain], Any]


def tensor(array: Any) -> Any:
    """As a tensor if torch has such."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiubc" or array.dtype.itemsize > 8:
        return array
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("=")))


def method(name: str) -> Case:
    """A method with hostile numbers for options, on a small network."""

    def case(h: Plain) -> Any:
        kinds = {float: h.number, int: h.count, bool: lambda _, usual: usual}
        options = {option: kinds[type(usual)](option, usual) for option, usual in numbers.items()}
        made = class_of(name)(**VARIANTS[name] | options)
        made.attach(models.create("mlp", seed=0, widths=(4, 3, 2)))
        return made.l1_norm()

    defaults = {key: one.default for key, one in inspect.signature(class_of(name)).parameters.items()}
    usual = {key: value for key, value in defaults.items() if value is not inspect.Parameter.empty} | VARIANTS[name]
    numbers = {option: value for option, value in usual.items() if isinstance(value, float | int)}
    return case


def examples(h: Plain) -> Any:
    h.names += ["an example has shape", "labels"]
    train = tensor(h.array("inputs", (6, 4))), torch.arange(6) % 2
    test = torch.ones(2, 4, dtype=torch.float64), torch.arange(2)
    return data.Data.of("own", train=train, test=test, classes=h.count("classes", 2)).train.inputs


def labelled(h: Plain) -> Any:
    h.names.append("targets")
    labels = tensor(h.array("labels", (6,))) if h.hostile else torch.arange(6) % 2
    test = torch.ones(2, 4), torch.arange(2)
    return data.Data.of("own", train=(torch.ones(6, 4), labels), test=test, classes=2).train.inputs


def mirror_descent(h: Plain) -> Any:
    parameters = [torch.nn.Parameter(torch.ones(3, dtype=torch.float64))]
    made = MirrorDescent(
        parameters, lr=h.number("lr", 0.1), momentum=h.number("momentum", 0.5), alpha=h.number("alpha", 0.1),
        beta=h.number("beta", 1.0), weight_decay=h.number("weight_decay", 0.0),
    )  # fmt: skip
    return made.defaults["lr"]


def sgd_and_adam(h: Plain) -> Any:
    made = gates.SGDAndAdam(
        [torch.nn.Parameter(torch.ones(3))], h.number("lr", 0.1), h.number("momentum", 0.5),
        weight_decay=h.number("weight_decay", 0.0), adam_lr=h.number("adam_lr", 0.1),
    )  # fmt: skip
    return made.defaults["lr"]


def logits(h: Plain) -> torch.Tensor:
    return torch.from_numpy(h.finite("loga", (4,)))


CASES: dict[str, Case] = {
    **{name: method(name) for name in VARIANTS},
    "MirrorDescent": mirror_descent,
    "SGDAndAdam": sgd_and_adam,
    "Data.of": examples,
    "Data.of labels": labelled,
    "DeviceGenerator": lambda h: data.DeviceGenerator(
        h.count("seed", 0), h.count("stream", 0), h.count("purpose", 0)
    ).integers(h.count("high", 5), h.count("size", 3)),
    "DeviceGenerator.permutation": lambda h: data.DeviceGenerator(0).permutation(h.count("size", 3)),
    "gates.open_probability": lambda h: gates.open_probability(logits(h)),
    "gates.deterministic": lambda h: gates.deterministic(logits(h)),
    "gates.sample": lambda h: gates.sample(logits(h)),
    "models.create": lambda h: models.input_shape(
        models.create("mlp", seed=h.count("seed", 0), widths=(h.count("widths", 4), 2))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_ordinary_arguments_are_accepted(name):
    assert_honest(CASES[name], Plain())


@pytest.mark.parametrize("name", CASES)
def test_hostile_arguments(name):
    attack(CASES[name])
