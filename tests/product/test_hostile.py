"""Every public function of the core meets hostile arguments, and gives an honest answer or names what is wrong."""

import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import linreg_mirror as lm
from linreg_mirror import hard_concrete, mirrors, problems, schedules
from linreg_mirror.problems import losses
from linreg_mirror.solvers.saddles import thresholds
from tests.helpers.hostile import Plain, assert_honest, attack, public_names

N, D = 3, 5
# Words of scikit-learn's messages that stand for X and y.
SKLEARN = [
    *("sample", "samples", "feature", "features", "dimension", "array", "numeric", "data", "input", "2D", "1d", "1D"),
    *("NaN", "infinity", "Complex data", "problem"),
]


def depth_3(h: Plain) -> lm.Power:
    h.names += ["network", "scale"]
    return lm.Power.from_scale(h.array("alpha", (D,), low=0.5), depth=3, x0=h.array("x0", (D,)))


def direct(h: Plain) -> lm.Direct:
    h.names.append("network")
    return lm.Direct(h.array("x0", (D,)))


def represented(h: Plain, of: Callable[[Plain], Any]) -> Any:
    run = lm.descent(tame(), of(h), 1e-3, steps=20)
    return run.bias and run.bias.represented(tame())


def regressor(h: Plain) -> Any:
    h.names += SKLEARN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # which says that the certificate fails
        warnings.simplefilter("ignore", DataConversionWarning)  # y is taken as a vector
        return lm.MirrorRegressor(scale=h.number("scale", 0.1), tol=h.number("tol", 1e-9)).fit(
            h.array("X", (N, D)), h.array("y", (N,))
        )


def predicted(h: Plain, fitted: Callable[[Plain], Any] = regressor) -> Any:
    h.names += SKLEARN
    return fitted(Plain()).predict(h.array("X", (N, D)))


def stopped(h: Plain) -> Any:
    h.names += SKLEARN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # which says that a flow was not followed to its end
        warnings.simplefilter("ignore", DataConversionWarning)  # y is taken as a vector
        return lm.MirrorRegressorCV(scales=h.array("scales", (2,), 0.1), n_points=h.count("n_points", 5), cv=2).fit(
            h.array("X", (N, D)), h.array("y", (N,))
        )


def cited(h: Plain) -> Any:
    h.names.append("cite")
    return lm.citation(h.array("subjects", (2,)) if h.hostile else "flow")


def penalty(h: Plain) -> Any:
    h.names += ["value", "a schedule"]
    return h.number("penalty", 0.0)


def deep_mirror(h: Plain) -> Any:
    h.names.append("product")
    return lm.DeepLinear((h.array("W_1", (2, 1)), 2 * np.ones((1, 2)))).mirror().initial_dual


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def problem(h: Plain) -> lm.Problem:
    h.names.append("problem")
    return lm.Problem(h.array("X", (N, D)), h.array("y", (N,)))


def labelled(h: Plain) -> lm.Problem:
    h.names += ["labels", "separable"]
    return lm.Problem(h.array("X", (N, D)), [1, -1, 1])


def network(h: Plain) -> lm.Hadamard:
    h.names += ["network", "scale"]
    return lm.Hadamard.from_scale(h.array("b", (D,), low=0.5), x0=h.array("x0", (D,)))


def tame() -> lm.Problem:
    return lm.Problem(Plain().array("X", (N, D)), Plain().array("y", (N,)))


def solver(solve: Callable[[lm.Problem], Any]) -> Callable[[Plain], Any]:
    return lambda h: solve(problem(h))


def factors(h: Plain) -> lm.Factorized:
    return lm.Factorized(h.array("U0", (2, 2)), h.array("V0", (3, 2)))


def layers(h: Plain) -> lm.DeepLinear:
    return lm.DeepLinear((h.array("W_1", (2, 3)), h.array("W_2", (1, 2))))


def shared(h: Plain) -> lm.SharedHadamard:
    return lm.SharedHadamard(h.array("m0", (2,)), h.array("w0", (D,)), np.array([0, 1, 0, 1, 1]))


