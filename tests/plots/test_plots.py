"""Pictures show what they are given, on the axes that they are given, and refuse what they cannot draw."""

import json
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

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
    run = lm.flow(PROBLEM, lm.Hadamard.from_scale(1e-14, d=12))
    assert plots.path(run, ax=ax) is ax
    assert len(drawn(ax)) == PROBLEM.d
    end = np.abs(run.x[-1])
    small, large = end <= 1e-3 * end.max(), np.argsort(-end)[:5]
    assert 0 < small.sum() < PROBLEM.d - 5
    grey = [line.get_ydata() for line in ax.get_lines() if line.get_color() == "0.8"]
    assert np.array_equal(np.transpose(grey), run.x[:, small])
    named = {line.get_label(): line for line in ax.get_lines()[-5:]}  # drawn last
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"$x_{{{i}}}$" for i in large]
    for k, i in enumerate(large):
        assert np.array_equal(named[f"$x_{{{i}}}$"].get_ydata(), run.x[:, i])
        assert named[f"$x_{{{i}}}$"].get_color() == plots.style.COLOURS[k]
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


def test_excess_below_what_can_be_drawn_is_marked(ax):
    found = lm.ladder(PROBLEM, NETWORK, [1e9, 1.0, 1e-4])
    assert 0 <= found.l2_excess[0] < 1e-10 < found.l2_excess[1]
    plots.excess(found, ax=ax)
    (triangles,) = [one for one in ax.get_lines() if one.get_marker() == "v" and len(one.get_xdata())]
    np.testing.assert_allclose(triangles.get_xydata(), [[9.0, 1e-10]])
    assert triangles.get_markerfacecolor() == "white"
    assert "below 1e-10" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert ax.get_ylim()[0] == 1e-10
    assert ax.get_ylim()[1] > found.l1_excess.max()
    (curve,) = [one for one in ax.get_lines() if one.get_label() == "$|x|_2$"]
    assert np.isnan(curve.get_ydata()).tolist() == [True, False, False]


def test_depths_are_compared_at_one_size_of_weights(ax):
    scales = np.array([1.0, 1e-1, 1e-2])
    ladders = {
        "m*w": lm.ladder(PROBLEM, lm.Hadamard.at(0.0, d=12), 2 * scales**2),
        "depth 2": lm.ladder(PROBLEM, lm.Power.from_scale(1.0, depth=2, d=12), scales),
        "depth 3": lm.ladder(PROBLEM, lm.Power.from_scale(1.0, depth=3, d=12), scales),
    }
    plots.excess(ladders, ax=ax)
    curves = {one.get_label(): one.get_data() for one in ax.get_lines()}
    np.testing.assert_allclose(curves["m*w, $|x|_1$"], curves["depth 2, $|x|_1$"], rtol=1e-9)
    assert np.allclose(curves["depth 3, $|x|_1$"][0], np.log10(2 * scales**3))
    assert "2" in ax.get_xlabel()
    with pytest.raises(ValueError, match="1 to 5 ladders, got 0"):
        plots.excess({}, ax=ax)


def test_two_ladders_on_the_same_axes_fall_the_same_way(ax):
    for depth in (2, 3):
        plots.ladder(PROBLEM, lm.Power.from_scale(1.0, depth=depth, d=12), [1.0, 1e-1], ax=ax)
    assert ax.xaxis_inverted()


def named_ladder(ends, **options):
    """Draw a ladder whose weights are the same at all scales; return its axes, and of each name its leader."""
    problem = lm.Problem(np.eye(len(ends)), ends)
    names = [f"x{i}" for i in range(len(ends))]
    ax = plots.ladder(problem, lm.Hadamard.from_scale(1e-6, d=len(ends)), [1.0, 1e-6], names=names, **options)
    ax.figure.canvas.draw()
    return ax, {text.get_text(): text for text in ax.texts if text.arrow_patch is not None}


@pytest.mark.parametrize(
    "ends", [[3.0, -2.0, 1.0], [1.0, 1.01, 1.02, 0.99, -0.98], [-1.0] * 6, np.linspace(0.9, 1, 40)]
)
def test_names_belong_to_lines(ends):
    ax, names = named_ladder(ends)
    assert len(names) == min(8, len(ends))
    colours = {str(line.get_color()): line for line in ax.get_lines() if line.get_linestyle() == "-"}
    for name, text in names.items():
        end = ends[int(name[1:])]
        assert text.xy == (1.0, pytest.approx(end))  # where the leader begins
        if text.arrow_patch.get_linestyle() == "-":
            assert colours[mpl.colors.to_hex(text.arrow_patch.get_edgecolor())].get_ydata()[-1] == pytest.approx(end)
    boxes = sorted((Text.get_window_extent(text) for text in names.values()), key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 for one, other in pairwise(boxes))
    order = sorted(names.values(), key=lambda text: text.xyann[1])
    assert [text.xy[1] for text in order] == pytest.approx(np.sort([text.xy[1] for text in order]))
    bottom, top = ax.get_ylim()
    assert all(bottom <= text.xyann[1] <= top for text in order)
    grey = [line for line in ax.get_lines() if line.get_color() == "0.8"]
    assert len(grey) == len(ends) - len(names)
    assert all(line.get_linewidth() < 1 for line in grey)


