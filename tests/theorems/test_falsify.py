"""The search for counterexamples: what is false is found, what is true survives, everything can be repeated."""

import math
import re
import shlex
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from linreg_mirror import cli
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Theorem, Verdict, instance
from linreg_mirror.ledger.names import Name
from linreg_mirror.runtime.store import Store
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import falsify
from linreg_mirror.verification.space import Search, applicable

ERRATA = [name for name, entered in REGISTRY.items() if entered.expected is Verdict.refuted]


@pytest.fixture
def enter(monkeypatch):
    """Enter a temporary theorem into the ledger and list the instances that it is asked about."""

    def enter(observe, **changes):
        asked = []

        def listed(it, wrong=False):
            asked.append(it.name)
            return Evidence(-1.0, "the control") if wrong else observe(it)

        control = Control("a wrong constant", "special/crossing", {"wrong": True})
        entered = Theorem("test.temporary", Citation("ours", "a test"), "a statement", "identity", listed, control)
        monkeypatch.setitem(REGISTRY, "test.temporary", replace(entered, **changes))
        return asked

    return enter


def search(**options):
    return falsify("test.temporary", **{"seconds": None, "evaluations": 60, **options})


def by_scale(it):
    """Hold unless b is far from 1/2; the closer to failing, the farther."""
    distance = abs(float(it.hadamard.log_scale[0]) + math.log(2))
    return Evidence(4.0 - distance, f"distance {distance}")


@pytest.mark.parametrize("name", ERRATA)
def test_errata_are_found(name, tmp_path):
    found = falsify(name, seconds=None, evaluations=60, store=Store(tmp_path))
    assert found.verdict is Verdict.refuted
    assert found.as_expected
    # Found anew, not looked up, unless there is nothing to be found.
    assert ":" in found.worst.instance or found.evaluated == len(REGISTRY[name].extremal)
    assert REGISTRY[name].applies_to(instance(found.worst.instance))


@pytest.mark.parametrize("name", ["mirror.flow", "mirror.commuting"])
def test_true_theorems_survive(name):
    found = falsify(name, seconds=None, evaluations=6)
    assert found.verdict is Verdict.holds
    assert found.as_expected
    assert found.evaluated + found.passed_over == 6
    assert found.errors == ()
    assert 0 <= found.evidence.margin < 1e-8
    assert found.evidence == REGISTRY[name].evidence(instance(found.worst.instance))


def test_local_search_comes_closer_than_chance(enter):
    def peaked(it):
        return Evidence(abs(float(it.hadamard.log_scale.mean()) + 6.1) + abs(it.problem.d - 17), "")

    enter(peaked)
    kinds = applicable(REGISTRY["test.temporary"])
    chance = [peaked(instance(name)).margin for name in Search(kinds, np.random.default_rng(0)).next(320, [], 0.0)]
    assert search(evaluations=320).evidence.margin < min(chance) / 4


def test_the_search_ends_with_a_counterexample(enter):
    asked = enter(by_scale)
    found = search(evaluations=1000)
    assert found.verdict is Verdict.refuted
    assert not found.as_expected
    assert found.evidence.fails
    assert len(asked) < 100
    assert found.evidence.margin == min(by_scale(instance(name)).margin for name in asked)


def test_the_same_seed_finds_the_same(enter):
    enter(lambda it: Evidence(1.0 + float(it.problem.y @ it.problem.y), ""))
    one, two, other = search(), search(), search(seed=1)
    assert one.worst.instance == two.worst.instance
    assert one.worst.instance != other.worst.instance
    assert one.evaluated == two.evaluated == 60


def test_processes_do_not_change_the_search():
    found = [falsify("mirror.commuting", seconds=None, evaluations=30, jobs=jobs) for jobs in (1, 2)]
    assert found[0].worst.instance == found[1].worst.instance
    assert found[0].evidence == found[1].evidence


def test_inequalities_are_led_by_the_share_of_the_bound(enter):
    enter(lambda it: Evidence(1e-9, "", 1.0 / it.problem.d))
    found = search(evaluations=120)
    assert found.evidence.tightness > 0.2
    enter(lambda it: Evidence(1e-9 if it.problem.d > 5 else -1e-9, "", 1.0 / it.problem.d))
    assert search(evaluations=400).verdict is Verdict.refuted


def test_what_raises_or_is_nan_refutes_nothing(enter):
    def observe(it):
        if it.problem.d > 30:
            raise ZeroDivisionError("no luck\nhere")
        return Evidence(math.nan if it.problem.d > 20 else 1.0, "odd")

    enter(observe)
    found = search()
    assert found.verdict is Verdict.holds
    assert found.as_expected
    assert found.evaluated + len(found.errors) == 60
    assert {error.error.split(":")[0] for error in found.errors} == {"ZeroDivisionError", "margin nan (odd)"}
    enter(lambda it: 1 / 0)
    nothing = search(evaluations=8)
    assert nothing.verdict is Verdict.untested
    assert not nothing.as_expected
    assert nothing.repeat is None
    assert len(nothing.errors) == 8


def test_a_hypothesis_that_raises_is_reported(enter):
    enter(lambda it: Evidence(1.0, ""), hypotheses=(Hypothesis("odd", lambda it: it.nonsense),))
    found = search(evaluations=8)
    assert found.verdict is Verdict.untested
    assert len(found.errors) == 8
    assert "AttributeError" in found.errors[0].error


