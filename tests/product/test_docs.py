"""The documentation is true: its code runs, its commands exist, and its pages are those of today's package."""

import doctest
import json
import math
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
import typer.main
from typer.testing import CliRunner

import docs.ledger
import linreg_mirror
import sketching
from docs.extension import docstrings, errata, experiments, reference, rst
from docs.extension import ledger as ledger_pages
from figures import __main__ as figures_command
from figures import stored
from linreg_mirror.cli import app
from linreg_mirror.ledger import Verdict, instance
from linreg_mirror.ledger.algebra import ALGEBRA
from linreg_mirror.runtime.store import key
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import check, select

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
WRITTEN = sorted(path for path in DOCS.rglob("*.rst") if not {"generated", "_build"} & set(path.parts))
WITH_CODE = [path for path in WRITTEN if ".. code-block::" in path.read_text(encoding="utf-8")]
DESCRIBED = r"^\.\. (?:autoclass|autofunction|py:data):: (\S+)$"
COMMAND = typer.main.get_command(app)


def blocks(path):
    """Yield language and text of each block of code."""
    text = path.read_text(encoding="utf-8")
    for language, block in re.findall(r"^\.\. code-block:: (\w+)\n\n((?: {3}.*\n|\n)+)", text, re.MULTILINE):
        yield language, textwrap.dedent(block).strip("\n") + "\n"


def page(path):
    return path.relative_to(DOCS).with_suffix("").as_posix()


@pytest.fixture
def registry():
    """Take out what a page enters into the ledger."""
    before = dict(REGISTRY)
    yield
    for id in REGISTRY.keys() - before:
        del REGISTRY[id]
        ALGEBRA.pop(id, None)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("path", WITH_CODE, ids=page)
