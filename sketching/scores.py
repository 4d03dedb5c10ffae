"""Scores of the linear model f = Xw with loss |Xw - y|^2 / 2: one for each feature, shape (d,), larger is kept.

Features are the columns X_i of X. NumPy arrays or torch tensors; answers are like X, or like w where there is no X.
"""

from typing import Any, Literal

from array_api_compat import array_namespace, is_torch_array

from sketching._arrays import real
from sketching._linear import column_norms, finite, in_range, linear_model, quiet


def magnitude(w: Any) -> Any:
    """Return |w|.

    Parameters
    ----------
    w : array
        Weights.

    Returns
    -------
    array
        At least 0, of the shape of `w`.

    Raises
    ------
    ValueError
        If an entry is not finite.
    TypeError
        If `w` holds no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.scores.magnitude(np.array([-3.0, 2.0])).tolist()
    [3.0, 2.0]
    """
    w = real("w", w)
    return abs(finite("w", w if is_torch_array(w) and w.is_floating_point() else array_namespace(w).asarray(w) * 1.0))


def synflow(w: Any) -> Any:
    """Return |w_i dR/dw_i| for R = sum |w_i|, the output on ones of the network with absolute weights: |w|.

    With one layer SynFlow (Tanaka et al., arXiv 2006.05467) is magnitude: it knows no data.

    Parameters
    ----------
    w : array
        Weights.

    Returns
    -------
    array
        At least 0, of the shape of `w`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.scores.synflow(np.array([-3.0, 2.0])).tolist()
    [3.0, 2.0]
    """
    return magnitude(w)


@quiet
def snip(X: Any, w: Any, y: Any) -> Any:
    """Return |w_i X_i'(Xw - y)|: how the loss reacts to weight i (Lee, Ajanthan, Torr, arXiv 1810.02340).

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w : array, shape (d,)
        Weights.
    y : array, shape (n,)
        Targets.

    Returns
    -------
    array, shape (d,)
        At least 0.

    Raises
    ------
    ValueError
        If a shape does not fit, or an entry, or a score, is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w, y = np.array([[1.0, 2.0]]), np.array([3.0, -1.0]), np.array([0.0])
    >>> sketching.scores.snip(X, w, y).tolist()  # Xw - y is 1
    [3.0, 2.0]
    """
    xp, X, w, y = linear_model(X, w=w, y=y)
    return in_range(xp.abs(w * ((X @ w - y) @ X)))


@quiet
def grasp(X: Any, w: Any, y: Any) -> Any:
    """Return w_i (X'X g)_i, g = X'(Xw - y): half the relative slope in w_i of the squared length of the gradient.

    Negative where removal makes the gradient longer. Wang, Zhang, Grosse (arXiv 2002.07376) print -w Hg and remove the
    largest; with the opposite sign it is again the largest that are kept. As probabilities, take the positive part.

    Parameters
    ----------
    X, w, y
        As in `snip`.

    Returns
    -------
    array, shape (d,)
        Of both signs.

    Raises
    ------
    ValueError
        As in `snip`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w, y = np.array([[1.0, 2.0]]), np.array([3.0, -1.0]), np.array([0.0])
    >>> sketching.scores.grasp(X, w, y).tolist()
    [15.0, -10.0]
    """
    _, X, w, y = linear_model(X, w=w, y=y)
    g = X.T @ (X @ w - y)
    return in_range(w * (X.T @ (X @ g)))


@quiet
def rms_snip(X: Any, w: Any, random: Literal["residual", "targets"] = "residual") -> Any:
    """Return the root mean square of SNIP over what is random.

    Over residuals r with E rr' = I it is |w_i||X_i|: in proportion to it the error of the sketch is least. Over targets
    y with E y = 0 and E yy' = I, so that r = Xw - y, it is |w_i| sqrt(|X_i|^2 + (X'Xw)_i^2), which is something else.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w : array, shape (d,)
        Weights.
    random : {"residual", "targets"}
        What is averaged over.

    Returns
    -------
    array, shape (d,)
        At least 0.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, or `random` is neither of the two.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X, w = np.array([[3.0, 0.0], [4.0, 1.0]]), np.array([1.0, -2.0])
    >>> sketching.scores.rms_snip(X, w).tolist()  # |X_i||w_i|
    [5.0, 2.0]
    """
    xp, X, w = linear_model(X, w=w)
    norms = column_norms(xp, X)
    if random == "targets":
        norms = xp.hypot(norms, (X @ w) @ X)
    elif random != "residual":
        raise ValueError(f"random must be 'residual' or 'targets', got {random!r}")
    return in_range(xp.abs(w) * norms)
