"""Continuous and dynamic rivals: how they end, what is saved of them, what they refuse."""

import copy
import json
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.recipes import Recipe
from sketching import apply_masks, prunable
from tests.helpers.training import OPTIONS, assert_same, examples, make, network, trained, whole_and_parts

pytestmark = pytest.mark.usefixtures("one_thread")


# The end


@pytest.mark.parametrize("keep", [0, 0.1, 0.2])
@pytest.mark.parametrize("name", OPTIONS)
def test_pruning_keeps_exactly_the_largest(name, keep):
    model, method = network(), make(name)
    trained(method, model)
    dense = {n: x.clone() for n, x in method.weights().items()}
    if name == "cs":
        pairs = {n: model[int(n[0])].parametrizations["weight"] for n in dense}
        dense = {n: (pair.original0 * (pair.original1 > 0)).detach() for n, pair in pairs.items()}
    masks = method.finish(keep)
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in network().named_parameters()]
    assert list(model.state_dict()) == list(network().state_dict())
    assert list(prunable(model)) == list(masks) == ["0.weight", "3.weight"]
    assert sum(int(mask.sum()) for mask in masks.values()) == round(keep * 72)
    for n, mask in masks.items():
        assert torch.equal(model.get_parameter(n), torch.where(mask, dense[n], 0))
    kept, pruned = (torch.cat([dense[n].abs()[mask == side] for n, mask in masks.items()]) for side in (True, False))
    assert not len(kept) or kept.min() >= pruned.max()


@pytest.mark.parametrize("name", OPTIONS)
def test_finished_twice(name):
    model, method = network(), make(name)
    trained(method, model)
    method.finish()
    before = copy.deepcopy(model)
    masks = method.finish()
    assert_same(before, model)
    assert all(torch.equal(mask, model.get_parameter(n) != 0) for n, mask in masks.items())
    assert sum(int(mask.sum()) for mask in method.finish(0.1).values()) == 7
    with pytest.raises(ValueError, match="keep must be"):
        method.finish(2)


def test_a_share_that_makes_no_sense_changes_nothing():
    for name in OPTIONS:
        model, method = network(), make(name)
        method.attach(model)
        before = {n: tensor.clone() for n, tensor in model.state_dict().items()}
        with pytest.raises(ValueError, match="keep must be"):
            method.finish(5)
        assert all(torch.equal(before[n], tensor) for n, tensor in model.state_dict().items())


def test_rigl_ends_with_its_mask():
    """With weights that are active and 0, as where an input is always 0."""
    model, method = network(), make("rigl", every=1)
    model[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] * torch.tensor([1.0, 1, 0, 0, 0, 0]),))
    trained(method, model)
    with torch.no_grad():
        for name, mask in method.masks().items():
            model.get_parameter(name)[tuple(mask.nonzero()[0])] = 0
    masks = method.finish()
    assert sum(int(mask.sum()) for mask in masks.values()) == 22
    assert sum(int(model.get_parameter(name).count_nonzero()) for name in masks) == 20


def ended(name, x, **options):
    """A layer with these effective weights, as the method would end with."""
    method, layer = make(name, **options), torch.nn.Linear(len(x), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([x]))
    method.attach(layer)
    return method, layer


@pytest.mark.parametrize(("name", "knob"), [("cs", "a smaller alpha"), ("str", "a lower s_init, or less weight_decay")])
def test_an_end_that_is_too_sparse_is_told(name, knob):
    method, _ = ended(name, [1.0, -1, 0, 0], **({"s_init": 1.0} if name == "cs" else {}))
    with pytest.warns(UserWarning, match=rf"keep=0.75 asks for 3 weights, and 2 of 4 are left: take {knob}"):
        assert method.finish(0.75)["weight"].sum() == 3
    method, _ = ended(name, [0.0, 0, 0, 0])
    with pytest.warns(UserWarning, match=f"no weight is left in weight: take {knob}"):
        method.finish()


@pytest.mark.parametrize(("name", "knob"), [("cs", "a larger alpha"), ("str", "a higher s_init, or more weight_decay")])
def test_an_end_that_is_dense_is_told(name, knob):
    method, _ = ended(name, [1.0, -1], **({"s_init": 1.0} if name == "cs" else {}))
    with pytest.warns(UserWarning, match=f"no weight has been pruned: take {knob}"):
        method.finish()


def test_rigl_tells_that_it_has_no_more():
    method, _ = ended("rigl", [1.0] * 10)
    with pytest.warns(UserWarning, match=r"keep=0\.5 asks for 5 weights, and 3 of 10 are left: give RigL itself"):
        method.finish(0.5)


