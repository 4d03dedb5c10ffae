"""alpha and A where the learning rate is a tensor: the same steps and the same clock, and nobody reads anything."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import Dense, PILoT, Spred
from linreg_mirror.networks.methods._clock import Clock
from tests.helpers.methods import VARIANTS, make
from tests.helpers.operations import Operations
from tests.helpers.training import examples, network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seeded():
    """Gates are drawn from torch's own generator."""
    with torch.random.fork_rng():
        yield


def run(name, lr, epochs=3):
    """Train by a schedule; return the model, the method, and what its last step computed."""
    torch.manual_seed(0)
    model, method = network(), make(name)
    method.attach(model)
    optimizer = method.bind(method.optimizer(model, lr=lr, momentum=0.9, weight_decay=0.01))
    x, y = examples()
    for step in range(3 * epochs):
        value = 0.05 / (1 + step)
        for group in optimizer.param_groups:
            if isinstance(lr, torch.Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        with Operations() as operations:
            optimizer.step()
        if step % 3 == 2:
            method.after_epoch(0.5)
    return model, method, operations.counts


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_a_tensor_is_the_same_as_its_number(name):
    plain, theirs, _ = run(name, 0.05)
    model, method, counts = run(name, torch.tensor(0.05, dtype=torch.float64))
    assert "_local_scalar_dense" not in counts
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert method.state_dict() == theirs.state_dict()
    assert method.log_scale == theirs.log_scale
    method.finish(0.1)


def test_in_single_precision_the_clock_is_as_precise():
    _, method, _ = run("pilot", torch.tensor(0.05))
    _, theirs, _ = run("pilot", 0.05)
    assert method.decay == pytest.approx(theirs.decay, rel=1e-7)
    assert method.decay != theirs.decay


def test_the_host_knows_what_it_has_read():
    clock, lr = Clock(0.5), torch.tensor(0.25, dtype=torch.float64)
    assert clock.unread() is None
    assert clock.count(lr, 0.5).item() == 0.25
    assert clock.unread().item() == 0.25
    clock.read(0.25)
    assert clock.unread() is None
    clock.strength(lr)
    with Operations() as operations:
        assert clock.decay == 0.25
    assert not operations.counts
    clock.moved()  # as if a graph had counted
    assert clock.unread() is not None
    assert clock.decay == 0.25


def test_numbers_that_are_set_are_those_of_the_tensors():
    clock, lr = Clock(0.5), torch.tensor(0.25, dtype=torch.float64)
    before = clock.strength(lr)
    clock.alpha, clock.decay = 2.0, 3.0
    assert clock.strength(lr) is before
    assert before.item() == 2
    clock.count(lr, 0.0)
    assert clock.decay == 3.5
    assert clock.count(0.25, 0.0) == 0.5  # and numbers go on from there
    assert clock.decay == 4


def test_readings_are_what_the_end_of_an_epoch_would_wait_for():
    ends = []
    for given in (False, True):
        model, method = network(), make("pilot")
        method.attach(model)
        cross_entropy(model(examples()[0]), examples()[1]).backward()
        method.before_step(torch.tensor(0.05, dtype=torch.float64))
        tensors = method.readings()
        assert set(tensors) == {"decay", "l1_norms"}
        readings = {name: tensor.reshape(-1).tolist() for name, tensor in tensors.items()} if given else None
        with Operations() as operations:
            method.after_epoch(0.25, readings)
        assert ("abs" in operations.counts) != given  # of the L1 norm
        ends.append(method.state_dict())
    assert ends[0] == ends[1]


def test_several_tensors_cannot_be_compared():
    model, method = network(), Spred(alpha=0.5)
    method.attach(model)
    factors = method.groups(model, momentum=0, weight_decay=0)[0]["params"]
    groups = [{"params": half, "lr": torch.tensor(0.1)} for half in (factors[:1], factors[1:])]
    with pytest.raises(ValueError, match="learning rates that are different tensors"):
        method.bind(torch.optim.SGD(groups, lr=0.1))
    one = torch.tensor(0.1)
    method.bind(torch.optim.SGD([group | {"lr": one} for group in groups], lr=0.1))


def test_an_optimiser_of_ones_own_with_a_tensor():
    model, method = network(), PILoT(epochs=1, alpha=0.5, K=0, delta=1)
    method.attach(model)
    groups = method.groups(model, momentum=0.75, weight_decay=0)
    optimizer = method.bind(torch.optim.Adam(groups, lr=torch.tensor(0.2, dtype=torch.float64)))
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(examples()[0]), examples()[1]).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"].mul_(0.5)
    assert method.decay == pytest.approx((0.2 + 0.1) / 0.25 * 0.5)


def test_phases():
    assert Dense().phase() != Spred(alpha=0.1).phase()
    rigl = make("rigl")  # whose mask moves in every third step
    phases = []
    for _ in range(6):
        phases.append(rigl.phase())
        rigl.replayed()
    assert [phase is None for phase in phases] == [False, False, True, False, False, True]
    assert rigl.step == 6
    model, gates = network(), make("l0", finetune=2)
    gates.attach(model)
    phases = []
    for _ in range(6):
        phases.append(gates.phase())
        gates.after_epoch(0.5)
    assert phases[0] == phases[3] != phases[4] == phases[5]
