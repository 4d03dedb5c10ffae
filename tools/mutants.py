"""Puts wrong formulas in the place of right ones and shows what catches each: `python -m tools.mutants`.

Theorems of the ledger do; and tests, where a formula is what theorems are judged by.
"""

import argparse
import importlib
import inspect
import io
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from joblib import Parallel, delayed
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from linreg_mirror import schedules
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.mirrors import HAM, Euclidean, Hyperbolic
from linreg_mirror.mirrors import Power as DeepPotential
from linreg_mirror.mirrors import Quadratic as QuadraticPotential
from linreg_mirror.networks import gates as networks_gates
from linreg_mirror.networks.gates import generator as gates_generator
from linreg_mirror.parametrizations import HAM as HAMNetwork
from linreg_mirror.parametrizations import (
    DeepLinear,
    Direct,
    Factorized,
    Hadamard,
    Power,
    Quadratic,
    SharedHadamard,
    commutation,
)
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber, Squared
from linreg_mirror.solvers import certificates, discrete, error_bars, lasso
from linreg_mirror.solvers.batches import bars as batch_bars
from linreg_mirror.solvers.batches import factors as batch_factors
from linreg_mirror.solvers.batches import rounding, supports, vertices
from linreg_mirror.solvers.batches.factors import Factors
from linreg_mirror.solvers.continuous import _flow, kernel, resting
from linreg_mirror.solvers.discrete import _descent, kernels, steps_on_tensors
from linreg_mirror.solvers.discrete.implicit_bias import LogProducts
from linreg_mirror.solvers.discrete.steppers import NumpySteps
from linreg_mirror.solvers.error_bars import limits, pythagoras
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.saddles import SaddlePath, _saddles
from linreg_mirror.solvers.saddles.signed_fit import SignedFit
from linreg_mirror.solvers.separable import _margin_flow
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.flows import margins, small_scales, unbalanced
from linreg_mirror.theorems.gates import couplings
from linreg_mirror.theorems.matrices import low_rank
from linreg_mirror.verification import Finding, check
from sketching import _race, mask_moments, moments, network_scores, scores, selection, tails, temperature, training
from sketching.network_scores import _synflow

INSTANCES = (
    "planted/plain/0",
    "planted/biased/0",
    "planted/unequal/0",
    "planted/geometric/0",
    "planted/quadratic/0",
    "planted/switched_off/0",
    "planted/constant/0",
    "planted/balanced/0",
    "planted/huber/0",
    "special/tight-rate",
    "special/start-at-solution",
    "special/plateau",
    "special/small-targets",
    "special/long-steps",
    "special/many-copies",
    "planted/small/2",
    "dense/small/1",
    "special/commuting-1",
    "special/not-commuting",
    "dense/biased/0",
    "dense/plain/0",
    "special/two-lengths",
    "special/opposite",
    "special/wide-pair",
    "special/see-saw",
    "special/lopsided",
    "special/long-column",
)

ROOT = Path(__file__).resolve().parents[1]
CHECKS = "solvers/test_certificate_checks.py"
BATCHES = "solvers/batches/test_bars.py"
ROUNDING = "solvers/batches/test_rounding.py"
CORE = ("mirror", "convergence", "spred", "signs", "decay", "regimes")


@dataclass(frozen=True)
class Mutant:
    """A wrong formula, how to put it in place for a while, and the theorems, or the tests, that are asked about it."""

    name: str
    applied: Callable[[], AbstractContextManager]
    theorems: tuple[str, ...]
    tests: tuple[str, ...] = ()


def replaced(
    name: str,
    owner: object,
    attribute: str,
    wrong: Callable[[Callable], Callable],
    *theorems: str,
) -> Mutant:
    """`wrong` takes the right function and returns the one that takes its place; properties stay properties.

    Theorems are ids or beginnings of ids; what ends in .py is a file of tests.
    """
    right = inspect.getattr_static(owner, attribute)
    mutated = property(wrong(right.fget)) if isinstance(right, property) else wrong(right)
    tests = tuple(f"tests/{one}" for one in theorems if one.endswith(".py"))
    asked = tuple(one for one in theorems if not one.endswith(".py"))
    return Mutant(name, lambda: patch.object(owner, attribute, mutated), asked or (() if tests else CORE), tests)


def edited(name: str, owner: object, attribute: str, was: str, now: str, *theorems: str) -> Mutant:
    """As `replaced`, with a piece of the function's own text changed."""

    def wrong(right: Callable) -> Callable:
        source = textwrap.dedent(inspect.getsource(right))
        if source.count(was) != 1:
            raise ValueError(f"{attribute} must have {was!r} once, found it {source.count(was)} times")
        found: dict[str, Callable] = {}
        exec(source.replace(was, now), vars(sys.modules[right.__module__]), found)
        return found[attribute]

    return replaced(name, owner, attribute, wrong, *theorems)


def stated(name: str, theorem: str, **constants: object) -> Mutant:
    """A wrong constant in the statement itself, which must then be refuted by the evidence."""
    return Mutant(name, lambda: patch.dict(REGISTRY[theorem].constants, constants), (theorem,))


def pullback_without_factor(right: Callable) -> Callable:
    return lambda self, theta, g: right(self, theta, g) * np.concatenate([np.ones(self.d), np.full(self.d, 0.5)])


def looser(right: Callable) -> Callable:
    """Tolerances of a certificate ten times as large."""
    return lambda *args, **options: replace(
        found := right(*args, **options),
        checks=tuple(replace(one, tolerance=10 * one.tolerance) for one in found.checks),
    )


def at_temperature_1(right: Callable) -> Callable:
    return lambda self, *a: right(replace(self, temperature=1.0), *a)


