"""The first page is README: its Markdown as reStructuredText, so that the two share every word."""

import re
from pathlib import Path

from docs.extension.rst import escape, heading

README = Path(__file__).parents[2] / "README.md"
_UNDERLINES = {"#": "=", "##": "-", "###": "~"}
_LANGUAGES = {"text": "none"}  # of blocks of code, where Sphinx has another name for them
# Code, a link, bold text.
_MARKED = re.compile(r"`(?P<code>[^`]+)`|\[(?P<text>[^]]+)\]\((?P<target>[^)]+)\)|\*\*(?P<bold>[^*]+)\*\*")


def pages() -> dict[str, str]:
    """Return the text that `index` includes."""
    return {"parts/readme.rst": as_rst(README.read_text(encoding="utf-8"))}


def as_rst(markdown: str) -> str:
    """Return Markdown as reStructuredText: headings, paragraphs, lists, blocks of code, images, links.

    Parameters
    ----------
    markdown : str
        Blocks are apart by an empty line. Files are named from the root of the repository.
    """
    parts = re.split(r"^```(\w+)\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)
    text = _prose(parts[0])
    for language, code, prose in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        indented = "".join(f"   {line}".rstrip() + "\n" for line in code.splitlines())
        text += f".. code-block:: {_LANGUAGES.get(language, language)}\n\n{indented}\n{_prose(prose)}"
    return text


def _prose(markdown: str) -> str:
    return "".join(f"{_block(block)}\n" for block in re.split(r"\n{2,}", markdown.strip("\n")) if block)


def _block(block: str) -> str:
    if title := re.fullmatch(r"(#+) (.*)", block):
        return heading(_inline(title[2]), _UNDERLINES[title[1]])
    if image := re.fullmatch(r"!\[([^]]*)\]\(docs/([^)]*)\)", block):
        return f".. image:: /{image[2]}\n   :class: figure\n   :alt: {image[1]}\n"
    if not block.startswith("* "):
        return f"{_inline(block)}\n"
    return "".join(f"* {_inline(item)}\n" for item in re.split(r"^\* ", block, flags=re.MULTILINE)[1:])


def _inline(text: str) -> str:
    text = " ".join(text.split())
    found, end = "", 0
    for mark in _MARKED.finditer(text):
        found += escape(text[end : mark.start()]) + _marked(mark)
        end = mark.end()
    return found + escape(text[end:])


def _marked(mark: re.Match[str]) -> str:
    if mark["code"]:
        return f"``{mark['code']}``"
    if mark["bold"]:
        return f"**{mark['bold']}**"
    if page := re.fullmatch(r"docs/(.*)\.rst", mark["target"]):
        return f":doc:`{mark['text']} </{page[1]}>`"
    # A file of the repository is named, not linked: the built pages stand without it.
    return f"``{mark['target']}``"
