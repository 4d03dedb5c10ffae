"""The gate theorems on problems made by hand, by linear programming, by sampling, and against torch's optimisers."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import expit

from linreg_mirror import Hadamard, Problem
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.ledger import Instance
from linreg_mirror.schedules import as_schedule
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.theorems.gates import as_trained
from linreg_mirror.theorems.gates.as_trained import by_adam, by_descent
from linreg_mirror.theorems.gates.hard_concrete import edges, gate, log_alphas, measure

START = np.array([-2.0, 0.5, 4.0])


def made(X, w, y):
    return Instance("made", Problem(np.array(X), np.array(y)), Hadamard.at(np.array(w)), as_schedule(None))


def squared_errors(X, w, y):
    """Return |X(z*w) - y|^2 for all patterns z, and the patterns."""
    patterns = np.array(list(product([0.0, 1.0], repeat=len(w))))
    return np.array([np.sum((X @ (z * w) - y) ** 2) for z in patterns]), patterns


# The gate


def test_edges_of_the_noise_are_where_the_gate_is_cut_off():
    kind, a = HardConcrete(), np.array([-3.0, 0.2, 5.0])
    closed, full = edges(kind, a)
    np.testing.assert_array_equal(gate(kind, a, closed * (1 - 1e-9)), 0)
    np.testing.assert_array_equal(gate(kind, a, full + (1 - full) * 1e-9), 1)
    inside = gate(kind, a, (closed + full) / 2)
    assert ((inside > 0) & (inside < 1)).all()


@pytest.mark.parametrize("kind", [HardConcrete(), HardConcrete(temperature=0.3), HardConcrete(-0.5, 1.5, 2.5)])
def test_gates_of_tests_are_farther_from_a_half_than_means(kind):
    # The proof asks for gamma + zeta = 1 alone; the median is farther still for temperatures below 1 only.
    a = np.linspace(0.01, 8, 200)
    mean, test, median = kind.mean(a), kind.deterministic(a), kind.quantile(0.5, a)
    assert (mean < test).all()
    assert (test <= median).all() == (kind.temperature < 1)


def test_the_penalty_counts_what_samples_keep():
    kind, a, count = HardConcrete(), np.array([-1.0, 0.5, -2.0, 0.1, 1.0]), 50_000
    z = kind.sample(np.broadcast_to(a, (count, 5)), np.random.default_rng(0)) > 0
    first, second = z[:, :2].sum(axis=1), z[:, 2:].sum(axis=1)
    kept = 9 * 3 * first + 4 * first * second
    p = kind.open_probability(a)
    stated = 9 * 3 * p[:2].sum() + 4 * p[:2].sum() * p[2:].sum()
    assert abs(kept.mean() - stated) < 4 * kept.std() / np.sqrt(count)


# Independent and dependent gates


@pytest.mark.parametrize(
    ("X", "w", "agreement_is_best"),
    [
        ([[1.0, 1.0]], [1.0, 2.0], False),  # copies that both push
        ([[1.0, 1.0]], [1.0, -2.0], True),  # copies that cancel
        ([[1.0, -1.0]], [1.0, 2.0], True),
        ([[1.0, 2.0], [3.0, -1.0]], [1.0, 1.0], True),  # X_1'X_2 = -1
        ([[1.0, 2.0], [3.0, -1.0]], [-1.0, 1.0], False),
    ],
)
def test_who_has_to_agree(X, w, agreement_is_best):
    subject, entered = made(X, w, np.ones(len(X))), REGISTRY["gates.pair"]
    assert entered.evidence(subject).holds
    assert entered.control_evidence(subject).holds == agreement_is_best


@pytest.mark.parametrize("seed", range(5))
def test_the_best_coupling_of_two_gates_by_linear_programming(seed):
    rng = np.random.default_rng(seed)
    X, w, y, q = rng.standard_normal((3, 2)), rng.standard_normal(2), rng.standard_normal(3), rng.uniform(size=2)
    errors, patterns = squared_errors(X, w, y)
    least = linprog(errors, A_eq=np.vstack([patterns.T, np.ones(4)]), b_eq=[*q, 1]).fun
    inner = w[0] * w[1] * (X[:, 0] @ X[:, 1])
    both = min(q) if inner < 0 else max(0, q.sum() - 1)
    independent = errors @ np.where(patterns == 1, q, 1 - q).prod(axis=1)
    assert least == pytest.approx(independent + 2 * inner * (both - q.prod()), rel=1e-10)


def test_two_copies_by_hand():
    # y = 1, two features 1 with weights 1, each open half of the time.
    errors, patterns = squared_errors(np.ones((1, 2)), np.ones(2), np.ones(1))
    assert errors.tolist() == [1, 0, 0, 1]
    constraints = {"A_eq": np.vstack([patterns.T, np.ones(4)]), "b_eq": [0.5, 0.5, 1]}
    assert linprog(errors, **constraints).fun == pytest.approx(0, abs=1e-12)  # exactly one of them
    assert errors.mean() == 1 / 2  # independent: (1 - 1/m)|y|^2
    assert -linprog(-errors, **constraints).fun == pytest.approx(1)  # both or none: (m - 1)|y|^2


@pytest.mark.parametrize("seed", range(3))
def test_independent_gates_end_where_l0_does(seed):
    # Weights given, all gates trained from many starts: no better than the best pattern, and one of them is that.
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((6, 4)), rng.standard_normal(4)
    y = X @ [1.0, 0, 0, -1]
    errors, patterns = squared_errors(X, w, y)
    objective = errors + 0.5 * patterns.sum(axis=1)

    def expected(q):
        return objective @ np.where(patterns == 1, q, 1 - q).prod(axis=1)

    found = [minimize(expected, q, bounds=[(0, 1)] * 4) for q in rng.uniform(size=(12, 4))]
    assert min(one.fun for one in found) == pytest.approx(objective.min(), rel=1e-9)
    best = min(found, key=lambda one: one.fun).x
    np.testing.assert_allclose(best, patterns[objective.argmin()], atol=1e-9)


def test_gates_made_by_one_generator_depend_on_its_input_alone():
    rng, kind, count = np.random.default_rng(0), HardConcrete(), 200_000
    W, c = np.array([[1.0], [1.5]]), np.array([0.0, 0.2])
    for h in (np.ones((count, 1)), rng.choice([-1.0, 1.0], (count, 1))):
        z = kind.sample(np.log(100) * np.tanh(h @ W.T + c), rng) > 0
        p = [kind.open_probability(np.log(100) * np.tanh(one * W[:, 0] + c)) for one in np.unique(h)]
        stated = np.cov(np.transpose(p), bias=True)[0, 1] if len(p) == 2 else 0.0
        assert abs(np.cov(z.T.astype(float))[0, 1] - stated) < 4 * 0.25 / np.sqrt(count)
    assert stated > 0.1


# Optimisers


def slopes(weights):
    return lambda a: weights * expit(a) * expit(-a)


def test_the_first_step_of_adam_by_hand():
    path = by_adam(slopes(1e-7), np.zeros(1), 1e-8, rate=0.1, steps=1)
    # The gradient is 1e-7/4, corrected averages are it and its square.
    assert path[1, 0] == pytest.approx(-0.1 * 2.5e-8 / (2.5e-8 + 1e-8), rel=1e-14)


@pytest.mark.parametrize("weight", [1.0, 1e-8])
def test_adam_and_sgd_are_those_of_torch(weight):
    torch = pytest.importorskip("torch")
    for make, path in (
        (lambda p: torch.optim.Adam(p, lr=0.02, eps=1e-8), by_adam(slopes(weight), START, 1e-8, rate=0.02, steps=60)),
        (lambda p: torch.optim.SGD(p, lr=0.02), by_descent(slopes(weight), START, rate=0.02, steps=60)),
    ):
        logits = torch.tensor(START, requires_grad=True)
        optimizer = make([logits])
        for expected in path[1:]:
            optimizer.zero_grad()
            (weight * torch.sigmoid(logits).sum()).backward()
            optimizer.step()
            np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-13, atol=1e-13)


def test_without_eps_powers_of_two_change_no_bit():
    one, other = (by_adam(slopes(weight), START, 0.0, 0.02, 100) for weight in (1.0, 2.0**-20))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, by_adam(slopes(2.0**-20), START, 1e-8, 0.02, 100))


def test_logits_are_in_proportion_to_the_weights():
    np.testing.assert_allclose(log_alphas(made([[1.0, 2.0]], [0.5, -0.25], [1.0])), [6, -3], rtol=1e-12)


@pytest.mark.parametrize("adam", [True, False])
@pytest.mark.parametrize("weight", [0.1, 1e-8])
def test_methods_with_gates_train_logits_as_the_theorems_have_it(weight, adam, monkeypatch):
    """Let `L0` take the steps, with a loss that does not reach the gates."""
    torch = pytest.importorskip("torch")
    from linreg_mirror.networks.methods import L0

    model = torch.nn.Sequential(torch.nn.Linear(3, 1, bias=False)).double()
    method = L0(epochs=1, lam=weight, gate_lr=0.02 if adam else 0.0)
    method.attach(model)
    optimizer = method.optimizer(model, lr=0.02, momentum=0.0, weight_decay=0.0)
    (logits,) = [p for group in optimizer.param_groups if group["adam_lr"] is not None for p in group["params"]]
    if not adam:  # as the weights
        for group in optimizer.param_groups:
            group["adam_lr"] = None
    with torch.no_grad():
        logits.copy_(torch.tensor(START)[None])
    expected = as_trained.optimised(as_trained.penalty(weight), START, 0.02, 40, adam)
    for step in expected[1:]:
        optimizer.zero_grad()
        (0 * model(torch.ones(1, 3, dtype=torch.float64))).sum().backward()
        method.before_step(0.02)
        optimizer.step()
        np.testing.assert_allclose(logits.detach().numpy()[0], step, rtol=1e-14, atol=1e-14)
    monkeypatch.setattr(as_trained, "HAS_TORCH", False)
    alone = as_trained.optimised(as_trained.penalty(weight), START, 0.02, 40, adam)
    np.testing.assert_allclose(alone - START, expected - START, rtol=1e-11)


def test_generated_logits_are_the_same_without_torch(monkeypatch):
    pytest.importorskip("torch")
    W, h, c = np.cos(np.arange(6.0)).reshape(2, 3), np.array([1.0, -1.0, 1.0]), np.array([0.3, -0.2])
    found = as_trained.generated(W, h, c)
    monkeypatch.setattr(as_trained, "HAS_TORCH", False)
    np.testing.assert_allclose(as_trained.generated(W, h, c), found, rtol=1e-14)


def test_the_share_of_the_noise_is_the_distribution_function():
    kind, a = HardConcrete(temperature=0.4), np.array([-3.0, 0.2, 5.0])
    for t in (0.0, 0.3, 0.99):
        np.testing.assert_allclose(measure(kind, a, np.full(3, t)), kind.cdf(t, a), rtol=1e-12)
