"""x = theta |theta|^(exponent - 1) on the weights of a torch module: a parametrization."""

import torch

from linreg_mirror._tools.arguments import check_range
from sketching.removable import Removable

_LARGEST = 100.0  # beyond, theta = x^(1/exponent) no longer tells weights apart in single precision


class Power(Removable):
    """The parametrization theta -> theta |theta|^(exponent - 1). It starts with x unchanged, to rounding.

    Parameters
    ----------
    exponent : float
        At least 1, with which nothing changes. The larger, the faster large weights learn compared to small ones; with
        more than 1 a weight that is exactly 0 stays 0.

    Raises
    ------
    ValueError
        If the exponent is not from 1 to 100.

    Notes
    -----
    Powerpropagation (Schwarz et al., arXiv 2110.00296), where the exponent is called alpha. First derivatives are
    exact; there are no second ones.
    """

    cites = ("schwarz2021powerpropagation",)

    def __init__(self, exponent: float) -> None:
        super().__init__()
        check_range("exponent", exponent, 1, _LARGEST, "2, or 1 for weights as they are")
        self.exponent = float(exponent)

    def forward(self, theta: torch.Tensor) -> torch.Tensor:
        """Return theta |theta|^(exponent - 1).

        Parameters
        ----------
        theta : torch.Tensor
            Of any shape.
        """
        # Autograd's derivative of |theta|^(exponent - 1) is infinite at 0. So it is held fixed, and theta has a term
        # more that is 0 but for its derivative.
        fixed = theta.detach()
        return fixed.abs().pow(self.exponent - 1) * (theta + (self.exponent - 1) * (theta - fixed))

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        """Return theta, which has the sign of x.

        Parameters
        ----------
        x : torch.Tensor
            Of any shape.
        """
        return x.abs().pow(1 / self.exponent).copysign(x)
