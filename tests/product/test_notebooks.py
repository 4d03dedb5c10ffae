"""Notebooks run, and what is kept in them is what they show."""

import re

import nbformat
import pytest

from tools.notebooks import FOLDER, executed, lightened

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def shown(notebook):
    """Of each cell, the kinds of its outputs, and printed text without numbers, which differ between machines."""
    found = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        kinds = [sorted(output.data) for output in outputs if "data" in output]
        # Printed text may come in several pieces.
        text = "".join(output.get("text", "") for output in outputs)
        found.append((kinds, NUMBER.sub("#", " ".join(text.split()))))
    return found


def test_there_are_six():
    assert len(NOTEBOOKS) == 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_is_kept(path, monkeypatch):
    """If not: python -m tools.notebooks, and look at what has changed."""
    pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = nbformat.read(path, as_version=4)
    nbformat.validate(kept)
    assert kept == lightened(nbformat.read(path, as_version=4))
    assert path.stat().st_size < 200_000
    assert any("image/png" in kind for kinds, _ in shown(kept) for kind in kinds)
    assert shown(executed(path)) == shown(kept)