def ordinary_networks() -> dict[str, Any]:
    h = Plain()
    return {
        "HAM": ham(h), "Hadamard": network(h), "Direct": lm.Direct(h.array("x0", (D,))), "Factorized": factors(h),
        "DeepLinear": layers(h), "SharedHadamard": shared(h),
        "Power": lm.Power(h.array("p0", (D,), low=0.5), h.array("q0", (D,), low=0.5), 3), "Quadratic": quadratic(h),
    }  # fmt: skip


PAIRS = np.zeros((D, 2 * D, 2 * D))
PAIRS[range(D), range(D), range(D, 2 * D)] = PAIRS[range(D), range(D, 2 * D), range(D)] = 1.0


def quadratic(h: Plain) -> lm.Quadratic:
    h.names += ["A", "B", "w0"]
    return lm.Quadratic(PAIRS, h.array("w0", (2 * D,)))


def ham(h: Plain) -> lm.HAM:
    return lm.HAM(h.array("x0", (D,)), h.number("a", 2.0))


def of_theta(name: str, method: str) -> Callable[[Plain], Any]:
    """A formula of a network, at hostile parameters."""

    def case(h: Plain) -> Any:
        one = ordinary_networks()[name]
        theta, x = h.finite("theta", one.theta0.shape, 1e101), h.finite("grad_x", (one.d,), 1e101)
        arguments = {"pullback": (theta, x), "unused_slope": (x, 0.1), "second_order": (theta, x, 0.1)}
        arguments = arguments.get(method, (theta,))
        return getattr(one, method)(*arguments)

    return case


def of_mirror(name: str, method: str) -> Callable[[Plain], Any]:
    def case(h: Plain) -> Any:
        kinds = {
            "Euclidean": lambda: mirrors.Euclidean(np.zeros(D)),
            "HAM": lambda: mirrors.HAM(np.zeros(D), 2.0),
            "Hyperbolic": lambda: mirrors.Hyperbolic(np.full(D, -3.0), np.zeros(D)),
            "Power": lambda: mirrors.Power(np.full(D, -3.0), np.zeros(D), 3),
            "Quadratic": lambda: lm.Quadratic(PAIRS, np.repeat([2.0, 1.0], D)).mirror(),
        }
        one, point = kinds[name](), h.finite("z", (D,))
        if method == "resolution":
            return one.resolution(1.0, 0.5)
        if method == "continuation":
            return list(one.continuation(0.5, 1.0))
        if method in ("log_scale_at", "dual_rate"):
            return getattr(one, method)(0.5)
        return getattr(one, method)(point, 0.5, *([0.1] if method == "metric_slope" else ()))

    return case


def of_loss(loss: Any, method: str) -> Callable[[Plain], Any]:
    def case(h: Plain) -> Any:
        r = h.finite("r", (N,))
        return getattr(loss, method)(r, *([h.finite("v", (N,))] if method == "hessian_product" else []))

    return case


SCHEDULES: dict[str, Callable[[Plain], Any]] = {
    "Constant": lambda h: schedules.Constant(h.number("value", 0.5)),
    "Harmonic": lambda h: schedules.Harmonic(h.number("value", 0.5), period=h.number("period", 2.0)),
    "Quadratic": lambda h: schedules.Quadratic(h.number("value", 0.5), period=h.number("period", 2.0)),
    "Geometric": lambda h: schedules.Geometric(
        h.number("value", 0.5), h.number("ratio", 0.5), period=h.number("period", 2.0)
    ),
    "Piecewise": lambda h: schedules.Piecewise([0.0, h.number("times", 1.0)], [h.number("values", 1.0), 0.0]),
    "SwitchedOff": lambda h: schedules.SwitchedOff(schedules.Constant(h.number("value", 0.5)), h.number("at", 1.0)),
}


def of_schedule(name: str, method: str) -> Callable[[Plain], Any]:
    def case(h: Plain) -> Any:
        one = SCHEDULES[name](h)
        if method == "__call__":
            return one(h.array("t", (4,), low=0.0))
        if method == "integral":
            return one.integral(h.number("t0", 0.0), h.array("t1", (4,), low=1.0))
        return one.on_time(h.number("unit", 0.1))

    return case


def random_problem(make: Callable[..., lm.Problem], **own: tuple[str, Any]) -> Callable[[Plain], Any]:
    def case(h: Plain) -> Any:
        h.names.append("y")  # which noise may drown
        more = {name: getattr(h, kind)(name, usual) for name, (kind, usual) in own.items()}
        return make(
            n=h.count("n", N), d=h.count("d", D), nonzeros=h.count("nonzeros", 2), rng=rng(),
            noise=h.number("noise", 0.1), **more,
        )  # fmt: skip

    return case


