"""What rounding does to products and factors, against fractions: the bounds that bars of many problems are made of."""

from collections.abc import Iterator

import numpy as np

from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import factors, pairs, rounding
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.theorems import _exact
from linreg_mirror.theorems.flows._shares import Shares

_UNITS = (1.0, 1e-140, 1e-300, 1e140)
_SHAPES = ((2, 3), (3, 2), (1, 4))
_CONDITIONS = (1.0, 1e3, 1e6, 3e6, 1e7, 2e7, 3e7)
_CONTROL = Control("a tenth of the bounds", "planted/plain/0", {"share": 0.1})
_B = 4


def _pair(rng: np.random.Generator, hi: Array) -> Pair:
    return Pair(hi, 1e-17 * hi * rng.uniform(-1, 1, hi.shape))


def _stacks(rng: np.random.Generator) -> Iterator[tuple[Stack, Pair, Pair]]:
    """Yield problems with pairs s and x, with X's far below |X|'|s|, and y with and without a residual."""
    none = np.zeros((_B, 1))
    for n, d in _SHAPES:
        for unit in _UNITS:
            X = rng.standard_normal((_B, n, d))
            least = np.stack([np.linalg.svd(one[:, : n - 1].T)[2][-1] if n > 1 else np.ones(1) for one in X])
            x = _pair(rng, rng.standard_normal((_B, d)))
            left = np.where(np.arange(_B)[:, None] % 2, unit, 0.0) * rng.standard_normal((_B, n))
            y = pairs.products(unit * X, x).hi + left
            yield Stack(unit * X, y, Hyperbolic(none, none), none), _pair(rng, 10 ** rng.uniform(-3, 3) * least), x


@theorem(
    "bars.rounding.products",
    source=Citation("ours", "Dot2 of Ogita, Rump and Oishi, with its constants"),
    statement="X's and y - Xx of 106 bits, of sizes from 10^-300 to 10^140, also where they are nothing but rounding: "
    "their errors, in fractions, never exceed the bounds, nor after rounding to 53 bits",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def products(it: Instance, share: float) -> Evidence:
    """Compare the errors of each entry of X's, and the 2-norms of those of the residual.

    Proof. A sum of n products with 106 bits is wrong by about (n eps)^2 |X|'|s| at most, as each product and each sum
    leaves its error to the next digits; below the least float, by that float for each term. Rounding to 53 bits adds
    eps of the size.
    """
    found = Shares()
    for of, s, x in _stacks(it.generator()):
        pull, bound = pairs.transposed_products(of.X, s), rounding.of_pull(of, s)
        r, inexact = rounding.residual(of, x)
        rough, more = rounding.rounded(r, inexact)
        for k, X in enumerate(map(_exact.fractions, of.X)):
            found.of(abs(_of(pull, k) - X.T @ _of(s, k)), bound[k])
            right = _exact.fractions(of.y[k]) - X @ _of(x, k)
            for error, norm in ((_of(r, k) - right, inexact[k]), (_exact.fractions(rough[k]) - right, more[k])):
                found.of(_exact.root(error @ error), norm)
    return found.evidence(share)


def _of(pair: Pair, k: int) -> Array:
    return _exact.fractions(pair.hi[k], pair.lo[k])


@theorem(
    "bars.rounding.norms",
    source=Citation("ours", "Cholesky factors in float64, with what they leave measured"),
    statement="H = X diag(D) X' rounded to 53 bits: (v'H^-1 v)^(1/2) of the exact H, in fractions, never exceeds its "
    "bound, for v known up to an error and conditions up to 10^15",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=_CONTROL,
)
def norms(it: Instance, share: float) -> Evidence:
    """Compare in the direction in which rounding matters most, and with errors that point there.

    Proof. |H_ij - (LL')_ij| is at most gamma (H_ii H_jj)^(1/2), gamma what L is seen to leave of H and (d + n) eps for
    rounding (Theorem 10.3 of Higham, Accuracy and Stability of Numerical Algorithms), so that H is at least (1 - gamma
    |L^-1 sizes|^2) LL'. An error of v adds its length over the root of the least eigenvalue.
    """
    rng, found, B = it.generator(), Shares(), 12
    for condition in _CONDITIONS:
        left, right = (np.stack([np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(B)]) for _ in (0, 1))
        X, D = (left * [1, 1 / condition]) @ right.mT, 10 ** rng.uniform(-1, 1, (B, 2))
        H = (X * D[:, None, :]) @ X.mT
        with np.errstate(all="ignore"):
            made = factors.factors(H, 2)
        worst = np.linalg.eigh(H)[1][:, :, 0]
        for v, error in ((worst + 1e-9 * rng.standard_normal((B, 2)), 0.0), (rng.standard_normal((B, 2)), 1.0)):
            bound = made.norm(v, np.full(B, error))
            # As far as floats of length 1 allow to point there.
            moved = v + (1 - 1e-9) * error * worst * np.where((v * worst).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
            for k in np.flatnonzero(made.sound):
                exact, u = _exact.fractions(X[k]), _exact.fractions(moved[k])
                found.of(_exact.root(u @ _exact.solved(exact * _exact.fractions(D[k]) @ exact.T, u)), bound[k])
    return found.evidence(share)
