"""Moments of masks and errors of sketches, against hand-made numbers, exact fractions and other routes to the same."""

import math
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketching import mask_moments
from sketching.mask_moments import MaskMoments
from sketching.moments import SketchError, least_error, optimal_probabilities, sketch_error
from sketching.selection import inclusion_probabilities
from sketching.tails import bennett, chebyshev
from sketching.temperature import data_free, excess, tempered
from sketching.training import after_training, trained_from

RANDOM = (mask_moments.with_replacement, mask_moments.bernoulli, mask_moments.systematic, mask_moments.gumbel_top_k)
EXACTLY_K = (mask_moments.systematic, mask_moments.gumbel_top_k)
INF = math.inf


def model(seed=0, n=3, d=5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(d)


def lengths(X, w):
    return np.linalg.norm(X, axis=0) * np.abs(w)


# Masks by hand


def test_two_draws_of_two():
    scores = np.array([1, 3])  # p = 1/4, 3/4
    plain = mask_moments.with_replacement(scores, 2)
    np.testing.assert_allclose(plain.mean, [7 / 16, 15 / 16], rtol=1e-15)
    np.testing.assert_allclose(plain.covariance, np.array([[63, -9], [-9, 15]]) / 256, rtol=1e-15)
    rescaled = mask_moments.with_replacement(scores, 2, rescale=True)
    np.testing.assert_array_equal(rescaled.mean, [1, 1])
    # (times drawn)/(2p): binomial with variance 2 p (1-p), and the two add up.
    np.testing.assert_allclose(rescaled.covariance, [[1.5, -0.5], [-0.5, 1 / 6]], rtol=1e-15)


def test_tosses():
    plain = mask_moments.bernoulli([1, 1, 6], 2)  # the last is certain
    np.testing.assert_allclose(plain.mean, [0.5, 0.5, 1], rtol=1e-15)
    np.testing.assert_allclose(plain.covariance, np.diag([0.25, 0.25, 0]), rtol=1e-15)
    rescaled = mask_moments.bernoulli([1, 3, 0, 4], 2, rescale=True)  # q = 1/4, 3/4, 0, 1
    np.testing.assert_array_equal(rescaled.mean, [1, 1, 0, 1])
    np.testing.assert_allclose(rescaled.covariance, np.diag([3, 1 / 3, 0, 0]), rtol=1e-14)


def test_comb():
    moments = mask_moments.systematic([2, 1, 1, 2], 3)  # q = 1, 1/2, 1/2, 1: the two in the middle exclude each other
    np.testing.assert_allclose(moments.mean, [1, 0.5, 0.5, 1], rtol=1e-15)
    expected = np.zeros((4, 4))
    expected[1:3, 1:3] = [[0.25, -0.25], [-0.25, 0.25]]
    np.testing.assert_allclose(moments.covariance, expected, atol=1e-15)
    # q = 2/3 each: of three thirds of the line's teeth each pair is hit once.
    pairs = mask_moments.systematic([5, 5, 5], 2).covariance + 4 / 9
    np.testing.assert_allclose(pairs, np.eye(3) / 3 + 1 / 3, rtol=1e-14)


def test_ranking_leaves_nothing_to_chance():
    moments = mask_moments.top_k([-1, 2, 2, 0], 2)
    np.testing.assert_array_equal(moments.mean, [0, 1, 1, 0])
    np.testing.assert_array_equal(moments.covariance, np.zeros((4, 4)))


def test_scores_of_any_kind_and_shape():
    flat = mask_moments.gumbel_top_k([1.0, 2.0, 3.0, 4.0], 2)
    for scores in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float32)):
        np.testing.assert_array_equal(mask_moments.gumbel_top_k(scores, 2).covariance, flat.covariance)
    torch = pytest.importorskip("torch")
    tensor = mask_moments.gumbel_top_k(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 2)
    assert type(tensor.mean) is np.ndarray
    np.testing.assert_array_equal(tensor.covariance, flat.covariance)


# The race, in exact fractions


def succession(scores, k):
    """Probabilities of entries and pairs to be kept by k draws without replacement, in fractions."""
    d = len(scores)
    pairs = [[Fraction(0)] * d for _ in range(d)]
    for order in permutations(range(d), k):
        probability, left = Fraction(1), Fraction(sum(scores))
        for i in order:
            probability *= scores[i] / left
            left -= scores[i]
        for i, j in product(order, repeat=2):
            pairs[i][j] += probability
    return np.array(pairs, float)


