"""Docstrings of methods: a line of their own, and what the protocol says of all of them."""

import inspect
from types import FunctionType

from linreg_mirror.networks.methods.protocol import Method


def with_the_protocols_text(cls: type) -> None:
    """Give the functions of a class that have a line for a docstring the rest of that in `Method`, so that help has it.

    Parameters
    ----------
    cls : type
        Whose docstrings are changed in place. Those of more than a line are left as they are.
    """
    for name, function in vars(cls).items():
        of_all = inspect.getdoc(getattr(Method, name, None))
        if not isinstance(function, FunctionType) or name.startswith("_") or not (of_all and function.__doc__):
            continue
        _, _, rest = of_all.partition("\n\n")
        if "\n" not in function.__doc__ and rest:
            function.__doc__ = f"{function.__doc__}\n\n{rest}"
