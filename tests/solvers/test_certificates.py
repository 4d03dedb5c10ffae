"""Certificates accept right answers, and each check refuses the wrong answers that it is for."""

import numpy as np
import pytest

from linreg_mirror.mirrors import Euclidean, Hyperbolic
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Certificate, Check
from linreg_mirror.solvers.certificates import certify_limit, feasibility, l1_certificate, l1_unique, lasso_certificate
from tests.helpers.zoo import BY_NAME, CASES

CHECKS_OF_A_LIMIT = ["feasibility", "primal-dual gap", "dual representation"]


def solved_backwards(b, seed=0, A=0.0):
    """A problem whose mirror limit is known, because y is made from a dual vector that was chosen first."""
    rng = np.random.default_rng(seed)
    X, x0, s = rng.standard_normal((3, 7)), rng.standard_normal(7), rng.standard_normal(3)
    x = b * np.exp(-4 * A) * np.sinh(np.arcsinh(x0 / b) - 2 * X.T @ s)
    mirror = Hyperbolic(np.full(7, np.log(b)), np.arcsinh(x0 / b))
    return Problem(X, X @ x), mirror, x, s


@pytest.mark.parametrize("b", [1e-6, 0.5, 1.0, 30.0])
@pytest.mark.parametrize("A", [0.0, 0.8])
def test_right_answers_are_certified(b, A):
    problem, mirror, x, s = solved_backwards(b, A=A)
    certificate = certify_limit(problem, mirror, A, x, s)
    assert certificate.valid, str(certificate)
    assert [check.name for check in certificate.checks] == CHECKS_OF_A_LIMIT


@pytest.mark.parametrize("b", [1e-6, 0.5, 1.0])
def test_every_check_of_a_limit_fails_on_the_answer_it_is_for(b):
    problem, mirror, x, s = solved_backwards(b)
    null = np.linalg.svd(problem.X)[2][3]
    size = np.abs(x).max()
    # Another interpolator: feasible, but not the primal of any dual vector.
    certificate = certify_limit(problem, mirror, 0.0, x + 1e-4 * size * null, s)
    assert certificate["feasibility"].passed
    assert not certificate["primal-dual gap"].passed
    assert not certificate["dual representation"].passed
    # The limit of other targets: of the right form, but not feasible.
    moved = 1.001 * s
    other = b * np.sinh(mirror.tilt - 2 * problem.X.T @ moved)
    certificate = certify_limit(problem, mirror, 0.0, other, moved)
    assert not certificate["feasibility"].passed
    assert certificate["primal-dual gap"].passed
    assert certificate["dual representation"].passed
    # The right x with the dual vector of the wrong sign, of another scale, and without the tilt.
    for wrong in (
        certify_limit(problem, mirror, 0.0, x, -s),
        certify_limit(problem, mirror, 1e-3, x, s),
        certify_limit(problem, Hyperbolic(mirror.log_scale, 0 * mirror.tilt), 0.0, x, s),
    ):
        assert wrong["feasibility"].passed
        assert not wrong["primal-dual gap"].passed
        assert not wrong["dual representation"].passed
        assert not wrong.valid


def test_the_gap_is_the_bregman_divergence():
    problem, mirror, x, s = solved_backwards(0.5)
    other = x + 0.1 * np.cos(np.arange(7))
    certificate = certify_limit(problem, mirror, 0.0, other, s)

    def potential(v):
        return np.sum(v * np.arcsinh(v / 0.5) - np.sqrt(v**2 + 0.25)) / 2

    divergence = potential(other) - potential(x) - np.arcsinh(x / 0.5) @ (other - x) / 2
    assert certificate["primal-dual gap"].value == pytest.approx(divergence / np.abs(other).sum(), rel=1e-6)


