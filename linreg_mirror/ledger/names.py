"""What the name of an instance stands for: a family of problems, a setting of start and penalty, a seed, parameters."""

import inspect
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from linreg_mirror import problems, schedules
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard, Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber, JointCauchy, LogCosh, Loss
from linreg_mirror.schedules import Schedule

FAMILIES: dict[str, Callable[..., Problem]] = {
    "planted": partial(problems.planted_sparse, n=14, d=40, nonzeros=3),
    "dense": partial(problems.planted_sparse, n=14, d=40, nonzeros=20),
    "correlated": partial(problems.correlated, n=14, d=40, nonzeros=3, rho=0.9),
    "coherent": partial(problems.coherent, n=14, d=40, nonzeros=3, coherence=0.9),
    "duplicated": partial(problems.duplicated, n=14, d=40, nonzeros=3, copies=6),
    "ill_conditioned": partial(problems.ill_conditioned, n=14, d=40, nonzeros=3, condition=1e2),
    "diabetes": partial(problems.diabetes, degree=2, rows=20),
    "breast_cancer": partial(problems.breast_cancer, degree=2, rows=20, features=8),
}


def _at_zero(problem: Problem, _: np.random.Generator, *, log_b: float = -math.log(2)) -> Parametrization:
    return Hadamard.from_scale(log_b=log_b, d=problem.d)


def _biased(
    problem: Problem,
    rng: np.random.Generator,
    *,
    log_b: float = -math.log(2),
    start: float = 0.5,
    solved: float = 0.0,
) -> Parametrization:
    return Hadamard.from_scale(log_b=log_b, x0=_x0(problem, rng, start, solved))


def _unequal(
    problem: Problem,
    rng: np.random.Generator,
    *,
    log_b: float = -math.log(2),
    start: float = 0.5,
    solved: float = 0.0,
) -> Parametrization:
    x0 = _x0(problem, rng, start, solved)
    return Hadamard.from_scale(log_b=log_b + np.log(rng.uniform(0.3, 2, problem.d)), x0=x0)


def _balanced(
    problem: Problem, rng: np.random.Generator, *, start: float = 0.5, solved: float = 0.0
) -> Parametrization:
    return Hadamard.balanced(_x0(problem, rng, start, solved))


def _x0(problem: Problem, rng: np.random.Generator, start: float, solved: float) -> Array:
    """Entries of standard deviation `start`, moved by the share `solved` of the way to the minimum-L2 solution."""
    x0 = start * rng.standard_normal(problem.d)
    return x0 + solved * (np.linalg.lstsq(problem.X, problem.y)[0] - x0) if solved else x0


# Penalties begin at `speed` times the largest gradient, which is a rate: x = m*w grows like exp(rate * time). Those
# that fade add up to A = `decay`, which shrinks the scale b by exp(-4 decay).
def _none(_: Problem) -> None:
    return None


def _geometric(problem: Problem, *, speed: float = 0.1, decay: float = 0.5) -> Schedule:
    rate = _rate(problem, speed, decay)
    unit = max(1.0, rate / decay / 700)  # so that the ratio does not underflow
    return schedules.Geometric(rate, math.exp(-rate / decay / unit), period=1 / unit)


def _quadratic(problem: Problem, *, speed: float = 0.1, decay: float = 0.5) -> Schedule:
    rate = _rate(problem, speed, decay)
    return schedules.Quadratic(rate, period=decay / rate)


def _switched_off(problem: Problem, *, speed: float = 0.1, decay: float = 0.5) -> Schedule:
    rate = _rate(problem, speed, decay)
    return schedules.SwitchedOff(schedules.Constant(rate), at=decay / rate)


def _constant(problem: Problem, *, speed: float = 0.1) -> float:
    return 0.2 * _rate(problem, speed)


def _rate(problem: Problem, speed: float, decay: float = 1.0) -> float:
    rate = speed * problem.gradient_scale
    if not (rate > 0 and decay > 0):
        raise ValueError(
            f"a penalty needs speed > 0, decay > 0 and targets other than 0, got speed={speed:g}, decay={decay:g} and "
            f"a largest gradient of {problem.gradient_scale:g}: take a setting without penalty, such as biased"
        )
    return rate


@dataclass(frozen=True)
class Setting:
    """How an instance starts, what penalty it has and under which loss.

    Attributes
    ----------
    network : callable
        (problem, rng, **parameters) -> Parametrization.
    penalty : callable
        (problem, **parameters) -> Schedule, number or None.
    loss : Loss or None
        None for squares.
    """

    network: Callable[..., Parametrization]
    penalty: Callable[..., Schedule | float | None] = _none
    loss: Loss | None = None


