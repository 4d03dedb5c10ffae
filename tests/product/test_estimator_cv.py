"""The estimator that chooses how far to follow which flow: its paths are those of others, its choice the best."""

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp
from sklearn.linear_model import Lasso, LassoCV, Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import linreg_mirror as lm
from linreg_mirror import MirrorRegressor, MirrorRegressorCV
from linreg_mirror.estimator.paths import Standardised

CHECKS = parametrize_with_checks(
    [
        MirrorRegressorCV(cv=3, n_points=20),
        MirrorRegressorCV(cv=3, n_points=20, path="both", scales=[0.1], one_standard_error=True),
        MirrorRegressorCV(cv=3, n_points=20, path="lasso", standardize=False, fit_intercept=False),
    ]
).mark


@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_scikit_learn_finds_no_fault(estimator, check):
    # Newer releases have the check in another form: here folds of n rows and of fewer differ, so that it must fail.
    if check.func.__name__ == "check_sample_weights_invariance":
        pytest.skip("scikit-learn before 1.6 compares fits on different folds")
    check(estimator)


def data(n=40, d=60, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * rng.uniform(0.1, 10, d) + rng.standard_normal(d)
    return X, X[:, 0] / X[:, 0].std() - 2 * X[:, 1] / X[:, 1].std() + noise * rng.standard_normal(n) + 5


def standardised(X, y):
    A, c = X - X.mean(axis=0), y - y.mean()
    return A / np.linalg.norm(A, axis=0), c / np.linalg.norm(c), np.linalg.norm(c) / np.linalg.norm(A, axis=0)


@pytest.mark.parametrize("shape", [(10, 14), (25, 6)], ids=["wide", "tall"])
@pytest.mark.parametrize(("depth", "scale"), [(2, 0.3), (2, 1e-2), (3, 0.3)])
def test_the_path_is_that_of_gradient_flow_on_the_factors(shape, depth, scale):
    X, y = data(*shape)
    model = MirrorRegressorCV(scales=[scale], depth=depth, n_points=12, cv=3).fit(X, y)
    A, c, unit = standardised(X, y)
    d = shape[1]

    def field(t, theta):
        first, second = theta.reshape(2, d)
        if depth == 2:
            g = A.T @ (A @ (first * second) - c)
            return np.concatenate([-second * g, -first * g])
        g = A.T @ (A @ (first**3 - second**3) - c)
        return np.concatenate([-3 * first**2 * g, 3 * second**2 * g])

    start = np.repeat([np.sqrt(2 * scale), 0.0] if depth == 2 else [np.sqrt(scale / 2)] * 2, d)
    times = model.grid_
    found = solve_ivp(field, (0, times[-1]), start, "LSODA", times, rtol=1e-10, atol=1e-12).y
    first, second = found[:d], found[d:]
    x = first * second if depth == 2 else first**3 - second**3
    np.testing.assert_allclose(model.coef_path_ / unit, x.T, atol=1e-5)
    assert model.time_ == times[model.best_[1]]
    assert np.array_equal(model.coef_, model.coef_path_[model.best_[1]])
    assert model.intercept_ == pytest.approx(y.mean() - X.mean(axis=0) @ model.coef_)


def test_constant_penalties_are_the_lasso_of_twice_the_weight():
    X, y = data()
    model = MirrorRegressorCV(path="lasso").fit(X, y)
    A, c, unit = standardised(X, y)
    assert (model.scale_, model.time_) == (0.0, np.inf)
    lasso = Lasso(2 * model.penalty_ / len(y), fit_intercept=False, tol=1e-12, max_iter=10**6).fit(A, c)
    np.testing.assert_allclose(model.coef_ / unit, lasso.coef_, atol=1e-7)
    flow = lm.flow(
        lm.Problem(A, c), lm.Hadamard.from_scale(1e-2, d=60), lm.schedules.Constant(model.penalty_, clock="time")
    )
    np.testing.assert_allclose(flow.x[-1], lasso.coef_, atol=1e-4)
    theirs = make_pipeline(StandardScaler(), LassoCV(cv=5)).fit(X, y)
    assert model.score(*data(seed=1)) == pytest.approx(theirs.score(*data(seed=1)), abs=0.05)


def test_a_large_scale_is_early_stopping_of_plain_gradient_flow():
    """x = m*w from a large scale moves as plain weights do, at 2b times the pace."""
    X, y = data(12, 20)
    model = MirrorRegressorCV(scales=[1e4], n_points=15, cv=3).fit(X, y)
    A, c, unit = standardised(X, y)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    for time, coef in zip(model.grid_, model.coef_path_, strict=True):
        filtered = -np.expm1(-2e4 * time * s**2)
        x = Vt.T @ (filtered / np.where(s > 1e-8, s, np.inf) * (U.T @ c))
        np.testing.assert_allclose(coef / unit, x, atol=2e-4)


@pytest.fixture
def exact(monkeypatch):
    """Have paths that are only compared integrated as finely as others."""
    monkeypatch.setattr(Standardised.path, "__defaults__", (1e-8,))


@pytest.mark.usefixtures("exact")
def test_errors_are_those_of_cross_validation_and_the_least_is_chosen():
    X, y = data()
    folds = KFold(4, shuffle=True, random_state=0)
    model = MirrorRegressorCV(scales=[1e-1, 1e-6], cv=folds).fit(X, y)
    assert model.cv_errors_.shape == (2, 40, 4)
    mean = model.cv_errors_.mean(axis=-1)
    assert mean[model.best_] == mean.min()
    np.testing.assert_allclose(model.cv_mean_, mean)
    assert model.grids_[model.best_] == model.time_
    assert [candidate.scale for candidate in model.candidates_] == [1e-1, 1e-6]
    which, point = model.best_
    for k, (train, test) in enumerate(folds.split(X)):
        A, c, unit = standardised(X[train], y[train])
        network = lm.Hadamard.from_scale(model.scale_, d=60)
        run = lm.flow(lm.Problem(A, c), network, until=model.time_, integrators=["LSODA"], accuracy=1e-9)
        coef = run.x[-1] * unit
        predicted = (X[test] - X[train].mean(axis=0)) @ coef + y[train].mean()
        assert model.cv_errors_[which, point, k] == pytest.approx(np.mean((predicted - y[test]) ** 2), rel=1e-5)


def test_where_targets_are_noisy_it_predicts_better_than_an_interpolator_and_the_mean():
    X, y = data(noise=3.0)
    rng = np.random.default_rng(7)
    X_test = rng.standard_normal((2000, 60)) * X.std(axis=0) + X.mean(axis=0)
    y_test = (X_test[:, 0] - X[:, 0].mean()) / X[:, 0].std() - 2 * (X_test[:, 1] - X[:, 1].mean()) / X[:, 1].std() + 5
    stopped, interpolating = MirrorRegressorCV().fit(X, y), MirrorRegressor().fit(X, y)
    errors = [np.mean((model.predict(X_test) - y_test) ** 2) for model in (stopped, interpolating)]
    assert errors[0] < 0.6 * errors[1]
    assert errors[0] < y_test.var()


def test_one_standard_error_stops_earlier_on_the_same_path():
    X, y = data(noise=3.0)
    best, early = (MirrorRegressorCV(one_standard_error=rule).fit(X, y) for rule in (False, True))
    assert np.array_equal(best.cv_errors_, early.cv_errors_)
    assert early.best_[0] == best.best_[0]
    assert early.time_ < best.time_
    errors = best.cv_errors_[best.best_[0]]
    limit = errors[best.best_[1]].mean() + errors[best.best_[1]].std(ddof=1) / np.sqrt(5)
    assert errors[early.best_[1]].mean() <= limit < errors[early.best_[1] - 1].mean()
    assert np.abs(early.coef_).sum() < np.abs(best.coef_).sum()


def test_an_average_is_the_mean_of_what_each_path_alone_would_give():
    X, y = data(noise=3.0)
    scales = [0.1, 1e-4]
    model = MirrorRegressorCV(scales=scales, path="both", average=True).fit(X, y)
    alone = [MirrorRegressorCV(scales=[scale]).fit(X, y).coef_ for scale in scales]
    alone.append(MirrorRegressorCV(path="lasso").fit(X, y).coef_)
    assert np.abs(model.coef_ - np.mean(alone, axis=0)).max() < 1e-5 * np.abs(model.coef_).max()
    assert model.intercept_ == pytest.approx(np.mean(y - X @ model.coef_))
    best = MirrorRegressorCV(scales=scales, path="both").fit(X, y)
    assert model.best_ == best.best_
    assert np.array_equal(model.coef_path_, best.coef_path_)


def test_depths_and_paths_are_chosen_from():
    X, y = data()
    model = MirrorRegressorCV(scales=[0.1, 1e-3], depth=[2, 3], path="both", n_points=20, cv=3).fit(X, y)
    assert list(map(str, model.candidates_)) == [
        "b = 0.1", "b = 0.001", "b = 0.1, depth 3", "b = 0.001, depth 3", "LASSO",
    ]  # fmt: skip
    assert model.depth_ == model.candidates_[model.best_[0]].depth


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalties_are_those_of_scikit_learn_in_its_units(standardize, intercept, weighted):
    X, y = data()
    weights = np.random.default_rng(3).uniform(0.5, 2, len(y)) if weighted else None
    model = MirrorRegressorCV(path="lasso", standardize=standardize, fit_intercept=intercept).fit(X, y, weights)
    scaled = StandardScaler(with_mean=intercept) if intercept or not standardize else None
    unit = np.ones(60)
    if standardize:
        unit = (
            scaled.fit(X, sample_weight=weights).scale_
            if scaled
            else np.sqrt(np.average(X**2, axis=0, weights=weights))
        )
    theirs = Lasso(model.lasso_alpha_, fit_intercept=intercept, tol=1e-12, max_iter=100_000).fit(X / unit, y, weights)
    np.testing.assert_allclose(theirs.coef_ / unit, model.coef_, atol=1e-6 * np.abs(model.coef_).max())
    assert np.array_equal(model.coef_ == 0, theirs.coef_ == 0)
    assert (model.coef_ == 0).any()
    if standardize and intercept and not weighted:
        assert model.lasso_alpha_ == pytest.approx(2 * model.penalty_ * y.std())
    stopped = MirrorRegressorCV(n_points=10).fit(X, y)
    assert stopped.lasso_alpha_ == 0
    assert (stopped.coef_ != 0).all()


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("intercept", [False, True])
def test_weights_are_repetitions_and_sparse_is_dense(intercept):
    X, y = data(18, 25)
    groups = np.arange(18) % 3
    weights = np.random.default_rng(1).integers(0, 3, 18)
    again = np.repeat(np.arange(18), weights)
    options = {"fit_intercept": intercept, "n_points": 20}
    folds = [list(GroupKFold(3).split(X, groups=groups)), list(GroupKFold(3).split(X[again], groups=groups[again]))]
    weighted = MirrorRegressorCV(cv=folds[0], **options).fit(scipy.sparse.csr_array(X), y, sample_weight=weights)
    # Folds are numbered by their size: what they are is compared, not their order.
    repeated = MirrorRegressorCV(cv=folds[1], **options).fit(X[again], y[again])
    np.testing.assert_allclose(np.sort(weighted.cv_errors_, axis=-1), np.sort(repeated.cv_errors_, axis=-1), rtol=1e-6)
    np.testing.assert_allclose(weighted.coef_path_, repeated.coef_path_, atol=1e-5 * np.abs(weighted.coef_path_).max())


def test_standardised_features_have_no_units():
    X, y = data()
    units = np.exp(np.linspace(-5, 5, 60))
    one, other = MirrorRegressorCV().fit(X, y), MirrorRegressorCV().fit(X * units, 1e3 * y)
    np.testing.assert_allclose(other.coef_ * units / 1e3, one.coef_, atol=1e-7)
    plain = MirrorRegressorCV(standardize=False).fit(X, y)
    assert not np.allclose(plain.coef_, one.coef_, atol=1e-3)


def test_targets_and_features_that_do_not_vary():
    X, y = data(12, 5)
    X[:, 3] = 7.0
    assert MirrorRegressorCV(cv=3).fit(X, y).coef_[3] == 0
    constant = MirrorRegressorCV(cv=3).fit(X, np.full(12, 2.0))
    assert not constant.coef_.any()
    assert constant.predict(X).tolist() == [2.0] * 12


def test_it_works_in_a_pipeline_under_cross_validation():
    X, y = data()
    predicted = cross_val_predict(make_pipeline(StandardScaler(), MirrorRegressorCV(n_points=20, cv=3)), X, y, cv=3)
    assert np.corrcoef(predicted, y)[0, 1] > 0.5


def test_the_plot_has_a_line_for_each_path_and_marks_the_choice():
    mpl.use("Agg")
    X, y = data()
    model = MirrorRegressorCV(path="both").fit(X, y)
    ax = model.plot(ax=Figure().subplots())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    chosen, number = model.candidates_[model.best_[0]], model.time_ if model.scale_ else model.penalty_
    assert set(labels) == {
        *("b = 0.1", "b = 0.01", "b = 0.0001", "b = 1e-08", "LASSO", f"± one standard error ({chosen})"),
        f"chosen: {chosen}, {'time' if model.scale_ else 'penalty'} {number:.3g}",
    }
    panels = {panel.get_xlabel().split()[0]: panel for panel in ax.figure.axes}
    assert [panel.get_xscale() for panel in panels.values()] == ["log", "log"]
    assert panels["penalty"].xaxis_inverted()
    assert not panels["stopping"].xaxis_inverted()
    lines = {line.get_label(): line for panel in ax.figure.axes for line in panel.get_lines()}
    for k, candidate in enumerate(model.candidates_):
        np.testing.assert_allclose(lines[str(candidate)].get_xdata(), model.grids_[k])
        np.testing.assert_allclose(lines[str(candidate)].get_ydata(), model.cv_errors_[k].mean(axis=-1))
        assert lines[str(candidate)].axes is panels["stopping" if candidate.scale else "penalty"]
    (dot,) = (line for label, line in lines.items() if label.startswith("chosen"))
    np.testing.assert_allclose(dot.get_xydata(), [[number, model.cv_errors_.mean(axis=-1).min()]])
    low, high = ax.get_ylim()
    assert low < model.cv_mean_.min()
    assert high > model.cv_mean_[:, 0].max()
    with pytest.raises(TypeError, match="has no cv_errors_"):
        lm.plots.validation(Ridge().fit(X, y))


def test_the_plot_has_a_band_of_one_standard_error_and_shows_a_least_error_of_any_size():
    mpl.use("Agg")
    X, y = data(noise=0.0)
    ax = MirrorRegressorCV(path="lasso", n_points=20).fit(X, y).plot(ax=Figure().subplots())
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == r"penalty $\alpha$, falling to the right"
    model = MirrorRegressorCV(scales=[1e-3], n_points=20).fit(*data(noise=3.0))
    ax = model.plot(ax=Figure().subplots())
    assert ax.get_yscale() == "linear"
    mean, spread = model.cv_mean_[0], model.cv_errors_[0].std(axis=-1, ddof=1) / np.sqrt(5)
    (band,) = ax.collections
    around = band.get_paths()[0].vertices
    for at, low, high in zip(model.grids_[0], mean - spread, mean + spread, strict=True):
        heights = around[np.isclose(around[:, 0], at, rtol=1e-12), 1]
        assert heights.min() == pytest.approx(low)
        assert heights.max() == pytest.approx(high)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "ridge"}, ValueError, "path must be 'flow', 'lasso', 'both', got 'ridge'"),
        ({"scales": [0.1, -1]}, ValueError, "scales must be positive"),
        ({"scales": []}, ValueError, "scales must be positive"),
        ({"depth": 1}, ValueError, "depth must be an integer >= 2"),
        ({"n_points": 1}, ValueError, "n_points must be an integer >= 2"),
        ({"one_standard_error": "yes"}, TypeError, "one_standard_error must be True or False"),
        ({"average": None}, TypeError, "average must be True or False"),
        ({"standardize": 1}, TypeError, "standardize must be True or False"),
    ],
)
def test_parameters_out_of_range_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        MirrorRegressorCV(**options).fit(*data())


