"""Gates that are exactly 0 or 1 with positive probability, on the weights or the channels of any torch model."""

from linreg_mirror.networks.gates.channels import ChannelGate, gate_channels
from linreg_mirror.networks.gates.extraction import extract
from linreg_mirror.networks.gates.folding import fold_gates, folded
from linreg_mirror.networks.gates.gate import Gate, freeze_gates, gates_of
from linreg_mirror.networks.gates.generator import Generator
from linreg_mirror.networks.gates.hard_concrete import deterministic, open_probability, sample
from linreg_mirror.networks.gates.optimizer import SGDAndAdam
from linreg_mirror.networks.gates.penalty import expected_open, expected_weights
from linreg_mirror.networks.gates.sites import Site, sites_of
from linreg_mirror.networks.gates.weights import WeightGate, gate_weights

__all__ = [
    "ChannelGate",
    "Gate",
    "Generator",
    "SGDAndAdam",
    "Site",
    "WeightGate",
    "deterministic",
    "expected_open",
    "expected_weights",
    "extract",
    "fold_gates",
    "folded",
    "freeze_gates",
    "gate_channels",
    "gate_weights",
    "gates_of",
    "open_probability",
    "sample",
    "sites_of",
]
