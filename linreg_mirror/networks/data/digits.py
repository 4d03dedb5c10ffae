"""The digits that come with scikit-learn."""

import numpy as np

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.cites import cites
from linreg_mirror.networks.data.dataset import Data, stratified

_TEST = 360


@cites("pedregosa2011scikit")
def digits(*, seed: int = 0) -> Data:
    """Return 1,437 + 360 gray images of 8 x 8 with values 0..16, digits in 10 classes; no file is needed.

    Parameters
    ----------
    seed : int
        Of the split, for there is no official one. Classes have the same share of both parts, up to rounding.

    Raises
    ------
    ValueError
        If seed is not an integer >= 0.
    """
    from sklearn.datasets import load_digits

    check_integer("seed", seed, 0)
    inputs, labels = load_digits(return_X_y=True)
    images, labels = np.asarray(inputs).astype(np.uint8).reshape(-1, 1, 8, 8), np.asarray(labels)
    test = np.zeros(len(labels), bool)
    test[stratified(labels, _TEST, np.random.default_rng(seed))] = True
    return Data.of("digits", train=(images[~test], labels[~test]), test=(images[test], labels[test]), classes=10)
