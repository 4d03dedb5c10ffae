"""Proofs of minimum L1, against answers by hand and against all bases of small problems in exact fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror.proofs import ProofError, vertex
from linreg_mirror.solvers import independent
from tests.helpers.zoo import CASES, gaussian

flint = pytest.importorskip("flint")


def exact(array):
    return [[Fraction(float(entry)) for entry in row] for row in np.atleast_2d(array)]


def solved(A, b):
    """Return the solution of a square system of fractions by elimination; None if it is singular."""
    n = len(A)
    rows = [[*A[i], b[i]] for i in range(n)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(n):
            if i != k and rows[i][k] != 0:
                rows[i] = [a - rows[i][k] * c for a, c in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def vertices_of_least_norm(X, y):
    """Return the least L1 norm and all basic interpolators that have it, in fractions, by trying every basis."""
    (n, d), A, b = X.shape, exact(X), [Fraction(float(value)) for value in y]
    found = {}
    for basis in itertools.combinations(range(d), n):
        values = solved([[A[i][j] for j in basis] for i in range(n)], b)
        if values is not None:
            x = [Fraction(0)] * d
            for j, value in zip(basis, values, strict=True):
                x[j] = value
            found.setdefault(sum(map(abs, x)), set()).add(tuple(x))
    least = min(found)
    return least, found[least]


def check_against(content, x):
    """The stated values hold the exact ones."""
    support = [j for j, value in enumerate(x) if value]
    assert sorted(content["basis"]) == support
    for j, value, error in zip(content["basis"], content["x"], content["error"], strict=True):
        assert abs(Fraction(value) - x[j]) <= Fraction(error)
    norm = sum(map(abs, x))
    assert abs(Fraction(content["norm"]) - norm) <= Fraction(content["norm_error"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo(case):
    problem = case.problem
    proof = lm.prove(problem, lm.minimum_l1(problem))
    if not case.consistent:
        assert proof.kind == "inconsistent"
        assert "no x satisfies" in str(proof)
        return
    assert proof.kind == "vertex"
    assert proof.unique is case.unique
    assert float(proof.content["norm"]) == pytest.approx(case.l1, abs=1e-14)
    if case.unique:
        x = np.zeros(problem.d)
        x[proof.content["basis"]] = [float(value) for value in proof.content["x"]]
        np.testing.assert_allclose(x, case.minimum_l1, atol=1e-14)


@pytest.mark.parametrize("targets", ["random", "planted", "integers"])
@pytest.mark.parametrize("seed", range(4))
def test_all_bases_of_small_problems(seed, targets):
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 5, (3, 7)).astype(float) if targets == "integers" else rng.standard_normal((3, 7))
    x0 = np.array([2.0, 0, 0, -1.5, 0, 0, 0])
    problem = lm.Problem(X, rng.standard_normal(3) if targets == "random" else X @ x0)
    least, points = vertices_of_least_norm(X, problem.y)
    proof = lm.prove(problem, lm.minimum_l1(problem))
    assert proof.kind == "vertex"
    assert abs(Fraction(proof.content["norm"]) - least) <= Fraction(proof.content["norm_error"])
    assert proof.unique is (len(points) == 1)
    if proof.unique:
        check_against(proof.content, next(iter(points)))


def test_weights_of_size_eps_are_found():
    problem = gaussian(20, 60, 0, nonzeros=3)
    proof = lm.prove(problem, lm.minimum_l1(problem))
    sizes = np.abs([float(value) for value in proof.content["x"]])
    assert proof.unique is True
    assert len(sizes) == 20
    assert np.count_nonzero(sizes > 1e-9) == 3
    assert (sizes[sizes < 1e-9] > 0).all()
    assert "17 of them below" in str(proof)


@pytest.mark.parametrize("digits", [5, 15, 60])
def test_as_many_digits_as_are_asked_for(digits):
    problem = gaussian(10, 30, 1)
    content = lm.prove(problem, lm.minimum_l1(problem), digits=digits).content
    for value, error in zip([*content["x"], content["norm"]], [*content["error"], content["norm_error"]], strict=True):
        assert Fraction(error) <= abs(Fraction(value)) * Fraction(101, 100) / 10**digits


@pytest.mark.parametrize("method", ["highs", "cvxpy"])
def test_answers_of_others(method):
    problem = gaussian(10, 40, 2)
    ours = lm.prove(problem, lm.minimum_l1(problem))
    theirs = lm.prove(problem, lm.minimum_l1(problem, method).x)
    assert dict(zip(theirs.content["basis"], theirs.content["x"], strict=True)) == dict(
        zip(ours.content["basis"], ours.content["x"], strict=True)
    )


def test_a_wrong_answer_is_not_proved_but_the_right_one():
    problem = gaussian(10, 40, 3)
    proof = lm.prove(problem, independent.minimum_l2(problem).x)
    right = lm.prove(problem, lm.minimum_l1(problem))
    assert proof.content["norm"] == right.content["norm"]
    assert proof.apart > 0.1
    assert "The answer that was given differs from this x by" in str(proof)
    assert right.apart < 1e-14
    assert "differs" not in str(right)


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_are_dependent_but_for_rounding(seed):
    """Centred columns: the rows add up to rounding, which exact arithmetic takes at its word."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 8)), rng.standard_normal(4)
    problem = lm.Problem(X - X.mean(axis=0), y - y.mean())
    assert problem.rank == 3
    proof = lm.prove(problem, lm.minimum_l1(problem))
    least, points = vertices_of_least_norm(problem.X, problem.y)
    assert proof.kind == "vertex"
    assert len(points) == 1
    assert sum(map(abs, next(iter(points)))) == least
    check_against(proof.content, next(iter(points)))


