"""Wrong solvers of limits, flows, saddles and LASSO; bars and certificates that are too small."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from linreg_mirror.solvers import certificates, error_bars, lasso
from linreg_mirror.solvers.continuous import _flow, kernel, resting
from linreg_mirror.solvers.error_bars import limits, pythagoras
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.saddles import SaddlePath, _saddles
from linreg_mirror.solvers.saddles.signed_fit import SignedFit
from linreg_mirror.solvers.separable import _margin_flow
from tools.mutants.change import Mutant, changed, edited, replaced

LIMITS, LEAST_NORMS, NUCLEAR, LASSO = (f"twins.certificates.{one}" for one in ("limits", "l1", "nuclear", "lasso"))


def looser(right: Callable) -> Callable:
    """Tolerances of a certificate ten times as large."""
    return lambda *args, **options: replace(
        found := right(*args, **options),
        checks=tuple(replace(one, tolerance=10 * one.tolerance) for one in found.checks),
    )


def bars_lost(right: Callable) -> Callable:
    """Bounds of a path's error a thirtieth of what they are."""

    def advance(*arguments):
        answer = right(*arguments)
        arguments[-1][:] /= 30
        arguments[9][2] /= 30
        return answer

    return advance


def slightly_off(right: Callable) -> Callable:
    """Newton's method that ends a millionth beside the solution."""

    def solve(*arguments, **options):
        nu, pull, residual = right(*arguments, **options)
        return (1 + 1e-6) * nu, (1 + 1e-6) * pull, residual

    return solve


