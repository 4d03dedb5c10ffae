"""spred: LASSO through x = m*w."""

from linreg_mirror.networks.methods._factorized import Factorized


class Spred(Factorized):
    """Weights x = m*w with |m| = |w| at the start and a constant penalty alpha (|m|^2 + |w|^2).

    Its minima are those of the loss with 2 alpha |x|_1. A weight that starts at exactly 0 stays there, and small steps
    change no sign.

    Parameters
    ----------
    alpha : float
        Strength of the penalty.

    Raises
    ------
    ValueError
        If alpha is negative or not finite.

    Notes
    -----
    Ziyin & Wang, spred (arXiv 2210.01212).
    """

    cites = ("ziyin2023spred",)
    takes_shards = True

    def __init__(self, alpha: float) -> None:
        super().__init__(alpha, beta=0.0)
