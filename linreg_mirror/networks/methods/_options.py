"""Methods answer an option that they do not take with those that they do."""

import inspect
from functools import wraps
from typing import Any

from linreg_mirror.networks._tools.arguments import check_options


def naming_options(cls: type) -> None:
    """Let a class answer arguments that its own `__init__` does not take, or lacks, by naming its options, in place."""
    if "__init__" not in vars(cls):
        return
    plain: Any = vars(cls)["__init__"]
    first, *rest = inspect.signature(plain).parameters.values()

    @wraps(plain)
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        named = dict(zip((one.name for one in rest if one.kind is first.kind), arguments, strict=False))
        if len(named) == len(arguments) and not named.keys() & options:  # Python's own words for the others are clear
            check_options(cls.__name__, inspect.Signature(rest), {**named, **options})
        plain(self, *arguments, **options)

    setattr(cls, "__init__", init)  # noqa: B010
