"""How likely large errors of a sketch are: bounds against exact tails, enumerated as in `masks`."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, inequality, theorem
from linreg_mirror.theorems.masks.draws import MASKED, PAIRED, Ensemble, by_draws, lengths, linear_model, squared_errors
from sketching import mask_moments, moments, tails


def _tail(X: Array, w: Array, ensemble: Ensemble) -> tuple[Array, Array]:
    """Return the lengths that the error can have, and the probability of at least each of them."""
    p, errors = ensemble[0], np.sqrt(squared_errors(X, w, ensemble[1]))
    order = np.argsort(errors)
    return errors[order], np.cumsum(p[order][::-1])[::-1]


@theorem(
    "masks.tails.chebyshev",
    source=Citation("SK", "idea; Markov's inequality"),
    statement="P(|X(w*m) - Xw| >= t) <= E|X(w*m) - Xw|^2 / t^2",
    kind="inequality",
    hypotheses=PAIRED,
    constants={"share": 1.0},
    extremal=("special/opposite",),
    control=Control("half of that", "special/opposite", {"share": 0.5}),
)
def chebyshev(it: Instance, share: float) -> Evidence:
    """Compare at all lengths that occur; attained where the error has one length only."""
    X, w, k = linear_model(it)
    left, right = [], []
    for scores in (lengths(X, w), np.ones_like(w)):
        t, exact = _tail(X, w, by_draws(scores / scores.sum(), k))
        error = moments.sketch_error(X, w, mask_moments.with_replacement(scores, k, rescale=True))
        left.append(exact)
        right.append(share * tails.chebyshev(error, t))
    return inequality(left, right)


@algebra("masks.tails.chebyshev", share=0.5)
def chebyshev_derived(sp: Any, share: float = 1) -> Any:
    """Three outcomes, two of which have errors of t and more."""
    (t, *p), more = sp.symbols("t p1:4", positive=True), sp.symbols("e1 e2", nonnegative=True)
    less = sp.Symbol("e", real=True)
    error = sum(p[i] * (t + more[i]) ** 2 for i in (0, 1)) + p[2] * less**2
    shown = sum(p[i] * (2 * more[i] / t + more[i] ** 2 / t**2) for i in (0, 1)) + p[2] * less**2 / t**2
    return (sp.nsimplify(share) * error / t**2 - p[0] - p[1], sp.expand(shown))


@theorem(
    "masks.tails.bennett",
    source=Citation("P94", "Bennett's form; proof in sketching.tails.bennett"),
    statement="k draws: P(|X(w*m) - Xw| >= t) <= 2 exp(-(V/M^2) h(tM/V)), h(u) = (1+u) log(1+u) - u, V = E err^2, M "
    "the longest step of one draw",
    kind="inequality",
    hypotheses=MASKED,
    constants={"stretch": 1.0},
    control=Control("at half the length already", "planted/biased/0", {"stretch": 2.0}),
)
def bennett(it: Instance, stretch: float) -> Evidence:
    """Compare at all lengths that occur, for common and for rare features: there the bound is short of a factor 2e."""
    X, w, k = linear_model(it)
    left, right = [], []
    rare = np.where(np.arange(w.size) == 0, 1e-3, 1.0)
    for scores in (lengths(X, w), np.ones_like(w), rare):
        t, exact = _tail(X, w, by_draws(scores / scores.sum(), k))
        bound = tails.bennett(X, w, scores, k, stretch * t)
        telling = bound < 1
        left.append((exact / bound)[telling])
        right.append(np.ones(np.count_nonzero(telling)))
    return inequality(np.concatenate(left), np.concatenate(right))
