"""Statements about where a path ends: an end that is a little wrong fails, whatever the path says of itself."""

from dataclasses import replace

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.ledger import Instance, instance
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.flows import depth
from linreg_mirror.theorems.flows._rest import left_of

ENDS = [
    ("mirror.limit", "planted/plain/0"),
    ("mirror.limit", "planted/geometric/0"),
    ("decay.biased_start", "planted/biased/0"),
]


@pytest.mark.parametrize(("name", "where"), ENDS)
@pytest.mark.parametrize("wrong", ["larger by 1e-4", "another interpolator", "zero"])
def test_a_wrong_end_fails(name, where, wrong):
    it = instance(where)
    assert REGISTRY[name].evidence(it).holds
    x = it.path.x.copy()
    x[-1] = {"larger by 1e-4": 1.0001 * x[-1], "another interpolator": it.least_l2.x, "zero": 0 * x[-1]}[wrong]
    it.__dict__["path"] = replace(it.path, x=x)
    assert REGISTRY[name].evidence(it).fails


def test_the_end_of_another_depth_fails(monkeypatch):
    it = instance("planted/plain/0")
    right = depth._path(it)
    assert depth.ends_in_limit(it, 0).holds
    x = right.x.copy()
    x[-1] = it.least_l2.x
    monkeypatch.setattr(depth, "_path", lambda it: replace(right, x=x))
    assert depth.ends_in_limit(it, 0).fails


def test_what_is_left_is_a_newton_step_and_nothing_for_interpolators():
    it = instance("planted/plain/0")
    X, y, W = it.problem.X, it.problem.y, np.arange(1.0, it.problem.d + 1)
    x = it.least_l2.x
    assert left_of(it.problem, x, W) < 1e-12
    step = W * (X.T @ np.linalg.solve(X @ (W[:, None] * X.T), y))
    assert left_of(it.problem, 0 * x, W) == pytest.approx(2 * np.abs(step).sum(), rel=1e-9)


def test_a_factor_of_zero_ends_the_closed_form():
    problem = Problem(np.array([[1.0]]), np.array([0.40032038451271784]))  # some step of a run has 1 + eta g = 0
    here = Instance("made here", problem, Hadamard(np.array([1.0]), np.array([0.0])), schedules.as_schedule(None))
    assert 0 <= REGISTRY["steps.closed_form"].evidence(here).margin < 1
