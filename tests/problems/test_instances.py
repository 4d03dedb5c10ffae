"""Generated problems, problems from data sets, and problems in files."""

import inspect
import io
import re
import zipfile
from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from linreg_mirror.problems import (
    breast_cancer,
    coherent,
    correlated,
    diabetes,
    duplicated,
    from_file,
    ill_conditioned,
    planted_sparse,
)

DESIGNS = [planted_sparse, correlated, coherent, duplicated, ill_conditioned]
each_design = pytest.mark.parametrize("design", DESIGNS)
REAL = {
    "diabetes": (diabetes, {"degree": 4}),
    "diabetes, 20 rows": (diabetes, {"rows": 20}),
    "diabetes, degree 3": (diabetes, {"degree": 3, "rows": 142}),
    "breast cancer, 200 rows": (breast_cancer, {"rows": 200}),
    "breast cancer, 8 features": (breast_cancer, {"rows": 20, "features": 8}),
}
each_real = pytest.mark.parametrize(("make", "options"), REAL.values(), ids=REAL)


def generator(seed=0):
    return np.random.default_rng(seed)


def cosines(X):
    X = X / np.linalg.norm(X, axis=0)
    return X.T @ X


@each_design
def test_truth_is_sparse_and_explains_y(design):
    problem = design(n=20, d=60, nonzeros=5, rng=generator())
    assert problem.X.shape == (problem.n, problem.d) == (20, 60)
    assert np.linalg.matrix_rank(problem.X) == 20
    planted = problem.truth[problem.truth != 0]
    assert len(planted) == 5
    assert (abs(planted) >= 1).all()
    assert (abs(planted) <= 2).all()
    np.testing.assert_allclose(problem.X @ problem.truth, problem.y, rtol=1e-13)


@each_design
def test_signs_and_places_of_the_truth_are_random(design):
    truths = np.stack([design(n=3, d=8, nonzeros=2, rng=generator(seed)).truth for seed in range(200)])
    assert (truths != 0).any(axis=0)[:6].all()
    assert 0.4 < (truths[truths != 0] > 0).mean() < 0.6
    assert abs(truths[truths != 0]).mean() == pytest.approx(1.5, abs=0.05)


@each_design
def test_noise_is_added_to_y_alone(design):
    clean, noisy = (design(n=400, d=30, nonzeros=3, rng=generator(), noise=noise) for noise in (0.0, 0.1))
    np.testing.assert_array_equal(clean.X, noisy.X)
    np.testing.assert_array_equal(clean.truth, noisy.truth)
    assert np.std(noisy.y - clean.y) == pytest.approx(0.1, rel=0.15)


