"""Mirror descent as a torch optimiser: steps by hand, the mirror map in NumPy, trained m*w, and limits of the core."""

import copy
import io
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from torch import nn

import sketching
from linreg_mirror import descent, limit
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.networks.optimizers import _fused
from linreg_mirror.networks.optimizers.mirror_descent import MirrorDescent
from linreg_mirror.parametrizations import Hadamard
from tests.helpers.zoo import gaussian

pytestmark = pytest.mark.usefixtures("one_thread")

LN2 = math.log(2)


def rng(seed=0):
    return np.random.default_rng(seed)


def tensor(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(rng(seed).standard_normal(shape)).to(dtype)


def parameter(values, dtype=torch.float64):
    return nn.Parameter(torch.as_tensor(values, dtype=dtype).clone())


def step(optimizer, p, gradient):
    p.grad = torch.as_tensor(gradient, dtype=p.dtype).expand(p.shape)
    optimizer.step()


def by_hyperbolic(x0, gradients, lr, momentum=0.0, alpha=0.0, beta=1.0):
    """Return x after the steps, from the potential of the core."""
    mirror = Hyperbolic(np.full(x0.shape, np.log(beta / 2)), 0.0)
    z, velocity, decay = mirror.dual(x0, 0.0), np.zeros_like(x0), 0.0
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        z, decay = z - lr * velocity, decay + lr * alpha / (1 - momentum)
    return mirror.primal(z, decay)


def network(dtype=torch.float64, seed=0):
    model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2)).to(dtype)
    for k, p in enumerate(model.parameters()):
        p.data = tensor(*p.shape, seed=(seed, k), dtype=dtype) / 2
    return model


