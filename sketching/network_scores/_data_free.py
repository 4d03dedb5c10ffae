"""What stands for data where there is none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from sketching._arguments import check_count, check_rng
from sketching._arrays import real


def random_inputs(
    n: int,
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    dtype: Any = None,
    device: Any = None,
) -> torch.Tensor:
    """Draw inputs with independent normal entries, of the mean and standard deviation of the data if these are known.

    Random residuals too: ``snip(model, inner_product, inputs, random_inputs(n, (classes,), rng))``. They are drawn in
    double precision on the CPU.

    Parameters
    ----------
    n : int
        How many examples, at least 1.
    shape : sequence of int
        Of one example, such as (3, 32, 32).
    rng : numpy.random.Generator
        Source of all randomness.
    mean, std : float or array, shape (shape[0],)
        One number, or one for each channel.
    dtype, device : optional
        Of the result, as in `torch.zeros`. The scores convert inputs to those of the module in any case.

    Returns
    -------
    torch.Tensor, shape (n, ...)
        The inputs.

    Raises
    ------
    ValueError
        If a size is not at least 1, or mean and std are not finite, one for each channel, std not negative.
    TypeError
        If rng is no generator.

    Examples
    --------
    >>> import numpy as np
    >>> from sketching import network_scores
    >>> network_scores.random_inputs(16, (3, 32, 32), np.random.default_rng(0)).shape
    torch.Size([16, 3, 32, 32])
    """
    check_rng(rng)
    check_count("n", n, least=1)
    for size in shape:
        check_count("sizes in shape", size, least=1)

    def per_channel(name: str, value: ArrayLike) -> np.ndarray:
        numbers = np.asarray(real(name, value), float)
        if (numbers.ndim and numbers.shape != tuple(shape[:1])) or not np.isfinite(numbers).all():
            raise ValueError(
                f"{name} must be finite: one number, or one for each of the {shape[0] if len(shape) else 0} channels "
                f"of shape {tuple(shape)}; got {value!r}"
            )
        return numbers.reshape(numbers.shape + (1,) * (len(shape) - 1)) if numbers.ndim else numbers

    deviation = per_channel("std", std)
    if (deviation < 0).any():
        raise ValueError(f"std must not be negative, got {std!r}")
    drawn = per_channel("mean", mean) + deviation * rng.standard_normal((n, *shape))
    inputs = torch.from_numpy(drawn).to(device=device, dtype=dtype or torch.get_default_dtype())
    if not inputs.isfinite().all():
        raise ValueError(f"mean or std is beyond {inputs.dtype}, got {mean!r} and {std!r}: ask for dtype=torch.double")
    return inputs


def inner_product(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return <outputs, targets>: a loss whose residual is `targets`.

    If the targets r have E rr' = sigma^2 I and examples do not depend on each other, the mean square of SNIP is
    sigma^2 theta_i^2 |J_i|^2: that of `jacobian_norm`.

    Parameters
    ----------
    outputs : torch.Tensor, shape (n, ...)
        Of the network.
    targets : torch.Tensor, shape (n, ...)
        What stands for residuals.

    Returns
    -------
    torch.Tensor
        One number: the sum of the products.

    Raises
    ------
    ValueError
        If the shapes differ.
    TypeError
        If one is no tensor.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> network_scores.inner_product(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])).item()
    11.0
    """
    for name, value in (("outputs", outputs), ("targets", targets)):
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if outputs.shape != targets.shape:
        raise ValueError(
            f"targets must be one residual for each output, of shape {tuple(outputs.shape)}, got {tuple(targets.shape)}"
        )
    return (outputs * targets).sum()
