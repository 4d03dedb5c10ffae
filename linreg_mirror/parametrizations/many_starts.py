"""Starts of many runs: of one network, or of logarithms of scales."""

from typing import Any

from linreg_mirror.parametrizations.hadamard import Hadamard


def starts(network: Any, log_scale: Any, tilt: Any, asker: str) -> tuple[Any, Any]:
    """Return log b and log(u0/v0), of a network or as they are given.

    Parameters
    ----------
    network : Hadamard or None
        One start for all.
    log_scale, tilt : array or None
        In its place.
    asker : str
        The function that was called.

    Raises
    ------
    TypeError
        If there is neither a network nor a log_scale, or both, or something else for a network.
    """
    given = " or ".join(name for name, value in (("log_scale", log_scale), ("tilt", tilt)) if value is not None)
    if network is None:
        if log_scale is None:
            raise TypeError(f"{asker} needs a start: write log_scale=np.log(b), or network=Hadamard.from_scale(b, d=d)")
        return log_scale, 0.0 if tilt is None else tilt
    if type(network) is not Hadamard:
        meant = f", log_scale=np.log({network}) for scale b = {network}" if isinstance(network, float | int) else ""
        raise TypeError(
            f"network must be Hadamard, got {type(network).__name__}: write Hadamard.from_scale(1e-6, d=d)"
            f"{meant or ', or log_scale= for logarithms of scales'}"
        )
    if given:
        raise TypeError(f"a network has a scale and a tilt of its own: leave {given} out")
    network.mirror()  # which says why there is none
    return network.log_scale, network.tilt