def first_halved(right: Callable) -> Callable:
    def pullback(self, theta, g):
        size = self.weights[0].size
        return right(self, theta, g) * np.where(np.arange(theta.size) < size, 0.5, 1.0)

    return pullback


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


def wrong_bracket(right: Callable) -> Callable:
    def bracket(network, i, j, theta):
        e = np.eye(network.d)
        g = network.pullback(theta, e[j]) if j >= 0 else network.penalty_gradient(theta)
        return right(network, i, j, theta) + g

    return bracket


def changed(**fields: Callable) -> Callable[[Callable], Callable]:
    """Change fields of what the right function returns: each by a function of the whole."""
    return lambda right: (
        lambda *args, **options: replace(
            answer := right(*args, **options), **{name: field(answer) for name, field in fields.items()}
        )
    )


def scaled(factor: Callable) -> Callable[[Callable], Callable]:
    """Multiply what the right function returns by a function of its arguments."""
    return lambda right: lambda *args, **options: right(*args, **options) * factor(*args)


def bars_lost(right: Callable) -> Callable:
    """Bounds of a path's error a thirtieth of what they are."""

    def advance(*arguments):
        answer = right(*arguments)
        arguments[-1][:] /= 30
        arguments[9][2] /= 30
        return answer

    return advance


def slightly_off(right: Callable) -> Callable:
    """Newton's method that ends a millionth beside the solution."""

    def solve(*arguments, **options):
        nu, residual = right(*arguments, **options)
        return (1 + 1e-6) * nu, residual

    return solve


