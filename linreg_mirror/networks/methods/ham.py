"""HAM: plain training, with a hyperbolic step after every step."""

import torch

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.optimizers.ham import add_hyperbolic_steps


class HAM(Dense):
    """Dense training, each step followed by x <- x exp(-lr (metric sign(x) g + shrink)), g the gradient.

    Without `shrink` this is the discrete form of the mirror flow of `linreg_mirror.HAM` with a = metric, whose limit
    `linreg_mirror.limit` computes.

    An optimiser of your own, made from `groups`, needs `networks.ham.add_hyperbolic_steps` too.

    Parameters
    ----------
    metric, shrink : float
        Constants >= 0; with both 0 training is dense.
    clip : float
        The largest exponent, of either sign, as in the authors' code.

    Raises
    ------
    ValueError
        If a constant is negative or not finite.

    Notes
    -----
    Jacobs, Gadhikar, Rubio-Madrigal & Burkholz, Hyperbolic Aware Minimization (arXiv 2506.02630), where the constants
    are called alpha and beta.
    """

    cites = ("jacobs2026hyperbolic",)
    takes_shards = False

    def __init__(self, *, metric: float = 200.0, shrink: float = 1e-3, clip: float = 5.0) -> None:
        super().__init__()
        check_nonnegative("metric", metric)
        check_nonnegative("shrink", shrink)
        check_nonnegative("clip", clip)
        self.metric, self.shrink, self.clip = float(metric), float(shrink), float(clip)

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return SGD with heavy-ball momentum and hyperbolic steps."""
        optimizer = super().optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)
        return add_hyperbolic_steps(optimizer, metric=self.metric, shrink=self.shrink, clip=self.clip)
