"""The theorems about the package itself: nothing public is left out, and nothing hangs on torch."""

import inspect
from importlib.util import find_spec

import numpy as np
import pytest

from linreg_mirror import losses, mirrors, parametrizations, schedules
from linreg_mirror.ledger import instance
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.twins import derivatives, pulled, runs, slopes

MADE = {
    "networks": (parametrizations, [make(np.random.default_rng(0)) for make in derivatives.NETWORKS.values()]),
    "potentials": (mirrors, [make(np.zeros(2), np.ones(2)) for make in derivatives.MIRRORS.values()]),
    "losses": (losses, list(slopes.LOSSES)),
    "schedules": (schedules, [make(1.0, 1.0) for make in derivatives.SCHEDULES.values()]),
}
NOT_MADE = {
    parametrizations.NoMirror, parametrizations.Parametrization, mirrors.Mirror, mirrors.Potential, schedules.Schedule,
    losses.Loss,
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
def test_nothing_public_is_left_out(kind):
    module, made = MADE[kind]
    public = {one for name in getattr(module, "__all__", vars(module)) if inspect.isclass(one := getattr(module, name))}
    if not hasattr(module, "__all__"):
        public = {one for one in public if one.__module__ == module.__name__}
    assert public - NOT_MADE == {type(one) for one in made}


def test_every_network_that_may_have_a_mirror_is_pulled():
    networks = [make(np.random.default_rng(0)) for make in pulled.MIRRORED.values()]
    assert all(network.has_mirror for network in networks)
    assert {type(one) for one in MADE["networks"][1]} == {type(one) for one in networks}


def test_a_pull_that_no_integrator_follows_is_an_error():
    network, rng = parametrizations.Power(np.ones(2), np.ones(2), 5), np.random.default_rng(0)
    z = network.mirror().initial_dual
    short = pulled._pull(network, network.theta0, rng)
    theta, _ = pulled._pulled(network, network.theta0, z, 0.0, short, 0.0, 1.0)
    assert 0.01 < np.abs(theta - network.theta0).max() < 1
    with pytest.raises(ArithmeticError, match="not followed to its end"):
        pulled._pulled(network, network.theta0, z, 0.0, np.array([1.0, -1.0]), 0.0, 1.0)  # infinite after 1/15


def test_differences_are_of_sixth_order():
    at = np.array([0.3, -1.0])
    polynomial = np.polynomial.Polynomial([1.0, -2.0, 0.5, 0.25, -1.0, 2.0, 0.5])
    np.testing.assert_allclose(derivatives._difference(polynomial, at, 0.1), polynomial.deriv()(at), rtol=1e-12)
    errors = [np.abs(derivatives._difference(np.sin, at, step) - np.cos(at)).max() for step in (0.2, 0.1)]
    assert errors[0] / errors[1] == pytest.approx(64, rel=0.02)


@pytest.mark.parametrize("torch", [True, False])
def test_many_runs_are_compared_where_they_can_be(monkeypatch, torch):
    if torch:
        pytest.importorskip("torch")
    monkeypatch.setattr(runs, "find_spec", find_spec if torch else lambda name: None)
    assert len(list(runs._kinds(np.ones(1)))) == 1 + torch
    assert REGISTRY["twins.descents"].evidence(instance("planted/plain/0")).holds
