"""The check refuses what does not hold: each field of each kind of proof is changed, and other data are given."""

import copy
import json
import sys
from fractions import Fraction

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror.proofs import vertex
from linreg_mirror.proofs._verify import fingerprint
from tests.helpers.zoo import BY_NAME, gaussian

flint = pytest.importorskip("flint")

RANDOM = gaussian(6, 20, 0)
WHOLE = lm.Problem([[1, 0, 1, 3], [0, 1, 1, 0], [1, 1, 2, 3]], [1, 1, 2])  # rank 2, x = e_3
NETWORK = lm.Hadamard.at(x0=0.25, beta=1.0, d=20)


@pytest.fixture(scope="module")
def proofs():
    with pytest.MonkeyPatch.context() as patch:
        made = {
            "vertex": (RANDOM, lm.prove(RANDOM, lm.minimum_l1(RANDOM))),
            "exact vertex": (WHOLE, lm.prove(WHOLE, lm.minimum_l1(WHOLE))),
            "inconsistent": (problem := BY_NAME["inconsistent"].problem, lm.prove(problem, lm.minimum_l1(problem))),
            "limit": (RANDOM, lm.prove(RANDOM, lm.limit(RANDOM, NETWORK), NETWORK)),
        }
        patch.setattr(vertex, "_on", lambda *_: iter(()))
        made["enclosure"] = (RANDOM, lm.prove(RANDOM, lm.minimum_l1(RANDOM)))
    return made


def moved(text, by=Fraction(1, 10**6)):
    """A decimal number a little larger."""
    return f"{float(Fraction(text) + by):.15f}"


# What makes each field false, or not a field any more.
EVERYWHERE = {
    "format": ["something else"],
    "version": [2, "1", None],
    "sha256": ["0" * 64, None],
    "kind": ["limit of something", "inconsistent", None],
    "bits": [1, "128", 10**9, 20.5, None],
}
TAMPERED = {
    "vertex": {
        "basis": [lambda b: [*b[1:], b[0]], lambda b: [*b[:-1], b[0]], lambda b: [*b[:-1], 20], lambda b: b[:-1], "x"],
        "rows": [lambda r: [r[1], *r[1:]], lambda r: r[:-1], lambda r: [-1, *r[1:]], lambda r: [0.5, *r[1:]], None],
        "signs": [lambda s: [-s[0], *s[1:]], lambda s: s[1:], lambda s: [2 * s[0], *s[1:]]],
        "dual": [[0.5], None],
        "unique": [False, None, "yes"],
        "x": [lambda x: [moved(x[0]), *x[1:]], lambda x: x[:-1], lambda x: [float(x[0]), *x[1:]], lambda x: ["", *x]],
        "error": [lambda e: ["0", *e[1:]], lambda e: ["nan", *e[1:]], lambda e: ["-1", *e[1:]], lambda e: e[1:]],
        "norm": [moved, 1.0, "inf"],
        "norm_error": ["0", "-1", "nan", None],
    },
    "exact vertex": {
        "basis": [[0], [], [2, 3]],
        "rows": [[], [0, 1], [5]],
        "signs": [[-1], []],
        "dual": [lambda s: [9.0, *s[1:]], lambda s: s[1:], lambda s: [float("nan"), *s[1:]], lambda s: ["a", *s[1:]]],
        "unique": [False, None],
        "x": [["1.1"], []],
        "error": [["-1e-3"]],
        "norm": ["1.01"],
        "norm_error": ["-1"],
    },
    "inconsistent": {
        "rows": [[1], [], [0, 0], None],
        "columns": [[], [5], [0, 1], None],
        "row": [lambda i: 1 - i, 2, -1, None, "0"],
    },
    "limit": {
        "basis": [lambda b: [*b[:-1], b[0]], lambda b: b[:-1], lambda b: [*b[:-1], 99], None],
        "rows": [lambda r: [*r[1:], r[0]], lambda r: r[:-1], None],
        "dual": [lambda s: [moved(s[0]), *s[1:]], lambda s: s[1:], lambda s: [0.5, *s[1:]], lambda s: ["", *s[1:]]],
        "log_scale": [lambda v: v + 1e-9, "0", float("nan"), [0.0, 1.0], None],
        "initial_dual": [lambda v: v + 1e-9, float("inf"), [0.0], None],
        "x": [lambda x: [moved(x[0]), *x[1:]], lambda x: x[:-1], lambda x: [0, *x[1:]]],
        "error": [lambda e: ["1e-30", *e[1:]], lambda e: ["-1", *e[1:]], lambda e: e[1:], None],
    },
    "enclosure": {
        "basis": [lambda b: [*b[:-1], b[0]], lambda b: b[:-1], lambda b: [*b[1:], b[0]], None],
        "support": [[], [0], [0, 0], [77], None],
        "dual": [lambda s: [1.01 * s[0], *s[1:]], lambda s: s[1:], lambda s: [float("nan"), *s[1:]]],
        "norm": [lambda n: [moved(n[0]), n[1]], lambda n: [n[0], n[0]], lambda n: n[:1], None],
        "distance": ["1e-30", "-1", "nan", 1.0],
        "x": [lambda x: [moved(x[0]), *x[1:]], lambda x: x[:-1]],
        "error": [lambda e: ["0", *e[1:]], lambda e: e[:-1]],
    },
}  # fmt: skip
CASES = [
    (kind, field, change)
    for kind, fields in TAMPERED.items()
    for field, changes in {**EVERYWHERE, **fields}.items()
    for change in changes
    if (field, change) != ("kind", kind)
]


