"""From signed scores, such as GraSP's, to scores that can be probabilities."""

from collections.abc import Callable, Mapping
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
    return _of_each(scores, lambda array: array.clip(0) + 0.0)  # no zero keeps a sign


def absolute(scores: Any) -> Any:
    """Return |score|, and 0 for -inf, which marks what is pruned already.

    It measures the effect in either direction: with GraSP, a weight whose removal would raise the gradient flow much is
    kept as likely as one whose removal would lower it as much.

    Parameters
    ----------
    scores
        As in `positive_part`.

    Returns
    -------
    array or dict of str to array
        As `scores`; at least 0.

    Raises
    ------
    ValueError, TypeError
        As in `positive_part`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.absolute(np.array([-1.5, 0.5, -np.inf])).tolist()
    [1.5, 0.5, 0.0]
    """
    return _of_each(scores, lambda array: array_namespace(array).where(array == -float("inf"), 0.0, abs(array)))


def _of_each(scores: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to scores as floats, or to those of each name; raise ValueError if one is NaN."""
    if isinstance(scores, Mapping):
        return {name: _of_each(array, function) for name, array in scores.items()}
    scores = real("scores", scores)
    if bool((scores != scores).any()):
        raise ValueError("scores must not be NaN: look at what computed them, such as a diverged loss")
    return function(scores + 0.0)  # booleans and whole numbers become floats
