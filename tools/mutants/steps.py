"""Wrong steps of descent, and wrong biases of them."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from linreg_mirror.solvers import discrete
from linreg_mirror.solvers.discrete import _descent, kernels, steps_on_tensors
from linreg_mirror.solvers.discrete.implicit_bias import LogProducts
from linreg_mirror.solvers.discrete.steppers import NumpySteps
from tools.mutants.change import edited, replaced


def step_without_memory(_: Callable) -> Callable:
    def step(self, g, eta, alpha):
        self.log_u += np.log(np.abs(1 - eta * (2 * alpha + g)))
        self.log_v += np.log(np.abs(1 - eta * (2 * alpha - g)))

    return step


def momentum_halved(right: Callable) -> Callable:
    def advance(self, chunk):
        with patch.object(self, "momentum", self.momentum / 2):
            return right(self, chunk)

    return advance


MUTANTS = (
    replaced("finite steps without memory of momentum", LogProducts, "step", step_without_memory, "steps"),
    replaced(
        "compiled steps with half of the penalty",
        kernels,
        "take_steps",
        lambda right: lambda *a: right(*a[:8], a[8] / 2, *a[9:]),
        "steps",
    ),
    replaced(
        "compiled heavy ball with nine tenths of its momentum",
        kernels,
        "take_steps",
        lambda right: lambda *a: right(*a[:9], 0.9 * a[9], *a[10:]),
        "steps",
    ),
    replaced(
        "compiled steps along gradients a tenth too long",
        kernels,
        "take_steps",
        lambda right: lambda X, y, *a: right(1.1**0.5 * X, 1.1**0.5 * y, *a),
        "steps",
    ),
    replaced("L1 bound doubled", _descent, "_lower_bound", lambda right: lambda *a: 2 * right(*a), "steps"),
    replaced("L1 bound halved", _descent, "_lower_bound", lambda right: lambda *a: right(*a) / 2, "steps"),
    replaced(
        "compiled steps with half of alpha, beside NumPy's",
        kernels,
        "take_steps",
        lambda right: lambda *a: right(*a[:8], a[8] / 2, *a[9:]),
        "twins",
    ),
    replaced(
        "compiled batches of a sample less",
        kernels,
        "take_steps",
        lambda right: lambda *a: right(*a[:13], np.maximum(a[13] - 1, 0)),
        "twins",
    ),
    replaced(
        "many runs with nine tenths of their momentum",
        kernels,
        "update_runs",
        lambda right: lambda *a: right(*a[:7], 0.9 * a[7]),
        "twins",
    ),
    edited(
        "many runs on tensors, half a gradient",
        steps_on_tensors,
        "taken",
        "stepped(u, v, move",
        "stepped(u, v, move / 2",
        "twins",
    ),
    replaced("heavy ball with half its momentum", NumpySteps, "advance", momentum_halved, "steps"),
    replaced(
        "stable step with alpha for 2 alpha",
        discrete,
        "largest_stable_step",
        lambda right: lambda *a, penalty=0.0, **options: right(*a, penalty=penalty / 2, **options),
        "twins.stable_step",
    ),
    edited(
        "finite steps: half of the penalty",
        LogProducts,
        "step",
        "(2 * alpha + self._slopes)",
        "(alpha + self._slopes)",
        "steps",
    ),
    edited("finite steps: rho of v forgotten", LogProducts, "step", "1 / self._rho)", "1 / self._rho[:1])", "steps"),
)
