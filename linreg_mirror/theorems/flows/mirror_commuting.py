"""Fields that commute: x = m*w has a potential because the gradients of its entries do."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Parametrization, commutation_defect
from linreg_mirror.theorems.flows._motion import bracket_of

_ACCURACY = 1e-11  # of paths


@theorem(
    "mirror.commuting",
    source=Citation("LWLA22", "commuting fields"),
    statement="gradient fields of x = m*w commute, with each other and with the penalty's, so that the end of a path "
    "depends on nothing but the accumulated gradient",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty),
    control=Control("one mask entry shared by two weights", "special/shared-mask"),
)
def commuting(it: Instance) -> Evidence:
    return identity([_bracket(it), _order_matters(it.network, 0, 1)], _ACCURACY)


@algebra("mirror.commuting", shared=True)
def commuting_derived(sp: Any, shared: bool = False) -> Any:
    """Lie brackets of the gradients of two entries; the control has one m for both."""
    m1, m2, w1, w2 = theta = sp.symbols("m1 m2 w1 w2")
    first, second = (sp.Matrix([x]).jacobian(theta).T for x in (m1 * w1, (m1 if shared else m2) * w2))
    return bracket_of(first, second, theta)


@theorem(
    "mirror.commuting.penalty",
    source=Citation("LWLA22", "commuting fields"),
    statement="the penalty |m|^2 + |w|^2 commutes with the gradients of x = m*w",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty),
    control=Control("penalty on m alone", "special/decay-on-m"),
)
def commuting_penalty(it: Instance) -> Evidence:
    return identity([_bracket(it), _order_matters(it.network, -1, 0)], _ACCURACY)


@algebra("mirror.commuting.penalty", on_w=0)
def commuting_penalty_derived(sp: Any, on_w: int = 1) -> Any:
    m, w = theta = sp.symbols("m w")
    entry, penalty = (sp.Matrix([one]).jacobian(theta).T for one in (m * w, m**2 + on_w * w**2))
    return bracket_of(entry, penalty, theta)


def _bracket(it: Instance) -> float:
    """Return the largest Lie bracket among the first entries, relative to the size of the fields."""
    theta = it.network.theta0
    defect, *_ = commutation_defect(it.network, theta, entries=range(min(4, it.problem.d)))
    return defect / float(np.linalg.norm(theta))


def _order_matters(network: Parametrization, i: int, j: int) -> float:
    """Return how far apart one ends after following field i, then j, or j, then i; -1 is the penalty."""
    size = float(np.abs(network.theta0).max())

    def after(first: int, second: int) -> Array:
        theta = network.theta0
        for k in (first, second):
            e = np.eye(1, network.d, k)[0] if k >= 0 else None
            answer = solve_ivp(
                lambda _, p, e=e: -network.penalty_gradient(p) if e is None else network.pullback(p, e),
                (0.0, 0.5), theta, method="DOP853", rtol=_ACCURACY, atol=1e-2 * _ACCURACY * size,
            )  # fmt: skip
            theta = answer.y[:, -1]
        return theta

    return relative(after(i, j) - after(j, i), network.theta0)
