"""A network with its potential, a loss and a theorem of a user's own, all in one file outside the package."""

from dataclasses import dataclass

import numpy as np

import linreg_mirror as lm
from linreg_mirror.ledger import SPECIAL, Citation, Control, Evidence, Hypothesis, Instance, identity, relative, theorem
from linreg_mirror.mirrors import Mirror


@dataclass(frozen=True, eq=False)
class Entropy(Mirror):
    start: np.ndarray

    @property
    def initial_dual(self):
        return np.log(self.start) / 4

    def primal(self, z, A):
        return np.exp(4 * (z - A))

    def dual(self, x, A):
        return np.log(x) / 4 + A

    def metric(self, z, A):
        return 4 * self.primal(z, A)

    def conjugate(self, z, A):
        return self.primal(z, A) / 4


@dataclass(frozen=True, eq=False)
class Squares(lm.Parametrization):
    theta0: np.ndarray

    @property
    def d(self):
        return self.theta0.size

    def effective(self, theta):
        return theta**2

    def pullback(self, theta, grad_x):
        return 2 * theta * grad_x

    def penalty_gradient(self, theta):
        return 2 * theta

    def mirror(self):
        return Entropy(self.theta0**2)


@dataclass(frozen=True)
class Weighted(lm.losses.Loss):
    weights: tuple[float, ...]
    convex = quasi_convex = separable = True

    def value(self, r):
        return 0.5 * float(np.sum(np.array(self.weights) * r**2))

    def gradient(self, r):
        return np.array(self.weights) * r

    def hessian_product(self, r, v):
        return (np.array(self.weights) * v.T).T


def example():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 15))
    problem = lm.Problem(X, X[:, :2] @ [1.0, 2.0], Weighted((1.0, 2.0, 3.0, 1.0, 2.0, 3.0)))
    return problem, Squares(np.full(15, 0.3)), lm.schedules.Geometric(0.1, ratio=0.8, clock="time")


SPECIAL["own-squares"] = example
squares = Hypothesis("x = u^2", lambda it: type(it.network).__name__ == "Squares")


@theorem(
    "squares.flow",
    source=Citation("ours", "an example"),
    statement="log u_t = log u_0 - 2 X's_t - 2 A_t",
    kind="identity",
    hypotheses=(squares,),
    constants={"rate": 2.0},
    control=Control("exp(-A) in place of exp(-2A)", "special/own-squares", {"rate": 1.0}),
    extremal=("special/own-squares",),
)
def flow_of_logarithms(it: Instance, rate: float) -> Evidence:
    """Compare along the path of u."""
    path = it.path
    found = np.log(path.parameters / it.network.theta0)
    return identity(relative(found + 2 * path.dual @ it.problem.X + rate * path.decay[:, None], 1 + abs(found)), 1e-7)
