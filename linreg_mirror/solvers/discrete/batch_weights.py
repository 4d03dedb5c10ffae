"""Which samples count in the steps of many runs, drawn where the runs are and on every device the same."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from linreg_mirror._tools.arguments import check_batch_size
from linreg_mirror._tools.philox import Key, Words, philox, uniform, words


class BatchWeights:
    """Draws batches of many runs, any step's at any time.

    A batch depends on the key, the step and the run alone, not on how many runs there are.

    Parameters
    ----------
    key : two int
        Of `words`.
    like : array, shape (B, n)
        For B runs on n samples. Weights are of its kind and type, and on its device.
    batch_size : int
        Samples a batch. Without replacement the last batch of an epoch holds what is left over.
    replacement : bool
        Draw each sample of a batch afresh, instead of cutting a permutation of all samples for each epoch.
    compute : callable
        `philox`, or the same compiled.
    """

    def __init__(
        self, key: Key, like: Any, batch_size: int, replacement: bool, compute: Callable[..., Words] = philox
    ) -> None:
        (self.B, self.n), self.xp = like.shape, array_namespace(like)
        self.key, self.like, self.compute = key, like, compute
        self.batch_size, self.replacement = batch_size, replacement
        self.per_epoch = -(-self.n // batch_size)  # batches
        self._epochs, self._orders = range(0), like

    def __call__(self, first: int, count: int) -> Any:
        """Return how much samples count in these steps, shape (count, B, n): n / batch size for each time drawn."""
        xp, shape, made = self.xp, (count, self.B, self.n), {"dtype": self.like.dtype, "device": self.like.device}
        drawn, sizes = self.samples(range(first, first + count))
        gain = xp.broadcast_to((self.n / xp.astype(sizes, self.like.dtype))[:, None, None], drawn.shape)
        weights = xp.zeros(shape, **made)
        if is_torch_array(drawn):
            return (weights.scatter_add if self.replacement else weights.scatter)(-1, drawn, gain)
        flat, places = weights.reshape(-1), drawn + self.n * np.arange(count * self.B).reshape(count, self.B, 1)
        if self.replacement:
            np.add.at(flat, places, gain)
        else:
            flat[places] = gain
        return weights

    def samples(self, steps: range) -> tuple[Any, Any]:
        """Return the samples of batches, shape (steps, B, batch size), and how many of them there are in each step.

        A last batch of an epoch that is short is filled up with one of its samples.
        """
        xp, b, device = self.xp, self.batch_size, self.like.device
        if self.replacement:
            uniforms = uniform(self._words(steps, b))
            return xp.astype(uniforms * self.n, xp.int64), xp.full((len(steps),), b, device=device)
        epochs = range(steps.start // self.per_epoch, steps[-1] // self.per_epoch + 1)
        # Of so many batches one after the other, from the first one of the first epoch on.
        place = xp.arange(steps.start, steps.stop, device=device) - epochs.start * self.per_epoch
        sizes = xp.clip(self.n - place % self.per_epoch * b, None, b)
        return xp.take(self._batches(epochs), place, axis=0), sizes

    def _words(self, streams: range, each: int) -> Any:
        """Return so many words for each run, shape (streams, B, each)."""
        # Whole blocks of four, so that a run's words do not depend on how many the runs before it take.
        whole = -(-each // 4) * 4
        found = words(self.key, streams, 0, self.B * whole, self.like, compute=self.compute)
        return self.xp.reshape(found, (len(streams), self.B, whole))[..., :each]

    def _batches(self, epochs: range) -> Any:
        """Return the batches of epochs, shape (batches, B, batch size)."""
        xp, room = self.xp, self.per_epoch * self.batch_size - self.n
        if epochs.start not in self._epochs or epochs[-1] not in self._epochs:
            # Ties have a chance of n^2 2^-65.
            order = xp.argsort(self._words(epochs, self.n), axis=-1, stable=False)
            last = xp.broadcast_to(order[..., -1:], (len(epochs), self.B, room))
            shape = (len(epochs), self.B, self.per_epoch, self.batch_size)
            self._epochs = epochs
            self._orders = xp.moveaxis(xp.reshape(xp.concat([order, last], axis=-1), shape), 2, 1)
        start = epochs.start - self._epochs.start
        return xp.reshape(self._orders[start : start + len(epochs)], (-1, self.B, self.batch_size))


def batch_weights(
    like: Any, batch_size: int, replacement: bool, rng: np.random.Generator | None, compiled: bool
) -> BatchWeights:
    """Return what draws batches, with a key from the generator, or say what is wrong with the arguments."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"batch_size needs a NumPy generator, got rng={rng!r}: write rng=np.random.default_rng(0)")
    check_batch_size(batch_size, like.shape[1])
    first, second = rng.integers(2**64, size=2, dtype=np.uint64).tolist()
    compute = _fused() if compiled and is_torch_array(like) else philox
    return BatchWeights((first, second), like, int(batch_size), replacement, compute)


@cache
def _fused() -> Callable[..., Words]:
    """Return `philox` as one kernel."""
    import torch

    return torch.compile(philox)
