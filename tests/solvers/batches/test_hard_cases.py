"""What a batch cannot prove goes to the solver of one problem, and comes back with what that says."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror import Status
from tests.helpers.stacks import limit_of, stack

B, N, D = 4, 5, 15
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((B, N, D)), RNG.standard_normal((B, N))
WEIGHT = 0.2 * np.abs(np.einsum("bnd,bn->bd", X, Y)).max(axis=1)
SOLVERS = {
    "limits": (lambda X, y: lm.limits(X, y, log_scale=-8.0), lambda X, y, k: limit_of(X, y, -8.0)),
    "minimum_l1s": (lm.minimum_l1s, lambda X, y, k: lm.minimum_l1(lm.Problem(X, y))),
    "lassos": (lambda X, y: lm.lassos(X, y, WEIGHT), lambda X, y, k: lm.lasso(lm.Problem(X, y), WEIGHT[k])),
}


def changed(X, k, row, value):
    X = X.copy()
    X[k, row] = value
    return X


def wide(y, value):
    return np.concatenate([y, value], axis=1)


TWICE, COPIES = wide(X, X[:, :1]), np.concatenate([X, X], axis=2)
HARD = {
    # X, y, which are solved one by one by limits and minimum_l1s, and what these say; likewise of lassos
    "a row twice": (TWICE, wide(Y, Y[:, :1]), range(B), "converged", [], "converged"),
    "a row twice, with two targets": (TWICE, wide(Y, Y[:, :1] + 1), range(B), "inconsistent", [], "converged"),
    "a column twice": (COPIES, Y, {"limits": [], "minimum_l1s": range(B)}, "unproved", range(B), "unproved"),
    "more rows than columns": (X.transpose(0, 2, 1), X.sum(axis=1) @ np.ones((D, D)), range(B), "inconsistent", [],
                               "converged"),
    "y = 0": (X, 0 * Y, [], "converged", [], "converged"),
    "one row of zeros": (changed(X, 2, 1, 0.0), changed(Y, 2, 1, 0.0), [2], "converged", [], "converged"),
    "one row of zeros and a target": (changed(X, 2, 1, 0.0), Y, [2], "inconsistent", [], "converged"),
    "one of zeros": (changed(X, 1, slice(None), 0.0), Y, [1], "inconsistent", [], "converged"),
    "one of zeros and no target": (changed(X, 1, slice(None), 0.0), changed(Y, 1, slice(None), 0.0),
                                   [], "converged", [], "converged"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("solver", SOLVERS)
def test_hard_cases(solver, name):
    features, targets, singly, status, lassos_singly, lassos_status = HARD[name]
    if solver == "lassos":
        singly, status = lassos_singly, lassos_status
    singly = list(singly[solver] if isinstance(singly, dict) else singly)
    many, one = SOLVERS[solver]
    found = many(features, targets)
    assert found.singly == len(singly)
    for k in range(B):
        single = one(features[k], targets[k], k)
        assert found.status[k] is single.status or k not in singly
        assert found[k].status is found.status[k]
        assert k not in singly or found.status[k].name == status
        assert k in singly or found.status[k] is Status.converged
        assert found.error[k] == found[k].error
        assert found[k].certificate.valid
        if k in singly:
            np.testing.assert_array_equal(found.x[k], single.x)
            np.testing.assert_array_equal(found.dual[k], single.dual)
        elif single.status is Status.converged:
            assert np.abs(found.x[k] - single.x).sum() <= found.error[k] + single.error


@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (3, 3), (2, 40)])
def test_shapes_at_the_edge(sizes):
    rng = np.random.default_rng(1)
    features, targets = rng.standard_normal((3, *sizes)), rng.standard_normal((3, sizes[0]))
    weight = 0.3 * np.abs(np.einsum("bnd,bn->bd", features, targets)).max(axis=1)
    for found, single in (
        (lm.limits(features, targets, log_scale=-3.0), lambda k: limit_of(features[k], targets[k], -3.0)),
        (lm.minimum_l1s(features, targets), lambda k: lm.minimum_l1(lm.Problem(features[k], targets[k]))),
        (lm.lassos(features, targets, weight), lambda k: lm.lasso(lm.Problem(features[k], targets[k]), weight[k])),
    ):
        assert found.status == (Status.converged,) * 3
        for k in range(3):
            assert np.abs(found.x[k] - single(k).x).sum() <= found.error[k] + single(k).error


def test_zero_is_exact():
    for found in (lm.limits(X, 0 * Y, log_scale=-3.0), lm.minimum_l1s(X, 0 * Y), lm.lassos(X, 0 * Y, 1.0)):
        assert not found.x.any()
        assert not found.error.any()
        assert found.digits.tolist() == [np.inf] * B


def test_a_start_that_interpolates_stays():
    start = 3 * RNG.standard_normal((B, D))
    x0 = 0.1 * np.sinh(start)
    found = lm.limits(X, np.einsum("bnd,bd->bn", X, x0), log_scale=np.log(0.1), tilt=start)
    np.testing.assert_allclose(found.x, x0, atol=1e-13)
    assert (found.error > 0).all()  # X x0 is rounded
    assert (np.abs(found.x - x0).sum(axis=1) <= found.error + 1e-14).all()


@pytest.mark.parametrize("times", [1.0001, 2.0, 1e10])
def test_a_weight_above_all_slopes(times):
    largest = np.abs(np.einsum("bnd,bn->bd", X, Y)).max(axis=1)
    found = lm.lassos(X, Y, times * largest)
    assert not found.x.any()
    assert not found.error.any()
    assert found.singly == 0
    np.testing.assert_array_equal(found.dual, Y)


def test_tiny_scales():
    found = lm.limits(X, Y, log_scale=-1e4)
    least = lm.minimum_l1s(X, Y)
    assert found.status == least.status == (Status.converged,) * B
    assert (np.abs(found.x - least.x).sum(axis=1) <= found.error + least.error + 1e-6).all()
    assert lm.limits(X, Y, log_scale=-1e6).status == (Status.converged,) * B


@pytest.mark.parametrize(("log_scale", "decay"), [(1e300, 0.0), (-1e300, 0.0), (0.0, 1e20), (700.0, 0.0)])
def test_scales_beyond_float64(log_scale, decay):
    found = lm.limits(X[:1], Y[:1], log_scale=log_scale, decay=decay)
    assert found.status[0] is found[0].status is limit_of(X[0], Y[0], log_scale, 0.0, decay).status
    assert np.isfinite(found.x).all() or not found.status[0].solved


def test_what_no_solver_proves_says_so():
    found = lm.limits(X, Y, log_scale=-3.0, tolerance=1e-18)
    assert found.singly == B
    assert found.status == (Status.not_certified,) * B
    assert (found.digits > 14).all()


@pytest.mark.parametrize("condition", [1e4, 1e8])
def test_ill_conditioned_problems_are_proved(condition):
    features, targets = stack(B, N, D, condition, "random", np.random.default_rng(2))
    limits, least = lm.limits(features, targets, log_scale=-3.0), lm.minimum_l1s(features, targets)
    for found in (limits, least):
        assert found.status == (Status.converged,) * B
        assert all(found[k].certificate.valid for k in range(B))
    assert limits.singly == 0
    assert condition < 1e6 or least.singly == B
    for k in range(B):
        alone = limit_of(features[k], targets[k], -3.0)
        assert np.abs(limits.x[k] - alone.x).sum() <= limits.error[k] + alone.error


@pytest.mark.parametrize("log_scale", [-30.0, -45.0, -60.0, -100.0])
@pytest.mark.parametrize("nonzeros", [3, 8, 10])
def test_limits_of_few_weights_are_proved_together(nonzeros, log_scale):
    """Where the other weights are between visible and asleep; each problem with its own tilt and decay."""
    rng = np.random.default_rng(nonzeros)
    features, weights = rng.standard_normal((10, 20, 50)), np.zeros((10, 50))
    weights[:, :nonzeros] = rng.standard_normal((10, nonzeros))
    targets = np.einsum("bnd,bd->bn", features, weights)
    start = {"log_scale": log_scale, "tilt": 0.3 * rng.standard_normal((10, 50)), "decay": 0.25 * np.arange(10)}
    found = lm.limits(features, targets, **start)
    assert found.singly == 0
    for k in range(0, 10, 3):
        alone = limit_of(features[k], targets[k], log_scale, start["tilt"][k], start["decay"][k])
        assert np.abs(found.x[k] - alone.x).sum() <= found.error[k] + alone.error
        assert found[k].certificate.valid


def test_a_batch_of_all_kinds():
    """Easy, singular and inconsistent ones, each with what it deserves."""
    features, targets = np.array([X[0], X[1], X[2], X[3]]), Y.copy()
    features[1, 0], targets[1, 0] = features[1, 1], targets[1, 1]
    features[2, 0] = features[2, 1]
    for found in (lm.limits(features, targets, log_scale=-8.0), lm.minimum_l1s(features, targets)):
        assert [status.name for status in found.status] == ["converged", "converged", "inconsistent", "converged"]
        assert found.singly == 2
        assert np.isinf(found.error).tolist() == [False, False, True, False]
        counts = "{'converged': 3, 'inconsistent': 1}"
        assert repr(found) == f"Solutions(4 problems, d=15, {counts}, error bar at most inf, 2 solved one by one)"
