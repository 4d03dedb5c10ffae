"""A page for each figure, drawn from its stored table."""

import ast
import inspect
import logging
from pathlib import Path
from types import ModuleType

from docs.extension.rst import escape, heading, prose
from figures import __main__ as command
from figures import stored


def pages(folder: Path) -> dict[str, str]:
    """Draw all pictures into the folder `figures` and return the text of their pages."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells how it embeds each font
    index, found = [], {}
    for name, picture in command.PICTURES.items():
        table = stored.read(picture)
        title = name.replace("_", " ").capitalize()
        question, _, text = inspect.cleandoc(picture.__doc__ or "").partition("\n")
        image = folder / "figures" / f"{name}.png"
        source = stored.RESULTS / f"{name}.json"
        if not image.exists() or image.stat().st_mtime < max(
            source.stat().st_mtime, Path(inspect.getfile(picture)).stat().st_mtime
        ):
            command.draw(name, table, image.parent)
        caption = picture.caption(table)
        found[f"figures/{name}.rst"] = (
            heading(title)
            + f"\n**{escape(question)}**\n\n{prose(text)}\n"
            + f".. image:: {name}.png\n   :class: figure\n   :alt: {question}\n\n{escape(caption)}\n\n"
            + f"Drawn from ``figures/results/{name}.json``. To draw it again, or to compute its table again::\n\n"
            + f"    python -m figures {name} --stored\n    python -m figures {name} --fresh\n\n"
            + f".. literalinclude:: /../figures/{name}.py\n   :language: python\n   :caption: figures/{name}.py\n"
            + f"   :lines: {_after_docstring(picture)}-\n"
        )
        index.append((name, question))
    found["figures/index.rst"] = _index(index)
    return found


def _after_docstring(picture: ModuleType) -> int:
    body = ast.parse(inspect.getsource(picture)).body
    return (body[0].end_lineno or 0) + 2


def _index(pictures: list[tuple[str, str]]) -> str:
    shown = "\n".join(
        f"   .. figure:: {name}.png\n      :target: {name}.html\n      :alt: {escape(title)}\n\n      {escape(title)}\n"
        for name, title in pictures
    )
    listed = "\n".join(f"   {name}" for name, _ in pictures)
    return (
        heading("Figures")
        + "\nEach figure has a file in ``figures/``: ``compute`` gives a table, ``draw`` a picture of that table.\n"
        "They are drawn here from tables that come with the repository. :doc:`Another page </howto/reproduce_figure>`\n"
        f"says how to compute them.\n\n.. container:: gallery\n\n{shown}\n.. toctree::\n   :hidden:\n\n{listed}\n"
    )
