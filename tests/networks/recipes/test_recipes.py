"""Recipes: what a run is read from, and what is compared."""

import inspect
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linreg_mirror.networks import data, methods, models, recipes
from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.recipes.reading import folder
from linreg_mirror.networks.training import train
from linreg_mirror.networks.training.runs import run_folder


def test_learning_rates_by_hand():
    cosine = Recipe(lr=0.4, epochs=10, warmup=2)
    found = [cosine.learning_rate(epoch) for epoch in (0, 0.5, 2, 6, 10)]
    np.testing.assert_allclose(found, [0, 0.1, 0.4, 0.2, 0], atol=1e-15)
    step = Recipe(lr=0.4, epochs=10, schedule="step", milestones=[4, 8])
    np.testing.assert_allclose(
        [step.learning_rate(epoch) for epoch in (0, 3.9, 4, 7.9, 8)], [0.4, 0.4, 0.04, 0.04, 0.004]
    )
    fifths = replace(step, factor=0.2)
    np.testing.assert_allclose([fifths.learning_rate(epoch) for epoch in (3.9, 4, 8)], [0.4, 0.08, 0.016])
    assert Recipe(lr=0.4, schedule="constant").learning_rate(59) == 0.4


@pytest.mark.parametrize("name", recipes.names())
def test_recipes_of_the_package_can_be_read(name):
    recipe = recipes.read(name)
    assert recipe.data["name"] in data.DATASETS
    assert recipe.model["name"] in models.MODELS


