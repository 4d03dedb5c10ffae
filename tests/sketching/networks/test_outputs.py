"""Models as those of Hugging Face: keyword arguments in, a mapping or a dataclass out."""

from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import sketching
from sketching import network_scores


@dataclass
class Output:
    loss: torch.Tensor | None
    logits: torch.Tensor
    hidden: tuple = ()


KINDS = {
    "dataclass": lambda logits, hidden: Output(None, logits),
    "mapping": lambda logits, hidden: OrderedDict(hidden=hidden, logits=logits),
    "one tensor": lambda logits, hidden: {"scores": logits, "names": "a"},
}


class Classifier(nn.Module):
    def __init__(self, wrap=lambda logits, hidden: logits):
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.head, self.wrap = nn.Embedding(7, 4), nn.Linear(4, 3), wrap

    def forward(self, input_ids, attention_mask=None):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden = (self.tokens(input_ids) * mask[..., None]).sum(1)
        return self.wrap(self.head(hidden.tanh()), hidden)


IDS, LABELS = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([0, 2])
ALL = torch.ones_like(IDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("score", [network_scores.snip, network_scores.grasp])
def test_scores_are_those_of_the_plain_model(kind, score):
    expected = score(Classifier(), cross_entropy, IDS, LABELS)
    found = score(Classifier(KINDS[kind]), cross_entropy, {"input_ids": IDS, "attention_mask": ALL}, LABELS)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], one) for name, one in expected.items())
    other = score(Classifier(), cross_entropy, {"input_ids": IDS, "attention_mask": ALL * (IDS > 1)}, LABELS)
    assert not torch.equal(other["tokens.weight"], expected["tokens.weight"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "score",
    [
        network_scores.jacobian_norm,
        lambda model, inputs, **some: network_scores.rms_snip(model, cross_entropy, inputs, LABELS, **some),
    ],
    ids=["jacobian_norm", "rms_snip"],
)
def test_scores_by_example_are_those_of_the_plain_model(kind, score):
    expected = score(Classifier(), IDS)
    for chunk in (None, 1):
        found = score(Classifier(KINDS[kind]), {"input_ids": IDS, "attention_mask": ALL}, chunk=chunk)
        assert found.keys() == expected.keys()
        for name, one in expected.items():
            torch.testing.assert_close(found[name], one)
    other = score(Classifier(), {"input_ids": IDS, "attention_mask": ALL * (IDS > 1)})
    assert not torch.allclose(other["tokens.weight"], expected["tokens.weight"])
    with pytest.raises(ValueError, match="as many examples in each argument, got 2 in input_ids, 1 in attention_mask"):
        score(Classifier(lambda logits, hidden: logits[:2]), {"input_ids": IDS, "attention_mask": ALL[:1]})


@pytest.mark.parametrize("wrap", [lambda logits: {"logits": logits}, lambda logits: Output(None, logits)])
def test_a_diagnosis_takes_keyword_arguments(wrap):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

        def forward(self, x, scale):
            return wrap(self.layers(x * scale))

    model = Scaled()
    masks = {"layers.0.weight": torch.eye(4, 3, dtype=torch.bool), "layers.2.weight": torch.ones(2, 4)}
    found = sketching.diagnosis(model, masks, inputs={"x": torch.ones(5, 3), "scale": torch.ones(5, 1)})
    plain = {name.removeprefix("layers."): mask for name, mask in masks.items()}
    expected = sketching.diagnosis(model.layers, plain, inputs=(3,))
    assert (found.kept, found.effective, found.flops) == (expected.kept, expected.effective, expected.flops)
    assert found.effective == 9
    words = sketching.diagnosis(Classifier(KINDS["mapping"]), inputs={"input_ids": IDS, "attention_mask": ALL})
    assert words.flops == 2 * 4 * 3
    assert "select weights" in words.uncounted
    with pytest.raises(ValueError, match=r"cannot take inputs of shape \(1, 3\), \(1, 2\), a batch of one"):
        sketching.diagnosis(model, inputs={"x": torch.ones(5, 3), "scale": torch.ones(5, 2)})


def test_other_scores_take_such_outputs():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return Output(None, self.layer(x))

    model, x, y = Dense(), torch.randn(4, 3), torch.tensor([0, 1, 0, 1])
    for found, expected in (
        (network_scores.synflow(model, (3,)), network_scores.synflow(model.layer, (3,))),
        (network_scores.jacobian_norm(model, x), network_scores.jacobian_norm(model.layer, x)),
        (
            network_scores.rms_snip(model, cross_entropy, x, y),
            network_scores.rms_snip(model.layer, cross_entropy, x, y),
        ),
    ):
        torch.testing.assert_close(found["layer.weight"], expected["weight"])


@pytest.mark.parametrize(
    ("wrap", "inputs", "error", "message"),
    [
        (
            lambda logits, hidden: (logits, hidden),
            IDS,
            TypeError,
            "dataclass with logits or with one tensor, got tuple",
        ),
        (lambda a, b: {"a": a, "b": b}, IDS, TypeError, "got dict with a, b: wrap it in a module"),
        (lambda logits, hidden: logits, {}, ValueError, "got an empty mapping"),
        (
            lambda logits, hidden: logits,
            {"input_ids": [1]},
            TypeError,
            r"inputs\['input_ids'\] must be a torch\.Tensor",
        ),
        (lambda logits, hidden: logits, {"input_ids": IDS[:1]}, ValueError, "got 1 inputs and 2 targets"),
    ],
)
def test_what_cannot_be_scored(wrap, inputs, error, message):
    with pytest.raises(error, match=message):
        network_scores.snip(Classifier(wrap), cross_entropy, inputs, LABELS)
