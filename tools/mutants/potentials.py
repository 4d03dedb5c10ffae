"""Wrong potentials, parametrizations, problems and penalties."""

from collections.abc import Callable

import numpy as np

from linreg_mirror import schedules
from linreg_mirror.mirrors import HAM, Euclidean, Hyperbolic
from linreg_mirror.mirrors import Power as DeepPotential
from linreg_mirror.mirrors import Quadratic as QuadraticPotential
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
from linreg_mirror.problems import Problem, losses
from linreg_mirror.problems.losses import Huber, Squared
from tools.mutants.change import edited, replaced


def pullback_without_factor(right: Callable) -> Callable:
    return lambda self, theta, g: right(self, theta, g) * np.concatenate([np.ones(self.d), np.full(self.d, 0.5)])


def first_halved(right: Callable) -> Callable:
    def pullback(self, theta, g):
        size = self.weights[0].size
        return right(self, theta, g) * np.where(np.arange(theta.size) < size, 0.5, 1.0)

    return pullback


def wrong_bracket(right: Callable) -> Callable:
    def bracket(network, i, j, theta):
        e = np.eye(network.d)
        g = network.pullback(theta, e[j]) if j >= 0 else network.penalty_gradient(theta)
        return right(network, i, j, theta) + g

    return bracket


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
    # Of steps alone: Newton's method of implicit integrators, whose Jacobian is that of f, takes minutes along flows.
    replaced("gradient of f doubled", Problem, "gradient", lambda right: lambda self, x: 2 * right(self, x), "steps"),
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
    replaced(
        "Huber's gradient unclipped", Huber, "gradient", lambda _: lambda self, r: r, "convergence.best", "twins.loss"
    ),
    *(
        replaced(
            f"{method} of {name} halved", getattr(losses, name), method, lambda r: lambda *a: r(*a) / 2, "twins.loss"
        )
        for name in ("Squared", "Huber", "LogCosh", "JointCauchy", "EntrywiseCauchy")
        for method in ("value", "gradient", "hessian_product")
    ),
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
        "gradient of the first layer halved, in steps", DeepLinear, "pullback", first_halved, "networks.balance.step"
    ),
    replaced("pullback of m*w without its factor", Hadamard, "pullback", pullback_without_factor, "twins"),
    replaced(
        "pullback of p^D - q^D without a sign",
        Power,
        "pullback",
        lambda r: lambda s, p, g: r(s, p, np.abs(g)),
        "twins",
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
            f"{name}'s integral halved",
            getattr(schedules, name),
            "_integral",
            lambda r: lambda *a: r(*a) / 2,
            "twins",
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
    replaced("slope of squares cut off", Squared, "gradient", lambda _: lambda self, r: r.clip(-0.5, 0.5), "bars"),
    replaced(
        "bar by self-concordance, as if the metric did not change",
        Hyperbolic,
        "metric_slope",
        lambda right: lambda *a: 1e-9 * right(*a),
        "bars",
    ),
    replaced("f without its 1/2", Problem, "value", lambda right: lambda self, x: 2 * right(self, x), "gates"),
    edited(
        "layers that lose alpha, not 2 alpha",
        DeepLinear,
        "unused_slope",
        "- 2 * alpha",
        "- alpha",
        "twins.unused_slope",
    ),
    edited(
        "slope of all entries of a product",
        DeepLinear,
        "unused_slope",
        ", 2)) -",
        ")) -",
        "twins.unused_slope",
    ),
    edited(
        "slope that raises f",
        Factorized,
        "unused_slope",
        "-np.linalg.eigvalsh(G + G.T)[0]",
        "np.linalg.eigvalsh(G + G.T)[-1]",
        "twins.unused_slope",
    ),
    edited("depth D: penalty by theta", Power, "penalty_gradient", "2 * theta", "theta", "depth"),
    edited("depth D: slope without D", Power, "pullback", "self.depth * theta", "theta", "depth", "twins"),
    edited(
        "HAM: a quarter for a half", HAMNetwork, "pullback", "0.5 * self.a", "0.25 * self.a", "twins.mirror", "twins"
    ),
    edited(
        "HAM: a half for a quarter",
        HAMNetwork,
        "effective",
        "0.25 * self.a",
        "0.5 * self.a",
        "twins.mirror",
        "twins",
    ),
    edited("U U' twice", Factorized, "effective", "(U @ V.T)", "(2 * U @ V.T)", "networks", "twins"),
    *(
        replaced(
            f"values of {name} halved", getattr(schedules, name), "_alpha", lambda r: lambda *a: r(*a) / 2, "twins"
        )
        # Not of Geometric, whose integral is made of them.
        for name in ("Constant", "Harmonic", "Quadratic", "Piecewise", "SwitchedOff")
    ),
    replaced(
        "values of Geometric halved, and so its integral",
        schedules.Geometric,
        "_alpha",
        lambda r: lambda *a: r(*a) / 2,
        "twins.schedule",
    ),
    *(
        replaced(
            f"metric_slope of {owner.__name__} halved",
            owner,
            "metric_slope",
            lambda r: lambda *a: r(*a) / 2,
            "twins.metric_slope",
        )
        for owner in (Hyperbolic, DeepPotential, HAM, QuadraticPotential)
    ),
    edited("HAM: start half way", HAMNetwork, "theta0", "return 2 * ", "return ", "twins.mirror"),
    edited("HAM: potential for twice the penalty", HAMNetwork, "penalty_gradient", "(4 * ", "(2 * ", "twins.mirror"),
    replaced("HAM: of a/2", HAMNetwork, "mirror", lambda _: lambda self: HAM(self.x0, self.a / 2), "twins.mirror"),
    edited("deep: half of the penalty", Power, "penalty_gradient", "2 * theta", "theta", "twins.mirror"),
    edited("two layers: a scale without sqrt 2", DeepLinear, "mirror", " * math.sqrt(2)", " * 1", "twins.mirror"),
    edited("two layers: no tilt", DeepLinear, "mirror", "log_u - log_v", "log_u - log_u", "twins.mirror"),
    edited(
        "quadratic networks: a potential without penalty",
        Quadratic,
        "mirror",
        "= rates[i, k], d",
        "= rates[i, k], 0 * d",
        "twins.mirror",
    ),
    edited(
        "shared masks: the mask twice",
        SharedHadamard,
        "mirror",
        "[self.group], self",
        "[self.group] * 2, self",
        "twins.mirror",
    ),
    edited("plain weights: half of the penalty", Direct, "penalty_gradient", "2 * theta", "theta", "twins.mirror"),
    replaced("gradient of w halved where loss is 0", Hadamard, "pullback", pullback_without_factor, "steps.sharpness"),
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
)
