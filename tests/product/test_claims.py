"""Claims of experiments: effect, verdict, evidence, table, page, command."""

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.claims import EVIDENCE, text
from linreg_mirror import claims, cli
from linreg_mirror.claims import CLAIMS, Claim, Pair, Reproduction
from linreg_mirror.claims.effect import Effect, paired
from linreg_mirror.claims.equal_cost import at_equal_cost
from linreg_mirror.claims.findings import measure
from linreg_mirror.claims.verdict import combined, judge
from linreg_mirror.ledger import Citation

MARKUP = "<script>alert('x')</script> & \"[bold]this[/bold]\" <b>"
CLAIM = Claim(
    "made.up", Citation("ours", "nowhere"), "A is better than B.", "better", "elsewhere", (Pair("made-up", "A", "B"),),
    "nobody has looked",
)  # fmt: skip
SEEDS = (0, 1, 2)


def content(accuracies, **settings):
    """Return a stored comparison; accuracies by label and share, in the order of seeds."""
    recipe = {
        "data": {"name": "digits"}, "model": {"name": "mlp"}, "method": {"name": "dense"}, "epochs": 3, "batch": 64,
        "iterative": None,
    }  # fmt: skip
    return {
        "command": "linreg-mirror compare made-up",
        "best": {},
        "entries": [
            {"method": label, "label": label, "recipe": {**recipe, **settings.get(label, {}), "seed": seed}, "keep": []}
            for label in accuracies
            for seed in SEEDS
        ],
        "rows": [
            {"method": label, "label": label, "seed": seed, "keep": keep, "accuracy": accuracy}
            for label, shares in accuracies.items()
            for keep, found in shares.items()
            for seed, accuracy in zip(SEEDS, found, strict=False)
        ],
        "environment": {"version": "0", "commit": "abc", "machine": {"cpu": "slow"}},
    }


def collected(folder, accuracies, claim=CLAIM, **settings):
    (folder / "made_up.json").write_text(json.dumps(content(accuracies, **settings)), encoding="utf-8")
    return claims.collect(folder, [claim])


def rendered(renderable, width=250):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# Effect


def test_interval_by_hand():
    # Differences 1, 2, 6: mean 3, variance 7. With two degrees of freedom the quantile of t has a closed form.
    found = paired([0.11, 0.42, 0.26], [0.10, 0.40, 0.20])
    quantile = 0.95 / math.sqrt(2 * 0.975 * 0.025)
    assert found.mean == pytest.approx(0.03)
    assert found.high - found.mean == pytest.approx(quantile * math.sqrt(7e-4 / 3))
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_seeds_are_paired():
    """What seeds have in common does not widen the interval; out of order it would."""
    level = [0.1, 0.5, 0.9]
    found = paired([0.11, 0.52, 0.93], level)
    assert 0 < found.high - found.low < 0.06
    crossed = paired([0.52, 0.93, 0.11], level)
    assert crossed.high - crossed.low > 2


def test_one_seed_has_no_interval():
    assert paired([0.5], [0.25]) == Effect(0.25, -math.inf, math.inf)


# Reproduction


@pytest.mark.parametrize(
    ("low", "high", "better", "not_worse"),
    [
        (0.001, 0.003, "reproduced", "reproduced"),
        (0.02, 0.08, "reproduced", "reproduced"),
        (-0.001, 0.004, "not reproduced", "reproduced"),
        (-0.001, 0.006, "inconclusive", "reproduced"),
        (-0.011, 0.02, "inconclusive", "inconclusive"),
        (-0.011, -0.009, "not reproduced", "inconclusive"),
        (-0.03, -0.011, "not reproduced", "not reproduced"),
        (-math.inf, math.inf, "inconclusive", "inconclusive"),
        (math.nan, math.nan, "inconclusive", "inconclusive"),
    ],
)
def test_verdicts(low, high, better, not_worse):
    effect = Effect((low + high) / 2, low, high)
    assert judge(effect, "better") == Reproduction(better)
    assert judge(effect, "not worse") == Reproduction(not_worse)


