"""The command line: exit codes, messages, files."""

import json
import re
import subprocess
import sys
from csv import DictReader
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import linprog
from typer.testing import CliRunner

import linreg_mirror
from linreg_mirror import citation, cli
from linreg_mirror.ledger import Evidence
from linreg_mirror.solvers import independent
from linreg_mirror.theorems import REGISTRY

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = np.random.default_rng(0)
X = DATA.standard_normal((8, 20))
TRUTH = np.zeros(20)
TRUTH[[2, 11]] = [1.5, -0.5]
Y = X @ TRUTH
LEAST_L2 = np.linalg.pinv(X) @ Y


@pytest.fixture(autouse=True)
def width(monkeypatch, tmp_path):
    """Make lines as wide as in a log, and keep default results out of the checkout."""
    monkeypatch.setattr(cli.console, "width", 130)
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path / "default-results"))


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    return result


def refused(*arguments):
    """Return the one line with which a command is refused."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    lines = result.output.strip().splitlines()
    assert len(lines) == 1, result.output
    assert lines[0].startswith("error: ")
    return lines[0]


def test_version_is_that_of_the_package_and_of_its_citation():
    version = run("--version").stdout
    assert version == f"linreg-mirror {linreg_mirror.__version__}\n"
    assert f"\nversion: {version.split()[1]}\n" in (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture
def npz(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    return tmp_path / "data.npz"


@pytest.fixture
def csv(tmp_path):
    paths = tmp_path / "X.csv", tmp_path / "y.csv"
    for path, array in zip(paths, (X, Y), strict=True):
        np.savetxt(path, array, delimiter=",", fmt="%.17g")
    return paths


# check


def test_check_writes_the_report(tmp_path):
    folder = tmp_path / "new" / "report"
    result = run("check", "mirror.conservation", "--instance", "planted/plain/0", "--output", folder)
    assert result.exit_code == 0, result.output
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    (entry,) = data["theorems"]
    assert (entry["id"], entry["verdict"], entry["instances"]) == ("mirror.conservation", "holds", 1)
    assert entry["worst_instance"] == "planted/plain/0"
    assert data["passed"] is True
    assert data["run"]["theorems"] == ["mirror.conservation"]
    assert data["run"]["instances"] == ["planted/plain/0"]
    assert "mirror.conservation" in (folder / "report.html").read_text(encoding="utf-8")
    rows = [line.split() for line in result.output.splitlines()]
    (row,) = [row for row in rows if row and row[0] == "mirror.conservation"]
    assert row[-2:] == ["fails", "holds"]
    assert "1 of 1 theorem as expected" in result.output
    assert str(folder / "report.html") in result.output
    assert not (tmp_path / "default-results").exists()


def test_check_writes_to_the_results_directory_by_default(tmp_path):
    assert run("check", "mirror.conservation", "--instance", "special/crossing", "--jobs", 1).exit_code == 0
    assert (tmp_path / "default-results" / "check" / "selected" / "report.json").exists()


def count_calls(monkeypatch, name):
    calls, entered = [], REGISTRY[name]

    def observe(it, **constants):
        calls.append(it.name)
        return entered.observe(it, **constants)

    monkeypatch.setitem(REGISTRY, name, replace(entered, observe=observe))
    return calls


def test_check_reads_what_is_stored_unless_fresh(tmp_path, monkeypatch):
    calls = count_calls(monkeypatch, "mirror.conservation")
    command = "check", "mirror.conservation", "--instance", "special/crossing", "--jobs", 1, "--output", tmp_path
    for extra, expected in (((), 2), ((), 2), (("--fresh",), 4)):
        assert run(*command, *extra).exit_code == 0
        assert len(calls) == expected


def test_a_failing_theorem_ends_in_1_with_the_command_that_repeats_it(tmp_path, monkeypatch):
    entered = REGISTRY["mirror.conservation"]
    monkeypatch.setitem(
        REGISTRY, entered.id, replace(entered, observe=lambda it, exponent: Evidence(-0.125, "made to fail"))
    )
    result = run("check", entered.id, "--instance", "special/crossing", "--jobs", 1, "--output", tmp_path)
    assert result.exit_code == 1, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert "margin -0.125" in lines
    assert "repeat: linreg-mirror check mirror.conservation --instance special/crossing" in lines
    assert "refuted, not expected" in result.output
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["passed"] is False


def test_a_theorem_that_raises_ends_in_1_and_the_others_are_reported(tmp_path, monkeypatch):
    def observe(it, exponent):
        raise ArithmeticError("lost [bold]it[/]")

    entered = REGISTRY["mirror.conservation"]
    monkeypatch.setitem(REGISTRY, entered.id, replace(entered, observe=observe))
    command = "check", entered.id, "mirror.metric", "--instance", "special/crossing", "--jobs", 1, "--output", tmp_path
    result = run(*command)
    assert result.exit_code == 1, result.output
    assert "ArithmeticError: lost [bold]it[/]" in result.output
    assert "repeat: linreg-mirror check mirror.conservation --instance special/crossing" in result.output
    verdicts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["theorems"]
    assert {entry["id"]: entry["verdict"] for entry in verdicts} == {
        "mirror.conservation": "error",
        "mirror.metric": "holds",
    }


def test_a_control_that_does_not_fail_ends_in_1(tmp_path, monkeypatch):
    entered = REGISTRY["mirror.conservation"]
    monkeypatch.setitem(REGISTRY, entered.id, replace(entered, observe=lambda it, exponent: Evidence(1.0, "always")))
    result = run("check", entered.id, "--instance", "special/crossing", "--jobs", 1, "--output", tmp_path)
    assert result.exit_code == 1
    assert f"control did not fail on {entered.control.witness}: always" in result.output


def test_an_erratum_that_is_refuted_passes(tmp_path):
    command = "check", "mirror.flow.printed", "--instance", "special/start-at-solution", "--output", tmp_path
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "refuted, as expected" in result.output


def test_unknown_theorems_and_instances_are_refused(tmp_path):
    line = refused("check", "mirror.nonsense", "--output", tmp_path)
    assert "'mirror.nonsense'" in line
    assert "`linreg-mirror theorems` lists all" in line
    line = refused("check", "mirror.flow", "--instance", "planted/nope/0", "--output", tmp_path)
    assert "'planted/nope/0'" in line
    assert "no setting is called 'nope'" in line
    assert list(tmp_path.iterdir()) == []


def test_theorems_as_json():
    result = run("theorems", "mirror", "--json")
    assert result.exit_code == 0
    entries = json.loads(result.output)
    assert [entry["id"] for entry in entries] == [id for id in REGISTRY if id.startswith("mirror.")]
    one = next(entry for entry in entries if entry["id"] == "mirror.flow.printed")
    assert one["statement"] == REGISTRY["mirror.flow.printed"].statement
    assert one["expected"] == "refuted"
    assert one["hypotheses"] == [required.name for required in REGISTRY["mirror.flow.printed"].hypotheses]
    assert one["hypotheses"][:2] == ["x = m*w", "|w0| < m0"]


def test_quick_excludes_other_choices_of_instances():
    for other in (("--seeds", 2), ("--instances", 3), ("--instance", "planted/plain/0")):
        result = run("check", "--quick", *other)
        assert result.exit_code == 2
        assert "give one of them" in " ".join(result.output.split())


def test_a_check_of_a_few_instances_leaves_the_report_on_the_whole_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path))
    (tmp_path / "check").mkdir()
    (tmp_path / "check" / "report.json").write_text("of the whole", encoding="utf-8")
    assert run("check", "--instances", 1).exit_code == 0
    assert (tmp_path / "check" / "report.json").read_text(encoding="utf-8") == "of the whole"
    assert (tmp_path / "check" / "selected" / "report.json").exists()


def test_a_report_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    command = "check", "mirror.conservation", "--instance", "special/crossing", "--jobs", 1
    result = run(*command, "--output", tmp_path / "file")
    assert result.exit_code == 2
    assert "error: " in result.output
    assert str(tmp_path / "file") in result.output


@pytest.mark.parametrize("option", ["--seeds", "--jobs", "--instances"])
def test_counts_below_one_are_refused(option):
    assert run("check", option, "0").exit_code == 2


def test_an_erratum_that_named_instances_do_not_refute_passes(tmp_path):
    command = "check", "convergence.rate.printed", "--instance", "planted/geometric/0:n=3,d=5", "--jobs", 1
    result = run(*command, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert "not refuted here" in result.output
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (data["theorems"][0]["verdict"], data["theorems"][0]["partial"]) == ("holds", True)


def test_where_nothing_applies_the_check_does_not_pass(tmp_path):
    result = run("check", "signs.balanced", "--instance", "planted/plain/0", "--jobs", 1, "--output", tmp_path)
    assert result.exit_code == 1
    assert "does not apply here" in result.output
    assert "no instance met the hypotheses: x = m*w, |w0| = m0" in result.output


def test_a_number_of_instances(tmp_path):
    command = "check", "mirror.commuting", "--jobs", 1, "--output", tmp_path
    # It applies to four of the twelve settings, and to every family.
    for option, expected, partial in ((("--instances", 24), 8, True), (("--seeds", 2), 64, False), ((), 32, False)):
        assert run(*command, *option).exit_code == 0
        data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        assert data["theorems"][0]["instances"] == expected
        assert data["theorems"][0]["partial"] is partial
    assert data["run"]["seeds"] == [0]


def test_ways_to_say_what_to_check_on_exclude_each_other():
    for options in (("--seeds", 2, "--instances", 3), ("--instance", "planted/plain/0", "--seeds", 1)):
        assert "give one of them" in refused("check", *options)


def test_shards_together_give_the_verdict(tmp_path, monkeypatch):
    calls = count_calls(monkeypatch, "mirror.commuting.penalty")
    command = "check", "mirror.commuting.penalty", "--instances", 24, "--jobs", 1
    for i in (1, 2):
        result = run(*command, "--shard", f"{i}/2")
        assert result.exit_code == 0, result.output
        assert ("left to other shards" in result.output) == (i == 1)
        assert (tmp_path / "default-results" / "check" / f"shard-{i}-of-2" / "report.json").exists()
    made = len(calls)
    result = run(*command)
    assert result.exit_code == 0
    assert len(calls) == made == 9  # eight instances meet the hypotheses, and there is the control
    assert "1 of 1 theorem as expected" in result.output


def test_shards_have_reports_of_their_own_wherever_they_go(tmp_path):
    command = "check", "mirror.commuting.penalty", "--instances", 2, "--jobs", 1, "--output", tmp_path / "mine"
    for i in (1, 2):
        assert run(*command, "--shard", f"{i}/2").exit_code == 0
        assert (tmp_path / "mine" / f"shard-{i}-of-2" / "report.json").exists()
    assert not (tmp_path / "mine" / "report.json").exists()
    assert run(*command).exit_code == 0
    assert (tmp_path / "mine" / "report.json").exists()


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1/2/3"])
def test_shards_that_do_not_exist_are_refused(shard):
    line = refused("check", "mirror.flow", "--shard", shard)
    assert f"there is no shard {shard}:" in line or f"got {shard!r}" in line


@pytest.mark.parametrize("command", ["check", "falsify"])
def test_a_cluster_without_dask_is_refused(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'linreg-mirror[cluster]'" in refused(command, "mirror.flow", "--cluster", "tcp://127.0.0.1:1")


@pytest.mark.parametrize("command", ["check", "falsify"])
def test_an_interrupted_command_says_how_to_resume(command, monkeypatch):
    def interrupt(it, **constants):
        raise KeyboardInterrupt

    monkeypatch.setitem(REGISTRY, "mirror.metric", replace(REGISTRY["mirror.metric"], observe=interrupt))
    result = run(command, "mirror.metric", "--jobs", 1)
    assert result.exit_code == 130
    assert "run the same command again to resume" in result.output


# solve


def check_x(x, name):
    assert np.allclose(X @ x, Y, rtol=0, atol=1e-9 * np.abs(Y).max()), name


def test_solve_prints_norms_and_certificates(npz):
    result = run("solve", npz)
    assert result.exit_code == 0, result.output
    assert "8 samples x 20 features, rank 8" in result.output
    rows = {line.split("  ")[0].strip(): line for line in result.output.splitlines()}
    assert "limit, b = 1e-06" in rows
    assert [float(cell) for cell in rows["minimum L1"].split()[2:5]] == pytest.approx(
        [2.0, np.linalg.norm(TRUTH), 2], rel=1e-6
    )
    assert [float(cell) for cell in rows["minimum L2"].split()[2:5]] == pytest.approx(
        [np.abs(LEAST_L2).sum(), np.linalg.norm(LEAST_L2), 20], rel=1e-6
    )
    assert all("converged" in rows[name] for name in ("minimum L1", "minimum L2", "limit, b = 1e-06"))
    assert "yes" in rows["minimum L1"].split()
    assert float(rows["minimum L1"].split()[6]) > 9  # digits
    assert "3 of 3 certificates valid; --verbose shows them" in result.output
    assert "valid (" not in result.output
    result = run("solve", npz, "--verbose")
    certificates = [line for line in result.output.splitlines() if " s: valid (" in line]
    assert [line.split(", in ")[0] for line in certificates] == ["limit, b = 1e-06", "minimum L1", "minimum L2"]
    assert " ".join(result.output.split()).count("error of x ") == 3


@pytest.mark.parametrize("source", ["npz", "csv"])
def test_solve_saves_npz(source, tmp_path, request):
    paths = request.getfixturevalue(source)
    paths = paths if isinstance(paths, tuple) else (paths,)
    output = tmp_path / "solutions.npz"
    result = run("solve", *paths, "--scale", "1e-9", "--output", output)
    assert result.exit_code == 0, result.output
    with np.load(output) as saved:
        assert saved["scale"] == 1e-9
        for key in ("limit", "minimum_l1", "minimum_l2"):
            check_x(saved[f"{key}_x"], key)
            assert saved[f"{key}_certified"]
            assert saved[f"{key}_dual"].shape == (8,)
        l1 = {key: np.abs(saved[f"{key}_x"]).sum() for key in ("limit", "minimum_l1", "minimum_l2")}
        assert np.allclose(saved["minimum_l1_x"], TRUTH, rtol=0, atol=1e-10)
        assert np.allclose(saved["minimum_l2_x"], LEAST_L2, rtol=0, atol=1e-10)
        # The limit minimises the potential: arcsinh(x/b) is in the row space of X.
        q = np.arcsinh(saved["limit_x"] / 1e-9)
        assert np.allclose(X.T @ np.linalg.lstsq(X.T, q)[0], q, rtol=0, atol=1e-6)
        # Weak duality: |x|_1 >= y's for |X's|_inf <= 1.
        s = saved["minimum_l1_dual"]
        s = s / np.abs(X.T @ s).max()
    assert abs(abs(Y @ s) - 2.0) < 1e-8
    assert l1["minimum_l1"] == pytest.approx(2.0, rel=1e-10)
    assert l1["minimum_l1"] <= l1["limit"] * (1 + 1e-9)
    assert l1["limit"] == pytest.approx(2.0, rel=1e-2)
    assert l1["minimum_l2"] > 2.1


def test_solve_saves_json(npz, tmp_path):
    output = tmp_path / "solutions.json"
    assert run("solve", npz, "--output", output).exit_code == 0
    saved = json.loads(output.read_text(encoding="utf-8"))
    assert saved["scale"] == 1e-6
    for key in ("limit", "minimum_l1", "minimum_l2"):
        check_x(np.array(saved[key]["x"]), key)
        assert saved[key]["status"] == "converged"
        assert saved[key]["notes"] == []
        assert saved[key]["digits"] > 9
        assert 0 < saved[key]["error"] < 1e-9
        assert saved[key]["unique"] is True
        assert saved[key]["certificate"]
        for check in saved[key]["certificate"]:
            assert check["passed"] is True
            assert check["value"] <= check["tolerance"]
    assert np.abs(saved["minimum_l1"]["x"]).sum() == pytest.approx(2.0, rel=1e-10)
    assert np.count_nonzero(saved["minimum_l1"]["x"]) == 2


def test_solve_prints_the_json_that_it_saves(npz, tmp_path):
    saved = tmp_path / "out.json"
    result = run("solve", npz, "--json", "--output", saved)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == json.loads(saved.read_text(encoding="utf-8"))


def test_solve_says_what_is_not_proved_and_why(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.array([[1.0, 1, 0], [0, 0, 1]]), y=np.array([1.0, -2]))
    result = run("solve", tmp_path / "data.npz", "--output", tmp_path / "out.json")
    assert result.exit_code == 0, result.output  # solved, all the same
    row = next(line for line in result.output.splitlines() if line.startswith("minimum L1"))
    assert row.split()[5:] == ["no", "-", "unproved"]
    assert "unproved: residuals are within the tolerance, but no bound of the error of x can be had" in result.output
    assert "minimum L1: no error bar: other interpolators have the same L1 norm" in result.output
    saved = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (saved["minimum_l1"]["error"], saved["minimum_l1"]["digits"]) == (None, 0.0)
    assert saved["limit"]["status"] == saved["minimum_l2"]["status"] == "converged"


def test_solve_of_an_inconsistent_problem_says_so(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.array([[1.0, 2.0], [1.0, 2.0]]), y=np.array([1.0, 3.0]))
    result = run("solve", tmp_path / "data.npz", "--output", tmp_path / "out.npz")
    assert result.exit_code == 0, result.output
    assert "no x satisfies Xx = y" in result.output
    with np.load(tmp_path / "out.npz") as saved:
        for key in ("limit", "minimum_l1", "minimum_l2"):
            x = saved[f"{key}_x"]
            assert x[0] + 2 * x[1] == pytest.approx(2.0, rel=1e-9)


def test_solve_at_a_scale_that_no_float64_holds(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 12))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, 0])
    result = run("solve", tmp_path / "data.npz", "--log-scale", -1e5, "--output", tmp_path / "out.npz")
    assert result.exit_code == 0
    assert "log b = -100000" in result.output
    with np.load(tmp_path / "out.npz") as saved:
        np.testing.assert_allclose(saved["limit_x"], np.eye(12)[0], atol=1e-8)
        assert saved["log_scale"] == -1e5


def test_solve_refuses_files_that_are_not_there(tmp_path, csv):
    for paths in ((tmp_path / "no.npz",), (tmp_path / "no.csv", csv[1]), (csv[0], tmp_path / "no.csv")):
        assert refused("solve", *paths).startswith(f"error: there is no file {tmp_path / 'no.'}")


def test_solve_refuses_one_csv_alone_and_npz_with_another(npz, csv):
    assert "name the CSV file of y too" in refused("solve", csv[0])
    assert "leave the second out" in refused("solve", npz, csv[1])


# What else such files must not be is in test_instances.py.


@pytest.mark.parametrize("bad", ["nan", "one"])
def test_solve_refuses_a_cell_that_is_no_number(csv, bad):
    lines = csv[0].read_text(encoding="utf-8").splitlines()
    cells = lines[2].split(",")
    cells[4] = bad
    lines[2] = ",".join(cells)
    csv[0].write_text("\n".join(lines), encoding="utf-8")
    line = refused("solve", *csv)
    assert "line 3, column 5" in line
    assert repr(bad) in line


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": X, "z": Y}, "it holds X, z, arrays X and y are expected"),
        ({"X": np.where(X[2, 4] == X, np.nan, X), "y": Y}, "X must be finite, got nan at index (2, 4)"),
        ({"X": X, "y": Y[:-1]}, "y must have shape (8,), one target for each row of X, got (7,)"),
        ({"X": X, "y": X[0]}, "got (20,): write np.savez(path, X=X.T, y=y) if samples are its columns"),
        ({"X": Y, "y": Y}, "got shape (8,): write np.savez(path, X=np.atleast_2d(X), y=y) for a single sample"),
    ],
)
def test_solve_refuses_arrays_that_are_no_problem(tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    assert message in refused("solve", tmp_path / "data.npz")


@pytest.mark.parametrize("name", ["solutions.txt", "solutions", "solutions.xlsx"])
def test_solve_refuses_another_ending(npz, tmp_path, name):
    line = refused("solve", npz, "--output", tmp_path / name)
    assert "must end in .npz, .json or .csv" in line
    assert name in line
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("ending", ["npz", "json", "csv"])
def test_solve_refuses_a_folder_that_is_not_there(npz, tmp_path, ending):
    result = run("solve", npz, "--output", tmp_path / "no" / f"x.{ending}")
    assert result.exit_code == 2
    assert "name another --output" in result.output
    assert "Errno" not in result.output


@pytest.mark.parametrize("scale", ["0", "-1e-3", "nan", "inf"])
def test_solve_refuses_scales_that_are_none(npz, scale):
    line = refused("solve", npz, "--scale", scale)
    assert "positive" in line or "finite" in line


def test_python_runs_the_package_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "linreg_mirror", "--help"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: linreg-mirror" in done.stdout


# solve, of a table


@pytest.fixture
def table(tmp_path):
    """Return a table like those that spreadsheets write, and its parts."""
    rng = np.random.default_rng(3)
    features = rng.standard_normal((9, 14)) * 10.0 ** rng.integers(-2, 3, 14) + 5
    target = features[:, 2] - 3 * features[:, 9] + 7
    path = tmp_path / "table.csv"
    lines = [";".join(["", *(f"x{j}" for j in range(14)), "size", "y"])]
    for i, (row, y) in enumerate(zip(features, target, strict=True)):
        numbers = [f"{value:.17g}".replace(".", ",") for value in (*row, y)]
        lines.append(";".join([str(i + 1), *numbers[:-1], "small" if i % 2 else "large", numbers[-1]]))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path, features, target


def test_solve_of_a_table_gives_coefficients_by_name_in_its_units(table, tmp_path):
    path, features, target = table
    output = tmp_path / "solutions.json"
    options = ["--target", "y", "--drop", "size", "--standardize", "--intercept", "--output", output]
    result = run("solve", path, *options)
    assert result.exit_code == 0, result.output
    assert "X: 9 samples x 14 features, centred, rank 8" in result.output
    assert "numbers have a decimal comma" in result.output
    assert "the first column has no name and counts the rows: it is left out" in result.output
    saved = json.loads(output.read_text(encoding="utf-8"))
    assert (saved["target"], saved["features"]) == ("y", [f"x{j}" for j in range(14)])
    deviation = features.std(axis=0)
    for key in ("limit", "minimum_l1", "minimum_l2"):
        coefficients = np.array([saved[key]["coefficients"][f"x{j}"] for j in range(14)])
        np.testing.assert_allclose(features @ coefficients + saved[key]["intercept"], target, rtol=1e-9)
        np.testing.assert_allclose(coefficients * deviation, saved[key]["x"], rtol=1e-12)
        np.testing.assert_allclose(np.multiply(saved["units"], saved[key]["x"]), coefficients, rtol=1e-12)
    centred = (features - features.mean(axis=0)) / deviation
    least = np.linalg.pinv(centred, rcond=1e-10) @ (target - target.mean())
    np.testing.assert_allclose(saved["minimum_l2"]["x"], least, rtol=1e-7)
    # By linear programming on the table as it is.
    cost = np.r_[np.tile(deviation, 2), 0]
    found = linprog(
        cost, A_eq=np.c_[features, -features, np.ones(9)], b_eq=target, bounds=[(0, None)] * 28 + [(None,) * 2]
    )
    assert np.abs(saved["minimum_l1"]["x"]).sum() == pytest.approx(found.fun, rel=1e-7)
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if line.strip()}
    for j in np.flatnonzero(saved["minimum_l1"]["x"]):
        value = saved["minimum_l1"]["coefficients"][f"x{j}"]
        assert float(rows[f"x{j}"][1]) == pytest.approx(value, rel=1e-5)
    assert float(rows["(intercept)"][1]) == pytest.approx(saved["minimum_l1"]["intercept"], rel=1e-5)
    assert rows["L1"][0:2] == ["by", "HiGHS"]
    assert float(rows["L1"][2]) == pytest.approx(found.fun, rel=1e-6)


def test_solve_saves_a_table_as_npz(table, tmp_path):
    path, features, target = table
    result = run("solve", path, "--target", "y", "--one-hot", "--output", tmp_path / "out.npz")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "out.npz") as saved:
        assert saved["features"].tolist() == [*(f"x{j}" for j in range(14)), "size=large", "size=small"]
        words = np.c_[np.arange(9) % 2 == 0, np.arange(9) % 2 == 1]
        np.testing.assert_allclose(np.c_[features, words] @ saved["limit_x"], target, rtol=1e-9)
        assert saved["limit_intercept"] == 0


def test_solve_saves_standardised_solutions_in_the_units_of_the_table_too(table, tmp_path):
    path, features, target = table
    command = "solve", path, "--target", "y", "--drop", "size", "--standardize", "--intercept", "--output"
    result = run(*command, tmp_path / "out.npz")
    assert "centred, rank 8; x per standard deviation\n" in result.output
    assert "coefficients of y, in the units of the table" in result.output
    run(*command, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["feature"]: row for row in DictReader(file)}
    assert list(rows) == [*(f"x{j}" for j in range(14)), "(intercept)"]
    with np.load(tmp_path / "out.npz") as saved:
        np.testing.assert_allclose(saved["units"], 1 / features.std(axis=0))
        for key in ("limit", "minimum_l1", "minimum_l2"):
            coefficients, intercept = saved[f"{key}_coefficients"], saved[f"{key}_intercept"]
            np.testing.assert_allclose(features @ coefficients + intercept, target, rtol=1e-9)
            np.testing.assert_allclose(coefficients, saved["units"] * saved[f"{key}_x"])
            assert [float(row[key]) for row in rows.values()] == [*coefficients, intercept]


def test_solve_saves_what_to_do_with_standardised_arrays(npz, tmp_path):
    run("solve", npz, "--standardize", "--intercept", "--output", tmp_path / "out.npz")
    run("solve", npz, "--standardize", "--intercept", "--output", tmp_path / "out.json")
    saved = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    coefficients = list(saved["limit"]["coefficients"].values())
    np.testing.assert_allclose(X @ coefficients + saved["limit"]["intercept"], Y, atol=1e-10)
    np.testing.assert_allclose(np.multiply(saved["units"], X.std(axis=0)), 1)
    with np.load(tmp_path / "out.npz") as arrays:
        np.testing.assert_allclose(arrays["limit_coefficients"], coefficients)
        assert arrays["features"].tolist() == [f"X[{j}]" for j in range(20)]


def test_solve_says_how_many_coefficients_are_not_shown(table):
    result = run("solve", table[0], "--target", "y", "--drop", "size", "--intercept")
    shown = [line for line in result.output.splitlines() if re.match(r"x\d+ ", line)]
    assert f"and {14 - len(shown)} more: --verbose prints all of them" in result.output
    result = run("solve", table[0], "--target", "y", "--drop", "size", "--intercept", "--verbose")
    assert len([line for line in result.output.splitlines() if re.match(r"x\d+ ", line)]) == 14
    assert " more" not in result.output


def test_solve_says_that_there_is_no_intercept(table, tmp_path):
    path, rest = tmp_path / "far.csv", "\n".join(f"{100 + i};{(-1) ** i};{i % 3 - 1}" for i in range(6))
    path.write_text(f"far;near;y\n{rest}", encoding="utf-8")
    note = "no intercept is fitted, though means are far from 0, as of 'far': --intercept fits one"
    assert note in " ".join(run("solve", path, "--target", "y").output.split())
    assert "no intercept" not in run("solve", path, "--target", "y", "--intercept").output
    path.write_text("one;" + path.read_text(encoding="utf-8").replace("\n", "\n1;"), encoding="utf-8")
    assert "no intercept" not in run("solve", path, "--target", "y").output  # a column of ones is one


def test_solve_says_once_that_exact_fits_fit_noise(table, tmp_path):
    remedy = "MirrorRegressorCV"
    assert run("solve", table[0], "--target", "y", "--drop", "size").output.count(remedy) == 1
    path = tmp_path / "tall.csv"
    path.write_text("x;y\n1;2\n2;-1\n3;0", encoding="utf-8")
    assert remedy not in run("solve", path, "--target", "y").output  # more samples than features


def test_solve_fits_80_columns(table, monkeypatch):
    monkeypatch.setattr(cli.console, "width", 80)
    monkeypatch.setattr(cli.console, "_force_terminal", True)
    result = run("solve", table[0], "--target", "y", "--one-hot", "--standardize", "--intercept")
    lines = [line.rstrip() for line in result.output.splitlines() if not line.startswith(str(table[0]))]
    assert sum(line.startswith("───") for line in lines) == 2  # two tables
    assert all("e+" not in line[-3:] and len(line) <= 80 for line in lines)
    assert "…" not in result.output


def test_solve_draws_a_table(table, tmp_path):
    picture = tmp_path / "ladder.svg"
    result = run("solve", table[0], "--target", "y", "--drop", "size", "--intercept", "--plot", picture)
    assert result.exit_code == 0, result.output
    text = picture.read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert all(f"<!-- {said} -->" in text for said in ("y: weights of the limit, by scale", "b = 1e-06"))
    assert "standard deviation" not in text
    command = "solve", table[0], "--target", "y", "--one-hot", "--standardize", "--scale", 0.1, "--plot"
    assert run(*command, tmp_path / "ladder.png").exit_code == 0
    with Image.open(tmp_path / "ladder.png") as drawn:
        assert drawn.width >= 640
        assert drawn.height >= 400
    assert run(*command, picture).exit_code == 0
    text = picture.read_text(encoding="utf-8")
    assert all(f"<!-- {said} -->" in text for said in ("weights per standard deviation of a feature", "b = 0.1"))
    assert "must end in .png, .pdf or .svg" in refused("solve", table[0], "--target", "y", "--plot", "ladder.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "name the column of y if it is in this table, --target NAME"),
        (("--target", "Y"), "did you mean 'y'?"),
        (("--target", "size"), "the target 'size' is text, such as 'large'"),
        (("--target", "y", "--target", "x1", "--target", "x2"), "got y, x1, x2: write --target y --drop x1 --drop x2"),
        (("--target", "y"), "'size' (large, small). Write --one-hot, or --drop for each of them"),
        (("--target", "y", "--drop", "y"), "leave it out of --drop"),
        (("--drop", "size"), "name its target too, --target y"),
    ],
)
def test_solve_says_what_a_table_lacks_in_options(table, options, message):
    assert message in refused("solve", table[0], *options)


def test_solve_refuses_a_target_of_what_is_no_table(npz, csv):
    assert "leave --target y out" in refused("solve", npz, "--target", "y")
    assert "or --target y" in refused("solve", *csv, "--target", "y")


def test_solve_centres_arrays_too(npz):
    result = run("solve", npz, "--intercept", "--standardize")
    assert result.exit_code == 0, result.output
    assert "8 samples x 20 features, centred, rank 7" in result.output


def test_an_interrupted_solve_says_what_is_lost(npz, monkeypatch, tmp_path):
    def interrupt(problem):
        raise KeyboardInterrupt

    monkeypatch.setattr(independent, "minimum_l2", interrupt)
    result = run("solve", npz, "--output", tmp_path / "out.json")
    assert result.exit_code == 130
    assert "interrupted: solved were limit, b = 1e-06, minimum L1" in result.output
    assert "out.json is not written" in result.output
    assert not (tmp_path / "out.json").exists()


# the rest


def test_theorems_lists_the_ledger():
    result = run("theorems")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines() if line.split()[0] in REGISTRY] == list(REGISTRY)
    assert all(str(entered.source.paper) in result.output for entered in REGISTRY.values())


def test_cite_prints_what_citation_returns():
    for names in ((), ("mirror.optimality", "pilot")):
        result = run("cite", *names)
        assert result.exit_code == 0
        assert result.output == citation(*names) + "\n"


def test_cite_reads_a_report(tmp_path):
    folder = tmp_path / "report"
    run("check", "mirror.conservation", "--instance", "special/crossing", "--jobs", 1, "--output", folder)
    for path in (folder, folder / "report.json"):
        assert "% mirror.conservation: Thm 2.1, proof\n@inproceedings{jacobs2025mask," in run("cite", path).output


def test_cite_reads_a_run(tmp_path):
    pytest.importorskip("torch")
    changes = ("--set", "epochs=1", "--set", 'model={"name": "mlp", "widths": [64, 4, 10]}')
    assert run("train", "rigl-digits", *changes, "--output", tmp_path / "run").exit_code == 0
    assert "% rigl\n@inproceedings{evci2020rigging," in run("cite", tmp_path / "run").output


def test_cite_refuses_what_it_does_not_know(tmp_path):
    assert "near are pilot" in refused("cite", "pilott")
    assert "holds no recipe.json" in refused("cite", tmp_path)


def test_doctor_names_parts():
    result = run("doctor")
    assert result.exit_code == 0
    for part in ("Python", "linreg-mirror", "numpy", "scipy", "cvxpy", "BLAS", "GPU", "torch"):
        assert part in result.output


def test_without_a_command_help_is_printed():
    result = run()
    for command in ("check", "solve", "theorems", "cite", "doctor"):
        assert command in result.output
    assert run("--help").exit_code == 0
    assert run("nonsense").exit_code == 2