def test_code_runs_and_prints_what_it_is_said_to(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINREG_MIRROR_RESULTS", raising=False)
    names, printed = {}, None
    for language, block in blocks(path):
        if language == "python":
            assert not printed, f"nobody says what this prints: {printed}"
            exec(compile(block, path.name, "exec"), names)
            printed = capsys.readouterr().out
        elif language == "none":
            assert_printed(block, printed)
            printed = None
        elif language == "console":
            for command, expected in commands(block):
                if command[0] == "PYTHONPATH=.":
                    monkeypatch.syspath_prepend(tmp_path)
                    command = command[1:]
                assert_printed(expected, run(command, capsys))
    assert not printed, f"nobody says what this prints: {printed}"


def commands(block):
    """Yield each command after $ and what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield shlex.split(command, comments=True), expected


def run(words, capsys):
    if words[:3] == ["python", "-m", "figures"]:
        assert figures_command.main(words[3:]) == 0
        return capsys.readouterr().out
    assert words[0] == "linreg-mirror"
    done = CliRunner().invoke(app, words[1:], prog_name="linreg-mirror")
    assert done.exit_code == 0, done.output
    return done.output


def assert_printed(expected, printed):
    same = doctest.OutputChecker().check_output
    assert same(expected, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE), f"said: {expected}got: {printed}"


@pytest.mark.parametrize("path", [CHECKOUT / "README.md", *WRITTEN], ids=lambda path: path.stem)
def test_commands_that_are_not_run_have_options_that_exist(path):
    text = path.read_text(encoding="utf-8")
    for line in re.findall(r"^(?: {3,4})?(?:\$ )?(?:PYTHONPATH=\. )?(linreg-mirror .*)$", text, re.MULTILINE):
        words = shlex.split(re.sub(r"\$SLURM\w+", "4", line), comments=True)[1:]
        with COMMAND.make_context("linreg-mirror", [*words[:1], "--help"], resilient_parsing=True) as context:
            name, command, rest = COMMAND.resolve_command(context, words)
            try:
                command.make_context(name, list(rest), parent=context)
            except click.UsageError as error:
                raise AssertionError(f"{line}: {error.message}") from None


def test_accuracies_have_the_interval_of_students_t(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(experiments, "_RESULTS", tmp_path)
    rows = [
        {"label": label, "keep": keep, "seed": seed, "accuracy": accuracy, "decay": 0.5 * seed}
        for label, keep, accuracies in (("A", 1.0, (0.9, 0.92)), ("A", 0.1, (None, 0.5)), ("B", 1.0, (None, None)))
        for seed, accuracy in enumerate(accuracies)
    ]
    (tmp_path / "made_up.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    # The quantile of Student's t with one degree of freedom is tan(0.475 pi); nobody has trained B.
    half = 100 * 0.01 * math.tan(0.475 * math.pi)
    columns, rows = experiments.accuracies("made_up")
    assert columns == ("kept", "100 %", "10 %", "A")
    assert rows == [("A", f"91.0 ± {half:.1f}", "50.0", "0.33"), ("B", "", "", "")]


def test_names_in_commands_are_those_of_the_ledger():
    checked = 0
    for path in [CHECKOUT / "README.md", *WRITTEN]:
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"linreg-mirror check +([a-z]\S*.*)$", text, re.MULTILINE):
            words = shlex.split(line.rstrip("`"), comments=True)
            if re.fullmatch(r"[a-z_.]+", words[0]):
                assert select([words[0]]), line
                checked += 1
            if "--instance" in words and "--data" not in words:
                assert instance(words[words.index("--instance") + 1]).name
    assert checked > 5


def test_names_of_the_package_exist():
    """Those in literals, which no link checks: lm.NAME, schedules.NAME and sketching.NAME."""
    found = 0
    for path in WRITTEN:
        text = path.read_text(encoding="utf-8")
        for package, name in re.findall(r"``(lm|schedules|sketching)\.(\w+)", text):
            home = {"lm": linreg_mirror, "schedules": linreg_mirror.schedules, "sketching": sketching}[package]
            assert hasattr(home, name), (page(path), f"{package}.{name}")
            found += 1
    assert found > 5


@pytest.mark.parametrize(
    ("name", "start", "end", "homes"),
    [
        (
            "getting_started",
            "What there is",
            "Gradient descent",
            (linreg_mirror, linreg_mirror.schedules, linreg_mirror.Hadamard),
        ),
        ("networks", "For a torch module", "``diagnosis``", (sketching, sketching.network_scores)),
    ],
)
def test_lists_of_names_are_right(name, start, end, homes):
    text = (DOCS / f"{name}.rst").read_text(encoding="utf-8")
    section = text[text.index(start) : text.index(end)]
    names = set(re.findall(r"``\.?(\w+)(?:\(.*?\))?``", section)) - {"LinearOperator"}
    assert len(names) > 15
    assert all(any(hasattr(home, one) for home in homes) for one in names), names


def test_theorems_that_are_named_exist():
    named = 0
    for path in WRITTEN:
        text = path.read_text(encoding="utf-8")
        ids = re.findall(r":theorem:`([^`]+)`", text)
        for line in re.findall(r"^\.\. evidence:: *(.*)$", text, re.MULTILINE):
            ids += line.split()
        assert set(ids) <= REGISTRY.keys(), (page(path), set(ids) - REGISTRY.keys())
        named += len(ids)
    assert named > 50


def test_names_that_are_linked_are_in_the_reference():
    described = set(re.findall(DESCRIBED, "".join(reference.pages().values()), re.MULTILINE))
    modules = {Path(name).stem for name in reference.pages()}
    found = 0
    for path in WRITTEN:
        text = path.read_text(encoding="utf-8")
        names = re.findall(r":(?:class|func|mod):`([\w.]+)`", text)
        for line in re.findall(r"^ {3}:code: (.*)$", text, re.MULTILINE):
            names += line.split()
        assert set(names) <= described | modules, (page(path), set(names) - described - modules)
        found += len(names)
    assert found > 50


def test_every_theorem_is_on_a_page_of_the_theory():
    text = "".join(path.read_text(encoding="utf-8") for path in WRITTEN if path.parent.name == "theory")
    missing = [id for id in REGISTRY if not re.search(rf"(?<![\w.]){re.escape(id)}(?![\w.])", text)]
    assert not missing


def test_stored_check_is_of_the_ledger_as_it_is():
    """If not: linreg-mirror check && python -m docs.ledger."""
    found = docs.ledger.read()
    assert {id: entry["statement"] for id, entry in found["theorems"].items()} == {
        id: theorem.statement for id, theorem in REGISTRY.items()
    }
    for id, theorem in REGISTRY.items():
        assert found["theorems"][id]["verdict"] == theorem.expected.name, id
    assert f"{len(REGISTRY)} of {len(REGISTRY)} theorems as expected" in found["summary"]


def test_a_statement_that_has_changed_is_not_said_to_be_checked():
    found = docs.ledger.read()
    theorem = REGISTRY["mirror.flow"]
    assert ledger_pages.outcome(theorem, found) == "holds"
    found["theorems"]["mirror.flow"]["statement"] = "another"
    assert ledger_pages.outcome(theorem, found) == ledger_pages.NOT_YET
    del found["theorems"]["mirror.flow"]
    assert ledger_pages.outcome(theorem, found) == ledger_pages.NOT_YET


def test_a_report_on_a_part_is_not_stored(tmp_path, capsys):
    report = {"passed": True, "run": {"theorems": ["mirror"], "instances": []}}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    before = docs.ledger.FILE.read_bytes()
    assert docs.ledger.main([str(path)]) == 1
    assert "linreg-mirror check" in capsys.readouterr().err
    assert docs.ledger.FILE.read_bytes() == before


def test_what_is_printed_wrongly_has_something_right_beside_it():
    wrong = errata.printed_wrongly()
    assert len(wrong) >= 4
    for theorem in wrong:
        assert theorem.corrected, theorem.id
        assert all(REGISTRY[id].expected is Verdict.holds for id in theorem.corrected)
    assert all(theorem in wrong for theorem in REGISTRY.values() if theorem.corrected)
    text = errata.pages()["errata.rst"]
    for theorem in wrong:
        assert f"    {errata.command(theorem)}\n" in text
        assert rst.escape(theorem.statement) in text


@pytest.mark.parametrize("theorem", errata.printed_wrongly(), ids=lambda theorem: theorem.id)
def test_commands_of_the_errata_refute(theorem):
    *_, name, option, witness = errata.command(theorem).split()
    assert option == "--instance"
    (finding,) = check([name], instances=[witness])
    assert finding.verdict is Verdict.refuted
    assert finding.as_expected


@pytest.mark.parametrize("name", figures_command.PICTURES)
def test_stored_tables_are_those_of_todays_figures(name):
    picture = figures_command.PICTURES[name]
    table = stored.read(picture)
    assert len(table) == len(picture.cells(False))


def test_a_stored_table_of_other_settings_is_refused(tmp_path, monkeypatch, capsys):
    picture = figures_command.PICTURES["potentials"]
    cells = picture.cells(False)
    monkeypatch.setattr(picture, "cells", lambda quick: cells[1:])
    assert figures_command.main(["potentials", "--stored", "--output", str(tmp_path)]) == 2
    assert "python -m figures potentials --store" in capsys.readouterr().err
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    with pytest.raises(stored.Stale, match=r"there is no .*python -m figures potentials --store"):
        stored.read(picture)


def test_a_table_is_stored_as_it_was_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    picture = figures_command.PICTURES["potentials"]
    table = figures_command.tables.rows(picture, figures_command.Store(tmp_path / "store"))
    assert stored.write(picture, table).parent == tmp_path
    back = stored.read(picture)
    for row, again in zip(table, back, strict=True):
        assert key(again) == key(stored._rounded(row))


def test_every_public_name_is_in_the_reference():
    text = "".join(reference.pages().values())
    for package in reference.PACKAGES:
        module = sys.modules[package]
        for name in module.__all__ if hasattr(module, "__all__") else reference.public(module):
            assert re.search(rf"^\s+(?:\* )?- [^\n]*\W{name}\W", text, re.MULTILINE), f"{package}.{name}"


def test_each_name_is_described_once():
    described = re.findall(DESCRIBED, "".join(reference.pages().values()), re.MULTILINE)
    assert len(described) == len(set(described)) > 150
    assert "linreg_mirror.flow" in described
    assert "linreg_mirror.parametrizations.Hadamard" not in described
    assert "linreg_mirror.Hadamard" in described


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("|x|_1 <= |x*|_1", r"\|x\|_1 <= \|x\*\|_1"),
        ("as in `a|b*c`, 2 * x", r"as in `a|b*c`, 2 \* x"),
        ("**options : Any", "**options : Any"),
        ("    *args", "    *args"),
        ("* the first of *args", r"* the first of \*args"),
        ("shape (n, *shape)", r"shape (n, \*shape)"),
        ("the others_", r"the others\_"),
        (">>> a | b", ">>> a | b"),
    ],
)
def test_docstrings_keep_their_symbols(text, escaped):
    lines = [text]
    docstrings.escape_symbols(None, "function", "f", None, None, lines)
    assert lines == [escaped]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("`L0` on |x| `keep`s", r"``L0`` on \|x\| ``keep``\ s"),
        ("(a) a list?", r"\(a) a list?"),
        ("x_ ends, `a|b` not", r"x\_ ends, ``a|b`` not"),
    ],
)
def test_plain_text_is_read_as_it_is_written(text, marked):
    assert rst.plain(text) == marked


@pytest.mark.slow
def test_documentation_builds_without_warnings(tmp_path):
    source = tmp_path / "checkout"
    # A copy, because pages are generated into the folder of the sources.
    left = shutil.ignore_patterns("_build", "generated", "__pycache__")
    for part in ("docs", "figures", "linreg_mirror", "notebooks", "sketching", "benchmarks"):
        shutil.copytree(CHECKOUT / part, source / part, ignore=left)
    shutil.copy(CHECKOUT / "README.md", source)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path / "html")]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "index",
        "generated/errata",
        "generated/claims",
        "generated/ledger/mirror",
        "howto/resume",
        "generated/notebooks/1_scale_ladder",
    ):
        html = (tmp_path / "html" / f"{name}.html").read_text(encoding="utf-8")
        assert not re.search(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css|woff2?|png|svg)"', html), "nothing remote"