def threshold_variance(others, k):
    """E 1/(exp(tau) - 1) for the k-th arrival among others with whole rates, beside an entry of rate 1, in a fraction.

    tau is a sum of exponentials with rates R_j, of density sum c_j R_j exp(-R_j t), and sum c_j R_j = 0; expanded in
    powers of exp(-t), what is left is -sum c_j R_j (1 + 1/2 + ... + 1/R_j).
    """
    total = Fraction(0)
    for order in permutations(others, k):
        rates = [sum(others) - sum(order[:j]) for j in range(k)]
        probability = Fraction(math.prod(order), math.prod(rates))
        for j, R in enumerate(rates):
            c = math.prod((Fraction(S, S - R) for i, S in enumerate(rates) if i != j), start=Fraction(1))
            total -= probability * c * R * sum(Fraction(1, m) for m in range(1, R + 1))
    return float(total)


@pytest.mark.parametrize("scores", [(1, 2, 3), (1, 1, 1, 1), (1, 5, 2, 2), (1, 1000, 3, 40), (3, 1, 4, 1, 5)])
def test_race_in_fractions(scores):
    for k in range(1, len(scores)):
        exact = succession(scores, k)
        found = mask_moments.gumbel_top_k(np.array(scores), k)
        np.testing.assert_allclose(found.mean, np.diag(exact), rtol=3e-14)
        np.testing.assert_allclose(found.covariance + np.outer(found.mean, found.mean), exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("others", [(1, 2), (2, 3, 1), (1, 1, 1, 1), (7, 2, 19, 3)])
def test_variances_of_the_race_in_fractions(others):
    for k in range(2, len(others) + 1):
        found = mask_moments.gumbel_top_k(np.array([1, *others]), k, rescale=True)
        assert found.covariance[0, 0] == pytest.approx(threshold_variance(others, k), rel=1e-13)
        np.testing.assert_array_equal(found.mean, 1)
        np.testing.assert_array_equal(found.covariance, np.diag(np.diag(found.covariance)))


def test_two_of_three_equal_entries():
    # tau is the maximum of two: E 1/(e^tau - 1) = int 2 (1 - e^-t) e^-t / (e^t - 1) dt = int 2 e^-2t dt = 1.
    np.testing.assert_allclose(mask_moments.gumbel_top_k(np.ones(3), 2, rescale=True).spread, 1.0, rtol=1e-13)


@pytest.mark.parametrize(("d", "k"), [(20, 1), (20, 7), (20, 19), (45, 30)])
def test_equal_scores_are_equally_likely(d, k):
    found = mask_moments.gumbel_top_k(np.full(d, 3.0), k)
    pairs = found.covariance + np.outer(found.mean, found.mean)
    np.testing.assert_allclose(found.mean, k / d, rtol=1e-13)
    np.testing.assert_allclose(pairs[~np.eye(d, dtype=bool)], k * (k - 1) / (d * (d - 1)), rtol=1e-12)


def test_scores_that_differ_very_much():
    # In the limit the largest is kept for certain and the rest is a race of its own.
    found = mask_moments.gumbel_top_k(np.array([1.0, 2e-100, 1e-100, 1e-240]), 2)
    np.testing.assert_allclose(found.mean, [1, 2 / 3, 1 / 3, 0], atol=1e-13)
    variances = mask_moments.gumbel_top_k(np.array([1.0, 2e-100, 1e-100, 1e-240]), 3, rescale=True).spread
    assert np.isfinite(variances).all()
    assert variances[3] > 1e100
    with pytest.raises(ValueError, match=r"from 1e-260 to 1 differ by more than a factor 1e250: set those"):
        mask_moments.gumbel_top_k([1.0, 1e-260, 1e-200], 1)


def test_one_rescaled_place_has_no_variance():
    found = mask_moments.gumbel_top_k([1.0, 2.0, 0.0], 1, rescale=True)
    np.testing.assert_array_equal(found.mean, [1, 1, 0])
    np.testing.assert_array_equal(found.spread, [INF, INF, 0])


# Limits


@pytest.mark.parametrize("moments", RANDOM)
@pytest.mark.parametrize("rescale", [False, True])
def test_nothing_and_everything(moments, rescale):
    none = moments([1.0, 2.0, 0.0], 0, rescale=rescale)
    np.testing.assert_array_equal(none.mean, 0)
    np.testing.assert_array_equal(none.covariance, np.zeros((3, 3)))
    if moments is not mask_moments.with_replacement:
        everything = moments([1.0, 2.0, 0.0], 3, rescale=rescale)
        np.testing.assert_array_equal(everything.mean, 1)
        np.testing.assert_array_equal(everything.covariance, np.zeros((3, 3)))


@pytest.mark.parametrize("moments", [mask_moments.bernoulli, *EXACTLY_K])
def test_zeros_and_infinities(moments):
    for scores in ([0.0, 0.0, 5.0], [2.0, 2.0, INF]):
        found = moments(scores, 2)
        np.testing.assert_allclose(found.mean, [0.5, 0.5, 1], rtol=1e-14)
        pair = 0.0 if moments is mask_moments.bernoulli else -0.25
        np.testing.assert_allclose(found.covariance, [[0.25, pair, 0], [pair, 0.25, 0], [0, 0, 0]], atol=1e-14)
    np.testing.assert_allclose(moments([1.0, INF, INF], 1).mean, [0, 0.5, 0.5], rtol=1e-14)


def test_draws_of_certain_and_impossible_entries():
    for scores in ([0.0, 3.0], [3.0, INF]):
        certain = np.array(scores) == max(scores)
        for rescale in (False, True):
            found = mask_moments.with_replacement(scores, 2, rescale=rescale)
            np.testing.assert_array_equal(found.mean, certain)
            np.testing.assert_allclose(found.covariance, np.zeros((2, 2)), atol=3e-16)
    assert mask_moments.with_replacement([1e-20, 1.0], 2).mean[0] == pytest.approx(2e-20, rel=1e-14)


@pytest.mark.parametrize("moments", RANDOM)
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([1.0, math.nan], 1, "1 of 2 scores are NaN"),
        ([1.0, -1.0], 1, "scores must be at least 0"),
        ([1.0, 2.0], 3, "k must be an integer from 0 to 2, got 3"),
        ([1.0, 2.0], 0.5, "k must be an integer"),
        ([0.0, 0.0], 1, "all scores are zero"),
    ],
)
def test_bad_scores_are_refused_as_by_selections(moments, rescale, scores, k, message):
    with pytest.raises(ValueError, match=message):
        moments(scores, k, rescale=rescale)


