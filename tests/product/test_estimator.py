"""The scikit-learn face: its conventions, and coefficients that others find too."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from scipy.integrate import solve_ivp
from scipy.linalg import null_space
from scipy.optimize import linprog
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import linreg_mirror
from linreg_mirror import Hadamard, MirrorRegressor, MirrorRegressorCV, Problem, Status, limit, saddles, schedules
from linreg_mirror.estimator import data as forms

CHECKS = parametrize_with_checks(
    [
        MirrorRegressor(),
        MirrorRegressor(scale=1e3),
        MirrorRegressor(depth=3, fit_intercept=False),
        MirrorRegressor(solver="descent", scale=0.1),
        MirrorRegressor(solver="saddles"),
    ]
).mark


# scikit-learn 1.5 makes a generator of them, which pytest 9 warns of.
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_scikit_learn_finds_no_fault(estimator, check):
    check(estimator)


def data(n=12, d=30, seed=0, offset=5.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + rng.standard_normal(d)
    return X, X[:, :3] @ [2.0, -1.0, 0.5] + offset


def least_squares(X, y, weights=None):
    """Return coefficients and intercept of least L2 norm of the coefficients among those that fit best."""
    weights = np.ones(len(y)) if weights is None else weights
    centre, mean = weights @ X / weights.sum(), weights @ y / weights.sum()
    root = np.sqrt(weights)
    x = np.linalg.pinv(root[:, None] * (X - centre)) @ (root * (y - mean))
    return x, mean - centre @ x


def least_l1(X, y):
    """Return the least |x|_1 over Xx + c = y, c free, and an x that attains it, by HiGHS."""
    A = np.hstack([X, -X, np.ones((len(y), 1))])
    cost = np.append(np.ones(2 * X.shape[1]), 0)
    answer = linprog(cost, A_eq=A, b_eq=y, bounds=[(0, None)] * 2 * X.shape[1] + [(None, None)])
    assert answer.status == 0
    return answer.fun, answer.x[: X.shape[1]] - answer.x[X.shape[1] : -1]


@pytest.mark.parametrize("parameters", [{"log_scale": -1e4}, {"scale": 1e-10, "depth": 3}, {"solver": "saddles"}])
def test_small_scales_end_at_the_least_l1_norm(parameters):
    X, y = data()
    least, x = least_l1(X, y)
    model = MirrorRegressor(**parameters).fit(X, y)
    assert least * (1 - 1e-12) <= np.abs(model.coef_).sum() < least * (1 + 1e-10)
    np.testing.assert_allclose(model.coef_, x, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-9)
    assert model.status_ is Status.converged
    assert model.certificate_.valid
    assert model.score(X, y) == pytest.approx(1)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("sparse", [False, True])
def test_large_scales_end_at_the_least_l2_norm(depth, sparse):
    X, y = data()
    x, intercept = least_squares(X, y)
    given = scipy.sparse.csc_array(X) if sparse else X
    model = MirrorRegressor(scale=1e6, depth=depth).fit(given, y)
    np.testing.assert_allclose(model.coef_, x, atol=1e-12)
    assert model.intercept_ == pytest.approx(intercept)
    np.testing.assert_allclose(model.predict(given), y, rtol=1e-12)


def test_without_intercept_the_data_stay_where_they_are():
    X, y = data()
    model = MirrorRegressor(scale=1e6, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, np.linalg.pinv(X) @ y, atol=1e-8)
    assert model.intercept_ == 0.0


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("schedule", [None, schedules.Geometric(0.3, ratio=0.5)])
def test_the_limit_is_where_an_integrator_takes_the_factors(depth, schedule):
    X, y = data(n=3, d=4)
    Xc, yc, scale = X - X.mean(axis=0), y - y.mean(), 0.5
    alpha = schedule or (lambda t: 0.0)

    def field(t, theta):
        first, second = theta.reshape(2, -1)
        if depth == 2:
            g = Xc.T @ (Xc @ (first * second) - yc)
            return np.concatenate([-second * g, -first * g]) - 2 * alpha(t) * theta
        g = Xc.T @ (Xc @ (first**3 - second**3) - yc)
        return np.concatenate([-3 * first**2 * g, 3 * second**2 * g]) - 2 * alpha(t) * theta

    start = np.repeat([np.sqrt(2 * scale), 0.0] if depth == 2 else [np.sqrt(scale / 2)] * 2, 4)
    first, second = solve_ivp(field, (0, 200), start, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1].reshape(2, -1)
    x = first * second if depth == 2 else first**3 - second**3
    model = MirrorRegressor(scale=scale, depth=depth, schedule=schedule).fit(X, y)
    np.testing.assert_allclose(model.coef_, x, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["limit", "descent", "saddles"])
def test_more_samples_than_features_are_fitted_by_least_squares(solver, weighted):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30, 4)) + 2, rng.standard_normal(30)
    weights = rng.integers(0, 3, 30).astype(float) if weighted else None
    parameters = {} if solver == "saddles" else {"scale": 0.1}
    model = MirrorRegressor(solver=solver, **parameters).fit(X, y, sample_weight=weights)
    x, intercept = least_squares(X, y, weights)
    np.testing.assert_allclose(model.coef_, x, atol=1e-7)
    assert model.intercept_ == pytest.approx(intercept)
    assert model.status_ is Status.inconsistent
    assert model.certificate_.valid


def test_of_least_squares_solutions_the_potential_chooses():
    """Equal columns share at a large scale; at scales b1, b2 far below them they grow together, as b1 to b2."""
    rng = np.random.default_rng(2)
    column, y = rng.standard_normal(20), rng.standard_normal(20)
    X = np.column_stack([column, column, rng.standard_normal(20)])
    x, _ = least_squares(X[:, 1:], y)
    np.testing.assert_allclose(MirrorRegressor(scale=1.0).fit(X, y).coef_, [x[0] / 2, x[0] / 2, x[1]], atol=1e-8)
    unequal = MirrorRegressor(scale=[3e-9, 1e-9, 1e-9]).fit(X, y)
    np.testing.assert_allclose(unequal.coef_, [3 * x[0] / 4, x[0] / 4, x[1]], atol=1e-8)


@pytest.mark.parametrize("parameters", [{}, {"depth": 3}, {"solver": "descent", "scale": 0.1}, {"solver": "saddles"}])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_and_dense_data_have_the_same_answer(parameters, weighted):
    X, y = data()
    X[np.abs(X) < 1] = 0
    weights = np.random.default_rng(4).uniform(0.1, 5, len(y)) if weighted else None
    model = MirrorRegressor(fit_intercept=False, **parameters)
    dense, sparse = (model.fit(given, y, weights).coef_ for given in (X, scipy.sparse.csr_array(X)))
    np.testing.assert_allclose(sparse, dense, atol=1e-10)
    np.testing.assert_allclose(X @ sparse, y, rtol=1e-6)


def weights_of(kind, n):
    """No weights, some of them 0, the first 0, one that is next to nothing, or only one."""
    rng = np.random.default_rng(4)
    return {
        "none": None,
        "some 0": rng.integers(0, 3, n).astype(float),
        "first 0": np.append(0.0, rng.uniform(0.5, 2, n - 1)),
        "first vanishing": np.append(1e-20, rng.uniform(0.5, 2, n - 1)),
        "only one": np.eye(1, n, 3)[0],
    }[kind]


@pytest.mark.parametrize(
    "parameters", [{"scale": 0.1}, {"depth": 3, "scale": 0.1}, {"solver": "descent", "scale": 0.1}, {"scale": 1e-6}]
)
@pytest.mark.parametrize("kind", ["none", "some 0", "first 0", "only one"])
@pytest.mark.parametrize("form", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
def test_a_large_sparse_matrix_stays_sparse_with_an_intercept(parameters, kind, form, monkeypatch):
    X, y = data()
    X[np.abs(X) < 1] = 0
    X[:, 4] = 0.1  # constant
    weights = weights_of(kind, len(y))
    dense = MirrorRegressor(**parameters).fit(X, y + 3, weights)
    given = form(X)
    monkeypatch.setattr(forms, "_SMALL", 0)
    if kind != "only one":
        monkeypatch.setattr(forms, "centred", None)  # whoever asks for it fails
    sparse = MirrorRegressor(**parameters).fit(given, y + 3, weights)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-7)
    assert sparse.coef_[4] == 0
    assert sparse.intercept_ == pytest.approx(dense.intercept_, abs=1e-7)
    if sparse.status_ is Status.unproved and kind != "only one":  # an operator has no bar
        assert dense.status_ is Status.converged
        assert np.abs(dense.coef_ - sparse.coef_).sum() <= 1e-7
        assert dense.error_ < 1e-11 * np.abs(dense.coef_).sum() < sparse.error_ == np.inf
    else:
        assert sparse.status_ is dense.status_
    assert sparse.certificate_.valid
    np.testing.assert_array_equal(given.toarray(), X)


@pytest.mark.parametrize("case", ["dependent samples", "first vanishing", "more samples than features"])
def test_what_only_a_dense_copy_solves_gets_one(case, monkeypatch):
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((12, 30)), rng.standard_normal(12)
    if case == "dependent samples":
        X = rng.standard_normal((12, 3)) @ rng.standard_normal((3, 30))
    if case == "more samples than features":
        X = rng.standard_normal((12, 5)) * np.exp(3 * rng.standard_normal(5))
    weights = weights_of(case if case == "first vanishing" else "none", 12)
    dense = MirrorRegressor().fit(X, y, weights)
    monkeypatch.setattr(forms, "_SMALL", 0)
    sparse = MirrorRegressor().fit(scipy.sparse.csr_array(X), y, weights)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-9)
    assert sparse.status_ is dense.status_
    assert sparse.certificate_.valid


def test_columns_that_are_all_constant_leave_the_mean(monkeypatch):
    monkeypatch.setattr(forms, "_SMALL", 0)
    for solver in ({}, {"solver": "descent", "scale": 0.1}):
        model = MirrorRegressor(**solver).fit(scipy.sparse.csr_array(np.full((4, 6), 0.1)), [1.0, 2.0, 3.0, 4.0])
        assert not model.coef_.any()
        assert model.intercept_ == 2.5


@pytest.mark.parametrize("parameters", [{"solver": "saddles"}, {"solver": "descent", "batch_size": 4, "scale": 0.1}])
def test_solvers_that_read_entries_get_them(parameters, monkeypatch):
    X, y = data()
    monkeypatch.setattr(forms, "_SMALL", 0)
    model = MirrorRegressor(random_state=0, **parameters).fit(scipy.sparse.csr_array(X), y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-6)


def test_weights_do_not_matter_where_all_is_fitted():
    X, y = data()
    weights = np.random.default_rng(3).uniform(0.1, 5, len(y))
    plain, weighted = (MirrorRegressor(scale=0.1).fit(X, y, w) for w in (None, weights))
    np.testing.assert_allclose(plain.coef_, weighted.coef_, atol=1e-9)


def test_a_constant_penalty_ends_at_the_lasso():
    X, y = data(n=20, d=8)
    model = MirrorRegressor(solver="descent", scale=1e-3, schedule=0.5).fit(X, y)
    lasso = Lasso(1.0 / 20, tol=1e-12, max_iter=100_000).fit(X, y)  # weight 2 alpha, per sample
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-5)
    assert model.intercept_ == pytest.approx(lasso.intercept_, abs=1e-4)


def test_steps_are_those_of_heavy_ball_on_the_factors():
    X, y = data(n=6, d=4)
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    m, w = np.full(4, np.sqrt(2 * 0.3)), np.zeros(4)
    velocity = np.zeros((2, 4))
    for k in range(5):
        g = Xc.T @ (Xc @ (m * w) - yc)
        velocity = 0.5 * velocity - 0.01 * (np.array([w * g, m * g]) + 2 * 0.7 * 0.8**k * np.array([m, w]))
        m, w = m + velocity[0], w + velocity[1]
    decay = schedules.Geometric(0.7, ratio=0.8, clock="step")
    model = MirrorRegressor(
        solver="descent", scale=0.3, schedule=decay, step_size=0.01, momentum=0.5, max_iter=5, tol=0.0
    )
    np.testing.assert_allclose(model.fit(X, y).coef_, m * w, rtol=1e-12)


@pytest.mark.parametrize(
    "parameters", [{"momentum": 0.95}, {"schedule": 1e3}, {"schedule": schedules.Piecewise((0.0, 0.01), (0.0, 1e3))}]
)
def test_steps_that_are_chosen_are_stable(parameters):
    model = MirrorRegressor(solver="descent", scale=0.1, **parameters).fit(*data())
    assert model.status_ is Status.converged


def test_defaults_are_a_scale_of_a_millionth_and_double_precision():
    X, y = data()
    y = y.astype(np.float32)
    coef = MirrorRegressor().fit(X, y).coef_
    np.testing.assert_array_equal(coef, MirrorRegressor(scale=1e-6).fit(X, y.astype(float)).coef_)
    np.testing.assert_allclose(coef, MirrorRegressor(log_scale=-6 * np.log(10)).fit(X, y).coef_, rtol=1e-9)


def test_batches_are_drawn_from_random_state():
    X, y = data()
    model = MirrorRegressor(solver="descent", scale=0.1, batch_size=4, random_state=0)
    one, same, other = (model.set_params(random_state=seed).fit(X, y).coef_ for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6
    np.testing.assert_allclose(X @ one, X @ other + (X @ (one - other)).mean(), atol=1e-6)


def test_what_no_sample_sees_stays_zero():
    X, y = data()
    X[:, 5], X[:, 6] = 0.0, 7.0
    for parameters in ({}, {"solver": "descent", "scale": 0.1}, {"solver": "saddles"}):
        coef = MirrorRegressor(**parameters).fit(X, y).coef_
        assert coef[5] == coef[6] == 0
        constant = MirrorRegressor(**parameters).fit(X, np.full(len(y), 3.0))
        assert not constant.coef_.any()
        assert constant.intercept_ == 3
        alone = MirrorRegressor(**parameters).fit(X[:1], y[:1])
        assert alone.predict(X[:1]) == pytest.approx(y[:1])


def test_pipelines_searches_copies_and_pickles():
    X, y = data(n=24)
    pipeline = make_pipeline(StandardScaler(), MirrorRegressor())
    grid = {"mirrorregressor__scale": [1e-9, 1e3], "mirrorregressor__depth": [2, 3]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["mirrorregressor__scale"] == 1e-9  # three features of thirty matter
    assert search.best_score_ > 0.9
    model = search.best_estimator_[-1]
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "coef_")
    back = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(back.predict(X), search.predict(X))
    assert back[-1].certificate_ == model.certificate_
    assert back[-1].status_ is model.status_
    penalised = MirrorRegressor(schedule=schedules.Geometric(0.1, ratio=0.5))
    assert clone(penalised).schedule == penalised.schedule


def test_several_targets_are_several_problems():
    X, y = data()
    both = MultiOutputRegressor(MirrorRegressor()).fit(X, np.column_stack([y, -y]))
    np.testing.assert_allclose(both.predict(X), np.column_stack([y, -y]), rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "weighted"),
    [
        ({}, False),
        ({"scale": 10.0, "fit_intercept": False}, True),
        ({"schedule": schedules.SwitchedOff(0.5, at=1.0)}, False),
        ({"depth": 3}, False),
        ({"solver": "saddles"}, False),
        ({"solver": "descent", "scale": 0.1}, True),
    ],
)
def test_targets_fitted_together_have_the_coefficients_of_each_alone(parameters, weighted):
    X, y = data()
    rng = np.random.default_rng(1)
    Y = np.column_stack([y, rng.standard_normal((12, 3))])
    weights = rng.uniform(0.5, 2, 12) if weighted else None
    together = MirrorRegressor(**parameters).fit(X, Y, weights)
    alone = [MirrorRegressor(**parameters).fit(X, column, weights) for column in Y.T]
    assert together.coef_.shape == (4, 30)
    for k, one in enumerate(alone):
        assert together.coef_[k] == pytest.approx(one.coef_, rel=0, abs=1e-10 * np.abs(one.coef_).max())
        assert together.status_[k] is one.status_
        assert together.certificate_[k].valid == one.certificate_.valid
    assert together.predict(X) == pytest.approx(np.column_stack([one.predict(X) for one in alone]), abs=1e-9)
    assert together.error_.shape == (4,)
    if parameters.get("solver", "limit") != "limit" or "depth" in parameters:
        assert together.n_iter_.tolist() == [one.n_iter_ for one in alone]
    else:  # a batch counts no steps of each
        assert not hasattr(together, "n_iter_")
        assert not hasattr(alone[0].fit(X, Y), "n_iter_")


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"solver": "newton"}, ValueError, "'limit', 'descent', 'saddles', got 'newton'"),
        ({"scale": 0.0}, ValueError, "positive, got 0: write log_scale="),
        ({"scale": np.nan}, ValueError, "scale must be finite"),
        ({"scale": "small"}, TypeError, "scale must hold real numbers"),
        ({"scale": [1.0, 2.0]}, ValueError, "for each of the 30 features, got shape"),
        ({"scale": 1.0, "log_scale": 0.0}, ValueError, "give one of them"),
        ({"depth": 1}, ValueError, "depth must be an integer >= 2"),
        ({"depth": 2.5}, ValueError, "depth must be an integer >= 2"),
        ({"depth": 6, "log_scale": -1e3}, ValueError, "minimum_l1"),
        ({"fit_intercept": "yes"}, TypeError, "True or False"),
        ({"tol": -1.0}, ValueError, "tol must be a number >= 0"),
        ({"tol": "tight"}, ValueError, "tol must be a number >= 0, got 'tight'"),
        ({"schedule": "0.1"}, TypeError, "a schedule, a number or None"),
        ({"schedule": 0.1}, ValueError, "finite integral, got Constant.*SwitchedOff"),
        ({"schedule": schedules.Geometric(1.0, 0.5, clock="step")}, ValueError, "on_time"),
        ({"momentum": 0.9}, ValueError, 'does not use momentum, got 0.9: .* solver="descent"'),
        ({"solver": "saddles", "scale": 1e-3}, ValueError, 'vanishing scale.* got 0.001: .* solver="limit"'),
        ({"solver": "saddles", "depth": 3}, ValueError, "does not use depth"),
        ({"solver": "saddles", "schedule": 0.1}, ValueError, "does not use schedule"),
        ({"solver": "saddles", "scale": np.ones(30)}, ValueError, "does not use scale"),
        ({"solver": "descent", "step_size": -1.0}, ValueError, "step_size must be a positive number"),
        ({"solver": "descent", "batch_size": 13}, ValueError, "1..12"),
        ({"solver": "descent", "max_iter": 0}, ValueError, "max_iter must be an integer >= 1"),
        ({"solver": "descent", "log_scale": -1e5}, ValueError, "saddles"),
    ],
)
def test_bad_parameters_are_refused_in_fit(parameters, error, message):
    model = MirrorRegressor(**parameters)
    with pytest.raises(error, match=message):
        model.fit(*data())


def test_bad_data_are_refused():
    X, y = data()
    for weights in (-np.ones(len(y)), np.zeros(len(y))):
        with pytest.raises(ValueError, match="weight"):
            MirrorRegressor().fit(X, y, weights)
    with pytest.raises(NotFittedError):
        MirrorRegressor().predict(X)
    with pytest.raises(ValueError, match="29 features"):
        MirrorRegressor().fit(X, y).predict(X[:, 1:])


@pytest.mark.parametrize("kind", [MirrorRegressor, MirrorRegressorCV])
def test_entries_that_are_no_numbers_are_named(kind):
    X, y = data()
    holed, worded = X.copy(), X.astype(object)
    holed[4, 2], worded[3, 1] = np.nan, "red"
    with pytest.raises(ValueError, match=r"X must be finite, got NaN at row 4, column 2: remove or impute"):
        kind().fit(holed, y)
    with pytest.raises(ValueError, match=r"X must hold numbers, got 'red' at row 3, column 1: make columns of 0 and 1"):
        kind().fit(worded, y)
    with pytest.raises(ValueError, match=r"y must be finite, got inf at row 5: remove"):
        kind().fit(X, np.where(np.arange(len(y)) == 5, np.inf, y))
    with pytest.raises(ValueError, match=r"y must hold numbers, got 'low' at row 0: make numbers of the target"):
        kind().fit(X, ["low", "high"] * (len(y) // 2))
    with pytest.raises(ValueError, match=r"got NaN at row 4, column 2"):
        kind().fit(X, y).predict(holed)


def test_columns_with_names_are_named_where_they_hold_no_numbers():
    class Frame(np.ndarray):
        """Like those of pandas and polars, which may not be there."""

        columns = ("age", "sex")

    frame = np.array([[1.0, "f"], [2.0, "m"], [3.0, "f"]], object).view(Frame)
    with pytest.raises(ValueError, match="got 'f' at row 0, column 'sex'"):
        MirrorRegressor().fit(frame, [1.0, 2.0, 3.0])
    frame[:, 1] = 1.0, None, 2.0
    with pytest.raises(ValueError, match="got NaN at row 1, column 'sex'"):
        MirrorRegressor().fit(frame, [1.0, 2.0, 3.0])


def test_what_did_not_converge_says_what_to_do():
    X, y = data()
    model = MirrorRegressor(solver="descent", scale=0.1, max_iter=5)
    with pytest.warns(ConvergenceWarning, match=r"horizon_reached.*max_iter=, tol= and solver"):
        model.fit(X, y)
    assert model.n_iter_ == 5
    assert model.status_ is Status.horizon_reached
    with pytest.warns(ConvergenceWarning, match=r"diverged.*step_size=None chooses one that is"):
        model.set_params(step_size=10.0, max_iter=None).fit(X, y)
    exactly = model.set_params(step_size=1e-3, tol=0.0, max_iter=7).fit(X, y)
    assert exactly.status_ is Status.until_reached
    hilbert = 1.0 / np.add.outer(np.arange(12), np.arange(1, 13))
    with pytest.warns(ConvergenceWarning, match=r"not_certified.*NOT valid"):
        MirrorRegressor(solver="saddles", fit_intercept=False).fit(hilbert, np.arange(12.0) ** 2 % 5)


def test_the_lazy_name_is_listed_and_no_other_is_made_up():
    assert "MirrorRegressor" in dir(linreg_mirror)
    with pytest.raises(AttributeError, match="MirrorRegresor"):
        linreg_mirror.MirrorRegresor  # noqa: B018


@pytest.mark.parametrize("kind", ["none", "some 0"])
def test_an_intercept_leaves_a_bar(kind):
    """Centred samples are dependent; without what is along the weights' roots they are not."""
    X, y = data()
    weights = weights_of(kind, len(y))
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    across = null_space(root[None]).T * root
    for solver, expected in (
        ("limit", limit(Problem(across @ X, across @ y), Hadamard.from_scale(1e-6, d=X.shape[1]))),
        ("saddles", saddles(Problem(across @ X, across @ y)).solution),
    ):
        model = MirrorRegressor(solver=solver).fit(X, y, weights)
        assert model.status_ is Status.converged
        assert 0 < model.error_ < 1e-9 * np.abs(model.coef_).sum()
        np.testing.assert_allclose(model.coef_, expected.x, atol=1e-9)
    assert MirrorRegressor(solver="descent", scale=0.1).fit(X, y, weights).error_ == np.inf
