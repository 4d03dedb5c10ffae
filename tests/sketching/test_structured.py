"""n of every m inputs: by brute force, on arrays and tensors."""

import numpy as np
import pytest

import sketching


@pytest.mark.parametrize(("n", "m", "shape"), [(2, 4, (3, 8)), (1, 2, (5, 6, 3, 3)), (0, 3, (2, 3)), (3, 3, (2, 6))])
def test_every_group_keeps_its_largest(n, m, shape):
    scores = np.random.default_rng(0).standard_normal(shape)
    mask = sketching.n_of_m(scores, n, m)
    assert mask.shape == shape
    for out in range(shape[0]):
        for start in range(0, shape[1], m):
            for place in np.ndindex(shape[2:]):
                group, kept = (array[(out, slice(start, start + m), *place)] for array in (scores, mask))
                assert kept.sum() == n
                assert set(group[kept]) == set(sorted(group, reverse=True)[:n])


def test_of_equal_ones_the_first():
    assert sketching.n_of_m(np.zeros((1, 4)), 2, 4).tolist() == [[True, True, False, False]]


def test_tensors():
    torch = pytest.importorskip("torch")
    scores = torch.randn(4, 8, 3).to(torch.bfloat16)
    mask = sketching.n_of_m(scores, 2, 4)
    assert mask.dtype == torch.bool
    assert (mask.view(4, 2, 4, 3).sum(2) == 2).all()


@pytest.mark.parametrize(
    ("scores", "n", "m", "message"),
    [
        (np.ones((2, 6)), 2, 4, "a multiple of 4 inputs, got shape"),
        (np.ones(4), 2, 4, "a multiple of 4 inputs"),
        (np.ones((2, 4)), 5, 4, "n must be an integer from 0 to 4"),
        (np.ones((2, 4)), 1, 0, "m must be an integer >= 1"),
        (np.full((2, 4), np.nan), 1, 4, "a score is NaN"),
    ],
)
def test_what_does_not_fit(scores, n, m, message):
    with pytest.raises(ValueError, match=message):
        sketching.n_of_m(scores, n, m)
