"""One step of the factors u, v of x = (u^2 - v^2)/2: of numbers in compiled loops, else of arrays and tensors."""

from typing import Any


def stepped(u: Any, v: Any, move: Any, stay: Any) -> tuple[Any, Any]:
    """Return u and v after a step: move is eta times the gradient in x, stay is 1 - 2 eta alpha."""
    return u * (stay - move), v * (stay + move)


def stepped_on(u: Any, v: Any, u_before: Any, v_before: Any, move: Any, stay: Any, momentum: Any) -> tuple[Any, Any]:
    """Return the same with a heavy ball, which goes on by `momentum` times the step before."""
    return u * (stay - move) + momentum * (u - u_before), v * (stay + move) + momentum * (v - v_before)


def effective(u: Any, v: Any) -> Any:
    """Return x. No cancellation, however small the scale."""
    return 0.5 * (u - v) * (u + v)
