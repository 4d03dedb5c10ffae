"""The flow at small scales, which follows the path from saddle to saddle."""

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    relative,
    slope,
    theorem,
)
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.saddles import SaddlePath
from linreg_mirror.theorems.flows.saddles import EXACT, GENERIC, path_of

_LADDER = (6.4e4, 2.56e5, 1.024e6)  # log(1/b) of flows
_REST = 30  # -log of what is left of anything where a flow is at rest

_several_jumps = Hypothesis("more than one jump", lambda it: len(it.once(path_of).times) > 1)
_at_rest = Hypothesis("flows of the scales looked at are at rest between these jumps", lambda it: _is_at_rest(it))


@theorem(
    "saddles.flow",
    source=Citation("PF23", "Thm 2; rate: ours"),
    statement="the flow of scale b at time tau log(1/b)/2: the integral of y - Xx, divided by log(1/b)/2, tends to "
    "sigma like 1/log(1/b)",
    kind="asymptotic",
    hypotheses=(*GENERIC, _several_jumps, _at_rest),
    constants={"unit": 0.5},
    extremal=("planted/small/0",),
    control=Control("time in units of log(1/b)", "planted/small/0", {"unit": 1.0}),
)
def flow_to_path(it: Instance, unit: float) -> Evidence:
    """Fit the exponent over three scales, at one time.

    Proof of the rate. Between jumps that are separated weights relax to the saddle, or grow from the scale b, at
    constant rates: what is left of them after a jump has an integral of O(1), as has the delay of the jump itself,
    whatever b. So the integral of y - Xx up to time tau L/2, L = log(1/b), is sigma L/2 + O(1).
    """
    path = it.once(path_of)
    tau = _between_jumps(path)
    expected = it.problem.X.T @ path.dual_at(tau)
    found = [_flow_at(it, tau, L, unit)[1] for L in _LADDER]
    apart = np.array([np.abs(one - expected).max() for one in found])
    if apart.max() <= EXACT:  # the entries of X'sigma are at most 1
        return Evidence(EXACT - apart.max(), "there at every scale")
    return slope(_LADDER, apart, expected=-1.0, tolerance=1e-3)


@theorem(
    "saddles.flow.points",
    source=Citation("PF23", "Thm 2"),
    statement="between two jumps x of the flow of scale b, at time tau log(1/b)/2, tends to the saddle as b -> 0",
    kind="asymptotic",
    hypotheses=(*GENERIC, _several_jumps, _at_rest),
    extremal=("planted/small/0",),
    control=Control("equal columns, among which the flow shares the weight", "duplicated/small/0"),
)
def flow_to_points(it: Instance) -> Evidence:
    path = it.once(path_of)
    tau = _between_jumps(path)
    distance = relative(_flow_at(it, tau, _LADDER[0], 0.5)[0] - path.at(tau), path.at(tau))
    return Evidence(1e-9 - distance, f"{distance:.1e} of the largest weight at log(1/b) = {_LADDER[0]:g}")


def _between_jumps(path: SaddlePath) -> float:
    """Return the middle of the widest interval between the first jumps, widths and middle in log time.

    After the last jump, where y = Xx, a weight may be on its way to zero with nothing to push it.
    """
    times = path.times[:7]
    widest = int(np.argmax(times[1:] / times[:-1]))
    return float(np.sqrt(times[widest] * times[widest + 1]))


def _is_at_rest(it: Instance) -> bool:
    """Say whether between jumps up to that time weights off thresholds vanish, and others stop, at all of the scales.

    Off thresholds x is about b^(1 - |X_i'sigma|); on them it relaxes with the eigenvalues of 2 X diag|x| X', on its
    support. Nobody but who joins may be close to a threshold at a jump.
    """
    path, X = it.once(path_of), it.problem.X
    tau, shares = _between_jumps(path), []
    times = path.times[path.times <= tau]
    for time, middle in zip(times, [*np.sqrt(times[1:] * times[:-1]), tau], strict=True):
        before, x = path.at(time * (1 - 1e-9)), path.at(middle)
        on, J = x != 0, X * np.sqrt(np.abs(x))
        shares.append((middle - time) * np.linalg.eigvalsh(J[:, on].T @ J[:, on])[0])
        for when, off in ((time, ~on & (before == 0)), (middle, ~on)):
            shares.append(1 - np.abs(X[:, off].T @ path.dual_at(when)).max(initial=0.0))
    return min(shares) * _LADDER[0] > _REST


def _flow_at(it: Instance, tau: float, L: float, unit: float) -> tuple[Array, Array]:
    """Return x, and X' times the rescaled integral of y - Xx, of the flow of scale exp(-L) at time tau * unit * L."""
    run = flow(it.problem, Hadamard.from_scale(log_b=-L, d=it.problem.d), until=tau * unit * L, accuracy=1e-8)
    return run.x[-1], -it.problem.X.T @ run.dual[-1] / (unit * L)
