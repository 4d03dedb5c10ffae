"""What a recipe is, and how it is read."""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from linreg_mirror._arguments import check_integer, check_momentum
from linreg_mirror.networks._arguments import names_code
from linreg_mirror.networks.recipes.iterative import Iterative, iterative

Part = Mapping[str, Any]
_Schedule = Literal["constant", "cosine", "step"]
_Precision = Literal["float32", "float64", "bfloat16"]


@dataclass(frozen=True)
class Recipe:
    """The settings of one run; those that are as usual do not count in its name.

    Attributes
    ----------
    data, model, method : mapping
        A name, under "name", and the options of that dataset, model or method.
    epochs : int
        How many times all training examples are seen.
    batch : int
        Examples in a step, those of all processes together.
    lr : float
        Learning rate at its highest.
    momentum : float
        Of SGD, in [0, 1).
    weight_decay : float
        As torch counts it, on what the method leaves alone: biases and norms; on the weights too in dense training.
    schedule : {"cosine", "step", "constant"}
        How the learning rate falls: to 0 along half a cosine, or at each milestone, or not at all.
    milestones : sequence of int
        Epochs, for "step".
    factor : float
        By which the learning rate is multiplied at each milestone, in (0, 1].
    warmup : int
        Epochs in which the learning rate rises from 0.
    augment : bool or mapping
        Crop at random after padding by 4, and flip; with other settings {padding = 2, flip = false}. Images that are
        read as they are needed are cropped at random and resized: {area = 0.08, flip = true}.
    precision : {"float32", "float64", "bfloat16"}
        bfloat16 is used within layers, by autocast; weights stay in single precision.
    compile, channels_last : bool
        Whether torch compiles the model, and stores images with channels last.
    validation : int
        Training examples to hold out, and to test on in place of the test set: for choosing settings.
    seed : int
        Of weights, order of examples, augmentation, and of the method if it draws.
    iterative : Iterative, optional
        Train in cycles, each on fewer weights; every cycle takes `epochs`. In a file a table, such as
        iterative = {rewind = "weights", cycles = 25}.

    Raises
    ------
    ValueError
        If a setting is out of range, or two contradict each other.
    """

    data: Part = field(default_factory=lambda: {"name": "digits"})
    model: Part = field(default_factory=lambda: {"name": "mlp"})
    method: Part = field(default_factory=lambda: {"name": "dense"})
    epochs: int = 60
    batch: int = 64
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: _Schedule = "cosine"
    milestones: Sequence[int] = ()
    factor: float = 0.1
    warmup: int = 0
    augment: bool | Mapping[str, Any] = False
    precision: _Precision = "float32"
    compile: bool = False
    channels_last: bool = False
    validation: int = 0
    seed: int = 0
    iterative: Iterative | None = None

    def __post_init__(self) -> None:
        for part in ("data", "model", "method"):
            value = getattr(self, part)
            if not (isinstance(value, Mapping) and isinstance(value.get("name"), str)):
                raise ValueError(f'{part} must be a table with a name, got {value!r}: write {part} = {{name = "..."}}')
        check_integer("epochs", self.epochs, 1)
        check_integer("batch", self.batch, 1)
        check_integer("warmup", self.warmup, 0, self.epochs)
        check_integer("validation", self.validation, 0)
        check_integer("seed", self.seed, 0, 2**63 - 1)
        check_momentum(self.momentum)
        for name, least in (("lr", 0), ("factor", 0), ("weight_decay", -math.inf)):
            value = getattr(self, name)
            if isinstance(value, bool) or not (isinstance(value, int | float) and math.isfinite(value)):
                raise ValueError(f"{name} must be a number, got {value!r}")
            if not value > least or value < 0:
                raise ValueError(f"{name} must be {'positive' if least == 0 else 'at least 0'}, got {value!r}")
        for name, allowed in (("schedule", get_args(_Schedule)), ("precision", get_args(_Precision))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not isinstance(self.augment, bool | Mapping) or (
            isinstance(self.augment, Mapping) and not self.augment.keys() <= {"padding", "area", "flip"}
        ):
            raise ValueError(
                f"augment must be true, false, or a table of padding or area, and flip, got {self.augment!r}: write "
                "augment = {padding = 2, flip = false}"
            )
        for name in ("compile", "channels_last"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")
        if not isinstance(self.milestones, list | tuple):
            raise ValueError(
                f"milestones must be a list of epochs, got {self.milestones!r}: write milestones=[80, 120]"
            )
        if self.factor > 1:
            raise ValueError(f"factor must be at most 1, got {self.factor!r}: the learning rate falls at milestones")
        for milestone in self.milestones:
            check_integer("milestones", milestone, 1)
        if self.iterative is not None and not isinstance(self.iterative, Iterative):
            raise ValueError(f'iterative must be an Iterative, got {self.iterative!r}: write Iterative("weights")')
        if self.iterative is not None and (self.iterative.epoch or 0) >= self.epochs:
            raise ValueError(
                f"weights cannot be rewound to the end of epoch {self.iterative.epoch}, where there are {self.epochs} "
                "in a cycle: write a smaller iterative.epoch, or more epochs"
            )
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError(
                f'the learning rate falls at milestones with schedule = "step" and with no other, got schedule = '
                f'"{self.schedule}" and milestones = {list(self.milestones)}'
            )
        # A list is the same setting as a tuple, 1 the same as 1.0, and goes by the same name.
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for name in ("lr", "momentum", "weight_decay", "factor"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def unusual(self) -> dict[str, Any]:
        """The settings that differ from the usual ones: what a run is known by."""
        usual = asdict(Recipe())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def learning_rate(self, epoch: float) -> float:
        """Return the learning rate after so many epochs, parts of them included.

        Parameters
        ----------
        epoch : float
            From 0 to `epochs`.
        """
        if epoch < self.warmup:
            return self.lr * epoch / self.warmup
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * (epoch - self.warmup) / max(self.epochs - self.warmup, 1))) / 2
        if self.schedule == "step":
            return self.lr * self.factor ** sum(epoch >= milestone for milestone in self.milestones)
        return self.lr


def names() -> list[str]:
    """Return the names of the recipes that come with the package.

    Returns
    -------
    list of str
        In alphabetical order.
    """
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))


