"""Masks at initialisation: what is found, and weights that stay exactly zero whatever trains the others."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import data, methods, models
from linreg_mirror.networks.methods import Dense, Masked
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from linreg_mirror.networks.pruning.masking import Batch
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from sketching import prunable
from tests.helpers.training import end_of, examples, network, same, trained, whole_and_parts

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=2, batch=100)
SNIP = {"name": "masked", "score": "snip", "keep": 0.25}
PILOT = {"epochs": 4, "alpha": 1e-3, "K": 1.0, "delta": 1.5}
HOLDING = {
    "dense": {},
    "l1": {"alpha": 1e-3},
    "l1 proximal": {"alpha": 1e-3, "proximal": True},
    "spred": {"alpha": 1e-3},
    "pilot": PILOT,
    "pilot-mirror": PILOT,
    "powerprop": {"exponent": 2.0},
    "ham": {"metric": 1.0},
    "str": {"s_init": -2.0},
    "cs": {"epochs": 4, "alpha": 1e-4},
}


def half(seed=3):
    """Masks of every other weight or so."""
    rng = np.random.default_rng(seed)
    return {"0.weight": torch.tensor(rng.random((8, 6)) < 0.5), "3.weight": torch.tensor(rng.random((3, 8)) < 0.5)}


def steps(method, model, count=24, optimizer=None):
    optimizer = optimizer or method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=0.01)
    return trained(method, model, count, lr=0.1, optimizer=optimizer)


# ---- masks that hold


@pytest.mark.parametrize("name", HOLDING)
def test_pruned_weights_stay_exactly_zero_and_the_others_move(name):
    method, model, masks = methods.create(name.partition(" ")[0], **HOLDING[name]), network(), half()
    method.attach(model, masks)
    start = {n: x.clone() for n, x in method.weights().items()}
    steps(method, model)
    for n, x in method.weights().items():
        assert not x[~masks[n]].any()
        assert (x != start[n])[masks[n]].all()
    method.finish()
    for n, x in prunable(model).items():
        assert not x[~masks[n]].any()
    assert model.state_dict().keys() == network().state_dict().keys(), "masks are left behind"


@pytest.mark.parametrize("name", HOLDING)
def test_masks_that_prune_nothing_change_no_bit(name):
    ends = []
    for masks in (None, {n: torch.ones_like(mask) for n, mask in half().items()}):
        method, model = methods.create(name.partition(" ")[0], **HOLDING[name]), network()
        method.attach(model, masks)
        steps(method, model)
        method.finish()
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_a_step_of_a_masked_network_by_hand():
    layer = torch.nn.Linear(3, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4, -0.25, 2]]))
    method = Dense()
    method.attach(layer, {"weight": torch.tensor([[True, False, True]])})
    optimizer = method.optimizer(layer, lr=0.125, momentum=0.5, weight_decay=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.tensor([[0.25, -1, 1]]).double()).sum().backward()
        method.before_step(0.125)
        optimizer.step()
    # Velocities 0.25 + 4/2 = 2.25 and 1 + 2/2 = 2, then half of them plus 0.25 + 3.71875/2 and 1 + 1.75/2.
    first, second = 4 - 0.125 * 2.25, 2 - 0.125 * 2
    assert layer.weight.tolist() == [
        [first - 0.125 * (1.125 + 0.25 + first / 2), 0, second - 0.125 * (1 + 1 + second / 2)]
    ]


def test_only_the_penalty_moves_the_factors_of_a_pruned_weight():
    layer = torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2, -2]]))
    method = methods.PILoT(epochs=1, alpha=0.5, K=0, delta=1, beta=4)
    method.attach(layer, {"weight": torch.tensor([[True, False]])})
    optimizer = method.optimizer(layer, lr=0.125, momentum=0, weight_decay=0)
    layer(torch.tensor([[1.0, 1.0]]).double()).sum().backward()
    method.before_step(0.125)
    optimizer.step()
    ((m, w),) = factors_of(layer).values()
    # m = 2 and w = 0 at the start, so that m^2 - w^2 = 4; and the gradient of the penalty is theirs.
    assert (m[0, 1].item(), w[0, 1].item()) == (2 - 0.125 * 2, 0)


def test_factors_are_absorbed_into_the_weights():
    model, method = network(), Dense()
    before = model[0].weight.detach().clone()
    factors = torch.tensor(np.random.default_rng(0).choice([0, 0.5, 2], size=(8, 6)), dtype=torch.float32)
    method.attach(model, {"0.weight": factors})
    assert torch.equal(model[0].weight, before * factors)
    steps(method, model, 1)
    plain, other = network(), Dense()
    with torch.no_grad():
        plain[0].weight.mul_(factors)
    other.attach(plain)
    steps(other, plain, 1)
    assert torch.equal(model[0].weight, torch.where(factors != 0, plain[0].weight, 0))
    assert torch.equal(model[3].weight, plain[3].weight), "a weight without a mask is trained as it is"


def test_masks_come_from_the_state_and_not_from_the_scores():
    """As where scores are not the same twice."""
    whole, method = network(), Dense()
    method.attach(whole, half())
    optimizer = steps(method, whole, 12)
    kept = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    again, other = network(seed=1), Dense()
    other.attach(again, half(seed=4))
    restored = other.optimizer(again, lr=0.1, momentum=0.9, weight_decay=0.01)
    again.load_state_dict(kept)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(method, whole, 12, optimizer)
    steps(other, again, 12, restored)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in whole.state_dict().items())
    assert not again[0].weight[~half()["0.weight"]].any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("masked", {"score": "magnitude", "keep": 0.5}),
        ("rigl", {"epochs": 2, "keep": 0.5}),
        ("l0", {"epochs": 2, "lam": 0.1}),
        ("dep-l0", {"epochs": 2, "lam": 0.1}),
    ],
)
def test_methods_that_prune_by_themselves_take_no_masks(name, options):
    model = network()
    with pytest.raises(ValueError, match=r"decides by itself which weights are pruned: give masks to another method"):
        methods.create(name, **options).attach(model, half())
    assert torch.equal(model[0].weight, network()[0].weight)


def test_masks_that_do_not_fit():
    method, model = Dense(), network()
    with pytest.raises(ValueError, match=r"0\.weight: the mask has shape \(2,\), the weight \(8, 6\)"):
        method.attach(model, {"3.weight": half()["3.weight"], "0.weight": torch.ones(2, dtype=torch.bool)})
    assert torch.equal(model[3].weight, network()[3].weight)
    method.attach(model, half())


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