MUTANTS = (
    replaced(
        "scale decays with exp(-2A)", Hyperbolic, "log_scale_at", lambda _: lambda self, A: self.log_scale - 2 * A
    ),
    replaced("scale 2 u0 v0", Hyperbolic, "log_scale_at", lambda right: lambda self, A: right(self, A) + np.log(2)),
    replaced(
        "scale decays with exp(-8A)", Hyperbolic, "log_scale_at", lambda _: lambda self, A: self.log_scale - 8 * A
    ),
    replaced("no log(u0/v0) in the mirror", Hyperbolic, "initial_dual", lambda _: lambda self: 0.0 * self.tilt),
    replaced("log(u0/v0) not halved", Hyperbolic, "initial_dual", lambda _: lambda self: 1.0 * self.tilt),
    replaced("x = 2b sinh 2z", Hyperbolic, "primal", lambda right: lambda self, z, A: 2 * right(self, z, A)),
    replaced("x = b sinh z", Hyperbolic, "primal", lambda right: lambda self, z, A: right(self, z / 2, A)),
    replaced("metric sqrt(x^2 + b^2)", Hyperbolic, "metric", lambda right: lambda self, z, A: 0.5 * right(self, z, A)),
    replaced("dual arcsinh(x/b)", Hyperbolic, "dual", lambda right: lambda self, x, A: 2 * right(self, x, A)),
    replaced(
        "potential without the tilt",
        Hyperbolic,
        "potential",
        lambda right: lambda self, x, A: right(self, x, A) + x * 0.5 * self.tilt,
    ),
    replaced(
        "potential with + sqrt(x^2 + b^2)",
        Hyperbolic,
        "potential",
        lambda right: lambda self, x, A: right(self, x, A) + np.hypot(x, np.exp(self.log_scale_at(A))),
    ),
    replaced(
        "depth D, scale decays with exp(-4A)",
        DeepPotential,
        "log_scale_at",
        lambda _: lambda self, A: self.log_scale - 4 * A,
        "depth",
    ),
    replaced(
        "depth D, dual at constant speed",
        DeepPotential,
        "dual_rate",
        lambda right: lambda self, A: right(self, 0 * A),
        "depth",
    ),
    replaced(
        "depth D, dual doubled", DeepPotential, "dual", lambda right: lambda self, x, A: 2 * right(self, x, A), "depth"
    ),
    replaced(
        "HAM, a weight's dual half of what it is",
        HAM,
        "_bent",
        lambda right: lambda self, x: 0.5 * right(self, x),
        "mirror.ham",
    ),
    replaced("gradient of w halved", Hadamard, "pullback", pullback_without_factor),
    replaced("penalty with a 1/2", Hadamard, "penalty_gradient", lambda right: lambda self, p: 0.5 * right(self, p)),
    replaced("x = 2 m*w", Hadamard, "effective", lambda right: lambda self, p: 2 * right(self, p)),
    replaced(
        "decay on m alone",
        Hadamard,
        "penalty_gradient",
        lambda right: lambda self, p: right(self, p) * np.concatenate([np.ones(self.d), np.zeros(self.d)]),
    ),
    replaced("gradient of f doubled", Problem, "gradient", lambda right: lambda self, x: 2 * right(self, x)),
    replaced(
        "geometric integral without 1/log",
        schedules.Geometric,
        "integral",
        lambda right: lambda self, a, b: right(self, a, b) * -np.log(self.ratio),
    ),
    replaced(
        "quadratic integral halved",
        schedules.Quadratic,
        "integral",
        lambda right: lambda self, a, b: 0.5 * right(self, a, b),
    ),
    replaced(
        "switched off at twice the time",
        schedules.SwitchedOff,
        "integral",
        lambda right: lambda self, a, b: 2 * right(self, a, b),
    ),
    replaced("Huber's gradient unclipped", Huber, "gradient", lambda _: lambda self, r: r),
    replaced("LASSO weight alpha", lasso, "lasso", lambda right: lambda problem, weight: right(problem, weight / 2)),
    replaced("Lie bracket with a stray term", commutation, "lie_bracket", wrong_bracket),
    replaced("gradient of the first layer halved", DeepLinear, "pullback", first_halved, "networks"),
    replaced(
        "penalty of layers with a 1/2", DeepLinear, "penalty_gradient", lambda _: lambda self, theta: theta, "networks"
    ),
    replaced(
        "product of layers transposed",
        DeepLinear,
        "effective",
        lambda right: lambda self, theta: right(self, theta).reshape(self.shape).ravel(order="F"),
        "networks",
    ),
    replaced(
        "U U' with one of its two gradients",
        Factorized,
        "pullback",
        lambda right: lambda *a: 0.5 * right(*a),
        "networks",
    ),
    replaced(
        "nuclear norm without positivity",
        low_rank,
        "minimum_nuclear",
        lambda right: lambda problem, shape, positive: right(problem, shape),
        "networks",
    ),
    replaced("finite steps without memory of momentum", LogProducts, "step", step_without_memory, "steps"),
    replaced(
        "saddles reach 2 before they jump up",
        _saddles,
        "_next_arrival",
        lambda right: lambda time, s, slopes, up, down: right(time, s, slopes, 2 * up, down),
        "saddles",
    ),
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
        "gradient of the first layer halved, in steps", DeepLinear, "pullback", first_halved, "networks.balance.step"
    ),
    replaced("pullback of m*w without its factor", Hadamard, "pullback", pullback_without_factor, "twins"),
    replaced(
        "pullback of p^D - q^D without a sign", Power, "pullback", lambda r: lambda s, p, g: r(s, p, np.abs(g)), "twins"
    ),
    edited("pullback of a shared mask by one weight", SharedHadamard, "pullback", "w * grad_x,", "grad_x,", "twins"),
    replaced("pullback of layers, first halved", DeepLinear, "pullback", first_halved, "twins"),
    edited("pullback of U V' untransposed", Factorized, "pullback", "G.T @ U", "G.T @ U * 2", "twins"),
    replaced("pullback of x doubled", Direct, "pullback", lambda _: lambda self, theta, g: 2 * g, "twins"),
    *(
        replaced(f"{name} of {owner.__name__} halved", owner, name, lambda r: lambda *a: r(*a) / 2, "twins")
        for owner in (Euclidean, Hyperbolic, DeepPotential, HAM)
        for name in ("metric", "conjugate", "potential", "primal_rate", "dual", "primal")
    ),
    *(
        replaced(
            f"{name}'s integral halved", getattr(schedules, name), "_integral", lambda r: lambda *a: r(*a) / 2, "twins"
        )
        for name in ("Constant", "Harmonic", "Quadratic", "Geometric", "Piecewise", "SwitchedOff")
    ),
    edited(
        "integral of 1/(1 + t) of another period",
        schedules.Harmonic,
        "_integral",
        "self.value * self.period * log",
        "self.value * log",
        "twins",
    ),
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
    replaced("draws that share nothing", mask_moments, "with_replacement", changed(shared=lambda m: None), "masks"),
    replaced(
        "covariance divided by q once", mask_moments, "_inverse", lambda right: lambda q: right(q) ** 0.5, "masks"
    ),
    replaced("mask without its bias", moments, "sketch_error", changed(bias=lambda e: 0.0), "masks"),
    replaced("error without its variance", moments, "sketch_error", changed(variance=lambda e: 0.0), "masks"),
    replaced(
        "optimal p ~ |w|",
        moments,
        "optimal_probabilities",
        lambda _: lambda X, w: np.abs(w) / np.abs(w).sum(),
        "masks",
    ),
    replaced(
        "least error without |Xw|^2",
        moments,
        "least_error",
        lambda _: lambda X, w, k: moments.rms_snip(X, w).sum() ** 2 / k,
        "masks",
    ),
    replaced(
        "inclusion probabilities cut off, not filled",
        selection,
        "_water_filled",
        lambda _: lambda flat, k: np.minimum(k * flat / flat.sum(), 1.0),
        "masks",
    ),
    replaced(
        "comb without regard to pairs",
        mask_moments,
        "systematic",
        changed(spread=lambda m: np.diag(m.spread)),
        "masks",
    ),
    replaced("race with k - 1 places", _race, "inclusions", lambda right: lambda s, k: right(s, k - 1), "masks"),
    replaced(
        "pairs of a race as if independent",
        _race,
        "inclusions",
        lambda right: lambda s, k: (first := right(s, k)[0], np.outer(first, first)),
        "masks",
    ),
    replaced(
        "threshold one arrival too late",
        _race,
        "threshold_variances",
        lambda right: lambda s, k: right(s, k + 1),
        "masks",
    ),
    replaced(
        "race rescaled by inclusion probabilities",
        selection,
        "gumbel_top_k",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng) / (_race.inclusions(s, k)[0] if rescale else 1),
        "masks",
    ),
    replaced(
        "comb rescaled by k p",
        selection,
        "systematic",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng) / (k * s / s.sum() if rescale else 1),
        "masks",
    ),
    replaced(
        "draws rescaled by a tenth too much",
        selection,
        "with_replacement",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng, rescale=rescale) * (1.1 if rescale else 1),
        "masks",
    ),
    replaced("power of scores halved", temperature, "tempered", lambda right: lambda s, g: right(s, g / 2), "masks"),
    replaced(
        "coefficient of variation, not squared",
        temperature,
        "data_free",
        changed(excess=lambda d: 1 + (d.excess - 1) ** 0.5),
        "masks",
    ),
    replaced("Kantorovich's cap halved", temperature, "data_free", changed(cap=lambda d: d.cap / 2), "masks"),
    replaced("SNIP without the weight", scores, "snip", scaled(lambda X, w, y: 1 / np.abs(w)), "masks"),
    replaced("GraSP without its sign", scores, "grasp", lambda right: lambda *a: np.abs(right(*a)), "masks"),
    replaced("SynFlow squared", scores, "synflow", lambda right: lambda w: right(w) ** 2, "masks"),
    edited("SynFlow with signs", _synflow, "_positive", "tensor.abs().double()", "tensor.double()", "masks.synflow"),
    edited(
        "GraSP by the gradient, not the Hessian times it",
        network_scores,
        "grasp",
        "wide(products[name])",
        "wide(gradients[name].detach())",
        "masks.grasp",
    ),
    replaced("mean square SNIP for its root", scores, "rms_snip", lambda right: lambda *a: right(*a) ** 2, "masks"),
    replaced(
        "trained from 0",
        training,
        "trained_from",
        lambda right: lambda X, y, w0: right(X, y, 0 * w0),
        "masks",
    ),
    replaced(
        "drawn by initial weights, error on initial weights",
        training,
        "after_training",
        lambda right: lambda X, w0, w, k, share=0.0: right(X, w0, w0, k, share),
        "masks",
    ),
    replaced(
        "bound by the uniform share without d",
        training,
        "after_training",
        changed(share_bound=lambda a: a.share_bound / 5),
        "masks",
    ),
    replaced("Chebyshev with t^3", tails, "chebyshev", scaled(lambda error, t: 1 / t), "masks"),
    replaced(
        "Bennett at twice the length", tails, "bennett", lambda right: lambda *a: right(*a[:4], 2 * a[4]), "masks"
    ),
    replaced("open gates without T", HardConcrete, "open_probability", at_temperature_1, "gates"),
    replaced("full gates without T", HardConcrete, "full_probability", at_temperature_1, "gates"),
    replaced("distribution of gates without T", HardConcrete, "cdf", at_temperature_1, "gates"),
    replaced("median of gates without T", HardConcrete, "quantile", at_temperature_1, "gates"),
    replaced("mean of gates for tests", HardConcrete, "mean", lambda _: HardConcrete.deterministic, "gates"),
    replaced(
        "variance of gates that are open or closed",
        HardConcrete,
        "variance",
        lambda _: lambda self, a: self.mean(a) * (1 - self.mean(a)),
        "gates",
    ),
    replaced(
        "gate of tests with T",
        HardConcrete,
        "deterministic",
        lambda right: lambda self, a: right(self, a / self.temperature),
        "gates",
    ),
    replaced("slope of squares cut off", Squared, "gradient", lambda _: lambda self, r: r.clip(-0.5, 0.5), "bars"),
    replaced(
        "bar of an interpolator by half its divergence",
        pythagoras,
        "_divergence",
        lambda right: lambda *a: (right(*a)[0] / 2, right(*a)[1]),
        "bars",
    ),
    replaced(
        "bar of an interpolator without its root",
        error_bars,
        "interpolator_bar",
        lambda _: lambda *a: 4 * pythagoras._divergence(*a)[0],
        "bars",
    ),
    replaced(
        "bar of a limit with half of the metric",
        limits,
        "_self_concordant",
        lambda right: lambda *a: (bar := right(*a))._replace(entries=bar.entries / 2, error=bar.error / 2),
        "bars",
    ),
    replaced(
        "bar by self-concordance, as if the metric did not change",
        Hyperbolic,
        "metric_slope",
        lambda right: lambda *a: 1e-9 * right(*a),
        "bars",
    ),
    replaced("f without its 1/2", Problem, "value", lambda right: lambda self, x: 2 * right(self, x), "gates"),
    replaced("error of gates without variance", moments, "sketch_error", changed(variance=lambda e: 0.0), "gates"),
    replaced(
        "gates of tests twice as decided", HardConcrete, "_clipped", lambda r: lambda self, a: r(self, 2 * a), "gates"
    ),
    edited(
        "logits generated up to log 10",
        gates_generator,
        "_generated",
        "row.mul_(_LARGEST)",
        "row.mul_(math.log(10))",
        "gates",
    ),
    edited(
        "logits generated with tanh twice",
        gates_generator,
        "_generated",
        ").tanh_()",
        ").mul_(2).tanh_()",
        "gates",
    ),
    replaced(
        "P(z > 0) of networks without T",
        networks_gates,
        "open_probability",
        lambda right: lambda a: right(a - 0.1),
        "gates",
    ),
    edited(
        "Adam of gates at half its rate",
        networks_gates.SGDAndAdam,
        "step",
        'group["adam_lr"]}',
        'group["adam_lr"] / 2}',
        "gates",
    ),
    edited(
        "Adam of gates with another eps",
        networks_gates.SGDAndAdam,
        "step",
        "{**group,",
        '{**group, "eps": 1e-6,',
        "gates",
    ),
    edited(
        "Adam for SGD",
        networks_gates.SGDAndAdam,
        "step",
        "(self._sgd, self._adam)",
        "(self._adam, self._adam)",
        "gates",
    ),
    edited(
        "least norms: a dual vector with one side",
        certificates,
        "l1_certificate",
        "np.abs(_relative(slopes, thresholds)).max()",
        "_relative(slopes, thresholds).max()",
        CHECKS,
    ),
    edited(
        "least norms: one threshold for both sides",
        certificates,
        "l1_certificate",
        "t_minus @ np.maximum(-x, 0)",
        "t_plus @ np.maximum(-x, 0)",
        CHECKS,
    ),
    edited("least norms: thresholds exchanged", certificates, "_relative", "slopes > 0", "slopes < 0", CHECKS),
    edited("least norms: dual not scaled", certificates, "l1_certificate", " / max(1.0, slope)", "", CHECKS),
    edited("digits of the dual left out", certificates, "pull", "rest is None or", "True or", CHECKS),
    edited("residuals from above alone", certificates, "feasibility", "np.abs(r).max()", "r.max()", CHECKS),
    edited(
        "x above primal(z) alone",
        certificates,
        "certify_limit",
        "np.abs(x - represented).max()",
        "(x - represented).max()",
        CHECKS,
    ),
    edited("gap of squares in other units", certificates, "certify_limit", "(2 * rate)", "(2 / rate)", CHECKS),
    edited("gap near the solution", certificates, "_hyperbolic_gap", "difference**2 / 4", "difference**2 / 2", CHECKS),
    edited("gap without the conjugate", certificates, "_hyperbolic_gap", "(1 + np.exp(-2", "(1 - np.exp(-2", CHECKS),
    edited("gap at b = 0 without log 2", certificates, "_log_arcsinh", "np.log(2 * size)", "np.log(size)", CHECKS),
    edited("gap of depth D near it", certificates, "_power_gap", "difference**2 / 2", "difference**2", CHECKS),
    edited("gap of depth D with p alone", certificates, "_power_gap", " + np.exp(2 * log_q)", "", CHECKS),
    edited("gap of depth D in one unit", certificates, "_power_gap", "height / unit * gap", "height * gap", CHECKS),
    edited("primal of one's own not looked at", certificates, "_own_gap", "/ (2 * h)", "* 0 + represented", CHECKS),
    edited("potential of one's own without conjugate", certificates, "_own_gap", "conjugate, x", "0 * x, x", CHECKS),
    edited(
        "nuclear norm: matrices that are not symmetric",
        certificates,
        "nuclear_certificate",
        "float(np.abs(M - M.T).max()), 0.0",
        "0.0",
        CHECKS,
    ),
    edited(
        "nuclear norm: negative eigenvalues",
        certificates,
        "nuclear_certificate",
        "-float(np.linalg.eigvalsh(M + M.T)[0]) / 2",
        "0.0",
        CHECKS,
    ),
    edited(
        "nuclear norm: slopes on one side",
        certificates,
        "nuclear_certificate",
        " if positive else np.linalg.norm(slope, 2)",
        "",
        CHECKS,
    ),
    edited(
        "LASSO: correlations on one side",
        certificates,
        "lasso_certificate",
        "np.abs(problem.X.T @ dual).max()",
        "(problem.X.T @ dual).max()",
        CHECKS,
    ),
    edited("error of x, not of its share", certificates, "with_error", "error / (size or 1.0)", "error", CHECKS),
    replaced("looser limits", certificates, "certify_limit", looser, CHECKS),
    replaced("looser least norms", certificates, "l1_certificate", looser, CHECKS),
    replaced("looser nuclear norms", certificates, "nuclear_certificate", looser, CHECKS),
    replaced("looser LASSO", certificates, "lasso_certificate", looser, CHECKS),
    replaced(
        "stable step with alpha for 2 alpha",
        discrete,
        "largest_stable_step",
        lambda right: lambda *a, penalty=0.0, **options: right(*a, penalty=penalty / 2, **options),
        "solvers/test_descent_edges.py",
    ),
    edited(
        "layers that lose alpha, not 2 alpha",
        DeepLinear,
        "unused_slope",
        "- 2 * alpha",
        "- alpha",
        "parametrizations/test_linear_networks.py",
    ),
    edited(
        "slope of all entries of a product",
        DeepLinear,
        "unused_slope",
        ", 2)) -",
        ")) -",
        "parametrizations/test_linear_networks.py",
    ),
    edited(
        "slope that raises f",
        Factorized,
        "unused_slope",
        "-np.linalg.eigvalsh(G + G.T)[0]",
        "np.linalg.eigvalsh(G + G.T)[-1]",
        "parametrizations/test_linear_networks.py",
    ),
    edited(
        "of equal scores the last",
        selection,
        "_largest",
        "[: k - np.count_nonzero(kept)]",
        "[np.count_nonzero(kept) - k :]",
        "sketching/test_selection.py",
    ),
    *(
        replaced(f"compiled flow: {name}", kernel, "advance", wrong, "bars.defect", "mirror.reduction")
        for name, wrong in (
            ("half of its speed", lambda right: lambda flow, *a: right((*flow[:4], flow[4] / 2, flow[5]), *a)),
            ("no tilt", lambda right: lambda flow, *a: right((*flow[:2], 0 * flow[2], *flow[3:]), *a)),
            ("twice the scale", lambda right: lambda flow, *a: right((*flow[:3], flow[3] + np.log(2), *flow[4:]), *a)),
            ("a tenth more of y", lambda right: lambda flow, *a: right((flow[0], 1.1 * flow[1], *flow[2:]), *a)),
        )
    ),
    replaced("a path's bar a thirtieth", kernel, "advance", bars_lost, "bars.defect"),
    *(
        edited(f"rest: {name}", resting, "error_at_rest", was, now, "solvers/test_resting.py")
        for name, was, now in (
            ("twice the rate", "-speed * (t[-1] - t)", "-2 * speed * (t[-1] - t)"),
            ("errors before are forgotten", "apart = errors + ", "apart = 0 * errors + "),
            ("the end is where it goes", ".min()) + away", ".min()) + 0 * away"),
            ("the metric stays", "-2 * longest * (away + apart)", "-0 * longest * (away + apart)"),
        )
    ),
    edited("a path's bar without its duals", _flow, "error_of_point", "(A), error)", "(A), 0 * error)", "bars.defect"),
    *(
        edited(f"bars of batches: {name}", owner, attribute, was, now, BATCHES)
        for name, owner, attribute, was, now in (
            ("slope 1 of log metric", batch_bars, "bars", "2 * xp.max(kappa", "xp.max(kappa"),
            ("a metric that does not grow", batch_bars, "bars", "xp.expm1(2 * moved) / 2", "moved"),
            ("no delta / (1 - exp(-delta))", batch_bars, "bars", "stretch = 1 + delta", "stretch = 1 + 0 * delta"),
            ("half of the metric's root", batch_bars, "bars", "xp.sqrt(xp.sum(metric", "0.5 * xp.sqrt(xp.sum(metric"),
            ("kappa halved", batch_bars, "bars", "1 / root), reach)", "0.5 / root), reach)"),
            ("residuals exact", batch_bars, "bars", "found.norm(r, inexact) + ", "found.norm(0 * r, inexact) + "),
            ("x exact", batch_bars, "_point", "_LIBRARY * x", "0 * x"),
            ("vertices that fit exactly", vertices, "_errors", "2.02 * (eta + ", "2.02 * (0 * eta + "),
            ("dual vectors that fit exactly", vertices, "_errors", "inexact * weight)", "0 * inexact * weight)"),
            ("no way back to the support", vertices, "_errors", "1 + 1.01 * K", "1 + 0 * K"),
            ("slack 1", vertices, "_errors", "worst / slack", "worst"),
            ("columns beyond their thresholds", vertices, "_errors", "(xp.min(slack, axis=-1) > 0)", "(lost < 1)"),
            ("weights change sign", supports, "proved", "xp.all(right, axis=-1)", "xp.all(right | True, axis=-1)"),
            ("slopes of the LASSO exact", supports, "_below", "stack.lengths * apart", "0 * stack.lengths * apart"),
            ("a column left out", supports, "proved", "whole.sound & all_there", "whole.sound"),
            ("steps of the LASSO exact", supports, "proved", "whole.reach * eta", "0 * whole.reach * eta"),
        )
    ),
    edited(
        "dual vectors not away from thresholds",
        error_bars,
        "central_duals",
        "best, least = xp.where(height < least, s, best)",
        "best, least = xp.where(least < math.inf, best, s)",
        "solvers/test_central_duals.py",
    ),
    edited(
        "dual vectors that leave the support",
        error_bars,
        "central_duals",
        "weight = xp.where(on, _HELD, (",
        "weight = xp.where(on, 0.0, (",
        "solvers/test_central_duals.py",
    ),
    *(
        edited(f"rounding in batches: {name}", owner, attribute, was, now, ROUNDING)
        for name, owner, attribute, was, now in (
            ("Hessians exact", batch_factors, "factors", "1 - 1.01 * gamma", "1 - 0 * gamma"),
            ("vectors exact", Factors, "norm", " + self.reach * error", ""),
            ("products of eps", rounding, "of_pull", "8 * (n + 2) ** 2", "1e-6"),
            ("products without underflow", rounding, "of_pull", " + n * _UNDERFLOW", ""),
            ("residuals of eps", rounding, "residual", "(2 * (d + 2) * UNIT)", "(1e-3 * UNIT)"),
            ("residuals as exact as before", rounding, "rounded", " + 2 * UNIT * norm(v.hi)", ""),
        )
    ),
    replaced("Newton's method a millionth off", DualNewton, "solve", slightly_off, "mirror", "depth"),
    edited("saddles: who is blocked stays", SignedFit, "enter", "* target < 0", "* target < -np.inf", "saddles"),
    edited(
        "saddles: points before the jump", SaddlePath, "at", '"right"', '"left"', "saddles", "solvers/test_saddles.py"
    ),
    edited("saddles: averages over twice the time", SaddlePath, "average", "tau, 1.0", "2 * tau, 1.0", "saddles"),
    edited(
        "saddles: sigma from the jump before",
        SaddlePath,
        "dual_at",
        "return sigma[k]",
        "return sigma[before]",
        "saddles",
    ),
    edited("finite steps: half of the penalty", LogProducts, "step", "(2 * alpha + g)", "(alpha + g)", "steps"),
    edited("finite steps: rho of v forgotten", LogProducts, "step", "1 / self._rho_v", "1 / self._rho_u", "steps"),
    edited("depth D: penalty by theta", Power, "penalty_gradient", "2 * theta", "theta", "depth"),
    edited("depth D: slope without D", Power, "pullback", "self.depth * theta", "theta", "depth", "twins"),
    edited("HAM: a quarter for a half", HAMNetwork, "pullback", "0.5 * self.a", "0.25 * self.a", "mirror.ham", "twins"),
    edited(
        "HAM: a half for a quarter", HAMNetwork, "effective", "0.25 * self.a", "0.5 * self.a", "mirror.ham", "twins"
    ),
    edited("U U' twice", Factorized, "effective", "(U @ V.T)", "(2 * U @ V.T)", "networks", "twins"),
    *(
        replaced(
            f"values of {name} halved", getattr(schedules, name), "_alpha", lambda r: lambda *a: r(*a) / 2, "twins"
        )
        # Not of Geometric, whose integral is made of them.
        for name in ("Constant", "Harmonic", "Quadratic", "Piecewise", "SwitchedOff")
    ),
    replaced("LASSO without signs", lasso, "lasso", changed(x=lambda s: np.abs(s.x)), "spred", "decay"),
    replaced(
        "least squares of other targets",
        couplings,
        "minimum_l2",
        lambda right: lambda p: right(Problem(p.X, 1.01 * p.y)),
        "gates",
    ),
    replaced("excess of a temperature, its root", temperature, "excess", lambda r: lambda *a: r(*a) ** 0.5, "masks"),
    edited("Bennett without its factor", tails, "bennett", "2 * np.exp", "0.01 * np.exp", "masks.tails"),
    edited("Bennett with another variance", tails, "bennett", "steps**2 / factors[drawn]", "steps**2", "masks.tails"),
    stated("rate of convergence doubled", "convergence.rate", speed=2.0),
    stated("global rate doubled", "convergence.global", speed=2.0),
    stated("rate with penalty, without the integral", "convergence.rate.penalty", drift=0.0),
    stated("W/t halved", "convergence.best", speed=2.0),
    stated("kernel regime at time t/b", "regimes.kernel.path", speed=1.0),
    stated("kernel regime of depth 2 at all depths", "depth.kernel", deep=False),
    stated("heavy ball without inertia", "steps.momentum.path", inertia=0.0),
    stated("L1 bound without d/e", "regimes.l1.bound", per_feature=0.0),
    stated("HAM ends in the potential of 1 + a|x|/2", "mirror.ham", metric=0.5),
    stated("depth 2 approaches minimum L1 like b", "regimes.l1.rate", share=0.0),
    stated("weights off the support as if x1 were half of it", "regimes.l1.constant", twice=1.0),
    replaced(
        "limit at half the scale",
        small_scales,
        "limit",
        lambda right: lambda problem, network: right(problem, network, np.log(2) / 4),
        "regimes.l1.constant",
    ),
    stated("factors of groups charged twice", "spred.groups", share=1.0),
    stated("D gates: a penalty divided by D on weights too", "spred.groups.depth", divided=1),
    stated("imbalance of gates falls half as fast", "spred.groups.balance", exponent=2.0),
    stated("spred stable up to alpha", "spred.stability", threshold=1.0),
    stated("bias at x_0 exp(-2A)", "mirror.positional_bias", exponent=2.0),
    stated("Bregman divergence in place of Lyapunov's function", "mirror.lyapunov", follow_target=True),
    stated("unequal scales end in minimum L2", "regimes.l2.unequal", power=0.0),
    stated("x_0 != 0, b -> 0 ends in minimum L1", "regimes.biased", weight=0.0),
    stated("one step: (1 - 4 eta alpha) - eta^2 g^2", "steps.scale", cross=0.0),
    stated("(m^2 - w^2)/2 with its sign after crossings", "steps.closed_form", signed=True),
    stated("scale grows beyond |eta g| = 1", "steps.growth", threshold=1.0),
    stated("end of finite steps tilted like the flow's", "steps.limit", tilted=False),
    stated("mirror descent by steps in m and w", "steps.mirror_descent", geometry="factors"),
    stated("mirror descent: twice its rate", "steps.mirror_descent.rate", times=2.0),
    stated("mirror descent: steps of 2.5/lambda stable", "steps.mirror_descent.stable", longest=2.5),
    stated("mirror descent: ergodic bound without squares of gradients", "steps.mirror_descent.ergodic", squares=0.0),
    stated("sharpness by sqrt(x^2 + b^2)", "steps.sharpness", factor=1.0),
    stated("stable up to 4/eta", "steps.stability", factor=1.0),
    stated("the loss falls with steps of 2.5/lambda", "steps.descent", longest=2.5),
    stated("the divergence falls with steps of 2.5/lambda", "steps.divergence", longest=2.5),
    stated("minima of deep networks flatter than they can be", "networks.sharpness", more=1.0),
    stated("SynFlow: mean scores of layers conserved", "masks.synflow", mean=True),
    stated("GraSP: the slope without 2", "masks.grasp", slope=1.0),
    stated("isotropic data: nothing to learn", "masks.data_free.isotropic", blind=0.0),
    replaced("gradient of w halved where loss is 0", Hadamard, "pullback", pullback_without_factor, "steps.sharpness"),
    stated("momentum: phi without beta(1 - 1/rho)", "steps.momentum", memory=0.0),
    stated("momentum: gamma/(1-beta)^2", "steps.momentum.scale", as_flow=True),
    stated("lower bound with |L|_2 / sqrt d", "steps.l1_bound", norm=2.0),
    stated("depth D: D^2 for D(D-2)", "depth.closed_form", missing=0),
    stated("depth D: half the L1 bound", "depth.l1.bound", factor=0.5),
    stated("unbalanced depth: a root left out", "depth.unbalanced.dual", missing=1),
    replaced(
        "unbalanced depth: thresholds exchanged",
        unbalanced,
        "thresholds",
        lambda right: lambda factors: right(factors)[::-1],
        "depth.unbalanced",
    ),
    stated("quadratic networks: potential without penalty", "mirror.quadratic.limit", penalised=0.0),
    replaced(
        "quadratic networks: gradient halved",
        Quadratic,
        "pullback",
        lambda right: lambda self, theta, g: 0.5 * right(self, theta, g),
        "mirror.quadratic",
    ),
    replaced(
        "quadratic networks: potential that decays at half the rate",
        QuadraticPotential,
        "primal",
        lambda right: lambda self, z, A: right(self, z, 0.5 * A),
        "mirror.quadratic",
        "twins",
    ),
    replaced(
        "quadratic networks: measurements halved",
        Quadratic,
        "sensing",
        lambda right: classmethod(lambda cls, X, U0: right.__func__(cls, 0.5 * X, U0)),
        "networks.low_rank.limit",
    ),
    stated("steepest flow: balance of gradient descent", "steepest.balance", exponent=2.0),
    stated("steepest flow: metric of gradient descent", "steepest.metric", squares=True),
    stated("sign descent: balance decays twice as fast", "steepest.sign", power=2),
    stated("steepest flow: k = q at depth L", "steepest.depth", layers=0),
    stated("noise of SGD spread evenly over samples", "steps.noise.sgd", each=False),
    stated("label noise: half of the drift of the scale", "steps.noise.labels", share=0.5),
    stated("label noise goes to the least L1 norm", "steps.noise.end", weighted=False),
    stated("trace of the Hessian without 2", "steps.noise.trace", factor=1.0),
    stated("escape of depth D - 1", "depth.escape", shallower=1),
    stated("a layer's coordinates that are not orthogonal", "networks.orthogonal", orthogonal=False),
    stated("margins normalised by a power too many", "margin.monotone", higher=1.0),
    replaced(
        "margin: the largest in L2 for that in L1",
        margins,
        "max_margin",
        lambda right: lambda problem, norm: right(problem, 2),
        "margin.direction",
    ),
    replaced(
        "margin: labels left out",
        _margin_flow,
        "signed_samples",
        lambda right: lambda problem, asker: problem.X,
        "margin",
    ),
    replaced(
        "logistic loss with the slope of the exponential one",
        _margin_flow,
        "_logistic",
        lambda right: lambda q: (right(q)[0], -q),
        "solvers/test_separable.py",
    ),
    stated("saddles: nobody leaves", "saddles.rules", leaving=False),
    stated("saddles: fits without regard to signs", "saddles.end", signed=False),
    stated("saddles: time in units of log(1/b)", "saddles.flow", unit=1.0),
    stated("averaged path is LASSO always", "saddles.average", condition=False),
    stated("imbalance of layers decays with exp(-2A)", "networks.balance.penalty", exponent=2.0),
    stated("singular values learned at half the speed", "networks.modes", speed=1.0),
    stated("imbalance of layers constant in discrete time", "networks.balance.step", second=0.0),
    stated("excess of the nuclear norm alpha^gap", "networks.low_rank.rate", power=1.0),
    stated("draws: S2 without |Xw|^2", "masks.second_moment", signal=0.0),
    stated("tosses: (1-q) for (1-q)/q", "masks.bernoulli", divided=0),
    stated("top-k: a third of the error of draws", "masks.top_k.orthogonal", share=1 / 3),
    stated("linearised network: |f|^2 for |J theta|^2", "masks.network", degree=1),
    stated("linearisation gap halved", "masks.network.gap", factor=0.5),
    stated("gates: T missing in P(z > 0)", "gates.atoms", tempered=0),
    stated("penalty of gates: a layer's outputs for its inputs", "gates.penalty", back=0),
    stated("gates: error without covariances of pairs", "gates.error", pairs=False),
    stated("gates that share a random start taken for independent", "gates.generator", drawn=False),
    stated("gates that agree are always best", "gates.pair", look=False),
    stated("copies that agree make no error", "gates.copies", together=0.0),
    stated("independent gates best at given probabilities", "gates.optimum", free=False),
    stated("Adam: lambda without regard to eps", "gates.adam.speed", compared=0.0),
    stated("Adam: the same eps for every lambda", "gates.adam", divided=0),
    stated("Adam: lambda cancelled where data reach the logits", "gates.adam.limit", data=1.0),
    stated("gradient descent cancels lambda", "gates.sgd", adaptive=True),
    stated("orthogonality of errors at another scale", "bars.pythagoras", exponent=2.0),
    stated("Pinsker with 2 for 4", "bars.interpolator", pinsker=2.0),
    stated("Pinsker without the root", "bars.interpolator", root=1.0),
    stated("self-concordance without delta / (1 - exp(-delta))", "bars.self_concordance", curved=False),
    stated("the sum of errors as if H did not change", "bars.self_concordance.sum", curved=False),
    edited(
        "the sum of errors as if H did not change, enclosed",
        limits,
        "_self_concordant",
        "1.02 * decrement / (1 - steepest) * float",
        "1.02 * decrement * float",
        "bars.self_concordance.sum",
    ),
    stated("sharpness without the way back to the support", "bars.sharpness", back=0.0),
    stated("half of the defect", "bars.defect", weight=0.5),
)


