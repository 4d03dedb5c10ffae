"""HAM: a hyperbolic step after every step of an optimiser."""

from typing import Any

import torch

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror.networks._tools.lists import like, lists, together


def add_hyperbolic_steps(
    optimizer: torch.optim.Optimizer, *, metric: float = 200.0, shrink: float = 1e-3, clip: float = 5.0
) -> torch.optim.Optimizer:
    """Let every step of an optimiser be followed by x <- x exp(-lr (metric sign(x) g + shrink)).

    x is what the optimiser has made of a weight, g the gradient that it had. For small learning rates lr plain gradient
    descent becomes the flow x' = -(1 + metric |x|) g - shrink x: it favours sparse weights as m*w does, without being
    slow near 0. Parameters with fewer than two dimensions, and those without gradient, are left alone.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any, changed in place. Its state stays as it is; deep copies of it make no hyperbolic steps.
    metric, shrink : float
        Constants >= 0; with both 0 nothing changes.
    clip : float
        The largest exponent, of either sign: with 5 a step shrinks or grows a weight by 150 at most.

    Returns
    -------
    torch.optim.Optimizer
        `optimizer` itself.

    Raises
    ------
    ValueError
        If a constant is negative or not finite.

    Notes
    -----
    Hyperbolic Aware Minimization (Jacobs, Gadhikar, Rubio-Madrigal & Burkholz, arXiv 2506.02630), whose alpha and beta
    are metric and shrink. That exponents are clipped is from the authors' code, which limits norms too.
    """
    check_nonnegative("metric", metric)
    check_nonnegative("shrink", shrink)
    check_nonnegative("clip", clip)

    @torch.no_grad()
    def follow(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for xs in together(x for x in group["params"] if x.grad is not None and x.ndim >= 2):
                lr = like(group["lr"], xs) if isinstance(group["lr"], torch.Tensor) else group["lr"]
                exponents = lists._foreach_sign(xs)
                lists._foreach_mul_(exponents, metric)
                lists._foreach_mul_(exponents, [x.grad for x in xs])
                lists._foreach_add_(exponents, shrink)
                lists._foreach_mul_(exponents, -lr)
                lists._foreach_clamp_min_(exponents, -clip)
                lists._foreach_clamp_max_(exponents, clip)
                lists._foreach_exp_(exponents)
                lists._foreach_mul_(xs, exponents)

    optimizer.register_step_post_hook(follow)
    return optimizer
