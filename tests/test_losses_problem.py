"""Losses against their definitions, and problems: rank, consistency, what is refused."""

import numpy as np
import pytest
import scipy.special
from zoo import CASES, gaussian

from linreg_mirror._arguments import as_real_array
from linreg_mirror.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Squared
from linreg_mirror.problem import Problem

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


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_problem_gradient_by_finite_differences(loss, rng):
    problem = Problem(rng.standard_normal((3, 5)), rng.standard_normal(3), loss)
    x, h = rng.standard_normal(5), 1e-5
    numerical = [(problem.value(x + h * e) - problem.value(x - h * e)) / (2 * h) for e in np.eye(5)]
    np.testing.assert_allclose(problem.gradient(x), numerical, atol=1e-8)
    assert problem.value(x) == pytest.approx(by_definition(loss, problem.X @ x - problem.y), rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rank_and_consistency_of_the_zoo(case):
    problem = case.problem
    assert (problem.n, problem.d) == np.shape(case.X)
    assert problem.rank == case.rank
    assert problem.range_basis.shape == (problem.n, case.rank)
    basis = problem.range_basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(case.rank), atol=1e-14)
    np.testing.assert_allclose(basis @ (basis.T @ problem.X), problem.X, atol=1e-14)
    assert (problem.inconsistency <= 1e-14) == case.consistent
    assert problem.gradient_scale == pytest.approx(np.abs(np.array(case.X).T @ np.array(case.y)).max(), abs=1e-14)


def test_inconsistency_is_a_relative_distance():
    # y = (3, 4) to the line through (1, 0): distance 4 of 5.
    assert Problem([[1.0, 2.0], [0.0, 0.0]], [3.0, 4.0]).inconsistency == pytest.approx(0.8, rel=1e-14)


def test_rank_of_nearly_dependent_rows():
    base = gaussian(5, 12, 3)
    X = np.vstack([base.X, base.X[0] + 1e-7 * base.X[1]])  # the Gram matrix cannot tell, singular values can
    assert Problem(np.vstack([base.X, base.X[0]]), np.zeros(6)).rank == 5
    assert Problem(X + 1e-7 * np.random.default_rng(1).standard_normal(X.shape), np.zeros(6)).rank == 6


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float32, np.float16, np.longdouble, bool])
def test_other_real_types_become_float64(dtype):
    problem = Problem(np.array([[1, 0, 1], [0, 1, 1]], dtype=dtype), np.array([1, 1], dtype=dtype), truth=[0, 0, 1])
    assert problem.X.dtype == problem.y.dtype == problem.truth.dtype == np.float64
    assert problem.value(np.array([0.0, 0.0, 1.0])) == 0
    assert problem.rank == 2


def test_lists_are_accepted_and_input_is_not_aliased():
    X = np.ones((1, 2))
    problem = Problem(X, [2])
    X[0, 0] = 5
    assert problem.X.tolist() == [[1, 1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_entries(bad):
    X, y = np.ones((2, 3)), np.ones(2)
    X[1, 2] = y[1] = bad
    with pytest.raises(ValueError, match=r"X must be finite, got -?(nan|inf) at index \(1, 2\): remove or impute"):
        Problem(X, np.ones(2))
    with pytest.raises(ValueError, match=r"y must be finite, got -?(nan|inf) at index \(1,\): remove or impute"):
        Problem(np.ones((2, 3)), y)
    with pytest.raises(ValueError, match=r"truth must be finite"):
        Problem(np.ones((2, 3)), np.ones(2), truth=[0, bad, 0])


@pytest.mark.filterwarnings("ignore:overflow")
def test_entries_beyond_float64():
    with pytest.raises(ValueError, match=r"X must be finite, got inf at index \(0, 0\)"):
        Problem(np.array([[np.longdouble("1e400")]]), [1.0])


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (0, 0), (2, 3, 1)])
def test_shape_of_X(shape):
    with pytest.raises(ValueError, match=r"X must be a matrix .*n, d >= 1, got shape \(.*\): write Problem"):
        Problem(np.ones(shape), np.ones(shape[:1]))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 2)])
def test_shape_of_y(shape):
    with pytest.raises(ValueError, match=r"y must have shape \(2,\), one target for each row of X, got .*np.ravel"):
        Problem(np.ones((2, 3)), np.ones(shape))


def test_shape_of_truth():
    with pytest.raises(ValueError, match=r"truth must have shape \(3,\), one entry a feature, got \(2,\)"):
        Problem(np.ones((2, 3)), np.ones(2), truth=np.ones(2))


@pytest.mark.parametrize("values", [[1j, 2], ["1", "2"], [None, 1.0], np.array(["2020-01-01"], dtype="datetime64[D]")])
def test_values_that_are_not_real_numbers(values):
    with pytest.raises(TypeError, match=r"name must hold real numbers, got dtype .*: convert it first"):
        as_real_array("name", values)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e150, 1e300])
def test_hessians_of_the_cauchy_losses_where_squares_overflow(size):
    r = size * np.array([1.0, -2.0, 0.0])
    with np.errstate(over="ignore"):
        for loss in (JointCauchy(), EntrywiseCauchy()):
            product = loss.hessian_product(r, np.ones(3))
            assert np.isfinite(product).all()
            # Far away the loss is flat in the directions that it sees, near 0 it is |r|^2.
            assert np.abs(product[:2]).max() <= 1e-290 if size > 1e100 else np.abs(product).max() <= 2


@pytest.mark.parametrize("factor", [1e300, 1e-300, 5e-324])
def test_numbers_whose_squares_are_none_are_refused(factor):
    X, y = np.ones((2, 3)), np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"largest entry of X must lie between 1e-152 and 1e\+152.*divide X by it"):
        Problem(factor * X, y)
    with pytest.raises(ValueError, match=r"largest entry of y must lie between"):
        Problem(X, factor * y)
    assert Problem(X, np.array([1.0, factor if factor < 1 else 0.0])).n == 2  # one small entry does no harm
    assert Problem(0 * X, 0 * y).d == 3
