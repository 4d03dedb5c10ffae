"""Losses against their definitions and against differences."""

import numpy as np
import pytest
import scipy.special

from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Squared

LOSSES = [Squared(), Huber(), Huber(0.3), LogCosh(), JointCauchy(), EntrywiseCauchy()]
CONVEX = [Squared, Huber, LogCosh]


def by_definition(loss, r):
    """The losses as they are defined in books, by other library calls than the package uses."""
    match loss:
        case Squared():
            return np.linalg.norm(r) ** 2 / 2
        case Huber(delta=delta):
            return scipy.special.huber(delta, r).sum()
        case LogCosh():
            return sum(np.log(np.cosh(entry)) for entry in r)
        case JointCauchy():
            return np.log(1 + sum(entry**2 for entry in r))
        case EntrywiseCauchy():
            return np.log(np.prod(1 + r**2))
    raise AssertionError(loss)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_value_is_the_definition(loss, rng):
    for size in (1e-3, 1.0, 5.0):
        r = size * rng.standard_normal(6)
        assert loss.value(r) == pytest.approx(by_definition(loss, r), rel=1e-13, abs=1e-15)
    assert loss.value(np.zeros(3)) == 0
    assert isinstance(loss.value(r), float)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_gradient_is_the_derivative_of_the_value(loss, rng):
    r, h = rng.standard_normal(6), 1e-5
    numerical = [(loss.value(r + h * e) - loss.value(r - h * e)) / (2 * h) for e in np.eye(6)]
    np.testing.assert_allclose(loss.gradient(r), numerical, atol=1e-9)
    assert not loss.gradient(np.zeros(6)).any()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_hessian_product_is_the_derivative_of_the_gradient(loss, rng):
    r, h = rng.standard_normal(6), 1e-5
    numerical = np.stack([(loss.gradient(r + h * e) - loss.gradient(r - h * e)) / (2 * h) for e in np.eye(6)])
    np.testing.assert_allclose(loss.hessian_product(r, np.eye(6)), numerical, atol=1e-9)
    for e, column in zip(np.eye(6), numerical.T, strict=True):
        np.testing.assert_allclose(loss.hessian_product(r, e), column, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_convexity_flags_on_random_segments(loss, rng):
    convex = quasi_convex = True
    for _ in range(2000):
        p, q, share = 6 * rng.standard_normal(2), 6 * rng.standard_normal(2), rng.uniform()
        between = loss.value(share * p + (1 - share) * q)
        convex &= between <= share * loss.value(p) + (1 - share) * loss.value(q) + 1e-12
        quasi_convex &= between <= max(loss.value(p), loss.value(q)) + 1e-12
    assert (convex, quasi_convex) == (loss.convex, loss.quasi_convex)
    assert loss.convex == (type(loss) in CONVEX)


def test_logcosh_far_away_does_not_overflow():
    assert LogCosh().value(np.array([1e5, -1e5])) == pytest.approx(2e5 - 2 * np.log(2), rel=1e-15)


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf])
def test_huber_refuses(delta):
    with pytest.raises(ValueError, match=r"delta must be a positive number, got .*: write Huber"):
        Huber(delta)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e150, 1e300])
def test_hessians_of_the_cauchy_losses_where_squares_overflow(size):
    r = size * np.array([1.0, -2.0, 0.0])
    with np.errstate(over="ignore"):
        for loss in (JointCauchy(), EntrywiseCauchy()):
            product = loss.hessian_product(r, np.ones(3))
            assert np.isfinite(product).all()
            # Far away the loss is flat in the directions that it sees, near 0 it is |r|^2.
            assert np.abs(product[:2]).max() <= 1e-290 if size > 1e100 else np.abs(product).max() <= 2
