"""What a user adds in one file, with no edit of the package, and data of the user's own."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import linreg_mirror as lm
from linreg_mirror._tools import matrices
from linreg_mirror.ledger import FAMILIES, REGISTRY, SPECIAL, grid
from linreg_mirror.mirrors import Hyperbolic, Mirror
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Shard
from linreg_mirror.solvers import Status
from linreg_mirror.verification import Own, OwnData, TheoremFile, check, falsify

SOURCE = Path(__file__).parents[1] / "helpers" / "own_theory.py"  # which is run, not imported: it adds to the ledger
THEOREM = "squares.flow"


@pytest.fixture(autouse=True)
def _ledger_as_it_was():
    before = [(one, dict(one)) for one in (REGISTRY, SPECIAL, FAMILIES)]
    yield
    for one, content in before:
        one.clear()
        one.update(content)
    for name in [name for name in sys.modules if name.startswith("own_theorems.")]:
        del sys.modules[name]


@pytest.fixture
def file():
    return TheoremFile.read(SOURCE)


@pytest.fixture
def own(file):
    """The file as a module."""
    file.install()
    return sys.modules[file.module]


@pytest.fixture
def changed(tmp_path):
    """Write the file anew, with replacements."""

    def write(*replacements):
        text = SOURCE.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "changed.py").write_text(text, encoding="utf-8")
        return tmp_path / "changed.py"

    return write


# Solvers


def test_flow_and_limit_of_a_network_with_its_potential(own):
    problem, network, schedule = own.example()
    dual, plain = (lm.flow(problem, network, schedule, method=method) for method in ("dual", "parameters"))
    limit = lm.limit(problem, network, decay=dual.decay[-1])
    # It promises nothing about its metric.
    assert (dual.status, plain.status, limit.status) == (Status.unproved,) * 3
    np.testing.assert_allclose(plain.x[-1], dual.x[-1], atol=1e-6)
    np.testing.assert_allclose(limit.x, dual.x[-1], atol=1e-6)
    assert limit.log_scale is None
    # Nothing else with Xx = y and x >= 0 has a smaller potential.
    mirror, null = network.mirror(), np.linalg.svd(problem.X)[2][problem.n :]
    value = mirror.potential(limit.x, dual.decay[-1]).sum()
    for direction in null:
        for step in (0.5, -0.5):
            assert mirror.potential(limit.x + step * limit.x.min() * direction, dual.decay[-1]).sum() > value


def test_descent_approaches_the_flow_as_steps_shrink(own):
    problem, network, _ = own.example()
    end = lm.limit(problem, network).x
    stable = lm.largest_stable_step(problem, network)
    runs = [lm.descent(problem, network, share * stable) for share in (0.1, 0.05)]
    assert [run.status for run in runs] == [Status.converged] * 2
    assert runs[0].bias is None
    far, near = (abs(run.x[-1] - end).max() for run in runs)
    assert far / near == pytest.approx(2, rel=0.1)
    assert far < 0.01


@pytest.mark.parametrize(
    ("method", "wrong", "failing"),
    [
        ("conjugate", lambda z, A: np.exp(4 * (z - A)) / 3, {"conjugate's slope"}),
        ("potential", lambda x, A: 0 * x, {"primal-dual gap"}),
    ],
)
def test_formulas_that_do_not_belong_together_are_not_certified(own, monkeypatch, method, wrong, failing):
    problem, network, _ = own.example()
    monkeypatch.setattr(own.Entropy, method, lambda self, *arguments: wrong(*arguments))
    solution = lm.limit(problem, network)
    assert solution.status is Status.not_certified
    assert {one.name for one in solution.certificate.checks if not one.passed} == failing


def test_a_primal_that_is_no_slope_of_the_conjugate(own, monkeypatch):
    problem, network, _ = own.example()
    monkeypatch.setattr(own.Entropy, "conjugate", lambda self, z, A: np.exp(4 * (z - A)) / 4)
    monkeypatch.setattr(own.Entropy, "primal", lambda self, z, A: 1.1 * np.exp(4 * (z - A)))
    assert not lm.limit(problem, network).certificate["conjugate's slope"].passed


def test_defaults_of_potentials(own):
    class Plain(Mirror):
        """The hyperbolic entropy by what has no default."""

        def __init__(self):
            self.known = Hyperbolic(np.log([0.1, 0.5, 2.0]), np.array([0.3, 0.0, -1.0]))
            self.initial_dual = self.known.initial_dual

        def __getattribute__(self, name):
            known = object.__getattribute__(self, "__dict__").get("known")
            return (
                getattr(known, name)
                if name in ("primal", "dual", "metric", "conjugate")
                else super().__getattribute__(name)
            )

    plain, x, z = Plain(), np.array([0.2, -1.0, 3.0]), np.array([0.5, -0.2, 0.1])
    np.testing.assert_allclose(plain.potential(x, 0.1), plain.known.potential(x, 0.1), rtol=1e-12)
    np.testing.assert_allclose(plain.primal_rate(z, 0.1), plain.known.primal_rate(z, 0.1), rtol=1e-6)
    assert plain.dual_rate(0.3) == 1
    assert plain.log_scale_at(0.3) is None
    relative, absolute = plain.resolution(1.0, 0.0)
    # The entry with the smallest scale moves most: dz = dx / (2 sqrt(x^2 + b^2)).
    assert absolute == pytest.approx(0.5 / np.hypot(1.0, 2.0))
    assert relative == pytest.approx(
        min(1, np.min(0.5 / np.hypot(1, [0.1, 0.5, 2]) / abs(plain.dual(np.ones(3), 0.0))))
    )
    (only,) = plain.continuation(0.2, 1.0)
    assert only.last
    np.testing.assert_array_equal(only.z0, plain.initial_dual)


def test_the_stable_step_where_samples_count_differently(own, monkeypatch):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((6, 15)), rng.standard_normal(6)
    loss = own.Weighted((1.0, 2.0, 3.0, 1.0, 2.0, 30.0))
    network = lm.Hadamard.at(0.0, d=15)
    dense = lm.largest_stable_step(lm.Problem(X, y, loss), network)
    monkeypatch.setattr(matrices, "has_gram", lambda X: False)  # as if X were large
    sparse = lm.Problem(scipy.sparse.csr_array(X), y, loss)
    assert not sparse.rank_is_cheap
    assert lm.largest_stable_step(sparse, network) == pytest.approx(dense, rel=1e-9)


# Theorems


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_theorem_is_checked_in_any_number_of_processes(file, jobs):
    (finding,) = check(own=Own((file,)), jobs=jobs, instances=["special/own-squares", "planted/plain/0"])
    assert (finding.theorem.id, finding.as_expected, finding.control_failed) == (THEOREM, True, True)
    assert [record.instance for record in finding.records] == ["special/own-squares"]


def test_on_the_whole_grid_it_holds(file):
    (finding,) = check(own=Own((file,)))
    assert finding.verdict.name == "holds"
    assert "squares" not in {id.partition(".")[0] for id in (t.theorem.id for t in check(["signs"], instances=1))}


def test_shards_and_a_changed_file(file, changed, tmp_path):
    store = Store(tmp_path / "store")
    for k in (1, 2):
        check(own=Own((file,)), store=store, shard=Shard(k, 2))
    count = len(list(store.records()))
    (finding,) = check(own=Own((file,)), store=store)
    assert (finding.as_expected, finding.missing, len(list(store.records()))) == (True, 0, count)
    # Comments do not matter, constants do.
    same = TheoremFile(file.path, "# More words.\n" + file.source.replace("Compare along", "Follow"))
    check(own=Own((same,)), store=store)
    assert len(list(store.records())) == count
    wrong = TheoremFile(file.path, file.source.replace('{"rate": 2.0}', '{"rate": 3.0}'))
    (finding,) = check(own=Own((wrong,)), store=store)
    assert finding.verdict.name == "refuted"
    assert len(list(store.records())) > count


def test_it_can_be_searched_for_counterexamples(file):
    outcome = falsify(THEOREM, own=Own((file,)), seconds=None, evaluations=10)
    assert outcome.worst.instance == "special/own-squares"  # no random instance has such a network
    assert outcome.as_expected


def test_workers_of_a_cluster_need_no_file(file, dask):
    from linreg_mirror.runtime import sweeps

    dask.workers(1)
    elsewhere = TheoremFile(Path("/nowhere/own_theory.py"), file.source)
    data = OwnData(lm.problems.planted_sparse(n=5, d=12, nonzeros=2, rng=np.random.default_rng(0)))
    with sweeps.cluster(dask.address):
        (finding,) = check(own=Own((elsewhere,)))
        (other,) = check(["mirror.limit"], own=Own(data=data), instances=["data/plain/0", "data/biased/0"])
    assert finding.verdict.name == "holds"
    assert other.as_expected
    assert len(other.records) == 2


def test_a_file_that_fails_is_named(changed):
    broken = TheoremFile.read(
        changed(("example():", "example():\n    return\n\nraise RuntimeError('so')\n\ndef other():"))
    )
    with pytest.raises(ValueError, match=r"changed\.py failed: RuntimeError: so"):
        broken.install()
    taken = TheoremFile.read(changed(('"squares.flow"', '"mirror.limit"')))
    with pytest.raises(ValueError, match=r"there is a theorem 'mirror\.limit' already"):
        taken.install()
    with pytest.raises(ValueError, match=r"write --module mine\.py"):
        TheoremFile.read(Path("mine.txt"))
    with pytest.raises(ValueError, match=r"missing\.py cannot be read"):
        TheoremFile.read(Path("missing.py"))


# Commands


def test_the_command_runs_code_only_if_told(command, changed, tmp_path):
    refused = command("check", "--module", SOURCE)
    assert refused.exit_code == 2
    assert "--allow-code" in refused.output
    passed = command("check", "--module", SOURCE, "--allow-code")
    assert passed.exit_code == 0, passed.output
    assert "1 of 1 theorem as expected" in passed.output
    wrong = changed(('{"rate": 2.0}', '{"rate": 3.0}'), ('"squares.flow"', '"squares.wrong"'))
    failed = command("check", "--module", wrong, "--allow-code")
    assert failed.exit_code == 1
    assert f"--instance special/own-squares --module {wrong} --allow-code" in " ".join(failed.output.split())
    report = tmp_path / "results" / "check" / "selected" / "report.json"
    assert [entry["id"] for entry in json.loads(report.read_text())["theorems"]] == ["squares.wrong"]


@pytest.fixture
def data(tmp_path):
    problem = lm.problems.planted_sparse(n=6, d=15, nonzeros=2, rng=np.random.default_rng(3))
    np.savez(tmp_path / "data.npz", X=problem.X, y=problem.y)
    return tmp_path / "data.npz"


def test_theorems_on_data_of_ones_own(command, data):
    first = command("check", "mirror.conservation", "mirror.limit", "convergence.rate", "--data", data)
    assert first.exit_code == 0, first.output
    assert "5 of 5 theorems" in first.output  # convergence.rate stands for three
    assert "data" not in {name.partition("/")[0] for name in grid(1)}
    only = command("check", "mirror.limit", "--data", data, "--instance", "data/geometric/7")
    assert only.exit_code == 0, only.output
    for words, message in (
        (("--data", data, "--instances", 3), "takes the place of the grid"),
        (("--targets", data), "give both"),
        (("--data", data.with_suffix(".csv")), "y"),
    ):
        refused = command("check", "mirror.limit", *words)
        assert refused.exit_code == 2
        assert message in refused.output


def test_other_data_have_other_results(tmp_path):
    store, found = Store(tmp_path), []
    for seed in (0, 1):
        problem = lm.problems.planted_sparse(n=6, d=15, nonzeros=2, rng=np.random.default_rng(seed))
        (finding,) = check(
            ["mirror.conservation"], own=Own(data=OwnData(problem)), instances=["data/biased/0"], store=store
        )
        found.append(finding.records[0].evidence.margin)
    assert found[0] != found[1]


def test_a_file_without_a_theorem_is_no_success(tmp_path, command):
    empty = tmp_path / "empty.py"
    empty.write_text("from linreg_mirror.ledger import theorem\n", encoding="utf-8")
    refused = command("check", "--module", empty, "--allow-code")
    assert refused.exit_code == 2
    assert "enters no theorem: decorate a function with linreg_mirror.ledger.theorem" in " ".join(
        refused.output.split()
    )
