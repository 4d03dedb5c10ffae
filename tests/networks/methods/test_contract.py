"""What every method keeps to, whatever its weights are made of."""

import copy
import inspect
import json
import math
import warnings

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import methods
from linreg_mirror.networks.recipes import Recipe
from sketching import apply_masks, prunable
from tests.helpers.methods import HOLDING, VARIANTS, class_of, make, recipe_of
from tests.helpers.training import assert_same, examples, half, network, trained, whole_and_parts

pytestmark = pytest.mark.usefixtures("one_thread")

ALL = pytest.mark.parametrize("name", VARIANTS)
# These draw or choose something for the model as a whole.
LAYER_BY_LAYER = [name for name in VARIANTS if not name.startswith(("masked", "rigl", "granet", "l0", "dep-l0"))]


@pytest.fixture(autouse=True)
def seeded():
    """Gates are drawn from torch's own generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def attached(name, model, lr=0.05, momentum=0.9, weight_decay=0.01):
    method = make(name)
    method.attach(model)
    return method, method.optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)


def finished(method, model):
    """The weights as they would be at the end, if this were it."""
    method, model = copy.deepcopy((method, model))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no weight has been pruned")
        method.finish()
    return {name: x.detach() for name, x in prunable(model).items()}


# ---- attaching


@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith(("masked", "rigl", "granet"))])
def test_attaching_leaves_the_network_as_it_was(name):
    model = network()
    make(name).attach(model)
    x, _ = examples()
    torch.testing.assert_close(model.eval()(x), network().eval()(x), rtol=1e-5, atol=1e-6)


@ALL
def test_models_that_cannot_be_acted_on(name):
    tied = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    masked = apply_masks(network(), {"0.weight": torch.ones(8, 6, dtype=torch.bool)})
    for model, message in (
        (torch.nn.BatchNorm1d(2), "no trainable weight with two or more dimensions"),
        (tied, "one weight under two names"),
        (masked, "parametrized already: 0"),
        (torch.nn.LazyLinear(2), "not initialised yet"),
        (torch.nn.parallel.DistributedDataParallel.__new__(torch.nn.parallel.DistributedDataParallel), "is wrapped"),
    ):
        method = make(name)
        with pytest.raises(ValueError, match=message):
            method.attach(model)
        method.attach(network())


@ALL
def test_the_order_of_calls(name):
    method, model = make(name), network()
    for early in (
        lambda: method.groups(model, momentum=0, weight_decay=0),
        lambda: method.before_step(0.1),
        method.l1_norm,
        method.finish,
    ):
        with pytest.raises(RuntimeError, match=r"no model is attached: call method.attach\(model\) first"):
            early()
    method.attach(model)
    with pytest.raises(RuntimeError, match="a model is attached already: make one method for each model"):
        method.attach(network())
    with pytest.raises(RuntimeError, match=r"no weight has a gradient: call before_step after loss.backward\(\)"):
        method.before_step(0.1)
    with pytest.raises(ValueError, match="this is not the model"):
        method.groups(network(), momentum=0, weight_decay=0)
    with pytest.raises(ValueError, match="momentum must be in"):
        method.groups(model, momentum=1, weight_decay=0)
    with pytest.raises(ValueError, match="weight_decay must be"):
        method.groups(model, momentum=0, weight_decay=-1)
    with pytest.raises(ValueError, match=r"a state of .* has the entries alpha, decay.*, got alpha, gamma: load the"):
        method.load_state_dict({"alpha": 1, "gamma": 2})
    assert method.decay == 0


@pytest.mark.parametrize("name", [name for name in VARIANTS if "l0" not in name])
def test_learning_rates_out_of_range(name):
    """L0 needs none: Adam has a time of its own."""
    model = network()
    method, _ = attached(name, model)
    model(examples()[0]).sum().backward()
    for lr in (-0.1, math.nan):
        with pytest.raises(ValueError, match="lr must be a finite number >= 0"):
            (method.after_step if name == "l1 proximal" else method.before_step)(lr)
    assert method.decay == 0


# ---- parameter groups

UNDECAYED = {
    "l1": 2, "l1 proximal": 2, "spred": 4, "pilot": 4, "pilot-mirror": 2,  # of the weights, which have a penalty
    "cs": 2, "l0": 2, "l0 channels": 1, "dep-l0": 2, "dep-l0 backward": 2,  # of the gates
}  # fmt: skip


@ALL
def test_groups(name):
    model, method = network(), make(name)
    model[3].bias.requires_grad_(False)
    method.attach(model)
    groups = method.groups(torch.nn.ModuleDict({"wrapped": model}), momentum=0.9, weight_decay=0.25)
    grouped = [p for group in groups for p in group["params"]]
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert len(grouped) == len(trainable)
    assert set(grouped) == set(trainable)
    assert {group["weight_decay"] for group in groups} <= {0, 0.25}
    free = [p for group in groups if not group["weight_decay"] for p in group["params"]]
    if name in UNDECAYED or issubclass(class_of(name), methods.Dense):  # of others their own tests know
        assert len(free) == UNDECAYED.get(name, 0)
    assert not {model[0].bias, model[1].weight, model[1].bias} & set(free)


@pytest.mark.parametrize("name", [name for name in VARIANTS if "channels" not in name and "dep-l0" not in name])
def test_groups_of_a_model_of_one_weight(name):
    bare, method = torch.nn.Linear(2, 2, bias=False), make(name)
    method.attach(bare)
    grouped = [p for group in method.groups(bare, momentum=0, weight_decay=0.25) for p in group["params"]]
    assert set(grouped) == set(bare.parameters())
    assert all(group["params"] for group in method.groups(bare, momentum=0, weight_decay=0.25))


# ---- steps


@pytest.mark.parametrize("name", LAYER_BY_LAYER)
def test_weights_without_gradient_are_left_alone(name):
    """As optimisers leave them: all but the proximal step, which needs no gradient."""
    model = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
    method, optimizer = attached(name, model, lr=0.1, momentum=0, weight_decay=0.1)
    before = model[1].weight.detach().clone()
    model[0](torch.ones(2)).sum().backward()
    method.before_step(0.1)
    optimizer.step()
    method.after_step(0.1)
    assert torch.equal(model[1].weight, before) == (name != "l1 proximal")


@pytest.mark.parametrize("name", LAYER_BY_LAYER)
def test_several_dtypes_in_a_model(name):
    """One step of each layer as if it were alone."""
    layers = [torch.nn.Linear(3, 2).to(dtype) for dtype in (torch.float64, torch.float32, torch.bfloat16)]
    alone = [copy.deepcopy(layer) for layer in layers]
    for model in (torch.nn.ModuleList(layers), *alone):
        method, optimizer = attached(name, model, lr=0.1, momentum=0, weight_decay=0)
        for layer in layers if isinstance(model, torch.nn.ModuleList) else [model]:
            layer(torch.ones(3, dtype=layer.bias.dtype)).sum().backward()
        method.before_step(0.1)
        optimizer.step()
        method.after_step(0.1)
    for one, layer in zip(alone, layers, strict=True):
        assert torch.equal(one.weight, layer.weight)


@ALL
def test_scaled_gradients(name):
    """A power of two changes no bit, so that a step through the scaler is the step without it."""
    x, y = examples()
    scaled, plain = network(), network()
    method, optimizer = attached(name, plain)
    torch.manual_seed(1)
    trained(method, plain, steps=5, optimizer=optimizer)
    method, optimizer = attached(name, scaled)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    torch.manual_seed(1)
    for step in range(5):
        optimizer.zero_grad()
        outputs = scaled(x)
        scaler.scale(cross_entropy(outputs, y)).backward()
        scaler.unscale_(optimizer)
        method.before_step(0.05)
        scaler.step(optimizer)
        scaler.update()
        method.after_step(0.05)
        if step % 3 == 2:
            method.after_epoch((outputs.argmax(1) == y).float().mean().item())
    assert_same(scaled, plain)


# ---- state


@ALL
def test_a_method_goes_on_from_its_state(name):
    first, second = network(), network(seed=1)
    method, optimizer = attached(name, first)
    trained(method, first, steps=9, optimizer=optimizer)
    state = json.dumps(method.state_dict(), allow_nan=False)
    states = copy.deepcopy([first.state_dict(), optimizer.state_dict()])
    other, again = attached(name, second)
    second.load_state_dict(states[0])
    again.load_state_dict(states[1])
    other.load_state_dict(json.loads(state))
    assert other.state_dict() == method.state_dict()
    for one, model, its in ((method, first, optimizer), (other, second, again)):
        torch.manual_seed(1)
        trained(one, model, steps=9, optimizer=its)
    assert other.state_dict() == method.state_dict()
    assert_same(first, second)


@ALL
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, name):
    method = recipe_of(name)
    if "l0" in name:
        method |= {"gate_lr": 0.05, "finetune": 2 if name.endswith("backward") else 0}
    model = {"name": "mlp", "widths": [64, 16, 12, 10]}
    recipe = Recipe(model=model, epochs=4, batch=200, weight_decay=1e-2, method=method)
    whole, _ = whole_and_parts(recipe, tmp_path)
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]
    if name != "cs":  # whose gates become hard at the end
        assert whole.pruned(1.0)["accuracy"] == whole.history[-1]["test_accuracy"]


# ---- masks that are given


def trained_with(method, model, masks):
    method.attach(model, masks)
    start = {n: x.clone() for n, x in method.weights().items()}
    optimizer = method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=0.01)
    trained(method, model, 24, lr=0.1, optimizer=optimizer)
    return start


@pytest.mark.parametrize("name", HOLDING)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_pruned_weights_stay_exactly_zero_and_the_others_move(name):
    method, model, masks = make(name), network(), half()
    start = trained_with(method, model, masks)
    for n, x in method.weights().items():
        assert not x[~masks[n]].any()
        assert (x != start[n])[masks[n]].all()
    method.finish()
    for n, x in prunable(model).items():
        assert not x[~masks[n]].any()
    assert model.state_dict().keys() == network().state_dict().keys(), "masks are left behind"


@pytest.mark.parametrize("name", HOLDING)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_masks_that_prune_nothing_change_no_bit(name):
    ends = []
    for masks in (None, {n: torch.ones_like(mask) for n, mask in half().items()}):
        method, model = make(name), network()
        trained_with(method, model, masks)
        method.finish()
        ends.append(model)
    assert_same(*ends)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in HOLDING])
def test_methods_that_prune_by_themselves_take_no_masks(name):
    model = network()
    with pytest.raises(ValueError, match=r"decides by itself which weights are pruned: give masks to another method"):
        make(name).attach(model, half())
    assert_same(model, network())


# ---- the end


def shares(name):
    """A method that ends sparse by itself has not all weights to keep."""
    return [0, 0.1, 0.2] if class_of(name).denser else [0, 0.1, 0.25, 1]


@ALL
def test_weights_are_those_of_the_end(name):
    model, method = network(), make(name)
    trained(method, model)
    weights = method.weights()
    if name != "cs":  # whose gates become hard at the end
        expected = finished(method, model)
        assert all(torch.equal(x, expected[n]) for n, x in weights.items())
    assert method.l1_norm() == pytest.approx(sum(x.abs().sum().item() for x in weights.values()), rel=1e-5)


@pytest.mark.parametrize(("name", "keep"), [(name, keep) for name in VARIANTS for keep in shares(name)])
def test_pruning_keeps_exactly_the_largest(name, keep):
    model, method = network(), make(name)
    trained(method, model)
    dense = finished(method, model)
    masks = method.finish(keep)
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in network().named_parameters()]
    assert list(model.state_dict()) == list(network().state_dict())
    assert list(prunable(model)) == list(masks) == ["0.weight", "3.weight"]
    assert sum(int(mask.sum()) for mask in masks.values()) == round(keep * 72)
    for n, mask in masks.items():
        weight = model.get_parameter(n)
        assert isinstance(weight, torch.nn.Parameter)
        assert mask.dtype == torch.bool
        assert torch.equal(weight, torch.where(mask, dense[n], 0))
    kept, pruned = (torch.cat([dense[n].abs()[mask == side] for n, mask in masks.items()]) for side in (True, False))
    assert not len(kept) or not len(pruned) or kept.min() >= pruned.max()


@ALL
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_finished_twice(name):
    model, method = network(), make(name)
    trained(method, model)
    method.finish()
    before = copy.deepcopy(model)
    masks = method.finish()
    assert_same(before, model)
    assert all(torch.equal(mask, model.get_parameter(n) != 0) for n, mask in masks.items())
    assert sum(int(mask.sum()) for mask in method.finish(0.1).values()) == 7


@ALL
def test_a_share_that_makes_no_sense_changes_nothing(name):
    model, method = network(), make(name)
    method.attach(model)
    before = {n: tensor.clone() for n, tensor in model.state_dict().items()}
    for keep in (-0.1, 1.1, math.nan, 5):
        with pytest.raises(ValueError, match=r"keep must be in \[0, 1\]"):
            method.finish(keep)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(before[n], tensor) for n, tensor in model.state_dict().items())


@pytest.mark.parametrize("kind", [methods.BaseMethod, *methods.METHODS.values()])
@pytest.mark.parametrize("call", ["attach", "bind", "finish", "groups", "optimizer", "before_step", "after_epoch"])
def test_help_shows_the_parameters_and_a_line_of_its_own(kind, call):
    text = inspect.getdoc(getattr(kind, call))
    assert "Parameters" in text.splitlines()
    of_all = inspect.getdoc(getattr(methods.Method, call))
    assert of_all.partition("\n\n")[2] in text or call == "before_step"  # which raises errors of its own in some
