"""Compiled steps of mirror descent in single precision: one pass over memory, with a hyperbolic sine in it.

Importing this module takes as long as importing numba does; `_fused` does so when it first needs to.
"""

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array

_f = np.float32
_BIAS, _UNIT = _f(127), _f(2**23)  # of the format: exponent bias, and the place of the exponent
_ROUND = _f(1.5 * 2**23)  # added and taken away again, it leaves a whole number
# log 2 in two parts; the first has nine bits, so that its multiples are exact (Cody & Waite 1980).
_PER_LOG_2, _LOG_2, _LOG_2_REST = _f(1 / math.log(2)), _f(355 / 512), _f(math.log(2) - 355 / 512)
_ONE, _C2, _C3, _C4, _C5, _C6, _C7 = (_f(1 / math.factorial(k)) for k in range(1, 8))

_fusing = numba.njit(fastmath={"contract"})  # a*b + c may be rounded once, as torch does where the processor can


@_fusing
def _moved(z: float, lr: float, step: float) -> float:  # pragma: no cover - compiled
    return z - lr * step


@_fusing
def _scaled_sinh(y: Any, factor: Any, exponent: Any, largest: Any) -> Any:  # pragma: no cover - compiled
    """Return factor 2^exponent 2 sinh(y), as accurate near 0 as elsewhere; there are no branches, for vectors."""
    size = abs(y)
    size = largest if largest < size else size
    n = (size * _PER_LOG_2 + _ROUND) - _ROUND
    r = (size - n * _LOG_2) - n * _LOG_2_REST  # at most log(2)/2
    s = r * r
    sinh = r * (_ONE + s * (_C3 + s * (_C5 + s * _C7)))
    cosh = _ONE + s * (_C2 + s * (_C4 + s * _C6))
    # 2^e is the number whose exponent bits are e, and below the smallest is 0.
    up = np.int32((exponent + n) * _UNIT).view(np.float32)
    e = exponent - n
    down = np.int32((e if e > _f(0) else _f(0)) * _UNIT).view(np.float32)
    x = factor * ((up - down) * cosh + (up + down) * sinh)
    return -x if y < _f(0) else x


@numba.njit(error_model="numpy")
def _advance(
    x: Array, z: Array, velocity: Array, gradient: Array, lr: float, momentum: float,
    factor: float, exponent: float, largest: float,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    for i in range(x.size):
        step = gradient[i]
        if momentum != _f(0):
            step += momentum * velocity[i]
            velocity[i] = step
        moved = _moved(z[i], lr, step)
        z[i] = moved
        x[i] = _scaled_sinh(moved + moved, factor, exponent, largest)


def _to_pointer(typing: Any, address: Any) -> Any:  # pragma: no cover - compiled
    return types.voidptr(types.int64), lambda context, builder, signature, args: builder.inttoptr(
        args[0], ir.IntType(8).as_pointer()
    )


_pointer: Any = intrinsic(_to_pointer)


@compiled(error_model="numpy", nogil=True)
def advance(
    addresses: Array, sizes: Array, scales: Array, lr: float, momentum: float
) -> None:  # pragma: no cover - compiled
    """Take a step in x, z and velocity, in place, whose addresses are in a row with that of the gradient.

    There is a row of them for each parameter, with its number of entries, and factor, exponent and largest y. Without
    momentum nothing is read from the address of a velocity.
    """
    for k in range(len(sizes)):
        a, size = addresses[k], (sizes[k],)
        _advance(
            carray(_pointer(a[0]), size, np.float32), carray(_pointer(a[1]), size, np.float32),
            carray(_pointer(a[2]), size, np.float32), carray(_pointer(a[3]), size, np.float32),
            lr, momentum, scales[k, 0], scales[k, 1], scales[k, 2],
        )  # fmt: skip


@compiled(error_model="numpy", nogil=True)
def primal(x: Array, z: Array, factor: float, exponent: float, largest: float) -> None:  # pragma: no cover - compiled
    """Write x for the z that is there."""
    for i in range(x.size):
        x[i] = _scaled_sinh(z[i] + z[i], factor, exponent, largest)
