"""What theorems require of an instance, as executable predicates."""

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror.ledger._instance import Instance
from linreg_mirror.ledger.ledger import Hypothesis
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems.losses import Squared
from linreg_mirror.solvers.stationarity import stationarity

hadamard = Hypothesis("x = m*w", lambda it: isinstance(it.network, Hadamard) and it.network.decay_on == "both")
unbalanced = Hypothesis(
    "|w0| < m0", lambda it: isinstance(it.network, Hadamard) and bool(np.isfinite(it.network.log_scale).all())
)
balanced = Hypothesis(
    "|w0| = m0", lambda it: isinstance(it.network, Hadamard) and bool(np.isneginf(it.network.log_scale).all())
)
starts_at_zero = Hypothesis("x0 = 0", lambda it: not it.hadamard.w0.any())
biased = Hypothesis("x0 != 0", lambda it: bool(it.hadamard.w0.any()))
equal_scales = Hypothesis("b the same for all entries", lambda it: bool(np.ptp(it.hadamard.log_scale) < 1e-12))
solvable = Hypothesis("Xx = y has a solution", lambda it: it.problem.inconsistency <= 1e-10)
underdetermined = Hypothesis("Xx = y has many solutions", lambda it: it.problem.rank < it.problem.d)
squared = Hypothesis("squared loss", lambda it: isinstance(it.problem.loss, Squared))
convex = Hypothesis("l convex", lambda it: it.problem.loss.convex)
quasi_convex = Hypothesis("l quasi-convex", lambda it: it.problem.loss.quasi_convex)
minimum_known = Hypothesis(
    "Xx = y has a solution, or squared loss", lambda it: solvable.test(it) or isinstance(it.problem.loss, Squared)
)
no_penalty = Hypothesis("alpha = 0", lambda it: it.schedule.integrable and it.total_decay == 0)
integrable = Hypothesis("alpha has a finite integral", lambda it: it.schedule.integrable)
decaying = Hypothesis(
    "alpha has a finite integral and is not 0", lambda it: it.schedule.integrable and it.total_decay > 0
)
constant_penalty = Hypothesis(
    "alpha constant and positive", lambda it: it.schedule.limit > 0 and not it.schedule.breakpoints
)
constant_or_none = Hypothesis("alpha constant", lambda it: constant_penalty.test(it) or no_penalty.test(it))


def _felt(it: Instance) -> bool:
    problem, network = it.problem, it.network
    # The largest sqrt(x_0^2 + b^2): of weights that start large, smaller targets leave nothing but rounding.
    start = 0.5 * float((network.m0**2 + network.w0**2).max()) if isinstance(network, Hadamard) else 0.0
    return problem.gradient_scale > 1e-9 * matrices.largest_entry(problem.X) ** 2 * start


# What solvers call the end, and what evidence calls small, is so relative to y. And no flow from x_0 = 0 moves.
targets = Hypothesis("X'y not 0, nor but for rounding", _felt)


def _leaves(it: Instance) -> bool:
    theta = it.network.theta0
    left = stationarity(it.problem, it.network, it.network.effective(theta), it.schedule.limit, theta=theta)
    return left > 1e-9 or decaying.test(it)


moves = Hypothesis("x_0 is not where the flow ends", _leaves)

# Each problem of the grid once, for statements that need no flow.
ONCE = (hadamard, unbalanced, squared, no_penalty, equal_scales, starts_at_zero)
