"""Whole runs: training, cycles of pruning, comparisons, checkpoints, several processes."""

from linreg_mirror.networks.training import lightning, writers
from linreg_mirror.networks.training._compare import compare
from linreg_mirror.networks.training._train import Diverged, train
from linreg_mirror.networks.training.curve import save_curve
from linreg_mirror.networks.training.cycles import Cycles, train_cycles
from linreg_mirror.networks.training.display import as_lines, as_table, read_rows, write, write_rows
from linreg_mirror.networks.training.picture import draw
from linreg_mirror.networks.training.runs import Run, run_folder
from linreg_mirror.networks.training.summaries import best, intervals

__all__ = [
    "Cycles",
    "Diverged",
    "Run",
    "as_lines",
    "as_table",
    "best",
    "compare",
    "draw",
    "intervals",
    "lightning",
    "read_rows",
    "run_folder",
    "save_curve",
    "train",
    "train_cycles",
    "write",
    "write_rows",
    "writers",
]
