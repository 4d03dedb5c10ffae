"""What theorems are checked on: a problem, a network and a penalty schedule, all made from a name."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
from scipy.integrate import cumulative_simpson

from linreg_mirror import problems, schedules
from linreg_mirror._types import Array
from linreg_mirror.ledger.names import FAMILIES, SETTINGS, Name, read_parameters
from linreg_mirror.parametrizations import Factorized, Hadamard, Parametrization, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, Loss, Squared
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers import Solution, Stats, Status, Trajectory, independent, lasso
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit

_T = TypeVar("_T")

# Loose enough for a second per run, and three orders below what the ledger asks of an identity.
_TOLERANCE = 1e-9
_ACCURACY = 1e-12


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem, a network, a schedule and, computed on demand, what follows from them.

    Attributes
    ----------
    name : str
        "family/setting/seed", perhaps with parameters, or "special/name"; `instance(name)` makes the same one again.
    problem : Problem
        What is minimised.
    network : Parametrization
        How x is built, and where it starts.
    schedule : Schedule
        The penalty, on clock "time".
    """

    name: str
    problem: Problem
    network: Parametrization
    schedule: Schedule

    def once(self, compute: Callable[..., _T], *arguments: Hashable) -> _T:
        """Return what a function makes of this instance, computed once for all theorems that ask.

        Parameters
        ----------
        compute : callable
            (instance, *arguments) -> any value, which nobody may change. A function of a module: it is the key.
        *arguments
            What else it takes.
        """
        key = compute, *arguments
        if key not in self._computed:
            self._computed[key] = compute(self, *arguments)
        return self._computed[key]

    @cached_property
    def _computed(self) -> dict[tuple[Any, ...], Any]:
        return {}

    def generator(self) -> np.random.Generator:
        """Return a generator of random numbers whose seed is the name."""
        return np.random.default_rng(list(self.name.encode()))

    @cached_property
    def path(self) -> Trajectory:
        """The flow of the parameters: evidence that knows nothing of mirrors.

        Only when it stops depends on one: at the limit that the mirror predicts, or, if it never gets there, at rest.
        """
        # |m| = |w| is kept to the last bit only by explicit methods; rounding would otherwise let x cross zero.
        balanced = isinstance(self.network, Hadamard) and bool(np.isneginf(self.network.log_scale).any())
        return flow(
            self.problem,
            self.network,
            self.schedule,
            method="parameters",
            tolerance=_TOLERANCE,
            accuracy=_ACCURACY,
            max_steps=1_000 if balanced else 20_000,
            integrators=("DOP853",) if balanced else ("LSODA", "BDF", "Radau"),
        )

    @cached_property
    def dual_path(self) -> Trajectory:
        """The flow in n dual dimensions, up to the time at which `path` ended."""
        end = float(self.path.t[-1]) or None  # a flow that starts at its end is over at once
        return flow(self.problem, self.network, self.schedule, until=end, accuracy=_ACCURACY)

    @cached_property
    def limit(self) -> Solution:
        """The Bregman projection for the whole penalty."""
        return limit(self.problem, self.network, self.total_decay)

    @cached_property
    def least_l1(self) -> Solution:
        """A minimum-L1 interpolator, by HiGHS."""
        return independent.minimum_l1_highs(self.problem)

    @cached_property
    def least_l2(self) -> Solution:
        """The minimum-L2 interpolator."""
        return independent.minimum_l2(self.problem)

    @cached_property
    def lasso(self) -> Solution:
        """The LASSO solution with weight 2 alpha for the penalty that remains for ever."""
        return lasso.lasso(self.problem, 2 * self.schedule.limit)

    @cached_property
    def minimum(self) -> float:
        """The least value of f: zero where Xx = y can be solved; of squares; for one feature, by search on a grid."""
        if self.problem.inconsistency <= 1e-10:
            return 0.0
        if isinstance(self.problem.loss, Squared):
            return self.problem.value(np.linalg.lstsq(self.problem.X, self.problem.y)[0])
        if self.problem.d > 1:
            raise ValueError("the least value of f is known only where Xx = y has a solution, or for d = 1")
        reach = 2 * np.abs(self.problem.y).max() / np.abs(self.problem.X).max()
        return min(self.problem.value(np.array([x])) for x in np.linspace(-reach, reach, 20_001))

    @property
    def total_decay(self) -> float:
        """The integral of alpha over all time."""
        return float(self.schedule.integral(0.0, np.inf))

    @property
    def hadamard(self) -> Hadamard:
        """The network, known to be x = m*w.

        Raises
        ------
        TypeError
            If it is another network.
        """
        if not isinstance(self.network, Hadamard):
            raise TypeError(f"instance {self.name} has a {type(self.network).__name__} network, not Hadamard")
        return self.network

    @property
    def scale0(self) -> Array:
        """The initial scale b_0 = (m0^2 - w0^2)/2, shape (d,), from the parameters."""
        return 0.5 * (self.hadamard.m0**2 - self.hadamard.w0**2)

    @property
    def tilt(self) -> Array:
        """log(u0/v0), shape (d,), from the parameters."""
        return np.log((self.hadamard.m0 + self.hadamard.w0) / (self.hadamard.m0 - self.hadamard.w0))

    def walking(self) -> "Instance":
        """Return the same instance with a random walk in place of its flow.

        m^2 - w^2 falls as in a flow with this penalty, and the dual vector is the integral of the loss's gradient along
        the walk; nothing else is as in a flow.
        """
        rng, t = np.random.default_rng(0), np.linspace(0.0, 1.0, 201)
        decay = np.array([self.schedule.integral(0.0, end) for end in t])
        steps = rng.uniform(-0.5, 0.5, (len(t) - 1, self.problem.d))
        q = np.vstack([self.tilt, self.tilt + np.cumsum(steps, axis=0)])
        root = np.sqrt(2 * self.scale0 * np.exp(-4 * decay)[:, None])
        m, w = root * np.cosh(q / 2), root * np.sinh(q / 2)
        force = np.stack([self.problem.loss.gradient(self.problem.residual(x)) for x in m * w])
        dual = np.vstack([np.zeros(self.problem.n), cumulative_simpson(force, x=t, axis=0)])
        walk = Trajectory(
            t, m * w, decay, dual, "parameters", Status.not_certified, Stats("random walk"),
            parameters=np.hstack([m, w]),
        )  # fmt: skip
        copy = Instance(self.name, self.problem, self.network, self.schedule)
        copy.__dict__["path"] = walk  # where `cached_property` looks
        return copy

    def factors(self) -> tuple[Array, Array]:
        """Return m and w along `path`, each of shape (T, d); raise TypeError for other networks."""
        self.hadamard  # noqa: B018 - or there is no m and w
        theta = self.path.parameters
        assert theta is not None
        return theta[:, : self.problem.d], theta[:, self.problem.d :]

    @cached_property
    def values(self) -> Array:
        """f along `path`, shape (T,)."""
        return np.array([self.problem.loss.value(r) for r in self._residuals()])

    @cached_property
    def gradients(self) -> Array:
        """Grad f along `path`, shape (T, d)."""
        return np.stack([self.problem.loss.gradient(r) for r in self._residuals()]) @ self.problem.X

    def _residuals(self) -> Array:
        """Return Xx - y along `path`, shape (T, n)."""
        return self.path.x @ self.problem.X.T - self.problem.y


