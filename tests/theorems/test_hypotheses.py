"""Without a hypothesis a statement fails: counterexamples that were once within the hypotheses."""

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.ledger import Instance, instance
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.flows import mirror_descent, steps

# Two coordinates at their thresholds at once, or one that stays there without a weight.
TIES = [
    ([[3.0, 2.0], [-1.0, -3.0]], [-4.0, 2.0], "saddles.rules"),
    ([[1.0, -1.0, -1.0], [0.0, 1.0, -3.0]], [4.0, -1.0], "saddles.average"),
    ([[1.0, -1.0, -1.0], [0.0, 1.0, -3.0]], [4.0, -1.0], "saddles.average.pointwise"),
    ([[-2.0, 0.0, -1.0], [3.0, -1.0, 3.0]], [4.0, -3.0], "saddles.average.monotone"),
    ([[-2, -1, 3, -3, 0], [2, 3, -3, 3, -3], [3, -2, -2, -2, 2]], [0.0, 3.0, -4.0], "saddles.flow.points"),
    ([[-1, 0, -1, 0, -2], [2, -3, -1, -2, 2], [2, 1, 3, 3, -2]], [-3.0, -3.0, 2.0], "saddles.flow"),
]


def made(X, y, network, alpha=None):
    return Instance("made here", Problem(np.array(X, float), np.array(y, float)), network, schedules.as_schedule(alpha))


@pytest.mark.parametrize(("X", "y", "name"), TIES)
def test_coordinates_have_to_arrive_one_at_a_time(X, y, name):
    here, entered = made(X, y, Hadamard.from_scale(log_b=-10.0, d=len(X[0]))), REGISTRY[name]
    assert not entered.applies_to(here)
    assert entered.evidence(here).fails


def test_a_tilt_in_the_row_space_leads_to_the_centred_limit():
    X = np.array([[1.0, 2.0, 0.5]])
    here, entered = made(X, [2.0], Hadamard.at(0.5 * np.sinh(0.3 * X[0]), beta=1.0)), REGISTRY["decay.biased_start"]
    assert not entered.applies_to(here)
    assert entered.evidence(here).fails


def test_a_limit_that_does_not_depend_on_b_has_no_rate():
    here = made([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]], [1.0, 1.0], Hadamard.from_scale(1.0, d=3))
    entered = REGISTRY["regimes.l1.rate"]
    assert not entered.applies_to(here)
    assert entered.evidence(here).fails


def test_too_large_a_penalty_ends_at_zero():
    here, entered = made([[1.0, 2.0]], [1.0], Hadamard.from_scale(1.0, d=2), 2.0), REGISTRY["decay.constant_bias"]
    assert not entered.applies_to(here)
    assert entered.evidence(here).fails


def test_no_gradient_bounds_nothing():
    here = made([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]], [0.0, 0.0], Hadamard.from_scale(1.0, d=3))
    assert not REGISTRY["steps.l1_bound"].applies_to(here)


@pytest.mark.parametrize(
    ("X", "x0"), [([[1, 0, 2], [0.5, 0, 1]], [0.3, 0.2, -0.5]), ([[1, 2, 2], [0.5, 1, 1]], [0.3, 0.0, -0.5])]
)
def test_what_is_never_drawn_has_no_error(X, x0):
    here = made(X, [1.0, 2.0], Hadamard.at(np.array(x0), beta=1.0))
    for name in ("masks.second_moment", "masks.optimal", "masks.bernoulli", "masks.training"):
        assert not REGISTRY[name].applies_to(here)


def test_parallel_features_keep_their_shares_of_the_scores():
    here = made(np.ones((2, 3)), [1.0, 1.0], Hadamard.at(np.array([0.3, 0.4, 0.4]), beta=1.0))
    entered = REGISTRY["masks.snip.single"]
    assert not entered.applies_to(here)
    assert entered.evidence(here).fails


def test_walks_keep_the_difference_of_squares_and_nothing_else():
    from linreg_mirror.ledger import instance

    here = instance("planted/geometric/0").walking()
    for name in ("mirror.conservation", "mirror.flow", "mirror.limit"):
        assert REGISTRY[name].evidence(here).holds == (name == "mirror.conservation")


def test_of_runs_that_are_cut_short_nothing_is_said():
    here = instance("diabetes/geometric/625:targets=0.0309,start=0.03,solved=0.553")  # the penalty fades slowly
    entered = REGISTRY["steps.limit"]
    assert not entered.applies_to(here)
    with pytest.raises(ArithmeticError, match="did not converge: horizon_reached"):
        entered.evidence(here)


@pytest.mark.parametrize(
    "name", ["steps.limit", "steps.limit.sgd", "steps.momentum", "steps.momentum.scale", "steps.tilt"]
)
def test_a_budget_of_steps_is_a_hypothesis(name, monkeypatch):
    monkeypatch.setattr(steps, "LONG", 10)
    entered = REGISTRY[name]
    assert not entered.applies_to(instance(entered.control.witness))
    assert [one.name for one in entered.hypotheses if "40,000 steps" in one.name]


def test_mirror_descent_need_not_get_there_in_time(monkeypatch):
    monkeypatch.setattr(mirror_descent, "_BUDGET", 10)
    assert not REGISTRY["steps.mirror_descent"].applies_to(instance("planted/plain/0"))