def gate(h: Plain) -> hard_concrete.HardConcrete:
    return hard_concrete.HardConcrete(h.number("gamma", -0.1), h.number("zeta", 1.1), h.number("temperature", 0.5))


def path() -> lm.SaddlePath:
    return lm.saddles(tame())


# A call of each function, by its name. A case adds to `names` the words of messages that stand for its arguments.
CASES: dict[str, Callable[[Plain], Any]] = {
    "Problem": problem,
    "Problem.require_network": lambda h: tame().require_network(SimpleNamespace(d=h.count("network", D))),
    "Problem.reduced": lambda h: problem(h).reduced()[0],
    "Problem.residual": lambda h: tame().residual(h.finite("x", (D,))),
    "Problem.value": lambda h: tame().value(h.finite("x", (D,))),
    "Problem.gradient": lambda h: tame().gradient(h.finite("x", (D,))),
    "minimum_l1": solver(lm.minimum_l1),
    "minimum_l1 by HiGHS": solver(partial(lm.minimum_l1, method="highs")),
    "minimum_l1 by Clarabel": solver(partial(lm.minimum_l1, method="cvxpy")),
    "minimum_l2": solver(lm.minimum_l2),
    "lasso": lambda h: lm.lasso(problem(h), h.number("weight", 0.1)),
    "limit": lambda h: lm.limit(problem(h), network(h), h.number("decay", 0.1), tolerance=h.number("tolerance", 1e-9)),
    "limit of depth 3": lambda h: lm.limit(problem(h), depth_3(h), h.number("decay", 0.1)),
    "limit of plain weights": lambda h: lm.limit(problem(h), direct(h), h.number("decay", 0.1)),
    "ladder": lambda h: lm.ladder(
        problem(h), network(h), h.array("scales", (3,), low=0.1), decay=h.number("decay", 0.1)
    ),
    "flow": lambda h: lm.flow(
        problem(h), network(h), penalty(h), until=h.number("until", 1.0), max_steps=100,
        tolerance=h.number("tolerance", 1e-3), accuracy=h.number("accuracy", 1e-3),
    ),
    "flow of parameters": lambda h: lm.flow(problem(h), network(h), method="parameters", until=1.0, max_steps=100),
    "flows": lambda h: lm.flows(
        problem(h), [network(h)], penalty(h), until=h.number("until", 1.0), max_steps=100,
        tolerance=h.number("tolerance", 1e-3), accuracy=h.number("accuracy", 1e-3), threads=h.count("threads", 1),
    ),
    "flow until it is over": lambda h: lm.flow(problem(h), network(h), max_steps=100),
    "saddles": lambda h: lm.saddles(problem(h), h.array("weights", (D,), low=0.5)),
    "thresholds of saddles": lambda h: thresholds(h.array("factors", (3, D), low=0.5)),
    "max_margin": lambda h: lm.max_margin(labelled(h), h.count("norm", 2)),
    "margin_flow": lambda h: lm.margin_flow(
        labelled(h), network(h), until=h.number("until", -3.0), accuracy=h.number("accuracy", 1e-4)
    ),
    "MarginPath.margin": lambda h: lm.margin_flow(labelled(Plain()), network(Plain()), until=-1.0).margin(
        h.number("norm", 2.0)
    ),
    "SaddlePath.at": lambda h: path().at(h.array("tau", (4,), low=0.0)),
    "SaddlePath.dual_at": lambda h: path().dual_at(h.array("tau", (4,), low=0.0)),
    "SaddlePath.average": lambda h: path().average(h.array("tau", (4,), low=0.0)),
    "descent": lambda h: lm.descent(
        problem(h), network(h), h.number("step_size", 1e-3), penalty(h), steps=h.count("steps", 50),
        momentum=h.number("momentum", 0.0), tolerance=h.number("tolerance", 1e-3),
    ),
    "descent in batches": lambda h: lm.descent(
        problem(h), network(h), 1e-3, steps=50, batch_size=h.count("batch_size", 2), rng=rng(),
    ),
    "descent in NumPy": lambda h: lm.descent(problem(h), network(h), 1e-3, steps=50, method="numpy"),
    "descents": lambda h: lm.descents(
        h.array("X", (N, D)), h.array("y", (N,)), log_scale=h.array("log_scale", (2, D)), tilt=h.array("tilt", (2, D)),
        step_size=h.number("step_size", 1e-3), penalty=h.number("penalty", 0.0), steps=h.count("steps", 50),
        momentum=h.number("momentum", 0.0), tolerance=h.number("tolerance", 1e-3),
    ),
    "limits": lambda h: lm.limits(
        h.array("X", (2, N, D)), h.array("y", (N,)), log_scale=h.array("log_scale", (D,)),
        tilt=h.array("tilt", (2, D)), decay=h.number("decay", 0.1), tolerance=h.number("tolerance", 1e-9),
        threads=h.count("threads", 1),
    ),
    "minimum_l1s": lambda h: lm.minimum_l1s(h.array("X", (N, D)), h.array("y", (2, N)), threads=h.count("threads", 1)),
    "lassos": lambda h: lm.lassos(
        h.array("X", (N, D)), h.array("y", (N,)), h.array("weight", (2,), low=0.1), threads=h.count("threads", 1)
    ),
    "largest_stable_step": lambda h: lm.largest_stable_step(
        problem(h), network(h), momentum=h.number("momentum", 0.0), penalty=h.number("penalty", 0.0)
    ),
    "ImplicitBias.represented": lambda h: represented(h, network),
    "ImplicitBias.represented at depth 3": lambda h: represented(h, depth_3),
    # Networks.
    "Hadamard": lambda h: lm.Hadamard(h.array("m0", (D,), low=4.0), h.array("w0", (D,))),
    "Hadamard.at": lambda h: lm.Hadamard.at(h.array("x0", (D,)), h.number("beta", 1.0), d=h.count("d", D)),
    "Hadamard.from_scale": lambda h: lm.Hadamard.from_scale(
        log_b=h.array("log_b", (D,)), x0=h.array("x0", (D,)), d=h.count("d", D)
    ),
    "Hadamard.from_alpha": lambda h: lm.Hadamard.from_alpha(h.array("alpha", (D,), low=0.1), d=h.count("d", D)),
    "Hadamard.balanced": lambda h: lm.Hadamard.balanced(h.array("x0", (D,))),
    "Hadamard.from_tilt": lambda h: lm.Hadamard.from_tilt(h.array("log_b", (D,)), h.array("tilt", (D,))),
    "HAM": ham,
    "HAM.at": lambda h: lm.HAM.at(h.array("x0", (D,)), a=h.number("a", 2.0), d=h.count("d", D)),
    "limit of HAM": lambda h: lm.limit(problem(h), ham(h), h.number("decay", 0.1)),
    "Direct": lambda h: lm.Direct(h.array("x0", (D,))),
    "Direct.at": lambda h: lm.Direct.at(h.array("x0", (D,)), d=h.count("d", D)),
    "Factorized": factors,
    "Factorized.symmetric": lambda h: lm.Factorized.symmetric(h.array("U0", (3, 2))),
    "DeepLinear": layers,
    "DeepLinear.balanced": lambda h: lm.DeepLinear.balanced(
        h.array("start", (2, 3)), [3, h.count("widths", 2), 2], rng()
    ),
    "DeepLinear.gaussian": lambda h: lm.DeepLinear.gaussian(
        [3, h.count("widths", 2), 2], h.number("scale", 1.0), rng()
    ),
    "DeepLinear.identity": lambda h: lm.DeepLinear.identity(
        h.number("scale", 1.0), h.count("size", 2), h.count("depth", 2)
    ),
    "SharedHadamard": lambda h: lm.SharedHadamard(
        h.array("m0", (2,)), h.array("w0", (D,)), h.array("group", (D,)) if h.hostile else [0, 1, 0, 1, 1]
    ),
    "Power": lambda h: lm.Power(h.array("p0", (D,), low=0.5), h.array("q0", (D,), low=0.5), h.count("depth", 3)),
    "Power.from_scale": lambda h: lm.Power.from_scale(
        h.array("alpha", (D,), low=0.5), depth=h.count("depth", 3), x0=h.array("x0", (D,)), d=h.count("d", D)
    ),
    "Quadratic": quadratic,
    "Quadratic of hostile matrices": lambda h: lm.Quadratic(
        h.array("A", (2, 1, 1)), h.array("w0", (1,)), h.array("B", (1, 1))
    ),
    "Quadratic.sensing": lambda h: lm.Quadratic.sensing(h.array("measurements", (3, 2, 2)), h.array("U0", (2, 1))),
    "Quadratic.mirror": lambda h: quadratic(h).mirror().initial_dual,
    "Quadratic.in_eigenvalues": lambda h: quadratic(Plain()).in_eigenvalues(problem(h)),
    "limit of squares": lambda h: lm.limit(problem(h), quadratic(h), h.number("decay", 0.1)),
    **{
        f"{name}.{method}": of_theta(name, method)
        for name, methods in {
            "HAM": (), "Hadamard": ("second_order",), "Direct": (), "Power": ("second_order",),
            "SharedHadamard": (), "Quadratic": (),
            "Factorized": ("factors", "imbalance", "unused_slope"),
            "DeepLinear": ("layers", "imbalance", "unused_slope"),
        }.items()
        for method in ("effective", "pullback", "penalty_gradient", *methods)
    },
    "Hadamard.mirror": lambda h: network(h).mirror().initial_dual,
    "HAM.mirror": lambda h: ham(h).mirror().initial_dual,
    "Direct.mirror": lambda h: lm.Direct(h.array("x0", (D,))).mirror().initial_dual,
    "Power.mirror": lambda h: depth_3(h).mirror().initial_dual,
    **{
        f"{name}.violation": lambda h, make=make: make(h).violation(
            h.finite("x", (D,)), h.finite("grad_x", (D,)), h.number("alpha", 0.0), h.number("scale", 1.0)
        )
        for name, make in (("Hadamard", network), ("Power", depth_3), ("Direct", direct))
    },
    "DeepLinear.mirror": deep_mirror,
    # Potentials, losses, schedules.
    **{
        f"mirrors.{name}.{method}": of_mirror(name, method)
        for name, methods in {
            "Euclidean": ("dual_rate",), "HAM": ("dual_rate",), "Hyperbolic": ("log_scale_at", "continuation"),
            "Power": ("log_scale_at", "half_log_ratio", "dual_rate", "continuation"), "Quadratic": ("continuation",),
        }.items()
        for method in (
            *("primal", "dual", "primal_rate", "metric", "metric_slope", "conjugate", "potential", "resolution"),
            *methods,
        )
        if name not in ("HAM", "Quadratic") or method not in ("potential", "resolution")  # inherited
    },
    **{
        f"losses.{type(loss).__name__}.{method}": of_loss(loss, method)
        for loss in (losses.Squared(), losses.Huber(), losses.LogCosh(), losses.JointCauchy(), losses.EntrywiseCauchy())
        for method in ("value", "gradient", "hessian_product")
    },
    "losses.Huber": lambda h: losses.Huber(h.number("delta", 1.0)),
    **{f"schedules.{name}": make for name, make in SCHEDULES.items()},
    **{
        f"schedules.{name}.{method}": of_schedule(name, method)
        for name in SCHEDULES
        for method in ("__call__", "integral", "on_time")
    },
    "schedules.as_schedule": lambda h: schedules.as_schedule(h.number("number", 1.0)),
    # Problems.
    "problems.planted_sparse": random_problem(problems.planted_sparse),
    "problems.correlated": random_problem(problems.correlated, rho=("number", 0.5)),
    "problems.coherent": random_problem(problems.coherent, coherence=("number", 0.5)),
    "problems.duplicated": random_problem(problems.duplicated, copies=("count", 2)),
    "problems.ill_conditioned": random_problem(problems.ill_conditioned, condition=("number", 2.0)),
    "problems.multi_output": lambda h: problems.multi_output(
        n=h.count("n", 3), inputs=h.count("inputs", 3), outputs=h.count("outputs", 2), rank=h.count("rank", 1),
        rng=rng(),
    ),
    "problems.matrix_sensing": lambda h: problems.matrix_sensing(
        n=h.count("n", 3), shape=(h.count("rows", 3), h.count("columns", 3)), rank=h.count("rank", 1), rng=rng()
    ),
    "problems.diabetes": lambda h: problems.diabetes(rows=h.count("rows", 5), degree=h.count("degree", 2), rng=rng()),
    "problems.breast_cancer": lambda h: problems.breast_cancer(
        rows=h.count("rows", 5), degree=h.count("degree", 2), features=h.count("features", 5), rng=rng()
    ),
    "citation": cited,
    "MirrorRegressor": regressor,
    "MirrorRegressor.fit": lambda h: regressor(h).coef_,
    "MirrorRegressor.predict": predicted,
    "MirrorRegressorCV": stopped,
    "MirrorRegressorCV.fit": lambda h: stopped(h).coef_,
    "MirrorRegressorCV.predict": lambda h: predicted(h, stopped),
    # Gates.
    "hard_concrete.HardConcrete": gate,
    **{
        f"hard_concrete.HardConcrete.{name}": lambda h, name=name: getattr(gate(h), name)(h.array("log_alpha", (4,)))
        for name in ("open_probability", "full_probability", "mean", "variance", "deterministic")
    },
    "hard_concrete.HardConcrete.cdf": lambda h: gate(h).cdf(h.array("t", (4,)), h.array("log_alpha", (4,))),
    "hard_concrete.HardConcrete.quantile": lambda h: gate(h).quantile(
        h.number("u", 0.5), h.array("log_alpha", (4,))
    ),
    "hard_concrete.HardConcrete.sample": lambda h: gate(h).sample(h.array("log_alpha", (4,)), rng()),
}  # fmt: skip
# Formulas check nothing. Of finite numbers they make a number, or an infinity where float64 ends.
FORMULAS = {
    name
    for name in CASES
    if name.startswith(("mirrors.", "losses."))
    or name.endswith((".effective", ".pullback", ".penalty_gradient", ".imbalance", ".unused_slope", ".violation"))
    or name in ("Problem.residual", "Problem.value", "Problem.gradient")
} - {"losses.Huber"}
INFINITE = FORMULAS | {"largest_stable_step"} | {name for name in CASES if name.startswith("schedules.")}
# What takes no numbers of the caller's, and what only holds what others computed.
EXEMPT = {
    *("Certificate", "Check", "Descent", "Descents", "ImplicitBias", "SaddlePath", "Solution", "Stats", "Status"),
    *("Ladder", "MarginPath", "Solutions"),
    # They show what is there.
    *(
        f"{kind}.{how}"
        for kind in ("Descent", "Ladder", "SaddlePath", "Trajectory")
        for how in ("plot", "to_dataframe")
    ),
    *("Trajectory", "NoMirror", "mirrors.Potential"),
    # Made by networks, which check.
    *("mirrors.Euclidean", "mirrors.HAM", "mirrors.Hyperbolic", "mirrors.Power", "mirrors.Quadratic"),
    "schedules.require_clock",
    *("losses.Squared", "losses.LogCosh", "losses.JointCauchy", "losses.EntrywiseCauchy"),
    *("Factorized.mirror", "SharedHadamard.mirror"),  # there is none, mostly
    *("Hadamard.check_start", "Hadamard.log_factors", "Power.check_start"),  # of the start alone
    "problems.from_file",  # a path: see test_untrusted.py
    *("problems.from_table", "problems.Table"),  # a path: see tests/problems/test_tables.py
    "MirrorRegressorCV.plot",  # see test_estimator_cv.py
    *("Proof", "ProofError", "Proof.load", "Proof.save", "prove", "verify"),  # an extra: see tests/proofs
}


@pytest.mark.parametrize("name", CASES)
def test_ordinary_arguments_are_accepted(name):
    assert_honest(CASES[name], Plain(), infinite=name in INFINITE)


@pytest.mark.parametrize("name", CASES)
def test_hostile_arguments(name):
    attack(CASES[name], infinite=name in INFINITE, formula=name in FORMULAS)


def test_every_public_function_is_in_the_table():
    found = public_names(lm) | public_names(mirrors, "mirrors.") | public_names(losses, "losses.")
    found |= public_names(schedules, "schedules.") | {
        name for name in public_names(problems, "problems.") if not name.startswith("problems.Problem")
    }
    found |= public_names(hard_concrete, "hard_concrete.")
    assert {name for name in CASES if " " not in name} | EXEMPT == found
