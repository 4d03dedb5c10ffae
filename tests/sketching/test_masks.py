"""Masks of whole networks: who competes with whom, and rounds."""

from functools import partial

import numpy as np
import pytest

from sketching import (
    bernoulli,
    erk,
    given,
    globally,
    gumbel_top_k,
    iterative_masks,
    select_masks,
    systematic,
    top_k,
    uniform,
)

pytestmark = pytest.mark.filterwarnings("ignore:keep=.* leaves nothing of:UserWarning")  # most layers here are tiny

SCORES = {"a": np.array([[4.0, 1.0], [3.0, 2.0]]), "b": np.array([[10.0, 0.5, 0.25, 5.0]], np.float32)}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_layers_compete():
    masks = select_masks(SCORES, 0.5)
    assert list(masks) == ["a", "b"]
    np.testing.assert_array_equal(masks["a"], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(masks["b"], [[1, 0, 0, 1]])
    np.testing.assert_array_equal(select_masks(SCORES, 0.25)["a"], 0)


def test_layers_do_not_compete():
    masks = select_masks(SCORES, 0.25, allocate=uniform)
    np.testing.assert_array_equal(masks["a"], [[1, 0], [0, 0]])
    np.testing.assert_array_equal(masks["b"], [[1, 0, 0, 0]])
    masks = select_masks(SCORES, 0.25, allocate=given({"a": 0.75, "b": 0.0}))
    assert (masks["a"].sum(), masks["b"].sum()) == (3, 0)


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("allocate", [globally, uniform, erk])
@pytest.mark.parametrize("select", [top_k, gumbel_top_k, systematic])
def test_counts_are_exact(keep, allocate, select):
    scores = {"conv": rng(1).random((5, 3, 3, 3)), "linear": rng(2).random((7, 45))}
    masks = select_masks(scores, keep, select=select, allocate=allocate, rng=rng())
    assert sum(mask.sum() for mask in masks.values()) == int(keep * 450 + 0.5)
    assert all(masks[name].shape == scores[name].shape for name in scores)


def test_factors_have_the_type_of_their_layer():
    factors = select_masks(SCORES, 0.5, select=partial(bernoulli, rescale=True), rng=rng())
    assert factors["a"].dtype == np.float64
    assert factors["b"].dtype == np.float32


def test_tensors_give_the_masks_of_arrays():
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array) for name, array in SCORES.items()}
    masks = select_masks(tensors, 0.5, select=gumbel_top_k, rng=rng(4))
    for name, expected in select_masks(SCORES, 0.5, select=gumbel_top_k, rng=rng(4)).items():
        assert masks[name].dtype == torch.bool
        np.testing.assert_array_equal(masks[name].numpy(), expected)


def test_within_an_earlier_mask():
    before = {"a": np.array([[0, 1], [1, 0]]), "b": np.array([[0, 1, 0, 0]])}
    masks = select_masks(SCORES, 0.25, within=before)
    np.testing.assert_array_equal(masks["a"], [[0, 1], [1, 0]])
    assert not masks["b"].any()
    assert sum(mask.sum() for mask in select_masks(SCORES, 0.5, within=before).values()) == 3
    lists = {name: mask.tolist() for name, mask in before.items()}
    np.testing.assert_array_equal(select_masks(SCORES, 0.25, within=lists)["a"], masks["a"])
    with pytest.raises(ValueError, match="names and shapes of the scores"):
        select_masks(SCORES, 0.5, within={"a": before["a"]})


def test_factors_of_rounds_are_multiplied():
    twice = {"a": np.full((2, 2), 2.0), "b": np.full((1, 4), 2.0)}
    factors = select_masks(SCORES, 1.0, select=partial(systematic, rescale=True), rng=rng(), within=twice)
    np.testing.assert_array_equal(factors["b"], [[2, 2, 2, 2]])


def test_rounds_thin_out_exponentially_and_ask_for_new_scores():
    seen = []

    def score(masks):
        kept = {"x": np.ones(1000, bool)} if masks is None else masks
        seen.append(int(kept["x"].sum()))
        # What was best goes next: scores of the whole network would keep others.
        return {"x": np.where(kept["x"], np.arange(1000.0) + 1, 0) * (-1) ** len(seen) + 1000}

    masks = iterative_masks(score, 0.001, rounds=3)
    assert seen == [1000, 100, 10]
    assert masks["x"].sum() == 1
    # Of 1000 the 100 first, of these the 10 last, of these the first.
    assert np.flatnonzero(masks["x"]).tolist() == [90]