def test_several_comparisons():
    yes, no, unknown = Reproduction.reproduced, Reproduction.not_reproduced, Reproduction.inconclusive
    assert combined([]) == Reproduction.not_measured
    assert combined([yes, yes]) == combined([yes, unknown]) == yes
    assert combined([no, unknown, no]) == no
    assert combined([yes, no]) == combined([unknown]) == unknown


# From stored comparisons


@pytest.mark.parametrize(
    ("gains", "relation", "verdict"),
    [
        ((0.02, 0.03, 0.04), "better", "reproduced"),
        ((-0.04, -0.03, -0.02), "better", "not reproduced"),
        ((0.000, 0.001, 0.002), "better", "not reproduced"),
        ((-0.02, 0.00, 0.04), "better", "inconclusive"),
        ((0.000, -0.001, -0.002), "not worse", "reproduced"),
        ((-0.06, -0.05, -0.04), "not worse", "not reproduced"),
        ((-0.02, 0.00, 0.04), "not worse", "inconclusive"),
    ],
)
def test_what_a_stored_comparison_says(tmp_path, gains, relation, verdict):
    evidence = collected(
        tmp_path,
        {
            # Shares above the claim's are the other way round, and do not count.
            "A": {1.0: [0.0] * 3, 0.3: [0.0] * 3, 0.2: [0.8 + g for g in gains], 0.1: [0.7 + g for g in gains]},
            "B": {1.0: [0.9] * 3, 0.3: [0.9] * 3, 0.2: [0.8] * 3, 0.1: [0.7] * 3},
        },
    )
    (finding,) = claims.evaluate(evidence, [replace(CLAIM, relation=relation)])
    assert finding.verdict == Reproduction(verdict)
    (entry,) = claims.as_json([finding])
    assert entry["verdict"] == verdict
    assert entry["unmeasured"] is None
    (one,) = entry["measurements"]
    assert one["effect"] == pytest.approx(sum(gains) / 3, abs=1e-12)
    assert one["low"] < one["effect"] < one["high"]
    assert [share["keep"] for share in one["by_share"]] == [0.2, 0.1]
    assert one["setting"] == "mlp on digits, 3 epochs, 3 seeds, 20, 10 % kept"
    assert one["seeds"] == [0, 1, 2]
    assert (one["command"], one["commit"]) == ("linreg-mirror compare made-up", "abc")
    json.dumps(entry, allow_nan=False)


def test_shares_count_the_same(tmp_path):
    evidence = collected(tmp_path, {"A": {0.2: [0.6] * 3, 0.1: [0.5] * 3}, "B": {0.2: [0.5] * 3, 0.1: [0.5] * 3}})
    one = measure(CLAIM, CLAIM.pairs[0], evidence["made-up"])
    assert one.effect.mean == pytest.approx(0.05)
    assert {keep: effect.mean for keep, effect in one.by_share.items()} == pytest.approx({0.2: 0.1, 0.1: 0.0})


@pytest.mark.parametrize(("first", "verdict"), [(0.51, "reproduced"), (0.49, "inconclusive")])
def test_who_has_hardly_trained_loses_nothing(tmp_path, first, verdict):
    accuracies = {"A": {0.2: [0.9] * 3, 0.1: [0.8] * 3}, "B": {0.2: [first] * 3, 0.1: [0.1] * 3}}
    evidence = collected(tmp_path, accuracies)
    assert claims.evaluate(evidence, [CLAIM])[0].verdict == Reproduction(verdict)


def test_a_run_that_diverged_decides_nothing(tmp_path):
    evidence = collected(tmp_path, {"A": {0.1: [0.9, 0.9, 0.9]}, "B": {0.1: [0.1, None, 0.1]}})
    (finding,) = claims.evaluate(evidence, [CLAIM])
    assert finding.verdict == Reproduction.inconclusive
    (entry,) = claims.as_json([finding])
    assert entry["measurements"][0]["effect"] is None
    assert "diverged" in rendered(claims.as_table([entry]))
    assert "10 %: diverged" in claims.as_html([entry])