def verdicts(findings: list[Finding]) -> dict[str, tuple[str, bool]]:
    return {finding.theorem.id: (finding.verdict.name, finding.control_failed) for finding in findings}


def passing(tests: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Whether files of tests pass, as things are at the moment."""
    found = {}
    for path in tests:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]  # what they have imported by name is of the run before
        with redirect_stdout(io.StringIO()) as output:
            code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(ROOT / path)])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"{path} was not run: {output.getvalue()}")
        found[path] = ("passes" if code == pytest.ExitCode.OK else "fails", True)
    return found


def outcome(index: int | None, theorems: tuple[str, ...], tests: tuple[str, ...]) -> dict[str, tuple[str, bool]]:
    """Verdicts on the instances, and outcomes of tests, without a mutant or with one of them in place."""
    with nullcontext() if index is None else MUTANTS[index].applied(), np.errstate(all="ignore"):
        found = verdicts(check(theorems, instances=INSTANCES)) if theorems else {}
        return found | passing(tests)


def together(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))


def chosen(words: Sequence[str]) -> list[int]:
    """Indices of the mutants with one of the words in their name or in what is asked about them; no words, all."""
    texts = [" ".join([one.name, *one.theorems, *one.tests]) for one in MUTANTS]
    return [i for i, text in enumerate(texts) if not words or any(word in text for word in words)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only mutants with one of these in their name or what it is caught by")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at once (default: 2)")
    asked = parser.parse_args()
    indices = chosen(asked.words)
    mutants = [MUTANTS[i] for i in indices]
    console = Console(width=130)
    # Imported by name: what is defined in __main__ would travel to the workers as a copy, ledger included.
    run = importlib.import_module("tools.mutants").outcome
    everything = together(one.theorems for one in mutants), together(one.tests for one in mutants)
    tasks = [(None, *everything), *((i, MUTANTS[i].theorems, MUTANTS[i].tests) for i in indices)]
    right, *mutated = Parallel(n_jobs=asked.jobs)(delayed(run)(*task) for task in tasks)
    if failing := [one for one, (verdict, _) in right.items() if verdict in ("fails", "error")]:
        raise SystemExit(f"without any mutant, and so unable to catch one: {', '.join(failing)}")
    table = Table("mutant", "caught by", box=SIMPLE_HEAD)
    survivors = 0
    for mutant, wrong in zip(mutants, mutated, strict=True):
        caught = [asked for asked in wrong if wrong[asked] != right[asked]]
        survivors += not caught
        more = f" and {len(caught) - 4} more" if len(caught) > 4 else ""
        table.add_row(mutant.name, ", ".join(caught[:4]) + more if caught else "[bold red]survives[/]")
    console.print(table)
    print(f"{len(indices) - survivors} of {len(indices)} mutants caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