# Every selection


scores_and_k = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=2, max_size=6).flatmap(
    lambda scores: st.tuples(st.just(np.array(scores)), st.integers(1, max(1, np.count_nonzero(scores))))
)


@settings(deadline=None, max_examples=60)
@given(scores_and_k)
def test_masks_of_zeros_and_ones(case):
    scores, k = case
    if not scores.any():
        return
    for moments in RANDOM:
        found = moments(scores, k)
        covariance = found.covariance
        np.testing.assert_allclose(np.diag(covariance), found.mean * (1 - found.mean), atol=1e-13)
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
        assert np.linalg.eigvalsh(covariance).min() > -1e-13
        assert (found.mean[scores == 0] == 0).all()
        if moments in EXACTLY_K:  # the size of the mask does not vary
            np.testing.assert_allclose(covariance.sum(axis=0), 0, atol=1e-13)
        if moments is not mask_moments.with_replacement:
            assert found.mean.sum() == pytest.approx(k, rel=1e-13)


@settings(deadline=None, max_examples=60)
@given(scores_and_k, st.integers(0, 2**32 - 1))
def test_the_error_is_the_trace_of_a_covariance(case, seed):
    scores, k = case
    if not scores.any():
        return
    X, w = model(seed, 3, scores.size)
    for moments, rescale in product(RANDOM, (False, True)):
        found = moments(scores, k, rescale=rescale)
        error = sketch_error(X, w, found)
        if not np.isfinite(found.spread).all():
            assert error.variance == INF
            continue
        A = X * w
        scale = np.trace(A @ np.diag(np.diag(found.covariance)) @ A.T) + np.sum(A**2)
        assert error.variance == pytest.approx(np.trace(A @ found.covariance @ A.T), abs=1e-11 * scale)
        assert error.bias == pytest.approx(np.sum((A @ (found.mean - 1)) ** 2), abs=1e-12 * scale)
        assert error.signal == pytest.approx(np.sum((X @ w) ** 2), rel=1e-13)