def weights_and_rest(model):
    """Return parameter groups: the weights, and the biases in plain training."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    return [{"params": weights}, {"params": [p for p in model.parameters() if p.ndim == 1], "beta": None}]


def batch(dtype=torch.float64):
    return tensor(8, 3, seed=8, dtype=dtype), tensor(8, 2, seed=9, dtype=dtype)


def loss_of(model, dtype=torch.float64):
    inputs, targets = batch(dtype)
    return (model(inputs) - targets).square().sum() / 8


def train(model, optimizer, steps, scheduler=None):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model, next(model.parameters()).dtype).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def assert_same_bits(left, right):
    for a, b in zip(left.parameters(), right.parameters(), strict=True):
        assert torch.equal(a, b)


# The step


def test_two_steps_by_hand():
    """b = 1 and x = sinh(ln 2) = 3/4 at first; the scale halves in each step, 2z goes to -ln 2, then to -2 ln 2."""
    p = parameter([0.75])
    optimizer = MirrorDescent([p], lr=1.0, momentum=0.5, alpha=LN2 / 8, beta=2.0)
    step(optimizer, p, [LN2])
    assert p.item() == pytest.approx(-0.75 / 2, rel=1e-15)
    step(optimizer, p, [0.0])
    assert p.item() == pytest.approx(-(4 - 1 / 4) / 2 / 4, rel=1e-15)
    assert optimizer.state[p]["log_scale"] == pytest.approx(-2 * LN2, rel=1e-15)
    assert optimizer.state[p]["z"].item() == pytest.approx(-LN2, rel=1e-15)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 10.0])
@pytest.mark.parametrize("beta", [1e-3, 1.0, 1e4])
def test_is_the_mirror_map_of_the_core(momentum, alpha, beta, there):
    gradients = rng(1).standard_normal((20, 50))
    x0 = rng(0).standard_normal(50) * np.logspace(-8, 1, 50)
    p = parameter(x0)
    lr = torch.tensor(0.05, dtype=torch.float64) if there else 0.05
    optimizer = MirrorDescent([p], lr=lr, momentum=momentum, alpha=alpha, beta=beta)
    for gradient in gradients:
        step(optimizer, p, gradient)
    expected = by_hyperbolic(x0, gradients, 0.05, momentum, alpha, beta)
    # Rounding of exponents, which are as large as log b, and of z where it has come back to 0.
    log_b = float(optimizer.state[p]["log_scale"])
    np.testing.assert_allclose(p.detach(), expected, rtol=2e-15 * (abs(log_b) + 10), atol=2e-14 * math.exp(log_b))


# Scales from huge to unthinkable


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("dtype", "log_b", "rtol"),
    [(torch.float64, -1e5, 1e-11), (torch.float64, -600, 1e-13), (torch.float32, -100, 6e-6)],
)
def test_weights_of_tiny_scales(dtype, log_b, rtol, sign):
    """x = 0.3 is 2z = log(2 * 0.3) - log b, up to b^2."""
    p = parameter([0.0, 0.0], dtype)
    optimizer = MirrorDescent([p], lr=1.0, alpha=-log_b / 4, beta=2.0)
    step(optimizer, p, [-sign * (math.log(0.6) - log_b) / 2, 0.0])
    np.testing.assert_allclose(p.detach(), [sign * 0.3, 0.0], rtol=rtol)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("log_b", [40.0, 0.0, -40.0, -44.0, -45.0, -80.0, -350.0, -360.0])
def test_weights_of_all_scales_and_duals(dtype, log_b, there):
    """Against b sinh(2z) in decimal numbers of 40 digits, the exponents of which have no end."""
    z = torch.from_numpy(np.concatenate([[0.0], np.logspace(-6, 2.3, 300)])).to(dtype)
    z = torch.cat([z, -z])
    p = parameter(torch.zeros_like(z), dtype)
    step(MirrorDescent([p], lr=torch.tensor(1.0) if there else 1.0, beta=2 * math.exp(log_b)), p, -z)
    x, z = p.detach().double().numpy(), z.double().numpy()
    with localcontext(prec=40):
        twice = [Decimal(2 * each) for each in z.tolist()]
        expected = [float(Decimal(log_b).exp() * (each.exp() - (-each).exp()) / 2) for each in twice]
    limits = torch.finfo(dtype)
    exponents = 2 * np.abs(z) + abs(log_b) + 10
    huge = np.abs(expected) > limits.max**0.5  # here x may be infinite
    error = np.abs(x - expected)[~huge]
    assert (error <= limits.eps * (exponents * np.abs(expected) + limits.tiny)[~huge]).all()
    assert (x * np.sign(z) >= 0.9 * limits.max**0.5)[huge].all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("beta", [1e-30, 1e-3, 1.0, 1e3])
def test_first_step_starts_where_the_weights_are(dtype, beta):
    size = np.concatenate([[0.0], np.logspace(-32, 3, 200)])
    x0 = torch.from_numpy(np.concatenate([size, -size])).to(dtype)
    p = parameter(x0.clone(), dtype)
    step(MirrorDescent([p], lr=0.1, beta=beta), p, 0.0)
    np.testing.assert_allclose(p.detach(), x0, rtol=torch.finfo(dtype).eps * (abs(math.log(beta)) + 10))


def test_what_diverges_is_infinite_and_nan_stays_where_it_is():
    p = parameter([0.1, 0.1, 0.1, 0.1])
    optimizer = MirrorDescent([p], lr=1.0)
    step(optimizer, p, [-1e5, 1e5, math.nan, 0.0])
    assert p.tolist()[:2] == [math.inf, -math.inf]
    assert p[2].isnan()
    assert p[3].item() == pytest.approx(0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_follow_a_float32_state(dtype):
    """Each of these steps is too small for the weights, all together are not."""
    x0 = tensor(40, dtype=dtype)
    half, single = parameter(x0.clone(), dtype), parameter(x0.float(), torch.float32)
    optimizers = [MirrorDescent([p], lr=1e-4, momentum=0.5) for p in (half, single)]
    for _ in range(300):
        for p, optimizer in zip((half, single), optimizers, strict=True):
            step(optimizer, p, 1.0)
    assert {value.dtype for value in optimizers[0].state[half].values() if torch.is_tensor(value)} == {torch.float32}
    assert torch.equal(half, single.to(dtype))
    assert (half - x0).abs().min() > 0.05


# What theory says of it


def linear(problem, x0):
    """Return a weight and the loss 1/2 |Xx - y|^2 of it."""
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    return parameter(x0), lambda x, rows=slice(None): 0.5 * (X[rows] @ x - y[rows]).square().sum()


@pytest.mark.parametrize(("momentum", "batches"), [(0.0, 1), (0.8, 1), (0.0, 2)])
def test_linear_regression_ends_in_the_limit_of_the_core(momentum, batches):
    """Exactly, with long steps: all moves of z are in the row space of X."""
    problem, x0 = gaussian(4, 9, 0), rng(2).standard_normal(9) / 3
    x, loss = linear(problem, x0)
    optimizer = MirrorDescent([x], lr=0.1 * (1 - momentum), momentum=momentum, alpha=0.3, beta=0.5)
    for k in range(1000):
        optimizer.param_groups[0]["alpha"] = 0.3 if k < 40 else 0.0
        optimizer.zero_grad()
        loss(x, slice(k % batches, None, batches)).backward()
        optimizer.step()
    decay = 40 * 0.1 * 0.3
    expected = limit(problem, Hadamard.at(x0, 0.5), decay)
    np.testing.assert_allclose(x.detach(), expected.x, atol=3e-14)
    assert optimizer.state[x]["log_scale"] == pytest.approx(math.log(0.25) - 4 * decay, rel=1e-14)
    assert np.abs(limit(problem, Hadamard.at(x0, 0.5), decay / 2).x - expected.x).max() > 0.1


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_short_steps_are_those_of_the_core(momentum):
    problem, x0 = gaussian(4, 9, 0), rng(2).standard_normal(9) / 3
    errors = []
    for steps in (100, 200, 400):
        lr = 0.4 * (1 - momentum) / steps
        x, loss = linear(problem, x0)
        optimizer = MirrorDescent([x], lr=lr, momentum=momentum, alpha=0.5)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(x).backward()
            optimizer.step()
        factors = descent(problem, Hadamard.at(x0, 1.0), lr, 0.5, steps=steps, momentum=momentum, tolerance=0)
        errors.append(np.abs(factors.x[-1] - x.detach().numpy()).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.05)


T, ALPHA = 1.0, 0.4
STEPS = (25, 50, 100, 200)


def factors_path(steps, momentum):
    """Return x = m*w at the quarters of T, m and w trained by torch.optim.SGD on loss + alpha (|m|^2 + |w|^2)."""
    model = network()
    starts = {name: p.detach() for name, p in model.named_parameters()}
    m = {name: (((4 * x**2 + 1).sqrt() + 1) / 2).sqrt().requires_grad_() for name, x in starts.items()}
    w = {name: (x / m[name]).detach().requires_grad_() for name, x in starts.items()}
    factors = [*m.values(), *w.values()]
    optimizer = torch.optim.SGD(factors, lr=T / steps * (1 - momentum), momentum=momentum)
    inputs, targets = batch()
    path = []
    for k in range(1, steps + 1):
        optimizer.zero_grad()
        outputs = torch.func.functional_call(model, {name: m[name] * w[name] for name in m}, inputs)
        penalty = sum(factor.square().sum() for factor in factors)
        ((outputs - targets).square().sum() / 8 + ALPHA * penalty).backward()
        optimizer.step()
        if 4 * k % steps < 4:
            path.append(torch.cat([(m[name] * w[name]).flatten() for name in m]).detach())
    return torch.stack(path)


def mirror_path(steps, momentum, speed=1.0, alpha=ALPHA):
    model = network()
    lr = speed * T / steps * (1 - momentum)
    optimizer = MirrorDescent(model.parameters(), lr=lr, momentum=momentum, alpha=alpha)
    path = []
    for k in range(1, steps + 1):
        train(model, optimizer, 1)
        if 4 * k % steps < 4:
            path.append(torch.cat([p.flatten() for p in model.parameters()]).detach())
    return torch.stack(path)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_path_of_a_network_is_that_of_m_times_w(momentum):
    """At order lr, along all of the path; with the scale exp(-2A), or x = b sinh(z), it is another path."""
    trained = {steps: factors_path(steps, momentum) for steps in STEPS}

    def error(steps, **options):
        return (mirror_path(steps, momentum, **options) - trained[steps]).abs().max().item()

    found = [error(steps) for steps in STEPS]
    slope = np.polyfit(np.log(STEPS), np.log(found), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)
    # b sinh(z) is b sinh(2z) at half the speed, with a penalty that makes up for it.
    for wrong in ({"alpha": ALPHA / 2}, {"speed": 0.5, "alpha": 2 * ALPHA}):
        assert error(STEPS[-1], **wrong) > 0.5 * error(STEPS[0], **wrong)
        assert error(STEPS[-1], **wrong) > 10 * found[-1]


# One optimiser for all of a network


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_without_beta_it_is_sgd(dtype):
    model, other = network(dtype), network(dtype)
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    train(model, MirrorDescent(model.parameters(), beta=None, alpha=5.0, **options), 10)
    train(other, torch.optim.SGD(other.parameters(), **options), 10)
    assert_same_bits(model, other)


def test_groups_have_their_own_settings():
    left, right, plain = (parameter([0.5, -0.2]) for _ in range(3))
    groups = [
        {"params": [left], "lr": 0.2, "alpha": 0.5},
        {"params": [right], "momentum": 0.5, "beta": 3.0},
        {"params": [plain], "beta": None},
    ]
    optimizer = MirrorDescent(groups, lr=0.1, alpha=0.1)
    gradients = rng().standard_normal((3, 2))
    for gradient in gradients:
        left.grad = right.grad = plain.grad = torch.from_numpy(gradient)
        optimizer.step()
    x0 = np.array([0.5, -0.2])
    np.testing.assert_allclose(left.detach(), by_hyperbolic(x0, gradients, 0.2, alpha=0.5), rtol=1e-14)
    np.testing.assert_allclose(right.detach(), by_hyperbolic(x0, gradients, 0.1, 0.5, 0.1, 3.0), rtol=1e-14)
    np.testing.assert_allclose(plain.detach(), x0 - 0.1 * gradients.sum(0), rtol=1e-14)


def test_weight_decay_is_a_penalty_on_x_itself():
    model, other = network(), network()
    train(model, MirrorDescent(model.parameters(), lr=0.1, momentum=0.5, weight_decay=0.3), 5)
    optimizer = MirrorDescent(other.parameters(), lr=0.1, momentum=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        (loss_of(other) + 0.15 * sum(p.square().sum() for p in other.parameters())).backward()
        optimizer.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


def test_a_parameter_without_gradient_is_left_alone():
    used, unused = parameter([0.5]), parameter([0.5])
    optimizer = MirrorDescent([used, unused], lr=0.1, alpha=1.0)
    step(optimizer, used, [1.0])
    assert unused.item() == 0.5
    assert unused not in optimizer.state
    step(optimizer, unused, [1.0])
    assert optimizer.state[unused]["log_scale"] == math.log(0.5) - 0.4


def test_closure():
    model, other = network(), network()
    optimizer = MirrorDescent(model.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    first = loss_of(other).item()
    assert optimizer.step(closure).item() == first
    train(other, MirrorDescent(other.parameters(), lr=0.1), 1)
    assert_same_bits(model, other)


def test_schedulers_set_the_rate_of_z_and_of_the_scale():
    p = parameter([0.5])
    optimizer = MirrorDescent([p], lr=0.4, momentum=0.5, alpha=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(3):
        step(optimizer, p, [0.0])
        scheduler.step()
    assert optimizer.state[p]["log_scale"] == pytest.approx(math.log(0.5) - 4 * 0.1 * 2 * (0.4 + 0.2 + 0.1), rel=1e-15)


def test_gradient_scaler():
    """A power of two as scale changes no bit; a step with an infinite gradient is left out, decay and all."""
    model, other = network(torch.float32), network(torch.float32)
    optimizer = MirrorDescent(model.parameters(), lr=0.1, momentum=0.9, alpha=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for factor in (1.0, math.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, torch.float32) * factor).backward()
        scaler.step(optimizer)
        scaler.update()
    train(other, MirrorDescent(other.parameters(), lr=0.1, momentum=0.9, alpha=0.1), 2)
    assert_same_bits(model, other)


# Interrupted, copied and changed from outside


def prepared(dtype):
    model = network(dtype)
    optimizer = MirrorDescent(weights_and_rest(model), lr=0.2, momentum=0.9, alpha=0.5)
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)


@pytest.mark.parametrize("order", ["model first", "optimizer first"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_resumed_run_is_the_same_to_the_bit(dtype, order):
    model, optimizer, scheduler = prepared(dtype)
    train(model, optimizer, 5, scheduler)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in (model, optimizer, scheduler)], file)
    train(model, optimizer, 15, scheduler)

    file.seek(0)
    again = prepared(dtype)
    pairs = list(zip(again, torch.load(file, weights_only=True), strict=True))
    for part, state in pairs if order == "model first" else reversed(pairs):
        part.load_state_dict(state)
    train(again[0], again[1], 15, again[2])
    assert_same_bits(model, again[0])
    for p, q in zip(model.parameters(), again[0].parameters(), strict=True):
        assert optimizer.state[p].keys() == again[1].state[q].keys()
        for name, value in optimizer.state[p].items():
            other = again[1].state[q][name]
            assert torch.equal(value, other) if torch.is_tensor(value) else value == other


def test_loading_copies():
    p = parameter([0.5], torch.float32)
    optimizer, other = (MirrorDescent([p], lr=0.1, momentum=0.9) for _ in range(2))
    step(optimizer, p, [1.0])
    other.load_state_dict(optimizer.state_dict())
    before = copy.deepcopy(other.state[p])
    step(optimizer, p, [1.0])
    assert other.state[p] == before


def test_copy_of_model_and_optimizer_goes_on():
    model, optimizer, _ = prepared(torch.float32)
    train(model, optimizer, 3)
    other, copied = copy.deepcopy((model, optimizer))
    train(model, optimizer, 3)
    train(other, copied, 3)
    assert_same_bits(model, other)


def by_data(p, values):
    p.data = values.clone()


def by_copy(p, values):
    with torch.no_grad():
        p.copy_(values)


@pytest.mark.parametrize("write", [by_copy, by_data])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_weights_that_others_change_start_from_there(dtype, write):
    p = parameter(tensor(6).abs() + 0.1, dtype)
    optimizer = MirrorDescent([p], lr=0.1, alpha=0.4)
    for _ in range(4):
        step(optimizer, p, -0.5)
    z, values = optimizer.state[p]["z"].clone(), p.detach().clone()
    values[:3] = torch.tensor([0.0, 0.3, -2.0])
    write(p, values)
    optimizer.param_groups[0]["alpha"] = 0.0
    step(optimizer, p, 0.0)
    assert torch.equal(optimizer.state[p]["z"][3:], z[3:])
    assert torch.equal(p[3:], values[3:])
    np.testing.assert_allclose(p[:3].detach().float(), values[:3].float(), rtol=3 * torch.finfo(dtype).eps)
    b = math.exp(optimizer.state[p]["log_scale"])
    expected = np.arcsinh(values[:3].double().numpy() / b) / 2
    np.testing.assert_allclose(optimizer.state[p]["z"][:3], expected, rtol=5e-7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_numbers_of_the_device_stay_where_they_are(dtype):
    """A graph that has captured a step finds z, log b and momentum again, whatever others do to the weights."""
    ends = []
    for lr, alpha in ((0.1, 0.4), (torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64))):
        p = parameter(tensor(6).abs() + 0.1, dtype)
        optimizer = MirrorDescent([p], lr=lr, momentum=0.5, alpha=alpha)
        step(optimizer, p, -0.5)
        state = dict(optimizer.state[p])
        by_copy(p, torch.tensor([0.0, 0.3, -2.0, 1e-9, 1e3, 0.1]))
        for _ in range(2):
            step(optimizer, p, 0.25)
        kept = {name: value for name, value in optimizer.state[p].items() if torch.is_tensor(value)}
        assert all(value is state[name] for name, value in kept.items())
        ends.append((p.detach(), float(optimizer.state[p]["log_scale"]), set(kept)))
    assert ends[1][2] - ends[0][2] == {"log_scale"}
    torch.testing.assert_close(ends[1][0], ends[0][0], rtol=20 * torch.finfo(dtype).eps, atol=0)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-15)


@pytest.mark.parametrize("there", [False, True])
def test_a_step_that_torch_compiles_is_the_step(there):
    """Weights of several shapes, on either side of what is treated at once; also after others have changed them."""
    arithmetic = []

    def backend(module, _):
        arithmetic.extend(node for node in module.graph.nodes if "foreach_copy" in str(node.target))
        return module.forward

    ends = []
    for compiled in (False, True):
        parameters = [parameter(tensor(*shape)) for shape in ((3, 4), (600, 2), (7,), (2, 3, 3, 3))]
        optimizer = MirrorDescent(parameters, lr=torch.tensor(0.1) if there else 0.1, momentum=0.9, alpha=0.01)
        take = torch.compile(optimizer.step, backend=backend) if compiled else optimizer.step
        for k in range(6):
            for i, p in enumerate(parameters):
                p.grad = torch.full_like(p, 0.1 * (i + 1) / (k + 1))
            take()
            if k == 3:
                with torch.no_grad():
                    parameters[0][0] = 0
        ends.append((optimizer.state_dict()["state"], parameters))
    (states, one), (others, other) = ends
    assert all(map(torch.equal, one, other))
    assert all(torch.equal(states[k]["z"], others[k]["z"]) for k in range(4))
    # With numbers, which change, every step would be compiled anew; with tensors, once for the large and the small.
    assert len(arithmetic) in ((2, 3, 4) if there else (0,))


def test_without_a_scale_for_some_steps():
    p = parameter([0.5, -0.2])
    optimizer = MirrorDescent([p], lr=0.1)
    step(optimizer, p, 1.0)
    optimizer.param_groups[0]["beta"] = None
    step(optimizer, p, 1.0)
    optimizer.param_groups[0]["beta"] = 1.0
    x = p.detach().numpy().copy()
    step(optimizer, p, 1.0)
    np.testing.assert_allclose(p.detach().numpy(), by_hyperbolic(x, [np.ones(2)], 0.1), rtol=1e-13)


def test_a_state_goes_from_numbers_to_tensors_and_back():
    ends = []
    for kinds in ((float, float, float), (float, torch.tensor, float)):
        p, state = parameter(tensor(6)), None
        for kind in kinds:
            optimizer = MirrorDescent([p], lr=kind(0.1), momentum=0.5, alpha=0.4)
            if state is not None:
                optimizer.load_state_dict({**optimizer.state_dict(), "state": state["state"]})
            step(optimizer, p, 0.5)
            state = copy.deepcopy(optimizer.state_dict())
        ends.append((p.detach(), optimizer.state[p]["log_scale"]))
    assert isinstance(ends[1][1], float)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-8)  # lr in single precision
    torch.testing.assert_close(ends[1][0], ends[0][0], rtol=1e-7, atol=0)


def test_changes_of_data_in_place_are_undone():
    p = parameter([0.5, 0.5])
    optimizer = MirrorDescent([p], lr=0.1)
    step(optimizer, p, 0.0)
    p.data[0] = 0.0
    step(optimizer, p, 0.0)
    np.testing.assert_allclose(p.detach(), 0.5, rtol=1e-15)


def test_masked_weights_stay_masked_and_start_anew_without_the_mask():
    model, mask = network(), torch.zeros(6, 3, dtype=torch.bool)
    mask[::2] = True
    weight = model[0].weight
    sketching.apply_masks(model, {"0.weight": mask})
    optimizer = MirrorDescent(weights_and_rest(model), lr=0.2, momentum=0.5, alpha=0.1)
    train(model, optimizer, 1)
    z = optimizer.state[weight]["z"].clone()
    train(model, optimizer, 10)
    assert (model[0].weight[~mask] == 0).all()
    assert torch.equal(optimizer.state[weight]["z"][~mask], z[~mask])
    assert (optimizer.state[weight]["z"] - z)[mask].abs().min() > 0.001
    sketching.remove_masks(model)
    assert model[0].weight is weight
    step(optimizer, weight, 0.0)
    assert (weight[~mask] == 0).all()
    assert (weight[mask] != 0).all()


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -0.1}, "lr must be a finite number >= 0, got -0.1"),
        ({"lr": math.nan}, "lr must be a finite number"),
        ({"lr": "0.1"}, "lr must be a finite number"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"alpha": -1e-3}, "alpha must be a finite number >= 0"),
        ({"alpha": math.inf}, "alpha must be a finite number"),
        ({"weight_decay": -1.0}, "weight_decay must be a finite number >= 0"),
        ({"beta": -1.0}, "beta must be a finite number > 0, or None for plain SGD, got -1.0: write beta=1.0"),
        ({"beta": 0}, "beta must be a finite number > 0"),
        ({"beta": "1"}, "beta must be a finite number > 0"),
    ],
)
def test_bad_numbers(options, message):
    p = parameter([0.5])
    with pytest.raises(ValueError, match=message):
        MirrorDescent([p], **{"lr": 0.1, **options})
    optimizer = MirrorDescent([p], lr=0.1)
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [parameter([0.5])], **options})
    assert len(optimizer.param_groups) == 1
    optimizer.param_groups[0].update(options)
    with pytest.raises(ValueError, match=message):
        step(optimizer, p, [1.0])
    assert p.item() == 0.5


def test_parameters_that_are_not_real():
    with pytest.raises(TypeError, match=r"real floats, got torch.complex64: for a complex weight"):
        MirrorDescent([torch.zeros(2, dtype=torch.complex64)], lr=0.1)


def test_sparse_gradients():
    p, table = parameter([0.5]), nn.Embedding(4, 2, sparse=True)
    optimizer = MirrorDescent([{"params": [p]}, {"params": table.parameters()}], lr=0.1)
    p.grad = torch.ones_like(p)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match="make the embedding with sparse=False"):
        optimizer.step()
    assert p.item() == 0.5


def test_the_compiled_step_refuses_buffers_of_other_shapes():
    """It would write past their ends."""
    large = torch.zeros(64, 64)
    assert _fused.fits(large, large.clone())
    assert not _fused.fits(large, torch.zeros(64, 63))