def _scalar(y: float, network: Parametrization, schedule: Schedule | float | None = None, loss: Loss | None = None):
    return Problem(np.ones((1, 1)), np.array([y]), loss or Squared()), network, schedule


def _commuting(seed: int):
    problem = problems.matrix_sensing(n=2, shape=(5, 5), rank=1, rng=np.random.default_rng(seed), commuting=True)
    return problem, Factorized.symmetric(1e-2 * np.eye(5)), None


_GRID = tuple(FAMILIES)  # a family that a user adds is asked for by name
# Instances in a grid of one seed.
WHOLE_GRID = len(_GRID) * len(SETTINGS)

# Instances on which a bound is attained, or on which a control must fail.
SPECIAL: Mapping[str, Callable[[], tuple[Problem, Parametrization, Schedule | float | None]]] = {
    # x stays near 0, so that m^2 + w^2 stays at its lower bound and the rate of convergence too.
    "tight-rate": lambda: _scalar(1e-4, Hadamard(np.array([1.0]), np.array([0.0]))),
    # Starts at the solution: f(x_0) = 0, and the penalty moves x away.
    "start-at-solution": lambda: _scalar(
        1.0, Hadamard(np.array([1.25]), np.array([0.8])), schedules.SwitchedOff(schedules.Constant(0.5), at=1.0)),
    # A long plateau of constant slope, then the solution: the global rate is attained.
    "plateau": lambda: _scalar(1.0, Hadamard.from_scale(log_b=-40.0, d=1), None, Huber(0.02)),
    # More samples than features: no x fits all of them.
    "no-solution": lambda: (
        Problem(np.array([[1.0, 0.5], [-0.5, 1.0], [1.0, 1.0]]), np.array([1.0, 0.5, -0.5])), Hadamard.at(0.1, d=2),
        None,
    ),
    # Two valleys; the flow starts in the shallow one.
    "two-valleys": lambda: (
        Problem(np.ones((3, 1)), np.array([0.0, 0.0, 10.0]), EntrywiseCauchy()), Hadamard.at(9.5, d=1), None,
    ),
    # Has to cross zero to reach the solution: possible from m0^2 - w0^2 = 1, impossible from a balanced start.
    "crossing": lambda: _scalar(-1.0, Hadamard.at(0.5, d=1)),
    "crossing-balanced": lambda: _scalar(-1.0, Hadamard.balanced([0.5])),
    # A little decay trades a weight that costs nothing for one that does: every penalty ends at a larger L1 norm.
    "decay-hurts": lambda: (
        Problem(np.array([[1.0, 2.0]]), np.array([2.0])), Hadamard.at(np.array([0.0, 1.0])),
        schedules.SwitchedOff(schedules.Constant(0.5), at=1.0),
    ),
    # Steps at the edge of stability are so long that factors change their signs and the scale grows.
    "long-steps": lambda: _scalar(10.0, Hadamard.at(0.0, d=1)),
    # Small targets: x ln x is negative, and the slack of the explicit L1 bound is in its d/e.
    "small-targets": lambda: _rescaled("planted/plain/0", 1e-3),
    # One column that is best alone, by little, beside many equal ones: at depth 4 and alpha^2 = 1e-3 these get half.
    "many-copies": lambda: (
        Problem(np.append(np.ones(300), 1 + 1e-3 * (600**0.5 - 2**0.5))[None], np.ones(1)),
        Hadamard.at(0.0, d=301), None,
    ),
    # Two coordinates of a large b that move together along the kernel: Pinsker's inequality is an equation.
    "wide-pair": lambda: (Problem(np.ones((1, 2)), np.ones(1)), Hadamard.at(0.0, beta=200.0, d=2), None),
    # A heavy weight that falls while a light one rises: the bar by self-concordance is attained.
    "see-saw": lambda: (
        Problem(np.array([[1.0, -1.0]]), np.array([0.99])),
        Hadamard.from_scale(log_b=math.log(1e-4), x0=np.array([2.0, 0.005])), None,
    ),
    # Two weights of one size, of which the heavier column's falls by more than the other's rises: H falls on the way.
    "lopsided": lambda: (
        Problem(np.array([[1.0, -0.5]]), np.array([-0.5])),
        Hadamard.from_scale(log_b=math.log(1e-4), x0=np.array([0.35, 1.7])), None,
    ),
    # Two columns of nearly one length: all of the norm may be on the wrong one, at nearly no cost.
    "long-column": lambda: (Problem(np.array([[1.0, 0.9]]), np.ones(1)), Hadamard.at(0.0, d=2), None),
    # One residual on the slope of the loss, where it is felt by no change, one in its bowl.
    "one-saturated": lambda: (
        Problem(np.array([[1.0, 0.0], [0.8, 1.0]]), np.array([0.1, 30.0]), Huber(0.5)), Hadamard.at(0.0, d=2), None,
    ),
    "shared-mask": lambda: (
        Problem(np.eye(2, 3), np.ones(2)),
        SharedHadamard(np.array([1.0, 0.7]), np.array([0.3, -0.4, 0.5]), np.array([0, 0, 1])),
        None,
    ),
    "decay-on-m": lambda: (
        Problem(np.eye(2, 3), np.ones(2)),
        Hadamard(np.array([1.0, 0.7, 0.9]), np.array([0.3, -0.4, 0.5]), "m"),
        None,
    ),
    # Column lengths 1 and 4 with weights 4 and 1: sampling without a look at the data is as bad as it can be.
    "two-lengths": lambda: (Problem(np.diag([1.0, 4.0]), np.ones(2)), Hadamard.at(np.array([4.0, 1.0])), None),
    # Two features that cancel: with one of them kept the error is the same whichever it is.
    "opposite": lambda: (Problem(np.ones((1, 2)), np.ones(1)), Hadamard.at(np.array([1.0, -1.0])), None),
    # Matrix sensing by matrices that commute, and by three that do not: vv' with v = (1, 1, -2) interpolates, but so
    # does [[1, 2, -1], [2, 4, -2], [-1, -2, 15]] / 5, whose trace is 4.
    **{f"commuting-{seed}": partial(_commuting, seed) for seed in (1, 6, 11, 31)},
    "not-commuting": lambda: (
        Problem(
            np.array([[1, -1, -1, -1, 0, 1, -1, 1, 0], [-1, 1, -1, 1, 1, 1, -1, 1, -1], [-1, 0, 0, 0, -1, 0, 0, 0, 1]]),
            np.array([-1, -2, 2]),
        ),
        Factorized.symmetric(1e-2 * np.eye(3)),
        None,
    ),
}  # fmt: skip