# State


@pytest.mark.parametrize("name", OPTIONS)
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, name):
    options = {key: value for key, value in OPTIONS[name].items() if key != "epochs"}
    model = {"name": "mlp", "widths": [64, 16, 10]}
    recipe = Recipe(model=model, epochs=4, batch=200, weight_decay=1e-2, method={"name": name, **options})
    whole_and_parts(recipe, tmp_path, killed=[2])


@pytest.mark.parametrize("name", OPTIONS)
def test_states_are_json(name):
    method, other = make(name), make(name)
    trained(method, network(), steps=7)
    state = json.loads(json.dumps(method.state_dict(), allow_nan=False))
    other.attach(network())
    other.load_state_dict(state)
    assert other.state_dict() == method.state_dict()
    with pytest.raises(ValueError, match="load the state that this method saved"):
        other.load_state_dict({"a": 1})


@pytest.mark.parametrize(("name", "free"), [("powerprop", 0), ("cs", 2), ("str", 0), ("ham", 0), ("rigl", 0)])
def test_weight_decay_is_on_all_but_gates(name, free):
    model, method = network(), make(name)
    method.attach(model)
    own, rest = method.groups(model, momentum=0.9, weight_decay=0.25)
    decayed = [p for group in (own, rest) if group["weight_decay"] == 0.25 for p in group["params"]]
    assert len(decayed) == len(list(model.parameters())) - free
    assert {own["weight_decay"], rest["weight_decay"]} <= {0.25, 0.0}


# Bad input


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("powerprop", {"exponent": 0.5}, "exponent must be a finite number >= 1 and <= 100, got 0.5: write exponent=2"),
        ("powerprop", {"exponent": math.inf}, "exponent must be a finite number >= 1 and <= 100, got inf"),
        ("cs", {"alpha": -1}, "alpha must be a finite number >= 0, got -1"),
        ("cs", {"s_init": -50}, "s_init must be a finite number >= -10 and <= 10000, got -50"),
        ("cs", {"steepness": 0.5}, "steepness must be a finite number >= 1, got 0.5"),
        ("cs", {"epochs": 0}, "epochs must be an integer >= 1"),
        ("str", {"s_init": -math.inf}, "s_init must be a finite number, got -inf: write s_init=-10"),
        ("str", {"s_init": "low"}, "s_init must be a finite number, got 'low'"),
        ("ham", {"metric": -1}, "metric must be a finite number >= 0, got -1"),
        ("ham", {"shrink": math.nan}, "shrink must be a finite number >= 0, got nan"),
        ("rigl", {"keep": 5}, "keep is a share of the weights, above 0 and at most 1, got 5: for a sparsity"),
        ("rigl", {"keep": 0}, "keep is a share of the weights, above 0 and at most 1, got 0"),
        ("rigl", {"fraction": 1.5}, "fraction must be a finite number >= 0 and <= 1, got 1.5"),
        ("rigl", {"every": 0}, "every must be an integer >= 1"),
        ("rigl", {"seed": -1}, "seed must be an integer >= 0"),
        ("rigl", {"epochs": 2.5}, "epochs must be an integer >= 1"),
    ],
)
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, **options)


def test_rigl_leaves_no_layer_empty():
    model, method = network(), make("rigl", keep=0.01)
    with pytest.raises(ValueError, match=r"keep=0\.01 leaves no weight in 3\.weight: take a larger one"):
        method.attach(model)
    assert_same(network(), model)
    assert list(model.state_dict()) == list(network().state_dict())


def test_rigl_needs_its_own_optimizer():
    model, method = network(), make("rigl")
    method.attach(model)
    torch.optim.SGD(method.groups(model, momentum=0.9, weight_decay=0), 0.1)
    x, y = examples()
    cross_entropy(model(x), y).backward()
    with pytest.raises(RuntimeError, match=r"make the optimiser by method\.optimizer"):
        method.before_step(0.1)


@pytest.mark.parametrize("name", OPTIONS)
def test_models_that_cannot_be_acted_on(name):
    with pytest.raises(ValueError, match="nothing to prune"):
        make(name).attach(torch.nn.BatchNorm1d(3))
    masked = apply_masks(torch.nn.Linear(2, 2), {"weight": torch.ones(2, 2, dtype=torch.bool)})
    with pytest.raises(ValueError, match="parametrized already"):
        make(name).attach(masked)
    method = make(name)
    method.attach(network())
    with pytest.raises(RuntimeError, match="attached already"):
        method.attach(network())
    with pytest.raises(RuntimeError, match="no model is attached"):
        make(name).finish()
