"""What training did, epoch by epoch."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import line

_DRAWN = {
    "accuracy": "accuracy in training",
    "test_accuracy": "accuracy in the test",
    "near_zero": "weights near zero",
}


@picture
def curve(run: Any, *, ax: Axes) -> None:
    """Draw accuracy, in training and in the test, and the share of weights near zero, by epoch.

    Parameters
    ----------
    run : networks.training.Run, or sequence of dict
        A finished run, or its history, as `metrics.jsonl` has it.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture. Of cycles the last one is drawn.

    Raises
    ------
    ValueError
        If there is no epoch.
    TypeError
        If it is no run.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> rows = [{"epoch": k, "accuracy": 0.3 * k, "test_accuracy": 0.2 * k, "near_zero": 0.0} for k in (1, 2, 3)]
    >>> lm.plots.curve(rows).get_xlabel()
    'epoch'
    """
    history = getattr(run, "history", run)
    if not isinstance(history, list | tuple) or not all(isinstance(row, dict) for row in history):
        raise TypeError(f"run must be what networks.training.train returns, or its history, got {type(run).__name__}")
    if not history:
        raise ValueError("there is no epoch to draw: train first")
    for k, (name, label) in enumerate(_DRAWN.items()):
        found = [(row["epoch"], 100 * row[name]) for row in history if row.get(name) is not None]
        epochs, shares = zip(*found, strict=True)
        ax.plot(epochs, shares, label=label, marker="o" if len(found) == 1 else "", **line(k))
    ax.set(xlabel="epoch", ylabel="%", ylim=(-2, 102))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