def test_every_field_is_changed(proofs):
    for kind, (_, proof) in proofs.items():
        assert {**EVERYWHERE, **TAMPERED[kind]}.keys() == proof.content.keys(), kind


@pytest.mark.parametrize(("kind", "field", "change"), CASES, ids=[f"{k}-{f}-{i}" for i, (k, f, _) in enumerate(CASES)])
def test_a_change_is_refused(proofs, kind, field, change, tmp_path):
    problem, proof = proofs[kind]
    assert lm.verify(proof, problem) is proof
    content = copy.deepcopy(proof.content)
    content[field] = change(content[field]) if callable(change) else change
    assert content != proof.content
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    with pytest.raises(lm.ProofError, match=r".{10}"):
        lm.verify(path, problem)


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_missing_field_is_refused(proofs, kind):
    problem, proof = proofs[kind]
    for field in proof.content:
        content = {name: value for name, value in proof.content.items() if name != field}
        with pytest.raises(lm.ProofError):
            lm.verify(lm.Proof(proof.kind, content), problem)


@pytest.mark.parametrize("kind", TAMPERED)
def test_data_that_differ_in_one_bit_are_refused(proofs, kind):
    problem, proof = proofs[kind]
    X, y = problem.X.copy(), problem.y.copy()
    X[0, 0] = np.nextafter(X[0, 0], 10)
    y[-1] = np.nextafter(y[-1], 10)
    for other in (lm.Problem(X, problem.y), lm.Problem(problem.X, y), lm.Problem(problem.X[:, ::-1], problem.y)):
        with pytest.raises(lm.ProofError, match="other data"):
            lm.verify(proof, other)


@pytest.mark.parametrize("kind", TAMPERED)
def test_the_mathematics_refuses_other_data_too(proofs, kind):
    """With the hash of the other data in its place, what is claimed is still false of them."""
    problem, proof = proofs[kind]
    other = lm.Problem(problem.X, problem.y[::-1] * 1.5)
    if kind == "inconsistent":
        other = lm.Problem(problem.X, [1.0, 1.0])
    content = proof.content | {"sha256": fingerprint(other)}
    with pytest.raises(lm.ProofError, match=r"^(?!the proof is about other data)"):
        lm.verify(lm.Proof(proof.kind, content), other)


