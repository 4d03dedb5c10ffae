"""Masks at initialisation: what is found, and runs from them."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import data, models
from linreg_mirror.networks.methods import Masked
from linreg_mirror.networks.methods import masked as module
from linreg_mirror.networks.pruning.masking import Batch
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from sketching import prunable
from tests.helpers.training import end_of, examples, network, same, whole_and_parts

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=2, batch=100)
SNIP = {"name": "masked", "score": "snip", "keep": 0.25}


# ---- masks that the method finds


def pruned_at_start(model, **options):
    method = Masked(**{"score": "magnitude", "keep": 0.25, **options})
    method.attach(model)
    return {name: x == 0 for name, x in method.weights().items()}


def test_the_scores_are_those_of_the_batch():
    x, y = examples(count=30)
    model = network()
    loss = cross_entropy(model(x[:10]), y[:10])
    gradients = torch.autograd.grad(loss, [model[0].weight, model[3].weight])
    score = torch.cat(
        [(w * g).abs().flatten() for w, g in zip((model[0].weight, model[3].weight), gradients, strict=True)]
    )
    expected = torch.zeros(72, dtype=torch.bool)
    expected[score.argsort(descending=True)[18:]] = True
    found = pruned_at_start(model, score="snip", examples=10, batch=lambda n: Batch(x[:n], y[:n], cross_entropy))
    assert torch.equal(torch.cat([pruned.flatten() for pruned in found.values()]), expected)


def test_a_batch_can_be_keyword_arguments():
    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = network()

        def forward(self, pixels, scale):
            return {"logits": self.layers(pixels * scale[:, None])}

    x, y = examples(count=10)
    batch = Batch({"pixels": x, "scale": torch.ones(10)}, y, cross_entropy)
    for score in ("snip", "rms-snip"):
        found = pruned_at_start(Named(), score=score, batch=lambda n: batch)
        expected = pruned_at_start(network(), score=score, batch=lambda n: Batch(x, y, cross_entropy))
        assert all(torch.equal(found[f"layers.{name}"], one) for name, one in expected.items())


def test_draws_follow_from_the_seed():
    one, same, other = (pruned_at_start(network(), select="gumbel", seed=seed)["0.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("keep", [1.0, 0.1])
def test_what_is_asked_for_is_kept(keep):
    found = pruned_at_start(network(), keep=keep, select="gumbel", allocate="erk")
    assert sum(int((~pruned).sum()) for pruned in found.values()) == int(keep * 72 + 0.5)


def test_factors_make_up_for_the_chance_to_be_drawn():
    """Weights that are drawn in proportion to their size, and divided by that chance, all begin with the same size."""
    model, method = network(), Masked("magnitude", keep=4 / 72, select="systematic", rescale=True)
    before = {name: x.detach().clone() for name, x in prunable(model).items()}
    size = sum(x.abs().sum().item() for x in before.values()) / 4
    assert all(x.abs().max() < size for x in before.values()), "no chance is 1"
    method.attach(model)
    for name, x in method.weights().items():
        expected = torch.where(x != 0, size * before[name].sign(), 0)
        torch.testing.assert_close(x, expected, rtol=1e-6, atol=0)
    assert sum(int(x.count_nonzero()) for x in method.weights().values()) == 4


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({"score": "magnitude", "keep": 0.02}, r"leaves nothing of 3\.weight"),
        (
            {"score": "random", "keep": 2 / 72, "allocate": "uniform", "seed": 1, "batch": True},
            "leaves no way from input",
        ),
    ],
)
def test_a_network_that_collapses_says_so(options, lost):
    model = network()
    with torch.no_grad():
        model[3].weight.mul_(1e-3)
    if "batch" in options:
        options = options | {"batch": lambda n: Batch(*examples(count=n), cross_entropy)}
    with pytest.warns(UserWarning, match=f"{lost}.*: write allocate='erk', select another way, or keep more"):
        pruned_at_start(model, **options)


def test_a_draw_that_misses_its_number_says_so():
    with pytest.warns(UserWarning, match=r"keeps \d+ weights where 54 were asked for: .* select='gumbel'"):
        pruned_at_start(network(), keep=0.75, select="with-replacement")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep is a share of the weights, above 0 and at most 1, got 0"),
        ({"keep": 1.5}, "keep is a share"),
        ({"examples": 0}, "examples must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"balanced": 1}, "balanced must be true or false"),
        ({"parts": 2}, "only GraSP cuts its examples into parts, got parts=2"),
        ({"data": "none"}, "data must be true or false, got 'none'"),
        ({"score": "snap"}, "score must be one of magnitude, random, synflow"),
        ({"select": "best"}, "select must be one of top-k, gumbel"),
        ({"allocate": "local"}, "allocate must be one of global"),
        ({"rescale": True}, "top-k keeps the same weights always"),
        ({"rounds": 0}, "rounds must be"),
        ({"score": "snip"}, r"snip needs a batch, .*\(in a recipe method\.data=false\)"),
        ({"score": "snip", "data": False}, "input_shape"),
    ],
)
def test_options_that_cannot_be(options, message):
    model = network()
    with pytest.raises(ValueError, match=message):
        pruned_at_start(model, **options)
    assert torch.equal(model[0].weight, network()[0].weight)


# ---- runs


def same_bits(one, other):
    return same(end_of(one), end_of(other))


def test_a_mask_that_keeps_all_is_dense_training(tmp_path):
    train(replace(SMALL, method={"name": "dense"}), folder=tmp_path / "dense")
    train(replace(SMALL, method=SNIP | {"keep": 1.0}), folder=tmp_path / "masked")
    assert same_bits(tmp_path / "dense", tmp_path / "masked")


@pytest.mark.parametrize("options", [{}, {"data": False}, {"score": "synflow", "data": False, "select": "gumbel"}])
def test_a_run_keeps_what_it_was_asked_for(tmp_path, options):
    run = train(replace(SMALL, method=SNIP | options), folder=tmp_path)
    assert run.pruned(1.0)["nonzero"] == run.pruned(0.25)["nonzero"] == 296  # of 1184
    assert run.pruned(0.25)["accuracy"] == run.history[-1]["test_accuracy"] > 0.3


def test_scores_see_the_examples_that_training_begins_with(tmp_path):
    recipe = replace(SMALL, epochs=1, seed=3, method=SNIP | {"examples": 30}, augment=True)
    run = train(recipe, folder=tmp_path)
    x, y = next(data.Batches(data.load("digits").train, 30, seed=3).epoch(0))
    model = models.create("mlp", seed=3, widths=[64, 16, 10])
    weights = list(prunable(model).values())
    gradients = torch.autograd.grad(cross_entropy(model(x), y), weights)
    score = torch.cat([(w * g).abs().flatten() for w, g in zip(weights, gradients, strict=True)])
    least = score.sort(descending=True).values[295]
    found = torch.cat([x.flatten() != 0 for x in prunable(run.model).values()])
    assert torch.equal(found, score >= least)


def test_balanced_examples_in_two_parts(tmp_path, monkeypatch):
    seen, masks_of = [], module.masks_at_initialization

    def spying(*given, **named):
        seen.append((given, named))
        return masks_of(*given, **named)

    monkeypatch.setattr(module, "masks_at_initialization", spying)
    method = {"name": "masked", "score": "grasp", "keep": 0.5, "examples": 40, "balanced": True, "parts": 2}
    run = train(replace(SMALL, epochs=1, method=method), folder=tmp_path / "run")
    ((_, batch), named) = seen[0]
    assert named["parts"] == 2
    for half in batch.targets.chunk(2):
        assert half.bincount().tolist() == [2] * 10
    first = next(iter(data.Batches(run.data.train, len(run.data.train), seed=0)))
    for label in range(10):
        assert torch.equal(batch.inputs[batch.targets == label], first[0][first[1] == label][:4])


def test_examples_that_cannot_be_balanced(tmp_path):
    for options, message in (
        ({"examples": 35}, "balanced examples of 10 classes are a multiple of 10, got examples=35"),
        ({"examples": 1440}, r"need 144 of each class, and of class \d there are 1\d\d: write fewer"),
    ):
        method = {"name": "masked", "score": "snip", "keep": 0.5, "balanced": True, **options}
        with pytest.raises(ValueError, match=message):
            train(replace(SMALL, method=method), folder=tmp_path / "run")


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path):
    whole_and_parts(replace(SMALL, method=SNIP | {"select": "gumbel"}), tmp_path, killed=[1])


def test_precision_and_seed_are_those_of_the_recipe(tmp_path):
    method = {"name": "masked", "score": "random", "keep": 0.25}
    recipe = replace(SMALL, epochs=1, precision="float64", seed=1)
    for name, own in (("recipe", {}), ("same", {"seed": 1}), ("other", {"seed": 0})):
        run = train(replace(recipe, method=method | own), folder=tmp_path / name)
        assert next(run.model.parameters()).dtype == torch.float64
    assert same_bits(tmp_path / "recipe", tmp_path / "same")
    assert not same_bits(tmp_path / "recipe", tmp_path / "other")


@pytest.mark.parametrize("score", ["snip", "jacobian-norm"])
def test_what_stands_for_data_has_the_precision_of_the_model(score):
    model = models.create("mlp", seed=0, widths=[64, 16, 10]).double()
    found = pruned_at_start(model, score=score, data=False)
    assert sum(int((~pruned).sum()) for pruned in found.values()) == 296


def test_too_many_examples_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"1\.\.1437 examples"):
        train(replace(SMALL, method=SNIP | {"examples": 5000}), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_score_without_data_says_how_it_goes_without():
    model = network()
    with pytest.raises(ValueError, match=r"synflow needs a batch.*data=False and set model\.input_shape"):
        Masked("synflow", keep=0.5).attach(model)
    model.input_shape = (6,)
    Masked("synflow", keep=0.5, data=False).attach(model)
