"""What recipes are about, in a line each."""

import re
from typing import NamedTuple

from linreg_mirror.networks.recipes.reading import folder, names, settings_in


class Described(NamedTuple):
    """A recipe of the package in a line.

    Attributes
    ----------
    name : str
        For `read`.
    compares : bool
        Whether `read_comparison` takes it, too.
    about : str
        The first sentence of its comment.
    """

    name: str
    compares: bool
    about: str


def described() -> list[Described]:
    """Return the recipes that come with the package.

    Returns
    -------
    list of Described
        In alphabetical order.
    """
    return [Described(name, "compare" in settings_in(name), _first_sentence(name)) for name in names()]


def _first_sentence(name: str) -> str:
    lines = (folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    # A sentence ends before a capital letter, or with the comment.
    return re.split(r"(?<=[\w)%])\.(?= [A-Z]|$)", " ".join(comment), maxsplit=1)[0]
