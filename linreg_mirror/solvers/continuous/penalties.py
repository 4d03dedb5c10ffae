"""Penalties inside compiled code: on each piece of a schedule, alpha and its integral in closed form."""

import math
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.schedules import Constant, Geometric, Harmonic, Piecewise, Quadratic, Schedule, SwitchedOff

_CONSTANT, _HARMONIC, _QUADRATIC, _GEOMETRIC = 0.0, 1.0, 2.0, 3.0


def closed_form(schedule: Schedule, start: float) -> Array | None:
    """Return what `alpha_at` and `decay_at` need from `start` to the next jump, or None for a schedule of one's own.

    Five numbers: the kind, the start, A there, alpha there, and the period (the time in which a geometric one falls
    to 1/e).

    Parameters
    ----------
    schedule : Schedule
        The penalty, on clock "time".
    start : float
        Where the piece begins.
    """
    piece: Any = schedule
    while type(piece) is SwitchedOff:
        piece = piece.schedule if start < piece.at else Constant(0.0)
    kinds = {
        Constant: _CONSTANT, Piecewise: _CONSTANT, Harmonic: _HARMONIC, Quadratic: _QUADRATIC, Geometric: _GEOMETRIC,
    }  # fmt: skip
    kind = kinds.get(type(piece))
    if kind is None:
        return None
    period = 1.0
    if kind != _CONSTANT:
        period = piece.period / -math.log(piece.ratio) if kind == _GEOMETRIC else piece.period
    before = schedule.integral(0.0, start) if start > 0 else 0.0
    return np.array([kind, start, before, schedule(start), period])


def alpha_at(piece: Array, t: float) -> float:
    """Return alpha(t) on a piece that has begun.

    Parameters
    ----------
    piece : array, shape (5,)
        From `closed_form`.
    t : float
        Time.
    """
    kind, start, alpha, period = piece[0], piece[1], piece[3], piece[4]
    if kind == _HARMONIC:
        return alpha * (period + start) / (period + t)
    if kind == _QUADRATIC:
        return alpha * ((period + start) / (period + t)) ** 2
    if kind == _GEOMETRIC:
        return alpha * math.exp((start - t) / period)
    return alpha


def decay_at(piece: Array, t: float) -> float:
    """Return A_t, the integral of alpha from 0 to t, on a piece that has begun.

    Parameters
    ----------
    piece : array, shape (5,)
        From `closed_form`.
    t : float
        Time.
    """
    kind, start, before, alpha, period = piece[0], piece[1], piece[2], piece[3], piece[4]
    if alpha == 0.0:
        return before
    if kind == _HARMONIC:
        return before + alpha * (period + start) * math.log1p((t - start) / (period + start))
    if kind == _QUADRATIC:
        return before + alpha * (period + start) * ((t - start) / (period + t))
    if kind == _GEOMETRIC:
        return before - alpha * period * math.expm1((start - t) / period)
    return before + alpha * (t - start)