@each_design
def test_the_generator_determines_the_problem(design):
    first, again, other = (design(n=5, d=9, nonzeros=2, rng=generator(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.isin(first.X, other.X).any()
    rng = generator()
    assert not np.array_equal(*(design(n=5, d=9, nonzeros=2, rng=rng).X for _ in range(2)))


@each_design
def test_no_global_seed_is_read_or_set(design):
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    design(n=5, d=9, nonzeros=2, rng=generator())
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@each_design
@pytest.mark.parametrize(("n", "d", "nonzeros"), [(1, 2, 0), (1, 2, 1), (6, 4, 2), (5, 5, 2)])
def test_small_and_tall_designs(design, n, d, nonzeros):
    options = {"copies": 1} if design is duplicated else {}
    problem = design(n=n, d=d, nonzeros=nonzeros, rng=generator(), **options)
    assert (problem.n, problem.d) == (n, d)
    assert np.count_nonzero(problem.truth) == nonzeros
    assert problem.y.any() == (nonzeros > 0)


@each_design
def test_numpy_integers_are_integers(design):
    problem = design(n=np.int64(4), d=np.int32(8), nonzeros=np.int64(2), rng=generator())
    assert problem.X.shape == (4, 8)


def test_planted_sparse_is_standard_normal():
    X = planted_sparse(n=500, d=400, nonzeros=3, rng=generator()).X
    moments = [np.mean(X**k) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)
    assert abs(cosines(X) - np.eye(400)).max() < 6 / np.sqrt(500)


@pytest.mark.parametrize("rho", [0.9, -0.5, 0.0])
def test_correlated_has_the_covariance_of_its_docstring(rho):
    X = correlated(n=20_000, d=6, nonzeros=1, rng=generator(), rho=rho).X
    i, j = np.indices((6, 6))
    np.testing.assert_allclose(X.T @ X / len(X), rho ** abs(i - j), atol=0.04)


@pytest.mark.parametrize("coherence", [0.0, 0.5, 0.9, 0.99])
def test_coherent_has_the_coherence_of_its_name(coherence):
    X = coherent(n=20_000, d=8, nonzeros=1, rng=generator(), coherence=coherence).X
    pairs = cosines(X)[np.triu_indices(8, 1)]
    np.testing.assert_allclose(pairs, coherence, atol=0.03)
    np.testing.assert_allclose((X**2).mean(axis=0), 1, atol=0.05)


@pytest.mark.parametrize("copies", [1, 2, 7, 15])
def test_duplicated_has_exact_copies_where_it_says(copies):
    problem = duplicated(n=10, d=30, nonzeros=4, rng=generator(), copies=copies)
    originals = 30 - copies
    support = [j for j in range(originals) if problem.truth[j] != 0]
    order = support + [j for j in range(originals) if j not in support]
    for k in range(copies):
        sign = -1 if k % 2 else 1
        np.testing.assert_array_equal(problem.X[:, originals + k], sign * problem.X[:, order[k]])
    assert not problem.truth[originals:].any()
    parallel = [pair for pair in combinations(range(30), 2) if abs(cosines(problem.X)[pair]) > 1 - 1e-12]
    assert len(parallel) == copies


def test_duplicated_copies_the_support_first_and_flips_a_sign():
    problem = duplicated(n=10, d=30, nonzeros=2, rng=generator())
    first, second = np.flatnonzero(problem.truth)
    np.testing.assert_array_equal(problem.X[:, 28:], problem.X[:, [first, second]] * [1, -1])
    # The weight may be moved to the copies: the solution is not unique.
    moved = np.zeros(30)
    moved[28:] = problem.truth[first], -problem.truth[second]
    np.testing.assert_allclose(problem.X @ moved, problem.y, rtol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(10, 40), (12, 12), (30, 7)])
@pytest.mark.parametrize("condition", [1, 1e4, 1e8])
def test_ill_conditioned_has_the_condition_of_its_name(n, d, condition):
    X = ill_conditioned(n=n, d=d, nonzeros=2, rng=generator(), condition=condition).X
    values = np.linalg.svd(X, compute_uv=False)
    assert values[0] == pytest.approx(np.sqrt(d))
    assert np.linalg.cond(X) == pytest.approx(condition, rel=1e-6)
    np.testing.assert_allclose(values[1:] / values[:-1], condition ** (-1 / (min(n, d) - 1)), rtol=1e-6)


@each_design
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n": 0}, "n must be an integer >= 1, got 0: write n=1 or more"),
        ({"n": 5.0}, r"n must be an integer >= 1, got 5\.0: write it without a decimal point"),
        ({"n": True}, "n must be an integer >= 1, got True"),
        ({"d": -3}, "d must be an integer >= 1, got -3"),
        ({"d": None}, "d must be an integer >= 1, got None"),
        ({"nonzeros": -1}, "nonzeros must be an integer from 0 to 12, got -1: write nonzeros=0 or more"),
        ({"nonzeros": 13}, "nonzeros must be an integer from 0 to 12, got 13: write nonzeros=12 or less"),
        ({"noise": -0.1}, r"noise is a standard deviation, finite and >= 0, got -0\.1"),
        ({"noise": np.nan}, "noise is a standard deviation, finite and >= 0, got nan"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(design, bad, message):
    with pytest.raises(ValueError, match=message):
        design(**{"n": 5, "d": 12, "nonzeros": 2, "rng": generator()} | bad)


@pytest.mark.parametrize(
    ("design", "bad", "message"),
    [
        (correlated, {"rho": 1.0}, "rho must lie strictly between -1 and 1, got 1.0: write rho=0.9"),
        (correlated, {"rho": np.nan}, "rho must lie"),
        (coherent, {"coherence": 1.0}, r"coherence must lie in \[0, 1\), got 1.0: write coherence=0.9"),
        (coherent, {"coherence": -0.1}, "coherence must lie"),
        (ill_conditioned, {"condition": 0.5}, "condition must be a finite number >= 1, got 0.5: write condition=1e4"),
        (ill_conditioned, {"condition": np.inf}, "condition must be"),
        (ill_conditioned, {"condition": np.nan}, "condition must be"),
        (duplicated, {"copies": 0}, "copies must be an integer from 1 to 6, got 0"),
        (duplicated, {"copies": 7}, "copies must be an integer from 1 to 6, got 7: write copies=6 or less"),
        (duplicated, {"d": 1, "nonzeros": 1}, "d must be an integer >= 2, got 1"),
        (duplicated, {"nonzeros": 11}, "nonzeros = 11 exceeds the 10 features that are no copies: write d=13 or more"),
    ],
)
def test_options_out_of_range_are_refused(design, bad, message):
    with pytest.raises(ValueError, match=message):
        design(**{"n": 5, "d": 12, "nonzeros": 2, "rng": generator()} | bad)


@pytest.mark.parametrize("rng", [0, None, np.random])
def test_a_seed_is_no_generator(rng):
    for design in DESIGNS:
        with pytest.raises(TypeError, match=r"got \w+: write rng=np\.random\.default_rng\(0\)"):
            design(n=5, d=12, nonzeros=2, rng=rng)
    if rng is not None:
        with pytest.raises(TypeError, match="rng must be"):
            diabetes(rows=20, rng=rng)


def test_all_arguments_are_named():
    makers = [*DESIGNS, diabetes, breast_cancer]
    kinds = {p.kind for make in makers for p in inspect.signature(make).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


@each_real
def test_real_data_can_be_interpolated(make, options):
    problem = make(**options, **({"rng": generator()} if "rows" in options else {}))
    assert problem.d > problem.n
    assert np.linalg.matrix_rank(problem.X) == problem.n
    x = np.linalg.lstsq(problem.X, problem.y, rcond=None)[0]
    assert np.linalg.norm(problem.X @ x - problem.y) < 1e-8 * np.linalg.norm(problem.y)
    assert problem.truth is None


@each_real
def test_real_data_are_scaled(make, options):
    problem = make(**options, **({"rng": generator()} if "rows" in options else {}))
    np.testing.assert_allclose(np.linalg.norm(problem.X, axis=0), np.sqrt(problem.n))
    assert problem.y.mean() == pytest.approx(0, abs=1e-12)
    assert problem.y.std() == pytest.approx(1)


def test_all_rows_and_features_are_used_unless_told():
    assert (diabetes(degree=4).n, diabetes(degree=4).d) == (442, 1000)
    assert diabetes(rows=20, rng=generator()).d == 65
    assert breast_cancer(rows=30, rng=generator()).d == 495
    assert breast_cancer(rows=20, features=8, rng=generator()).d == 44


def test_features_are_products_of_standardised_measurements():
    problem = diabetes(degree=4)
    raw, y = load_diabetes(return_X_y=True)
    z = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    np.testing.assert_allclose(problem.X[:, :10], z, atol=1e-12)
    # Products of degree 2 follow in the order of pairs, each to its scale.
    for place, (i, j) in enumerate(combinations_with_replacement(range(10), 2)):
        product = z[:, i] * z[:, j]
        np.testing.assert_allclose(problem.X[:, 10 + place], product / np.sqrt(np.mean(product**2)), atol=1e-12)
    np.testing.assert_allclose(problem.y, (y - np.mean(y)) / np.std(y))


def test_breast_cancer_targets_are_the_two_labels():
    problem = breast_cancer(rows=200, rng=generator(3))
    assert len(np.unique(problem.y)) == 2
    benign = load_breast_cancer().target.mean()
    assert (problem.y > 0).mean() == pytest.approx(benign, abs=0.1)


def test_rows_are_drawn_without_replacement_by_the_generator():
    first, again, other = (diabetes(rows=25, rng=generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.y, other.y)
    assert len(np.unique(first.X, axis=0)) == 25


def test_measurements_that_do_not_vary_are_dropped():
    # With three of the patients, sex is often the same for all.
    problems = [diabetes(degree=1, rows=3, rng=generator(seed)) for seed in range(40)]
    assert {problem.d for problem in problems} >= {9, 10}
    for problem in problems:
        np.testing.assert_allclose(abs(problem.X.sum(axis=0)), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "options"),
    [(diabetes, {}), (diabetes, {"degree": 3}), (breast_cancer, {}), (breast_cancer, {"features": 3, "degree": 3})],
)
def test_too_few_features_are_refused_with_settings_that_work(make, options):
    with pytest.raises(ValueError, match="more features than rows are needed") as refused:
        make(**options)
    degree, rows = map(int, re.search(r"write degree=(\d+), or rows=(\d+)", str(refused.value)).groups())
    fewer = make(**options | {"rows": rows, "rng": generator()})
    assert fewer.d > fewer.n == rows
    if make is diabetes or "features" not in options:
        more = make(**options | {"degree": degree})
        assert more.d > more.n
        with pytest.raises(ValueError, match="more features than rows"):
            make(**options | {"degree": degree - 1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 0}, "degree must be an integer >= 1, got 0"),
        ({"degree": 2.5}, r"degree must be an integer >= 1, got 2\.5"),
        ({"rows": 1}, r"rows must be an integer from 2 to 569, got 1"),
        ({"rows": 570}, r"rows must be an integer from 2 to 569, got 570: write rows=569 or less"),
        ({"features": 0}, "features must be an integer from 1 to 30, got 0"),
        ({"features": -2}, "features must be an integer from 1 to 30, got -2"),
        ({"rows": 20, "rng": None}, r"write breast_cancer\(rows=20, rng=np\.random\.default_rng\(0\)\)"),
    ],
)
def test_bad_choices_of_real_data_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        breast_cancer(**{"rng": generator()} | options)


X = np.array([[1.0, -2.5, 3e-3], [0.0, 1e10, 7.0]])
Y = np.array([0.1, -4.0])


@pytest.fixture
def csv(tmp_path):
    """Write CSV files of X and y, the given text in the place of one of them, and read them."""

    def read(x="1,-2.5,3e-3\n0,1e10,7\n", y="0.1\n-4\n"):
        (tmp_path / "x.csv").write_text(x, encoding="utf-8")
        (tmp_path / "y.csv").write_text(y, encoding="utf-8")
        return from_file(tmp_path / "x.csv", tmp_path / "y.csv")

    return read


@pytest.fixture
def npz(tmp_path):
    def read(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return from_file(tmp_path / "data.npz")

    return read


def assert_is_the_problem(problem):
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, Y)
    assert problem.X.dtype == problem.y.dtype == np.float64


@pytest.mark.parametrize("more", [{}, {"truth": np.ones(3)}, {"note": np.array(["as measured"])}])
def test_npz(npz, more):
    assert_is_the_problem(npz(X=X, y=Y, **more))


def test_npz_compressed_and_named_by_a_string(tmp_path):
    np.savez_compressed(tmp_path / "DATA.NPZ.npz", X=X, y=Y[:, None])
    (tmp_path / "DATA.NPZ.npz").rename(tmp_path / "DATA.NPZ")
    assert_is_the_problem(from_file(str(tmp_path / "DATA.NPZ")))


def test_npz_of_integers_and_of_single_precision(npz):
    np.testing.assert_array_equal(npz(X=np.eye(2, 3, dtype=np.int8), y=np.ones(2, np.float32)).X, np.eye(2, 3))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("1,-2.5,3e-3\n0,1e10,7\n", "0.1\n-4"),
        ("a,b,c\n1,-2.5,3e-3\n0,1e10,7\n", "target\n0.1\n-4\n"),
        ('"age, in years",b,c\r\n1, -2.5 ,3e-3\r\n"0",1e10,+7.0\r\n', "0.1,-4\r\n"),
        ("\ufeff1,-2.5,3e-3\n\n0,1e10,7\n\n  \n", "\ufeff\n0.1\n\n-4"),
    ],
    ids=["plain", "headers", "quotes and Windows line ends", "byte order mark and empty lines"],
)
def test_csv(csv, x, y):
    assert_is_the_problem(csv(x, y))


