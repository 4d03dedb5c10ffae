"""From signed scores, such as GraSP's, to scores that can be probabilities."""

from collections.abc import Mapping
from typing import Any

from array_api_compat import array_namespace

from sketching._arrays import real


def positive_part(scores: Any) -> Any:
    """Return max(score, 0).

    The order that `top_k` uses is kept. What has a negative score, with GraSP the weights whose removal raises the
    gradient flow, has probability zero.

    Parameters
    ----------
    scores : array, or mapping of str to array
        Of any sign; NumPy arrays or torch tensors.

    Returns
    -------
    array or dict of str to array
        As `scores`; at least 0.

    Raises
    ------
    ValueError
        If a score is NaN.
    TypeError
        If scores are no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.positive_part(np.array([-1.5, 0.5, -np.inf])).tolist()
    [0.0, 0.5, 0.0]
    """
    if isinstance(scores, Mapping):
        return {name: positive_part(array) for name, array in scores.items()}
    scores = _numbers(scores)
    return scores.clip(0) + 0.0  # no zero keeps a sign


def absolute(scores: Any) -> Any:
    """Return |score|, and 0 for -inf, which marks what is pruned already.

    It measures the effect in either direction: with GraSP, a weight whose removal would raise the gradient flow much is
    kept as likely as one whose removal would lower it as much.

    Parameters
    ----------
    scores : array, or mapping of str to array
        Of any sign; NumPy arrays or torch tensors.

    Returns
    -------
    array or dict of str to array
        As `scores`; at least 0.

    Raises
    ------
    ValueError
        If a score is NaN.
    TypeError
        If scores are no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.absolute(np.array([-1.5, 0.5, -np.inf])).tolist()
    [1.5, 0.5, 0.0]
    """
    if isinstance(scores, Mapping):
        return {name: absolute(array) for name, array in scores.items()}
    scores = _numbers(scores)
    xp = array_namespace(scores)
    return xp.where(scores == -xp.inf, 0.0, abs(scores))


def _numbers(scores: Any) -> Any:
    scores = real("scores", scores)
    xp = array_namespace(scores)
    if bool(xp.any(scores != scores)):
        raise ValueError("scores must not be NaN: look at what computed them, such as a diverged loss")
    return scores + 0.0  # of booleans and whole numbers, numbers