def test_limit_of_plain_weights():
    rng = np.random.default_rng(0)
    X, x0, s, A = rng.standard_normal((3, 7)), rng.standard_normal(7), rng.standard_normal(3), 0.4
    x = np.exp(-2 * A) * (x0 - X.T @ s)
    problem = Problem(X, X @ x)
    assert certify_limit(problem, Euclidean(x0), A, x, s).valid
    null = np.linalg.svd(X)[2][3]
    for wrong in (
        certify_limit(problem, Euclidean(x0), A, x + 1e-4 * null, s),
        certify_limit(problem, Euclidean(x0), A, x, -s),
        certify_limit(problem, Euclidean(0 * x0), A, x, s),
        certify_limit(problem, Euclidean(x0), 0.0, x, s),
    ):
        assert wrong["feasibility"].passed
        assert not wrong["primal-dual gap"].passed
        assert not wrong["dual representation"].passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answers_that_are_not_finite_are_not_certified(bad):
    problem, mirror, x, s = solved_backwards(0.5)
    x[0] = bad
    with np.errstate(all="ignore"):
        assert not certify_limit(problem, mirror, 0.0, x, s).valid
        assert not l1_certificate(problem, x, s).valid
        assert not lasso_certificate(problem, x, 0.1).valid


def test_feasibility_by_hand():
    problem = Problem([[1.0, 2.0]], [4.0])
    assert feasibility(problem, np.array([0.0, 2.0])) == 0
    assert feasibility(problem, np.array([0.0, 2.5])) == pytest.approx(1 / 9)  # |5 - 4| / (4 + 5)
    assert feasibility(Problem([[1.0, 2.0]], [0.0]), np.zeros(2)) == 0
    # With no solution, X'(Xx - y) = 0 is what is asked: here x1 + 2 x2 = 2.
    problem = BY_NAME["inconsistent"].problem
    assert feasibility(problem, np.array([0.0, 1.0])) < 1e-15
    x = np.array([0.0, 1.1])
    size = np.abs(problem.X).T @ (np.abs(problem.y) + np.abs(problem.X) @ np.abs(x))
    assert feasibility(problem, x) == pytest.approx(0.8 / size.max())


def test_feasibility_of_zero_targets_is_not_relative_to_rounding():
    problem = Problem([[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]], [0.0, 0.0])
    x = np.array([1.0, -2.0, 1.0])  # in the null space; 0.1 - 0.4 + 0.3 is 5.6e-17 in float64
    assert np.abs(problem.X @ x).max() > 0
    assert feasibility(problem, x) < 1e-15
    assert feasibility(problem, x + 0.01) > 1e-3


def test_l1_certificate_by_hand():
    problem = Problem([[1.0, 0.0, 0.6], [0.0, 1.0, 0.6]], [1.0, 1.0])
    right, s = np.array([0.0, 0.0, 5 / 3]), np.array([5 / 6, 5 / 6])
    assert l1_certificate(problem, right, s).valid

    planted = l1_certificate(problem, np.array([1.0, 1.0, 0.0]), s)  # feasible, the dual too, but longer
    assert planted["feasibility"].passed
    assert planted["dual feasibility"].passed
    assert planted["duality gap"].value == pytest.approx((2 - 5 / 3) / 2)
    assert not planted.valid

    greedy = l1_certificate(problem, np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0]))  # <y, s> = 2, but 0.6 + 0.6 > 1
    assert greedy["dual feasibility"].value == pytest.approx(0.2)
    assert not greedy["dual feasibility"].passed
    assert not greedy["duality gap"].passed
    assert not greedy.valid

    short = l1_certificate(problem, np.array([0.0, 0.0, 1.6]), s)  # shorter, because it does not fit
    assert not short["feasibility"].passed
    assert not short.valid

    weak = l1_certificate(problem, right, 0.9 * s)
    assert weak["duality gap"].value == pytest.approx(0.1)
    assert not weak.valid


