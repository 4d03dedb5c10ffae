"""Training on what is left, behind batch norm: what the docstring of `finish` says of its rate."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import data
from linreg_mirror.networks.methods import Dense, PILoT

pytestmark = pytest.mark.usefixtures("one_thread")

EPOCHS, BATCH, LR = 15, 64, 0.05


@pytest.fixture(scope="module")
def digits():
    """Images in [0, 1] with labels, to train on and to test on."""
    whole = data.load("digits")
    parts = whole.train, whole.test
    return [(part.inputs.float().reshape(-1, 1, 8, 8) / whole.train.inputs.max(), part.labels) for part in parts]


def network():
    layers = []
    for inputs, outputs, stride in ((1, 16, 1), (16, 32, 2), (32, 32, 1)):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, stride=stride)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def epoch(model, optimizer, images, labels):
    for places in torch.randperm(len(images)).split(BATCH):
        optimizer.zero_grad()
        cross_entropy(model(images[places]), labels[places]).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, images, labels):
    found = (model.eval()(images).argmax(1) == labels).float().mean().item()
    model.train()
    return found


def pruned(method, training):
    model = network()
    method.attach(model)
    optimizer = method.bind(method.optimizer(model, lr=LR, momentum=0.9, weight_decay=1e-4))
    for _ in range(EPOCHS):
        epoch(model, optimizer, *training)
        method.after_epoch(1.0)
    method.finish(0.05, hold=True, recalibrate=[training[0][:512]])
    return model


def test_after_a_penalty_the_training_rate_is_too_large(digits):
    training, test = digits
    with torch.random.fork_rng():
        torch.manual_seed(0)
        steps = -(-len(training[0]) // BATCH)
        sparse = pruned(PILoT.for_decay(1.9, epochs=EPOCHS, steps=steps, lr=LR, momentum=0.9), training)
        dense = pruned(Dense(), training)
        norms, usual = ([model[k].weight.norm().item() for k in (0, 3, 6)] for model in (sparse, dense))
        assert max(norms) < 0.2
        assert min(usual) > 1
        before, after = accuracy(sparse, *test), {}
        for lr in (LR, LR / 100):
            model = copy.deepcopy(sparse)
            epoch(model, torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9), *training)
            after[lr] = accuracy(model, *test)
        assert after[LR] < before - 0.05
        assert after[LR / 100] > before - 0.01