SETTINGS: Mapping[str, Setting] = {
    "plain": Setting(_at_zero),
    "biased": Setting(_biased),
    "unequal": Setting(_unequal),
    "small": Setting(partial(_at_zero, log_b=math.log(1e-4))),
    "geometric": Setting(_biased, _geometric),
    "quadratic": Setting(_biased, _quadratic),
    "switched_off": Setting(_biased, _switched_off),
    "constant": Setting(_biased, _constant),
    "balanced": Setting(_balanced),
    "huber": Setting(_biased, _geometric, Huber(0.5)),
    "log_cosh": Setting(_biased, _geometric, LogCosh()),
    "joint_cauchy": Setting(_biased, _geometric, JointCauchy()),
}


@dataclass(frozen=True)
class Name:
    """family/setting/seed:parameter=value,...; equal instances have equal names.

    Parameters
    ----------
    family, setting : str
        Keys of `FAMILIES` and `SETTINGS`.
    seed : int
        Of the data and the start.
    parameters : mapping of str to float
        What differs from `defaults`. Values that do not are dropped, so that they do not make a new name.

    Raises
    ------
    ValueError
        If family and setting have no such parameter, or a value is not finite, or no integer where one is needed.
    """

    family: str
    setting: str
    seed: int
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        usual = defaults(self.family, self.setting)
        for key, value in self.parameters.items():
            where = f"instance {self.family}/{self.setting}/{self.seed}"
            if key not in usual:
                raise ValueError(f"{where} has no parameter {key!r}; it has {', '.join(usual)}")
            if not math.isfinite(value) or (isinstance(usual[key], int) and value != int(value)):
                expected = "an integer" if isinstance(usual[key], int) else "a finite number"
                raise ValueError(f"{where}: {key} must be {expected}, got {value!r}: write {key}={usual[key]:g}")
        unusual = {
            key: type(default)(self.parameters[key])
            for key, default in usual.items()
            if key in self.parameters and self.parameters[key] != default
        }
        object.__setattr__(self, "parameters", unusual)

    def __str__(self) -> str:
        text = ",".join(f"{key}={repr(value).removesuffix('.0')}" for key, value in self.parameters.items())
        return f"{self.family}/{self.setting}/{self.seed}" + (f":{text}" if text else "")

    def make(self) -> tuple[Problem, Parametrization, Schedule | float | None]:
        """Make problem, network and penalty, the same ones every time.

        Raises
        ------
        ValueError
            If parameters are out of range, or do not go together.
        """
        given, setting = self.parameters, SETTINGS[self.setting]
        problem = FAMILIES[self.family](
            rng=_generator(self.seed, "problem", self.family), **_chosen(given, FAMILIES[self.family])
        )
        if "targets" in given or setting.loss is not None:
            y = given.get("targets", 1.0) * problem.y
            problem = Problem(problem.X, y, setting.loss or problem.loss)
        rng = _generator(self.seed, "start", self.family, self.setting)
        network = setting.network(problem, rng, **_chosen(given, setting.network))
        return problem, network, setting.penalty(problem, **_chosen(given, setting.penalty))


def defaults(family: str, setting: str) -> dict[str, float]:
    """Return the parameters of instances and their defaults, in the order in which names have them.

    Those of the family: sizes (n, d, nonzeros; rows, features, degree), noise and what makes it hard (rho, coherence,
    copies, condition). `targets`: what y is multiplied by. Those of the setting: `log_b`, the logarithm of the scale;
    `start`, the standard deviation of x_0; `solved`, how much of the way from there to a solution x_0 is moved;
    `speed`, the penalty at t = 0 in units of the largest gradient; `decay`, its integral over all time.
    """
    network, penalty = SETTINGS[setting].network, SETTINGS[setting].penalty
    return {**_numbers(FAMILIES[family]), "targets": 1.0, **_numbers(network), **_numbers(penalty)}


def read_parameters(text: str) -> dict[str, float]:
    """Return the parameters that a name has after its colon.

    Raises
    ------
    ValueError
        If it is not key=value,key=value with numbers, or a key comes twice.
    """
    parameters: dict[str, float] = {}
    for item in text.split(","):
        key, _, value = item.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"parameters of an instance are written d=20,log_b=-7.5, got {item!r}") from None
        if key in parameters:
            raise ValueError(f"parameter {key!r} is given twice: write it once")
        parameters[key] = number
    return parameters


def _numbers(function: Callable[..., Any]) -> dict[str, float]:
    """Return the keyword arguments that have a number as default."""
    arguments = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in arguments if isinstance(one.default, int | float)}


def _chosen(given: Mapping[str, float], function: Callable[..., Any]) -> dict[str, Any]:
    return {key: given[key] for key in _numbers(function) if key in given}


def _generator(seed: int, *words: str) -> np.random.Generator:
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])
