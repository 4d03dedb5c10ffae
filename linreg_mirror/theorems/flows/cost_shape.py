"""The shape of what limits minimise: an L1 norm with a logarithm where weights are large, an L2 norm where small."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, certified, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.theorems.flows._motion import potential

_ONCE = (h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.targets)
_SEEN = 1e-2  # times b: of smaller weights the cost is lost in the rounding of b


def _costs(it: Instance, ladder: tuple[float, ...]) -> tuple[Array, Array]:
    """Return |x_i|/b and 2(R_b(x_i) - R_b(0))/b, for the weights of the L1 and of the L2 interpolator."""
    x = np.concatenate([certified(it.least_l1), certified(it.least_l2)])
    x, u, cost = np.abs(x[x != 0]), [], []
    for b in np.array(ladder) * x.max():
        mirror = Hyperbolic(np.full(len(x), np.log(b)), np.zeros(len(x)))
        u.append(x / b)
        cost.append(2 * (mirror.potential(x, 0.0) - mirror.potential(0 * x, 0.0)) / b)
    return np.concatenate(u), np.concatenate(cost)


@theorem(
    "regimes.cost.l1",
    source=Citation("W20", "the cost at small scales; constants: ours"),
    statement="x_0 = 0: 0 <= 2 (R_b(x) - R_b(0)) - |x| (ln(2|x|/b) - 1) <= b, entry by entry",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"most": 1.0},
    control=Control("at most b/2", "planted/plain/0", {"most": 0.5}),
)
def cost_l1(it: Instance, most: float) -> Evidence:
    """Compare the potential with both sides, from weights of a hundredth of b to 1e4 of it.

    Proof. With c = 2 (R_b - R_b(0)) and g = c - x (ln(2x/b) - 1), x > 0: g tends to 0 as x -> 0 and to b as x -> inf,
    and g' = arcsinh(x/b) - ln(2x/b) = ln((x + sqrt(x^2 + b^2))/(2x)) > 0.
    """
    u, cost = _costs(it, (1e-4, 1e-2, 1.0, 1e2))
    more = cost - u * (np.log(2 * u) - 1)
    return inequality(np.concatenate([more, -more]), np.concatenate([np.full(len(u), most), 0 * u]))


@algebra("regimes.cost.l1", most=0)
def cost_l1_derived(sp: Any, most: int = 1) -> Any:
    """Return its ends and its slope, less what the proof says."""
    x, b = sp.symbols("x b", positive=True)
    more = 2 * (potential(sp, x, b) - potential(sp, 0, b)) - x * (sp.log(2 * x / b) - 1)
    root = sp.sqrt(x**2 + b**2)
    slope = more.diff(x).rewrite(sp.log) - sp.log((x + root) / (2 * x))
    return [sp.limit(more, x, 0), sp.limit(more, x, sp.oo) - most * b, slope]


@theorem(
    "regimes.cost.l2",
    source=Citation("W20", "the cost at large scales; constants: ours"),
    statement="x_0 = 0: x^2/(2b) - x^4/(24 b^3) <= 2 (R_b(x) - R_b(0)) <= x^2/(2b), entry by entry",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"quartic": 1 / 24},
    control=Control("without the fourth power", "planted/plain/0", {"quartic": 0.0}),
)
def cost_l2(it: Instance, quartic: float) -> Evidence:
    """Compare the potential with both sides, for weights of a hundredth of b up to b.

    Proof. c = 2 (R_b - R_b(0)) is even, c(0) = 0, and b c'' = 1/sqrt(1 + (x/b)^2) lies between 1 - (x/b)^2/2 and 1.
    """
    u, cost = _costs(it, (1.0, 10.0, 100.0))
    u, cost = u[u > _SEEN], cost[u > _SEEN]
    square = u**2 / 2
    return inequality(np.concatenate([cost / square, (square - quartic * u**4) / cost]), np.ones(2 * len(u)))


@algebra("regimes.cost.l2", quartic=0)
def cost_l2_derived(sp: Any, quartic: Any = None) -> Any:
    """Return two second derivatives; the squares of both differ by a multiple of u^4, positive up to u^2 = 3."""
    u = sp.Symbol("u", positive=True)
    cost = 2 * (potential(sp, u, 1) - potential(sp, 0, 1))
    bound = u**2 / 2 - (sp.Rational(1, 24) if quartic is None else quartic) * u**4
    return [cost.diff(u, 2) - 1 / sp.sqrt(1 + u**2), 1 - (1 + u**2) * bound.diff(u, 2) ** 2 - u**4 * (3 - u**2) / 4]