def test_hypotheses_are_enforced(enter):
    balanced = Hypothesis("balanced", lambda it: it.name.split("/")[1] == "balanced")
    wide = Hypothesis("twice as wide as high", lambda it: it.problem.d >= 2 * it.problem.n)
    asked = enter(lambda it: Evidence(1.0, ""), hypotheses=(balanced, wide))
    found = search()
    assert found.passed_over > 0
    assert found.evaluated + found.passed_over == 60
    assert found.evaluated == len(asked) > 10
    assert all(REGISTRY["test.temporary"].applies_to(instance(name)) for name in asked)


def test_where_nothing_applies_extremal_instances_are_evaluated(enter):
    special = Hypothesis("special", lambda it: it.name.startswith("special/"))
    enter(lambda it: Evidence(1.0, ""), hypotheses=(special,), extremal=("special/plateau",))
    found = search(evaluations=10_000)
    assert found.worst.instance == "special/plateau"
    assert found.as_expected
    enter(lambda it: Evidence(1.0, ""), hypotheses=(special,))
    assert search(evaluations=10_000).verdict is Verdict.untested


def test_nothing_is_computed_twice(enter, tmp_path):
    asked = enter(lambda it: Evidence(1.0, ""))
    first = search(store=Store(tmp_path))
    assert len(asked) == len(set(asked)) == 60
    second = search(store=Store(tmp_path))
    assert len(asked) == 60
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)


def test_the_budget_in_seconds_is_kept(enter):
    seen = []
    enter(lambda it: Evidence(1.0, ""))
    search(seconds=0.2, evaluations=None, progress=lambda tried, worst: seen.append((tried, worst.evidence.margin)))
    assert seen
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": None, "evaluations": None}, "needs a budget"),
        ({"seconds": 0.0}, "must be positive"),
        ({"seconds": math.nan}, "must be positive"),
        ({"evaluations": 0}, "must be positive"),
    ],
)
def test_budgets_that_are_none_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        falsify("mirror.flow", **options)


def test_unknown_theorems_are_refused():
    with pytest.raises(ValueError, match=r"no theorem is called 'mirror'.*near are .*mirror\.flow"):
        falsify("mirror")


# Command line


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(cli.console, "width", 130)
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path))

    def run(*arguments):
        result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    return run


def test_the_command_prints_one_that_repeats(run):
    result = run("falsify", "mirror.flow.printed", "--evaluations", 8, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "refuted, as expected" in result.output
    (repeat,) = [line.strip() for line in result.output.splitlines() if line.strip().startswith("repeat: ")]
    words = shlex.split(repeat.removeprefix("repeat: "))
    assert words[:4] == ["linreg-mirror", "check", "mirror.flow.printed", "--instance"]
    again = run(*words[1:])
    assert again.exit_code == 0
    assert "refuted, as expected" in again.output
    (margin,) = [line.split()[1].rstrip(";") for line in result.output.splitlines() if line.startswith("  margin ")]
    shown = (float(found) for found in re.findall(r"-\d[\d.]*(?:e[+-]\d+)?", again.output))
    assert pytest.approx(float(margin), rel=0.05) in list(shown)


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash", "fish"])
def test_names_mean_themselves_in_every_shell(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    name = "planted/geometric/3:n=6,d=20,targets=0.031,log_b=-7.5"
    done = subprocess.run([shell, "-c", f"printf %s {name}"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == name


def test_a_group_ends_in_a_table(run, enter):
    enter(lambda it: Evidence(1.0, ""))
    result = run("falsify", "test", "mirror.commuting", "--evaluations", 8, "--jobs", 1)
    assert result.exit_code == 0, result.output
    table = result.output[result.output.index("\ntheorem ") :]
    for name in ("test.temporary", "mirror.commuting", "mirror.commuting.penalty"):
        (row,) = [line.split() for line in table.splitlines() if line.split()[:1] == [name]]
        assert row[-1] == "survives"
        assert row[1:3] == ["8", "0"]


def test_a_true_theorem_that_is_refuted_ends_in_1(run, enter):
    enter(lambda it: Evidence(-1.0, "made [to] fail"))
    result = run("falsify", "test.temporary", "--evaluations", 8, "--jobs", 1)
    assert result.exit_code == 1
    assert "refuted, not expected" in result.output
    assert "made [to] fail" in result.output


def test_an_erratum_that_survives_ends_in_1(run, enter):
    enter(lambda it: Evidence(1.0, ""), expected=Verdict.refuted)
    result = run("falsify", "test.temporary", "--evaluations", 8, "--jobs", 1)
    assert result.exit_code == 1
    assert "survives, not expected" in result.output


def test_errors_are_told(run, enter):
    enter(lambda it: 1 / 0)
    result = run("falsify", "test.temporary", "--evaluations", 8, "--jobs", 1)
    assert result.exit_code == 1
    assert "8 could not be evaluated" in result.output
    assert "ZeroDivisionError: division by zero" in result.output


@pytest.mark.parametrize("arguments", [("nonsense",), ("mirror.flow", "--seconds", "0"), ("all", "--evaluations", "0")])
def test_bad_arguments_are_refused(run, arguments):
    result = run("falsify", *arguments)
    assert result.exit_code == 2
    assert "error" in result.output.lower()


@pytest.mark.slow
def test_a_short_search_refutes_errata_and_nothing_else(run):
    result = run("falsify", "all", "--evaluations", 40, "--jobs", 2)
    assert result.exit_code == 0, result.output


def test_a_search_proposes_only_instances_that_can_be_made():
    name = Name("breast_cancer", "log_cosh", 84, {"rows": 10})  # ten samples of one label
    with pytest.raises(ValueError, match="targets other than 0"):
        name.make()
    search = Search([("breast_cancer", "log_cosh")], np.random.default_rng(0))
    search._random = iter([name, Name("breast_cancer", "log_cosh", 0)]).__next__
    assert search.next(1, [], 0.0) == ["breast_cancer/log_cosh/0"]