def _rescaled(name: str, factor: float) -> tuple[Problem, Parametrization, Schedule]:
    base = instance(name)
    return Problem(base.problem.X, factor * base.problem.y), base.network, base.schedule


def instance(name: str) -> Instance:
    """Make the instance of a name, the same one every time.

    Parameters
    ----------
    name : str
        "family/setting/seed", such as "planted/geometric/3", with parameters if need be, such as
        "planted/geometric/3:d=20,log_b=-7.5" (`names.defaults` lists them), or "special/name".

    Returns
    -------
    Instance
        Problem, network and penalty; flows and solutions are computed when they are first asked for.

    Raises
    ------
    ValueError
        If there is no such family, setting, parameter or special instance, or a parameter is out of range.
    """
    head, colon, parameters = name.partition(":")
    parts = head.split("/")
    if len(parts) == 2 and parts[0] == "special" and parts[1] in SPECIAL and not colon:
        problem, network, schedule = SPECIAL[parts[1]]()
    elif len(parts) == 3 and parts[0] in FAMILIES and parts[1] in SETTINGS and _is_seed(parts[2]):
        full = Name(parts[0], parts[1], int(parts[2]), read_parameters(parameters) if colon else {})
        name = str(full)
        problem, network, schedule = full.make()
    else:
        raise ValueError(f"there is no instance {name!r}: {_what_is_wrong(parts, colon)}")
    return Instance(name, problem, network, schedules.as_schedule(schedule))


