"""Philox 4x64-10, the counter-based generator that is NumPy's `Philox`, on every device.

A number is a function of a key and of its address, so that nothing has to be drawn before it, or to travel. On a CPU
NumPy computes it; elsewhere `philox` does, which is written in operators that arrays and tensors share. Integers are
int64 there, whose sums and products wrap around as those of uint64 do: torch has no arithmetic of uint64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

Key = tuple[int, int]
Words = tuple[Any, Any, Any, Any]

ROUNDS = 10
_LOW = 0xFFFFFFFF


def signed(word: int) -> int:
    """Return the int64 that has the bits of a uint64."""
    return (word ^ (1 << 63)) - (1 << 63)


# Multipliers, and what keys grow by from round to round.
_M0, _M1 = signed(0xD2E7470EE14C6C93), signed(0xCA5A826395121157)
_W0, _W1 = signed(0x9E3779B97F4A7C15), signed(0xBB67AE8584CAA73B)


def philox(counter: Words, key: tuple[Any, Any]) -> Words:
    """Return the 256 random bits of a counter.

    Parameters
    ----------
    counter : four arrays of int64
        Of shapes that broadcast, at least one-dimensional. The first is the lowest word.
    key : two arrays of int64
        Likewise.

    Returns
    -------
    four arrays of int64

    Notes
    -----
    Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    (a, b, c, d), (k, l) = counter, key
    for _ in range(ROUNDS):
        high_a, low_a = _product(a, _M0)
        high_c, low_c = _product(c, _M1)
        a, b, c, d = high_c ^ b ^ k, low_c, high_a ^ d ^ l, low_a
        k, l = k + _W0, l + _W1
    return a, b, c, d


def _product(x: Any, m: int) -> tuple[Any, Any]:
    """Return the higher and the lower word of a product of words, the higher one from those of 32 bits."""
    high_x, low_x, high_m, low_m = _half(x), x & _LOW, _half(m), m & _LOW
    first = high_x * low_m + _half(low_x * low_m)
    second = low_x * high_m + (first & _LOW)
    return high_x * high_m + _half(first) + _half(second), x * m


def _half(x: Any) -> Any:
    """Return the higher 32 bits, as a number >= 0."""
    return (x >> 32) & _LOW


def key_of(*entropy: int) -> Key:
    """Return the key that numpy.random.Philox makes of a seed, which may be several whole numbers >= 0."""
    first, second = np.random.SeedSequence(entropy).generate_state(2, np.uint64)
    return int(first), int(second)


def words(
    key: Key, streams: range, purpose: int, count: int, like: Any, *, skip: int = 0,
    compute: Callable[..., Words] = philox,
) -> Any:  # fmt: skip
    """Return numbers of streams; k has those of numpy.random.Philox(key=key, counter=[skip, k, purpose, 0]).

    Parameters
    ----------
    key : two int
        Of 64 bits each, >= 0.
    streams : range
        Their numbers, from 0 to 2^63 - 1, a row each.
    purpose : int
        What tells streams of one key and number apart, >= 0.
    count : int
        Numbers of each.
    like : array
        Decides whether the answer is an array or a tensor, and on which device.
    skip : int
        Blocks of four numbers that are left out.
    compute : callable
        `philox`, or the same compiled.

    Returns
    -------
    array of int64, shape (streams, count)
        Of which each bit is random.
    """
    on_torch = is_torch_array(like)
    if on_torch and like.device.type != "cpu":
        return computed(key, streams, purpose, count, like, skip=skip, compute=compute)
    found = np.empty((len(streams), count), np.int64)
    for row, stream in zip(found, streams, strict=True):
        counter = np.array([skip, stream, purpose, 0], np.uint64)
        row[:] = np.random.Philox(key=np.array(key, np.uint64), counter=counter).random_raw(count).view(np.int64)
    return array_namespace(like).asarray(found) if on_torch else found


def computed(
    key: Key, streams: range, purpose: int, count: int, like: Any, *, skip: int = 0,
    compute: Callable[..., Words] = philox,
) -> Any:  # fmt: skip
    """Return the same by the formula, on any device, with no copy between it and the host."""
    xp = array_namespace(like)
    made: dict[str, Any] = {"dtype": xp.int64, "device": like.device}
    blocks = -(-count // 4)
    first = skip + 1  # NumPy counts before it draws
    counter = (
        xp.arange(first, first + blocks, **made)[None, :],
        xp.arange(streams.start, streams.stop, streams.step, **made)[:, None],
        xp.full((1, 1), purpose, **made),
        xp.zeros((1, 1), **made),
    )
    # Of one shape, so that compiled code is of use for all.
    whole = tuple(xp.broadcast_to(word, (len(streams), blocks)) for word in counter)
    found = compute(whole, tuple(xp.full((1, 1), signed(word), **made) for word in key))
    return xp.reshape(xp.stack(found, axis=-1), (len(streams), 4 * blocks))[:, :count]


def uniform(words: Any) -> Any:
    """Return float64 in [0, 1) from words, with 53 random bits, as NumPy's generators do."""
    xp = array_namespace(words)
    return xp.astype((words >> 11) & ((1 << 53) - 1), xp.float64) * 2.0**-53
