"""Error bars: the formulas by hand, how tight they are, and where wrong ones fail."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.ledger import instance
from linreg_mirror.solvers import error_bars
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.flows import bars


def evidence(name, witness, **constants):
    return REGISTRY[name].observe(instance(witness), **{**REGISTRY[name].constants, **constants})


@pytest.mark.parametrize(
    ("name", "least"),
    [("bars.interpolator", 0.99), ("bars.self_concordance", 0.99), ("bars.sharpness", 0.89), ("bars.defect", 0.9)],
)
def test_bars_are_attained_up_to_little(name, least):
    entry = REGISTRY[name]
    found = entry.evidence(instance((entry.extremal or (entry.control.witness,))[0]))
    assert found.holds
    assert least < found.tightness <= 1


@pytest.mark.parametrize(
    ("name", "witness", "wrong"),
    [
        ("bars.interpolator", "planted/biased/0", {"root": 1.0}),
        ("bars.interpolator", "special/wide-pair", {"pinsker": 3.9}),
        ("bars.self_concordance", "special/see-saw", {"curved": False}),
        ("bars.sharpness", "special/long-column", {"back": 0.7}),
        ("bars.defect", "planted/geometric/0", {"weight": 0.9}),
    ],
)
def test_wrong_constants_fail(name, witness, wrong):
    assert evidence(name, witness).holds
    assert evidence(name, witness, **wrong).fails


@pytest.mark.parametrize("witness", ["planted/biased/0", "correlated/geometric/1", "special/see-saw"])
def test_ends_are_those_of_newton_in_40_digits(witness):
    mp = pytest.importorskip("mpmath")
    it = instance(witness)
    end = bars._end(it)
    d = it.problem.d
    with mp.workdps(40):
        X = mp.matrix(it.problem.X.tolist())
        log_b = [mp.mpf(v) - 4 * mp.mpf(end.A) for v in end.mirror.log_scale]
        s = mp.matrix(end.s.tolist())
        for _ in range(4):
            pull = X.T * s
            a = [mp.mpf(end.mirror.tilt[j]) - 2 * pull[j] for j in range(d)]
            x = mp.matrix([mp.exp(log_b[j]) * mp.sinh(a[j]) for j in range(d)])
            metric = mp.diag([2 * mp.exp(log_b[j]) * mp.cosh(a[j]) for j in range(d)])
            residual = mp.matrix(it.problem.y.tolist()) - X * x
            s = s - mp.lu_solve(X * metric * X.T, residual)
        assert mp.norm(residual) < mp.mpf(10) ** -25
        apart = float(sum(abs(x[j] - mp.mpf(end.x[j])) for j in range(d)))
    assert apart <= end.error < 1e-11


@pytest.mark.parametrize("b", [1e-6, 1e-2, 1.0, 1e3])
def test_divergence_is_that_of_the_potential(b):
    mp = pytest.importorskip("mpmath")
    p, q = np.array([0.3, -2.0, 0.0, 1.0]), np.array([0.4, 1.0, 0.5, 1.00001])
    expected = mp.mpf(0)
    with mp.workdps(40):
        for x, w in zip(p.tolist(), q.tolist(), strict=True):
            x, w, c = mp.mpf(x), mp.mpf(w), mp.mpf(b)
            R = [(u * mp.asinh(u / c) - mp.sqrt(u**2 + c**2)) / 2 for u in (x, w)]
            expected += R[0] - R[1] - mp.asinh(w / c) / 2 * (x - w)
        expected = float(expected)
    found = bars._divergence(p, np.arcsinh(p / b), np.arcsinh(q / b), np.full(4, b))
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_pair_of_wide_weights_by_hand():
    """x* = (1/2, 1/2); p = (1, 0) is 1 away, and 4 D (|p|_1 + 2b) = 4 * 1/(8b) * 2b = 1 as b grows."""
    end = bars._end(instance("special/wide-pair"))
    np.testing.assert_allclose(end.x, [0.5, 0.5], rtol=1e-14)
    p = np.array([1.0, 0.0])
    G = bars._divergence(p, np.arcsinh(p / end.b), np.arcsinh(end.x / end.b), end.b)
    assert pytest.approx(1 / 800, rel=1e-4) == G
    assert 1 < 2 * G + 2 * math.sqrt(G * (G + 201)) < 1.01


def test_a_see_saw_by_hand():
    """One sample, X = (1, -1): q_2 = x*_2 exp(-2h) on the way up, and H is D_1 but for a hundredth."""
    end = bars._end(instance("special/see-saw"))
    heavy, light = end.x
    assert heavy - light == pytest.approx(0.99, rel=1e-12)
    assert heavy / light > 50
    for h in (0.05, 0.3):
        q = np.array([heavy * math.exp(2 * h), light * math.exp(-2 * h)])
        H = 2 * q.sum()
        reach = 2 * (q[0] - q[1] - 0.99) / H
        delta = -math.log(1 - reach)
        bar = q[1] * math.expm1(reach * delta / -math.expm1(-delta))
        assert light - q[1] <= bar * (1 + 1e-6)
        assert light - q[1] > 0.9 * bar
        assert light - q[1] > 1.02 * q[1] * math.expm1(reach)


def test_bars_of_the_solver_are_those_of_the_statement():
    it = instance("special/wide-pair")
    end, rows = bars._end(it), error_bars.proving_rows(it.problem)
    s = Pair.of(end.s)
    q = error_bars.dual_point(end.mirror, end.A, rows.X, rows.lengths, s)
    p = np.array([0.75, 0.25])
    G = bars._divergence(p, np.arcsinh(p / end.b), np.arcsinh(end.x / end.b), end.b)
    stated = 2 * G + 2 * math.sqrt(G * (G + 201))
    computed = error_bars.interpolator_bar(rows, end.mirror, end.A, q, Pair.of(p))
    assert stated < computed < 1.03 * stated


def test_flows_move_apart_under_another_loss_only():
    """One residual on the slope of Huber's loss, where no change is felt, and one in the bowl that follows it."""
    it = instance("special/one-saturated")
    X, y = it.problem.X, it.problem.y

    def apart(gradient):
        def field(_, both):
            return np.concatenate([gradient(X @ (np.sinh(-2 * X.T @ s) / 2) - y) for s in np.split(both, 2)])

        run = solve_ivp(field, (0, 2), [0, 0, -0.1, 0.2], rtol=1e-10, atol=1e-12, t_eval=np.linspace(0, 2, 50)).y
        return np.linalg.norm(run[:2] - run[2:], axis=0)

    assert (np.diff(apart(lambda r: r)) < 1e-9).all()
    huber = apart(it.problem.loss.gradient)
    assert huber.max() > 1.02 * huber[0]
    assert REGISTRY["bars.contraction"].control_evidence(it).fails
