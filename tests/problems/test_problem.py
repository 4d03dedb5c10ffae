"""Problems: value and gradient, rank, consistency, what is refused."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Squared
from tests.helpers.zoo import CASES, gaussian


@pytest.mark.parametrize("loss", [Squared(), Huber(0.3), LogCosh(), JointCauchy(), EntrywiseCauchy()], ids=repr)
def test_value_and_gradient_are_those_of_the_loss_of_the_residual(loss):
    rng = np.random.default_rng(0)
    problem = Problem(rng.standard_normal((3, 5)), rng.standard_normal(3), loss)
    x, h = rng.standard_normal(5), 1e-5
    numerical = [(problem.value(x + h * e) - problem.value(x - h * e)) / (2 * h) for e in np.eye(5)]
    np.testing.assert_allclose(problem.gradient(x), numerical, atol=1e-8)
    assert problem.value(x) == loss.value(problem.X @ x - problem.y)


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


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 1), r"write Problem\(X, np.ravel\(y\)\)"),
        ((1, 2), r"write Problem\(X, np.ravel\(y\)\)"),
        ((3,), r"write Problem\(X.T, y\)"),
        ((), "samples in rows"),
        ((1,), "samples in rows"),
    ],
)
def test_shape_of_y(shape, remedy):
    with pytest.raises(ValueError, match=rf"y must have shape \(2,\), one target for each row of X, got .*{remedy}"):
        Problem(np.ones((2, 3)), np.ones(shape))


def test_X_and_y_exchanged():
    with pytest.raises(ValueError, match=r"got shape \(2,\): write Problem\(X, y\), X first"):
        Problem(np.ones(2), np.ones((2, 3)))


@pytest.mark.parametrize("loss", ["huber", Huber, None, 1.0])
def test_a_loss_that_is_none(loss):
    with pytest.raises(TypeError, match=r"loss must be one of linreg_mirror.problems.losses, got .*: write loss="):
        Problem(np.ones((2, 3)), np.ones(2), loss)


def test_a_class_in_place_of_a_network():
    problem = Problem(np.ones((2, 3)), np.ones(2))
    for solve in (lm.limit, lm.flow):
        with pytest.raises(TypeError, match=r"got the class Hadamard: write Hadamard\.from_scale"):
            solve(problem, lm.Hadamard)


def test_shape_of_truth():
    with pytest.raises(ValueError, match=r"truth must have shape \(3,\), one entry a feature, got \(2,\)"):
        Problem(np.ones((2, 3)), np.ones(2), truth=np.ones(2))


@pytest.mark.parametrize("values", [[1j, 2], ["1", "2"], [None, 1.0], np.array(["2020-01-01"], dtype="datetime64[D]")])
def test_values_that_are_not_real_numbers(values):
    remedy = r"write name\.real" if np.iscomplexobj(values) else "convert it first"
    with pytest.raises(TypeError, match=rf"name must hold real numbers, got dtype .*: {remedy}"):
        as_real_array("name", values)


@pytest.mark.parametrize("factor", [1e300, 1e-300, 5e-324])
def test_numbers_whose_squares_are_none_are_refused(factor):
    X, y = np.ones((2, 3)), np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"largest entry of X must lie between 1e-152 and 1e\+152.*divide X by it"):
        Problem(factor * X, y)
    with pytest.raises(ValueError, match=r"largest entry of y must lie between"):
        Problem(X, factor * y)
    assert Problem(X, np.array([1.0, factor if factor < 1 else 0.0])).n == 2  # one small entry does no harm
    assert Problem(0 * X, 0 * y).d == 3
