"""Where the minimum-L1 interpolator begins to find sparse truths, and over how many samples it does so.

It finds a truth with k nonzeros among d if the descent cone of the L1 norm meets the null space of a random X in zero
alone. Among designs with n samples the share of those is that of the cone's intrinsic volumes up to n, which are about
normal. Their mean is the statistical dimension, an infimum of mean squares (Amelunxen, Lotz, McCoy and Tropp, 2014,
section 4; Donoho and Tanner, 2009, by faces of polytopes). Their variance is that of the squared length of a normal
vector's projection onto the cone, less twice its mean (McCoy and Tropp, 2014; Goldstein, Nourdin and Peccati, 2017).
"""

from functools import cache

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import binom, norm


def centre(share: float) -> float:
    """Return n/d at which a half is found, for k/d nonzeros, as d -> infinity."""
    return _infimum(share)[1]


def width(share: float) -> float:
    """Return the standard deviation of the transition in samples, divided by sqrt(d), as d -> infinity."""
    tau, dimension = _infimum(share)
    # Variances of (u - tau)^2 on the support and of (|u| - tau)+^2 off it, for normal u.
    fourth = 2 * ((tau**4 + 6 * tau**2 + 3) * norm.sf(tau) - (tau**3 + 5 * tau) * norm.pdf(tau))
    variance = share * (2 + 4 * tau**2) + (1 - share) * (fourth - _tail(tau) ** 2)
    return float(np.sqrt(variance - 2 * dimension))


@cache
def volumes(k: int, d: int, draws: int = 4000) -> tuple[float, float]:
    """Return mean and standard deviation of the intrinsic volumes of the descent cone at k nonzeros among d.

    Volumes are chances: of a normal vector's projection onto the cone to lie in a face of that dimension. They are
    estimated by so many projections, the same ones every time.
    """
    rng = np.random.default_rng([k, d])
    on, off = rng.standard_normal((draws, k)), np.sort(np.abs(rng.standard_normal((draws, d - k))))[:, ::-1]
    # The nearest multiple tau of the subdifferential if so many entries off the support exceed tau.
    nothing = np.zeros((draws, 1))
    tau = (on.sum(axis=1, keepdims=True) + np.hstack([nothing, off.cumsum(axis=1)])) / (k + np.arange(d - k + 1))
    fits = tau >= np.hstack([off, nothing])
    # The polar cone's face has the entries below tau, and tau itself; if no tau fits it is the point zero.
    dimension = np.where(fits.any(axis=1), k - 1 + np.argmax(fits, axis=1), d)
    return float(dimension.mean()), float(dimension.std())


def _infimum(share: float) -> tuple[float, float]:
    """Return tau and the least mean squared distance of a normal vector to tau times the subdifferential, over d."""
    found = minimize_scalar(
        lambda tau: share * (1 + tau**2) + (1 - share) * _tail(tau),
        bounds=(0, 40), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    return float(found.x), float(found.fun)


def _tail(tau: float) -> float:
    """Return the mean square of (|u| - tau)+."""
    return 2 * ((1 + tau**2) * norm.sf(tau) - tau * norm.pdf(tau))


def fitted(samples: np.ndarray, recovered: np.ndarray, trials: int) -> tuple[float, float]:
    """Return centre and standard deviation of the normal distribution that makes shares most likely.

    Parameters
    ----------
    samples, recovered : array, shape (points,)
        n, ascending, and the share found of so many trials each.
    trials : int
        Problems a point.
    """
    hits = np.rint(recovered * trials)

    def loss(at: np.ndarray) -> float:
        chance = norm.cdf((samples - at[0]) / np.exp(at[1]))
        return -float(binom.logpmf(hits, trials, np.clip(chance, 1e-9, 1 - 1e-9)).sum())

    start = samples[np.argmin(np.abs(recovered - 0.5))]
    found = minimize(loss, [start, np.log(np.ptp(samples) / 10)], method="Nelder-Mead", options={"maxiter": 4000})
    return float(found.x[0]), float(np.exp(found.x[1]))
