"""Methods side by side: every run at every sparsity, means with intervals, the best of several settings."""

import json
import math
import re
import shutil
import warnings
from dataclasses import replace

import pytest
import torch
from filelock import FileLock
from scipy import stats

from linreg_mirror.networks import data
from linreg_mirror.networks.recipes import Comparison, Entry, Recipe
from linreg_mirror.networks.training import _compare as module
from linreg_mirror.networks.training import as_table, best, compare, draw, intervals, train
from linreg_mirror.networks.training.runs import run_folder

SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=3, batch=100)
METHODS = {"dense": {"name": "dense"}, "L1": {"name": "l1", "alpha": 1e-3, "proximal": True}}
BAD = replace(SMALL, lr=1e30)


def entries(label, *recipes, keep=(1.0, 0.2, 0.05)):
    return tuple(Entry(label, label, recipe, keep) for recipe in recipes)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    runs = [entries(label, *(replace(SMALL, method=METHODS[label], seed=seed) for seed in (0, 1))) for label in METHODS]
    comparison = Comparison(runs[0] + runs[1])
    before = torch.get_num_threads()
    rows = compare(comparison, results=folder)
    assert torch.get_num_threads() == before  # of this process, in which one run at a time has one
    return comparison, folder, rows


def row(label, keep, accuracy, method=None, **others):
    return {"method": method or label, "label": label, "seed": 0, "keep": keep, "accuracy": accuracy} | others


def test_every_run_at_every_sparsity(compared):
    comparison, folder, rows = compared
    assert [(one["label"], one["seed"], one["keep"]) for one in rows] == [
        (label, seed, keep) for label in METHODS for seed in (0, 1) for keep in (1.0, 0.2, 0.05)
    ]
    recipe = comparison.entries[3].recipe
    alone = train(recipe, folder=run_folder(recipe, folder), progress=lambda record: pytest.fail("it trains again"))
    assert rows[-1]["accuracy"] == alone.pruned(0.05)["accuracy"]
    # Of 64*16 + 16*10 weights; each is used once.
    assert rows[-1]["left"] == rows[-1]["operations"] == 59 / 1184
    # 15 steps an epoch, and lr/(1 - momentum) = 1 at its height: half of it on average, up to one step.
    assert rows[-1]["decay"] == pytest.approx(3 * 15 * 0.5 * 1e-3, rel=0.03)


def test_intervals_by_hand(compared):
    _, _, rows = compared
    a, b = (row["accuracy"] for row in rows if row["label"] == "L1" and row["keep"] == 0.2)
    (found,) = (row for row in intervals(rows) if row["label"] == "L1" and row["keep"] == 0.2)
    assert found["accuracy"] == pytest.approx((a + b) / 2)
    # Two values: standard error |a - b|/2, t quantile of one degree of freedom.
    assert found["half"] == pytest.approx(stats.cauchy.ppf(0.975) * abs(a - b) / 2)
    assert as_table(rows).row_count == 2
    assert [text.get_text() for text in draw(rows).axes[0].get_legend().get_texts()] == ["dense", "L1"]


def test_a_method_that_diverges_does_not_stop_the_others(tmp_path):
    both = entries("bad", BAD) + entries("good", SMALL) + entries("half", SMALL, replace(BAD, seed=1))
    rows = compare(Comparison(both), results=tmp_path)
    assert "the loss of epoch 1" in rows[0]["error"]
    assert str(tmp_path) not in rows[0]["error"]
    found = {row["label"]: row for row in intervals(rows) if row["keep"] == 0.2}
    assert [(row["runs"], row["diverged"]) for row in found.values()] == [(0, 1), (1, 0), (1, 1)]
    assert math.isnan(found["bad"]["accuracy"])
    assert found["half"]["accuracy"] == found["good"]["accuracy"]
    cells = [list(column.cells) for column in as_table(rows).columns]
    assert cells[1][0] == "-"
    assert cells[1][2] == cells[1][1]
    assert cells[-1] == ["1", "", "1"]
    assert [text.get_text() for text in draw(rows).axes[0].get_legend().get_texts()] == [
        "bad (diverged)",
        "good",
        "half",
    ]