def test_csv_of_one_sample_and_of_one_feature(csv):
    assert csv("1,2,3\n", "5").X.shape == (1, 3)
    assert csv("1\n2\n3\n", "1\n2\n3\n").X.shape == (3, 1)


def test_csv_of_many_digits_comes_back_as_it_was(tmp_path):
    problem = planted_sparse(n=3, d=5, nonzeros=1, rng=generator())
    np.savetxt(tmp_path / "a", problem.X, delimiter=",", fmt="%.17g", header="a,b,c,d,e", comments="")
    np.savetxt(tmp_path / "b", problem.y, fmt="%.17g")
    again = from_file(tmp_path / "a", tmp_path / "b")
    np.testing.assert_array_equal(again.X, problem.X)
    np.testing.assert_array_equal(again.y, problem.y)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x": "1,2,x\n0,1,7\n"}, r"x\.csv, line 1, column 3: 'x' is not a finite number; write numbers like"),
        ({"x": "a,b,c\n1,2,3\n0,,7\n"}, r"x\.csv, line 3, column 2: '' is not a finite number"),
        ({"x": "a,b,3\n1,2,3\n"}, r"x\.csv, line 1, column 1: 'a' is not"),
        ({"x": "1,2,3\n0,nan,7\n"}, r"x\.csv, line 2, column 2: 'nan' is not a finite number"),
        ({"x": "1,2,3\n\n0,1,-inf\n"}, r"x\.csv, line 3, column 3: '-inf' is not a finite number"),
        ({"x": "1;2;3\n4;5;6\n"}, r"line 2, column 1: '4;5;6' is not a finite number; write .* separated by commas"),
        ({"x": "1,2,3\n0,1\n"}, r"x\.csv, line 2: 2 cells, but 3 in line 1: give all lines as many"),
        ({"x": "1,2,3\n0,1,2,\n"}, r"x\.csv, line 2: 4 cells, but 3 in line 1"),
        ({"x": ""}, r"x\.csv holds no numbers"),
        ({"x": "a,b,c\n"}, r"x\.csv holds no numbers: one sample a line"),
        ({"y": "\n\n"}, r"y\.csv holds no numbers"),
        ({"y": "0.1\nmany\n"}, r"y\.csv, line 2, column 1: 'many' is not"),
        ({"y": "0.1\n"}, r"x\.csv and .*y\.csv: y must have shape \(2,\), one target for each row of X, got \(1,\)"),
        ({"y": "1,2\n3,4\n"}, r"y must have shape \(2,\), one target for each row of X, got \(2, 2\)"),
        ({"x": "1,2," + "9" * 200_000 + "\n"}, r"x\.csv is not a CSV file \(field larger than"),
    ],
)
def test_csv_files_that_hold_no_problem_are_refused(csv, files, message):
    with pytest.raises(ValueError, match=message):
        csv(**files)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": X}, r"data\.npz does not hold a problem: it holds X, arrays X and y are expected; write np\.savez\("),
        ({"A": X, "b": Y}, "it holds A, b, arrays X and y are expected"),
        ({}, "it holds nothing"),
        ({"X": X, "y": np.array([1, "a"], dtype=object)}, "Object arrays cannot be loaded.*with arrays of numbers"),
        ({"X": X.astype(str), "y": Y}, r"data\.npz: X must hold real numbers, got dtype <U"),
        ({"X": X * 1j, "y": Y}, "X must hold real numbers, got dtype complex128"),
        ({"X": X, "y": Y[:1]}, r"data\.npz: y must have shape \(2,\)"),
        ({"X": X[0], "y": Y}, r"X must be a matrix .* got shape \(3,\)"),
        ({"X": X[:0], "y": Y[:0]}, r"X must be a matrix .* got shape \(0, 3\)"),
        ({"X": X, "y": [0, np.nan]}, "y must be finite, got nan at index"),
    ],
)
def test_npz_files_that_hold_no_problem_are_refused(npz, arrays, message):
    with pytest.raises(ValueError, match=message):
        npz(**arrays)