def test_settings_are_those_that_all_runs_share(tmp_path):
    masked = {"A": {"method": {"name": "masked", "score": "snip"}, "lr": 0.2}}
    stored = content({"A": {0.1: [0.6] * 3}, "B": {0.1: [0.5] * 3}}, **masked)
    for entry, keep in zip(stored["entries"], (0.2, 0.1, 0.05), strict=False):
        entry["recipe"]["method"] = {**entry["recipe"]["method"], "keep": keep}
    (tmp_path / "made_up.json").write_text(json.dumps(stored), encoding="utf-8")
    settings = claims.collect(tmp_path, [CLAIM])["made-up"]["methods"]["A"]["settings"]
    assert settings["method"] == {"name": "masked", "score": "snip"}
    assert settings["lr"] == 0.2
    assert "seed" not in settings


def test_cycles_are_told(tmp_path):
    cycles = {label: {"iterative": {"rewind": "weights", "cycles": 12}} for label in "AB"}
    evidence = collected(tmp_path, {"A": {0.1: [0.6] * 3}, "B": {0.1: [0.5] * 3}}, **cycles)
    assert "12 cycles of 3 epochs" in rendered(claims.as_table(claims.as_json(claims.evaluate(evidence, [CLAIM]))))


def test_what_is_not_stored_was_not_measured():
    (finding,) = claims.evaluate({}, [CLAIM])
    assert finding.verdict == Reproduction.not_measured
    (entry,) = claims.as_json([finding])
    assert (entry["verdict"], entry["unmeasured"]) == ("not measured here", "nobody has looked")
    assert "nobody has looked" in rendered(claims.as_table([entry]))
    assert "nobody has looked" in claims.as_html([entry])


# At equal cost


def line(costs, shift=0.0):
    """Return runs on the line 0.9 + log10(cost)/10 + shift, which is straight in the logarithm of the cost."""
    return [(cost, 0.9 + math.log10(cost) / 10 + shift) for cost in costs]


def test_curves_are_compared_where_they_overlap():
    # Runs at different costs of curves two points apart, in any order; what lies outside the overlap does not count.
    ours = [line([0.5, 0.02, 0.1], 0.02), [*line([0.3, 0.03], 0.02), (0.001, 0.8)]]
    rivals = [[*line([0.03, 0.2]), (0.9, 0.999)], line([0.2, 0.01, 0.06])]
    effect, by_cost = at_equal_cost(ours, rivals)
    assert effect.mean == pytest.approx(0.02)
    costs = list(by_cost)
    assert (costs[0], costs[-1]) == (pytest.approx(0.03), pytest.approx(0.2))
    assert all(one.mean == pytest.approx(0.02) for one in by_cost.values())
    # Accuracies at the same place of the list, not at the same cost, say the opposite.
    assert sum(a for _, a in sorted(ours[1])) < sum(a for _, a in sorted(rivals[0]))


def test_seeds_are_paired_at_equal_cost():
    costs = [0.1, 0.3]
    ours, rivals = ([line(costs, shift + own) for shift in (-0.2, 0.0)] for own in (0.03, 0.0))
    assert at_equal_cost(ours, rivals)[0] == Effect(pytest.approx(0.03), pytest.approx(0.03), pytest.approx(0.03))


@pytest.mark.parametrize(
    "ours", [line([0.01, 0.02]), line([0.3]), [], [(0.1, 0.1), (0.3, 0.1)], [(0.1, math.nan), (0.3, math.nan)]]
)
def test_nothing_is_said_where_no_cost_is_common(ours):
    effect, by_cost = at_equal_cost([ours], [line([0.1, 0.3])])
    assert math.isnan(effect.mean)
    assert not by_cost
    assert judge(effect, "better") == judge(effect, "not worse") == Reproduction.inconclusive


def test_runs_that_have_hardly_trained_are_no_part_of_a_curve():
    collapsed = [*line([0.1, 0.3]), (0.15, 0.1)]
    assert at_equal_cost([collapsed], [line([0.1, 0.3])])[0].mean == pytest.approx(0)


