"""x = m*w on the weights of a torch module: a parametrization, so that every layer stays what it is."""

import torch

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror.networks._tools.pairs import pairs_of
from sketching.removable import Removable, register, remove
from sketching.weights import Weights, prunable

Factors = tuple[torch.nn.Parameter, torch.nn.Parameter]


class Hadamard(Removable):
    """The parametrization (m, w) -> m*w. It starts with m*w = x, to rounding, and m^2 - w^2 = beta.

    Parameters
    ----------
    beta : float
        m^2 - w^2 >= 0 at the start, twice the scale b: 1 in PILoT, 0 (|m| = |w|, w has the sign) in spred.

    Raises
    ------
    ValueError
        If beta is negative or not finite.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Algorithm 1. With beta = 0 a weight that is exactly 0 stays 0: m = w = 0 is
    a saddle point.
    """

    cites = ("jacobs2025mask", "woodworth2020kernel")

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        check_nonnegative("beta", beta)
        self.beta = float(beta)

    def forward(self, m: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Return m*w."""
        return m * w

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the factors m > 0 and w of x that have m^2 - w^2 = beta, in the dtype of x.

        Parameters
        ----------
        x : torch.Tensor
            Weights.
        """
        eighth = torch.tensor(self.beta / 8, dtype=x.dtype, device="cpu")
        if eighth == 0:
            m = x.abs().sqrt()
            return m, m.copysign(x)
        # m^2 = (sqrt(4 x^2 + beta^2) + beta)/2, by numbers that do not overflow.
        m = 2 * (torch.hypot(x / 4, eighth) + eighth).sqrt()
        return m, x / m


def apply_hadamard(model: torch.nn.Module, beta: float = 1.0, *, weights: Weights | None = None) -> torch.nn.Module:
    """Write every prunable weight x as m*w, in place, until `remove_hadamard`.

    The parameters of "layer.weight" are now "layer.parametrizations.weight.original0", m, and "...original1", w: make
    the optimiser afterwards, and wrap the model for several processes afterwards. `layer.weight` is their product,
    computed at each access; within `torch.nn.utils.parametrize.cached()` once. Assigning to it sets the factors anew.
    Biases and the gains of normalisation layers stay as they are. Whole modules with parametrizations cannot be
    pickled: save the state dict, and load it into a model that is written as m*w too.

    Parameters
    ----------
    model : torch.nn.Module
        Without masks or other parametrizations.
    beta : float
        m^2 - w^2 at the start, as in `Hadamard`.
    weights : optional
        Which weights, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If the model is none that `sketching.prunable` accepts, or beta is negative or not finite. Then nothing has
        been changed.
    """
    check_nonnegative("beta", beta)
    for name in prunable(model, weights):
        register(model, name, Hadamard(beta))
    return model


def remove_hadamard(model: torch.nn.Module) -> torch.nn.Module:
    """Make the weights x = m*w plain parameters again, in place: new ones, in their old order.

    Parameters
    ----------
    model : torch.nn.Module
        Without such weights nothing happens.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If one of these weights carries another parametrization too.
    """
    remove(model, Hadamard, "written as m*w")
    return model


def factors_of(model: torch.nn.Module) -> dict[str, Factors]:
    """Return the parameters (m, w) of a model, by the names that the weights have without them.

    Parameters
    ----------
    model : torch.nn.Module
        With weights that are m*w, or without.

    Returns
    -------
    dict of str to tuple of torch.nn.Parameter
        Both of the shape of the weight; empty where there are none.
    """
    return pairs_of(model, Hadamard)