def test_names_give_way_both_ways_and_those_of_small_weights_more():
    _, names = named_ladder([1.0, 1.001, -1.0])
    assert names["x0"].xyann[1] < 1.0 < 1.001 < names["x1"].xyann[1]
    _, names = named_ladder([5.0, 0.3, 0.2, -5.0, 0.001])
    assert "x4" not in names
    _, names = named_ladder([5.0, 4.99, 0.2, 0.19])
    moved = {name: abs(text.xyann[1] - text.xy[1]) for name, text in names.items()}
    assert moved["x2"] + moved["x3"] == pytest.approx(moved["x0"] + moved["x1"], rel=1e-6)
    _, names = named_ladder([1.0, 0.98, 0.2])
    assert abs(names["x0"].xyann[1] - 1.0) < abs(names["x1"].xyann[1] - 0.98)


def test_a_ladder_marks_the_scale_that_is_asked_and_says_what_it_is_for():
    problem = lm.Problem(np.eye(2), [1.0, 2.0])
    network = lm.Hadamard.from_scale(1e-3, d=2)
    ax = plots.ladder(problem, network, names=["$a$ and $b$", "n" * 99], target="weight_$", mark=True)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "scale b, falling to the right"
    assert ax.get_title(loc="left").startswith("weight_$")
    assert [line.get_xdata()[0] for line in ax.get_lines() if len(set(line.get_xdata())) == 1] == pytest.approx([-3.0])
    assert "b = 0.001" in [text.get_text() for text in ax.texts]
    assert max(len(text.get_text()) for text in ax.texts) <= 24
    assert ax.figure.get_size_inches() * ax.figure.dpi == pytest.approx([640, 400])
    large = plots.ladder(lm.Problem([[1, 2]], [1e6]), lm.Hadamard.at(0.0, d=2))
    left = [y[0] for _, y in drawn(large)]
    assert left == pytest.approx([2e5, 4e5], rel=1e-3)  # reaches from the least L2 norm
    assert [y[-1] for _, y in drawn(large)] == pytest.approx([0, 5e5], abs=5)  # to the least L1 norm
    far = plots.ladder(problem, lm.Hadamard.from_scale(log_b=-1e3, d=2), mark=True)
    assert far.get_xlim()[1] <= -1e3 / np.log(10)
    assert "log b = -1000" in [text.get_text() for text in far.texts]
    deep = plots.ladder(problem, lm.Power.from_scale(1e-3, depth=3, d=2), [1.0, 1e-3], mark=True)
    assert "alpha = 0.001" in [text.get_text() for text in deep.texts]
    with pytest.raises(ValueError, match="leave mark out"):
        plots.ladder(problem, lm.Hadamard.from_scale([1e-3, 1.0]), mark=True)


def test_coefficients_by_name(ax):
    regressor = SimpleNamespace(coef_=np.array([0.5, -2.0, 0.0, 1e-9]), feature_names_in_=["a", "b", "c", "d"])
    plots.coefficients(regressor, ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in ax.patches] == [-2.0, 0.5]
    assert ax.get_title(loc="left").startswith("2 of 4")
    several = SimpleNamespace(coef_=np.array([[1.0, 0.0], [3.0, 2.0]]))
    second = plots.coefficients(several, target=1, names=["$a", "b$"])
    assert [text.get_text() for text in second.get_yticklabels()] == ["$a", "b$"]
    assert [bar.get_width() for bar in second.patches] == [3.0, 2.0]
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
    x, y = ax.get_lines()[0].get_data()
    assert dict(zip(x, y, strict=True)) == pytest.approx({keep: 100 * keep**0.1 for keep in (1.0, 0.1, 0.01)})
    file = tmp_path / "compared.json"
    file.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    same = plots.sparsity(file)
    assert np.array_equal(same.get_lines()[0].get_data(), (x, y))
    run = SimpleNamespace(shares=[1.0, 0.5], prune=lambda shares: [{"keep": s, "accuracy": s} for s in shares])
    assert [text.get_text() for text in plots.sparsity({"mine": run}).get_legend().get_texts()] == ["mine"]
    diverged = [row | {"accuracy": None} for row in rows[:4]]
    assert plots.sparsity(diverged).get_legend().get_texts()[0].get_text() == "L1 0 (diverged)"


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
        (lambda: plots.ladder(np.eye(2), NETWORK, names=["a", "b"]), TypeError, "write plots.ladder.Problem"),
        (lambda: plots.excess(lm.limit(PROBLEM, NETWORK)), TypeError, "what lm.ladder"),
        (lambda: plots.coefficients(lm.MirrorRegressor()), TypeError, "has no coef_"),
        (
            lambda: plots.coefficients(SimpleNamespace(coef_=np.ones((2, 3)))),
            ValueError,
            "of 2 targets.*write target=0",
        ),
        (lambda: plots.coefficients(SimpleNamespace(coef_=np.ones(3)), target=0), ValueError, "leave it out"),
        (lambda: plots.coefficients(SimpleNamespace(coef_=np.ones(3)), names=["a"]), ValueError, "each of 3 features"),
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