def test_what_all_runs_warn_of_is_said_once(tmp_path, monkeypatch):
    changed = replace(data.load("digits"), unverified=("batch_1",))
    monkeypatch.setattr(data, "load", lambda **_: changed)
    recipes = (replace(SMALL, epochs=1, seed=seed) for seed in (0, 1, 2))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        compare(Comparison(entries("dense", *recipes, keep=(0.2,))), results=tmp_path)
    assert ["by their checksums batch_1" in str(one.message) for one in told] == [True]


def test_what_is_the_same_is_run_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "train", lambda recipe, **others: seen.append(recipe) or train(recipe, **others))
    twins = entries("first", SMALL, keep=(1.0, 0.2)) + entries("second", SMALL, keep=(0.1,))
    rows = compare(Comparison(twins), results=tmp_path)
    assert len(seen) == 1
    assert [(row["label"], row["keep"]) for row in rows] == [("first", 1.0), ("first", 0.2), ("second", 0.1)]


def test_runs_of_a_table_are_not_made_again(compared, tmp_path, monkeypatch):
    comparison, _, rows = compared
    saved, seen = [], []
    monkeypatch.setattr(module, "train", lambda recipe, **others: seen.append(recipe) or train(recipe, **others))
    first = [row for row in rows if (row["label"], row["seed"]) != ("L1", 1)]
    again = compare(comparison, results=tmp_path, stored=first, save=lambda rows: saved.append(list(rows)))
    assert [(recipe.method["name"], recipe.seed) for recipe in seen] == [("l1", 1)]
    assert again == rows == saved[-1]
    assert len(saved) == 1
    # Rows of other settings, or for other shares, are of no use.
    longer = Comparison(entries("dense", replace(SMALL, epochs=1)) + entries("dense", SMALL, keep=(1.0, 0.3)))
    compare(longer, results=tmp_path, stored=rows)
    assert len(seen) == 3
    # What is behind the name of a user's module can have changed.
    theirs = replace(SMALL, model={"name": "mine:network"})
    assert module._named_within(SMALL)
    assert not module._named_within(theirs)
    assert not module._named_within(replace(SMALL, data={"name": "folder"}))


