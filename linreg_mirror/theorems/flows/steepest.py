"""Steepest descent in the L_p norm, of which sign descent is p = inf and gradient descent p = 2, on x = m*w.

The flow is theta' = -sign(d)|d|^(q-1) - alpha theta with d the gradient in theta and 1/p + 1/q = 1: the penalty is
decoupled from the geometry, as in AdamW. Its dual variables move along sign(g)|g|^(q-1), which lies in the row space
of X for q = 2 alone: of where it ends no potential tells.
"""

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from scipy.integrate import LSODA, solve_ivp
from scipy.special import hyp2f1

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, identity, relative, theorem
from linreg_mirror.ledger import hypotheses as h

_EXPONENTS = (1.5, 2.0, 3.0)  # q; p is 3, 2 and 1.5
_STEPWISE = 1e-10
_EVALUATIONS = 1500
_ADDED_UP = 1e-7  # what steps add up to, where powers below 1 have kinks; 7e-9 was measured
_STEPS = 200  # of sign descent
_DEPTHS = ((2, 1.5), (2, 2.0), (2, 3.0), (3, 1.5), (3, 1.25), (4, 4 / 3))  # L and q: q (L-1)/L from 3/4 to 3/2

# m^2 and w^2 that are nearly equal leave few digits to the difference of other powers.
_apart = Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1))
_STARTED = (h.hadamard, h.unbalanced, h.squared, h.no_penalty, h.biased, _apart)


def _power(v: Array, q: float) -> Array:
    return np.sign(v) * np.abs(v) ** (q - 1)


def _pull(it: Instance) -> float:
    """Return the largest entry of the gradient at the start."""
    x = it.network.effective(it.network.theta0)
    return float(np.abs(it.problem.gradient(x)).max()) or 1.0


@lru_cache(maxsize=8)
def _path(it: Instance, q: float, share: float) -> tuple[float, Array]:
    """Return A and, at the end, (m, w, int sign(g)|g|^(q-1)), shape (3, d); alpha is a share of the largest pull."""
    unit = float(_pull(it) ** (q - 1))
    alpha, end = share * unit, 0.2 / unit
    m0, w0 = it.hadamard.m0, it.hadamard.w0

    def field(_: float, state: Array) -> Array:
        m, w = state.reshape(3, -1)[:2]
        g = it.problem.gradient(m * w)
        return np.concatenate([-_power(w * g, q) - alpha * m, -_power(m * g, q) - alpha * w, _power(g, q)])

    start = np.concatenate([m0, w0, 0 * m0])
    solver = LSODA(field, 0.0, start, end, rtol=_STEPWISE, atol=_STEPWISE * m0.min())
    # Where gradients vanish, powers below 1 let steps vanish too; what is said holds at any time.
    while solver.status == "running" and solver.nfev < _EVALUATIONS:
        solver.step()
    if solver.status == "failed":
        raise ArithmeticError(f"the flow was not integrated beyond t = {solver.t:g}")
    return alpha * float(solver.t), solver.y.reshape(3, -1)


@theorem(
    "steepest.balance",
    source=Citation("JZB26", "balance under decoupled decay"),
    statement="L_p steepest flow of x = m*w with decoupled penalty alpha theta: |m|^q - |w|^q falls like "
    "exp(-q int alpha), 1/p + 1/q = 1",
    kind="identity",
    hypotheses=(*_STARTED, h.moves),
    constants={"exponent": None},
    control=Control("like exp(-2 int alpha), as for gradient descent", "planted/biased/0", {"exponent": 2.0}),
)
def balance(it: Instance, exponent: float | None) -> Evidence:
    """Compare at the end of paths with a penalty and without, for three q.

    Proof. (|m|^q)'/q = |m|^(q-1) sign(m) m' = -|m w|^(q-1) sign(m w) sign(g)|g|^(q-1) - alpha |m|^q, and w has the same
    first term.
    """
    m0, w0, apart = it.hadamard.m0, it.hadamard.w0, []
    for q, share in product(_EXPONENTS, (0.0, 0.3)):
        A, (m, w, _) = _path(it, q, share)
        expected = (m0**q - np.abs(w0) ** q) * np.exp(-(exponent or q) * A)
        apart.append(relative(np.abs(m) ** q - np.abs(w) ** q - expected, np.abs(m) ** q))
    return identity(apart, _ADDED_UP)


