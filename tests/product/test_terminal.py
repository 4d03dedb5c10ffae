"""What commands print fits 80 columns of a terminal, and is whole and plain in a pipe."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from linreg_mirror import claims, cli
from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import table
from linreg_mirror.theorems import REGISTRY

CHECKOUT = Path(__file__).parents[2]
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# To be copied in one piece: commands, and where something is.
WHOLE = re.compile(r"^ *(repeat: |written: |[\w-]+: .*pip install |/)")


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """Give commands a terminal of 80 columns; return a function that runs one and its lines."""
    monkeypatch.setattr(cli.console, "width", 80)
    monkeypatch.setattr(cli.console, "_force_terminal", True)
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path))

    def run(*arguments):
        result = CliRunner().invoke(cli.app, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output
        lines = CODES.sub("", result.output).replace("\r", "\n").splitlines()
        wide = [line for line in lines if len(line.rstrip()) > 80 and not WHOLE.match(line)]
        assert not wide
        return lines

    return run


def piped(*arguments):
    command = [sys.executable, "-m", "linreg_mirror.cli", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def starting(lines, names):
    """Return the lines that begin with one of these names."""
    return [line for line in lines if line[:1].strip() and line.split()[0] in names]


def test_check(terminal):
    lines = terminal("check", "mirror.flow", "networks.low_rank", "--quick", "--jobs", 1)
    rows = starting(lines, REGISTRY)
    assert len(rows) == len([id for id in REGISTRY if id.startswith(("mirror.flow", "networks.low_rank"))])
    assert all(row.split()[1] == "1" for row in rows)
    assert not any("Jacobs" in line for line in lines)


def test_check_keeps_the_source_where_there_is_room(terminal):
    lines = terminal("check", "mirror.flow.printed", "--quick", "--jobs", 1)
    assert any(line.split() == ["theorem", "source", "instances", "margin", "control", "verdict"] for line in lines)


def test_check_verbose(terminal):
    text = " ".join(" ".join(terminal("check", "mirror.metric", "--quick", "--jobs", 1, "--verbose")).split())
    assert REGISTRY["mirror.metric"].statement in text
    assert "control: b = u0 v0 exp(-2A), on " in text
    assert "1 of 1 theorem as expected, 1 evaluation, 1 control failed as it must" in text
    assert "Jacobs, Burkholz" in text


def test_falsify(terminal):
    command = "falsify", "mirror.flow.printed", "networks.low_rank.closed_form", "--evaluations", 1, "--jobs", 1
    lines = terminal(*command)
    assert "1 instance evaluated" in " ".join(lines)
    assert len(starting(lines, REGISTRY)) == 2
    assert any(line.split() == ["theorem", "evaluated", "margin", "of", "the", "bound", "outcome"] for line in lines)


def test_theorems(terminal):
    lines = terminal("theorems")
    assert [line.split()[0] for line in starting(lines, REGISTRY)] == list(REGISTRY)
    text = " ".join(" ".join(terminal("theorems", "mirror.metric", "--verbose")).split())
    one = REGISTRY["mirror.metric"]
    assert all(words in text for words in (one.statement, one.control.description, one.control.witness, one.kind))


@pytest.mark.parametrize("command", [("claims",), ("claims", "--verbose"), ("doctor",)])
def test_claims_and_doctor(terminal, command):
    assert terminal(*command)


def test_claims_are_told_apart_by_recipe_and_rival(terminal):
    text = "\n".join(terminal("claims"))
    for claim in claims.CLAIMS:
        assert re.search(rf"^{re.escape(claim.id)} ", text, re.M)
    assert "fashion-lenet: " in text
    assert re.search(r" [+-]\d+\.\d\d ± \d+\.\d\d  reproduced", text)


def test_prove(terminal):
    pytest.importorskip("sympy")
    assert "1 of 1 derivation as expected" in " ".join(terminal("prove", "mirror.conservation"))


def test_solve(terminal, tmp_path):
    np.savez(tmp_path / "data.npz", X=np.array([[1.0, 2.0]]), y=np.array([2.0]))
    assert terminal("solve", tmp_path / "data.npz")


def test_networks(terminal):
    pytest.importorskip("torch")
    assert any("kept" in line for line in terminal("masks", "lenet-300-100", "--score", "magnitude"))
    small = ("--set", "epochs=1", "--set", 'model={"name": "mlp", "widths": [64, 4, 10]}')
    lines = terminal("train", "pilot-digits", *small, "--keep", 1, "--keep", 0.001)
    assert any("test accuracy" in line for line in lines)
    seeds = ("--set", "compare.seeds=[0]", "--jobs", 1)
    lines = terminal("compare", "pilot-digits", *small, *seeds, "--verbose")
    assert any(re.match(r"PILoT, 10 % kept: [\d.]+ \(1 run\)$", line) for line in lines)


def test_recipes(terminal):
    pytest.importorskip("torch")
    from linreg_mirror.networks import recipes

    found = recipes.described()
    assert [one.name for one in found] == recipes.names()
    assert all(len(one.about.split()) > 2 and not one.about.endswith(".") for one in found)
    assert {one.name: one.compares for one in found}["dense-digits"] is False
    assert [line.split()[0] for line in starting(terminal("recipes"), recipes.names())] == recipes.names()


@pytest.mark.parametrize(
    "name", ["fashion_lenet", "fashion_resnet", "gates_digits", "fashion_lenet_cycles", "fashion_lenet_masks"]
)
def test_comparisons(name):
    pytest.importorskip("torch")
    from linreg_mirror.networks.training import as_table

    rows = json.loads((CHECKOUT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(as_table(rows))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    for label in {row["label"] for row in rows}:
        assert re.search(rf"^{re.escape(label.split()[0])} ", text, re.M)
    assert "over shares and seeds" in text


def test_a_pipe_gets_whole_rows_and_nothing_but_text():
    lines = piped("theorems").splitlines()
    assert len(lines) == len(REGISTRY) + 1
    for line, one in zip(lines[1:], REGISTRY.values(), strict=True):
        assert line.split()[0] == one.id
        assert one.statement in line
        assert one.control.description in line
    assert all(line.isprintable() and not re.search(r"[─│┃━]", line) for line in lines)
    text = piped("claims")
    assert re.search(r"^pilot\.dense +MM, one-shot +fashion-lenet, PILoT over dense: .*kept +\+", text, re.M)
    assert max(map(len, text.splitlines())) > 300


def test_pipes_get_json():
    assert json.loads(piped("doctor", "--json"))[0]["name"] == "Python"
    assert json.loads(piped("claims", "--json")) == claims.as_json(claims.evaluate())


def test_json_of_what_is_computed(tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path))

    def found(*arguments):
        result = CliRunner().invoke(cli.app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    report = found("check", "mirror.metric", "--quick", "--jobs", "1")
    assert report == json.loads((tmp_path / "check" / "selected" / "report.json").read_text(encoding="utf-8"))
    (search,) = found("falsify", "mirror.metric", "--evaluations", "1", "--jobs", "1")
    assert (search["id"], search["verdict"], search["as_expected"]) == ("mirror.metric", "holds", True)
    pytest.importorskip("torch")
    masks = found("masks", "lenet-300-100", "--score", "magnitude")
    assert masks["kept"] == sum(layer["kept"] for layer in masks["layers"])
    assert Path(masks["file"]).exists()
    small = ("--set", "epochs=1", "--set", 'model={"name": "mlp", "widths": [64, 4, 10]}')
    run = found("train", "pilot-digits", *small, "--keep", "0.1")
    folder = Path(run["folder"])
    assert folder.name.startswith("pilot-digits-")
    assert Path(run["picture"]) == folder / "training.png"
    assert [row["epoch"] for row in run["history"]] == [1]
    assert [row["keep"] for row in run["pruned"]] == [0.1]
    rows = found("compare", "pilot-digits", *small, "--set", "compare.seeds=[0]", "--jobs", "1")
    assert {row["run"] for row in rows if row["label"] == "PILoT"} == {folder.name}  # it is not trained again


# Tables


def shown(made, width):
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(made)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_columns_are_dropped_in_order_and_text_is_folded():
    made = table("id", "kind", "text", folded=("text",), least={"text": 10}, dropped=("kind",))
    made.add_row("a.long.name", "identity", "some words that are folded")
    assert shown(made, 80)[0].split() == ["id", "kind", "text"]
    assert shown(made, 80)[2] == "a.long.name  identity  some words that are folded"
    assert shown(made, 30)[0].split() == ["id", "text"]
    assert shown(made, 30)[2:] == ["a.long.name  some words that", "             are folded"]


def test_a_shorter_table_takes_over_where_nothing_else_fits():
    made, made.shorter = table("a", "b"), table("a")
    made.add_row("1" * 20, "2" * 20)
    made.shorter.add_row("1")
    assert shown(made, 60)[2] == f"{'1' * 20}  {'2' * 20}"
    assert shown(made, 30)[2] == "1"


def test_a_title_may_be_longer_than_its_table():
    made = table("a", title="a title of a few words")
    made.add_row("1")
    assert shown(made, 80)[0] == "a title of a few words"
    assert shown(made, 12)[:2] == ["a title of a", "few words"]


def test_counts():
    assert [counted(k, "theorem") for k in (0, 1, 2)] == ["0 theorems", "1 theorem", "2 theorems"]
    assert counted(2, "entry", "entries") == "2 entries"
