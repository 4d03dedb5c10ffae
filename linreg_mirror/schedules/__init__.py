"""Penalty schedules alpha with an explicit clock and exact integrals.

Those of Mask in the Mirror's experiment (constants, 1/k, 1/k^2, 0.95^k), and two that theory asks for: one that is
switched off, and one that is constant by pieces.
"""

from linreg_mirror.schedules.constant import Constant, as_schedule
from linreg_mirror.schedules.fading import Geometric, Harmonic, Quadratic
from linreg_mirror.schedules.pieces import Piecewise, SwitchedOff
from linreg_mirror.schedules.protocol import Clock, Schedule, require_clock

__all__ = [
    "Clock",
    "Constant",
    "Geometric",
    "Harmonic",
    "Piecewise",
    "Quadratic",
    "Schedule",
    "SwitchedOff",
    "as_schedule",
    "require_clock",
]
