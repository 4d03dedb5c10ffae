"""Which weights are pruned: those of layers, or those that are named, matched or chosen by a function."""

import numpy as np
import pytest
import torch
from torch import nn

import sketching
from linreg_mirror.networks import methods
from sketching import network_scores, prunable
from tests.helpers.methods import VARIANTS, make


class Block(nn.Module):
    """With parameters as vision transformers and ConvNeXt have them."""

    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, 8))
        self.layer_scale = nn.Parameter(torch.full((8, 1), 1e-6))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        x = x + self.attention(x, x, x, need_weights=False)[0] * self.layer_scale[:, 0]
        return self.head(self.norm(x)[:, 0])


LAYERS = ["attention.in_proj_weight", "attention.out_proj.weight", "head.weight"]
OTHERS = ["cls_token", "pos_embed", "layer_scale"]
SAYS = "no layer's weights, and left as they are: cls_token, pos_embed, layer_scale; silence this with"


def block():
    torch.manual_seed(0)
    return Block()


def test_parameters_that_no_layer_owns_are_left_out_and_named():
    with pytest.warns(UserWarning, match=SAYS):
        assert list(prunable(block())) == LAYERS
    confirmed = [f"!{name}" for name in OTHERS]
    assert list(prunable(block(), confirmed)) == LAYERS  # as the warning says, without it


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ("*", [*OTHERS, *LAYERS]),
        ("head.weight", ["head.weight"]),
        (["attention.*", "!*.in_*"], LAYERS[1:2]),
        (["!head.*"], LAYERS[:2]),
        (["!head.*", "pos_embed"], ["pos_embed", *LAYERS[:2]]),
        (lambda name, parameter: parameter.shape == (8, 8), ["attention.out_proj.weight"]),
    ],
)
def test_names_patterns_and_functions(weights, names):
    assert list(prunable(block(), weights)) == names


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (
            "heads",
            ValueError,
            "'heads' matches no trainable parameter with two or more dimensions; there are cls",
        ),
        (["head.*", "!*"], ValueError, "leaves nothing to prune"),
        (lambda *_: False, ValueError, "weights chooses none of cls_token"),
        ([], TypeError, "weights must be a function"),
        (3, TypeError, "weights must be a function"),
    ],
)
def test_choices_that_make_no_sense(weights, error, message):
    with pytest.raises(error, match=message):
        prunable(block(), weights)


def test_a_module_that_is_no_layer_says_how():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(torch.ones(2, 2))

    with pytest.raises(ValueError, match=r"no layer owns matrix; to prune these write weights=\['matrix'\]"):
        prunable(Own())
    assert list(prunable(Own(), ["matrix"])) == ["matrix"]


def test_the_way_that_works_for_tied_weights():
    model = nn.ModuleDict({"tokens": nn.Embedding(5, 4), "body": nn.Linear(4, 4), "head": nn.Linear(4, 5, bias=False)})
    model["head"].weight = model["tokens"].weight
    with pytest.raises(ValueError, match=r"tokens\.weight = head\.weight") as refused:
        prunable(model)
    assert "weights=['!tokens.weight', '!head.weight']" in str(refused.value)
    assert list(prunable(model, ["!tokens.weight", "!head.weight"])) == ["body.weight"]
    with pytest.raises(ValueError, match="one weight under two names"):
        prunable(model, "head.weight")
    with pytest.raises(ValueError, match="one weight under two names"):
        sketching.apply_masks(model, {"head.weight": torch.ones(5, 4, dtype=torch.bool)})
    sketching.apply_masks(model, {"body.weight": torch.ones(4, 4, dtype=torch.bool)})


@pytest.mark.parametrize("name", [name for name in VARIANTS if "channels" not in name and "dep-l0" not in name])
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_methods_act_on_what_is_chosen(name):
    model, method = block(), make(name, **({"s_init": 0.5} if name == "cs" else {}))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    method.attach(model, weights=["attention.*weight"])
    assert list(method.weights()) == LAYERS[:2]
    masks = method.finish(keep=0.1)
    assert list(masks) == LAYERS[:2]
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * 256)
    after = dict(model.named_parameters())
    assert list(after) == list(before)
    assert all(torch.equal(after[n], before[n]) for n in before if n not in masks)


@pytest.mark.parametrize("name", ["pilot", "dense"])
def test_by_default_methods_leave_positions_and_scales_alone(name):
    model, method = block(), make(name)
    with pytest.warns(UserWarning, match=SAYS):
        method.attach(model)
    method.finish(keep=0.01)
    assert (model.layer_scale == 1e-6).all()
    assert model.pos_embed.all()


def test_scores_masks_and_diagnosis_are_of_what_is_chosen():
    model, rng = block(), np.random.default_rng(0)
    x, y = torch.randn(4, 4, 8), torch.tensor([0, 1, 2, 0])
    chosen = ["head.weight", "pos_embed"]
    for scores in (
        network_scores.magnitude(model, weights=chosen),
        network_scores.random(model, rng, weights=chosen),
        network_scores.snip(model, nn.functional.cross_entropy, x, y, weights=chosen),
        network_scores.grasp(model, nn.functional.cross_entropy, x, y, weights=chosen),
        network_scores.rms_snip(model, nn.functional.cross_entropy, x, y, weights=chosen),
        network_scores.jacobian_norm(model, x, weights=chosen),
        network_scores.synflow(model, x, weights=chosen),
    ):
        assert list(scores) == ["pos_embed", "head.weight"]
    masks = sketching.select_masks(scores, keep=0.5)
    found = sketching.diagnosis(model, masks, weights=chosen)
    assert [layer.name for layer in found.layers] == ["pos_embed", "head.weight"]
    # Those that masks name are told of beside the layers.
    assert [layer.name for layer in sketching.diagnosis(model, masks).layers] == ["pos_embed", *LAYERS]
    sketching.apply_masks(model, masks)
    assert not model.pos_embed[~masks["pos_embed"]].any()


def test_masks_at_initialisation_of_what_is_chosen():
    method, model = methods.create("masked", score="magnitude", keep=0.25), block()
    method.attach(model, weights="!attention.*")
    assert {name: int((x != 0).sum()) for name, x in method.weights().items()} == {"head.weight": 6}
