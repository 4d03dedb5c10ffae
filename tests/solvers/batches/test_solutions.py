"""Answers of many problems as a whole, and one by one."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror import Solution, Status
from linreg_mirror.solvers.results import proved_digits

B, N, D = 3, 4, 12
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((B, N, D)), RNG.standard_normal((B, N))
CALLS = {
    "limits": lambda: lm.limits(X, Y, log_scale=-5.0, decay=np.arange(B) / 4),
    "minimum_l1s": lambda: lm.minimum_l1s(X, Y),
    "lassos": lambda: lm.lassos(X, Y, np.array([0.1, 0.2, 0.3])),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_by_one(name):
    found = CALLS[name]()
    assert len(found) == len(list(found)) == B
    for k, one in enumerate(found):
        assert isinstance(one, Solution)
        np.testing.assert_array_equal(one.x, found.x[k])
        np.testing.assert_array_equal(one.dual, found.dual[k])
        np.testing.assert_array_equal(one.dual_rest, found.dual_rest[k])
        assert one.error == found.error[k]
        assert one.digits == pytest.approx(found.digits[k], rel=1e-12)
        assert one.status is found.status[k] is Status.converged
        assert one.certificate.valid
        assert one.certificate["error of x"].passed
        assert one.unique
        assert one.stats.method
        assert one.stats.cites
    np.testing.assert_array_equal(found[-1].x, found[B - 1].x)
    np.testing.assert_array_equal(found[np.int64(-B)].x, found[0].x)


@pytest.mark.parametrize("name", CALLS)
def test_dual_vectors_belong_to_the_weights(name):
    """By the conditions of optimality, written out here."""
    found = CALLS[name]()
    pull = np.einsum("bnd,bn->bd", X, found.dual)
    if name == "limits":
        b = np.exp(-5.0 - np.arange(B))[:, None]
        np.testing.assert_allclose(found.x, -b * np.sinh(2 * pull), rtol=1e-9)
    elif name == "minimum_l1s":
        assert (np.abs(pull) <= 1 + 1e-12).all()
        np.testing.assert_allclose(pull[found.x != 0], np.sign(found.x[found.x != 0]), rtol=1e-12)
    else:
        np.testing.assert_allclose(found.dual, Y - np.einsum("bnd,bd->bn", X, found.x), atol=1e-13)
        weight = np.array([0.1, 0.2, 0.3])[:, None] * np.ones(D)
        np.testing.assert_allclose(pull[found.x != 0], (weight * np.sign(found.x))[found.x != 0], rtol=1e-9)
    if name != "lassos":
        np.testing.assert_allclose(np.einsum("bnd,bd->bn", X, found.x), Y, atol=1e-12)


def test_indices_that_are_none():
    found = CALLS["limits"]()
    for index in (B, -B - 1):
        with pytest.raises(IndexError, match=f"there are 3 answers, got the index {index}"):
            found[index]
    for index in (slice(2), 1.0, "0", True, None):
        with pytest.raises(TypeError, match=r"one answer is had by an integer, got .*slice \.x and \.error"):
            found[index]


def test_digits():
    x, error = np.array([[1.0, -9.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), np.array([1e-9, np.inf, 0.0, 1e-300])
    found = lm.Solutions(x, x, x, error, (Status.converged,) * 4, 0, None)
    np.testing.assert_allclose(found.digits, [10, 0, np.inf, 0])
    assert found.digits.tolist() == [proved_digits(bar, one) for bar, one in zip(error, x, strict=True)]


def test_what_is_shown():
    found = CALLS["lassos"]()
    assert repr(found) == f"Solutions(3 problems, d=12, {{'converged': 3}}, error bar at most {max(found.error):.1e})"


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-9, 1e-11])
def test_tolerance_is_kept(tolerance):
    """A rough answer is enough where that is asked for, is within its bar, and is certified."""
    fine, rough = lm.limits(X, Y, log_scale=-5.0), lm.limits(X, Y, log_scale=-5.0, tolerance=tolerance)
    size = np.abs(fine.x).sum(axis=1)
    assert (fine.error <= 1e-12 * size).all()
    assert (rough.error <= tolerance * size).all()
    assert (np.abs(rough.x - fine.x).sum(axis=1) <= rough.error + fine.error).all()
    for k, one in enumerate(rough):
        assert one.status is rough.status[k] is Status.converged
        assert one.certificate["error of x"].tolerance == tolerance


def test_arguments_stay_as_they_are():
    features, targets, start = X.copy(), Y.copy(), RNG.standard_normal((B, D))
    kept = start.copy()
    lm.limits(features, targets, log_scale=start, tilt=start)
    lm.minimum_l1s(features, targets)
    found = lm.lassos(features, targets, 0.1)
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(targets, Y)
    np.testing.assert_array_equal(start, kept)
    features[:] = 0  # the certificate is computed when it is asked for
    assert found[0].certificate.valid
