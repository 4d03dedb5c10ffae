"""The callback for Lightning: against its interface, and against Lightning itself where that is installed."""

import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import PILoT
from linreg_mirror.networks.training import lightning
from tests.helpers.training import assert_same, examples, network

EPOCHS = 3


def method():
    return PILoT(epochs=EPOCHS, alpha=1e-3, delta=1.02, K=0.0)


def accuracy(model):
    x, y = examples()
    return (model(x).argmax(1) == y).float().mean()


@pytest.fixture
def interface(monkeypatch):
    """What the callback uses of Lightning."""
    package, module = ModuleType("lightning"), ModuleType("lightning.pytorch")
    module.Callback = type("Callback", (), {})
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", module)


@pytest.mark.usefixtures("interface")
def test_epochs_move_alpha_and_the_end_prunes():
    model, pilot = network(), method()
    pilot.attach(model)
    callback = lightning.callback(pilot, accuracy="accuracy", keep=0.25)
    trainer = SimpleNamespace(callback_metrics={"accuracy": torch.tensor(0.5)})
    callback.on_train_epoch_end(trainer, model)
    assert pilot.alpha == pytest.approx(1.02e-3)
    callback.on_train_end(trainer, model)
    kept = sum(int(mask.sum()) for mask in callback.masks.values())
    assert kept == sum(int((model.get_parameter(name) != 0).sum()) for name in callback.masks)


@pytest.mark.usefixtures("interface")
def test_an_accuracy_that_is_not_logged_is_named():
    model, pilot = network(), method()
    pilot.attach(model)
    callback = lightning.callback(pilot, accuracy="acc")
    with pytest.raises(KeyError, match=r"logs no 'acc' in training, but loss: write self.log\('acc'"):
        callback.on_train_epoch_end(SimpleNamespace(callback_metrics={"loss": 1.0}), model)


@pytest.mark.skipif(find_spec("lightning") is None, reason="lightning is not installed")
@pytest.mark.filterwarnings("ignore")
def test_lightning_trains_as_a_loop_does():
    import lightning.pytorch as L

    class Module(L.LightningModule):
        def __init__(self, pilot):
            super().__init__()
            self.network, self.pilot = network(), pilot
            pilot.attach(self)

        def training_step(self, batch, _):
            x, y = batch
            outputs = self.network(x)
            self.log("accuracy", (outputs.argmax(1) == y).float().mean(), on_epoch=True)
            return cross_entropy(outputs, y)

        def configure_optimizers(self):
            return self.pilot.bind(self.pilot.optimizer(self, lr=0.1, momentum=0.9, weight_decay=1e-4))

    x, y = examples()
    pilot = method()
    module = Module(pilot)
    trainer = L.Trainer(
        max_epochs=EPOCHS, callbacks=[lightning.callback(pilot, accuracy="accuracy", keep=0.25)], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=len(x)))

    by_hand, alone = method(), torch.nn.ModuleDict({"network": network()})
    by_hand.attach(alone)
    optimizer = by_hand.bind(by_hand.optimizer(alone, lr=0.1, momentum=0.9, weight_decay=1e-4))
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        outputs = alone["network"](x)
        cross_entropy(outputs, y).backward()
        optimizer.step()
        by_hand.after_epoch(float((outputs.argmax(1) == y).float().mean()))
    by_hand.finish(0.25)
    assert pilot.decay == by_hand.decay
    assert_same(module.network, alone["network"])


def test_without_lightning_the_command_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(ModuleNotFoundError, match="pip install lightning"):
        lightning.callback(PILoT(epochs=1), accuracy="accuracy")
