"""Wrong answers of batches, and bars of theirs that are too small."""

from linreg_mirror.solvers.batches import bars as batch_bars
from linreg_mirror.solvers.batches import factors as batch_factors
from linreg_mirror.solvers.batches import few_weights, pythagoras, rounding, supports, vertices
from linreg_mirror.solvers.batches.factors import Factors
from tools.mutants.change import edited

MUTANTS = (
    *(
        edited(f"bars of batches: {name}", owner, attribute, was, now, "bars.batches")
        for name, owner, attribute, was, now in (
            ("slope 1 of log metric", batch_bars, "bars", "2 * xp.max(kappa", "xp.max(kappa"),
            ("a metric that does not grow", batch_bars, "bars", "xp.expm1(2 * moved) / 2", "moved"),
            ("no delta / (1 - exp(-delta))", batch_bars, "bars", "stretch = 1 + delta", "stretch = 1 + 0 * delta"),
            ("half of the metric's root", batch_bars, "bars", "xp.sqrt(xp.sum(metric", "0.5 * xp.sqrt(xp.sum(metric"),
            ("kappa halved", batch_bars, "bars", "1 / root), reach)", "0.5 / root), reach)"),
            ("residuals exact", batch_bars, "bars", "found.norm(r, inexact) + ", "found.norm(0 * r, inexact) + "),
            ("x exact", batch_bars, "point_of", "_LIBRARY * x", "0 * x"),
            ("vertices that fit exactly", vertices, "errors", "2.02 * (eta + ", "2.02 * (0 * eta + "),
            ("dual vectors that fit exactly", vertices, "errors", "inexact * weight)", "0 * inexact * weight)"),
            ("no way back to the support", vertices, "errors", "1 + 1.01 * K", "1 + 0 * K"),
            ("few weights that fit exactly", few_weights, "_errors", "eta = off_by(", "eta = 0 * off_by("),
            ("interpolators that fit exactly", pythagoras, "interpolator", "eta = 1.01 * ", "eta = 0 * "),
            ("interpolators without Pinsker", pythagoras, "interpolator", "2 * xp.sqrt(G", "0 * xp.sqrt(G"),
            ("slack 1", vertices, "errors", "worst / slack", "worst"),
            ("columns beyond their thresholds", vertices, "errors", "(xp.min(slack, axis=-1) > 0)", "(lost < 1)"),
            ("weights change sign", supports, "near", "xp.all(right, axis=-1)", "xp.all(right | True, axis=-1)"),
            ("slopes of the LASSO exact", supports, "_below", "stack.lengths * apart", "0 * stack.lengths * apart"),
            ("a column left out", supports, "near", "whole.sound & all_there", "whole.sound"),
            ("steps of the LASSO exact", supports, "near", "whole.reach * eta", "0 * whole.reach * eta"),
        )
    ),
    *(
        edited(f"rounding in batches: {name}", owner, attribute, was, now, "bars.rounding")
        for name, owner, attribute, was, now in (
            ("Hessians exact", batch_factors, "factors", "1 - 1.01 * gamma", "1 - 0 * gamma"),
            ("vectors exact", Factors, "norm", " + self.reach * error", ""),
            ("products of eps", rounding, "of_pull", "8 * (n + 2) ** 2", "1e-6"),
            ("products without underflow", rounding, "of_pull", " + n * _UNDERFLOW", ""),
            ("residuals of eps", rounding, "residual", "(2 * (d + 2) * UNIT)", "(1e-3 * UNIT)"),
            ("residuals as exact as before", rounding, "rounded", " + 2 * UNIT * norm(v.hi)", ""),
        )
    ),
)
