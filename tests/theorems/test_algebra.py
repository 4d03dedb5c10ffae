"""Proofs by algebra leave nothing of the statement, and something of its control."""

import json
import sys

import pytest
import sympy
from typer.testing import CliRunner

from linreg_mirror.cli import app
from linreg_mirror.ledger.algebra import ALGEBRA, algebra, remainder
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import derive

(a, b), n = sympy.symbols("a b", real=True), sympy.Symbol("n", integer=True)


@pytest.mark.parametrize("id", ALGEBRA)
def test_the_statement_leaves_nothing_and_its_control_something(id):
    (found,) = [one for one in derive([id]) if one.theorem == id]
    assert found.left.text == "0"
    assert found.control.vanishes is False
    assert found.as_expected


def test_every_derivation_is_of_a_theorem():
    assert set(ALGEBRA) <= set(REGISTRY)


@pytest.mark.parametrize(
    ("derived", "left", "vanishes"),
    [
        (sympy.sin(a) ** 2 + sympy.cos(a) ** 2 - 1, "0", True),
        ([a - a, a - b], "a - b", False),
        (sympy.Matrix([[0, a], [0, 0]]), "a", False),
        ((a**2 + b**2 - 2 * a * b, (a - b) ** 2), "0", True),
        ((a**2 + b**2 - a * b, (a - b) ** 2), "a*b", False),
        ((a * b, a * b), "a*b", False),  # equal, but of unknown sign
        (sympy.sqrt(a**2 + 2 * a * b + b**2) - abs(a + b), "0", True),
        (sympy.ceiling(n - a) - sympy.ceiling(-a) - n, "0", True),
        (sympy.Function("f")(a).diff(a) - sympy.Function("f")(a), "-f(a) + Derivative(f(a), a)", False),
    ],
    ids=["zero", "list", "matrix", "squares", "not_the_squares", "unknown_sign", "root", "integer", "functions"],
)
def test_remainders(derived, left, vanishes):
    found = remainder(sympy, derived)
    assert (found.text, found.vanishes) == (left, vanishes)


def test_a_derivation_must_be_able_to_fail():
    with pytest.raises(ValueError, match="needs a wrong constant"):
        algebra("mirror.flow")


def test_the_command():
    done = CliRunner().invoke(app, ["prove", "mirror.conservation"])
    assert done.exit_code == 0
    assert "1 of 1 derivation as expected" in done.output
    listed = json.loads(CliRunner().invoke(app, ["prove", "mirror.conservation", "--json"]).output)
    assert listed[0]["left"] == {"text": "0", "vanishes": True}
    assert listed[0]["control"]["vanishes"] is False


def test_a_wrong_theorem_is_seen(monkeypatch):
    right = ALGEBRA["mirror.conservation"]
    monkeypatch.setitem(
        ALGEBRA, "mirror.conservation", type(right)(lambda sp, exponent=2: right.derive(sp, exponent), {})
    )
    done = CliRunner().invoke(app, ["prove", "mirror.conservation"])
    assert done.exit_code == 1
    assert "0 of 1 derivation as expected" in done.output


@pytest.mark.parametrize(("name", "message"), [("mirror.flw", "near are mirror.flow"), ("saddles.end", "no proof by")])
def test_names_that_have_no_derivation(name, message):
    done = CliRunner().invoke(app, ["prove", name])
    assert done.exit_code == 2
    assert message in done.output


def test_without_sympy_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(ModuleNotFoundError, match="pip install 'linreg-mirror\\[proof\\]'"):
        derive(["mirror.flow"])
