"""Docstrings are written for the terminal: |x|_1 and x* stand for themselves."""

import re
from typing import Any

PACKAGES = ("linreg_mirror", "sketching")
_STARS = re.compile(r"\s*(?:\* +|\*{1,2}(?=\w+(?: *:.*)?$))?")
_CODE = re.compile(r"(``.*?``|`[^`]*`)")


def escape_symbols(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape what reStructuredText would take for markup, but not in code and examples."""
    literal = -1  # the indentation of what announces a literal block, while in one
    example = False
    for k, line in enumerate(lines):
        stripped = line.lstrip()
        indentation = len(line) - len(stripped)
        # An example goes on until the next empty line, a literal block as long as lines are indented.
        example = stripped.startswith((">>>", "...")) or (example and bool(stripped))
        if stripped and indentation <= literal:
            literal = -1
        if example or literal >= 0:
            continue
        if stripped.endswith("::"):
            literal = indentation
        # Items of a list begin with a star, and so do *args and **options, which numpydoc knows.
        kept = line[: _STARS.match(line).end()]  # pyright: ignore[reportOptionalMemberAccess]
        pieces = _CODE.split(line[len(kept) :])
        lines[k] = kept + "".join(piece if piece.startswith("`") else _escaped(piece) for piece in pieces)


def of_others(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a base class of another package puts into a class of this one."""
    module = getattr(obj, "__module__", None)
    return True if isinstance(module, str) and module.split(".")[0] not in PACKAGES else None


def _escaped(text: str) -> str:
    text = text.replace("|", r"\|").replace("*", r"\*")
    return re.sub(r"(?<=\w)_(?=\W|$)", r"\_", text)
