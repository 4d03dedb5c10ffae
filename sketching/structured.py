"""Masks with a pattern that hardware can use: n of every m neighbouring inputs."""

from typing import Any

import numpy as np

from sketching._arguments import check_count
from sketching._arrays import flattened
from sketching._cites import cites


@cites("zhou2021learning")
def n_of_m(scores: Any, n: int, m: int) -> Any:
    """Keep the n largest scores among every m neighbouring inputs of an output, of equal ones the first.

    Parameters
    ----------
    scores : array, shape (outputs, inputs, ...)
        Those of the weights of one layer, NumPy array or torch tensor; further axes, such as those of a kernel, are
        taken place by place.
    n, m : int
        As 2 and 4 for "2:4", 0 <= n <= m. m divides the inputs.

    Returns
    -------
    array of bool
        The mask, of the kind, shape and device of `scores`: a share n/m of them, in every group.

    Raises
    ------
    ValueError
        If n or m is out of range, there are no inputs, m does not divide their number, or a score is NaN.

    Notes
    -----
    Zhou et al. (arXiv 2102.04010).

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.n_of_m(np.array([[4.0, 1.0, 3.0, 2.0, 1.0, 1.0, 0.0, 5.0]]), 2, 4).astype(int).tolist()
    [[1, 0, 1, 0, 1, 0, 0, 1]]
    """
    check_count("m", m, least=1)
    check_count("n", n, most=m)
    flat, like = flattened(scores)
    shape = np.shape(scores)
    if len(shape) < 2 or shape[1] == 0 or shape[1] % m:
        raise ValueError(
            f"scores must be those of a layer, (outputs, inputs, ...) with a multiple of {m} inputs, got shape "
            f"{tuple(shape)}: leave such a layer dense, or choose another m"
        )
    if np.isnan(flat).any():
        raise ValueError("a score is NaN, so that none is the largest")
    groups = flat.reshape(shape[0], shape[1] // m, m, -1)
    order = np.argsort(-groups, axis=2, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[:, :, :n], True, axis=2)
    return like(mask.reshape(-1))
