"""How many evaluations run, on one machine or many, and where results are kept."""

from linreg_mirror.runtime.store import Store, code_fingerprint, key, results_directory
from linreg_mirror.runtime.sweeps import Failure, Shard, cluster, sweep

__all__ = ["Failure", "Shard", "Store", "cluster", "code_fingerprint", "key", "results_directory", "sweep"]
