"""Methods in two processes: replicas stay alike, and sharded models train as whole ones."""

import subprocess
import sys
import textwrap

import pytest
import torch

from linreg_mirror.networks import methods
from tests.helpers.methods import VARIANTS, class_of

START = """
import sys, torch
from torch import distributed
from torch.nn.functional import cross_entropy
from linreg_mirror.networks import methods

torch.set_num_threads(1)
rank = 0
if len(sys.argv) > 1:
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()
x, y = torch.randn(20, 6).double(), torch.randint(3, (20,))
"""
END = """
if len(sys.argv) > 1:
    distributed.destroy_process_group()
"""


def ran(text, tmp_path, processes=2):
    file = tmp_path / "program.py"
    file.write_text(START + textwrap.dedent(text) + END, encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launch if processes > 1 else []), str(file), *(["several"] if processes > 1 else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path


def test_replicas_with_accuracies_of_their_own_stay_alike(tmp_path):
    ran(
        f"""
        method = methods.create("pilot", epochs=30, alpha=0.01, K=0.0, delta=1.5)
        method.attach(model)
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        optimizer = method.bind(method.optimizer(wrapped, lr=0.1, momentum=0.9, weight_decay=0.0))
        own = slice(rank, None, 2)
        alphas, accuracies = [], []
        for epoch in range(30):
            outputs = wrapped(x[own])
            optimizer.zero_grad()
            cross_entropy(outputs, y[own]).backward()
            optimizer.step()
            accuracies.append((outputs.argmax(1) == y[own]).double().mean().item())
            method.after_epoch(accuracies[-1])
            alphas.append(method.alpha)
        torch.save([alphas, accuracies, method.weights()], r"{tmp_path}/" + str(rank))
        """,
        tmp_path,
    )
    (alphas, one, weights), (theirs, other, their_weights) = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    assert one != other
    assert alphas == theirs
    assert len(set(alphas)) > 3
    assert all(torch.equal(weight, their_weights[name]) for name, weight in weights.items())


SHARDED = """
    options = {options}
    method = methods.create("{name}", **options)
    method.attach(model)
    if len(sys.argv) > 1:
        from torch.distributed.fsdp import fully_shard
        fully_shard(model[0])
        fully_shard(model)
    optimizer = method.bind(method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=0.01))
    norms, own = [], slice(rank, None, 2) if len(sys.argv) > 1 else slice(None)
    for epoch in range(8):
        optimizer.zero_grad()
        cross_entropy(model(x[own]), y[own]).backward()
        optimizer.step()
        method.after_epoch(0.5)
        norms.append(method.l1_norm())
    if len(sys.argv) > 1:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
        try:
            method.finish(0.3)
            raise SystemExit("a sharded model was finished")
        except ValueError as error:
            assert "StateDictOptions(full_state_dict=True)" in str(error)
        state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))
        if rank == 0:
            model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()
            again = methods.create("{name}", **options)
            again.attach(model)
            model.load_state_dict(state)
            again.load_state_dict(method.state_dict())
            method = again
    if rank == 0:
        decay = method.decay
        masks = method.finish(0.3)
        torch.save([norms, decay, masks, model.state_dict()], r"{folder}/end")
"""
TAKING = [name for name in VARIANTS if class_of(name).takes_shards and name != "masked"]


@pytest.mark.parametrize(
    "name",
    [name if name in ("pilot", "l1 proximal") else pytest.param(name, marks=pytest.mark.slow) for name in TAKING],
)
def test_a_sharded_model_trains_as_a_whole_one(tmp_path, name):
    ends = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        text = SHARDED.format(name=name.partition(" ")[0], options=VARIANTS[name], folder=folder)
        ends.append(torch.load(ran(text, folder, processes) / "end"))
    (norms, decay, masks, state), (their_norms, their_decay, their_masks, their_state) = ends
    assert their_norms == pytest.approx(norms, rel=1e-12)
    assert their_decay == decay
    assert all(torch.equal(mask, their_masks[key]) for key, mask in masks.items())
    for key, tensor in state.items():
        torch.testing.assert_close(their_state[key], tensor, rtol=1e-12, atol=1e-13)


def test_the_test_set_is_shared_by_the_processes_of_a_sharded_model(tmp_path):
    """The last batch has one example, and none for the second process, which must gather weights all the same."""
    ran(
        f"""
        from torch.distributed.fsdp import fully_shard
        from linreg_mirror.networks import data
        from linreg_mirror.networks.recipes import Recipe
        from linreg_mirror.networks.training.evaluation import right_answers
        split = data.Split(torch.randn(17, 6).double(), torch.randint(3, (17,)), (), ())
        recipe = Recipe(batch=4, precision="float64")
        alone = int(right_answers(model, split, recipe))
        method = methods.create("pilot", epochs=1, alpha=0.01, K=0.0)
        method.attach(model)
        fully_shard(model[0])
        fully_shard(model)
        right = right_answers(model, split, recipe, part=(rank, 2))
        own = int(right)
        distributed.all_reduce(right)
        torch.save([alone, own, int(right)], r"{tmp_path}/" + str(rank))
        """,
        tmp_path,
    )
    (alone, one, total), (_, other, _) = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    assert total == alone == one + other
    assert min(one, other) > 0


class Part(torch.nn.Parameter):
    """What a sharded parameter looks like to a method."""

    def full_tensor(self):
        return self.data


def shard(model):
    for layer in model.modules():
        for name, parameter in list(layer.named_parameters(recurse=False)):
            setattr(layer, name, Part(parameter.data))


@pytest.mark.parametrize("name", [name for name in VARIANTS if not class_of(name).takes_shards])
def test_methods_that_cannot_say_so(name):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    method = class_of(name)(**VARIANTS[name])
    method.attach(model)
    shard(model)
    with pytest.raises(ValueError, match=r"does not work on sharded weights: .* or take dense, l1, spred"):
        method.groups(model, momentum=0, weight_decay=0)


def test_what_is_sharded_first_and_what_has_masks_is_refused():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    method = methods.create("dense")
    method.attach(model, {"0.weight": torch.eye(4) > 0})
    shard(model)
    with pytest.raises(ValueError, match="masks do not hold on sharded weights"):
        method.groups(model, momentum=0, weight_decay=0)
    with pytest.raises(ValueError, match=r"attach first, method\.attach\(model\), then fully_shard it"):
        methods.create("dense").attach(model)
