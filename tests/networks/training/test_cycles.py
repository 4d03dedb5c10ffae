"""Iterative pruning: cycles against what one would write by hand, and against plain runs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from linreg_mirror.networks import models, recipes
from linreg_mirror.networks.pruning.magnitude import largest
from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.training import checkpoints, compare, train
from linreg_mirror.networks.training.runs import run_folder
from tests.helpers.methods import HOLDING, VARIANTS, recipe_of
from tests.helpers.training import Killed, end_of, killed_after, same

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTHS = [64, 16, 10]
SMALL = Recipe(model={"name": "mlp", "widths": WIDTHS}, epochs=3, batch=200)
PILOT = {"name": "pilot", "alpha": 1e-3, "delta": 1.5, "K": 10.0}
METHODS = {
    "dense": {"name": "dense"},
    "l1": {"name": "l1", "alpha": 1e-3, "proximal": True},
    "spred": {"name": "spred", "alpha": 1e-3},
    "pilot": PILOT,
    "pilot-mirror": PILOT | {"name": "pilot-mirror"},
}
REWINDS = ("initialisation", "weights", "learning-rate")


@pytest.fixture
def normed(tmp_path, monkeypatch):
    """A model with batch norm."""
    layers = "nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10)"
    (tmp_path / "normed.py").write_text(f"from torch import nn\ndef net(): return nn.Sequential({layers})\n")
    monkeypatch.syspath_prepend(tmp_path)
    return {"name": "normed:net"}


def iterative(rewind, cycles=3, keep=0.5, **changes):
    epoch = 1 if rewind == "weights" else None
    return replace(SMALL, iterative=Iterative(rewind, cycles, keep, epoch), **changes)


def cycle_end(folder, cycle):
    return end_of(folder / f"cycle-{cycle:02}")


def largest_by_hand(weights, count, before=None):
    """Masks of so many of the largest entries, by sorting them all."""
    sizes = [(x.abs() * (1 if before is None else before[n])).flatten() for n, x in weights.items()]
    chosen = torch.zeros(sum(map(len, sizes)), dtype=torch.bool)
    chosen[torch.cat(sizes).argsort(descending=True)[:count]] = True
    parts = chosen.split([len(size) for size in sizes])
    return {n: part.view_as(x) for (n, x), part in zip(weights.items(), parts, strict=True)}


def weights_of(tensors):
    return {name: tensor for name, tensor in tensors.items() if tensor.ndim > 1}


# ---- what a cycle starts from


@pytest.fixture
def starts(monkeypatch):
    """What each run starts with once the method is attached: weights and the rest of the state."""
    from linreg_mirror.networks.methods.base import BaseMethod

    seen, attach = [], BaseMethod.attach

    def spying(method, model, masks=None, **others):
        attach(method, model, masks, **others)
        seen.append({name: tensor.clone() for name, tensor in {**model.state_dict(), **method.weights()}.items()})

    monkeypatch.setattr(BaseMethod, "attach", spying)
    return seen


def test_imp_starts_again_at_the_initial_weights_times_the_mask(tmp_path, starts):
    train(iterative("initialisation"), folder=tmp_path)
    initial = models.create("mlp", seed=0, widths=WIDTHS).state_dict()
    assert same(weights_of(initial), weights_of(starts[0]))
    before = None
    for cycle, count in ((1, 592), (2, 296)):  # of 1184
        before = largest_by_hand(weights_of(cycle_end(tmp_path, cycle - 1)), count, before)
        for name, mask in before.items():
            assert torch.equal(starts[cycle][name], initial[name] * mask)
            assert not cycle_end(tmp_path, cycle)[name][~mask].any()
            assert cycle_end(tmp_path, cycle)[name][mask].all()
        assert all(torch.equal(starts[cycle][name], initial[name]) for name in initial if name not in before)


def test_wr_starts_again_at_the_weights_of_an_early_epoch(tmp_path, starts, normed):
    recipe = iterative("weights", cycles=2, model=normed)
    train(recipe, folder=tmp_path / "run")
    # A run that is stopped there has them in its checkpoint.
    with pytest.raises(Killed):
        train(replace(recipe, iterative=None), folder=tmp_path / "plain", progress=killed_after(1))
    early = {
        name.removeprefix("model."): tensor
        for name, tensor in checkpoints.load(tmp_path / "plain" / "checkpoint.safetensors")[0].items()
        if name.startswith("model.")
    }
    masks = largest_by_hand(weights_of(cycle_end(tmp_path / "run", 0)), 296)  # of 592
    for name, tensor in early.items():
        assert torch.equal(starts[1][name], tensor * masks.get(name, 1)), name
    assert early["2.running_mean"].any()


def test_lrr_goes_on_from_where_the_weights_are(tmp_path, starts, normed):
    train(iterative("learning-rate", cycles=2, model=normed), folder=tmp_path)
    first = cycle_end(tmp_path, 0)
    masks = largest_by_hand(weights_of(first), 296)
    for name, tensor in first.items():
        assert torch.equal(starts[1][name], tensor * masks.get(name, 1)), name
    assert first["2.num_batches_tracked"] == 3 * 8


@pytest.mark.parametrize("rewind", REWINDS)
def test_factors_are_made_anew(tmp_path, starts, rewind):
    train(iterative(rewind, cycles=2, method=PILOT, precision="float64"), folder=tmp_path)
    m, w = (starts[1][f"1.parametrizations.weight.original{part}"] for part in (0, 1))
    np.testing.assert_allclose(m**2 - w**2, 1, atol=1e-14)
    start = {
        "initialisation": lambda: weights_of(starts[0])["1.weight"],
        "weights": lambda: checkpoints.load(tmp_path / "cycle-00" / "early.safetensors")[0]["1.weight"],
        "learning-rate": lambda: cycle_end(tmp_path, 0)["1.weight"],
    }[rewind]()
    mask = largest_by_hand(weights_of(cycle_end(tmp_path, 0)), 592)["1.weight"]
    np.testing.assert_allclose(starts[1]["1.weight"], start * mask, rtol=1e-14)


# ---- limits


@pytest.mark.parametrize("rewind", REWINDS)
def test_the_first_cycle_is_the_plain_run(tmp_path, rewind):
    recipe = iterative(rewind, cycles=1, keep=1.0)
    run = train(recipe, folder=tmp_path / "run")
    plain = train(replace(recipe, iterative=None), folder=tmp_path / "plain")
    assert same(run.model.state_dict(), plain.model.state_dict())
    assert [one["loss"] for one in run.history] == [one["loss"] for one in plain.history]
    assert run.ends() == [{"cycle": 0, **plain.pruned(1.0)}]


def test_imp_that_prunes_nothing_repeats_itself(tmp_path):
    train(iterative("initialisation", cycles=2, keep=1.0), folder=tmp_path)
    assert same(cycle_end(tmp_path, 0), cycle_end(tmp_path, 1))


def test_lrr_that_prunes_nothing_goes_on(tmp_path):
    run = train(iterative("learning-rate", cycles=2, keep=1.0), folder=tmp_path)
    first = run.cycle(0).history
    assert run.history[-1]["loss"] < first[-1]["loss"]
    assert run.history[0]["lr"] == first[0]["lr"], "the schedule starts again"


# ---- densities, shares, resume


@pytest.mark.parametrize("method", METHODS)
def test_every_cycle_has_its_density(tmp_path, method):
    run = train(iterative("learning-rate", keep=0.8, method=METHODS[method], epochs=1), folder=tmp_path)
    counts = [int(0.8**k * 1184 + 0.5) for k in range(3)]
    ends = run.ends()
    assert [sum(end["kept"].values()) for end in ends] == counts
    assert json.loads((tmp_path / "cycles.json").read_text(encoding="utf-8")) == ends
    gone = None
    for k, count in enumerate(counts):
        weights = weights_of(cycle_end(tmp_path, k))
        nonzero = sum(int(x.count_nonzero()) for x in weights.values())
        assert nonzero == count or (method == "l1" and nonzero <= count)
        if gone is not None:
            assert all(not weights[name][zeros].any() for name, zeros in gone.items()), "a pruned weight is back"
        if method != "l1":  # which makes weights zero for a while
            gone = {name: x == 0 for name, x in weights.items()}
        # What is measured of a cycle is its end as it is.
        assert ends[k]["accuracy"] == run.cycle(k).history[-1]["test_accuracy"]


def test_shares_are_answered_by_the_sparsest_cycle_that_has_as_many_weights(tmp_path):
    run = train(iterative("learning-rate", keep=0.8), folder=tmp_path)
    found = [run.pruned(keep) for keep in (1, 0.81, 0.8, 0.7, 0.64, 0.1)]
    assert [record["cycle"] for record in found] == [0, 0, 1, 1, 2, 2]
    assert [sum(record["kept"].values()) for record in found] == [1184, 959, 947, 829, 758, 118]
    assert found[3]["accuracy"] == run.cycle(1).pruned(0.7)["accuracy"]
    with pytest.raises(ValueError, match="keep must be in"):
        run.pruned(1.5)


@pytest.mark.parametrize(("method", "rewind"), [*zip(METHODS, REWINDS * 2, strict=False)])
def test_cycles_that_are_killed_go_on_as_if_nothing_had_been(tmp_path, method, rewind):
    recipe = iterative(rewind, cycles=2, method=METHODS[method])
    train(recipe, folder=tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(Killed):
            train(recipe, folder=tmp_path / "parts", progress=killed_after(epoch, cycle=1))
    seen = []
    train(recipe, folder=tmp_path / "parts", progress=lambda record: seen.append((record["cycle"], record["epoch"])))
    assert seen == [(1, 3)]
    assert all(same(cycle_end(tmp_path / "whole", k), cycle_end(tmp_path / "parts", k)) for k in range(2))


def test_finished_cycles_are_read_not_repeated(tmp_path):
    first = train(iterative("weights"), folder=tmp_path)
    again = train(iterative("weights"), folder=tmp_path, progress=lambda record: pytest.fail("it trains"))
    assert again.ends() == first.ends()
    assert again.history == first.history


def test_the_command_shows_every_cycle(command):
    changes = ("--set", "epochs=1", "--set", "iterative.cycles=3", "--set", "iterative.keep=0.5")
    result = command("train", "imp-digits", *changes)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if line.strip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["100.0%", "50.0%", "25.0%"]
    kept = [int(row[1].replace(",", "")) for row in rows]
    assert kept == [round(kept[0] * share) for share in (1, 0.5, 0.25)]


def test_cycles_are_compared_with_plain_runs(tmp_path):
    file = tmp_path / "mine.toml"
    lines = (
        'epochs = 1\nmodel = { name = "mlp", widths = [64, 16, 10] }',
        "[compare]\nkeep = [0.5]",
        "[compare.methods.dense]",
        '[compare.methods.LRR]\niterative = { rewind = "learning-rate", cycles = 2, keep = 0.5 }',
    )
    file.write_text("\n".join(lines), encoding="utf-8")
    comparison = recipes.read_comparison(file)
    rows = compare(comparison, results=tmp_path / "results")
    found = {(row["label"], row["keep"]): row["accuracy"] for row in rows}
    assert found["dense", 1] == found["LRR", 1]
    run = train(comparison.entries[-1].recipe, folder=run_folder(comparison.entries[-1].recipe, tmp_path / "results"))
    assert found["LRR", 0.5] == run.ends()[1]["accuracy"]


def test_where_all_weights_are_zero_the_first_are_kept():
    weights = {"a": torch.zeros(2, 3), "b": torch.zeros(4)}
    for keep, a, b in ((0.4, 4, 0), (0.8, 6, 2)):
        masks = largest(weights, keep)
        assert masks["a"].flatten().tolist() == [True] * a + [False] * (6 - a)
        assert masks["b"].tolist() == [True] * b + [False] * (4 - b)


def test_what_is_pruned_once_stays_pruned_even_where_all_else_is_zero():
    weights, before = {"a": torch.tensor([0.0, 3, 0, 0])}, {"a": torch.tensor([False, True, True, True])}
    assert largest(weights, 0.5, before)["a"].tolist() == [False, True, True, False]
    assert largest({"a": torch.zeros(4)}, 0.5, before)["a"].tolist() == [False, True, True, False]


def test_masks_only_lose_weights(tmp_path, starts):
    """Where more weights are zero than shall be pruned, ties decide what is kept."""
    method = {"name": "l1", "alpha": 0.02, "proximal": True}
    train(iterative("learning-rate", keep=0.9, epochs=1, method=method), folder=tmp_path)
    assert sum(int(x.count_nonzero()) for x in weights_of(cycle_end(tmp_path, 1)).values()) < 0.81 * 1184
    masks = [{name: start[f"{name}_mask"] for name in ("1.weight", "3.weight")} for start in starts[1:]]
    assert [sum(int(mask.sum()) for mask in own.values()) for own in masks] == [1066, 959]
    assert all(masks[0][name][mask].all() for name, mask in masks[1].items())


def test_a_layer_that_collapses_says_so(tmp_path):
    recipe = iterative("learning-rate", cycles=2, keep=0.001, epochs=1)
    with pytest.warns(UserWarning, match=r"at a share of 0\.001 no weight is left in .*weight: take fewer cycles, or"):
        train(recipe, folder=tmp_path)


# ---- settings


def test_settings_of_cycles_are_read(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('iterative = { rewind = "weights", cycles = 4 }\n', encoding="utf-8")
    recipe = recipes.read(file)
    assert recipe == Recipe(iterative=Iterative("weights", 4, 0.8, 2))
    assert recipes.read(file, ["iterative.keep=0.5", "iterative.epoch=3"]).iterative == Iterative("weights", 4, 0.5, 3)
    assert recipe.unusual == {"iterative": {"rewind": "weights", "cycles": 4, "keep": 0.8, "epoch": 2}}
    assert run_folder(recipe) != run_folder(Recipe())
    assert Recipe().unusual == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["iterative.cycles=0"], "cycles must be an integer >= 1, got 0"),
        (["iterative.keep=0"], "keep is a share of the weights, above 0 and at most 1, got 0"),
        (["iterative.keep=1.2"], "keep is a share"),
        (["iterative.rewind=start"], "rewind must be one of initialisation, weights, learning-rate, got 'start'"),
        (["iterative.epoch=0"], "epoch must be an integer >= 1, got 0"),
        (["iterative.epoch=3", "epochs=3"], r"iterative\.epoch must be below epochs .*, got 3"),
        (["epochs=2"], r"iterative\.epoch must be below epochs .*, got 2 where there are 2 in a cycle"),
        (["iterative.rewind=learning-rate", "iterative.epoch=1"], 'rewind = "learning-rate" takes no epoch'),
        (["iterative.cycle=3"], r"iterative\.cycle \(did you mean iterative\.cycles\?\); there are rewind, cycles"),
        (["iterative=3"], "iterative must be a table of rewind, cycles, keep, epoch"),
    ],
)
def test_settings_of_cycles_that_cannot_be(tmp_path, changes, message):
    file = tmp_path / "mine.toml"
    file.write_text('epochs = 10\niterative = { rewind = "weights", cycles = 4 }\n', encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        recipes.read(file, changes)


def test_a_table_is_none_in_python():
    with pytest.raises(ValueError, match=r"iterative must be an Iterative, got .*: write Iterative\(\"weights\"\)"):
        Recipe(iterative={"rewind": "weights"})


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in HOLDING])
def test_methods_that_prune_by_themselves_have_no_cycles(tmp_path, name):
    with pytest.raises(ValueError, match="decides by itself which weights are pruned"):
        train(iterative("weights", method=recipe_of(name)), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_plain_run_is_not_for_cycles(tmp_path):
    train(replace(SMALL, epochs=1), folder=tmp_path)
    with pytest.raises(ValueError, match="holds a run without cycles: give this one another folder"):
        train(iterative("weights"), folder=tmp_path)
