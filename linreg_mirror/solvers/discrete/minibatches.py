"""Which samples a stochastic gradient step sees."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Minibatches:
    """Draws batches of sample numbers, epoch after epoch.

    Parameters
    ----------
    n : int
        Number of samples.
    batch_size : int
        Samples a batch, 1..n. Without replacement the last batch of an epoch holds what is left over.
    replacement : bool
        Draw each sample of a batch afresh, instead of cutting a permutation of all samples for each epoch.
    rng : numpy Generator
        Source of randomness.

    Attributes
    ----------
    steps_per_epoch : int
        Batches it takes to see n samples.
    """

    def __init__(self, n: int, batch_size: int, replacement: bool, rng: np.random.Generator) -> None:
        self.n, self.batch_size, self.replacement, self.rng = n, batch_size, replacement, rng
        self.steps_per_epoch = -(-n // batch_size)
        self._left = np.empty((0, batch_size), dtype=np.int64)
        self._drawn = 0

    def draw(self, steps: int) -> tuple[Rows, Rows]:
        """Return the rows of the next batches, shape (steps, batch_size), and how many of each row count."""
        if self.replacement:
            sizes = np.full(steps, self.batch_size)
            return self.rng.integers(self.n, size=(steps, self.batch_size)), sizes
        position = (self._drawn + np.arange(steps)) % self.steps_per_epoch
        sizes = np.minimum(self.batch_size, self.n - position * self.batch_size)
        epochs = -(-max(steps - len(self._left), 0) // self.steps_per_epoch)
        if epochs:
            orders = self.rng.permuted(np.tile(np.arange(self.n), (epochs, 1)), axis=1)
            filled = np.zeros((epochs, self.steps_per_epoch * self.batch_size), dtype=np.int64)
            filled[:, : self.n] = orders
            self._left = np.concatenate([self._left, filled.reshape(-1, self.batch_size)])
        rows, self._left = self._left[:steps], self._left[steps:]
        self._drawn += steps
        return rows, sizes
