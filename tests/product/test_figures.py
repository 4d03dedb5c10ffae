"""Every figure draws, from tables that are computed once; and each table holds a fact that was computed elsewhere."""

import itertools
import sys

import matplotlib.image
import numpy as np
import pytest
import scipy.stats
from scipy.optimize import brentq

import linreg_mirror as lm
from figures import __main__ as command
from figures import depth, diagonal_network, recovery, step_size, style, tables, transition
from linreg_mirror.runtime.store import Store

NAMES = list(command.PICTURES)
DPI = 50
QUICK = {"savefig.dpi": DPI, "pdf.fonttype": 3}  # fonts of type 42 take as long to embed as all else


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw all figures, quickly; return their folder and the figures by name."""
    folder = tmp_path_factory.mktemp("figures")
    figures = {}

    def save(figure, folder, name, source):
        figures[name] = figure
        return saved(figure, folder, name, source)

    saved = style.save
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK.items():
            patch.setitem(style.RC, name, value)
        patch.setattr(style, "save", save)
        assert command.main(["all", "--quick", "--output", str(folder), "--jobs", "1"]) == 0
    return folder, figures


@pytest.fixture
def folder(drawn):
    return drawn[0]


@pytest.fixture
def table(folder):
    """Read a table that was stored."""
    return lambda name: tables.rows(command.PICTURES[name], Store(folder / "tables" / name), quick=True)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_whole_and_not_blank(folder, name):
    pdf = (folder / f"{name}.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"CreationDate" not in pdf
    image = matplotlib.image.imread(folder / f"{name}.png")
    assert image.shape[1] == style.WIDTH * DPI
    dark = image[..., :3].mean(axis=2) < 0.5
    assert 0.01 < dark.mean() < 0.6
    caption = (folder / f"{name}.txt").read_text(encoding="utf-8").strip()
    assert caption.endswith(".")
    assert len(caption) > 100
    assert "$" not in caption


@pytest.mark.parametrize("name", NAMES)
def test_a_second_run_computes_nothing(table, name, monkeypatch):
    first = table(name)
    monkeypatch.setattr(command.PICTURES[name], "compute", None)
    assert table(name) == first
    assert len(first) == len(command.PICTURES[name].cells(True))


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(drawn, name):
    figure = drawn[1][name]
    boxes = [axis.get_tightbbox() for axis in figure.axes]
    for a, b in itertools.combinations(boxes, 2):
        across, down = (min(a.max[k], b.max[k]) - max(a.min[k], b.min[k]) for k in (0, 1))
        assert min(across, down) < 1
    page = figure.bbox
    assert all(box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1 for box in boxes)


def test_the_same_table_gives_the_same_bytes(folder, table, tmp_path, monkeypatch):
    for name, value in QUICK.items():
        monkeypatch.setitem(style.RC, name, value)
    for path in command.draw("potentials", table("potentials"), tmp_path):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_only_what_is_missing_is_computed(folder, table, monkeypatch):
    stored = sorted((folder / "tables" / "potentials").glob("*.json"))
    stored[0].unlink()
    seen = []
    potentials = command.PICTURES["potentials"]
    compute = potentials.compute
    monkeypatch.setattr(potentials, "compute", lambda cell: (seen.append(cell), compute(cell))[1])
    assert len(table("potentials")) == len(stored)
    assert len(seen) == 1


TOY = '''
"""A toy."""
def cells(quick):
    return [{"k": 1}, {"k": 2}]

def compute(cell):
    return {"value": cell["k"] ** POWER}

def draw(table):
    return SOMETHING
'''


def test_drawing_differently_keeps_the_table_and_computing_differently_does_not(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def values(name, power, something):
        source = TOY.replace("POWER", power).replace("SOMETHING", something)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        toy = __import__(name)
        toy.__name__ = "toy"  # as if the file of that name had been edited
        monkeypatch.setitem(sys.modules, "toy", toy)
        counted = []
        compute = toy.compute
        toy.compute = lambda cell: (counted.append(cell), compute(cell))[1]
        return [row["value"] for row in tables.rows(toy, Store(tmp_path / "store"))], len(counted)

    assert values("toy_1", "2", "1") == ([1, 4], 2)
    assert values("toy_2", "2", "2") == ([1, 4], 0)
    assert values("toy_3", "3", "2") == ([1, 8], 2)


def test_a_failure_names_the_cell_and_keeps_the_others(tmp_path, monkeypatch):
    def fails(cell):
        if cell["case"] == recovery.cells(True)[1]["case"] and cell["n"] == 25:
            raise ArithmeticError("no luck")
        return {"recovered": 0.0}

    monkeypatch.setattr(recovery, "compute", fails)
    with pytest.raises(RuntimeError, match=r"recovery could not compute .*'n': 25.*ArithmeticError: no luck"):
        tables.rows(recovery, Store(tmp_path), quick=True)
    assert list(tmp_path.glob("*.json"))


def test_stored_tables_are_drawn_unless_others_are_asked_for(tmp_path, monkeypatch):
    computed = []
    potentials = command.PICTURES["potentials"]
    compute = potentials.compute
    monkeypatch.setattr(potentials, "compute", lambda cell: (computed.append(cell), compute(cell))[1])
    for name, value in QUICK.items():
        monkeypatch.setitem(style.RC, name, value)
    arguments = ["potentials", "--output", str(tmp_path), "--jobs", "1"]
    cells = len(potentials.cells(False))
    for more, expected in (([], 0), (["--fresh"], cells), (["--fresh"], 2 * cells), ([], 2 * cells)):
        assert command.main([*arguments, *more]) == 0
        assert len(computed) == expected
    monkeypatch.setattr(command.stored, "RESULTS", tmp_path / "none")
    assert command.main(arguments) == 0  # what was computed is kept beside the picture
    assert len(computed) == 2 * cells
    assert command.main([*arguments, "--stored"]) == 2


def test_an_unknown_name_is_told_what_there_is(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["nonsense"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "nonsense" in message
    assert all(name in message for name in (*NAMES, "all"))


def test_jobs_must_be_a_count(capsys):
    with pytest.raises(SystemExit):
        command.main(["potentials", "--jobs", "0"])
    assert "a whole number >= 1 is expected, got '0'" in capsys.readouterr().err


def test_flows_end_at_their_limits_between_the_two_norms(table):
    rows = table("flow_and_limit")
    limits = {row["log10_b"]: row for row in tables.select(rows, kind="limit")}
    problem = lm.problems.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
    least = np.abs(lm.minimum_l1(problem, "highs").x).sum()
    dense = np.abs(np.linalg.pinv(problem.X) @ problem.y).sum()
    norms = [limits[exponent]["l1"] for exponent in sorted(limits)]
    assert norms == sorted(norms)
    np.testing.assert_allclose([norms[0], norms[-1]], [least, dense], rtol=1e-5)
    for row in tables.select(rows, kind="flow"):
        assert row["l1"] == pytest.approx(limits[row["log10_b"]]["l1"], rel=1e-7)
    (path,) = tables.select(rows, kind="path")
    np.testing.assert_allclose(np.array(path["x"])[:, -1], path["limit"], atol=0.01)


def test_potentials_lie_between_the_squared_l2_and_the_l1_norm(table):
    shapes = tables.select(table("potentials"), panel="shape")
    previous = 0.0
    for row in shapes:  # b falls
        x, value, angle, radius = (np.array(row[name]) for name in ("x", "value", "angle", "radius"))
        assert np.all(value >= x**2 - 1e-12)
        assert np.all(value <= np.abs(x) + 1e-12)
        assert np.all(value >= previous - 1e-12)
        diamond = 1 / (np.abs(np.cos(angle)) + np.abs(np.sin(angle)))
        assert np.all((radius >= diamond - 1e-12) & (radius <= 1 + 1e-12))
        previous = value
    widest = shapes[0]
    assert np.abs(np.array(widest["value"]) - np.array(widest["x"]) ** 2).max() < 0.01
    # For b << x the potential is [x log(2x/b) - x]/2, so that x log(1/x) / (log(2/b) - 1) is missing.
    narrowest = np.abs(np.array(shapes[-1]["value"]) - np.abs(shapes[-1]["x"])).max()
    assert narrowest == pytest.approx(np.exp(-1) / (np.log(2e16) - 1), rel=0.01)


def test_a_penalty_moves_the_minimum_to_where_the_weights_decay(table):
    for row in tables.select(table("potentials"), panel="move"):
        x = np.array(row["x"])
        assert np.abs(x[np.argmin(row["value"])] - np.exp(-4 * row["decay"])) <= 0.51 * (x[1] - x[0])


def gradient_descent(problem, m, w, x, steps, step_size, alpha):
    """Descent on m*w with |m|^2 + |w|^2, and on x with 2 |x|_1, in so many words."""
    for k in range(steps):
        g, h = problem.gradient(m * w), problem.gradient(x)
        m, w = m - step_size * (w * g + 2 * alpha(k) * m), w - step_size * (m * g + 2 * alpha(k) * w)
        x = x - step_size * (h + 2 * alpha(k) * np.sign(x))
    return m * w, x


def test_diagonal_network_is_descent_with_that_penalty(table):
    rows = tables.select(table("diagonal_network"), init=1, batch=0)
    problem = lm.problems.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
    x0 = np.random.default_rng([1, 1]).standard_normal(100)
    start = lm.Hadamard.at(x0, beta=1.0)
    ends = gradient_descent(problem, start.m0, start.w0, x0, 500, 1e-4, lambda k: 10 * 0.95 ** (k / 1000))
    for method, end in zip(("$0.95^k$", "L1 on $x$"), ends, strict=True):
        (row,) = tables.select(rows, method=method)
        assert row["k"][-1] == 500
        truth = problem.truth
        assert row["distance"][-1] == pytest.approx(np.linalg.norm(end - truth) / np.linalg.norm(truth), rel=1e-9)
        # For 40 samples and 5 nonzeros the truth has the least L1 norm.
        assert row["excess"][-1] == pytest.approx(np.abs(end).sum() / np.abs(truth).sum() - 1, abs=1e-9)


def test_baselines_differ_in_start_and_penalty_alone():
    rng = np.random.default_rng(0)
    x0, theta = rng.standard_normal(7), rng.standard_normal(14)
    for method in ("$0.95^k$", "spred's start", "L1 on $m$ only", "L1 on $x$"):
        network = diagonal_network._network(method, x0)
        np.testing.assert_allclose(network.effective(network.theta0), x0, atol=1e-12)
    balanced = diagonal_network._network("spred's start", x0)
    np.testing.assert_allclose(np.abs(balanced.theta0[:7]), np.abs(balanced.theta0[7:]))
    on_mask = diagonal_network._network("L1 on $m$ only", x0).penalty_gradient(theta)
    np.testing.assert_array_equal(on_mask, np.concatenate([2 * np.sign(theta[:7]), np.zeros(7)]))


def test_depth_stays_below_its_bounds(table):
    for row in table("depth"):
        assert np.all(np.array(row["excess"]) <= row["bound"])
        assert np.all(np.array(row["excess"]) >= 0)


def test_worst_excess_of_depth_two_is_that_of_two_unknowns():
    row = depth.compute({"kind": "worst", "depth": 2, "gaps": 5, "log10_scales": [-3.0, -1.0]})
    excess = []
    for b in 2 * np.array([1e-3, 1e-1]) ** 2:
        of_gap = []
        for gap in np.geomspace(1e-8, 0.99, 5):
            # x = b (sinh q, sinh (1-e)q) with x_1 + (1-e) x_2 = 1.
            q = brentq(lambda q, e=gap, b=b: b * (np.sinh(q) + (1 - e) * np.sinh((1 - e) * q)) - 1, 0, 50, xtol=1e-14)
            of_gap.append(b * (np.sinh(q) + np.sinh((1 - gap) * q)) - 1)
        excess.append(max(of_gap))
    np.testing.assert_allclose(row["excess"], excess, rtol=1e-8)


@pytest.mark.parametrize(("layers", "rate"), [(3, 1), (4, 2)])
def test_worst_excess_of_deeper_networks_falls_at_the_rate_of_the_bound(layers, rate):
    row = depth.compute({"kind": "worst", "depth": layers, "gaps": 9, "log10_scales": [-3.5, -2.5]})
    assert np.log10(row["excess"][1] / row["excess"][0]) == pytest.approx(rate, abs=0.15)


def test_saddle_path_ends_at_least_l1_norm_and_the_flow_approaches_it(table):
    rows = table("saddles")
    for row in tables.select(rows, kind="path"):
        rng = np.random.default_rng(row["seed"])
        problem = lm.problems.planted_sparse(n=5, d=10, nonzeros=3, noise=0.5, rng=rng)
        np.testing.assert_allclose(row["saddle"][-1], lm.minimum_l1(problem, "highs").x, atol=1e-9)
    for seed in (0, 1):
        wide, narrow = tables.select(rows, kind="distance", seed=seed)
        assert narrow["distance"] < wide["distance"] / 10


def discrete_scale(problem, step_size, momentum):
    """Return the mean of log(b_0/b_inf) after heavy ball on u and v, in so many words."""
    b = 0.01
    theta = before = np.full(2 * problem.d, np.sqrt(b))
    for _ in range(200_000):
        u, v = np.split(theta, 2)
        g = problem.gradient((u * u - v * v) / 2)
        if np.abs(g).max() < 1e-9 * problem.gradient_scale:
            break
        ahead = theta + momentum * (theta - before) - step_size * np.concatenate([u * g, -v * g])
        theta, before = ahead, theta
    u, v = np.split(theta, 2)
    return float(np.mean(np.log(b / np.abs(u * v))))


@pytest.fixture(scope="module")
def small_problem():
    return lm.problems.planted_sparse(n=20, d=60, nonzeros=3, rng=np.random.default_rng(0))


def test_step_size_leaves_the_scale_that_a_loop_leaves(table, small_problem):
    rows = table("step_size")
    runs = tables.select(rows, kind="run", batch=0)
    assert runs[2]["shrinkage"] == pytest.approx(discrete_scale(small_problem, runs[2]["step_size"], 0.0), rel=1e-6)
    shrinkage = [run["shrinkage"] for run in runs]
    assert shrinkage == sorted(shrinkage)
    for batch in (0, 5):
        (flow,) = tables.select(rows, kind="flow", batch=batch)
        first = tables.select(rows, kind="run", batch=batch, step_size=1e-3)
        mean = np.mean([run["shrinkage"] for run in first])
        assert mean == pytest.approx(1e-3 * flow["shrinkage_per_step_size"], rel=0.1)


def test_mean_square_gradient_of_a_batch_is_that_of_all_batches(small_problem):
    samples = small_problem.residual(np.zeros(60))[:6, None] * small_problem.X[:6]
    few = lm.Problem(small_problem.X[:6], small_problem.y[:6])
    batches = [6 / 2 * samples[list(rows)].sum(axis=0) for rows in itertools.combinations(range(6), 2)]
    squares = np.mean(np.square(batches), axis=0)
    np.testing.assert_allclose(step_size._mean_squares(few, np.zeros((1, 60)), 2)[0], squares)


def test_momentum_leaves_the_scale_that_a_loop_leaves(table, small_problem):
    rows = tables.select(table("momentum"), kind="scale", momentum=0.5)
    assert rows[-1]["shrinkage"] == pytest.approx(discrete_scale(small_problem, rows[-1]["step_size"], 0.5), rel=1e-5)


def test_momentum_without_memory_is_near_the_flow(table):
    for start in ("0", "random"):
        plain, heavy = tables.select(table("momentum"), kind="end", start=start)
        assert plain["momentum"] == 0
        np.testing.assert_allclose(plain["excess"], 1, atol=0.05)
        assert np.all((np.array(heavy["excess"]) > 1.05) if start == "0" else (np.array(heavy["excess"]) < 0.95))


def test_transition_is_that_of_approximate_message_passing():
    # Donoho, Maleki, Montanari (2009), in parametric form: another derivation of the same curve.
    for z in (0.2, 0.5, 1.0, 1.5, 2.0):
        density, tail = scipy.stats.norm.pdf(z), scipy.stats.norm.sf(z)
        samples = 2 * density / (z + 2 * (density - z * tail))
        nonzeros = samples * (1 - z * tail / density)
        assert transition.centre(nonzeros) == pytest.approx(samples, rel=1e-7)


@pytest.mark.parametrize("k", [60, 200, 600])
def test_transition_has_the_mean_and_the_width_of_intrinsic_volumes(k):
    # By projections, of which the formulas know nothing.
    middle, deviation = transition.volumes(k, 1000)
    assert middle == pytest.approx(1000 * transition.centre(k / 1000), abs=2)
    assert deviation == pytest.approx(np.sqrt(1000) * transition.width(k / 1000), rel=0.05)


def test_intrinsic_volumes_of_a_cone_that_is_known():
    # One nonzero of two: the descent cone of a corner of the square, 1/4 of the plane, has volumes 1/4, 1/2, 1/4.
    middle, deviation = transition.volumes(1, 2, draws=40_000)
    assert middle == pytest.approx(1, abs=0.02)
    assert deviation == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_fits_find_the_curve_that_shares_are_drawn_from():
    rng, n = np.random.default_rng(0), np.arange(0, 61, 3.0)
    errors = []
    for _ in range(20):
        shares = rng.binomial(75, scipy.stats.norm.cdf((n - 30.5) / 4)) / 75
        errors.append(np.subtract(transition.fitted(n, shares, 75), (30.5, 4)))
    assert (np.abs(np.mean(errors, axis=0)) < 0.3).all()
    assert (np.std(errors, axis=0) < 0.8).all()


def test_recovery_by_l1_is_that_of_linear_programming(table):
    rows = tables.select(table("recovery"), case=recovery._L1)
    assert {row["recovered"] for row in rows} > {0.0, 1.0}
    for row in rows:
        found = 0
        for trial in range(row["trials"]):
            n, d, k = row["n"], row["d"], row["nonzeros"]
            problem = lm.problems.planted_sparse(n=n, d=d, nonzeros=k, rng=np.random.default_rng([n, d, k, trial]))
            error = np.abs(lm.minimum_l1(problem, "highs").x - problem.truth).max()
            found += error <= recovery._NEAR * np.abs(problem.truth).max()
        assert row["recovered"] == pytest.approx(found / row["trials"])


def test_recovery_with_a_penalty_ends_where_its_flow_does():
    """The limit that is solved for is where the simulated parameters go."""
    rng = np.random.default_rng([20, 30, 3, 0])
    problem = lm.problems.planted_sparse(n=20, d=30, nonzeros=3, rng=rng)
    start = lm.Hadamard.at(rng.standard_normal(30), beta=1.0)
    run = lm.flow(problem, start, recovery._PENALTY, until=1e4, method="parameters")
    end = lm.limit(problem, start, decay=recovery._total())
    np.testing.assert_allclose(run.x[-1], end.x, atol=1e-3)