def test_settings_are_changed(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('epochs = 3\nmethod = { name = "l1", alpha = 0.1 }\n', encoding="utf-8")
    assert recipes.read(file) == Recipe(epochs=3, method={"name": "l1", "alpha": 0.1})
    changed = recipes.read(file, ["epochs=7", "method.alpha=1e-3", "schedule=constant", "augment=true"])
    assert changed == Recipe(epochs=7, method={"name": "l1", "alpha": 1e-3}, schedule="constant", augment=True)
    # Another method does not take over the options of the first.
    assert recipes.read(file, ["method.name=dense"]).method == {"name": "dense"}


def test_a_recipe_can_be_like_another(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'like = "wr-digits"\nepochs = 5\nmethod.name = "spred"\n[iterative]\ncycles = 3\n[compare]\nseeds = [4]\n',
        encoding="utf-8",
    )
    # wr-digits is like imp-digits but for its rewinding: 12 cycles of 20 epochs.
    assert recipes.read("wr-digits").iterative == Iterative("weights", cycles=12)
    found = recipes.read(file, ["iterative.epoch=1"])
    assert found == Recipe(epochs=5, method={"name": "spred"}, iterative=Iterative("weights", cycles=3, epoch=1))
    comparison = recipes.read_comparison(file)
    assert comparison.labels == recipes.read_comparison("imp-digits").labels
    assert {entry.recipe.seed for entry in comparison.entries} == {4}


def test_other_names_bring_their_own_options_alone(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('like = "synflow-digits"\nmethod = { name = "masked", score = "snip" }\n', encoding="utf-8")
    assert recipes.read(file).method == {**recipes.read("synflow-digits").method, "score": "snip"}
    file.write_text('like = "synflow-digits"\nmethod = { name = "dense" }\n', encoding="utf-8")
    assert recipes.read(file).method == {"name": "dense"}


@pytest.mark.parametrize("like", ['"{own}"', '"{other}"', "3", '["imp-digits"]'])
def test_recipes_that_are_like_themselves_or_like_nothing(tmp_path, like):
    own, other = tmp_path / "own.toml", tmp_path / "other.toml"
    other.write_text(f'like = "{own}"\n', encoding="utf-8")
    own.write_text(f"like = {like.format(own=own, other=other)}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="like must name another recipe, got"):
        recipes.read(own)
    own.write_text('like = "nothing"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"there is no recipe 'nothing'"):
        recipes.read(own)


def test_usual_settings_do_not_count_in_the_name():
    assert Recipe().unusual == {}
    assert Recipe(epochs=60, lr=0.1).unusual == {}
    assert run_folder(Recipe(weight_decay=0)) == run_folder(Recipe(weight_decay=0.0))
    assert Recipe(lr=0.2).unusual == {"lr": 0.2}
    assert run_folder(Recipe(lr=0.2)) != run_folder(Recipe(lr=0.3))
    assert run_folder(Recipe(milestones=[])) == run_folder(Recipe())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epoch=3", r"unknown settings: epoch \(did you mean epochs\?\); there are augment, batch"),
        ("alpha=3", "unknown settings: alpha; there are augment, batch"),  # which dense training lacks
        ("widthss=[3]", r"unknown settings: widthss \(did you mean model\.widths\?\)"),
        (
            "model.widht=[3]",
            r"unknown options of model mlp: model\.widht \(did you mean model\.widths\?\); there are wi",
        ),
        ("model.epochs=[3]", r"unknown options of model mlp: model\.epochs \(did you mean epochs\?\)"),
        (
            "data.sead=3",
            r"unknown options of data digits: data\.sead \(did you mean data\.seed\?\); there are seed, limit",
        ),
        ("data.qqq=3", r"unknown options of data digits: data\.qqq; there are"),
        ("finetune=3", r"finetune must be a table .*; for epochs in which l0 .* write method\.finetune"),
        ("iterative.cycle=3", r"unknown options of iterative: iterative\.cycle \(did you mean iterative\.cycles\?\)"),
        (
            "finetune.epoch=3",
            r"unknown options of finetune: finetune\.epoch \(did you mean finetune\.epochs\?\); .* method\.finetune",
        ),
        ("augment.paddin=3", r"augment\.paddin \(did you mean augment\.padding\?\); there are padding, area, flip"),
        ("epochs=0", "epochs must be an integer >= 1, got 0"),
        ("lr=0", "lr must be positive"),
        ("lr=NaN", "lr must be a finite number"),
        ("momentum=1", r"momentum must be in \[0, 1\)"),
        ("schedule=step", r"milestones must be given with schedule = \"step\" and with no other, .* milestones = \[\]"),
        ("milestones=[3]", r"got schedule = \"cosine\" and milestones = \[3\]"),
        ("data=3", "data must be a table with a name"),
        ("factor=0", "factor must be positive"),
        ("lr=-1", "lr must be a finite number >= 0, got -1: write lr=0.1"),
        ("weight_decay=-1", "weight_decay must be a finite number >= 0, got -1"),
        ("factor=5", "factor must be a finite number >= 0 and <= 1, got 5: write factor=0.1"),
        ("schedule=linear", "schedule must be one of constant, cosine, step"),
        ("method=dense", "method must be a table with a name"),
        ("compile=1", 'compile must be true, false or "graph"'),
        ("augment=1", "augment must be true, false, or a table of padding or area, and flip, got 1"),
        ("augment.rotate=1", "unknown options of augment: augment.rotate; there are padding, area, flip"),
        ("weights=head", r"weights must be a list of names or patterns, got 'head': write weights=\[\"!head"),
        ("milestones=5", r"milestones must be a list of epochs, got 5: write milestones=\[80, 120\]"),
        ("epochs", "KEY=VALUE"),
    ],
)
def test_settings_that_make_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        recipes.read("dense-digits", [change])


def test_unknown_recipes_are_answered_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe 'pilot-digit'.*pilot-digits"):
        recipes.read("pilot-digit")
    (tmp_path / "broken.toml").write_text("epochs = ", encoding="utf-8")
    with pytest.raises(ValueError, match="is no TOML"):
        recipes.read(tmp_path / "broken.toml")
    with pytest.raises(ValueError, match="has no methods"):
        recipes.read_comparison("dense-digits")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("compare = 3", "has no methods"),
        ("[compare]\nmethods = 3", "a table for each label"),
        ("[compare.methods]\ndense = 3", "a table for each label"),
        ("[compare]\nseeds = 3\n[compare.methods.dense]", "seeds must be a list of different .*, got 3"),
        ("[compare]\nseeds = [0, 0]\n[compare.methods.dense]", r"different numbers .*, got \[0, 0\]"),
        ("[compare]\nkeep = []\n[compare.methods.dense]", r"keep must be a list .* not empty, got \[\]"),
        ("[compare.methods.a]\ngrid = { lr = 0.1 }", r"a: grid must be a table of lists.*write grid = \{ lr = \[0\.1"),
        ("[compare.methods.a]\ngrid = 3", "a: grid must be a table of lists"),
        ("[compare.methods.a]\nkeep = 0.1", 'a: keep must name the setting .*write keep = "method.keep"'),
        ("[compare]\nkeep = [0]\n[compare.methods.dense]", "for a sparsity of 95 % write 0.05"),
        ("method = { alpha = 1 }\n[compare.methods.a]\nmethod = { beta = 2 }", "method must be a table with a name"),
    ],
)
def test_comparisons_that_make_no_sense(tmp_path, text, message):
    (tmp_path / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        recipes.read_comparison(tmp_path / "wrong.toml")


def written(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_runs_of_a_comparison(tmp_path):
    methods = '[compare.methods.plain]\n[compare.methods.L1]\nlr = 0.3\nmethod = { name = "l1", alpha = 1e-3 }\n'
    file = written(tmp_path, f"epochs = 2\n[compare]\nkeep = [0.1]\nseeds = [4, 5]\n{methods}")
    entries = recipes.read_comparison(file).entries
    assert [(entry.method, entry.label, entry.recipe.seed, entry.keep) for entry in entries] == [
        (label, label, seed, (1.0, 0.1)) for label in ("plain", "L1") for seed in (4, 5)
    ]
    assert entries[0].recipe == Recipe(epochs=2, seed=4)
    assert entries[3].recipe == Recipe(epochs=2, lr=0.3, seed=5, method={"name": "l1", "alpha": 1e-3})
    changed = recipes.read_comparison(file, ["compare.seeds=[7]", "compare.keep=[1, 0.5]", "epochs=9"]).entries
    assert [(entry.recipe.epochs, entry.recipe.seed, entry.keep) for entry in changed] == [(9, 7, (1.0, 0.5))] * 2


def test_all_points_of_a_grid(tmp_path):
    grid = '[compare.methods.L1]\nmethod = { name = "l1" }\n'
    product = grid + 'grid = { lr = [0.1, 0.2], "method.alpha" = [1e-3, 1e-4] }\n'
    entries = recipes.read_comparison(written(tmp_path, product)).entries
    points = [(0.1, 1e-3), (0.1, 1e-4), (0.2, 1e-3), (0.2, 1e-4)]
    assert [(entry.recipe.lr, entry.recipe.method["alpha"]) for entry in entries] == points
    assert [entry.label for entry in entries] == [f"L1, lr {lr:g}, alpha {alpha:g}" for lr, alpha in points]
    assert {entry.method for entry in entries} == {"L1"}
    with pytest.raises(ValueError, match="lr tells the runs of L1 apart and cannot be set for all of them"):
        recipes.read_comparison(written(tmp_path, product), ["lr=0.3"])
    twice = grid + "grid = [{ lr = [0.1, 0.2] }, { lr = [0.1] }]\n"
    with pytest.raises(ValueError, match=r"L1, lr 0\.1 is there twice"):
        recipes.read_comparison(written(tmp_path, twice))
    close = grid + 'grid = { "method.alpha" = [1e-3, 1.0000001e-3] }\n'
    assert len(recipes.read_comparison(written(tmp_path, close)).labels) == 2
    listed = grid + 'grid = [{ lr = [0.1], "method.alpha" = [1e-3] }, { "method.alpha" = [1e-4, 1e-5] }]\n'
    entries = recipes.read_comparison(written(tmp_path, listed)).entries
    assert [entry.recipe.method["alpha"] for entry in entries] == [1e-3, 1e-4, 1e-5]


def test_a_run_for_each_share_where_pruning_comes_first(tmp_path):
    text = '[compare]\nkeep = [1, 0.2, 0.1]\n[compare.methods.early]\nkeep = "method.keep"\nmethod = { name = "new" }\n'
    entries = recipes.read_comparison(written(tmp_path, text)).entries
    assert [(entry.label, entry.recipe.method["keep"], entry.keep) for entry in entries] == [
        ("early", 0.2, (0.2,)),
        ("early", 0.1, (0.1,)),
    ]
    with pytest.raises(ValueError, match=r"method\.keep tells the runs of early apart"):
        recipes.read_comparison(tmp_path / "mine.toml", ["method.keep=0.5"])
    with pytest.raises(ValueError, match="no runs are left to compare: keep must hold a share below 1"):
        recipes.read_comparison(tmp_path / "mine.toml", ["compare.keep=[1.0]"])
    with pytest.raises(ValueError, match=r"seed tells runs apart: write compare\.seeds=\[0, 1\]"):
        recipes.read_comparison(tmp_path / "mine.toml", ["seed=3"])


@pytest.mark.parametrize("name", [name for name in recipes.names() if recipes.read(name).data["name"] != "digits"])
def test_methods_act_on_the_models_of_recipes_that_need_files(name):
    """Their runs take hours on an accelerator; that they begin can be seen here."""
    recipe = recipes.read(name)
    of_model, of_method = dict(recipe.model), dict(recipe.method)
    model = models.create(of_model.pop("name"), seed=0, **of_model)
    kind = methods.METHODS[of_method.pop("name")]
    if "epochs" in inspect.signature(kind).parameters:
        of_method["epochs"] = recipe.epochs
    method = kind(**of_method)
    method.attach(model)
    method.optimizer(model, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    assert method.l1_norm() > 0


def test_options_without_a_name_are_those_of_the_usual_parts():
    recipe = recipes.read("dense-digits", ["model.widths=[64, 10]", "data.seed=3"])
    assert (recipe.model, recipe.data) == ({"name": "mlp", "widths": [64, 10]}, {"name": "digits", "seed": 3})


def test_keys_of_methods_are_found_from_anywhere():
    for change, message in (
        ("alpha=3", r"alpha \(did you mean method\.alpha\?\)"),
        (
            "method.detla=3",
            r"unknown options of method pilot: method\.detla \(did you mean method\.delta\?\); there are alp",
        ),
        ("rewind=weights", r"rewind \(did you mean iterative\.rewind\?\)"),
    ):
        with pytest.raises(ValueError, match=message):
            recipes.read("pilot-digits", [change])


def test_an_error_says_where_a_value_comes_from_that_nobody_set(command):
    result = command("train", "dep-l0-digits", "--set", "epochs=2")
    assert result.exit_code == 2
    output = " ".join(result.output.split())
    assert "finetune must be an integer from 0 to 1, got 10" in output
    assert "; method.finetune = 10 comes from the recipe dep-l0-digits: --set method.finetune=... changes it" in output
    result = command("train", "dep-l0-digits", "--set", "epochs=2", "--set", "method.finetune=5")
    assert "comes from" not in result.output


@pytest.mark.parametrize(
    ("recipe", "change", "said"),
    [
        ("imp-cifar10", "schedule=cosine", "; milestones = [75, 112] comes from the recipe imp-cifar10"),
        ("mine.toml", "epochs=3", "; iterative.epoch = 4 comes from the recipe mine.toml: --set iterative.epoch=..."),
    ],
)
def test_so_does_one_of_settings_that_do_not_go_together(command, tmp_path, monkeypatch, recipe, change, said):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('epochs = 9\niterative = { rewind = "weights", epoch = 4 }\n')
    result = command("train", recipe, "--set", change)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_protocols_of_a_paper_say_what_is_ours():
    for name in recipes.names():
        lines = folder().joinpath(f"{name}.toml").read_text(encoding="utf-8").splitlines()
        said = " ".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
        if re.search(r"-(cifar100?|imagenet)(-|$)", name) and "arXiv" in said:
            assert re.search(r"\b[Oo]urs\b", said), name


def test_ways_to_rewind_differ_in_nothing_else():
    for images in ("digits", "cifar10", "cifar100"):
        imp, wr, lrr = (recipes.read(f"{way}-{images}") for way in ("imp", "wr", "lrr"))
        assert replace(wr, iterative=imp.iterative) == replace(lrr, iterative=imp.iterative) == imp


def test_the_command_names_the_option_and_the_devices(command, tmp_path):
    result = command("train", "dense-digits", "--set", "data.name=mnist")
    assert "name the directory they are in, by --data-dir" in " ".join(result.output.split())
    result = command("train", "dense-digits", "--device", "gpu")
    assert "device 'gpu' cannot be used here" in result.output
    assert ": there are cpu" in " ".join(result.output.split())
    (tmp_path / "file").touch()
    result = command("train", "dense-digits", "--set", "epochs=1", "--output", tmp_path / "file" / "run")
    assert "cannot write a run" in result.output
    assert "mend the permissions" in " ".join(result.output.split())


def test_a_run_is_found_by_its_settings_whatever_its_folder_is_called(tmp_path):
    recipe = Recipe(lr=0.3)
    named = run_folder(recipe, tmp_path, name="mine")
    plain = run_folder(recipe, tmp_path)
    assert named.name.startswith("mine-")
    assert plain.name.startswith("dense-digits-mlp-")
    assert named.name.rpartition("-")[2] == plain.name.rpartition("-")[2]
    named.mkdir(parents=True)
    assert run_folder(recipe, tmp_path) == named
    plain.mkdir()
    assert run_folder(recipe, tmp_path) == plain
    assert run_folder(Recipe(lr=0.4), tmp_path) not in (named, plain)


def test_decay_takes_the_place_of_alpha():
    recipe = recipes.read("pilot-digits", ["method.decay=1.9"])
    assert recipe.method == {"name": "pilot", "decay": 1.9, "delta": 1.02, "K": 100.0}
    recipe = recipes.read("pilot-digits", ["method.decay=1.9", "method.alpha=0.1"])
    assert recipe.method == {"name": "pilot", "alpha": 0.1, "delta": 1.02, "K": 100.0}
    with pytest.raises(ValueError, match=r"method\.alpha and method\.decay say the same"):
        recipes.read("pilot-digits", ['method={"name": "pilot", "alpha": 0.1, "decay": 1.9}'])
    with pytest.raises(ValueError, match=r"unknown options of method spred: method\.decay"):
        recipes.read("dense-digits", ["method.name=spred", "method.decay=1.9"])


@pytest.mark.parametrize("name", ["pilot", "pilot-mirror"])
@pytest.mark.parametrize("epochs", [2, 4])
def test_runs_of_any_length_have_the_decay_of_the_recipe(tmp_path, name, epochs):
    method = {"name": name, "decay": 1.9, "delta": 1.0, "K": 0.0}
    recipe = Recipe(epochs=epochs, warmup=1, batch=200, momentum=0.8, method=method)
    assert train(recipe, folder=tmp_path / "run").history[-1]["decay"] == pytest.approx(1.9, rel=1e-9)
