"""Arguments that functions meet from careless or hostile callers, and what counts as an honest outcome."""

import inspect
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linreg_mirror import Descents, Solution, Solutions, Status, Trajectory
from linreg_mirror.solvers.saddles import SaddlePath

# `make torture` asks for more.
EXAMPLES = int(os.environ.get("LINREG_MIRROR_HOSTILE_EXAMPLES", "12"))
PROFILE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "normal": lambda a: a,
    "NaN": lambda a: a * np.nan,
    "one NaN": lambda a: _with_first(a, np.nan),
    "one inf": lambda a: _with_first(a, np.inf),
    "-inf": lambda a: np.full_like(a, -np.inf),
    "denormal": lambda a: np.sign(a) * 5e-324,
    "1e-300": lambda a: a * 1e-300,
    "1e300": lambda a: a * 1e300,
    "one 1e300": lambda a: _with_first(a, 1e300),
    "one 1e-300": lambda a: _with_first(a, 1e-300),
    "1e100": lambda a: a * 1e100,
    "1e-100": lambda a: a * 1e-100,
    "1e20": lambda a: a * 1e20,
    "1e-20": lambda a: a * 1e-20,
    "zero": lambda a: 0 * a,
    "-0": lambda a: np.full_like(a, -0.0),
    "constant": np.ones_like,
    "positive": np.abs,
    "negative": lambda a: -np.abs(a),
}
LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "plain": lambda a: a,
    "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32),
    "long double": lambda a: a.astype(np.longdouble),
    "big-endian": lambda a: a.astype(">f8"),
    "big-endian float32": lambda a: a.astype(">f4"),
    "integer": lambda a: np.nan_to_num(a, posinf=9, neginf=-9).clip(-9, 9).astype(np.int64),
    "bool": lambda a: a > 0,
    "complex": lambda a: a + 1j,
    "text": lambda a: a.astype(str),
    "object": lambda a: a.astype(object),
    "Fortran order": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "reversed": lambda a: a[..., ::-1] if a.ndim else a,
    "read-only": lambda a: np.broadcast_to(a, a.shape),
    "list": lambda a: a.tolist(),
    "None": lambda a: None,
}
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "right": lambda a: a,
    "empty": lambda a: a[..., :0] if a.ndim else a,
    "no rows": lambda a: a[:0] if a.ndim else a,
    "longer": lambda a: np.concatenate([a, a], axis=-1) if a.ndim else a,
    "column": lambda a: a[..., None],
    "row": lambda a: a[None],
    "flat": np.ravel,
    "scalar": lambda a: a.ravel()[:1].reshape(()),
}
NUMBERS = [
    *(0.0, -0.0, 1.0, 0.5, 2.0, -1.0, 1e-3, 1e300, -1e300, 5e-324, 1e-300, np.inf, -np.inf, np.nan),
    *(np.float16(0.5), np.float32(0.5), np.int64(1), 1, True, None, "1", 1j, np.array([1.0, 2.0])),
]
COUNTS = [0, 1, 2, 3, 5, -1, np.int64(2), 2.0, 2.5, np.nan, np.inf, True, None, "2", [1]]


def _with_first(a: np.ndarray, value: float) -> np.ndarray:
    a = np.array(a)
    a[(0,) * a.ndim] = value
    return a


class Plain:
    """Gives the arguments that a function is meant for, and keeps their names."""

    hostile = False

    def __init__(self) -> None:
        self.names: list[str] = []

    @staticmethod
    def _ordinary(shape: tuple[int, ...], low: float | None) -> np.ndarray:
        a = np.random.default_rng(sum(shape)).standard_normal(shape)
        return a if low is None else low + np.abs(a)

    def array(self, name: str, shape: tuple[int, ...], low: float | None = None) -> Any:
        """An array of this shape, above `low` if there is such a bound."""
        self.names.append(name)
        return self._ordinary(shape, low)

    def finite(self, name: str, shape: tuple[int, ...], most: float = np.inf) -> Any:
        """A finite float64 array of the right shape, of entries up to `most`: for formulas, which check nothing."""
        return self.array(name, shape)

    def number(self, name: str, usual: float) -> Any:
        self.names.append(name)
        return usual

    def count(self, name: str, usual: int) -> Any:
        self.names.append(name)
        return usual