@pytest.mark.parametrize("kind", [MirrorRegressor, MirrorRegressorCV])
def test_exchanged_arguments_are_noticed(kind):
    X, y = data()
    with pytest.raises(ValueError, match=r"X has shape \(40,\) and y \(40, 60\), as if they were exchanged"):
        kind().fit(y, X)
    with pytest.raises(ValueError, match="as if they were exchanged"):
        kind().fit(y[:, None], X)


@pytest.mark.parametrize("kind", [MirrorRegressor, MirrorRegressorCV])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_frames_are_named_where_they_hold_no_numbers(kind, library):
    frames = pytest.importorskip(library)
    columns = {"age": [1.0, 2.0, 3.0], "sex": ["f", "m", "f"]}
    with pytest.raises(ValueError, match="got 'f' at row 0, column 'sex'"):
        kind().fit(frames.DataFrame(columns), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="got NaN at row 1, column 'sex'"):
        kind().fit(frames.DataFrame(columns | {"sex": [1.0, None, 3.0]}), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", [MirrorRegressor, MirrorRegressorCV])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_give_features_their_names(kind, library):
    frames = pytest.importorskip(library)
    X, y = data()
    names = [f"gene {i}" for i in range(60)]
    named = frames.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    model = kind().fit(named, frames.Series(y))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.coef_, kind().fit(X, y).coef_, atol=1e-6)
    np.testing.assert_allclose(model.predict(named), model.intercept_ + X @ model.coef_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(named[names[::-1]])


def test_several_targets_are_fitted_by_what_scikit_learn_has_for_them():
    X, y = data()
    with pytest.raises(ValueError, match=r"one target, got y of shape \(40, 2\): write MultiOutputRegressor\(Mirror"):
        MirrorRegressorCV().fit(X, np.column_stack([y, y]))
    both = MultiOutputRegressor(MirrorRegressorCV(n_points=20)).fit(X, np.column_stack([y, -3 * y]))
    np.testing.assert_allclose(both.predict(X)[:, 1], -3 * both.predict(X)[:, 0], rtol=1e-6)
