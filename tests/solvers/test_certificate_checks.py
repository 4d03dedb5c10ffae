"""Each check of each certificate: answers that it alone refuses, its tolerance, and a value that is known otherwise."""

from dataclasses import dataclass
from fractions import Fraction as F

import numpy as np
import pytest

from linreg_mirror import mirrors
from linreg_mirror.mirrors import Euclidean, Hyperbolic, Mirror
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import certificates

EPS = np.finfo(float).eps
L1 = {"feasibility": 1e-10, "duality gap": 1e-10, "dual feasibility": 1e-9}
NUCLEAR = {"feasibility": 1e-10, "duality gap": 1e-8, "dual feasibility": 1e-8, "positive semidefinite": 1e-8}


def refused(certificate):
    return [check.name for check in certificate.checks if not check.passed]


def values(certificate):
    return {check.name: check.value for check in certificate.checks}


def tolerances(certificate):
    return {check.name: check.tolerance for check in certificate.checks}


# Limits


@dataclass(frozen=True, eq=False)
class Own(Mirror):
    """A potential (x - start)^2 / (2 slope), each part of which can be made wrong by itself."""

    start: np.ndarray
    slope: float = 2.0
    lifted: float = 0.0
    wrong_slope: float = 2.0

    @property
    def initial_dual(self):
        return self.start / self.slope

    def primal(self, z, A):
        return self.slope * z

    def dual(self, x, A):
        return x / self.slope

    def metric(self, z, A):
        return self.slope + 0 * z

    def conjugate(self, z, A):
        return self.wrong_slope * z**2 / 2 + self.lifted

    def potential(self, x, A):
        # So that potential and conjugate touch where x = primal(z), whatever the conjugate is.
        return x**2 / self.slope - self.wrong_slope * (x / self.slope) ** 2 / 2 - x * self.initial_dual


def start(d):
    return np.cos(np.arange(d))


MIRRORS = {
    "hyperbolic": lambda d: Hyperbolic(np.linspace(-3, 0, d), start(d)),
    "euclidean": lambda d: Euclidean(start(d)),
    "depth 2": lambda d: mirrors.Power(np.linspace(-2, 0, d), start(d), 2),
    "depth 3": lambda d: mirrors.Power(np.linspace(-2, 0, d), start(d), 3),
    "depth 5": lambda d: mirrors.Power(np.linspace(-0.5, 0, d), start(d), 5),
    "own": lambda d: Own(start(d)),
}


def solved_backwards(mirror, A=0.0, scale=0.1):
    """Return a problem with the x and the s that solve it: the targets are made from a dual vector."""
    rng = np.random.default_rng(0)
    X, s = rng.standard_normal((3, 7)), scale * rng.standard_normal(3)
    x = mirror.primal(mirror.initial_dual - X.T @ s, A)
    return Problem(X, X @ x), x, s


@pytest.mark.parametrize("A", [0.0, 0.3])
@pytest.mark.parametrize("name", MIRRORS)
def test_feasibility_alone_refuses_the_limit_for_other_targets(name, A):
    mirror = MIRRORS[name](7)
    problem, x, s = solved_backwards(mirror, A)
    assert refused(certificates.certify_limit(problem, mirror, A, x, s)) == []
    moved = mirror.primal(mirror.initial_dual - problem.X.T @ (s + 1e-7), A)
    assert refused(certificates.certify_limit(problem, mirror, A, moved, s + 1e-7)) == ["feasibility"]


@pytest.mark.parametrize("A", [0.0, 0.3])
@pytest.mark.parametrize("name", MIRRORS)
def test_the_dual_representation_alone_refuses_an_interpolator_that_is_near(name, A):
    # The gap is of second order, and so smaller than what it may be.
    mirror = MIRRORS[name](7)
    problem, x, s = solved_backwards(mirror, A)
    null = np.linalg.svd(problem.X)[2][-1]
    for size, expected in ((1e-8, ["dual representation"]), (1e-12, [])):
        near = x + size * np.abs(x).max() * null
        assert refused(certificates.certify_limit(problem, mirror, A, near, s)) == expected