def curves(folder, ours, rivals, **settings):
    """Collect a comparison of A and B, each with settings of its own; runs (cost, accuracy) of each seed."""
    made = content({}, **settings)
    recipe = {"data": {"name": "digits"}, "model": {"name": "mlp"}, "epochs": 3, "batch": 64, "iterative": None}
    for method, seeds in (("A", ours), ("B", rivals)):
        for seed, runs in enumerate(seeds):
            for k, (cost, accuracy) in enumerate(runs):
                label = f"{method}, lam {k}"
                own = {**recipe, "method": {"name": "l0", "lam": k}, "seed": seed}
                made["entries"].append({"method": method, "label": label, "recipe": own, "keep": [1.0, 0.1]})
                made["rows"] += [
                    {"method": method, "label": label, "seed": seed, "keep": 1.0, "accuracy": accuracy,
                     "left": 2 * cost, "operations": cost},
                    {"method": method, "label": label, "seed": seed, "keep": 0.1, "accuracy": 0.0,
                     "left": 0.0, "operations": 0.0},
                ]  # fmt: skip
    (folder / "made_up.json").write_text(json.dumps(made), encoding="utf-8")
    return claims.collect(folder, [AT_COST])


AT_COST = replace(CLAIM, pairs=(Pair("made-up", "A", "B", cost="operations"),))


def test_a_stored_comparison_at_equal_cost(tmp_path):
    gains = (0.02, 0.03, 0.04)
    ours, rivals = [line([0.05, 0.2], gain) for gain in gains], [line([0.1, 0.4])] * 3
    (finding,) = claims.evaluate(curves(tmp_path, ours, rivals), [AT_COST])
    assert finding.verdict == Reproduction.reproduced
    (entry,) = claims.as_json([finding])
    (one,) = entry["measurements"]
    assert one["effect"] == pytest.approx(0.03)
    assert one["setting"] == "mlp on digits, 3 epochs, 3 seeds, 10 to 20 % of the operations left"
    assert one["settings"] == {label: {**one["settings"]["A"], "method": {"name": "l0"}} for label in "AB"}
    assert one["cost"] == "operations"
    weights = replace(AT_COST, pairs=(Pair("made-up", "A", "B", cost="weights"),))
    evidence = claims.collect(tmp_path, [weights])
    (again,) = claims.as_json(claims.evaluate(evidence, [weights]))
    assert again["measurements"][0]["setting"].endswith("20 to 40 % of the weights left")


def test_a_run_that_diverged_is_no_part_of_a_curve(tmp_path):
    runs = [[*line([0.1, 0.4]), (0.2, None)]] * 3
    evidence = curves(tmp_path, runs, [line([0.1, 0.4])] * 3)
    assert evidence["made-up"]["curves"]["A"]["runs"][0]["operations"] == [0.1, 0.4]
    assert claims.evaluate(evidence, [AT_COST])[0].measurements[0].effect.mean == pytest.approx(0)


def test_nothing_in_common_is_told(tmp_path):
    (finding,) = claims.evaluate(curves(tmp_path, [line([0.1, 0.2])] * 3, [line([0.3, 0.4])] * 3), [AT_COST])
    assert finding.verdict == Reproduction.inconclusive
    entry = claims.as_json([finding])
    assert "no operations in common" in rendered(claims.as_table(entry))
    assert "nothing in common" in claims.as_html(entry)


def test_a_method_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no run has the method 'B', which a claim is about"):
        curves(tmp_path, [line([0.1])], [])
    evidence = curves(tmp_path, [line([0.1])], [line([0.1])])
    del evidence["made-up"]["curves"]["B"]
    with pytest.raises(ValueError, match="no run has the method 'B'; there are"):
        claims.evaluate(evidence, [AT_COST])


# What cannot be compared


@pytest.mark.parametrize("missing", ["A", "B"])
def test_a_label_that_is_not_there_is_an_error(tmp_path, missing):
    accuracies = {"A": {0.1: [0.6] * 3}, "B": {0.1: [0.5] * 3}}
    evidence = collected(tmp_path, accuracies)
    del accuracies[missing], evidence["made-up"]["methods"][missing]
    with pytest.raises(ValueError, match=f"no run has the label '{missing}', which a claim is about; there are"):
        collected(tmp_path, accuracies)
    with pytest.raises(ValueError, match=f"made.up on made-up: no run has the label '{missing}'"):
        claims.evaluate(evidence, [CLAIM])