def _rates_in_symbols(sp: Any, m: Any, w: Any, sign: int, decay: Any = 0) -> tuple[Any, Any, Any]:
    """Return q, |g|^(q-1) and the rates of |m| and |w|, positive, where m w g has this sign."""
    q, g = sp.symbols("q g", positive=True)
    return q, g ** (q - 1), (-sign * (w * g) ** (q - 1) - decay * m, -sign * (m * g) ** (q - 1) - decay * w)


@algebra("steepest.balance", exponent=2)
def balance_derived(sp: Any, exponent: int | None = None) -> Any:
    """Any q: the derivative of (|m|^q - |w|^q) exp(q A), divided by the exponential."""
    (m, w, alpha), found = sp.symbols("m w alpha", positive=True), []
    for sign in (1, -1):
        q, _, rates = _rates_in_symbols(sp, m, w, sign, alpha)
        kept = m**q - w**q
        found.append(kept.diff(m) * rates[0] + kept.diff(w) * rates[1] + (exponent or q) * alpha * kept)
    return found


@theorem(
    "steepest.metric",
    source=Citation("JZB26", "depth 2"),
    statement="L_p steepest flow of x = m*w: d grad R(x) = -sign(g)|g|^(q-1) dt with R'' = 1/sqrt(4|x|^q + c^2), "
    "c = |m_0|^q - |w_0|^q",
    kind="identity",
    hypotheses=(*_STARTED, h.moves),
    constants={"squares": False},
    control=Control("1/sqrt(4 x^2 + c^2), right for q = 2", "planted/biased/0", {"squares": True}),
)
def metric(it: Instance, squares: bool) -> Evidence:
    """Compare the change of grad R, by its hypergeometric function, with the integral along paths, for three q.

    Proof. x' = -sign(g)|g|^(q-1) (|m|^q + |w|^q), and (|m|^q + |w|^q)^2 = (|m|^q - |w|^q)^2 + 4|x|^q.
    """
    m0, w0, apart = it.hadamard.m0, it.hadamard.w0, []
    for q in _EXPONENTS:
        _, (m, w, pulled) = _path(it, q, 0.0)
        c, power = m0**q - np.abs(w0) ** q, 2.0 if squares else q
        moved = _dual(m * w, c, power) - _dual(m0 * w0, c, power)
        # As a change of x.
        apart.append(relative((moved + pulled) * np.sqrt(4 * np.abs(m * w) ** q + c**2), m * w))
    return identity(apart, _ADDED_UP)


@algebra("steepest.metric", squares=True)
def metric_derived(sp: Any, squares: bool = False) -> Any:
    """Any q: R'' x' against -sign(g)|g|^(q-1), in terms of M = |m|^q and W = |w|^q; c stays by steepest.balance."""
    (M, W, q), found = sp.symbols("M W q", positive=True), []
    m, w = M ** (1 / q), W ** (1 / q)
    bent = 1 / sp.sqrt(4 * ((m * w) ** 2 if squares else M * W) + (M - W) ** 2)
    for sign in (1, -1):
        _, pull, rates = _rates_in_symbols(sp, m, w, sign)
        found.append(sp.powsimp(sp.expand(bent * (m * rates[1] + w * rates[0]) + sign * pull), force=True))
    return found


def _dual(x: Array, c: Array, q: float) -> Array:
    """Return the integral of 1/sqrt(4|u|^q + c^2) from 0 to x."""
    return x / c * hyp2f1(0.5, 1 / q, 1 + 1 / q, -4 * np.abs(x) ** q / c**2)


@theorem(
    "steepest.sign",
    source=Citation("JZB26", "sign descent, in steps: ours"),
    statement="m <- (1 - eta alpha) m - eta sign(w g), w likewise: |m| - |w| is multiplied by 1 - eta alpha in every "
    "step in which no factor changes its sign",
    kind="identity",
    hypotheses=_STARTED,
    constants={"power": 1},
    control=Control("by its square", "planted/biased/0", {"power": 2}),
)
def sign_descent(it: Instance, power: int) -> Evidence:
    """Compare before and after each step.

    Proof. Where signs stay, |m| moves by -eta sign(m) sign(w) sign(g), and so does |w|.
    """
    m, w = it.hadamard.m0, it.hadamard.w0
    eta, shrunk, apart = 1e-2 * float(m.min()), 0.999, [0.0]
    for _ in range(_STEPS):
        g = it.problem.gradient(m * w)
        after_m, after_w = shrunk * m - eta * np.sign(w * g), shrunk * w - eta * np.sign(m * g)
        kept = (after_m * m > 0) & (after_w * w > 0)
        change = np.abs(after_m) - np.abs(after_w) - shrunk**power * (np.abs(m) - np.abs(w))
        apart.append(float(np.abs(change[kept]).max(initial=0.0) / np.abs(m).max()))
        m, w = after_m, after_w
    return identity(apart, 1e-15)


