"""HAM: a hyperbolic step after every step of an optimiser."""

from typing import Any

import torch

from linreg_mirror._tools.arguments import check_nonnegative, check_positive
from linreg_mirror.networks._tools.lists import like, lists, together


def add_hyperbolic_steps(
    optimizer: torch.optim.Optimizer,
    *,
    metric: float = 200.0,
    shrink: float = 1e-3,
    clip: float = 5.0,
    largest_weights: float = 1000.0,
    largest_gradients: float = 20.0,
) -> torch.optim.Optimizer:
    """Let every step of an optimiser be followed by x <- x exp(-lr (metric sign(x) g + shrink)).

    x is what the optimiser has made of a weight, g the gradient that it had. For small learning rates lr plain gradient
    descent becomes the flow x' = -(1 + metric |x|) g - shrink x: it favours sparse weights as m*w does, without being
    slow near 0. Parameters with fewer than two dimensions have no such step, and those without gradient are left alone.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any, changed in place. Its state stays as it is; deep copies of it make no hyperbolic steps.
    metric, shrink : float
        Constants >= 0; with both 0 only the limits below are left.
    clip : float
        The largest exponent, of either sign: with 5 a step shrinks or grows a weight by 150 at most.
    largest_weights : float
        The largest 2-norm that a step may leave a parameter with, biases and scales of batch norm too.
    largest_gradients : float
        The largest 2-norm that a step may leave the gradients of a group with. They have been used by then: it is felt
        by loops that go on adding to them.

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
    are metric and shrink. The three limits are those of the authors' code, which also leaves out, tensor by tensor, the
    step that would end in NaN: that asks the device a question in every step, and is not done here.
    """
    check_nonnegative("metric", metric)
    check_nonnegative("shrink", shrink)
    check_nonnegative("clip", clip)
    check_positive("largest_weights", largest_weights, "leave it out for 1000")
    check_positive("largest_gradients", largest_gradients, "leave it out for 20")

    @torch.no_grad()
    def follow(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            moved = [x for x in group["params"] if x.grad is not None]
            for xs in together(x for x in moved if x.ndim >= 2):
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
            for xs in together(moved):
                excess = lists._foreach_norm(xs)
                lists._foreach_div_(excess, largest_weights)
                lists._foreach_clamp_min_(excess, 1.0)
                lists._foreach_div_(xs, excess)
            torch.nn.utils.clip_grad_norm_(moved, largest_gradients)

    optimizer.register_step_post_hook(follow)
    return optimizer