@pytest.mark.parametrize("repeated", [(0,), (0, 3, 3)])
def test_rows_that_are_repeated(repeated):
    problem = gaussian(8, 30, 4)
    rows = [*range(8), *repeated]
    tall = lm.Problem(problem.X[rows], problem.y[rows])
    proof = lm.prove(tall, lm.minimum_l1(tall))
    assert proof.unique is True
    assert proof.content["norm"] == lm.prove(problem, lm.minimum_l1(problem)).content["norm"]
    y = problem.y[rows]
    y[-1] = np.nextafter(y[-1], 10)
    wrong = lm.Problem(problem.X[rows], y)
    assert lm.prove(wrong, lm.minimum_l1(wrong)).kind == "inconsistent"


def test_more_samples_than_features():
    rng = np.random.default_rng(5)
    X = rng.integers(-5, 6, (12, 4)).astype(float)
    problem = lm.Problem(X, X @ [1.0, -2.0, 0.5, 0.0])
    proof = lm.prove(problem, lm.minimum_l1(problem))
    assert (proof.kind, proof.unique, float(proof.content["norm"])) == ("vertex", True, 3.5)
    noisy = lm.Problem(X, rng.standard_normal(12))
    assert lm.prove(noisy, lm.minimum_l1(noisy)).kind == "inconsistent"


def test_duplicated_columns_leave_a_choice():
    problem = gaussian(6, 20, 6)
    twice = lm.Problem(np.hstack([problem.X, -problem.X]), problem.y)
    assert lm.prove(twice, lm.minimum_l1(twice)).unique is False


@pytest.mark.parametrize("nonzeros", [None, 3])
def test_without_the_vertex_there_are_bounds(nonzeros, monkeypatch):
    """Where no completion is found: bounds of the norm and of the distance hold what the vertex is."""
    problem = gaussian(12, 40, 7, nonzeros=nonzeros)
    solution = lm.minimum_l1(problem)
    vertex_proof = lm.prove(problem, solution)
    monkeypatch.setattr(vertex, "_on", lambda *_: iter(()))
    proof = lm.prove(problem, solution)
    assert proof.kind == "enclosure"
    lower, upper = map(Fraction, proof.content["norm"])
    norm, error = Fraction(vertex_proof.content["norm"]), Fraction(vertex_proof.content["norm_error"])
    assert lower <= norm + error
    assert norm - error <= upper
    assert upper - lower < 1e-9 * norm
    x, near = {}, {}
    for content, into in ((vertex_proof.content, x), (proof.content, near)):
        into |= dict(zip(content["basis"], map(Fraction, content["x"]), strict=True))
    distance = sum(abs(x.get(j, 0) - near.get(j, 0)) for j in x.keys() | near.keys())
    assert 0 < Fraction(proof.content["distance"]) < 1e-7
    assert distance <= Fraction(proof.content["distance"])
    assert "exact vertex was not found" in str(proof)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("condition", [1e8, 1e12])
def test_ill_conditioned_planted_targets(condition, seed):
    """The n - k weights that rounding of y asks for are 1e-11 and less of the largest."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((20, 20), (80, 20)))
    X = (left * np.geomspace(1, 1 / condition, 20)) @ right.T
    x = np.where(np.arange(80) < 4, rng.standard_normal(80), 0.0)
    problem = lm.Problem(X, X @ x)
    solution = lm.minimum_l1(problem)
    proof = lm.prove(problem, solution, digits=30)
    assert (proof.kind, proof.unique) == ("vertex", True)
    exact = dict(zip(proof.content["basis"], map(Fraction, proof.content["x"]), strict=True))
    true = sum(abs(Fraction(float(solution.x[j])) - exact.get(j, 0)) for j in range(80))
    assert true <= Fraction(solution.error) < 1e-10 * abs(solution.x).sum()


def test_sparse_data_are_the_same_data():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    problem = gaussian(6, 20, 8)
    proof = lm.prove(problem, lm.minimum_l1(problem))
    assert lm.verify(proof, lm.Problem(scipy_sparse.csc_array(problem.X), problem.y)) is proof


def test_what_does_not_fit_is_refused():
    problem = gaussian(6, 20, 9)
    with pytest.raises(ValueError, match="3 weights, the problem 20 features"):
        lm.prove(problem, np.ones(3))
    with pytest.raises(ValueError, match="digits must be an integer"):
        lm.prove(problem, lm.minimum_l1(problem), digits=0)
    assert issubclass(ProofError, ValueError)