def test_both_sides_must_be_alike(tmp_path):
    accuracies = {"A": {0.1: [0.6] * 3}, "B": {0.1: [0.5] * 3}}
    evidence = collected(tmp_path, accuracies, A={"epochs": 4, "lr": 0.5})
    with pytest.raises(ValueError, match="A and B differ in epochs: train both alike"):
        claims.evaluate(evidence, [CLAIM])
    evidence = collected(tmp_path, accuracies, A={"lr": 0.5})
    assert claims.evaluate(evidence, [CLAIM])[0].verdict == Reproduction.reproduced


def test_seeds_must_be_the_same(tmp_path):
    evidence = collected(tmp_path, {"A": {0.1: [0.5] * 3}, "B": {0.1: [0.4] * 2}})
    with pytest.raises(ValueError, match=r"seeds are \[0, 1, 2\] and \[0, 1\]"):
        claims.evaluate(evidence, [CLAIM])


def test_there_must_be_a_share_that_the_claim_is_about(tmp_path):
    evidence = collected(tmp_path, {"A": {1.0: [0.5] * 3, 0.1: [0.5] * 3}, "B": {1.0: [0.4] * 3, 0.05: [0.4] * 3}})
    with pytest.raises(ValueError, match=r"no share up to 0\.2 was measured of both"):
        claims.evaluate(evidence, [CLAIM])


@pytest.mark.parametrize(
    "written", ["", "[]", "{}", '{"rows": [{"label": "A"}, {"label": "B"}], "environment": {}}', '{"rows": null}']
)
def test_files_that_hold_no_comparison(tmp_path, written):
    (tmp_path / "made-up.json").write_text(written, encoding="utf-8")
    with pytest.raises(ValueError, match=r"made-up\.json is no comparison as `linreg-mirror compare` writes it now"):
        claims.collect(tmp_path, [CLAIM])


