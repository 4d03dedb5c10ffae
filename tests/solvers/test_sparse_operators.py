"""Sparse X and operators against dense X, and against answers that no solver of this package gave."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import linreg_mirror as lm
from linreg_mirror._tools import matrices
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber, LogCosh
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import plan
from linreg_mirror.solvers.limit import limit, preconditioners
from tests.helpers.plain import hyperbolic_limit, least_l1
from tests.helpers.zoo import CASES


def operator(X):
    """X behind two functions: nothing but products."""
    return LinearOperator(X.shape, matvec=lambda x: X @ x, rmatvec=lambda s: X.T @ s, dtype=float)


KINDS = {"sparse": scipy.sparse.csr_array, "operator": operator}


def design(n, d, density, seed):
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((n, d)) < density, rng.standard_normal((n, d)), 0.0)
    X[np.arange(n), rng.permutation(d)[:n]] += 1  # no row is empty
    return X, rng


@pytest.fixture
def treated_as_large(monkeypatch):
    """Sparse X of any size is treated as one whose Gram matrix nobody wants to form."""
    monkeypatch.setattr(matrices, "_SMALL", 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log_b", [0.0, np.log(1e-2), np.log(1e-4), np.log(1e-8), -40.0])
@pytest.mark.parametrize(("n", "d", "density"), [(10, 60, 0.3), (20, 400, 0.1), (30, 100, 0.5), (50, 150, 0.2)])
def test_limits_agree(treated_as_large, kind, log_b, n, d, density):
    X, rng = design(n, d, density, n)
    planted = X @ np.where(np.arange(d) < n // 4, 1.0, 0.0)
    for y in (planted, rng.standard_normal(n)):
        network = lm.Hadamard.from_scale(log_b=log_b, x0=0.1 * rng.standard_normal(d))
        expected = limit(Problem(X, y), network, 0.1)
        found = limit(Problem(KINDS[kind](X), y), network, 0.1)
        assert found.status is Status.unproved, str(found.certificate)
        assert found.certificate.valid
        np.testing.assert_allclose(found.x, expected.x, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_limits_against_minimisation_over_the_null_space(treated_as_large, kind, seed):
    X, rng = design(4, 9, 0.5, seed)
    y, x0, b = rng.standard_normal(4), rng.standard_normal(9), rng.uniform(0.05, 1, 9)
    found = limit(Problem(KINDS[kind](X), y), lm.Hadamard.from_scale(b, x0=x0), 0.2)
    assert found.status is Status.unproved
    np.testing.assert_allclose(found.x, hyperbolic_limit(X, y, b, x0, 0.2), atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log_b", [-1e4, -1e5])
def test_vanishing_scale_against_highs(treated_as_large, kind, log_b):
    X, rng = design(12, 80, 0.3, 1)
    y = rng.standard_normal(12)
    found = limit(Problem(KINDS[kind](X), y), lm.Hadamard.from_scale(log_b=log_b, d=80))
    assert found.status is Status.unproved, str(found.certificate)
    np.testing.assert_allclose(found.x, least_l1(X, y)[1], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo(treated_as_large, kind, case):
    # Zero, duplicated and dependent columns and rows, rank 0, y out of the range.
    problem = Problem(KINDS[kind](np.array(case.X, dtype=float)), case.y)
    assert (problem.inconsistency <= 1e-10) == case.consistent
    least = limit(problem, lm.Hadamard.from_scale(1e7, d=problem.d))
    sparse = limit(problem, lm.Hadamard.from_scale(log_b=-1e3, d=problem.d))
    for solution in (least, sparse, lm.minimum_l2(problem)):
        unproved = Status.unproved if any(case.y) or solution.log_scale is not None else Status.converged
        assert solution.status is (unproved if case.consistent else Status.inconsistent), solution
    np.testing.assert_allclose(least.x, case.minimum_l2, atol=1e-9)
    np.testing.assert_allclose(lm.minimum_l2(problem).x, case.minimum_l2, atol=1e-9)
    assert np.abs(sparse.x).sum() == pytest.approx(case.l1, abs=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo_of_small_sparse_problems(case):
    problem = Problem(scipy.sparse.coo_array(np.array(case.X, dtype=float)), case.y)
    assert problem.rank == case.rank
    least_l1 = lm.minimum_l1(problem)
    assert least_l1.status is case.l1_status
    assert least_l1.unique is case.unique
    assert np.abs(least_l1.x).sum() == pytest.approx(case.l1, abs=1e-9)
    np.testing.assert_allclose(limit(problem, lm.Hadamard.from_scale(1e7, d=problem.d)).x, case.minimum_l2, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_conjugate_gradients_do_not_resolve_is_not_certified(treated_as_large, monkeypatch, kind):
    monkeypatch.setattr(matrices, "LARGEST_GRAM", 0)  # as for a million rows: no columns are computed
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal(shape))[0] for shape in ((40, 40), (120, 40)))
    X = left @ np.diag(np.logspace(0, -9, 40)) @ right.T
    problem = Problem(KINDS[kind](X), X @ rng.standard_normal(120))
    found = limit(problem, lm.Hadamard.from_scale(1e-8, d=120))
    assert found.status is Status.not_certified
    assert not found.certificate.valid
    assert "ask for a larger scale" in found.stats.notes[0]
    easy = limit(Problem(KINDS[kind](left @ right.T), rng.standard_normal(40)), lm.Hadamard.from_scale(1e-2, d=120))
    assert easy.status is Status.unproved


def test_columns_of_operators_are_computed_where_gradients_are_slow(monkeypatch):
    X, rng = design(40, 400, 0.5, 0)
    y, network = rng.standard_normal(40), lm.Hadamard.from_scale(1e-10, d=400)
    computed = []
    of = preconditioners.OperatorColumns.__call__
    monkeypatch.setattr(
        preconditioners.OperatorColumns, "__call__", lambda self, metric: computed.append(1) or of(self, metric)
    )
    monkeypatch.setattr(preconditioners, "_CACHE", 100 * 40)  # a cache that does not hold all of them
    scales = np.logspace(0, 2, 40)
    found = limit(Problem(operator(X * scales[:, None]), y * scales), network)
    assert computed
    assert found.status is Status.unproved
    np.testing.assert_allclose(found.x, limit(Problem(X, y), network).x, atol=1e-9)


@pytest.mark.parametrize("loss", [lm.losses.Squared(), Huber(0.5), LogCosh()], ids=repr)
@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["compiled", "numpy"])
def test_descents_are_the_same_recursion(kind, options, loss, method):
    X, rng = design(8, 30, 0.3, 2)
    y, network = rng.standard_normal(8), lm.Hadamard.at(0.1 * rng.standard_normal(30), 0.1)
    keep = range(0, 200, 7)
    expected, found = (
        lm.descent(
            Problem(of(X), y, loss), network, 0.02, 0.01, steps=200, tolerance=0, keep=keep, method=how, **options
        )
        for of, how in ((np.asarray, "numpy"), (KINDS[kind], method))
    )
    assert_same_run(found, expected)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("method", ["compiled", "numpy"])
def test_batches_of_sparse_rows(replacement, method):
    X, rng = design(8, 30, 0.3, 2)
    y, network = rng.standard_normal(8), lm.Hadamard.at(0.0, 0.1, d=30)
    options = {"steps": 200, "tolerance": 0, "batch_size": 3, "replacement": replacement, "momentum": 0.3}
    expected, found = (
        lm.descent(Problem(of(X), y), network, 0.005, method=how, rng=np.random.default_rng(5), **options)
        for of, how in ((np.asarray, "numpy"), (scipy.sparse.csc_array, method))
    )
    assert_same_run(found, expected)


def assert_same_run(found, expected):
    np.testing.assert_array_equal(found.step, expected.step)
    for part in ("x", "dual", "parameters", "decay"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), atol=1e-12)
    for part in ("log_scale", "tilt", "dual"):
        np.testing.assert_allclose(getattr(found.implicit, part), getattr(expected.implicit, part), atol=1e-11)
    assert found.l1_lower_bound == pytest.approx(expected.l1_lower_bound, rel=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", [lm.Hadamard.at(0.0, 1.0, d=30), lm.Direct(np.zeros(30))], ids=["m*w", "x"])
def test_stable_steps(treated_as_large, kind, network):
    X, rng = design(8, 30, 0.3, 3)
    y = rng.standard_normal(8)
    found = lm.largest_stable_step(Problem(KINDS[kind](X), y), network)
    assert found == pytest.approx(lm.largest_stable_step(Problem(X, y), network), rel=1e-8)
    assert lm.descent(Problem(KINDS[kind](X), y), network, 5 * found, steps=1000).status is Status.diverged


def test_other_solvers_of_sparse_problems():
    X, rng = design(12, 60, 0.3, 4)
    y, network = rng.standard_normal(12), lm.Hadamard.at(0.0, 0.1, d=60)
    dense, sparse = Problem(X, y), Problem(scipy.sparse.csc_matrix(X), y)
    for solve in (
        lm.minimum_l2, lm.minimum_l1, lambda p: lm.minimum_l1(p, method="highs"),
        lambda p: lm.minimum_l1(p, method="cvxpy"), lambda p: lm.lasso(p, 0.1), lambda p: lm.saddles(p).solution,
    ):  # fmt: skip
        assert solve(sparse).status is Status.converged
        np.testing.assert_allclose(solve(sparse).x, solve(dense).x, atol=1e-8)
    for method in ("dual", "parameters"):
        np.testing.assert_allclose(
            lm.flow(sparse, network, until=2.0, method=method).x[-1],
            lm.flow(dense, network, until=2.0).x[-1], atol=1e-6,
        )  # fmt: skip


def test_long_histories_of_many_parameters_are_thinned(monkeypatch):
    monkeypatch.setattr(plan, "_HISTORY", 60 * 20)
    problem, network = Problem(scipy.sparse.eye_array(3, 30), np.ones(3)), lm.Hadamard.at(0.0, 1.0, d=30)
    run = lm.descent(problem, network, 0.1, steps=100, tolerance=0)
    assert 10 <= len(run.step) <= 20
    assert (run.step[0], run.step[-1]) == (0, 100)


@pytest.mark.parametrize("of", [scipy.sparse.coo_array, scipy.sparse.lil_matrix, scipy.sparse.bsr_array])
def test_any_sparse_format_becomes_a_compressed_copy(of):
    X = np.array([[1, 0, 2], [0, 3, 0]])
    for matrix in (X, X.T):
        given = of(matrix)
        problem = Problem(given, np.ones(len(matrix)))
        assert problem.X.format in ("csc", "csr")
        assert problem.X.dtype == np.float64
        np.testing.assert_array_equal(problem.X.toarray(), matrix)
        assert not np.shares_memory(problem.X.data, getattr(given, "data", np.empty(0)))


def test_duplicates_are_summed():
    X = scipy.sparse.coo_array(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 3))
    np.testing.assert_array_equal(Problem(X, [0, 0]).X.toarray(), [[0, 3, 0], [4, 0, 0]])
    assert Problem(X, [0, 0]).X.nnz == 2


def test_indices_are_as_short_as_can_be():
    X = scipy.sparse.csc_array(np.eye(2, 3))
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    assert Problem(X, [1, 1]).X.indices.dtype == Problem(X, [1, 1]).X.indptr.dtype == np.int32
    assert lm.lasso(Problem(X, [1, 1]), 0.1).status is Status.converged  # scikit-learn takes no others


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_sparse_entries_must_be_finite(bad):
    X = scipy.sparse.coo_array(([1.0, bad], ([0, 1], [1, 2])), shape=(2, 3))
    with pytest.raises(ValueError, match=r"X must be finite, got (nan|inf) at index \(1, 2\): remove or impute"):
        Problem(X, [0, 0])


def test_X_must_be_real():
    X = np.eye(2, 3)
    for of in (scipy.sparse.csr_array, aslinearoperator):
        with pytest.raises(TypeError, match="X must hold real numbers, got dtype complex128"):
            Problem(of(X.astype(complex)), [0, 0])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rmatvec": None}, TypeError, r"multiply vectors from both sides, .*LinearOperator\(shape, matvec=..., rmatv"),
        ({"rmatvec": lambda s: np.ones(2)}, ValueError, "failed to multiply by X'"),
        ({"matvec": lambda x: np.ones(3)}, ValueError, "failed to multiply"),
        ({"rmatvec": lambda s: 2 * (np.eye(3, 2) @ s)}, ValueError, "must multiply by the transpose .*: correct rmatv"),
        ({"matvec": lambda x: np.full(2, np.nan)}, ValueError, "products with finite vectors are not"),
        ({"rmatvec": lambda s: 1j * np.ones(3)}, TypeError, "X must hold real numbers, got dtype complex128"),
    ],
)
def test_operators_are_checked(options, error, message):
    X = np.eye(2, 3)
    products = {"matvec": lambda x: X @ x.ravel(), "rmatvec": lambda s: X.T @ s.ravel()} | options
    with pytest.raises(error, match=message):
        Problem(LinearOperator((2, 3), dtype=float, **products), [0, 0])


def test_shapes_are_checked_for_all_kinds():
    with pytest.raises(ValueError, match=r"y must have shape \(2,\)"):
        Problem(operator(np.eye(2, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"X must be a matrix .* got shape \(0, 3\)"):
        Problem(scipy.sparse.csr_array((0, 3)), np.ones(0))


@pytest.mark.parametrize(
    ("ask", "instead"),
    [
        (lm.minimum_l1, r"write limit\("),
        (lambda p: lm.minimum_l1(p, method="highs"), r"write limit\("),
        (lambda p: lm.minimum_l1(p, method="cvxpy"), r"write limit\("),
        (lambda p: lm.lasso(p, 0.1), r"write descent\("),
        (lm.saddles, r"write limit\("),
        (lambda p: lm.flow(p, lm.Hadamard.at(0.0, d=3)), r"write .*flow\(\.\.\., method='parameters'\)"),
        (
            lambda p: lm.descent(p, lm.Hadamard.at(0.0, d=3), 0.1, batch_size=1, rng=np.random.default_rng(0)),
            "write descent.* without batch_size, or X as a sparse array",
        ),
    ],
)
def test_what_reads_entries_refuses_operators(ask, instead):
    with pytest.raises(TypeError, match=rf"reads entries of X, and got an operator: {instead}"):
        ask(Problem(operator(np.eye(2, 3)), [1, 2]))


def test_what_forms_square_matrices_refuses_many_rows():
    n = 5001
    problem = Problem(scipy.sparse.eye_array(n, 2 * n), np.ones(n))
    for ask in (lm.minimum_l1, lambda p: lm.flow(p, lm.Hadamard.at(0.0, d=2 * n))):
        with pytest.raises(ValueError, match=r"n <= 5000, got n = 5001: write "):
            ask(problem)
    found = limit(problem, lm.Hadamard.from_scale(1e-6, d=2 * n))
    assert found.status is Status.unproved
    np.testing.assert_allclose(found.x[:n], 1.0, rtol=1e-12)
