"""HAM: plain training, with a hyperbolic step after every step."""

import torch

from linreg_mirror._tools.arguments import check_nonnegative, check_positive
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
        The largest exponent, of either sign.
    largest_weights : float
        The largest 2-norm that a step may leave a parameter with, of biases and batch norm too.
    largest_gradients : float
        The largest 2-norm that a step may leave the gradients with, once used.

    Raises
    ------
    ValueError
        If a constant is negative or not finite.

    Notes
    -----
    Jacobs, Gadhikar, Rubio-Madrigal & Burkholz, Hyperbolic Aware Minimization (arXiv 2506.02630), where the constants
    are called alpha and beta. The three limits are those of the authors' code.
    """

    cites = ("jacobs2026hyperbolic",)
    takes_shards = False

    def __init__(
        self,
        *,
        metric: float = 200.0,
        shrink: float = 1e-3,
        clip: float = 5.0,
        largest_weights: float = 1000.0,
        largest_gradients: float = 20.0,
    ) -> None:
        super().__init__()
        check_nonnegative("metric", metric)
        check_nonnegative("shrink", shrink)
        check_nonnegative("clip", clip)
        check_positive("largest_weights", largest_weights, "leave it out for 1000")
        check_positive("largest_gradients", largest_gradients, "leave it out for 20")
        self.metric, self.shrink, self.clip = float(metric), float(shrink), float(clip)
        self.largest_weights, self.largest_gradients = float(largest_weights), float(largest_gradients)

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return SGD with heavy-ball momentum and hyperbolic steps."""
        optimizer = super().optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)
        return add_hyperbolic_steps(
            optimizer,
            metric=self.metric,
            shrink=self.shrink,
            clip=self.clip,
            largest_weights=self.largest_weights,
            largest_gradients=self.largest_gradients,
        )
