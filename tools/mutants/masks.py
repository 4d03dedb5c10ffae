"""Wrong scores, moments and selections of masks."""

import numpy as np

from sketching import _race, mask_moments, moments, network_scores, scores, selection, tails, temperature, training
from sketching.network_scores import _synflow
from tools.mutants.change import changed, edited, replaced, scaled

MUTANTS = (
    replaced("draws that share nothing", mask_moments, "with_replacement", changed(shared=lambda m: None), "masks"),
    replaced(
        "covariance divided by q once", mask_moments, "_inverse", lambda right: lambda q: right(q) ** 0.5, "masks"
    ),
    replaced("mask without its bias", moments, "sketch_error", changed(bias=lambda e: 0.0), "masks"),
    replaced("error without its variance", moments, "sketch_error", changed(variance=lambda e: 0.0), "masks"),
    replaced(
        "optimal p ~ |w|",
        moments,
        "optimal_probabilities",
        lambda _: lambda X, w: np.abs(w) / np.abs(w).sum(),
        "masks",
    ),
    replaced(
        "least error without |Xw|^2",
        moments,
        "least_error",
        lambda _: lambda X, w, k: moments.rms_snip(X, w).sum() ** 2 / k,
        "masks",
    ),
    replaced(
        "inclusion probabilities cut off, not filled",
        selection,
        "_water_filled",
        lambda _: lambda flat, k: np.minimum(k * flat / flat.sum(), 1.0),
        "masks",
    ),
    replaced(
        "comb without regard to pairs",
        mask_moments,
        "systematic",
        changed(spread=lambda m: np.diag(m.spread)),
        "masks",
    ),
    replaced("race with k - 1 places", _race, "inclusions", lambda right: lambda s, k: right(s, k - 1), "masks"),
    replaced(
        "pairs of a race as if independent",
        _race,
        "inclusions",
        lambda right: lambda s, k: (first := right(s, k)[0], np.outer(first, first)),
        "masks",
    ),
    replaced(
        "threshold one arrival too late",
        _race,
        "threshold_variances",
        lambda right: lambda s, k: right(s, k + 1),
        "masks",
    ),
    replaced(
        "race rescaled by inclusion probabilities",
        selection,
        "gumbel_top_k",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng) / (_race.inclusions(s, k)[0] if rescale else 1),
        "masks",
    ),
    replaced(
        "comb rescaled by k p",
        selection,
        "systematic",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng) / (k * s / s.sum() if rescale else 1),
        "masks",
    ),
    replaced(
        "draws rescaled by a tenth too much",
        selection,
        "with_replacement",
        lambda right: lambda s, k, rng, rescale=False: right(s, k, rng, rescale=rescale) * (1.1 if rescale else 1),
        "masks",
    ),
    replaced("power of scores halved", temperature, "tempered", lambda right: lambda s, g: right(s, g / 2), "masks"),
    replaced(
        "coefficient of variation, not squared",
        temperature,
        "data_free",
        changed(excess=lambda d: 1 + (d.excess - 1) ** 0.5),
        "masks",
    ),
    replaced("Kantorovich's cap halved", temperature, "data_free", changed(cap=lambda d: d.cap / 2), "masks"),
    replaced("SNIP without the weight", scores, "snip", scaled(lambda X, w, y: 1 / np.abs(w)), "masks"),
    replaced("GraSP without its sign", scores, "grasp", lambda right: lambda *a: np.abs(right(*a)), "masks"),
    replaced("SynFlow squared", scores, "synflow", lambda right: lambda w: right(w) ** 2, "masks"),
    edited("SynFlow with signs", _synflow, "_positive", "tensor.abs().double()", "tensor.double()", "masks.synflow"),
    edited(
        "GraSP by the gradient, not the Hessian times it",
        network_scores,
        "grasp",
        "wide(products[name])",
        "wide(gradients[name].detach())",
        "masks.grasp",
    ),
    replaced("mean square SNIP for its root", scores, "rms_snip", lambda right: lambda *a: right(*a) ** 2, "masks"),
    replaced(
        "trained from 0",
        training,
        "trained_from",
        lambda right: lambda X, y, w0: right(X, y, 0 * w0),
        "masks",
    ),
    replaced(
        "drawn by initial weights, error on initial weights",
        training,
        "after_training",
        lambda right: lambda X, w0, w, k, share=0.0: right(X, w0, w0, k, share),
        "masks",
    ),
    replaced(
        "bound by the uniform share without d",
        training,
        "after_training",
        changed(share_bound=lambda a: a.share_bound / 5),
        "masks",
    ),
    replaced("Chebyshev with t^3", tails, "chebyshev", scaled(lambda error, t: 1 / t), "masks"),
    replaced(
        "Bennett at twice the length", tails, "bennett", lambda right: lambda *a: right(*a[:4], 2 * a[4]), "masks"
    ),
    replaced("error of gates without variance", moments, "sketch_error", changed(variance=lambda e: 0.0), "gates"),
    edited(
        "of equal scores the last",
        selection,
        "_largest",
        "[: k - np.count_nonzero(kept)]",
        "[np.count_nonzero(kept) - k :]",
        "twins.top_k",
    ),
    replaced("excess of a temperature, its root", temperature, "excess", lambda r: lambda *a: r(*a) ** 0.5, "masks"),
    edited("Bennett without its factor", tails, "bennett", "2 * np.exp", "0.01 * np.exp", "masks.tails"),
    edited("Bennett with another variance", tails, "bennett", "steps**2 / factors[drawn]", "steps**2", "masks.tails"),
)