def damaged(content):
    """An archive whose compressed data are overwritten; its table of contents is not."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, X=np.arange(3000.0).reshape(30, 100), y=np.ones(30))
    data = bytearray(buffer.getvalue())
    data[200:600] = content * 400
    return bytes(data)


def no_array():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("X", "1,2,3")
        archive.writestr("y", "1")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"1,2,3\n", b"PK\x03\x04 and nothing more", damaged(b"\x00"), damaged(b"\xff"), no_array()],
    ids=["empty", "text", "cut off", "zeros inside", "ones inside", "no arrays inside"],
)
def test_damaged_npz_files_are_refused(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.npz( is not an npz file| does not hold a problem|: X must hold real)"):
        from_file(tmp_path / "data.npz")


def test_binary_files_are_no_csv(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match=r"x\.npy is not a CSV file"):
        from_file(tmp_path / "x.npy", tmp_path / "x.npy")


def test_one_csv_file_or_two_npz_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csv is read as CSV.*name the CSV file of y too"):
        from_file(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"x\.npz and .*y\.npz: leave the second out"):
        from_file(tmp_path / "x.npz", tmp_path / "y.npz")


@pytest.mark.parametrize("names", [["no.npz"], ["no.csv", "no.csv"], ["", ""]])
def test_files_that_cannot_be_read_are_named(tmp_path, names):
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        from_file(*(tmp_path / name for name in names))
