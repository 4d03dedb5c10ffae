"""Pictures show what they are given, on the axes that they are given, and refuse what they cannot draw."""

import json
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import linreg_mirror as lm
from linreg_mirror import plots

PROBLEM = lm.problems.planted_sparse(n=6, d=12, nonzeros=2, rng=np.random.default_rng(0))
NETWORK = lm.Hadamard.from_scale(1e-4, d=12)


@pytest.fixture(autouse=True)
def without_a_screen(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a picture was shown"))
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return Figure().subplots()


def drawn(ax):
    """The lines that are drawn, in order, as (x, y)."""
    return [line.get_data() for line in ax.get_lines()]


def test_a_flow_is_drawn_weight_by_weight_those_that_stay_last(ax):
    run = lm.flow(PROBLEM, NETWORK)
    assert plots.path(run, ax=ax) is ax
    assert len(drawn(ax)) == PROBLEM.d
    large = np.abs(run.x[-1]) > 1e-3 * np.abs(run.x[-1]).max()
    black = [line.get_ydata() for line in ax.get_lines() if line.get_color() == "black"]
    assert np.array_equal(np.transpose(black), run.x[:, large])
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    inside = (run.t >= left) & (run.t <= right)
    assert np.abs(run.x[inside][0] - run.x[0]).max() < 1e-2
    assert np.abs(run.x[inside][-1] - run.x[-1]).max() < 1e-2


def test_times_in_a_unit_of_ones_own(ax):
    run = lm.flow(PROBLEM, NETWORK)
    plots.path(run, ax=ax, time="linear", unit=2.0)
    assert ax.get_xscale() == "linear"
    assert np.array_equal(drawn(ax)[0][0], run.t / 2)


def test_saddles_are_steps(ax):
    path = lm.saddles(PROBLEM)
    path.plot(ax=ax)
    for at in (0.5 * path.times[0], *(0.5 * (path.times[1:] + path.times[:-1])), 1.1 * path.times[-1]):
        assert np.allclose(np.sort([np.interp(at, t, x) for t, x in drawn(ax)]), np.sort(path.at(at)))


def test_a_flow_that_does_not_move(ax):
    still = lm.flow(lm.Problem(np.eye(2, 3), np.zeros(2)), lm.Hadamard.from_scale(1.0, d=3))
    still.plot(ax=ax)
    assert ax.get_xscale() == "linear"


def test_norms_and_weights_by_scale(ax):
    found = lm.ladder(PROBLEM, NETWORK, [1.0, 1e-4, 1e-8])
    found.plot(ax=ax)
    assert np.array_equal(drawn(ax)[0][1], found.l1_excess)
    assert ax.xaxis_inverted()
    other = plots.ladder(PROBLEM, NETWORK, [1.0, 1e-4, 1e-8])
    assert np.array_equal(np.sort([y[-1] for _, y in drawn(other)]), np.sort(found.x[-1]))


def test_coefficients_by_name(ax):
    regressor = SimpleNamespace(coef_=np.array([0.5, -2.0, 0.0, 1e-9]), feature_names_in_=["a", "b", "c", "d"])
    plots.coefficients(regressor, ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in ax.patches] == [-2.0, 0.5]
    assert ax.get_title(loc="left").startswith("2 of 4")
    many = plots.coefficients(SimpleNamespace(coef_=np.arange(1.0, 51)), most=3)
    assert [text.get_text() for text in many.get_yticklabels()] == ["feature 49", "feature 48", "feature 47"]


def test_accuracy_by_share(ax, tmp_path):
    pytest.importorskip("torch")
    rows = [
        {"label": f"{method} {k}", "method": method, "keep": keep, "accuracy": keep**0.1 - 0.1 * k, "seed": seed}
        for method in ("L1", "PILoT") for k in (0, 1) for keep in (1.0, 0.1, 0.01) for seed in (0, 1)
    ]  # fmt: skip
    plots.sparsity(rows, ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["L1 0", "PILoT 0"]  # the best of each
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "10", "100"]
    x, y = ax.containers[0].lines[0].get_data()
    assert dict(zip(x, y, strict=True)) == pytest.approx({keep: 100 * keep**0.1 for keep in (1.0, 0.1, 0.01)})
    file = tmp_path / "compared.json"
    file.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    same = plots.sparsity(file)
    assert np.array_equal(same.containers[0].lines[0].get_data(), (x, y))
    run = SimpleNamespace(shares=[1.0, 0.5], prune=lambda shares: [{"keep": s, "accuracy": s} for s in shares])
    assert [text.get_text() for text in plots.sparsity({"mine": run}).get_legend().get_texts()] == ["mine"]


def test_what_masks_keep(ax):
    torch, sketching = pytest.importorskip("torch"), pytest.importorskip("sketching")
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 2, bias=False))
    masks = {"0.weight": torch.eye(4, dtype=torch.bool), "1.weight": torch.tensor([[1, 1, 0, 0]] * 2, dtype=torch.bool)}
    plots.masks(sketching.diagnosis(model, masks, inputs=(4,)), ax=ax)
    kept, used = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert kept == [25.0, 50.0]
    assert used == [12.5, 50.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plots.path(PROBLEM), TypeError, "what flow, descent or saddles return"),
        (lambda: plots.path(lm.saddles(PROBLEM), ax=Figure()), TypeError, "ax must be"),
        (lambda: plots.path(lm.saddles(PROBLEM), time="logarithmic"), ValueError, '"log" or "linear"'),
        (lambda: plots.path(lm.saddles(PROBLEM), unit=0.0), ValueError, "unit must be positive"),
        (lambda: plots.excess(lm.limit(PROBLEM, NETWORK)), TypeError, "what lm.ladder"),
        (lambda: plots.coefficients(lm.MirrorRegressor()), TypeError, "has no coef_"),
        (lambda: plots.coefficients(SimpleNamespace(coef_=np.ones((2, 3)))), ValueError, "one target at a time"),
        (lambda: plots.masks([1.0]), TypeError, "what sketching.diagnosis returns"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_nothing_to_draw():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="there are no accuracies"):
        plots.sparsity([])


def test_a_curve_has_a_line_for_each_share(ax):
    rows = [{"epoch": k, "accuracy": 0.1 * k, "test_accuracy": 0.2 * k, "near_zero": 0.3} for k in (1, 2, 3)]
    assert plots.curve(SimpleNamespace(history=rows), ax=ax) is ax
    expected = ([10, 20, 30], [20, 40, 60], [30, 30, 30])
    for (epochs, values), right in zip(drawn(ax), expected, strict=True):
        np.testing.assert_allclose(epochs, [1, 2, 3])
        np.testing.assert_allclose(values, right)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "accuracy in training", "accuracy in the test", "weights near zero",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("run", "error"), [([], ValueError), (lm.Problem([[1.0, 2.0]], [1.0]), TypeError), (None, TypeError)]
)
def test_a_curve_needs_epochs(run, error):
    with pytest.raises(error):
        plots.curve(run)
