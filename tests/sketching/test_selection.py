"""Selections: exact counts, extreme scores, and expectations by enumerating everything that chance can do."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.integrate import quad

from linreg_mirror.theorems.masks.draws import Scripted
from sketching import bernoulli, gumbel_top_k, inclusion_probabilities, systematic, top_k, with_replacement

EXACT = [top_k, gumbel_top_k, systematic]
SAMPLING = [gumbel_top_k, systematic, bernoulli, with_replacement]
LEFT_OUT_ZERO = np.array([2.0, 0.0, 1.0, 5.0, 0.5])  # the largest is kept for certain where k > 1
NEARLY_LEVEL = np.array([3.0, 1.0, 2.0, 2.5, 1.5])  # no entry is, for k = 3 neither


def name(function):
    return function.__name__


def rng(seed=0):
    return np.random.default_rng(seed)


# What chance can do, as (probability, factors, mask), all of it.


def outcome(select, scores, k, numbers, probability):
    factors = select(scores, k, Scripted(numbers), rescale=True)
    mask = select(scores, k, Scripted(numbers))
    assert mask.dtype == bool
    assert factors.dtype == scores.dtype
    np.testing.assert_array_equal(factors > 0, mask)
    return probability, factors, mask


def water_level(scores, k):
    """The q of min(1, c score) with sum k, by bisection."""
    low, high = 0.0, k / scores[scores > 0].min()
    for _ in range(200):
        c = (low + high) / 2
        low, high = (c, high) if np.minimum(1, c * scores).sum() < k else (low, c)
    return np.minimum(1, high * scores)


def all_of_bernoulli(scores, k):
    q = water_level(scores, k)
    for kept in itertools.product([False, True], repeat=scores.size):
        probability = np.prod(np.where(kept, q, 1 - q))
        yield outcome(bernoulli, scores, k, np.where(kept, q / 2, (1 + q) / 2), probability)


def all_of_systematic(scores, k):
    # Between two places of the comb at which a tooth meets the end of an entry nothing changes.
    ends = np.cumsum(water_level(scores, k))
    places = np.unique(np.concatenate([[0, 1], ends % 1]))
    for left, right in itertools.pairwise(places):
        if right - left > 1e-12:
            yield outcome(systematic, scores, k, (left + right) / 2, right - left)


def all_of_with_replacement(scores, k):
    p = scores / scores.sum()
    middles = np.cumsum(p) - p / 2
    for draws in itertools.combinations_with_replacement(np.flatnonzero(p), k):
        orders = math.factorial(k) / np.prod([math.factorial(draws.count(i)) for i in set(draws)])
        # Several draws of one entry stand side by side within it.
        places = [middles[i] + p[i] * (draws[:j].count(i) - k / 2) / (2 * k) for j, i in enumerate(draws)]
        yield outcome(with_replacement, scores, k, np.diff([0, *places, 1]), orders * np.prod([p[i] for i in draws]))


def arrivals(scores, first, last, tau):
    """Exponential draws for which `first` arrive before tau, `last` at tau, all others after it."""
    times = np.where(scores > 0, 2 * tau, 1.0)
    times[list(first)] = tau / 2
    times[last] = tau
    return np.where(scores > 0, times * scores, 1.0)


def race(scores, k):
    """Expected factors and inclusion of the race: summed over who comes, integrated over when."""
    support = np.flatnonzero(scores)
    factors, inclusion = np.zeros(scores.size), np.zeros(scores.size)
    for first in itertools.combinations(support, k):
        for last in set(support) - set(first):
            after = [i for i in support if i != last and i not in first]

            def density(tau, first=first, last=last, after=after):
                before = np.prod(-np.expm1(-scores[list(first)] * tau))
                return before * scores[last] * np.exp(-scores[[last, *after]].sum() * tau)

            inclusion[list(first)] += quad(density, 0, np.inf, epsabs=1e-13)[0]
            for i in first:

                def weighted(tau, i=i, first=first, last=last, density=density):
                    numbers = arrivals(scores, first, last, tau)
                    _, seen, mask = outcome(gumbel_top_k, scores, k, numbers, 1)
                    assert set(np.flatnonzero(mask)) == set(first)
                    return density(tau) * seen[i]

                factors[i] += quad(weighted, 0, np.inf, epsabs=1e-13)[0]
    return factors, inclusion


ENUMERATED = {bernoulli: all_of_bernoulli, systematic: all_of_systematic, with_replacement: all_of_with_replacement}


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("select", ENUMERATED, ids=name)
@pytest.mark.parametrize("scores", [LEFT_OUT_ZERO, NEARLY_LEVEL], ids=["left out", "level"])
def test_factors_are_unbiased(scores, select, k):
    everything = list(ENUMERATED[select](scores, k))
    assert sum(p for p, _, _ in everything) == pytest.approx(1, abs=1e-14)
    expected = sum(p * factors for p, factors, _ in everything)
    np.testing.assert_allclose(expected, scores > 0, atol=1e-14)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("scores", [LEFT_OUT_ZERO, NEARLY_LEVEL], ids=["left out", "level"])
def test_masks_have_the_probabilities_that_add_up_to_k(scores, k):
    q = inclusion_probabilities(scores, k)
    np.testing.assert_allclose(q, water_level(scores, k), atol=1e-14)
    for everything in (all_of_bernoulli, all_of_systematic):
        np.testing.assert_allclose(sum(p * mask for p, _, mask in everything(scores, k)), q, atol=1e-14)


def test_masks_of_draws_with_replacement_miss_as_often_as_all_draws_do():
    p = LEFT_OUT_ZERO / LEFT_OUT_ZERO.sum()
    kept = sum(one * mask for one, _, mask in all_of_with_replacement(LEFT_OUT_ZERO, 3))
    np.testing.assert_allclose(kept, 1 - (1 - p) ** 3, atol=1e-14)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_race_is_unbiased_and_draws_one_after_the_other(k):
    factors, inclusion = race(LEFT_OUT_ZERO, k)
    np.testing.assert_allclose(factors, LEFT_OUT_ZERO > 0, atol=1e-8)
    one_by_one = np.zeros(5)
    for order in itertools.permutations(np.flatnonzero(LEFT_OUT_ZERO), k):
        left, probability = LEFT_OUT_ZERO.sum(), 1.0
        for i in order:
            probability *= LEFT_OUT_ZERO[i] / left
            left -= LEFT_OUT_ZERO[i]
        one_by_one[list(order)] += probability
    np.testing.assert_allclose(inclusion, one_by_one, atol=1e-12)


@pytest.mark.parametrize("scores", [LEFT_OUT_ZERO, NEARLY_LEVEL], ids=["left out", "level"])
@pytest.mark.parametrize("select", SAMPLING, ids=name)
def test_chance_agrees_with_what_is_enumerated(select, scores):
    generator = rng()
    kept = np.mean([select(scores, 2, generator) for _ in range(20_000)], axis=0)
    if select is gumbel_top_k:
        _, inclusion = race(scores, 2)
    else:
        inclusion = sum(p * mask for p, _, mask in ENUMERATED[select](scores, 2))
    assert np.max(np.abs(kept - inclusion)) < 5 * 0.5 / math.sqrt(20_000)  # five standard errors


def test_top_k_by_hand():
    np.testing.assert_array_equal(top_k(np.array([3.0, -1.0, 2.0, 2.0, 2.0]), 3), [1, 0, 1, 1, 0])
    np.testing.assert_array_equal(top_k(np.array([[-3, -1], [-2, -np.inf]]), 2), [[0, 1], [1, 0]])


@pytest.mark.parametrize("size", [8, 1000])
def test_of_equal_scores_the_first_are_kept(size):
    scores = np.arange(size) % 4 + 1.0  # of the 4s a quarter, then of the 3s
    for k in (size // 4 - 1, size // 4, size // 4 + 1, size // 2 - 1):
        first = sorted(range(size), key=lambda i: (-scores[i], i))[:k]
        for shaped in (scores, scores.reshape(2, -1)):
            assert np.flatnonzero(top_k(shaped, k)).tolist() == sorted(first)
    assert np.flatnonzero(top_k(np.full(size, -2.0), 3)).tolist() == [0, 1, 2]


def test_probabilities_by_hand():
    # 8 would get 1.6 of a place: it gets one, and the other four share one.
    np.testing.assert_allclose(inclusion_probabilities(np.array([8.0, 0.5, 0.5, 0.5, 0.5]), 2), [1, *[0.25] * 4])
    # 1e-20 of a place is too little to be seen in the sum, and still there.
    np.testing.assert_allclose(inclusion_probabilities(np.array([1.0, 1e-20]), 1), [1, 1e-20])


awkward = st.sampled_from([0.0, 1.0, 1.0, 2.0, 5e-324, 1e-300, 1e300, np.finfo(float).max, np.inf]) | st.floats(0, 1e6)


@settings(deadline=None, max_examples=300)
@given(scores=arrays(float, array_shapes(max_dims=2, max_side=8), elements=awkward), data=st.data())
def test_exactly_k_whatever_the_scores(scores, data):
    k = data.draw(st.integers(0, scores.size))
    if not scores.any():
        k = data.draw(st.sampled_from([0, scores.size]))
    for select in EXACT:
        mask = select(scores, k, rng(k))
        assert mask.shape == scores.shape
        assert mask.sum() == k, select.__name__
        # Infinities first, zeros last.
        assert mask[np.isinf(scores)].sum() == min(k, np.isinf(scores).sum())
        assert mask[scores == 0].sum() == max(0, k - np.count_nonzero(scores))
    q = inclusion_probabilities(scores, k)
    assert q.min() >= 0
    assert q.max() <= 1
    assert q.sum() == pytest.approx(k, rel=1e-12)
    if scores.any():
        assert with_replacement(scores, k, rng(k)).sum() <= k
        assert not with_replacement(scores, k, rng(k))[scores == 0].any()


@settings(deadline=None, max_examples=100)
@given(scores=arrays(np.float32, st.integers(1, 30), elements=st.floats(0.5, 2, width=32)), data=st.data())
def test_scores_count_only_in_proportion(scores, data):
    k = data.draw(st.integers(0, scores.size))
    for select in SAMPLING:
        for rescale in (False, True):
            np.testing.assert_allclose(
                select(scores, k, rng(), rescale=rescale), select(scores * 4, k, rng(), rescale=rescale)
            )


@pytest.mark.parametrize("select", [gumbel_top_k, systematic], ids=name)
@pytest.mark.parametrize(("scores", "kept"), [([0.0] * 3 + [1.0], 2), ([np.inf] * 3 + [1.0], 1)])
def test_among_equals_chance_decides(select, scores, kept):
    seen = sum(select(np.array(scores), kept, rng(seed)).astype(int) for seed in range(300))
    assert seen[:3].min() > 50
    assert seen[3] == (300 if kept == 2 else 0)


def test_what_is_kept_for_certain_is_not_rescaled():
    scores = np.array([np.inf, 1.0, 3.0, np.inf])
    for select in (gumbel_top_k, systematic):
        factors = select(scores, 3, rng(), rescale=True)
        assert factors[[0, 3]].tolist() == [1, 1]
        assert factors[[1, 2]].max() > 1
        np.testing.assert_array_equal(select(scores, 4, rng(), rescale=True), 1)


def test_of_those_that_arrive_at_the_same_time_as_many_are_kept_as_there_is_room_for():
    scores = np.array([2.0, 1.0, 1.0, 1.0, 0.5])
    times = np.array([1.0, 3.0, 3.0, 3.0, 4.0]) * scores
    assert gumbel_top_k(scores, 3, Scripted(times)).tolist() == [True, True, True, False, False]


@pytest.mark.filterwarnings("error")
def test_scores_that_divide_beyond_float64_are_no_warning():
    scores = np.array([5e-324, 0.0, 1.0, -0.0])
    assert gumbel_top_k(scores, 1, rng()).tolist() == [False, False, True, False]
    assert gumbel_top_k(scores, 2, rng()).tolist() == [True, False, True, False]
    assert gumbel_top_k(scores, 3, rng())[[0, 2]].all()
    assert gumbel_top_k(scores, 1, Scripted(np.zeros(4))).sum() == 1


def test_teeth_that_rounding_leads_to_one_entry_or_beyond_the_line_take_neighbours():
    # Places of the comb: 0, at which the first two teeth hit the first entry, and the largest number below 1.
    assert systematic(np.array([1.0, 3e-16, np.nextafter(1, 0), 1.0]), 3, Scripted(0.0)).sum() == 3
    mask = systematic(np.ones(4), 2, Scripted(np.nextafter(1, 0)))
    np.testing.assert_array_equal(mask, [False, True, False, True])
    mask = systematic(np.array([1.0, 1.0, 1.0, 1.0, 0.0]), 2, Scripted(np.nextafter(1, 0)))
    np.testing.assert_array_equal(mask, [False, True, False, True, False])


@pytest.mark.parametrize("rescale", [False, True])
def test_draws_that_rounding_leads_beyond_the_line_are_of_its_last_entry(rescale):
    # Without a gap after it, a draw is at the very end of the line; no random numbers but these would be so close.
    mask = with_replacement(np.array([1.0, 2.0, 0.0]), 2, Scripted([0.1, 0.9, 0.0]), rescale=rescale)
    np.testing.assert_allclose(mask, [1.5, 0.75, 0] if rescale else [True, True, False])


def test_draws_from_infinities_alone():
    assert not with_replacement(np.array([1.0, np.inf, np.inf]), 3, rng())[0]


@pytest.mark.parametrize("select", SAMPLING, ids=name)
@pytest.mark.parametrize("k", [0, 3, 12])
def test_same_generator_same_mask(select, k):
    scores = rng(1).random((3, 4))
    np.testing.assert_array_equal(select(scores, k, rng(2)), select(scores, k, rng(2)))
    if k == 3:
        assert any((select(scores, k, rng(2)) != select(scores, k, rng(seed))).any() for seed in range(3, 9))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int64"])
@pytest.mark.parametrize("select", [top_k, *SAMPLING], ids=name)
def test_tensors_as_arrays(select, dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(rng(1).integers(0, 9, (4, 5)), dtype=getattr(torch, dtype))
    mask = select(tensor, 7, rng(3))
    assert mask.dtype == torch.bool
    np.testing.assert_array_equal(mask.numpy(), select(tensor.double().numpy(), 7, rng(3)))
    if select is not top_k:
        factors = select(tensor.requires_grad_(dtype != "int64"), 7, rng(3), rescale=True)
        assert factors.dtype == (tensor.dtype if dtype != "int64" else torch.float64)
        expected = torch.from_numpy(select(tensor.detach().double().numpy(), 7, rng(3), rescale=True))
        torch.testing.assert_close(factors, expected.to(factors.dtype), rtol=1e-6, atol=0)


def test_any_layout_of_memory():
    scores = rng(1).random((6, 8))
    expected = top_k(scores, 9)
    for other in (scores.astype(">f8"), np.asfortranarray(scores), scores[::-1][::-1], scores.tolist()):
        np.testing.assert_array_equal(top_k(other, 9), expected)
    assert bernoulli(scores.astype(">f4"), 9, rng(), rescale=True).dtype == np.float32


@pytest.mark.parametrize("select", [top_k, *SAMPLING, inclusion_probabilities], ids=name)
def test_bad_scores_are_refused(select):
    call = select if select in (top_k, inclusion_probabilities) else partial(select, rng=rng())
    with pytest.raises(ValueError, match="2 of 3 scores are NaN"):
        call(np.array([np.nan, 1, np.nan]), 1)
    with pytest.raises(ValueError, match="all scores are zero"):
        call(np.zeros(3), 1)
    nothing = call(np.zeros(3), 0)
    assert not nothing.any()
    assert nothing.dtype == (float if select is inclusion_probabilities else bool)
    if select in SAMPLING:
        assert call(np.zeros(3), 0, rescale=True).dtype == float
    for k in (-1, 4, 1.0, True, None):
        with pytest.raises(ValueError, match=r"k must be an integer from 0 to 3, got"):
            call(np.ones(3), k)
    with pytest.raises(TypeError, match="real numbers"):
        call(np.array([1j, 2]), 1)
    assert call(np.zeros((0, 2)), 0).shape == (0, 2)
    if select is not top_k:
        with pytest.raises(ValueError, match=r"at least 0 to be read as probabilities, got -1"):
            call(np.array([1.0, -1.0]), 1)


@pytest.mark.parametrize("select", SAMPLING, ids=name)
def test_factors_that_the_type_of_the_scores_does_not_hold(select):
    scores = np.ones(1_000_000, np.float16)  # factors around 1,000,000 / 5; the largest float16 is 65,504
    with pytest.raises(ValueError, match=r"is more than float16 holds: give scores of a wider type"):
        select(scores, 5, rng(2), rescale=True)
    assert 65_504 < select(scores.astype(float), 5, rng(2), rescale=True).max() < np.inf
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="more than float16 holds"):
        select(torch.from_numpy(scores), 5, rng(2), rescale=True)


def test_complex_tensors_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"real numbers, got a tensor of torch\.complex64"):
        top_k(torch.ones(3, dtype=torch.complex64), 1)


@pytest.mark.parametrize("select", SAMPLING, ids=name)
def test_generators_are_asked_for(select):
    for wrong in (None, 0, np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"write rng=np.random.default_rng\(0\)"):
            select(np.ones(3), 1, wrong)


@pytest.mark.parametrize("select", [top_k, *SAMPLING], ids=name)
def test_the_sign_of_zero_does_not_matter(select):
    scores = np.array([-0.0, 1.0, 2.0, 0.0, 3.0])
    for k in (1, 2, 3, 4):
        for seed in range(20):
            mask = select(scores, k, rng(seed))
            np.testing.assert_array_equal(mask, select(np.abs(scores), k, rng(seed)))
            assert not mask[[0, 3]].any() or k == 4
