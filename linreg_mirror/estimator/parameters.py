"""What the parameters of `MirrorRegressor` say: checked, and as solvers take them."""

from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.schedules import as_schedule, require_clock

_SCALE = 1e-6  # as of the command `solve`

# Parameters that not every solver uses: their defaults, which all of them take, and who does.
_USED_BY = {
    "scale": (None, ("limit", "descent")),
    "log_scale": (None, ("limit", "descent")),
    "depth": (2, ("limit", "descent")),
    "schedule": (None, ("limit", "descent")),
    "tol": (None, ("limit", "descent")),
    "step_size": (None, ("descent",)),
    "momentum": (0.0, ("descent",)),
    "batch_size": (None, ("descent",)),
    "max_iter": (None, ("descent",)),
}
_SOLVERS = {
    "limit": "goes to the end of the flow without steps",
    "descent": "takes steps",
    "saddles": "is the limit of vanishing scale, without penalty and with the same end at any depth",
}


def check_parameters(regressor: Any) -> None:
    """Raise TypeError or ValueError where parameters are out of range, contradict each other or are another solver's.

    Parameters
    ----------
    regressor : MirrorRegressor
        Whose parameters.
    """
    if regressor.solver not in _SOLVERS:
        raise ValueError(f"solver must be {', '.join(map(repr, _SOLVERS))}, got {regressor.solver!r}")
    if regressor.scale is not None and regressor.log_scale is not None:
        raise ValueError("scale and log_scale both set the scale: give one of them")
    if not isinstance(regressor.fit_intercept, bool | np.bool_):
        raise TypeError(f"fit_intercept must be True or False, got {regressor.fit_intercept!r}")
    if regressor.max_iter is not None:
        check_integer("max_iter", regressor.max_iter, least=1)
    tol = regressor.tol
    if tol is not None and not (isinstance(tol, int | float | np.number) and 0 <= tol < np.inf):
        raise ValueError(f"tol must be a number >= 0, got {tol!r}: leave it out for the solver's own")
    for name, (default, solvers) in _USED_BY.items():
        value = getattr(regressor, name)
        if regressor.solver not in solvers and np.any(value != default):
            raise ValueError(
                f'solver="{regressor.solver}" {_SOLVERS[regressor.solver]}, and does not use {name}, got {value!r}: '
                f'leave {name} out, or write solver="{solvers[0]}"'
            )


def network_of(regressor: Any, d: int) -> Hadamard | Power:
    """Return the network x = 0 at the scale and depth asked for.

    Parameters
    ----------
    regressor : MirrorRegressor
        Whose parameters.
    d : int
        Number of features.
    """
    check_integer("depth", regressor.depth, least=2)
    if regressor.log_scale is not None:
        log_b = as_real_array("log_scale", regressor.log_scale)
    else:
        scale = as_real_array("scale", _SCALE if regressor.scale is None else regressor.scale)
        if not (scale > 0).all():
            raise ValueError(f"scale must be positive, got {scale.min():g}: write log_scale= for a very small one")
        log_b = np.log(scale)
    if log_b.shape not in ((), (d,)):
        raise ValueError(
            f"a scale must be one number, or one for each of the {d} features, got shape {log_b.shape}: write "
            "scale=1e-6"
        )
    if regressor.depth == 2:
        return Hadamard.from_scale(log_b=log_b, d=d)
    return Power.from_scale(log_alpha=0.5 * (log_b - np.log(2)), depth=regressor.depth, d=d)


def total_decay(regressor: Any) -> float:
    """Return the integral of the penalty over the whole flow.

    Parameters
    ----------
    regressor : MirrorRegressor
        Whose parameters.
    """
    schedule = as_schedule(regressor.schedule)
    require_clock(schedule, "time")
    if not schedule.integrable:
        raise ValueError(
            f'solver="limit" needs a penalty with a finite integral, got {schedule!r}: write '
            f'schedules.SwitchedOff({schedule!r}, at=10.0), or solver="descent"'
        )
    return float(schedule.integral(0, np.inf))


def tolerance_of(regressor: Any) -> dict[str, Any]:
    """Return the solver's option of this name, if it was given.

    Parameters
    ----------
    regressor : MirrorRegressor
        Whose parameters.
    """
    return {} if regressor.tol is None else {"tolerance": regressor.tol}