@algebra("steepest.sign", power=2)
def sign_descent_derived(sp: Any, power: int = 1) -> Any:
    """|m| and |w| move by the same amount, up or down, beside the penalty."""
    (m, w), (eta, alpha), found = sp.symbols("m w", positive=True), sp.symbols("eta alpha"), []
    for sign_w, sign_g in product((1, -1), repeat=2):
        signed_w = sign_w * w
        after_m = (1 - eta * alpha) * m - eta * sp.sign(signed_w * sign_g)
        after_w = (1 - eta * alpha) * signed_w - eta * sp.sign(m * sign_g)
        found.append(after_m - sign_w * after_w - (1 - eta * alpha) ** power * (m - w))
    return found


@theorem(
    "steepest.depth",
    source=Citation("JZB26", "depth L"),
    statement="L equal factors: R'' = |x|^(-k)/L with k = q (L-1)/L; a constant pull takes x from X to 10 X in a time "
    "of X^(1-k) (10^(1-k) - 1)/(L (1-k)): grad R has a bound, and R is no Bregman function, exactly if k > 1",
    kind="identity",
    hypotheses=_STARTED,
    constants={"layers": 1},
    control=Control("k = q", "planted/biased/0", {"layers": 0}),
)
def depth(it: Instance, layers: int) -> Evidence:
    """Compare the times of three factors of 10, along the flow of one weight's factors, from the largest |x_0|.

    Proof. |x'| = L |x|^(q(L-1)/L) |g|^(q-1) while factors are equal, which they stay. The integral of |x|^(-k) to
    infinity is finite exactly if k > 1.
    """
    x0 = float(np.abs(it.hadamard.m0 * it.hadamard.w0).max())
    apart = []
    for L, q in _DEPTHS:
        k = q * (L - layers) / L
        start = np.full(L, x0 ** (1 / L))
        # In terms of log theta: factors go to infinity in a finite time for k > 1.
        events = [_reached(L, 10.0**n * x0) for n in (1, 2, 3)]
        path = solve_ivp(
            lambda _, log_theta, L=L, q=q: np.append(
                np.exp((q - 1) * (log_theta[:L].sum() - log_theta[:L]) - log_theta[:L] - _speed(log_theta, L, q)),
                np.exp(-_speed(log_theta, L, q)),
            ),
            (0.0, 10.0), np.append(np.log(start), 0.0), method="DOP853", rtol=1e-11, atol=1e-11, events=events,
        )  # fmt: skip
        times = np.array([0.0, *(float(found[0][-1]) for found in path.y_events)])
        X = x0 * 10.0 ** np.arange(3)
        expected = X ** (1 - k) * np.log(10) / L if k == 1 else X ** (1 - k) * (10 ** (1 - k) - 1) / (L * (1 - k))
        apart.append(np.abs(np.diff(times) / expected - 1).max())
    return identity(apart, 1e-9)


@algebra("steepest.depth", layers=0)
def depth_derived(sp: Any, layers: int = 1) -> Any:
    """Any L and q, factors being equal: R'' times the speed of x = theta^L; and the integral of R'', differentiated."""
    theta, g, q, L, X = sp.symbols("theta g q L X", positive=True)
    k = q * (L - layers) / L
    speed = L * theta ** (L - 1) * (theta ** (L - 1) * g) ** (q - 1)
    time = X ** (1 - k) / (L * (1 - k))
    return [theta ** (-L * k) / L * speed - g ** (q - 1), time.diff(X) - X**-k / L]


def _speed(log_theta: Array, L: int, q: float) -> float:
    """Return the logarithm of how fast log theta_1 moves: with it as the unit of time, no time is infinite."""
    return float((q - 1) * (log_theta[:L].sum() - log_theta[0]) - log_theta[0])


def _reached(L: int, x: float):
    def missing(_: float, log_theta: Array) -> float:
        return float(log_theta[:L].sum() - np.log(x))

    return missing
