"""Wrong gates."""

from collections.abc import Callable
from dataclasses import replace

from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.networks import gates as networks_gates
from linreg_mirror.networks.gates import generator as gates_generator
from linreg_mirror.problems import Problem
from linreg_mirror.theorems.gates import couplings
from tools.mutants.change import edited, replaced


def at_temperature_1(right: Callable) -> Callable:
    return lambda self, *a: right(replace(self, temperature=1.0), *a)


MUTANTS = (
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
    replaced(
        "least squares of other targets",
        couplings,
        "minimum_l2",
        lambda right: lambda p: right(Problem(p.X, 1.01 * p.y)),
        "gates",
    ),
)