def test_the_order_of_rows_does_not_matter(proofs):
    problem, proof = proofs["vertex"]
    turned = lm.Proof("vertex", proof.content | {"rows": proof.content["rows"][::-1]})
    assert lm.verify(turned, problem) is turned
    y = problem.y[::-1].copy()
    other = lm.Problem(problem.X, y)
    with pytest.raises(lm.ProofError):
        lm.verify(lm.Proof("vertex", turned.content | {"sha256": fingerprint(other)}), other)


def test_a_vertex_that_is_not_optimal_is_refused():
    problem = lm.Problem([[1, 2]], [2])
    proof = lm.prove(problem, lm.minimum_l1(problem))
    content = proof.content | {"basis": [0], "x": ["2"], "norm": "2"}
    with pytest.raises(lm.ProofError, match="not optimal"):
        lm.verify(lm.Proof("vertex", content), problem)


def test_a_tie_is_not_called_unique():
    problem = BY_NAME["duplicated columns"].problem
    proof = lm.prove(problem, lm.minimum_l1(problem))
    for claimed in (True, None):
        with pytest.raises(lm.ProofError, match="uniqueness is False"):
            lm.verify(lm.Proof("vertex", proof.content | {"unique": claimed}), problem)


def test_a_slope_that_float64_rounds_to_one_is_decided():
    """|X_j's| = 1 - 2^-53 is below 1, and 1 + 2^-52 above: no product in float64 decides these."""
    below = lm.Problem([[1, 1 - 2.0**-53]], [1])
    assert lm.prove(below, np.array([1.0, 0])).unique is True
    assert lm.prove(below, np.array([1.0, 0])).content["basis"] == [0]
    above = lm.Problem([[1, 1 + 2.0**-52]], [1])
    assert lm.prove(above, np.array([1.0, 0])).content["basis"] == [1]


def test_negative_zeros_are_zeros():
    proof = lm.prove(lm.Problem([[1, 2, -0.0]], [2]), np.array([0, 1.0, 0]))
    assert lm.verify(proof, lm.Problem([[1, 2, 0.0]], [2])) is proof


def test_files(tmp_path, proofs):
    problem, proof = proofs["vertex"]
    proof.save(tmp_path / "proof.json")
    loaded = lm.Proof.load(tmp_path / "proof.json")
    assert loaded == proof
    assert lm.verify(tmp_path / "proof.json", problem) == proof
    for text in ("", "[]", "{", '{"kind": 3}', "null", '"vertex"', "[" * 100_000, "\x00"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(lm.ProofError):
            lm.verify(tmp_path / "bad.json", problem)
    with pytest.raises(OSError, match="absent"):
        lm.verify(tmp_path / "absent.json", problem)


def test_the_precision_of_others_is_left_alone(proofs):
    before = flint.ctx.prec
    problem, proof = proofs["vertex"]
    lm.verify(proof, problem)
    with pytest.raises(lm.ProofError):
        lm.verify(lm.Proof("vertex", proof.content | {"norm": "0"}), problem)
    assert flint.ctx.prec == before


def test_without_flint_the_remedy_is_named(proofs, monkeypatch):
    problem, proof = proofs["vertex"]
    monkeypatch.setitem(sys.modules, "flint", None)
    for ask in (lambda: lm.prove(problem, lm.minimum_l1(problem)), lambda: lm.verify(proof, problem)):
        with pytest.raises(ModuleNotFoundError, match=r'pip install "linreg-mirror\[proof\]"'):
            ask()


def test_verify_shares_no_code_with_prover_or_solvers():
    import ast
    from pathlib import Path

    from linreg_mirror.proofs import _verify, checks

    files = [Path(_verify.__file__), *Path(checks.__file__).parent.glob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    names = {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in names if "linreg" in str(name) and "proofs.checks" not in str(name)}
    assert ours == {"linreg_mirror.problems", "linreg_mirror.proofs._flint", "linreg_mirror.proofs._proof"}