class Hostile(Plain):
    """Draws arguments of all kinds; at least half of them are as they should be, so that checks of the others run."""

    hostile = True

    def __init__(self, choose: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__()
        self.choose = choose

    def _one_of(self, kinds: Iterable[Any], usual: Any) -> Any:
        return self.choose(list(kinds)) if self.choose([False, True]) else usual

    def array(self, name, shape, low=None):
        a = super().array(name, shape, low)
        a = VALUES[self._one_of(VALUES, "normal")](a)
        a = SHAPES[self._one_of(SHAPES, "right")](a)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # float16 does not hold 1e300
            return LAYOUTS[self._one_of(LAYOUTS, "plain")](a)

    def finite(self, name, shape, most=np.inf):
        self.names.append(name)
        a = self._ordinary(shape, None)
        kinds = [kind for kind, of in VALUES.items() if np.isfinite(of(a)).all() and np.abs(of(a)).max() <= most]
        return VALUES[self._one_of(kinds, "normal")](a)

    def number(self, name, usual):
        self.names.append(name)
        return self._one_of(NUMBERS, usual)

    def count(self, name, usual):
        self.names.append(name)
        return self._one_of(COUNTS, usual)


Case = Callable[[Plain], Any]


def assert_honest(case: Case, arguments: Plain, infinite: bool = False) -> None:
    """Call the case, and take an answer that is one or an error that names one of its arguments; nothing else.

    Warnings are errors here, as in all tests. What a case adds to `arguments.names` counts as a name too.
    """
    answer, refusal = None, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = case(arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        refusal = error
    if refusal is None:
        assert_valid(answer, infinite)
        return
    assert arguments.hostile, f"ordinary arguments are refused: {refusal}"
    assert not isinstance(refusal, np.linalg.LinAlgError | ZeroDivisionError | OverflowError), repr(refusal)
    words = "|".join(map(re.escape, arguments.names))
    assert re.search(rf"(?<!\w)({words})(?!\w)", str(refusal)), f"names none of {words}: {refusal!r}"


def attack(case: Case, infinite: bool = False, formula: bool = False) -> None:
    """Call the case with hostile arguments of all kinds. A formula may overflow where float64 ends."""

    @PROFILE
    @given(st.data())
    def attacked(data: Any) -> None:
        with np.errstate(over="ignore", under="ignore") if formula else nullcontext():
            assert_honest(case, Hostile(lambda options: data.draw(st.sampled_from(options))), infinite)

    attacked()


def assert_valid(answer: Any, infinite: bool = False) -> None:
    """Fail if there is a NaN in the answer, or a status that the numbers do not bear out."""
    if isinstance(answer, Solution | Trajectory | SaddlePath):
        if answer.status.solved:
            assert answer.certificate.valid
            x = answer.solution.x if isinstance(answer, SaddlePath) else answer.x
            assert np.isfinite(x).all()
        return
    if isinstance(answer, Solutions):
        for one, status in zip(answer, answer.status, strict=True):
            assert one.status is status
            assert_valid(one)
        return
    if isinstance(answer, Descents):
        for x, status in zip(answer.x, answer.status, strict=True):
            assert status is Status.diverged or np.isfinite(x).all()
        return
    if answer is None or isinstance(answer, str | Enum | np.random.Generator):
        return
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if is_dataclass(answer) and not isinstance(answer, type):
        # Attributes such as log b = -inf have meanings of their own.
        for field in fields(answer):
            assert_valid(getattr(answer, field.name), infinite=True)
        return
    if isinstance(answer, list | tuple):
        for part in answer:
            assert_valid(part, infinite)
        return
    numbers = answer.detach().cpu().numpy() if hasattr(answer, "detach") else np.asarray(answer)
    if numbers.dtype.kind == "f":
        assert not np.isnan(numbers).any(), answer
        assert infinite or np.isfinite(numbers).all(), answer


def public_names(module: Any, prefix: str = "") -> set[str]:
    """Functions and classes of a module, with the methods that a class adds, but not protocols, by name."""
    names: set[str] = set()
    listed = getattr(module, "__all__", None)
    for name in listed or vars(module):
        value = getattr(module, name)  # some are imported when they are first asked for
        own = listed is not None or getattr(value, "__module__", None) == module.__name__
        if name.startswith("_") or not own or getattr(value, "_is_protocol", False):
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            names.add(prefix + name)
        if inspect.isclass(value):
            names |= {f"{prefix}{name}.{method}" for method in _methods(value)}
    return names


def _methods(cls: type) -> set[str]:
    found: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] in ("linreg_mirror", "sketching") and not getattr(base, "_is_protocol", 0):
            found |= {
                name
                for name, value in vars(base).items()
                if (not name.startswith("_") or (name == "__call__" and not issubclass(cls, Enum)))
                and (inspect.isfunction(value) or isinstance(value, classmethod | staticmethod))
            }
    return found
