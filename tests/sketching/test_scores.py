"""Scores of the linear model, against hand-made numbers and derivatives of the loss."""

import numpy as np
import pytest

from sketching.scores import grasp, magnitude, rms_snip, snip, synflow
from tests.helpers.plain import slope_by_complex_step

X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -2.0]])
W = np.array([3.0, -1.0, 2.0])
Y = np.array([0.0, 1.0])


def random_model(seed, n=4, d=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(d), rng.standard_normal(n)


def loss(X, y):
    return lambda w: np.sum((X @ w - y) ** 2) / 2


def test_by_hand():
    # Xw = (1, -5), r = (1, -6), g = X'r = (1, -4, 12), Xg = (-7, -28), X'Xg = (-7, -42, 56)
    np.testing.assert_array_equal(magnitude(W), [3, 1, 2])
    np.testing.assert_array_equal(synflow(W), [3, 1, 2])
    np.testing.assert_array_equal(snip(X, W, Y), [3, 4, 24])
    np.testing.assert_array_equal(grasp(X, W, Y), [-21, 42, 112])
    np.testing.assert_allclose(rms_snip(X, W) ** 2, [9, 5, 16], rtol=1e-15)
    # X'Xw = (1, -3, 10)
    np.testing.assert_allclose(rms_snip(X, W, "targets") ** 2, [9 * (1 + 1), 5 + 9, 4 * (4 + 100)], rtol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_snip_is_how_the_loss_reacts_to_a_factor(seed):
    X, w, y = random_model(seed)
    slopes = slope_by_complex_step(lambda factors: loss(X, y)(w * factors), np.ones(6))
    np.testing.assert_allclose(snip(X, w, y), np.abs(slopes), rtol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_grasp_is_how_the_gradient_reacts_to_a_factor(seed):
    X, w, y = random_model(seed)

    def half_squared_gradient(factors):
        g = X.T @ (X @ (w * factors) - y)
        return np.sum(g**2) / 2

    np.testing.assert_allclose(
        grasp(X, w, y), slope_by_complex_step(half_squared_gradient, np.ones(6)), rtol=1e-12, atol=1e-12
    )


def test_grasp_removes_what_makes_the_gradient_longer_when_it_goes():
    # Orthogonal columns: without weight 0, which is right, |g| grows; without weight 1, which is too large, it falls.
    X, w = np.eye(2), np.array([1.0, 3.0])
    y = np.array([1.5, 1.0])
    first, second = grasp(X, w, y)
    assert first < 0 < second
    full, without = (X.T @ (X @ w - y)), (X.T @ (X @ [0.0, 3.0] - y))
    assert np.sum(without**2) > np.sum(full**2)


def test_lists_and_integers_are_floats():
    np.testing.assert_array_equal(snip([[1, 2, 0], [0, 1, -2]], [3, -1, 2], [0, 1]), [3, 4, 24])
    assert magnitude([-1, 2]).dtype == np.float64
    assert snip(X.astype(np.float32), W, Y).dtype == np.float64


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_tensors_give_the_same(kind):
    torch = pytest.importorskip("torch")
    dtype, tolerance = getattr(torch, kind), 1e-13 if kind == "float64" else 1e-5
    X, w, y = random_model(0)
    tensors = [torch.tensor(one, dtype=dtype) for one in (X, w, y)]
    pairs = [
        (magnitude(tensors[1]), magnitude(w)),
        (synflow(tensors[1]), synflow(w)),
        (snip(*tensors), snip(X, w, y)),
        (grasp(*tensors), grasp(X, w, y)),
        (rms_snip(*tensors[:2]), rms_snip(X, w)),
        (rms_snip(*tensors[:2], "targets"), rms_snip(X, w, "targets")),
        (snip(tensors[0], w, y), snip(X, w, y)),
    ]
    for tensor, array in pairs:
        assert tensor.dtype == dtype
        np.testing.assert_allclose(tensor.numpy(), array, rtol=tolerance, atol=tolerance)


def test_tensors_of_integers_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"X must hold floats.* got torch.int64: write X.double\(\)"):
        rms_snip(torch.ones(2, 3, dtype=torch.int64), torch.ones(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X[0], W, Y), r"X \(n, d\) is expected, n samples of d features, got shape \(3,\)"),
        ((X[:0], W, Y[:0]), r"got shape \(0, 3\)"),
        ((X, W[:2], Y), r"w must have shape \(3,\) for X of shape \(2, 3\), got \(2,\)"),
        ((X, W, Y[:1]), r"y must have shape \(2,\) for X of shape \(2, 3\), got \(1,\)"),
        ((X, W[:, None], Y), r"w must have shape \(3,\)"),
        ((X * np.nan, W, Y), "X must be finite"),
        ((X, np.full(3, np.inf), Y), "w must be finite"),
        ((X, W, np.array([0, np.nan])), "y must be finite"),
    ],
)
@pytest.mark.parametrize("score", [snip, grasp])
def test_what_does_not_fit_is_refused(score, arguments, message):
    with pytest.raises(ValueError, match=message):
        score(*arguments)


def test_rms_snip_averages_over_one_of_two_things():
    with pytest.raises(ValueError, match="random must be 'residual' or 'targets', got 'labels'"):
        rms_snip(X, W, "labels")
    with pytest.raises(ValueError, match="w must have shape"):
        rms_snip(X, W[:2])
