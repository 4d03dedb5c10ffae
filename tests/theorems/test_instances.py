"""Names of instances: what they stand for, one spelling each, fit for a shell."""

import math
import re
import shlex

import numpy as np
import pytest

from linreg_mirror.ledger import FAMILIES, SETTINGS, Hypothesis, grid, instance
from linreg_mirror.ledger.names import Name, defaults, read_parameters
from linreg_mirror.verification.space import SPACE, Search

KINDS = [(family, setting) for family in FAMILIES for setting in SETTINGS]


def x0(it):
    return it.network.effective(it.network.theta0)


def test_parameters_do_what_they_say():
    it = instance("correlated/quadratic/3:n=5,d=12,nonzeros=2,rho=-0.5,log_b=-7.5,start=2,speed=0.2,decay=1.25")
    assert it.problem.X.shape == (5, 12)
    assert np.count_nonzero(it.problem.truth) == 2
    np.testing.assert_allclose(it.hadamard.log_scale, -7.5, rtol=1e-14)
    assert it.schedule(0.0) == pytest.approx(0.2 * np.abs(it.problem.X.T @ it.problem.y).max(), rel=1e-12)
    assert it.total_decay == pytest.approx(1.25, rel=1e-12)
    quiet = instance("correlated/quadratic/3:n=5,d=12,nonzeros=2,rho=-0.5,log_b=-7.5,start=0.5,speed=0.2,decay=1.25")
    np.testing.assert_allclose(x0(it), 4 * x0(quiet), rtol=1e-9)


@pytest.mark.parametrize("setting", ["geometric", "quadratic", "switched_off"])
def test_penalties_that_fade_add_up_to_decay(setting):
    for decay in (0.1, 0.5, 1.5):
        assert instance(f"planted/{setting}/0:decay={decay}").total_decay == pytest.approx(decay, rel=1e-12)


def test_a_fast_and_short_penalty_does_not_underflow():
    schedule = instance("dense/geometric/644:targets=10,speed=1,decay=0.05").schedule
    assert schedule.integral(0, math.inf) == pytest.approx(0.05, rel=1e-12)
    assert schedule(1e-6) > 0


def test_targets_scale_the_problem_and_solved_starts_at_a_solution():
    usual, scaled = instance("diabetes/geometric/2"), instance("diabetes/geometric/2:targets=0.01,solved=1")
    np.testing.assert_array_equal(scaled.problem.X, usual.problem.X)
    np.testing.assert_allclose(scaled.problem.y, 0.01 * usual.problem.y, rtol=1e-15)
    np.testing.assert_allclose(x0(scaled), 0.01 * np.linalg.pinv(usual.problem.X) @ usual.problem.y, rtol=0, atol=1e-13)


def test_a_seed_is_the_same_with_and_without_parameters():
    one, other = instance("planted/biased/3"), instance("planted/biased/3:log_b=-5")
    np.testing.assert_array_equal(one.problem.X, other.problem.X)
    np.testing.assert_allclose(x0(one), x0(other), rtol=1e-9)


def test_the_usual_values_are_those_of_plain_names():
    for name in grid(1):
        family, setting, _ = name.split("/")
        text = ",".join(f"{key}={value!r}" for key, value in defaults(family, setting).items())
        assert instance(f"{name}:{text}").name == name


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("planted/plain/0:n=14", "planted/plain/0"),
        ("planted/geometric/3:log_b=-7.50,d=20,n=6.0", "planted/geometric/3:n=6,d=20,log_b=-7.5"),
        ("planted/small/0:log_b=-3,targets=1e-3", "planted/small/0:targets=0.001,log_b=-3"),
        ("planted/biased/0:start=1e-9", "planted/biased/0:start=1e-09"),
    ],
)
def test_equal_instances_have_equal_names(written, canonical):
    assert instance(written).name == instance(canonical).name == canonical


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("planted/plain/0:", "written d=20,log_b=-7.5, got ''"),
        ("planted/plain/0:n", "written d=20,log_b=-7.5, got 'n'"),
        ("planted/plain/0:n=x", "got 'n=x'"),
        ("planted/plain/0:n=2,n=3", "'n' is given twice"),
        ("planted/plain/0:n=1.5", "n must be an integer, got 1.5"),
        ("planted/plain/0:log_b=nan", "log_b must be a finite number, got nan"),
        ("planted/plain/0:log_b=-inf", "log_b must be a finite number"),
        ("planted/plain/0:rho=0.5", "no parameter 'rho'; it has n, d, nonzeros, noise, targets, log_b"),
        ("planted/plain/0:d=0", "d must be an integer >= 1, got 0"),
        ("correlated/plain/0:rho=1", "rho must lie strictly between -1 and 1"),
        ("planted/geometric/0:decay=0", "decay > 0"),
        ("planted/geometric/0:speed=-1", "speed > 0"),
        ("planted/constant/0:targets=0", "targets other than 0"),
        ("special/crossing:d=3", "there is no instance 'special/crossing:d=3'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        instance(name)


def test_numbers_survive_the_name():
    for value in (-7.5, 1e-300, math.pi, -1 / 3, 123456789.25):
        name = str(Name("planted", "plain", 0, {"log_b": value}))
        assert read_parameters(name.partition(":")[2]) == {"log_b": value}


def test_what_the_search_proposes_can_be_made_and_pasted():
    search = Search(KINDS, np.random.default_rng(0))
    names = search.next(120, [], 0.0)
    names += search.next(60, names[:4], 0.4)
    assert len(set(names)) == 180
    assert len({name.split("/")[0] for name in names}) == len(FAMILIES)
    for name in names:
        assert shlex.quote(name) == name
        it = instance(name)
        assert it.name == name
        assert it.problem.n < it.problem.d
        for key, value in search.proposed[name].parameters.items():
            assert SPACE[key].low <= value <= SPACE[key].high


def test_the_search_repeats_with_its_seed():
    proposals = [Search(KINDS, np.random.default_rng(seed)).next(20, [], 0.0) for seed in (0, 0, 1)]
    assert proposals[0] == proposals[1]
    assert proposals[0] != proposals[2]


def test_what_theorems_share_is_computed_once_an_instance():
    calls = []

    def doubled(it, factor=2):
        calls.append(it)
        return factor * it.problem.n

    one, other = instance("planted/plain/0"), instance("planted/plain/0")
    assert one.once(doubled) == one.once(doubled) == 28
    assert one.once(doubled, 3) == 42
    assert other.once(doubled) == one.walking().once(doubled) == 28  # a walk is another path: nothing is handed on
    assert len(calls) == 4
    condition = Hypothesis("n even", lambda it: calls.append(it) or it.problem.n % 2 == 0)
    assert condition.met_by(one)
    assert condition.met_by(one)
    assert len(calls) == 5


def test_values_and_gradients_are_those_of_the_problem():
    for name in ("planted/biased/0", "dense/huber/0", "coherent/joint_cauchy/0"):
        it = instance(name)
        some = slice(None, None, 97)
        np.testing.assert_allclose(
            it.values[some], [it.problem.value(x) for x in it.path.x[some]], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(it.gradients[some], [it.problem.gradient(x) for x in it.path.x[some]], atol=1e-10)