def test_l1_uniqueness_by_hand():
    problem = Problem([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [1.0, -2.0])  # the first two columns are equal
    s = np.array([1.0, -1.0])
    for x in ([1.0, 0.0, -2.0], [0.0, 1.0, -2.0], [0.3, 0.7, -2.0]):
        assert l1_unique(problem, np.array(x), s) is False
    # Tight columns that are independent, though one of them is not used: unique, without strict complementarity.
    problem = Problem([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [1.0, 1.0])
    x = np.array([0.0, 0.0, 1.0])
    assert l1_unique(problem, x, np.array([0.5, 0.5])) is True
    assert l1_unique(problem, x, np.array([1.0, 0.0])) is True
    # Opposite columns, y = 0, and a face of three equal columns.
    assert l1_unique(Problem([[1.0, -1.0]], [2.0]), np.array([2.0, 0.0]), np.array([1.0])) is False
    assert l1_unique(Problem([[1.0, -1.0]], [0.0]), np.zeros(2), np.zeros(1)) is True
    assert l1_unique(Problem([[1.0, 1.0, 1.0]], [1.0]), np.array([0.0, 1.0, 0.0]), np.ones(1)) is False


def test_l1_uniqueness_where_tight_columns_are_dependent_but_the_answer_is_unique():
    # All three columns e1, (1, 1), (1, -1) are tight for s = (1, 0), and 2 e1 = (1, 1) + (1, -1). Yet the weight on
    # (1, 1) cannot be moved: along (2, -1, -1) one of the two weights that are zero gets the wrong sign either way.
    problem = Problem([[1.0, 1.0, 1.0], [0.0, 1.0, -1.0]], [1.0, 1.0])
    assert l1_unique(problem, np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0])) is True
    # For y = (1, 0) it can: e1 is half of each of the others.
    problem = Problem([[1.0, 1.0, 1.0], [0.0, 1.0, -1.0]], [1.0, 0.0])
    assert l1_unique(problem, np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.0])) is False
    assert l1_unique(problem, np.array([0.0, 0.5, 0.5]), np.array([1.0, 0.0])) is False


def test_lasso_certificate_by_hand():
    problem = Problem([[1.0, 2.0]], [2.0])
    right = np.array([0.0, 0.75])
    assert lasso_certificate(problem, right, 1.0).valid
    assert lasso_certificate(problem, np.zeros(2), 4.0).valid  # lambda_max = |X'y| = 4
    for wrong in (
        lasso_certificate(problem, right, 0.5),
        lasso_certificate(problem, right, 2.0),
        lasso_certificate(problem, np.array([0.0, 0.76]), 1.0),
        lasso_certificate(problem, np.array([1.5, 0.0]), 1.0),
        lasso_certificate(problem, np.zeros(2), 3.9),
    ):
        assert not wrong.valid
    # f(0.76) - f(0.75) = (2 * 0.01)^2/2 is 2e-4; the gap, relative to |y|^2/2 = 2, bounds it from above.
    assert lasso_certificate(problem, np.array([0.0, 0.76]), 1.0)["duality gap"].value >= 1e-4


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo_answers_are_feasible_and_moved_ones_are_not(case):
    problem = case.problem
    for x in (case.minimum_l1, case.minimum_l2):
        assert feasibility(problem, np.array(x, float)) < 1e-14
    seen = np.flatnonzero(np.abs(problem.X).max(axis=0))
    for i in seen:
        assert feasibility(problem, np.array(case.minimum_l2) + 1e-3 * np.eye(problem.d)[i]) > 1e-6


def test_certificates_and_checks():
    good, bad = Check("small", 0.5, 1.0), Check("large", 2.0, 1.0)
    assert good.passed
    assert not bad.passed
    assert Check("equal", 1.0, 1.0).passed
    assert not Check("nothing", np.nan, 1.0).passed
    assert not Certificate().valid
    assert Certificate((good,)).valid
    both = Certificate((good, bad))
    assert not both.valid
    assert both["large"] is bad
    assert str(both) == "NOT valid (small 5.0e-01 <= 1e+00; large 2.0e+00 > 1e+00)"
    with pytest.raises(KeyError, match="no check named 'other'; there are: small, large"):
        both["other"]


def test_what_is_relative_to_an_infinity_is_not_feasible():
    with np.errstate(over="ignore", invalid="ignore"):
        assert feasibility(Problem(np.full((1, 2), 1e150), np.ones(1)), np.array([1e200, -1e200])) == np.inf