def test_the_command_goes_on_from_its_table(command, tmp_path, monkeypatch):
    file = tmp_path / "one.toml"
    file.write_text("epochs = 1\n[compare]\nkeep = [0.1]\n[compare.methods.dense]\n", encoding="utf-8")
    assert command("compare", file, "--jobs", 1, "--output", tmp_path / "out").exit_code == 0
    path = tmp_path / "out" / "one.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    shutil.rmtree(tmp_path / "results" / "runs")
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("it trains again"))
    assert command("compare", file, "--jobs", 1, "--output", tmp_path / "out").exit_code == 0
    assert json.loads(path.read_text(encoding="utf-8"))["rows"] == before["rows"]
    path.write_text("{", encoding="utf-8")
    result = command("compare", file, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "delete it to start again" in result.output.replace("\n", " ")


def test_accuracy_is_the_recalibrated_one_where_there_is_one():
    rows = [row("a", 0.1, 0.2, recalibrated=0.6), row("b", 0.1, 0.3, recalibrated=0.5), row("c", 0.1, 0.4)]
    assert [one["accuracy"] for one in intervals(rows)] == [0.6, 0.5, 0.4]
    assert [one["accuracy"] for one in intervals(rows, lambda row: row["accuracy"])] == [0.2, 0.3, 0.4]
    assert best([one | {"method": "m"} for one in rows]) == {"m": "a"}


def test_the_best_settings_by_hand():
    rows = [
        row("a, lr 1", 1.0, 0.9, "a"), row("a, lr 1", 0.1, 0.5, "a"), row("a, lr 1", 0.05, 0.4, "a"),
        row("a, lr 2", 1.0, 0.1, "a"), row("a, lr 2", 0.1, 0.2, "a"), row("a, lr 2", 0.05, 0.8, "a"),
        row("a, lr 3", 1.0, None, "a"), row("a, lr 3", 0.1, None, "a"), row("a, lr 3", 0.05, None, "a"),
        row("b", 1.0, None), row("b", 0.1, None),
    ]  # fmt: skip
    assert best(rows) == {"a": "a, lr 2", "b": "b"}
    table = as_table(rows)
    assert [one.style for one in table.rows] == ["", "bold", "", "bold"]
    assert list(table.columns[-4].cells) == ["45.0", "50.0", "", ""]
    assert [text.get_text() for text in draw(rows).axes[0].get_legend().get_texts()] == ["a, lr 2", "b (diverged)"]


# ---- the command


def test_the_command_compares(command, tmp_path):
    file = tmp_path / "two.toml"
    methods = '[compare.methods.dense]\n[compare.methods.L1]\nmethod = { name = "l1", alpha = 1e-3 }\n'
    file.write_text(f"epochs = 2\n[compare]\nkeep = [0.1]\nseeds = [0, 1]\n{methods}", encoding="utf-8")
    result = command("compare", file, "--jobs", 1, "--set", "batch=200")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "results" / "compare"
    (file,) = folder.glob("two-*.json")  # the place of the recipe as it is stays free
    content = json.loads(file.read_text(encoding="utf-8"))
    assert len(content["rows"]) == 2 * 2 * 2
    assert content["best"] == {"dense": "dense", "L1": "L1"}
    assert content["command"] == "linreg-mirror compare two.toml --set=batch=200"
    assert [entry["recipe"]["batch"] for entry in content["entries"]] == [200] * 4
    assert file.with_suffix(".png").stat().st_size > 1000
    assert command("compare", tmp_path / "two.toml", "--jobs", 1, "--set", "epochs=1").exit_code == 0
    assert len(list(folder.glob("two-*.json"))) == 2


def test_the_command_says_that_there_is_nothing_to_compare(command):
    result = command("compare", "dense-digits")
    assert result.exit_code == 2, result.output
    assert "has no methods" in result.output


def test_a_run_that_another_process_has_under_way_is_waited_for(compared, tmp_path, monkeypatch):
    comparison, _, rows = compared
    one = Comparison(comparison.entries[:1])
    folder = run_folder(one.entries[0].recipe, tmp_path)
    folder.mkdir(parents=True)
    theirs = FileLock(folder / ".lock")
    theirs.acquire()
    waited = []

    def patience(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            theirs.release()

    monkeypatch.setattr(module, "sleep", patience)
    found = compare(one, results=tmp_path)
    assert found == [row for row in rows if (row["label"], row["seed"]) == (found[0]["label"], found[0]["seed"])]
    assert len(waited) == 3


WRONG = """
epochs = 1
model = {{ name = "mlp", widths = [64, 16, 10] }}
[compare]
keep = [0.1]
[compare.methods.dense]
[compare.methods.SNIP]
{}
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'method = { name = "masked", keep = 0.1 }',
            r"\[compare\.methods\.SNIP\]: masked: missing .*'score'; it takes score, ",
        ),
        (
            'method = { name = "masked", score = "snpi", keep = 0.1 }',
            r"\[compare\.methods\.SNIP\]: score must be one of",
        ),
        ('method = { name = "l1", alpha = -1.0 }', r"\[compare\.methods\.SNIP\]: alpha must"),
        ('model = { name = "mlp", widths = [0] }', r"\[compare\.methods\.SNIP\]: .*widths"),
        ('data = { name = "mnits" }', r"\[compare\.methods\.SNIP\]: unknown data set 'mnits'"),
        ("epoch = 3", r"\[compare\.methods\.SNIP\]: unknown settings: epoch \(did you mean epochs\?\)"),
    ],
)
def test_nothing_is_trained_if_one_run_cannot_be(command, tmp_path, monkeypatch, line, message):
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("it trains"))
    (tmp_path / "wrong.toml").write_text(WRONG.format(line))
    result = command("compare", tmp_path / "wrong.toml", "--jobs", 1, "--output", tmp_path)
    assert result.exit_code == 2
    assert re.search(message, result.output), result.output
    assert "collections.abc" not in result.output


def test_the_command_restricts_what_is_compared(command, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "linreg_mirror.networks.training.compare",
        lambda comparison, **_: seen.extend(comparison.entries) or [row("L1", 0.2, 0.5, run="")],
    )
    options = ("--methods", "L1", "--methods", "PILoT", "--keep", 0.2, "--seeds", 4, "--seeds", 5)
    result = command("compare", "pilot-digits", *options, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert [(one.label, one.recipe.seed, one.keep) for one in seen] == [
        (label, seed, (1.0, 0.2)) for label in ("L1", "PILoT") for seed in (4, 5)
    ]
    result = command("compare", "pilot-digits", "--methods", "SNIP")
    assert "pilot-digits compares no SNIP: there are dense, L1, spred, PILoT" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "pilot-digits", "--keep", 5), "error: --keep is a share of the weights"),
        (("train", "masked-digits", "--set", "method.keep=5"), "error: keep is a share of the weights"),
        (("compare", "pilot-digits", "--keep", 5), "error: --keep is a share of the weights"),
        (("compare", "pilot-digits", "--set", "keep=[0.1]"), "did you mean compare.keep?"),
        (("compare", "pilot-digits", "--set", "compare.sees=[1]"), "compare.sees (did you mean compare.seeds?)"),
        (("train", "nosuch.toml"), "there is no file nosuch.toml"),
    ],
)
def test_what_the_user_wrote_is_named_and_not_the_recipe(command, arguments, said):
    result = command(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "comes from the recipe" not in result.output


def seeded(label, *accuracies, keep=0.1):
    return [row(label, keep, accuracy, seed=seed) for seed, accuracy in enumerate(accuracies)]


def test_the_axis_shows_the_methods_that_work():
    rows = seeded("a", 0.91, 0.93) + seeded("b", 0.9, 0.9) + seeded("dense", 0.1, 0.1)
    ax = draw(rows).axes[0]
    low, high = ax.get_ylim()
    assert 85 < low < 90
    assert 93 < high < 95
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "dense (goes below)"]
    low, _ = draw(seeded("a", 0.9, 0.9) + seeded("b", 0.8, 0.8) + seeded("c", 0.7, 0.7)).axes[0].get_ylim()
    assert low < 70


def test_few_seeds_are_points_and_many_an_interval():
    ax = draw(seeded("a", 0.5, 0.7, 0.6) + seeded("b", 0.5, 0.7, 0.6)).axes[0]
    assert not ax.containers
    points = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [sorted(line.get_ydata()) for line in points] == [[50, 60, 70]] * 2
    assert points[0].get_xdata()[0] < 0.1 < points[1].get_xdata()[0]  # aside
    ax = draw(seeded("a", 0.5, 0.7, 0.6, 0.6)).axes[0]
    assert len(ax.containers) == 1


def test_many_curves_have_a_colour_for_each_method():
    labels = [f"{family}{variant}" for family in ("SNIP", "GraSP", "HC") for variant in ("", ", drawn", " on channels")]
    rows = [one for label in labels for one in seeded(label, 0.5)]
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in draw(rows).axes[0].lines]
    assert len(set(looks)) == 9
    assert len({color for color, *_ in looks}) == 3


def test_the_picture_is_named_after_the_recipe(command, tmp_path, monkeypatch):
    monkeypatch.setattr("linreg_mirror.networks.training.compare", lambda *_, **__: [row("L1", 0.2, 0.5, run="")])
    titles = []
    monkeypatch.setattr(
        "linreg_mirror.networks.training.display.draw", lambda rows, title: titles.append(title) or draw(rows)
    )
    result = command("compare", "pilot-digits", "--seeds", 3, "--output", tmp_path)
    assert titles == ["pilot-digits"]
    assert "bold" not in result.output
    assert "A: the sum of lr/(1 - momentum) alpha" in result.output