# Errors


def test_an_error_by_hand():
    X, w = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 1.0])
    error = sketch_error(X, w, MaskMoments(np.array([0.5, 1.0]), np.array([0.25, 0.5])))
    assert error == SketchError(signal=13.0, bias=2.25, variance=0.25 * 9 + 0.5 * 4)
    assert error.second_moment == 6.5
    assert error.relative == 0.5
    assert not error.vacuous
    assert str(error) == "signal 13, error 6.5 = bias 2.25 + variance 4.25, 0.5 of the signal"
    shared = sketch_error(X, w, MaskMoments(np.ones(2), np.array([2.0, 2.0]), np.array([1.0, 1.0])))
    assert shared.variance == 2 * 13 - 13


def test_vacuous_errors_say_so():
    X, w = np.ones((1, 2)), np.array([1.0, -1.0])  # Xw = 0: whatever is kept, something is wrong
    error = sketch_error(X, w, mask_moments.with_replacement([1, 1], 1, rescale=True))
    assert (error.signal, error.second_moment, error.relative) == (0.0, 4.0, INF)
    assert error.vacuous
    assert str(error).endswith("inf of the signal, vacuous: to keep nothing would be better")
    assert SketchError(0.0, 0.0, 0.0).relative == 0.0
    assert SketchError(signal=0.5, bias=0.125, variance=0.25).relative == 0.75
    assert not SketchError(0.0, 0.0, 0.0).vacuous


def test_infinite_variances_count_only_where_they_matter():
    X, w = model()
    one = mask_moments.gumbel_top_k(np.ones(5), 1, rescale=True)
    assert sketch_error(X, w, one).second_moment == INF
    assert sketch_error(X, 0 * w, one).second_moment == 0


def test_entries_that_are_never_drawn_are_a_bias():
    X, w = model()
    scores = np.array([0.0, 1, 1, 2, 1])
    error = sketch_error(X, w, mask_moments.with_replacement(scores, 2, rescale=True))
    p = scores / scores.sum()
    exact = 0.0
    for i, j in product(range(1, 5), repeat=2):
        m = np.bincount([i, j], minlength=5) / np.where(p > 0, 2 * p, 1)
        exact += p[i] * p[j] * np.sum((X @ (w * m) - X @ w) ** 2)
    assert error.second_moment == pytest.approx(exact, rel=1e-13)
    assert error.bias == pytest.approx(np.sum((X[:, 0] * w[0]) ** 2), rel=1e-13)


def test_optimal_probabilities_by_hand():
    X, w = np.array([[3.0, 0.0], [4.0, 1.0]]), np.array([1.0, -5.0])  # |X_i||w_i| = 5, 5; Xw = (3, -1)
    np.testing.assert_array_equal(optimal_probabilities(X, w), [0.5, 0.5])
    np.testing.assert_allclose(optimal_probabilities(X, 1e-9 * w), [0.5, 0.5], rtol=1e-15)
    assert least_error(X, w, 2) == pytest.approx((100 - 10) / 2, rel=1e-15)
    assert least_error(X, 0 * w, 2) == 0
    with pytest.raises(ValueError, match=r"every \|X_i\|\|w_i\| is 0"):
        optimal_probabilities(X, 0 * w)
    with pytest.raises(ValueError, match="k must be an integer >= 1, got 0"):
        least_error(X, w, 0)


def test_least_error_is_never_below_zero():
    # All columns point in one direction, in which rounding is the whole error.
    X, w = np.ones((3, 4)) / 3, np.array([0.1, 0.2, 0.7, 0.3])
    assert 0 <= least_error(X, w, 2) < 1e-15
    assert 0 <= sketch_error(X, w, mask_moments.with_replacement(w, 2, rescale=True)).variance < 1e-15


def test_what_does_not_fit_is_refused():
    X, w = model()
    with pytest.raises(ValueError, match="moments of 4 entries do not fit w of 5"):
        sketch_error(X, w, mask_moments.bernoulli(np.ones(4), 2))
    with pytest.raises(ValueError, match=r"w must have shape \(5,\)"):
        sketch_error(X, w[:4], mask_moments.bernoulli(np.ones(4), 2))
    with pytest.raises(ValueError, match="X must be finite"):
        sketch_error(X * np.inf, w, mask_moments.bernoulli(np.ones(5), 2))


