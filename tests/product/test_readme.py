"""The first page is short and true: its code prints what it says, its rows are those of the stored check."""

import doctest
import json
import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from docs.extension import readme
from docs.extension.rst import escape
from figures import __main__ as figures_command
from figures import stored
from linreg_mirror import cli
from linreg_mirror.theorems import REGISTRY

TEXT = readme.README.read_text(encoding="utf-8")
CHECKOUT = readme.README.parent
PICTURE = CHECKOUT / "docs" / "static" / "flow_and_limit.png"
ROW = re.compile(r"^(\S+) {2,}(.+?) {2,}(\d+) +(\S+) +fails +(.+)$", re.MULTILINE)


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 130


def test_code_prints_what_it_is_said_to(capsys):
    pytest.importorskip("torch")
    names, pairs = {}, re.findall(r"^```python\n(.*?)^```$\n\n^```text\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert len(pairs) == TEXT.count("```python") == 3
    for code, expected in pairs:
        exec(compile(code, "README.md", "exec"), names)
        printed = capsys.readouterr().out
        same = doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert same, f"said: {expected}got: {printed}"


def test_a_table_becomes_a_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).standard_normal((8, 13)).round(3)
    np.savetxt("table.csv", rows, delimiter=",", header=",".join([*(f"x{j}" for j in range(12)), "y"]), comments="")
    (command,) = re.findall(r"^linreg-mirror (solve .+?)(?:  #.*)?$", TEXT, re.MULTILINE)
    result = CliRunner().invoke(cli.app, command.split())
    assert result.exit_code == 0, result.output
    with Image.open("ladder.png") as drawn:
        assert drawn.width >= 640
        assert drawn.height >= 400


def test_rows_are_those_of_the_stored_check():
    """If not: linreg-mirror check && python -m docs.ledger, and write what it prints."""
    found = json.loads((CHECKOUT / "docs" / "results" / "ledger.json").read_text(encoding="utf-8"))["theorems"]
    rows = ROW.findall(TEXT)
    assert len(rows) == 6
    for id, source, instances, margin, verdict in rows:
        entry = found[id]
        as_expected = ", as expected" if entry["verdict"] != "holds" else ""
        assert (int(instances), verdict) == (entry["instances"], entry["verdict"] + as_expected), id
        assert margin == f"{entry['worst_margin']:.2g}", id
        assert str(REGISTRY[id].source).startswith(source), id
    assert f"each of {len(found)} theorems" in TEXT


def test_the_picture_is_light_and_that_of_the_stored_table(tmp_path):
    """If not: python -m figures flow_and_limit --stored --output DIR, and copy the PNG."""
    assert PICTURE.stat().st_size < 100_000
    assert "](docs/static/flow_and_limit.png)" in TEXT
    picture = figures_command.PICTURES["flow_and_limit"]
    _, drawn, _ = figures_command.draw("flow_and_limit", stored.read(picture), tmp_path)
    # Not the pixels: versions of Matplotlib space the same picture differently.
    with Image.open(drawn) as today, Image.open(PICTURE) as kept:
        assert (today.size, today.info["Source"]) == (kept.size, kept.info["Source"])


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(targets) > 8
    for target in targets:
        assert (CHECKOUT / target).exists(), target


def test_the_first_page_of_the_documentation_is_this_text():
    assert (
        (CHECKOUT / "docs" / "index.rst")
        .read_text(encoding="utf-8")
        .startswith(".. include:: generated/parts/readme.rst\n")
    )
    made = " ".join(readme.as_rst(TEXT).split())
    for block in re.findall(r"^```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        assert " ".join(block.split()) in made
    for sentence in ("Every solution carries a certificate", "On the way, the weights of the sparse truth enter one"):
        assert escape(sentence) in made


@pytest.mark.parametrize(
    ("markdown", "rst"),
    [
        ("# A title\n", "A title\n=======\n\n"),
        ("one\ntwo, `x*y` and |x|\n", "one two, ``x*y`` and \\|x\\|\n\n"),
        ("* one\n  more\n* two\n", "* one more\n* two\n\n"),
        ("[Here](docs/howto/index.rst), **there**", ":doc:`Here </howto/index>`, **there**\n\n"),
        ("[changes](CHANGELOG.md)", "``CHANGELOG.md``\n\n"),
        (
            "![What it shows](docs/static/a.png)",
            ".. image:: /static/a.png\n   :class: figure\n   :alt: What it shows\n\n",
        ),
        ("so:\n\n```text\na\n\nb\n```\n\nend\n", "so:\n\n.. code-block:: none\n\n   a\n\n   b\n\nend\n\n"),
    ],
)
def test_markdown_becomes_restructured_text(markdown, rst):
    assert readme.as_rst(markdown) == rst