def _what_is_wrong(parts: Sequence[str], colon: str) -> str:
    """Return a suggestion for a name whose first part is unknown."""
    if parts[0] == "special":
        known = f"write special/ and one of {', '.join(SPECIAL)}"
        return f"special ones have no parameters; {known}" if colon and parts[-1] in SPECIAL else known
    if len(parts) != 3:
        return 'write family/setting/seed, such as "planted/geometric/3"'
    for what, part, known in (("family", parts[0], FAMILIES), ("setting", parts[1], SETTINGS)):
        if part not in known:
            return f"no {what} is called {part!r}; write one of {', '.join(known)}" + (
                ", or special/NAME" if what == "family" else ""
            )
    return f"the seed must be 0, 1, 2, ..., got {parts[2]!r}"


def grid(seeds: int, first: int = 0) -> list[str]:
    """Return the names of all families in all settings, for `seeds` seeds.

    Parameters
    ----------
    seeds : int
        How many seeds each family in each setting gets.
    first : int
        The first of them.

    Returns
    -------
    list of str
        "family/setting/seed", one seed after the other.
    """
    return [
        f"{family}/{setting}/{seed}" for seed in range(first, first + seeds) for family in _GRID for setting in SETTINGS
    ]


def spread(count: int) -> list[str]:
    """Return the names of `count` instances of the grid: seed after seed, families and settings in turn.

    Any part of a seed is spread over families and settings as evenly as can be.
    """
    families, settings = list(_GRID), list(SETTINGS)
    whole, turn = len(families) * len(settings), math.lcm(len(families), len(settings))
    names = []
    for k in range(count):
        seed, cell = divmod(k, whole)
        # Both lists go round together; after each turn one of them is a step ahead, so that no pair comes twice.
        names.append(f"{families[cell % len(families)]}/{settings[(cell + cell // turn) % len(settings)]}/{seed}")
    return names


def _is_seed(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text