MUTANTS = (
    replaced("LASSO weight alpha", lasso, "lasso", lambda right: lambda problem, weight: right(problem, weight / 2)),
    replaced(
        "saddles reach 2 before they jump up",
        _saddles,
        "_next_arrival",
        lambda right: lambda time, s, slopes, up, down: right(time, s, slopes, 2 * up, down),
        "saddles",
    ),
    replaced(
        "bar of an interpolator by half its divergence",
        pythagoras,
        "_divergence",
        lambda right: lambda *a: (right(*a)[0] / 2, right(*a)[1]),
        "bars",
    ),
    replaced(
        "bar of an interpolator without its root",
        error_bars,
        "interpolator_bar",
        lambda _: lambda *a: 4 * pythagoras._divergence(*a)[0],
        "bars",
    ),
    replaced(
        "bar of a limit with half of the metric",
        limits,
        "_self_concordant",
        lambda right: lambda *a: (bar := right(*a))._replace(entries=bar.entries / 2, error=bar.error / 2),
        "bars",
    ),
    edited(
        "least norms: a dual vector with one side",
        certificates,
        "l1_certificate",
        "np.abs(_relative(slopes, thresholds)).max()",
        "_relative(slopes, thresholds).max()",
        LEAST_NORMS,
    ),
    edited(
        "least norms: one threshold for both sides",
        certificates,
        "l1_certificate",
        "t_minus @ np.maximum(-x, 0)",
        "t_plus @ np.maximum(-x, 0)",
        LEAST_NORMS,
    ),
    edited("least norms: thresholds exchanged", certificates, "_relative", "slopes > 0", "slopes < 0", LEAST_NORMS),
    edited("least norms: dual not scaled", certificates, "l1_certificate", " / max(1.0, slope)", "", LEAST_NORMS),
    edited("digits of the dual left out", certificates, "pull", "rest is None or", "True or", LEAST_NORMS),
    edited("residuals from above alone", certificates, "feasibility", "np.abs(r).max()", "r.max()", LIMITS),
    edited(
        "x above primal(z) alone",
        certificates,
        "certify_limit",
        "np.abs(x - represented).max()",
        "(x - represented).max()",
        LIMITS,
    ),
    edited("gap of squares in other units", certificates, "certify_limit", "(2 * rate)", "(2 / rate)", LIMITS),
    edited("gap near the solution", certificates, "_hyperbolic_gap", "difference**2 / 4", "difference**2 / 2", LIMITS),
    edited("gap without the conjugate", certificates, "_hyperbolic_gap", "(1 + np.exp(-2", "(1 - np.exp(-2", LIMITS),
    edited("gap at b = 0 without log 2", certificates, "_log_arcsinh", "np.log(2 * size)", "np.log(size)", LIMITS),
    edited("gap of depth D near it", certificates, "_power_gap", "difference**2 / 2", "difference**2", LIMITS),
    edited("gap of depth D with p alone", certificates, "_power_gap", " + np.exp(2 * log_q)", "", LIMITS),
    edited("gap of depth D in one unit", certificates, "_power_gap", "height / unit * gap", "height * gap", LIMITS),
    edited("primal of one's own not looked at", certificates, "_own_gap", "/ (2 * h)", "* 0 + represented", LIMITS),
    edited("potential of one's own without conjugate", certificates, "_own_gap", "conjugate, x", "0 * x, x", LIMITS),
    edited(
        "nuclear norm: matrices that are not symmetric",
        certificates,
        "nuclear_certificate",
        "float(np.abs(M - M.T).max()), 0.0",
        "0.0",
        NUCLEAR,
    ),
    edited(
        "nuclear norm: negative eigenvalues",
        certificates,
        "nuclear_certificate",
        "-float(np.linalg.eigvalsh(M + M.T)[0]) / 2",
        "0.0",
        NUCLEAR,
    ),
    edited(
        "nuclear norm: slopes on one side",
        certificates,
        "nuclear_certificate",
        " if positive else np.linalg.norm(slope, 2)",
        "",
        NUCLEAR,
    ),
    edited(
        "LASSO: correlations on one side",
        certificates,
        "lasso_certificate",
        "np.abs(problem.X.T @ dual).max()",
        "(problem.X.T @ dual).max()",
        LASSO,
    ),
    edited("error of x, not of its share", certificates, "with_error", "error / (size or 1.0)", "error", LASSO),
    replaced("looser limits", certificates, "certify_limit", looser, LIMITS),
    replaced("looser least norms", certificates, "l1_certificate", looser, LEAST_NORMS),
    replaced("looser nuclear norms", certificates, "nuclear_certificate", looser, NUCLEAR),
    replaced("looser LASSO", certificates, "lasso_certificate", looser, LASSO),
    *(
        replaced(f"compiled flow: {name}", kernel, "advance", wrong, "bars.defect", "mirror.reduction")
        for name, wrong in (
            ("half of its speed", lambda right: lambda flow, *a: right((*flow[:4], flow[4] / 2, flow[5]), *a)),
            ("no tilt", lambda right: lambda flow, *a: right((*flow[:2], 0 * flow[2], *flow[3:]), *a)),
            ("twice the scale", lambda right: lambda flow, *a: right((*flow[:3], flow[3] + np.log(2), *flow[4:]), *a)),
            ("a tenth more of y", lambda right: lambda flow, *a: right((flow[0], 1.1 * flow[1], *flow[2:]), *a)),
        )
    ),
    replaced("a path's bar a thirtieth", kernel, "advance", bars_lost, "bars.defect"),
    *(
        edited(f"rest: {name}", resting, "error_at_rest", was, now, "bars.rest.enclosed")
        for name, was, now in (
            ("twice the rate", "-speed * (t[-1] - t)", "-2 * speed * (t[-1] - t)"),
            ("errors before are forgotten", "apart = errors + ", "apart = 0 * errors + "),
            ("the end is where it goes", ".min()) + away", ".min()) + 0 * away"),
            ("the metric stays", "-2 * longest * (away + apart)", "-0 * longest * (away + apart)"),
        )
    ),
    edited("a path's bar without its duals", _flow, "error_of_point", "(A), error)", "(A), 0 * error)", "bars.defect"),
    edited(
        "dual vectors not away from thresholds",
        error_bars,
        "central_duals",
        "going & (height < least)",
        "going & (least == math.inf)",
        "twins.central_duals",
    ),
    edited(
        "dual vectors that leave the support",
        error_bars,
        "central_duals",
        "weight = xp.where(on, _HELD, (",
        "weight = xp.where(on, 0.0, (",
        "twins.central_duals",
    ),
    # Limits take last steps that mend this; at the small scales that depth.rate asks for they say so and are refused.
    replaced("Newton's method a millionth off", DualNewton, "solve", slightly_off, "depth"),
    edited("saddles: who is blocked stays", SignedFit, "enter", "* target < 0", "* target < -np.inf", "saddles"),
    edited("saddles: points before the jump", SaddlePath, "at", '"right"', '"left"', "saddles.integrals"),
    edited("saddles: averages over twice the time", SaddlePath, "average", "tau, 1.0", "2 * tau, 1.0", "saddles"),
    edited(
        "saddles: sigma from the jump before",
        SaddlePath,
        "dual_at",
        "return sigma[k]",
        "return sigma[before]",
        "saddles",
    ),
    replaced("LASSO without signs", lasso, "lasso", changed(x=lambda s: np.abs(s.x)), "spred"),
    replaced(
        "margin: labels left out",
        _margin_flow,
        "signed_samples",
        lambda right: lambda problem, asker: problem.X,
        "margin",
    ),
    Mutant(
        "logistic loss with the slope of the exponential one",
        lambda: patch.dict(_margin_flow._LOSSES, logistic=lambda q: (_margin_flow._logistic(q)[0], -q)),
        ("twins.margin_flow",),
    ),
    edited(
        "the sum of errors as if H did not change, enclosed",
        limits,
        "_self_concordant",
        "1.02 * decrement / (1 - steepest) * float",
        "1.02 * decrement * float",
        "bars.self_concordance.sum",
    ),
)