@pytest.mark.parametrize("allocate", [globally, uniform, erk])
def test_rounds_end_with_the_exact_count(allocate):
    shapes = [(3, 5), (3, 5), (7, 2), (1, 4), (40, 9)]
    scores = {str(i): rng(i).random(shape) for i, shape in enumerate(shapes)}
    masks = iterative_masks(lambda masks: scores, 0.1, rounds=40, allocate=allocate)
    kept = {(name,): mask.sum() for name, mask in masks.items()}
    assert sum(kept.values()) == 41
    if allocate is not globally:
        assert kept == allocate({name: array.shape for name, array in scores.items()}, 0.1)


def test_what_is_pruned_stays_pruned():
    first = {}

    def score(masks):
        if masks is not None and not first:
            first.update(masks)
        # New scores prefer all that was pruned.
        return {"x": np.ones(50) if masks is None else np.where(masks["x"], 1.0, 100.0)}

    masks = iterative_masks(score, 0.1, rounds=5, select=gumbel_top_k, rng=rng())
    assert masks["x"].sum() == 5
    assert not masks["x"][~first["x"]].any()


@pytest.mark.parametrize("keep", [0.0, 1e-9])
@pytest.mark.parametrize("select", [top_k, gumbel_top_k, systematic])
def test_rounds_to_nothing(keep, select):
    def score(masks):
        # As where one weight alone is on no path.
        whole = masks is None or masks["x"].sum() > 1
        return {"x": np.arange(8.0) + 1 if whole else np.zeros(8)}

    assert not iterative_masks(score, keep, rounds=6, select=select, rng=rng())["x"].any()


def test_one_round_is_no_round():
    masks = iterative_masks(lambda masks: SCORES, 0.5, rounds=1)
    for name, expected in select_masks(SCORES, 0.5).items():
        np.testing.assert_array_equal(masks[name], expected)


def test_bad_input():
    with pytest.raises(ValueError, match="scores are empty"):
        select_masks({}, 0.5)
    with pytest.raises(ValueError, match=r"keep must be in \[0, 1\], got 5: to keep 5 %, write keep=0.05"):
        select_masks(SCORES, 5)
    with pytest.raises(ValueError, match=r"^b: all scores are zero"):
        select_masks({"a": np.ones(3), "b": np.zeros(3)}, 0.5, allocate=uniform)
    with pytest.raises(ValueError, match=r"^b: 1 of 6 scores are NaN"):
        select_masks({"a": np.ones(3), "b": np.array([1, np.nan, 2])}, 0.5)
    with pytest.raises(TypeError, match="rng must be"):
        select_masks(SCORES, 0.5, select=systematic)
    with pytest.raises(ValueError, match="rounds must be an integer >= 1, got 0"):
        iterative_masks(lambda masks: SCORES, 0.5, rounds=0)
    with pytest.raises(TypeError, match=r"select must be a function such as sketching.top_k, got str"):
        select_masks(SCORES, 0.5, select="top_k")
    with pytest.raises(TypeError, match=r"allocate must be a function such as sketching.erk, got str"):
        select_masks(SCORES, 0.5, allocate="erk")
    with pytest.raises(TypeError, match=r"score must be a function such as lambda masks: .*, got dict"):
        iterative_masks(SCORES, 0.5)


@pytest.mark.filterwarnings("error")
def test_a_layer_of_which_nothing_is_left_is_told_of():
    scores = {"embedding": np.array([0.1, 0.2]), "rest": np.arange(1.0, 9.0)}
    for choose in (
        lambda **more: select_masks(scores, 0.2, **more),
        lambda **more: iterative_masks(lambda _: scores, 0.2, rounds=3, **more),
    ):
        with pytest.warns(UserWarning, match=r"^keep=0\.2 leaves nothing of embedding: write allocate=") as seen:
            choose()
        assert [one.filename for one in seen] == [__file__]
        choose(warn=False)  # pytest turns warnings into errors
    select_masks(scores, 0.0)
    select_masks(scores, 0.2, allocate=uniform)
