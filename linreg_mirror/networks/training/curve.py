"""The curve of a run, beside its other files."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from linreg_mirror.networks.training.runs import Run
from linreg_mirror.plots import curve
from linreg_mirror.plots.style import RC


def save_curve(run: Run) -> Path:
    """Draw accuracy and the share of weights near zero, by epoch, into training.png in the folder of the run.

    Parameters
    ----------
    run : Run
        From `train`; of cycles the last one is drawn.

    Returns
    -------
    Path
        Of the picture.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with mpl.rc_context(RC):
        figure = Figure(figsize=(4.0, 2.6), layout="constrained")
        curve(run, ax=figure.subplots())
        path = run.folder / "training.png"
        figure.savefig(path)
    return path
