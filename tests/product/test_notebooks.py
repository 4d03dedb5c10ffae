"""Notebooks run, and what is kept in them is what they show."""

import re

import nbformat
import pytest

from tools.notebooks import FOLDER, executed, lightened

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def shown(notebook):
    """Kinds of the outputs of each cell, and printed text without numbers, which differ between machines."""
    return [
        (sorted(output.get("data", {})), re.sub(r"\s+", " ", NUMBER.sub("#", output.get("text", ""))))
        for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]  # fmt: skip


def test_there_are_five():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_is_kept(path, monkeypatch):
    """If not: python -m tools.notebooks, and look at what has changed."""
    pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = nbformat.read(path, as_version=4)
    nbformat.validate(kept)
    assert kept == lightened(nbformat.read(path, as_version=4))
    assert path.stat().st_size < 200_000
    assert any("image/png" in kinds for kinds, _ in shown(kept))
    assert shown(executed(path)) == shown(kept)
