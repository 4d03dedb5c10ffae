"""Philox on arrays and tensors against NumPy's own, and against the vectors of its authors."""

import math

import numpy as np
import pytest
from numpy.random import Generator, Philox

from linreg_mirror._tools.device_generator import DeviceGenerator
from linreg_mirror._tools.philox import computed, key_of, philox, signed, uniform, words

# From kat_vectors of Random123, the authors' own code: philox4x64 10; counter, key, answer.
KNOWN = {
    "zeros": (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    "ones": (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    "pi": (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
}
KEYS = [(0, 0), (5, 7), (2**64 - 1, 2**63), key_of(0), key_of(1, 2)]


def numpys(key, stream, purpose=0, skip=0):
    return Philox(key=np.array(key, np.uint64), counter=np.array([skip, stream, purpose, 0], np.uint64))


@pytest.fixture(params=["numpy", "torch"])
def like(request):
    if request.param == "numpy":
        return np.empty(0)
    return pytest.importorskip("torch").empty(0)


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name):
    counter, key, expected = KNOWN[name]
    found = philox(*(tuple(np.array([signed(word)]) for word in words) for words in (counter, key)))
    assert tuple(int(word[0]) % 2**64 for word in found) == expected


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("skip", [0, 2**40])
@pytest.mark.parametrize("of", [words, computed])
def test_words_are_those_of_numpy(like, key, skip, of):
    for count in (1, 4, 7, 1000):
        found = of(key, range(3, 30, 9), 2, count, like, skip=skip)
        assert found.shape == (3, count)
        expected = [numpys(key, stream, 2, skip).random_raw(count) for stream in (3, 12, 21)]
        np.testing.assert_array_equal(np.asarray(found).view(np.uint64), expected)


def test_keys_are_those_numpy_makes_of_seeds():
    for entropy in ((0,), (7,), (1, 2**70, 3)):
        state = Philox(list(entropy)).state["state"]
        assert key_of(*entropy) == tuple(state["key"].tolist())


def test_uniform_numbers_are_those_of_numpy(like):
    found = uniform(words((1, 2), range(1), 0, 500, like))
    np.testing.assert_array_equal(np.asarray(found)[0], Generator(numpys((1, 2), 0)).random(500))
    ends = uniform(np.array([0, -1, 2**63 - 1, -(2**63)]))
    assert ends.tolist() == [0, 1 - 2**-53, 0.5 - 2**-53, 0.5]


def test_a_generator_goes_on_with_whole_blocks(like):
    rng = DeviceGenerator((1, 2), 3, 4, like)
    whole = numpys(key_of(1, 2), 3, 4).random_raw(100).view(np.int64)
    assert type(rng.words(1)) is type(like)
    for size, start, stop in (((2, 3), 4, 10), (8, 12, 20), ((), 20, 21), (0, 24, 24), (4, 24, 28)):
        drawn = np.asarray(rng.words(size))
        assert drawn.shape == (size if isinstance(size, tuple) else (size,))
        np.testing.assert_array_equal(drawn.ravel(), whole[start:stop])


def test_whole_numbers_below_a_bound(like):
    rng = DeviceGenerator(0, like=like)
    drawn = np.asarray(rng.integers((1, 2, 5, 2**40), size=(20_000, 4)))
    assert drawn.dtype == np.int64
    assert not drawn[:, 0].any()
    for column, high in ((1, 2), (2, 5)):
        counts = np.bincount(drawn[:, column], minlength=high)
        assert len(counts) == high
        # Chi squared with high - 1 degrees of freedom.
        assert ((counts - 20_000 / high) ** 2 / (20_000 / high)).sum() < high - 1 + 5 * math.sqrt(2 * (high - 1))
    assert abs(drawn[:, 3].mean() / 2**40 - 0.5) < 5 / math.sqrt(12 * 20_000)
    assert np.asarray(rng.integers(3, 1000)).max() == 2


@pytest.mark.parametrize("high", [1, 2, 3, 10**6 + 1, 2**31, 2**53 - 1, 2**53, 3 * 2**50, 2**63])
def test_no_number_reaches_its_bound(high):
    largest = 1 - 2**-53
    assert int(largest * high) < high
    assert int(np.float64(largest) * np.float64(high)) < high


def test_permutations(like):
    rng = DeviceGenerator(0, like=like)
    drawn = [tuple(np.asarray(rng.permutation(3)).tolist()) for _ in range(1200)]
    counts = {one: drawn.count(one) for one in set(drawn)}
    assert len(counts) == 6
    assert all(abs(count - 200) < 5 * math.sqrt(1200 * 5 / 36) for count in counts.values())
    first = DeviceGenerator((1, 2), 3, 0, like).permutation(1000)
    np.testing.assert_array_equal(first, np.argsort(numpys(key_of(1, 2), 3).random_raw(1000).view(np.int64)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeviceGenerator(-1), "seed must be an integer >= 0, got -1"),
        (lambda: DeviceGenerator((0, 1.5)), "seed must be an integer >= 0, got 1.5"),
        (lambda: DeviceGenerator(0, stream=2**63), "stream must be an integer from 0 to"),
        (lambda: DeviceGenerator(0, purpose=-1), "purpose must be an integer from 0 to"),
        (lambda: DeviceGenerator(0).random(-1), "size must be an integer >= 0, got -1"),
        (lambda: DeviceGenerator(0).random((2, 0.5)), "size must be an integer >= 0, got 0.5"),
        (lambda: DeviceGenerator(0).integers(0, 3), "high must be an integer from 1 to"),
        (lambda: DeviceGenerator(0).integers((2, 2**64), (3, 2)), "high must be an integer from 1 to"),
        (lambda: DeviceGenerator(0).permutation(2.0), "size must be an integer >= 0, got 2.0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch calls it itself
def test_compiled_it_is_the_same():
    torch = pytest.importorskip("torch")
    fused = torch.compile(philox, dynamic=False)
    key, like = key_of(0), torch.empty(0)
    for streams in (range(3), range(64)):
        found = computed(key, streams, 1, 50, like, compute=fused)
        assert torch.equal(found, computed(key, streams, 1, 50, like))
