"""Each answer of a batch is that of the solver of one problem, up to their two bars."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror import Status

pytest.importorskip("flint")
from tests.helpers.stacks import KINDS, limit_of, stack

B, N, D = 6, 8, 24


def assert_same(found, singles, digits=9):
    assert found.status == (Status.converged,) * len(found)
    for k, single in enumerate(singles):
        assert single.status is Status.converged
        assert np.abs(found.x[k] - single.x).sum() <= found.error[k] + single.error
        assert found[k].digits > digits


@pytest.mark.parametrize("log_scale", [2.0, 0.0, -10.0, -100.0, -1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_limits_at_all_scales(kind, log_scale):
    X, y = stack(B, N, D, (1, 1e2), kind, np.random.default_rng(0))
    found = lm.limits(X, y, log_scale=log_scale)
    assert_same(found, [limit_of(X[k], y[k], log_scale) for k in range(B)], 11.9)


@pytest.mark.parametrize("log_scale", [-100.0, -1000.0, -1e5])
def test_limits_of_few_weights_are_proved_in_the_batch(log_scale):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((B, 30, 60))
    y = np.einsum("bnd,bd->bn", X, np.where(np.arange(60) < 3, rng.choice([-1.0, 1.0], (B, 60)), 0.0))
    tilt, decay = 0.3 * rng.standard_normal((B, 60)), rng.uniform(0, 2, B)
    found = lm.limits(X, y, log_scale=log_scale, tilt=tilt, decay=decay)
    assert found.singly == 0
    assert_same(found, [limit_of(X[k], y[k], log_scale, tilt[k], decay[k]) for k in range(B)], 11.9)
    assert found[0].certificate.valid


def test_limits_of_one_network():
    rng = np.random.default_rng(3)
    X, y = stack(B, N, D, 10, "random", rng)
    network = lm.Hadamard.from_scale(rng.uniform(0.1, 1, D), x0=rng.standard_normal(D))
    found = lm.limits(X, y, network, decay=0.5)
    assert_same(found, [lm.limit(lm.Problem(X[k], y[k]), network, 0.5) for k in range(B)], 11.9)


@pytest.mark.parametrize("own", ["X and y", "X", "y", "neither"])
def test_limits_of_starts_and_penalties(own):
    rng = np.random.default_rng(1)
    X, y = stack(B, N, D, 10, "random", rng)
    X, y = X if "X" in own else X[0], y if "y" in own else y[0]
    log_scale, tilt, decay = rng.uniform(-20, 1, (B, D)), 3 * rng.standard_normal((B, D)), rng.uniform(0, 2, B)
    found = lm.limits(X, y, log_scale=log_scale, tilt=tilt, decay=decay)
    Xs, ys = np.broadcast_to(X, (B, N, D)), np.broadcast_to(y, (B, N))
    assert_same(found, [limit_of(Xs[k], ys[k], log_scale[k], tilt[k], decay[k]) for k in range(B)], 11.9)
    np.testing.assert_array_equal(found[3].log_scale, log_scale[3] - 4 * decay[3])


@pytest.mark.parametrize("shapes", [((), (), ()), ((D,), (B, 1), (B,)), ((B, 1), (D,), ()), ((1, D), (B, D), (1,))])
def test_limits_broadcast(shapes):
    rng = np.random.default_rng(2)
    X, y = stack(1, N, D, 10, "random", rng)
    log_scale, tilt, decay = (rng.uniform(0, 1, shape) for shape in shapes)
    found = lm.limits(X[0], y[0], log_scale=log_scale, tilt=tilt, decay=decay)
    rows = max(len(np.atleast_2d(log_scale)), len(np.atleast_2d(tilt)), decay.size)
    assert len(found) == rows
    log_scale, tilt = np.broadcast_to(log_scale, (rows, D)), np.broadcast_to(tilt, (rows, D))
    decay = np.broadcast_to(decay, rows)
    assert_same(found, [limit_of(X[0], y[0], log_scale[k], tilt[k], decay[k]) for k in range(rows)], 11.9)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_least_norms(kind, shared):
    X, y = stack(B, N, D, (1, 1e2), kind, np.random.default_rng(3))
    if shared:
        y = np.stack([y[0], *(X[0] @ np.linalg.pinv(X[0]) @ one for one in y[1:])])
    found = lm.minimum_l1s(X[0] if shared else X, y)
    assert_same(found, [lm.minimum_l1(lm.Problem(X[0] if shared else X[k], y[k])) for k in range(B)])
    assert (np.count_nonzero(found.x, axis=1) <= N).all()


@pytest.mark.parametrize("share", [0.9, 0.1, 1e-3])
@pytest.mark.parametrize("shape", [(N, D), (D, N), (N, N)])
def test_lassos(shape, share):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((B, *shape)), rng.standard_normal((B, shape[0]))
    weight = share * np.abs(np.einsum("bnd,bn->bd", X, y)).max(axis=1)
    found = lm.lassos(X, y, weight)
    assert_same(found, [lm.lasso(lm.Problem(X[k], y[k]), weight[k]) for k in range(B)], 14)
    assert found.singly == 0


def test_a_path_of_the_lasso():
    X, y = stack(1, N, D, 10, "random", np.random.default_rng(5))
    weight = np.geomspace(1e-4, 0.99, 12) * np.abs(X[0].T @ y[0]).max()
    found = lm.lassos(X[0], y[0], weight)
    assert_same(found, [lm.lasso(lm.Problem(X[0], y[0]), one) for one in weight], 14)


def test_a_penalty_that_stays_ends_at_the_lasso():
    """The limit of x = m*w under a constant penalty alpha is the LASSO with weight 2 alpha."""
    X, y = stack(1, 3, 8, 3, "random", np.random.default_rng(6))
    alpha = 0.1 * np.abs(X[0].T @ y[0]).max()
    run = lm.flow(lm.Problem(X[0], y[0]), lm.Hadamard.from_scale(1e-3, d=8), alpha, until=200.0)
    np.testing.assert_allclose(run.x[-1], lm.lassos(X[0], y[0], 2 * alpha).x[0], atol=1e-6)


@pytest.mark.parametrize("unit", [1e-30, 1e-8, 1e8, 1e30])
@pytest.mark.parametrize("of", ["X", "y"])
def test_units_do_not_matter(of, unit):
    X, y = stack(4, N, D, 10, "random", np.random.default_rng(7))
    size = np.abs(np.einsum("bnd,bn->bd", X, y)).max(axis=1)
    scaled = (X * unit, y) if of == "X" else (X, y * unit)
    grown = 1 / unit if of == "X" else unit
    for found, expected in (
        (lm.limits(*scaled, log_scale=-5.0 + np.log(grown)), lm.limits(X, y, log_scale=-5.0)),
        (lm.minimum_l1s(*scaled), lm.minimum_l1s(X, y)),
        (lm.lassos(*scaled, 0.1 * size * unit), lm.lassos(X, y, 0.1 * size)),
    ):
        assert found.singly == 0
        assert found.status == (Status.converged,) * 4
        np.testing.assert_allclose(found.x / grown, expected.x, atol=1e-10)