def test_folders_without_comparisons(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        claims.collect(tmp_path / "nowhere", [CLAIM])
    with pytest.raises(ValueError, match="run `linreg-mirror compare` on one of made-up first"):
        claims.collect(tmp_path, [CLAIM])


def test_what_compare_writes_is_read(tmp_path):
    pytest.importorskip("torch")
    from linreg_mirror.networks.recipes import Comparison, Entry, Recipe
    from linreg_mirror.networks.training import write

    entries = tuple(Entry(label, label, Recipe(seed=seed), (1.0, 0.1)) for label in "AB" for seed in SEEDS)
    rows = [
        {"method": entry.label, "label": entry.label, "seed": entry.recipe.seed, "keep": keep, "accuracy": accuracy}
        for entry in entries
        for keep, accuracy in ((1.0, 0.9), (0.1, {"A": 0.7, "B": 0.6}[entry.label]))
    ]
    write(rows, Comparison(entries), tmp_path, "made-up", "a command")
    (finding,) = claims.evaluate(claims.collect(tmp_path, [CLAIM]), [CLAIM])
    (one,) = finding.measurements
    assert one.effect.mean == pytest.approx(0.1)
    assert one.settings["model"] == {"name": "mlp"}


# What comes with the package


def test_the_evidence_is_what_the_stored_results_give():
    assert EVIDENCE.read_text(encoding="utf-8") == text()


def test_the_page_on_experiments_counts_the_verdicts():
    page = (Path(__file__).parents[2] / "docs" / "experiments.rst").read_text(encoding="utf-8")
    assert claims.summary(claims.as_json(claims.evaluate())) in " ".join(page.split())


def test_ids_are_different_and_every_claim_says_why_it_may_be_unmeasured():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    assert all(claim.unmeasured and claim.published for claim in CLAIMS)
    assert {claim.source.paper for claim in CLAIMS} == {"MM", "SK", "DL"}


@pytest.mark.parametrize("recipe", sorted({pair.recipe for claim in CLAIMS for pair in claim.pairs}))
def test_recipes_compare_what_claims_are_about(recipe):
    pytest.importorskip("torch")
    from linreg_mirror.networks.recipes import read_comparison

    comparison = read_comparison(recipe)
    methods = Counter(entry.method for entry in comparison.entries if entry.recipe.seed == 0)
    for pair, most in [(pair, claim.most) for claim in CLAIMS for pair in claim.pairs if pair.recipe == recipe]:
        for side in (pair.method, pair.rival):
            if pair.cost:
                assert methods[side] > 1
            else:
                shares = [keep for entry in comparison.entries if entry.label == side for keep in entry.keep]
                assert min(shares) <= most


def test_showing_claims_needs_no_torch():
    code = (
        "import sys; from linreg_mirror import claims; claims.as_json(claims.evaluate()); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# Table, page, command


def test_the_table_has_a_line_for_each_measurement(tmp_path):
    claim = replace(CLAIM, pairs=(Pair("made-up", "A", "B"), Pair("made-up", "A", "C"), Pair("absent", "A", "B")))
    shares = {"A": {0.1: [0.52, 0.53, 0.54]}, "B": {0.1: [0.5] * 3}, "C": {0.1: [0.9] * 3}}
    entries = claims.as_json(claims.evaluate(collected(tmp_path, shares, claim), [claim]))
    lines = [line for line in rendered(claims.as_table(entries)).splitlines() if "made-up" in line]
    assert len(lines) == 2
    # The interval by hand: 3 +- 4.3027 * 1 / sqrt 3.
    assert lines[0].split()[0] == "made.up"
    assert lines[0].rstrip().endswith("+3.00 [+0.52, +5.48]  reproduced")
    assert "A over C" in lines[1]
    assert lines[1].rstrip().endswith("not reproduced")
    assert "made.up" not in lines[1]
    (line,) = [line for line in rendered(claims.as_table(entries)).splitlines() if "together" in line]
    assert line.rstrip().endswith("inconclusive")
    page = claims.as_html(entries)
    assert page.count("linreg-mirror compare made-up") == 2
    assert "rowspan=3" in page
    assert [page.count(f">{one}</td>") for one in ("reproduced", "not reproduced", "inconclusive")] == [1, 1, 1]
    assert entries[0]["recipes"] == ["made-up", "made-up", "absent"]
    assert claims.summary(entries) == (
        "1 claim of experiments: 0 reproduced, 0 not reproduced, 1 inconclusive, 0 not measured here"
    )


def test_the_page_escapes_markup(tmp_path):
    claim = replace(
        CLAIM, id=MARKUP, source=Citation("ours", MARKUP), statement=MARKUP, published=MARKUP, unmeasured=MARKUP,
        pairs=(Pair("made-up", MARKUP, "B"),),
    )  # fmt: skip
    evidence = collected(tmp_path, {MARKUP: {0.1: [0.5] * 3}, "B": {0.1: [0.4] * 3}}, claim)
    for known in ({}, evidence):
        entries = claims.as_json(claims.evaluate(known, [claim]))
        assert "<script" not in claims.as_html(entries)
        assert "[bold]this[/bold]" in rendered(claims.as_table(entries), width=900)


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_the_command_lists_all_claims(monkeypatch):
    monkeypatch.setattr(cli.console, "width", 250)
    result = run("claims")
    assert result.exit_code == 0, result.output
    names = {line.split()[0] for line in result.output.splitlines() if line.split()}
    assert names >= {claim.id for claim in CLAIMS}
    assert f"{len(CLAIMS)} claims of experiments" in result.output


def test_the_command_judges_comparisons_of_ones_own(monkeypatch, tmp_path):
    monkeypatch.setattr(cli.console, "width", 250)
    stored = content({"PILoT": {0.1: [0.6] * 3}, "dense": {0.1: [0.5] * 3}})
    (tmp_path / "imp-digits.json").write_text(json.dumps(stored), encoding="utf-8")
    result = run("claims", "--results", tmp_path)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("iterative.imp")]
    assert line.rstrip().endswith("reproduced")
    assert "1 reproduced, 0 not reproduced, 0 inconclusive" in result.output


def test_the_command_refuses_folders_without_comparisons(tmp_path):
    result = run("claims", "--results", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "there is no folder" in result.output
