"""Checking the ledger: failures of single instances, the store, processes, plans."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from linreg_mirror.ledger import (
    FAMILIES,
    SETTINGS,
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Theorem,
    Verdict,
    grid,
    instance,
    spread,
)
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Shard
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import Finding, check, evaluation, plan, select
from linreg_mirror.verification.evaluation import Record, evaluate

HERE = ("special/crossing", "special/plateau", "special/tight-rate")


@pytest.fixture
def enter(monkeypatch):
    """Enter a temporary theorem into the ledger; its control fails, and its calls are counted."""

    def enter(observe, name="test.temporary", control_margin=-1.0, **changes):
        calls = []

        def counted(it, wrong=False):
            calls.append((it.name, wrong))
            return Evidence(control_margin, "the control") if wrong else observe(it)

        entered = Theorem(
            name,
            Citation("ours", "a test"),
            "a statement",
            "identity",
            counted,
            Control("a wrong constant", "special/crossing", {"wrong": True}),
        )
        monkeypatch.setitem(REGISTRY, name, replace(entered, **changes))
        return calls

    return enter


def good(it):
    return Evidence(0.5, "fine")


def breaks_on_plateau(it):
    if it.name == "special/plateau":
        raise ZeroDivisionError("no luck\nhere")
    return good(it)


def without_seconds(findings):
    return [
        (
            finding.theorem.id,
            finding.verdict,
            [replace(record, seconds=0.0) for record in finding.records],
            finding.control and replace(finding.control, seconds=0.0),
        )
        for finding in findings
    ]


# Failures


def test_a_theorem_that_raises_becomes_a_record_and_the_rest_is_kept(enter):
    enter(breaks_on_plateau)
    enter(good, "test.other")
    broken, other = check(["test"], instances=HERE)
    assert broken.verdict is Verdict.error
    assert not broken.as_expected
    assert [(r.instance, r.evidence) for r in broken.records] == [
        ("special/crossing", Evidence(0.5, "fine")),
        ("special/plateau", None),
        ("special/tight-rate", Evidence(0.5, "fine")),
    ]
    assert broken.records[1].error.startswith("ZeroDivisionError: no luck")
    assert "breaks_on_plateau" in broken.records[1].error
    assert broken.worst is broken.records[1]
    assert broken.repeat == "linreg-mirror check test.temporary --instance special/plateau"
    assert broken.control_failed
    assert other.verdict is Verdict.holds
    assert other.as_expected
    assert len(other.records) == 3


def test_an_error_is_told_in_one_line(enter):
    enter(breaks_on_plateau)
    (finding,) = check(["test.temporary"], instances=["special/plateau"])
    assert len(finding.records[0].error.splitlines()) == 1


def test_a_hypothesis_that_raises_is_an_error_too(enter):
    def test(it):
        raise LookupError("what is this instance?")

    enter(good, hypotheses=(Hypothesis("odd", test),))
    (finding,) = check(["test.temporary"], instances=["special/crossing"])
    assert finding.verdict is Verdict.error
    assert "LookupError: what is this instance?" in finding.records[0].error


def test_a_control_that_raises_is_an_error(enter):
    enter(good, control=Control("unheard-of constant", "special/crossing", {"nonsense": 1}))
    (finding,) = check(["test.temporary"], instances=["special/plateau"])
    assert finding.verdict is Verdict.error
    assert finding.control.error.startswith("TypeError")
    assert not finding.control_failed
    assert not finding.as_expected


def test_a_control_that_does_not_fail_leaves_the_theorem_untested(enter):
    enter(good, control=Control("nothing is wrong", "special/crossing"))
    (finding,) = check(["test.temporary"], instances=HERE)
    assert finding.verdict is Verdict.untested
    assert not finding.control_failed


def test_a_control_that_gives_nan_is_not_seen_to_fail(enter):
    enter(good, control_margin=math.nan)
    (finding,) = check(["test.temporary"], instances=HERE)
    assert not finding.control_failed
    assert not finding.as_expected


def test_the_instance_that_cannot_be_made_does_not_stop_the_others(enter, monkeypatch):
    def no_problem(rng):
        raise OSError("the data set is not there")

    enter(good)
    monkeypatch.setitem(FAMILIES, "dense", no_problem)
    (finding,) = check(["test.temporary"])
    failed = [r for r in finding.records if r.evidence is None]
    assert finding.verdict is Verdict.error
    assert {r.instance.split("/")[0] for r in failed} == {"dense"}
    assert all("the data set is not there" in r.error for r in failed)
    assert len(finding.records) == len(grid(1))


def test_the_worst_record_is_one_that_fails(enter):
    enter(lambda it: Evidence(math.nan if it.name == "special/plateau" else 0.5, "maybe"))
    (finding,) = check(["test.temporary"], instances=HERE)
    assert finding.verdict is Verdict.refuted
    assert finding.worst.instance == "special/plateau"
    assert finding.repeat.endswith("--instance special/plateau")


def test_an_error_is_worse_than_any_margin():
    entered = REGISTRY["mirror.flow"]
    records = (
        Record(entered.id, "a", False, Evidence(-9.0, "")),
        Record(entered.id, "b", False, None, "ValueError: no"),
        Record(entered.id, "c", False, Evidence(-1e9, "")),
    )
    assert Finding(entered, Verdict.error, records, None).worst is records[1]
    assert Finding(entered, Verdict.refuted, records[::2], None).worst is records[2]
    assert Finding(entered, Verdict.untested, (), None).worst is None


# Store


def test_the_second_run_reads(enter, tmp_path):
    calls = enter(good)
    store = Store(tmp_path)
    first = check(["test.temporary"], instances=HERE, store=store)
    assert len(calls) == 4  # three instances, and the control on one of them
    second = check(["test.temporary"], instances=HERE, store=store)
    assert len(calls) == 4
    assert without_seconds(first) == without_seconds(second)
    assert second[0].records == first[0].records


def test_fresh_computes_and_stores(enter, tmp_path):
    margins = iter([0.25] * 3 + [0.75] * 3)
    calls = enter(lambda it: Evidence(next(margins), ""))
    store = Store(tmp_path)
    check(["test.temporary"], instances=HERE, store=store)
    (fresh,) = check(["test.temporary"], instances=HERE, store=store, fresh=True)
    assert len(calls) == 8
    assert {r.evidence.margin for r in fresh.records} == {0.75}
    (read,) = check(["test.temporary"], instances=HERE, store=store)
    assert len(calls) == 8
    assert {r.evidence.margin for r in read.records} == {0.75}


def test_only_what_is_missing_is_computed(enter, tmp_path):
    calls = enter(good)
    check(["test.temporary"], instances=HERE[:1], store=Store(tmp_path))
    del calls[:]
    (finding,) = check(["test.temporary"], instances=HERE, store=Store(tmp_path))
    assert sorted(calls) == [("special/plateau", False), ("special/tight-rate", False)]
    assert len(finding.records) == 3


def test_results_of_other_code_are_not_read(enter, tmp_path, monkeypatch):
    calls = enter(good)
    check(["test.temporary"], instances=HERE, store=Store(tmp_path))
    monkeypatch.setattr(evaluation, "fingerprint", lambda *_: "other code")
    check(["test.temporary"], instances=HERE, store=Store(tmp_path))
    assert len(calls) == 8


@pytest.mark.parametrize("margin", [math.nan, -math.inf, math.inf, 1e-300])
def test_stored_evidence_is_read_as_it_was(enter, tmp_path, margin):
    enter(lambda it: Evidence(margin, "odd", 0.125))
    for _ in range(2):
        (finding,) = check(["test.temporary"], instances=["special/plateau"], store=Store(tmp_path))
        assert repr(finding.records[0].evidence) == repr(Evidence(margin, "odd", 0.125))


def test_errors_are_not_kept_in_the_store(enter, tmp_path):
    calls = enter(breaks_on_plateau)
    for _ in range(2):
        (finding,) = check(["test.temporary"], instances=HERE, store=Store(tmp_path))
        assert finding.verdict is Verdict.error
    assert calls.count(("special/plateau", False)) == 2
    assert calls.count(("special/tight-rate", False)) == 1


# Processes


def test_two_processes_find_what_one_finds(tmp_path):
    patterns, names = ["mirror.flow", "mirror.conservation", "signs"], ["planted/biased/0", *HERE]
    one = check(patterns, instances=names, jobs=1)
    two = check(patterns, instances=names, jobs=2, store=Store(tmp_path))
    assert without_seconds(one) == without_seconds(two)
    assert without_seconds(one) == without_seconds(check(patterns, instances=names, jobs=2, store=Store(tmp_path)))
    assert sum(len(finding.records) for finding in one) > len(names)


def test_progress_counts_to_the_end(enter):
    enter(good)
    seen = []
    check(["test.temporary"], instances=HERE, progress=lambda task, done, total: seen.append((task.instance, done)))
    assert seen == [(name, k) for k, name in enumerate(HERE, start=1)]


# Selection and plan


def test_patterns_are_ids_or_beginnings_at_a_dot():
    assert [t.id for t in select(["mirror.flow.printed"])] == ["mirror.flow.printed"]
    assert {t.id for t in select(["mirror.flow"])} == {
        "mirror.flow", "mirror.flow.printed", "mirror.flow.printed_literal", "mirror.flow.literal_mended",
    }  # fmt: skip
    assert select([]) == list(REGISTRY.values())
    both = select(["signs", "mirror.flow.printed"])
    assert [t.id for t in both] == [i for i in REGISTRY if i.startswith("signs.") or i == "mirror.flow.printed"]


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("mirror.flo", "near are .*mirror.flow"),
        ("mirror.", "near are .*mirror"),
        ("Mirror", "near are .*mirror"),
        ("saddle", "near are .*saddles"),
        ("", "groups of theorems are bars, .*convergence, .*gates"),
        ("nonsense", "groups of theorems are bars, .*convergence, .*gates"),
    ],
)
def test_unknown_patterns_raise_with_names_that_are_near(pattern, near):
    with pytest.raises(ValueError, match=rf"no theorem is called {pattern!r} or begins so: {near}.* lists all"):
        check(["mirror.flow", pattern])


def test_unknown_instances_raise(enter):
    calls = enter(good)
    with pytest.raises(ValueError, match="there is no instance 'planted/nope/0'"):
        check(["test.temporary"], instances=["special/crossing", "planted/nope/0"])
    assert calls == []


def test_the_plan_holds_grid_extremal_instances_and_witnesses():
    tasks = plan(REGISTRY.values(), None, 2)
    by_name = {task.instance: task for task in tasks}
    assert len(by_name) == len(tasks)
    for name in grid(2):
        assert by_name[name].theorems == tuple(REGISTRY)
    for entered in REGISTRY.values():
        assert entered.id in by_name[entered.control.witness].controls
        for name in entered.extremal:
            assert entered.id in by_name[name].theorems
    assert sum(len(task.controls) for task in tasks) == len(REGISTRY)
    assert any(name.startswith("special/") for name in by_name)


def test_the_plan_for_named_instances_adds_witnesses_for_controls_only():
    tasks = plan([REGISTRY["convergence.rate"]], ["planted/plain/0", "planted/plain/0"], 1)
    assert [(t.instance, t.theorems, t.controls) for t in tasks] == [
        ("planted/plain/0", ("convergence.rate",), ()),
        ("special/tight-rate", (), ("convergence.rate",)),
    ]


def test_the_quick_plan_has_one_instance_a_theorem_and_all_controls():
    tasks = plan(REGISTRY.values(), None, quick=True)
    assert sorted(name for task in tasks for name in task.theorems) == sorted(REGISTRY)
    assert sorted(name for task in tasks for name in task.controls) == sorted(REGISTRY)
    for task in tasks:
        here = instance(task.instance)
        assert all(REGISTRY[name].applies_to(here) for name in task.theorems)


def test_a_quick_check_is_one_of_a_part(enter):
    calls = enter(good)
    (finding,) = check(["test.temporary"], quick=True)
    assert (len(finding.records), len(calls)) == (1, 2)
    assert finding.partial
    assert finding.as_expected


def test_a_task_is_evaluated_on_one_instance_once(enter):
    calls = enter(good)
    tasks = plan([REGISTRY["test.temporary"]], ["special/crossing"])
    ((_, records, missing),) = evaluate(tasks)
    assert calls == [("special/crossing", False), ("special/crossing", True)]
    assert [(r.control, r.evidence.holds) for r in records] == [(False, True), (True, False)]
    assert all(r.seconds >= 0 for r in records)
    assert missing == []


def test_a_narrower_check_reads_what_a_wider_one_stored(enter, tmp_path):
    calls, others = enter(good), enter(good, name="test.other")
    check(["test"], instances=HERE, store=Store(tmp_path))
    before = len(calls), len(others)
    check(["test.temporary"], instances=HERE[:2], store=Store(tmp_path))
    assert (len(calls), len(others)) == before


def test_instances_passed_over_are_not_asked_again(enter, tmp_path):
    never = Hypothesis("never", lambda it: False)
    calls = enter(good, hypotheses=(never,))
    for _ in range(2):
        (finding,) = check(["test.temporary"], instances=HERE, store=Store(tmp_path))
        assert finding.verdict is Verdict.untested
    assert calls == [("special/crossing", True)]


# Parts of the grid, and shards


def test_a_number_of_instances_is_spread_over_the_grid():
    whole = len(FAMILIES) * len(SETTINGS)
    assert sorted(spread(2 * whole)) == sorted(grid(2))
    for count in (len(FAMILIES), len(SETTINGS), 2 * len(SETTINGS), whole + 5):
        names = spread(count)
        assert len(set(names)) == count
        for part, kinds in ((0, FAMILIES), (1, SETTINGS)):
            seen = Counter(name.split("/")[part] for name in names)
            assert max(seen.values()) - min(seen[kind] for kind in kinds) <= 1
    assert spread(whole + 1)[-1].endswith("/1")


def test_the_plan_for_a_number_holds_extremal_instances_and_witnesses():
    tasks = {task.instance: task for task in plan([REGISTRY["convergence.rate"]], 5)}
    assert tasks.keys() == {*spread(5), "special/tight-rate"}
    assert tasks["special/tight-rate"].theorems == tasks["special/tight-rate"].controls == ("convergence.rate",)


def test_an_instance_has_one_name(enter, tmp_path):
    calls = enter(good)
    names = ["planted/plain/0:d=20,n=14", "planted/plain/0:d=20"]
    (finding,) = check(["test.temporary"], instances=names, store=Store(tmp_path))
    assert [record.instance for record in finding.records] == ["planted/plain/0:d=20"]
    assert len(calls) == 2


def test_named_instances_need_not_refute_an_erratum(enter):
    enter(lambda it: Evidence(-1.0 if it.name == "special/plateau" else 1.0, ""), expected=Verdict.refuted)
    for names, verdict in ((HERE[:1], Verdict.holds), (HERE, Verdict.refuted)):
        (finding,) = check(["test.temporary"], instances=names)
        assert finding.verdict is verdict
        assert finding.as_expected


def test_the_whole_grid_must_refute_an_erratum(enter):
    enter(good, expected=Verdict.refuted)
    (finding,) = check(["test.temporary"])
    assert not finding.partial
    assert not finding.as_expected


def test_shards_together_are_the_whole(enter, tmp_path):
    calls = enter(good)
    store = Store(tmp_path)
    for i in range(1, 4):
        (finding,) = check(["test.temporary"], instances=20, store=store, shard=Shard(i, 3))
        assert finding.as_expected
        assert len(finding.records) + finding.missing + (finding.control is not None) <= 22
        assert (finding.missing == 0) == (i == 3)
    assert len(calls) == 21
    (whole,) = check(["test.temporary"], instances=20, store=store)
    assert len(calls) == 21
    assert len(whole.records) == 20
    assert whole.control_failed
    assert without_seconds([whole]) == without_seconds(check(["test.temporary"], instances=20))


def test_a_shard_tells_what_fails_in_it(enter, tmp_path):
    enter(lambda it: Evidence(-1.0, ""))
    findings = [
        check(["test.temporary"], instances=20, store=Store(tmp_path / str(i)), shard=Shard(i, 3))[0] for i in (1, 2, 3)
    ]
    assert all(finding.missing and finding.partial and not finding.as_expected for finding in findings)
    assert sum(finding.control is not None for finding in findings) == 1


def test_what_hypotheses_rule_out_has_one_file_an_instance_and_group(tmp_path):
    names = ["planted/plain/0", "planted/constant/0"]
    first = check(["mirror", "spred"], instances=names, store=Store(tmp_path))
    kept = [settings for settings, _ in Store(tmp_path).records() if settings["what"] == "check"]
    evaluated = sum(len(finding.records) + (finding.control is not None) for finding in first)
    assert len(kept) == evaluated
    lists = {
        (settings["instance"], settings["group"]): record["unmet"]
        for settings, record in Store(tmp_path).records()
        if settings["what"] == "hypotheses"
    }
    assert set(lists) == {(name, group) for name in names for group in ("mirror", "spred")}
    for (name, group), unmet in lists.items():
        subject = instance(name)
        of_group = [t for t in REGISTRY.values() if t.id.startswith(f"{group}.")]
        assert set(unmet) == {t.id for t in of_group if not t.applies_to(subject)}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert without_seconds(check(["mirror", "spred"], instances=names, store=Store(tmp_path))) == without_seconds(first)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_theorem_that_is_new_since_the_hypotheses_were_listed_is_evaluated(enter, tmp_path):
    enter(good, "test.older")
    check(["test"], instances=HERE, store=Store(tmp_path))
    enter(good)
    check(["test"], instances=HERE, store=Store(tmp_path))
    for _ in range(2):
        findings = {finding.theorem.id: finding for finding in check(["test"], instances=HERE, store=Store(tmp_path))}
        assert [record.instance for record in findings["test.temporary"].records] == sorted(HERE)


def test_a_fresh_check_forgets_what_hypotheses_once_ruled_out(enter, tmp_path):
    enter(good, "test.other")
    enter(good, hypotheses=(Hypothesis("never", lambda it: False),))
    both = ["test.temporary", "test.other"]
    found = {finding.theorem.id: finding for finding in check(both, instances=HERE, store=Store(tmp_path))}
    assert not found["test.temporary"].records
    enter(good)  # the same theorem, its hypothesis mended, which no fingerprint of the package's code tells
    (mended,) = check(["test.temporary"], instances=HERE, store=Store(tmp_path), fresh=True)
    assert len(mended.records) == len(HERE)
    (again,) = check(["test.temporary"], instances=HERE, store=Store(tmp_path))
    assert without_seconds([again]) == without_seconds([mended])
