"""`solve --prove` and `verify`: files, exit codes, sentences."""

import json
import sys

import numpy as np
import pytest

import linreg_mirror as lm
from tests.helpers.zoo import BY_NAME, gaussian

pytest.importorskip("flint")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = gaussian(6, 20, 0, nonzeros=2)
    np.savez("data.npz", X=problem.X, y=problem.y)
    np.savez("other.npz", X=problem.X, y=problem.y[::-1])
    np.savetxt("X.csv", problem.X, fmt="%.17g", delimiter=",")
    np.savetxt("y.csv", problem.y, fmt="%.17g")
    return tmp_path


def test_proofs_are_written_and_hold(folder, command):
    done = command("solve", "data.npz", "--scale", "1e-3", "--prove")
    assert done.exit_code == 0, done.output
    assert "data.minimum_l1.proof.json: x is the only interpolator of least L1 norm: 6 nonzero weights" in done.output
    for name in ("limit", "minimum_l1"):
        file = folder / f"data.{name}.proof.json"
        assert file.stat().st_size < 10_000
        held = command("verify", file, "data.npz")
        assert held.exit_code == 0, held.output
        assert held.output == f"proved: {lm.Proof.load(file)}\n"
        assert command("verify", file, "X.csv", "y.csv").exit_code == 0
        refused = command("verify", file, "other.npz")
        assert refused.exit_code == 1
        assert refused.output == "does not hold: the proof is about other data: SHA-256 of X and y differ\n"


def test_a_tampered_file_ends_in_1_with_a_sentence(folder, command):
    command("solve", "data.npz", "--prove")
    file = folder / "data.minimum_l1.proof.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"signs": [-sign for sign in content["signs"]]}))
    done = command("verify", file, "data.npz")
    assert (done.exit_code, done.output) == (1, "does not hold: a weight does not have its sign\n")
    file.write_text("no proof")
    done = command("verify", file, "data.npz")
    assert done.exit_code == 1
    assert "does not hold a proof" in done.output


def test_json_says_what_was_written_and_whether_it_holds(folder, command):
    done = command("solve", "data.npz", "--prove", "--json")
    assert done.exit_code == 0, done.output
    proofs = json.loads(done.output)["proofs"]
    assert [proofs[name]["written"] for name in ("limit", "minimum_l1")] == [True, True]
    file = folder / "data.limit.proof.json"
    held = json.loads(command("verify", file, "data.npz", "--json").output)
    assert held == {"holds": True, "kind": "limit", "proved": str(lm.Proof.load(file))}
    refused = command("verify", file, "other.npz", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.output) == {
        "holds": False,
        "reason": "the proof is about other data: SHA-256 of X and y differ",
    }


@pytest.mark.usefixtures("folder")
def test_data_without_a_solution_are_proved_to_have_none(command):
    problem = BY_NAME["inconsistent"].problem
    np.savez("data.npz", X=problem.X, y=problem.y)
    done = command("solve", "data.npz", "--prove")
    assert done.exit_code == 0
    for name in ("limit", "minimum_l1"):
        assert f"data.{name}.proof.json: no x satisfies Xx = y" in done.output
        assert command("verify", f"data.{name}.proof.json", "data.npz").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_proved_is_said(command, monkeypatch):
    def fail(*_):
        raise lm.ProofError("nothing was proved: no basis was found")

    monkeypatch.setattr("linreg_mirror.proofs.prove", fail)
    done = command("solve", "data.npz", "--prove")
    assert done.exit_code == 1
    assert "data.limit.proof.json is not written: nothing was proved: no basis was found" in done.output


@pytest.mark.usefixtures("folder")
def test_files_that_are_not_there_are_refused(command):
    done = command("verify", "absent.json", "data.npz")
    assert done.exit_code == 2
    assert "solve data.npz --prove" in done.output
    assert command("verify", "data.npz", "absent.npz").exit_code == 2


def test_without_flint_nothing_is_solved(folder, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    done = command("solve", "data.npz", "--prove")
    assert done.exit_code == 2
    assert 'pip install "linreg-mirror[proof]"' in done.output
    assert not list(folder.glob("*.proof.json"))
