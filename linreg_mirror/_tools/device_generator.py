"""A generator whose draws are the same on every device, in NumPy's words."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.philox import key_of, uniform, words

Size = int | Sequence[int]

_MOST = 2**63 - 1


class DeviceGenerator:
    """Draws on the device of an array what it would draw on any other.

    Its numbers are those of `numpy.random.Philox(seed, counter=[0, stream, purpose, 0])`; each draw begins with a new
    block of four. Methods are called as those of NumPy's generators.

    Parameters
    ----------
    seed : int or sequence of int
        One or more whole numbers >= 0.
    stream, purpose : int
        Which stream of that seed, from 0 to 2^63 - 1 each.
    like : array, optional
        NumPy array or torch tensor. What is drawn is of its kind, and on its device. Default: NumPy arrays.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from linreg_mirror.networks.data import DeviceGenerator
    >>> DeviceGenerator(0, stream=3).random(2).round(3)
    array([0.808, 0.1  ])
    """

    def __init__(self, seed: int | Sequence[int], stream: int = 0, purpose: int = 0, like: Any = None) -> None:
        check_integer("stream", stream, 0, _MOST)
        check_integer("purpose", purpose, 0, _MOST)
        self._key, self._stream, self._purpose = key_of(*_checked("seed", seed, 0)), int(stream), int(purpose)
        self._like = np.empty(0) if like is None else like
        self._blocks = 0

    def words(self, size: Size) -> Any:
        """Return 64 random bits in each entry, as int64.

        Parameters
        ----------
        size : int or sequence of int
            Shape.
        """
        shape = _checked("size", size, 0)
        count = prod(shape)
        streams = range(self._stream, self._stream + 1)
        found = words(self._key, streams, self._purpose, count, self._like, skip=self._blocks)
        self._blocks += -(-count // 4)
        return found.reshape(shape)

    def random(self, size: Size) -> Any:
        """Return uniform numbers in [0, 1), float64 of 53 random bits.

        Parameters
        ----------
        size : int or sequence of int
            Shape.
        """
        return uniform(self.words(size))

    def integers(self, high: int | Sequence[int], size: Size) -> Any:
        """Return whole numbers from 0 to high - 1, as int64.

        Parameters
        ----------
        high : int or sequence of int
            From 1 to 2^63, broadcast to the shape. The chance of each number is within 2^-53 of 1/high.
        size : int or sequence of int
            Shape.

        Raises
        ------
        ValueError
            If `high` is out of range.
        """
        xp = array_namespace(self._like)
        bound = xp.asarray(_checked("high", high, 1, 2**63), dtype=xp.float64, device=self._like.device)
        return xp.astype(self.random(size) * bound, xp.int64)

    def permutation(self, n: int) -> Any:
        """Return 0, ..., n - 1 in random order, as int64: what sorts n random words.

        Parameters
        ----------
        n : int
            How many.
        """
        return array_namespace(self._like).argsort(self.words(n), stable=True)


def _checked(name: str, value: Any, least: int, most: int | None = None) -> tuple[int, ...]:
    """Return one or several whole numbers as a tuple."""
    several = tuple(value) if isinstance(value, list | tuple) else (value,)
    for one in several:
        check_integer(name, one, least, most)
    return tuple(map(int, several))
