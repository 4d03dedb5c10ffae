"""Batches of many runs against NumPy's own Philox, and what they must be whatever draws them."""

import numpy as np
import pytest
from numpy.random import Generator, Philox

from linreg_mirror.solvers.discrete import descents
from linreg_mirror.solvers.discrete._descents import _DRAWN
from linreg_mirror.solvers.discrete.batch_weights import BatchWeights, batch_weights

KEY = (11, 2**64 - 5)
B, N = 5, 7


def stream(number):
    return Philox(key=np.array(KEY, np.uint64), counter=[0, number, 0, 0])


def by_hand(step, batch_size, replacement):
    """Weights of a step, run by run, from NumPy's generators."""
    weights = np.zeros((B, N))
    if replacement:
        width = -(-batch_size // 4) * 4
        for run, draws in enumerate(Generator(stream(step)).random((B, width))):
            for draw in draws[:batch_size]:
                weights[run, int(draw * N)] += N / batch_size
        return weights
    epoch, number = divmod(step, -(-N // batch_size))
    for run, draws in enumerate(stream(epoch).random_raw(8 * B).view(np.int64).reshape(B, 8)):
        batch = np.argsort(draws[:N])[number * batch_size : (number + 1) * batch_size]
        weights[run, batch] = N / len(batch)
    return weights


def drawn(batch_size, replacement, like=None):
    return BatchWeights(KEY, np.empty((B, N)) if like is None else like, batch_size, replacement)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 5, 7])
@pytest.mark.parametrize("kind", ["float64", "float32", "torch"])
def test_weights_are_those_by_hand(batch_size, replacement, kind):
    if kind == "torch":
        like = pytest.importorskip("torch").empty((B, N))
    else:
        like = np.empty((B, N), kind)
    weights = drawn(batch_size, replacement, like)
    expected = np.array([by_hand(step, batch_size, replacement) for step in range(40)])
    # In any order, and in pieces of any length.
    for first, count in ((0, 40), (3, 1), (4, 1), (17, 9), (0, 2), (39, 1)):
        found = weights(first, count)
        assert (type(found), found.dtype) == (type(like), like.dtype)
        np.testing.assert_allclose(np.asarray(found), expected[first : first + count], rtol=1e-6)


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (4, [4, 3])])
def test_weights_of_an_epoch(batch_size, sizes):
    weights = drawn(batch_size, False)
    for epoch in range(3):
        batches = weights(epoch * len(sizes), len(sizes))  # (batches, B, 7)
        assert ((batches > 0).sum(axis=0) == 1).all()  # each sample once
        for step, size in zip(batches, sizes, strict=True):
            np.testing.assert_allclose(np.sort(step, axis=1)[:, 7 - size :], 7 / size)
        if batch_size < 7:
            assert len({run.tobytes() for run in batches[0]}) > 1  # runs draw batches of their own
    if batch_size < 7:
        assert not np.array_equal(weights(0, len(sizes)), batches)


def test_weights_with_replacement():
    weights = drawn(3, True)(0, 4000)
    np.testing.assert_allclose(weights.sum(axis=2), 7)
    # Binomial(3, 1/7) times 7/3: mean 1 and variance 2, within six standard deviations.
    assert np.abs(weights.mean(axis=(0, 1)) - 1).max() < 6 * np.sqrt(2 / (4000 * B))
    assert np.abs((weights - 1).var(axis=(0, 1)) - 2).max() < 0.2
    assert (weights > 7 / 3 + 0.1).any()


@pytest.mark.parametrize("replacement", [False, True])
def test_a_run_draws_the_same_whoever_is_beside_it(replacement):
    few, many = (BatchWeights(KEY, np.empty((runs, N)), 3, replacement)(0, 20) for runs in (2, 9))
    np.testing.assert_array_equal(few, many[:, :2])
    assert not np.array_equal(many[:, 0], many[:, 1])


def test_the_key_comes_from_the_generator_in_one_draw():
    rng = np.random.default_rng(3)
    weights = batch_weights(np.empty((B, N)), 2, False, rng, False)
    expected = np.random.default_rng(3)
    assert weights.key == tuple(expected.integers(2**64, size=2, dtype=np.uint64).tolist())
    assert rng.random() == expected.random()


@pytest.mark.parametrize("replacement", [False, True])
def test_pieces_do_not_matter(monkeypatch, replacement):
    rng = np.random.default_rng(0)
    X, y, starts = rng.standard_normal((N, 12)), rng.standard_normal(N), rng.uniform(-3, 0, (B, 12))
    ends = []
    for room in (1 << 20, 3 * B * N, 1):  # 64, 2 and 1 steps at a time
        monkeypatch.setitem(_DRAWN, "cpu", room)
        settings = {"steps": 150, "batch_size": 2, "replacement": replacement, "tolerance": 0}
        ends.append(
            descents(X, y, log_scale=starts, tilt=0.0, step_size=1e-3, **settings, rng=np.random.default_rng(1)).x
        )
    np.testing.assert_array_equal(ends[1], ends[0])
    np.testing.assert_array_equal(ends[2], ends[0])
