"""Methods bound to optimisers: the same steps, the optimiser's own learning rate, and loops that cannot go wrong."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import L1, Dense, PILoT, Spred
from tests.helpers.methods import VARIANTS, make
from tests.helpers.training import assert_same, examples, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def bound(method, model, lr=0.05, momentum=0.9, weight_decay=0.01):
    method.attach(model)
    return method.bind(method.optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay))


def steps(model, optimizer, count, each=lambda step: None):
    x, y = examples()
    for step in range(count):
        optimizer.zero_grad()
        outputs = model(x)
        cross_entropy(outputs, y).backward()
        optimizer.step()
        each(step)
    return (outputs.argmax(1) == y).float().mean().item()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_the_steps_are_those_of_the_calls(name):
    called, models = network(), network()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        by_hand = make(name)
        trained(by_hand, called, steps=9)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        method = make(name)
        optimizer = bound(method, models)
        for _ in range(3):
            method.after_epoch(steps(models, optimizer, 3))
    assert method.state_dict() == by_hand.state_dict()
    by_hand.finish(0.1)
    method.finish(0.1)
    assert_same(called, models)


def test_the_clock_follows_the_schedule():
    model, method = network(), Spred(alpha=0.5)
    optimizer = bound(method, model, lr=0.2, momentum=0.75)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
    rates = []
    steps(model, optimizer, 4, lambda step: (rates.append(optimizer.param_groups[0]["lr"]), schedule.step()))
    assert len(set(rates)) == 4
    assert method.decay == pytest.approx(sum(rates) / 0.25 * 0.5)


def test_momentum_is_that_of_the_optimiser_whatever_groups_was_told():
    model, method = network(), Spred(alpha=0.5)
    method.attach(model)
    optimizer = method.bind(torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.75))
    steps(model, optimizer, 1)
    assert method.decay == pytest.approx(0.2 / 0.25 * 0.5)


def test_a_state_that_is_loaded_keeps_the_hooks():
    model, method = network(), Spred(alpha=0.5)
    optimizer = bound(method, model, lr=0.2, momentum=0)
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0]["lr"] = 0.1
    optimizer.load_state_dict(state)
    steps(model, optimizer, 1)
    assert method.decay == pytest.approx(0.1 * 0.5)


def test_steps_that_the_scaler_skips_do_not_count():
    model, method = network(), Spred(alpha=0.5)
    optimizer = bound(method, model, lr=0.2, momentum=0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    x, y = examples()
    for factor, count in ((1.0, 1), (torch.inf, 1), (1.0, 2)):
        optimizer.zero_grad()
        scaler.scale(cross_entropy(model(x), y) * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        assert method.decay == pytest.approx(0.2 * 0.5 * count)


def test_the_penalty_of_scaled_gradients_is_not_scaled():
    ends = []
    for scale in (1.0, 1024.0):
        model, method = network(), Spred(alpha=0.5)
        optimizer, scaler = bound(method, model), torch.amp.GradScaler("cpu", init_scale=scale)
        x, y = examples()
        scaler.scale(cross_entropy(model(x), y)).backward()
        scaler.step(optimizer)
        ends.append(model)
    assert_same(*ends)


def test_a_fused_optimiser_under_a_scaler_is_refused():
    model, method = network(), Spred(alpha=0.5)
    method.attach(model)
    groups = method.groups(model, momentum=0, weight_decay=0)
    optimizer = method.bind(torch.optim.SGD(groups, lr=0.1, fused=True))
    steps(model, optimizer, 1)  # without a scaler all is well
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(model(examples()[0]).sum()).backward()
    with pytest.raises(RuntimeError, match="make it without fused=True"):
        scaler.step(optimizer)


@pytest.mark.parametrize("name", ["l1", "spred", "pilot", "pilot-mirror", "cs", "rigl"])
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_a_step_with_a_closure_is_the_same_step(name):
    plain, closed = network(), network()
    steps(plain, bound(make(name), plain), 4)
    optimizer = bound(make(name), closed)
    x, y = examples()

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(closed(x), y)
        loss.backward()
        return loss

    for _ in range(4):
        optimizer.step(closure)
    assert_same(plain, closed)


def test_a_closure_that_is_called_twice_in_a_step_is_refused():
    model, method = network(), Spred(alpha=0.5)
    method.attach(model)
    groups = method.groups(model, momentum=0, weight_decay=0)
    optimizer = method.bind(torch.optim.LBFGS([p for group in groups for p in group["params"]], lr=0.1))

    def closure():
        optimizer.zero_grad()
        loss = model(examples()[0]).square().sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="more than once in a step, as L-BFGS does"):
        optimizer.step(closure)


def test_nobody_can_forget_the_proximal_step():
    model, method = network(), L1(alpha=0.5, proximal=True)
    optimizer = bound(method, model, lr=0.1, momentum=0)
    steps(model, optimizer, 40)
    assert all((x == 0).any() for x in method.weights().values())


def test_calls_beside_the_hooks_are_refused():
    model, method = network(), Spred(alpha=0.5)
    optimizer = bound(method, model)
    model(examples()[0]).sum().backward()
    with pytest.raises(RuntimeError, match="the method is bound: the optimiser's own step makes this call"):
        method.before_step(0.1)
    with pytest.raises(RuntimeError, match="bound to an optimiser already"):
        method.bind(optimizer)
    optimizer.step()


def test_a_copy_of_a_bound_method_can_be_finished():
    model, method = network(), Spred(alpha=0.5)
    optimizer = bound(method, model)
    steps(model, optimizer, 2)
    copied, its = copy.deepcopy((method, model))
    copied.finish(0.5)
    assert sum(int((its[place].weight != 0).sum()) for place in (0, 3)) == 36
    before = method.decay
    steps(model, optimizer, 1)
    assert method.decay > before


def test_learning_rates_that_differ():
    model, method = network(), Spred(alpha=0.5)
    method.attach(model)
    factors = method.groups(model, momentum=0, weight_decay=0)[0]["params"]
    groups = [{"params": factors[:1], "lr": 0.1}, {"params": factors[1:], "lr": 0.2}]
    with pytest.raises(ValueError, match=r"have the learning rates 0\.1, 0\.2: the clock of the penalty needs one"):
        method.bind(torch.optim.SGD(groups))
    with pytest.raises(RuntimeError, match="no model is attached"):
        Spred(alpha=0.5).bind(torch.optim.SGD(groups))


REPLACING = ["spred", "pilot", "str", "cs"]


@pytest.mark.parametrize("name", REPLACING)
def test_an_optimiser_made_before_attach_says_so_at_once(name):
    model, method = network(), make(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    method.attach(model)
    model(examples()[0]).sum().backward()
    with pytest.raises(ValueError, match=r"make it after method\.attach\(model\)"):
        method.bind(optimizer)
    for early in (optimizer.step, optimizer.zero_grad):
        with pytest.raises(RuntimeError, match=r"would move only biases: make it after method\.attach\(model\)"):
            early()


@pytest.mark.parametrize("name", REPLACING)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_an_optimiser_used_after_finish_says_so_at_once(name):
    model, method = network(), make(name)
    optimizer = bound(method, model)
    method.after_epoch(steps(model, optimizer, 2))
    method.finish()
    model(examples()[0]).sum().backward()
    for late in (optimizer.step, optimizer.zero_grad):
        with pytest.raises(RuntimeError, match="make a new one to train them"):
            late()
    steps(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)


def test_where_the_weights_stay_the_same_the_optimiser_goes_on():
    model, method = network(), Dense()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    method.attach(model)
    steps(model, method.bind(optimizer), 2)
    method.finish()
    before = model[0].weight.detach().clone()
    steps(model, optimizer, 1)  # the hooks are gone, too
    assert not torch.equal(before, model[0].weight)


def test_one_line_in_a_loop_of_ones_own():
    model, method = network(), PILoT(epochs=2, alpha=1e-2, K=1.0, delta=1.5)
    optimizer = bound(method, model)
    for _ in range(2):
        method.after_epoch(steps(model, optimizer, 3))
    assert method.decay > 0
    assert sum(int(mask.sum()) for mask in method.finish(keep=0.25).values()) == 18