def read(name: str | Path, changes: Sequence[str] = (), *, allow_code: bool = False) -> Recipe:
    """Read a recipe.

    A file that says `like = "NAME"` differs from another recipe in what it sets itself: a table takes the place of the
    other's entry by entry, or as a whole if it has another name.

    Parameters
    ----------
    name : str or Path
        One of `names()`, or a TOML file.
    changes : sequence of str
        Settings to put in place of those in the file: "epochs=20", "method.alpha=1e-3".
    allow_code : bool
        Whether the file may name code to run, as `module:factory`. Such names in `changes` are the caller's own.

    Returns
    -------
    Recipe
        All its settings; those that the file does not name are as usual.

    Raises
    ------
    ValueError
        If there is no such recipe, the file is no TOML or is like itself, it names code and may not, or a setting is
        unknown or out of range.
    """
    settings = settings_in(name, allow_code)
    settings.pop("compare", None)
    return made(changed(settings, changes))


def _folder() -> Any:
    return resources.files("linreg_mirror.networks.recipes")


def settings_in(name: str | Path, allow_code: bool = False, of: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a TOML file says, and what it is like, or ValueError; `of` is what is like this one.

    Where code is not allowed, neither file may name any as module:factory.
    """
    path = Path(name)
    file = path if path.suffix == ".toml" else _folder() / f"{name}.toml"
    if not file.is_file():
        raise ValueError(f"there is no recipe {str(name)!r}: write a TOML file, or one of {', '.join(names())}")
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is no TOML: {error}") from None
    code = None if allow_code else next(filter(names_code, _texts(settings)), None)
    if code is not None:
        raise ValueError(
            f"{name} names code, {code}, which would be run: look at it, and if you trust it write --allow-code, or "
            "allow_code=True in Python"
        )
    like = settings.pop("like", None)
    if like is None:
        return settings
    if not isinstance(like, str) or like in (*of, str(name)):
        raise ValueError(f"{name}: like must name another recipe, got {like!r}")
    return merged(settings_in(like, allow_code, (*of, str(name))), settings)


def _texts(value: Any) -> Iterator[str]:
    """Yield all strings in tables and lists, keys of tables aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def made(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of these settings, or ValueError."""
    known = {one.name for one in fields(Recipe)}
    unknown = settings.keys() - known
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    if "iterative" in settings:
        settings = {**settings, "iterative": iterative(settings["iterative"])}
    for part in ("data", "model"):
        value = settings.get(part)
        if isinstance(value, Mapping):
            # Options without a name are those of the usual one.
            settings = {**settings, part: {**getattr(Recipe(), part), **value}}
    return Recipe(**settings)


def changed(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return settings with KEY=VALUE in place, or PART.KEY=VALUE; values are JSON, or else text.

    Parameters
    ----------
    settings : mapping
        As a recipe has them; tables are mappings.
    changes : sequence of str
        "epochs=20", "method.alpha=1e-3".

    Returns
    -------
    dict
        A copy; what was given is left as it is.

    Raises
    ------
    ValueError
        If a change is not written so.
    """
    result = dict(settings)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not all(part.isidentifier() for part in key.split(".")):
            raise ValueError(
                f"a setting is changed by KEY=VALUE, such as epochs=20 or method.alpha=1e-3, got {change!r}"
            )
        value: Any = text
        with suppress(json.JSONDecodeError):
            value = json.loads(text)
        result = put(result, key, value)
    return result


def put(settings: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return settings with a value in place, at "KEY" or "PART.KEY"."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return merged(settings, value)


def merged(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those of `own` in place; a part of another name brings its own options alone."""
    result = dict(settings)
    for name, value in own.items():
        before = result.get(name)
        if (
            isinstance(value, Mapping)
            and isinstance(before, Mapping)
            and value.get("name", ...) in (..., before.get("name"))
        ):
            value = {**before, **value}
        result[name] = value
    return result
