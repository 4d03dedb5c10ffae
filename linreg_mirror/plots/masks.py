"""What masks keep of each layer."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS


@picture
def masks(diagnosis: Any, *, ax: Axes) -> None:
    """Draw the share of its weights that each layer keeps, and of that what is on a path from input to output.

    Parameters
    ----------
    diagnosis : sketching.Diagnosis
        What `sketching.diagnosis(model, masks, inputs=...)` returned.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture.

    Raises
    ------
    TypeError
        If it is no diagnosis.

    Examples
    --------
    >>> import torch, sketching
    >>> import linreg_mirror as lm
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> found = sketching.diagnosis(model, {"0.weight": torch.eye(2, dtype=torch.bool)})
    >>> lm.plots.masks(found).get_xlabel()
    'weights kept in %'
    """
    layers = getattr(diagnosis, "layers", None)
    if layers is None:
        raise TypeError(f"diagnosis must be what sketching.diagnosis returns, got {type(diagnosis).__name__}")
    rows = np.arange(len(layers))
    ax.barh(rows, [100 * layer.density for layer in layers], 0.7, color="0.75", label="kept")
    if all(layer.effective is not None for layer in layers):
        used = [100 * layer.effective / max(1, layer.weights) for layer in layers]
        ax.barh(rows, used, 0.35, color=COLOURS[1], label="on a path")
        ax.legend()
    ax.set_yticks(rows, [layer.name for layer in layers])
    ax.set(xlabel="weights kept in %", title=f"{100 * diagnosis.density:.3g} % of all")
    ax.invert_yaxis()
