"""What a sparse network is good for: files that others read, their sizes, and how long a pass takes."""

from linreg_mirror.networks.export.files import FORMATS, Sizes, export, read_csr, sizes_of
from linreg_mirror.networks.export.finished import Finished, read_run
from linreg_mirror.networks.export.latency import Latency, latency_of

__all__ = [
    "FORMATS",
    "Finished",
    "Latency",
    "Sizes",
    "export",
    "latency_of",
    "read_csr",
    "read_run",
    "sizes_of",
]
