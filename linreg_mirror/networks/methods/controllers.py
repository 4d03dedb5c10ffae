"""How PILoT moves its penalty alpha from epoch to epoch."""

import math
from dataclasses import dataclass, field

from linreg_mirror._tools.arguments import check_integer, check_nonnegative, check_range


@dataclass
class AlphaRule:
    """alpha grows, in the first half of a run, if accuracy did not fall and the L1 norm is at least K; else it falls.

    Parameters
    ----------
    epochs : int
        T, of the whole run. After epoch T alpha goes on falling.
    K : float
        L1 norm of the weights below which alpha falls.
    delta : float
        Factor >= 1 by which alpha grows or falls.

    Attributes
    ----------
    epoch : int
        Epochs done.
    accuracy : float or None
        Training accuracy of the last one.

    Raises
    ------
    ValueError
        If `epochs` is no integer >= 1, K is negative, delta below 1, or one is not finite.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Algorithm 1. In the first epoch accuracy counts as not fallen.
    """

    epochs: int
    K: float
    delta: float
    epoch: int = field(default=0, init=False)
    accuracy: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 1)
        check_nonnegative("K", self.K)
        check_range("delta", self.delta, 1, math.inf, "1 for a constant alpha")

    def __call__(self, alpha: float, accuracy: float, l1_norm: float) -> float:
        """Return alpha for the next epoch, and take note of this one.

        Parameters
        ----------
        alpha : float
            Penalty of the epoch that is over.
        accuracy : float
            Its training accuracy, in [0, 1].
        l1_norm : float
            |m*w|_1 at its end.

        Raises
        ------
        ValueError
            If the accuracy is not in [0, 1], or the norm is not finite, as after a run that diverged.
        """
        if not math.isfinite(l1_norm):
            raise ValueError(
                f"the L1 norm of the weights is {l1_norm}: training has diverged, choose a smaller step size"
            )
        if not 0 <= accuracy <= 1:  # NaN fails too
            raise ValueError(f"accuracy must be in [0, 1], got {accuracy}: for 93 % write 0.93")
        fell = self.accuracy is not None and accuracy < self.accuracy
        self.epoch, self.accuracy = self.epoch + 1, float(accuracy)
        grows = not fell and l1_norm >= self.K and 2 * self.epoch <= self.epochs
        return alpha * self.delta if grows else alpha / self.delta
