"""The notebooks as pages, with the outputs that are kept in them, and a list of them."""

from pathlib import Path

from docs.extension.rst import heading

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def pages() -> dict[str, str]:
    """Return the text of each notebook, which MyST reads, and of their list."""
    paths = sorted(FOLDER.glob("*.ipynb"))
    found = {f"notebooks/{path.name}": path.read_text(encoding="utf-8") for path in paths}
    entries = "".join(f"   {path.stem}\n" for path in paths)
    text = "Each runs in less than three minutes on two cores, from the folder ``notebooks``; the tests run them."
    return found | {"notebooks/index.rst": f"{heading('Notebooks')}\n{text}\n\n.. toctree::\n\n{entries}"}
