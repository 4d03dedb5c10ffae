"""Runs the notebooks and keeps what they show: `python -m tools.notebooks`."""

import argparse
import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
_KEPT = ("text/html", "text/plain", "image/png")
_COLOURS = 64  # of a picture: lines and their soft edges need no more


def executed(path: Path, timeout: float = 600.0) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of today's code; an error in a cell is raised."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": FOLDER}})
    client.execute(env={**os.environ, "PYTHONPATH": str(FOLDER.parent)})  # the package of this checkout
    return lightened(notebook)


def lightened(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return it without what changes from run to run, without warnings of the kernel's, and with small pictures."""
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
                if "metadata" in output:
                    output.metadata.clear()
                if "data" in output:
                    output.data = {kind: value for kind, value in output.data.items() if kind in _KEPT}
                    if "image/png" in output.data:
                        output.data["image/png"] = _with_few_colours(output.data["image/png"])
    return notebook


def _with_few_colours(png: str) -> str:
    """Return a picture, in base64, in a third of the bytes; one that has a palette as it is."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        if picture.mode == "P":
            return png
        small, buffer = picture.convert("RGB").quantize(_COLOURS), io.BytesIO()
    small.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names; default: all")
    names = parser.parse_args(arguments).names
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.name.startswith(tuple(names)):
            nbformat.write(executed(path), path)
            print(f"{path}: {path.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