@pytest.mark.parametrize("side", [1, -1])
def test_the_dual_representation_looks_at_both_sides_and_at_all_entries(side):
    mirror = Hyperbolic(np.zeros(3), np.zeros(3))
    X = np.array([[1.0, 0.5, 0.0]])
    x = mirror.primal(-X[0] * 0.3, 0.0)
    for i in range(3):
        wrong = x.copy()
        wrong[i] += side * 1e-4
        problem = Problem(X, X @ wrong)
        found = certificates.certify_limit(problem, mirror, 0.0, wrong, np.array([0.3]))["dual representation"]
        assert found.value == pytest.approx(1e-4 / np.abs(wrong).max(), rel=1e-9)


def crowd(mirror, size):
    """Return a problem of one sample whose x is size * e_1, and the s that represents 0.9e-10 of that everywhere else.

    Each of the other entries is as right as the dual representation asks for; together they are not.
    """
    d = mirror.initial_dual.size
    z = -mirror.dual(np.append(size, np.full(d - 1, 0.9e-10 * size)), 0.0)
    x = np.zeros(d)
    x[0] = size
    return Problem(z[None], z[:1] * size), x, np.ones(1)


@pytest.mark.parametrize(
    ("mirror", "size"),
    [
        (Hyperbolic(np.full(400, np.log(1e-14)), np.zeros(400)), 1.0),
        (Euclidean(np.zeros(400)), 1e10),
        (mirrors.Power(np.full(400, np.log(1e-4)), np.zeros(400), 3), 1.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_gap_alone_refuses_many_small_weights_left_out(mirror, size):
    problem, x, s = crowd(mirror, size)
    assert refused(certificates.certify_limit(problem, mirror, 0.0, x, s)) == ["primal-dual gap"]


def test_the_gap_alone_refuses_a_potential_that_does_not_belong_to_its_conjugate():
    mirror = Own(start(7), lifted=1e-9)
    problem, x, s = solved_backwards(mirror)
    certificate = certificates.certify_limit(problem, mirror, 0.0, x, s)
    assert refused(certificate) == ["primal-dual gap"]
    terms = np.abs([mirror.potential(x, 0.0), mirror.conjugate(mirror.dual(x, 0.0), 0.0), x * (problem.X.T @ s)])
    assert certificate["primal-dual gap"].value == pytest.approx(7e-9 / max(terms.sum(), np.abs(x).sum()), rel=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_the_conjugates_slope_alone_refuses_a_primal_that_belongs_to_neither(side):
    for off, expected in ((2e-5, ["conjugate's slope"]), (0.5e-5, [])):
        mirror = Own(start(7), wrong_slope=2 * (1 + side * off))
        problem, x, s = solved_backwards(mirror)
        certificate = certificates.certify_limit(problem, mirror, 0.0, x, s)
        assert refused(certificate) == expected
        assert certificate["conjugate's slope"].value == pytest.approx(off, rel=1e-4)
        assert certificate["conjugate's slope"].tolerance == 1e-5


def primal_in_mpmath(mp, mirror, i, A):
    """Return z -> x of one entry, by the definition of the network that the potential belongs to."""
    if isinstance(mirror, Euclidean):
        return lambda z: mp.exp(-2 * mp.mpf(A)) * z
    log_scale = mp.mpf(mirror.log_scale[i])
    if isinstance(mirror, Hyperbolic):
        return lambda z: mp.exp(log_scale - 4 * mp.mpf(A)) * mp.sinh(2 * z)
    D, a = mirror.depth, mp.exp(log_scale - 2 * mp.mpf(A))
    if D == 2:  # p = a e^z, q = a e^-z
        return lambda z: 2 * a**2 * mp.sinh(2 * z)
    unit = mp.exp((D - 2) * (log_scale - mp.mpf(mirror.log_scale.max())))
    power = -mp.mpf(D) / (D - 2)
    return lambda z: a**D * ((1 - (D - 2) * unit * z) ** power - (1 + (D - 2) * unit * z) ** power)


def gap_in_mpmath(mp, mirror, A, x, z):
    """Return the area between x and primal, from the dual of x to z: the Fenchel gap without any potential."""
    total = mp.mpf(0)
    for i, (target, end) in enumerate(zip(map(mp.mpf, x), z, strict=True)):
        primal = primal_in_mpmath(mp, mirror, i, A)
        near = mp.mpf(float(mirror.dual(x, A)[i]))
        begin = mp.findroot(lambda t: primal(t) - target, (near * (1 - mp.mpf(1e-12)), near))  # noqa: B023
        total += mp.quad(lambda t: primal(t) - target, [begin, end])  # noqa: B023
    return total


@pytest.mark.parametrize("A", [0.0, 0.3])
@pytest.mark.parametrize("apart", [0.3, 1e-3, 1e-6])
@pytest.mark.parametrize("name", [name for name in MIRRORS if name != "own"])
def test_the_gap_is_the_area_between_primal_and_x(name, apart, A):
    mp = pytest.importorskip("mpmath")
    mirror = MIRRORS[name](7)
    problem, x, s = solved_backwards(mirror, A)
    other = x + apart * np.abs(x).max() * np.sin(1 + np.arange(7))
    with mp.workdps(40):
        X, dual = mp.matrix(problem.X.tolist()), mp.matrix(s.tolist())
        z = [mp.mpf(float(z0)) - pull for z0, pull in zip(mirror.initial_dual, X.T * dual, strict=True)]
        gap = float(gap_in_mpmath(mp, mirror, A, other, z))
    log_b = {"hyperbolic": 1.0, "depth 2": 2.0}.get(name)  # of a or of b
    exponents = 1.0
    if log_b is not None:
        offset = np.log(2) if name == "depth 2" else 0.0
        exponents = max(1.0, np.abs(offset + log_b * mirror.log_scale - 4 * A).max())
    found = certificates.certify_limit(problem, mirror, A, other, s)["primal-dual gap"].value
    # Near the solution the leading term takes the place of a difference, and is relatively off by about as much.
    assert found == pytest.approx(gap / exponents / np.abs(other).sum(), rel=max(1e-9, 3 * apart * (apart < 1e-2)))


def test_the_gap_where_the_scale_is_no_float64():
    mp = pytest.importorskip("mpmath")
    mirror = Hyperbolic(np.full(2, -1e5), np.zeros(2))
    X, s = np.array([[1.0, 0.5]]), -np.ones(1) * 5e4
    problem, x = Problem(X, [1.0]), np.array([0.75, 0.5])
    with mp.workdps(30):
        b = mp.exp(-100_000)
        gap = mp.mpf(0)
        for value, z in ((0.75, 50_000), (0.5, 25_000)):
            gap += (value * mp.asinh(value / b) - mp.sqrt(value**2 + b**2)) / 2 + b * mp.cosh(2 * z) / 2 - value * z
    found = certificates.certify_limit(problem, mirror, 0.0, x, s)["primal-dual gap"]
    assert found.value == pytest.approx(float(gap) / 1e5 / 1.25, rel=1e-9)


@pytest.mark.parametrize("log_b", [0.0, -30.0, -1e5])
def test_tolerances_of_limits_are_those_of_rounding(log_b):
    mirror = Hyperbolic(np.full(2, log_b), np.zeros(2))
    rounding = 64 * EPS * max(1.0, -log_b)
    for longest in (1.0, 1e4):
        problem = Problem([[1.0, 0.0], [0.0, longest]], [1.0, 1.0])
        found = tolerances(certificates.certify_limit(problem, mirror, 0.0, np.ones(2), np.zeros(2)))
        assert found == pytest.approx(
            {
                "feasibility": 1e-10,
                "primal-dual gap": max(1e-12, rounding),
                "dual representation": max(1e-10, rounding * longest),
            },
            rel=1e-12,
        )


def test_tolerances_of_other_limits():
    problem = Problem(np.eye(2), np.ones(2))
    plain = certificates.certify_limit(problem, Euclidean(np.zeros(2)), 0.5, np.ones(2), np.zeros(2))
    assert tolerances(plain) == {"feasibility": 1e-10, "primal-dual gap": 1e-12, "dual representation": 1e-10}
    # z dx/dz at the dual of x = 1, a = 1e-3, D = 3: 1 - z = (1 + 2^-3 ...)^-1/3 a, so that 1/(1 - z) is about 1000.
    cubic = mirrors.Power(np.full(2, np.log(1e-3)), np.zeros(2), 3)
    z = float(cubic.dual(np.ones(2), 0.0)[0])
    magnified = z * float(cubic.metric(np.full(2, z), 0.0)[0])
    found = tolerances(certificates.certify_limit(problem, cubic, 0.0, np.ones(2), np.zeros(2)))
    assert magnified == pytest.approx(3e3, rel=0.1)
    assert found["primal-dual gap"] == pytest.approx(64 * EPS * magnified, rel=1e-6)


# Minimum L1


def test_each_check_of_least_norms_alone():
    problem = Problem([[1.0, 0.0, 0.6], [0.0, 1.0, 0.6]], [1.0, 1.0])
    right, s = np.array([0.0, 0.0, 5 / 3]), np.array([5 / 6, 5 / 6])
    cases = {
        "feasibility": (0.9 * right, s),  # solves the problem for 0.9 y
        "duality gap": (np.array([1.0, 1.0, 0.0]), s),
        "dual feasibility": (right, 2 * s),  # scaled back to 1, it would be the right one
    }
    assert refused(certificates.l1_certificate(problem, right, s)) == []
    for name, (x, dual) in cases.items():
        certificate = certificates.l1_certificate(problem, x, dual)
        assert refused(certificate) == [name]
        assert tolerances(certificate) == L1
    assert values(certificates.l1_certificate(problem, right, 2 * s))["dual feasibility"] == pytest.approx(1.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dual_vector_has_two_sides(sign):
    # 1/3 is the least norm, at (0, -1/3); s = 1 has slopes 1 and -3, of which only the first is below 1 and positive.
    problem = Problem([[1.0, -3.0]], [float(sign)])
    for s in (1.0, 1 / 3, -1.0):
        certificate = certificates.l1_certificate(problem, np.array([sign, 0.0]), np.array([sign * s]))
        assert not certificate.valid
    certificate = certificates.l1_certificate(problem, np.array([sign, 0.0]), np.array([float(sign)]))
    expected = {"feasibility": 0, "duality gap": float(1 - F(1, 3)), "dual feasibility": 2}
    assert values(certificate) == pytest.approx(expected)
    assert certificates.l1_certificate(problem, np.array([0.0, -sign / 3]), np.array([sign / 3])).valid


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("thresholds", [((2.0, 5.0), (3.0, 7.0)), ((0.5, 5.0), (0.25, 7.0))])
def test_each_side_has_its_threshold(side, thresholds):
    # One weight counts, at 2 or 3 (1/2 or 1/4) by its sign; the other column is too short to be of use.
    t_plus, t_minus = map(np.array, thresholds)
    problem, mine = Problem([[1.0, 0.1]], [side * 1.5]), (t_plus if side > 0 else t_minus)[0]
    x, s = np.array([side * 1.5, 0.0]), np.array([side * mine])
    certificate = certificates.l1_certificate(problem, x, s, (t_plus, t_minus))
    assert certificate.valid
    for factor in (0.9, 1.1):
        wrong = certificates.l1_certificate(problem, x, factor * s, (t_plus, t_minus))
        assert refused(wrong) == (["duality gap"] if factor < 1 else ["dual feasibility"])
    assert not certificates.l1_certificate(problem, x, s, (t_minus, t_plus)).valid


def test_digits_of_the_dual_beyond_float64_count():
    # s itself is 1 to float64's last digit; what is left of it decides about 1e20 of it.
    problem = Problem([[1e20, 0.0], [-1e20, 1.0]], [1.0, 1.0])
    x, s, rest = np.array([1e-20, 2.0]), np.array([1.0, 1.0]), np.array([2e-20, 0.0])
    assert certificates.l1_certificate(problem, x, s)["dual feasibility"].value == 0.0
    assert certificates.l1_certificate(problem, x, s, rest=rest)["dual feasibility"].value == pytest.approx(1.0)
    np.testing.assert_allclose(certificates.pull(problem, s, rest).astype(float), [2.0, 1.0], rtol=1e-12)
    np.testing.assert_allclose(certificates.pull(problem, s, None).astype(float), [0.0, 1.0], rtol=1e-12)


# Least nuclear norm


def measured(*entries):
    """Return a function that makes the problem whose samples are these entries of a 2 x 2 matrix M."""
    rows = np.zeros((len(entries), 4))
    rows[np.arange(len(entries)), entries] = 1
    return lambda M: Problem(rows, rows @ np.ravel(M))


@pytest.mark.parametrize("positive", [False, True])
def test_each_check_of_nuclear_norms_alone(positive):
    problem = measured(0, 1, 2, 3)(np.diag([2.0, 1.0]))
    right, s = np.diag([2.0, 1.0]).ravel(), np.eye(2).ravel()

    def certificate(x, dual):
        return certificates.nuclear_certificate(problem, (2, 2), np.ravel(x), np.ravel(dual), positive)

    assert refused(certificate(right, s)) == []
    cases = {"feasibility": (0.9 * right, s), "duality gap": (right, 0.9 * s), "dual feasibility": (right, 2 * s)}
    for name, (x, dual) in cases.items():
        assert refused(certificate(x, dual)) == [name]
        expected = NUCLEAR if positive else {key: NUCLEAR[key] for key in L1}
        assert tolerances(certificate(x, dual)) == expected
    assert values(certificate(right, 2 * s))["dual feasibility"] == pytest.approx(1.0)
    assert values(certificate(right, 0.9 * s))["duality gap"] == pytest.approx(0.1)
    # Slopes far below -1 cost nothing where M has no negative eigenvalue, and are too steep elsewhere.
    assert refused(certificate([[2.0, 0.0], [0.0, 0.0]], np.diag([1.0, -5.0]))) == (
        ["feasibility"] if positive else ["feasibility", "duality gap", "dual feasibility"]
    )


@pytest.mark.parametrize(
    ("M", "negative"),
    [([[1.0, 0.0], [0.0, -0.5]], 0.5), ([[1.0, 0.1], [0.0, 1.0]], 0.1), ([[1.0, 0.0], [0.1, 1.0]], 0.1)],
)
def test_positivity_alone_refuses_negative_eigenvalues_and_what_is_not_symmetric(M, negative):
    problem = measured(0, 1, 2, 3)(M)
    left, sizes, right = np.linalg.svd(M)
    certificate = certificates.nuclear_certificate(problem, (2, 2), np.ravel(M), (left @ right).ravel(), True)
    assert refused(certificate) == ["positive semidefinite"]
    assert certificate["positive semidefinite"].value == pytest.approx(negative / sizes.sum())
    assert certificates.nuclear_certificate(problem, (2, 2), np.ravel(M), (left @ right).ravel()).valid


# LASSO, and bars


@pytest.mark.parametrize("sign", [1, -1])
def test_correlations_of_lasso_have_two_sides(sign):
    # (1/2, 0) is right without the second column, whose correlation is -3/2 against a weight of 1/2.
    problem = Problem([[1.0, -3.0]], [float(sign)])
    assert not certificates.lasso_certificate(problem, np.array([sign / 2, 0.0]), 0.5).valid
    assert certificates.lasso_certificate(problem, np.array([0.0, -sign * 5 / 18]), 0.5).valid


def test_an_error_bar_alone_refuses():
    x, good = np.array([3.0, -1.0]), certificates.Certificate((certificates.Check("good", 0.0, 1.0),))
    assert refused(certificates.with_error(good, 4.1e-6, x, 1e-6)) == ["error of x"]
    assert refused(certificates.with_error(good, 3.9e-6, x, 1e-6)) == []
    assert values(certificates.with_error(good, 4e-6, x, 1e-6))["error of x"] == pytest.approx(1e-6)
    # Of zero nothing is a share.
    assert refused(certificates.with_error(good, 1e-300, 0 * x, 1e-6)) == ["error of x"]
    assert certificates.with_error(good, np.inf, x, 1e-6) is good