# Temperature


def test_tempered_by_hand():
    np.testing.assert_allclose(tempered([1, 4, 0, 16], 0.5), [0.25, 0.5, 0, 1], rtol=1e-15)
    np.testing.assert_allclose(tempered([1, 4, 0, 16], 0), [1, 1, 0, 1], rtol=1e-15)
    np.testing.assert_allclose(tempered([1, 4, 0, 16], -1), [1, 0.25, 0, 1 / 16], rtol=1e-15)
    np.testing.assert_allclose(tempered([1e-300, 3e-300], 4), [1 / 81, 1], rtol=1e-12)
    np.testing.assert_array_equal(tempered([0.0, 0.0], 2), [0, 0])


@pytest.mark.parametrize(
    ("scores", "power", "message"),
    [
        ([1.0, -1.0], 1, "scores must be finite numbers >= 0, got -1 to 1"),
        ([1.0, math.nan], 1, "scores must be finite"),
        ([1.0, INF], 1, "scores must be finite"),
        ([1.0, 2.0], INF, "power must be a finite number, got inf: for the largest score alone take top_k"),
    ],
)
def test_what_has_no_power_is_refused(scores, power, message):
    with pytest.raises(ValueError, match=message):
        tempered(scores, power)


def test_excess_by_hand():
    assert excess([1, 3], [1, 3]) == 1
    assert excess([1, 3], [5, 5]) == pytest.approx(2 * 10 / 16, rel=1e-15)
    assert excess([1, 3], [0, 1]) == INF
    assert excess([0, 3], [0, 1]) == 1
    assert excess([1e200, 3e200], [5e-200, 5e-200]) == pytest.approx(1.25, rel=1e-15)
    with pytest.raises(ValueError, match="got 3 scores for 2 entries"):
        excess([1, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="importance must not all be 0"):
        excess([0, 0], [1, 1])
    with pytest.raises(ValueError, match="scores must not all be 0"):
        excess([1, 1], [0, 0])


def test_excess_is_what_the_error_says():
    X, w = model()
    a, scores = lengths(X, w), np.arange(1.0, 6.0)
    error = sketch_error(X, w, mask_moments.with_replacement(scores, 3, rescale=True))
    assert (excess(a, scores) * a.sum() ** 2 - error.signal) / 3 == pytest.approx(error.second_moment, rel=1e-13)


def test_columns_of_equal_length_need_no_data():
    X, w = model()
    free = data_free(X / np.linalg.norm(X, axis=0), w)
    assert free.excess == pytest.approx(1, rel=1e-15)
    assert free.cap == pytest.approx(1, rel=1e-15)
    worst = data_free(np.diag([1.0, 4.0]), [4.0, 1.0])
    assert worst.excess == worst.cap == 25 / 16
    assert str(worst) == "second moment 1.562 of the optimal one, 1.562 for the worst weights"
    assert data_free(np.diag([1.0, 0.0]), [1.0, 1.0]).cap == INF


# After training


def test_training_ends_where_gradient_descent_does():
    X, w0 = model(n=3, d=5)
    y = np.array([1.0, -2.0, 0.5])
    w, step = w0.copy(), 1 / np.linalg.norm(X, 2) ** 2
    for _ in range(5000):
        w -= step * (X.T @ (X @ w - y))
    np.testing.assert_allclose(trained_from(X, y, w0), w, atol=1e-12)


def test_training_by_hand():
    X, w0, trained = np.eye(2), np.array([3.0, 1.0]), np.array([2.0, 2.0])  # p = 3/4, 1/4 against 1/2, 1/2
    found = after_training(X, w0, trained, 1)
    assert found.error.second_moment == pytest.approx(4 / (3 / 4) + 4 / (1 / 4) - 8, rel=1e-15)
    assert found.coverage == 0.5
    assert found.coverage_bound == 16 / 0.5 - 8
    assert found.share_bound == INF
    assert found.bound == 24
    assert found.vacuous
    mixed = after_training(X, w0, trained, 1, share=0.5)  # p = 5/8, 3/8
    assert mixed.coverage == 0.75
    assert mixed.share_bound == 2 / 0.5 * 8 - 8
    assert str(mixed) == (
        "signal 8, error 9.067 = bias 0 + variance 9.067, 1.13 of the signal, vacuous: to keep nothing would be better"
        "; bounds: 13.33 for p >= 0.75 p*, 24 from the uniform share, both vacuous"
    )
    uniform = after_training(X, 0 * w0, trained, 2, share=1)
    assert uniform.error.second_moment == pytest.approx(uniform.share_bound, rel=1e-15)
    assert not uniform.vacuous


def test_weights_that_begin_at_zero():
    X, w0 = model()
    start = np.where(np.arange(5) == 0, 0.0, w0)
    found = after_training(X, start, w0, 3)
    assert found.coverage == 0
    assert found.bound == INF
    assert found.error.bias == pytest.approx(np.sum((X[:, 0] * w0[0]) ** 2), rel=1e-13)
    assert after_training(X, start, w0, 3, share=0.1).error.bias == 0
    # The closer to zero, the larger the error: twice for half.
    errors = [
        after_training(X, np.where(np.arange(5) == 0, small, w0), w0, 3).error.second_moment for small in (2e-9, 1e-9)
    ]
    assert errors[1] / errors[0] == pytest.approx(2, rel=1e-7)


def test_trained_to_nothing_has_no_error():
    X, w0 = model()
    found = after_training(X, w0, 0 * w0, 3)
    assert found.error.second_moment == found.bound == 0


def test_bad_arguments_of_training():
    X, w = model()
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        after_training(X, w, w, 3, share=1.5)
    with pytest.raises(ValueError, match="k must be an integer from 1 to 5, got 0"):
        after_training(X, w, w, 0)
    with pytest.raises(ValueError, match=r"every \|X_i\|\|w_i\| is 0"):
        after_training(X, 0 * w, w, 3, share=0.5)
    with pytest.raises(ValueError, match="trained must be finite"):
        after_training(X, w, w * np.nan, 3)
    with pytest.raises(ValueError, match=r"y must have shape \(3,\)"):
        trained_from(X, w, w)


# Tails


def test_chebyshev_by_hand():
    error = SketchError(signal=1.0, bias=1.0, variance=3.0)
    assert chebyshev(error, 4.0) == 0.25
    np.testing.assert_array_equal(chebyshev(error, np.array([0.0, 1.0, 2.0, 4.0])), [1, 1, 1, 0.25])
    assert chebyshev(SketchError(1.0, 0.0, INF), 5.0) == 1
    np.testing.assert_array_equal(chebyshev(SketchError(1.0, 0.0, 0.0), np.array([0.0, 1.0])), [1, 0])


def test_bennett_by_hand():
    # One draw of two features of opposite contributions: the error is always 2, so that V = 4 and M = 2.
    X, w = np.ones((1, 2)), np.array([1.0, -1.0])
    for t in (0.0, 2.0, 5.0, 20.0):
        u = t * 2 / 4
        expected = min(1, 2 * math.exp(-((1 + u) * math.log(1 + u) - u)))
        assert bennett(X, w, [1, 1], 1, t) == pytest.approx(expected, rel=1e-14)


def test_bennett_is_below_bernstein_and_chebyshev_in_the_tail():
    X, w = model(1, 4, 30)
    scores, k = lengths(X, w), 30
    error = sketch_error(X, w, mask_moments.with_replacement(scores, k, rescale=True))
    t = np.sqrt(error.second_moment) * np.linspace(0, 10, 50)
    bound = bennett(X, w, scores, k, t)
    p = scores / scores.sum()
    longest = np.linalg.norm(X * w / p - (X @ w)[:, None], axis=0).max() / k
    bernstein = np.minimum(2 * np.exp(-(t**2) / (2 * error.second_moment + 2 * t * longest / 3)), 1)
    assert (bound <= bernstein * (1 + 1e-12)).all()
    assert bound[-1] < 1e-6 < 0.01 == pytest.approx(chebyshev(error, t[-1]), rel=1e-12)
    assert (np.diff(bound) <= 0).all()


def test_a_sketch_without_error_has_no_tail():
    X, w = np.array([[1.0], [2.0]]), np.array([3.0])
    np.testing.assert_array_equal(bennett(X, w, [1.0], 1, np.array([0.0, 1e-9, 1.0])), [1, 0, 0])


def test_bad_arguments_of_tails():
    X, w = model()
    for t in (-1.0, math.nan, INF):
        with pytest.raises(ValueError, match="t must be finite and >= 0"):
            chebyshev(SketchError(1.0, 1.0, 1.0), t)
        with pytest.raises(ValueError, match="t must be finite and >= 0"):
            bennett(X, w, np.ones(5), 2, t)
    with pytest.raises(ValueError, match="score 0 and is never drawn"):
        bennett(X, w, [0, 1, 1, 1, 1], 2, 1.0)
    with pytest.raises(ValueError, match="k must be an integer from 1 to 5, got 0"):
        bennett(X, w, np.ones(5), 0, 1.0)
    with pytest.raises(ValueError, match=r"scores must have shape \(5,\)"):
        bennett(X, w, np.ones(4), 2, 1.0)
    w[0] = 0
    assert 0 < bennett(X, w, [0, 1, 1, 1, 1], 2, 1.0) <= 1


# Tensors


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_tensors_give_the_same(kind):
    torch = pytest.importorskip("torch")
    dtype, rel = getattr(torch, kind), 1e-12 if kind == "float64" else 1e-4
    X, w = model()
    w0, y = w[::-1].copy(), np.array([1.0, -2.0, 0.5])
    TX, tw, tw0, ty = (torch.tensor(one, dtype=dtype) for one in (X, w, w0, y))
    for moments, rescale in product(RANDOM, (False, True)):
        array = sketch_error(X, w, moments(lengths(X, w), 3, rescale=rescale))
        tensor = sketch_error(TX, tw, moments(tw.abs() * torch.linalg.vector_norm(TX, dim=0), 3, rescale=rescale))
        assert isinstance(tensor.variance, float)
        assert tensor.second_moment == pytest.approx(array.second_moment, rel=rel)
    for tensor, array in (
        (optimal_probabilities(TX, tw), optimal_probabilities(X, w)),
        (trained_from(TX, ty, tw0), trained_from(X, y, w0)),
        (tempered(tw.abs(), 1.5), tempered(np.abs(w), 1.5)),
    ):
        assert tensor.dtype == dtype
        np.testing.assert_allclose(tensor.numpy(), array, rtol=rel)
    assert least_error(TX, tw, 2) == pytest.approx(least_error(X, w, 2), rel=rel)
    assert excess(tw.abs(), tw0.abs()) == pytest.approx(excess(np.abs(w), np.abs(w0)), rel=rel)
    assert data_free(TX, tw).excess == pytest.approx(data_free(X, w).excess, rel=rel)
    assert data_free(TX, tw).cap == pytest.approx(data_free(X, w).cap, rel=rel)
    for share in (0.0, 0.3, 1.0):
        tensor, array = after_training(TX, tw0, tw, 3, share), after_training(X, w0, w, 3, share)
        assert tensor.error.second_moment == pytest.approx(array.error.second_moment, rel=rel)
        assert (tensor.coverage, tensor.bound) == pytest.approx((array.coverage, array.bound), rel=rel)
    t = np.linspace(0, 20, 5)
    np.testing.assert_allclose(bennett(TX, tw, tw0.abs(), 3, t), bennett(X, w, np.abs(w0), 3, t), rtol=10 * rel)


def test_variances_of_rescaled_masks_where_squares_overflow():
    scores = np.array([1.0, 1.0, 1e-200])
    q = inclusion_probabilities(scores, 1)
    np.testing.assert_allclose(mask_moments.bernoulli(scores, 1, rescale=True).spread, (1 - q) / q, rtol=1e-15)
    assert np.isfinite(mask_moments.systematic(scores, 1, rescale=True).covariance).all()


def test_answers_beyond_floats_are_refused():
    X, w = np.diag([1e200, 2e200]), np.array([1.0, 1.0])
    for function in (data_free, optimal_probabilities, lambda X, w: least_error(X, w, 1)):
        with pytest.raises(
            ValueError, match=r"large as these in X.* beyond the range of floats: divide X by its largest"
        ):
            function(X, w)
    assert data_free(X / 2e200, w).cap == pytest.approx(9 / 8, rel=1e-15)


def test_a_share_of_single_precision_leaves_answers_in_double():
    X, w = np.array([[1.0, 2.0, -1.0]]), np.array([1e20, 2e20, 1e20])
    single, double = (after_training(X, w, w, 2, share) for share in (np.float32(0.5), 0.5))
    assert single == double
    assert np.isfinite(single.bound)
