"""What hands write by mistake is answered with what was meant."""

import inspect
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import linreg_mirror as lm
from linreg_mirror import cli
from linreg_mirror.theorems import REGISTRY

X = np.random.default_rng(0).standard_normal((3, 5))
Y = X[:, 0]
PROBLEM = lm.Problem(X, Y)
NETWORK = lm.Hadamard.from_scale(0.1, d=5)


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda: lm.minimum_l1(X, Y), "write minimum_l1(Problem(X, y))"),
        (lambda: lm.minimum_l2(X, Y), "write minimum_l2(Problem(X, y))"),
        (lambda: lm.lasso(X, Y), "write lasso(Problem(X, y), weight)"),
        (lambda: lm.saddles(X), "write saddles(Problem(X, y))"),
        (lambda: lm.flow(X, Y), "got ndarray: write flow(Problem(X, y), network)"),
        (lambda: lm.limit(problem=X, network=NETWORK), "got ndarray: write limit(Problem(X, y), network)"),
        (lambda: lm.limit(X, Y), "write limit(Problem(X, y), network)"),
        (lambda: lm.limit(NETWORK, PROBLEM), "the problem comes first, got Hadamard: write limit(problem, network)"),
        (lambda: lm.flow(NETWORK, PROBLEM), "write flow(problem, network)"),
        (lambda: lm.ladder(NETWORK, PROBLEM), "write ladder(problem, network, scales)"),
        (lambda: lm.descent(NETWORK, PROBLEM, 0.1), "write descent(problem, network, step_size)"),
        (lambda: lm.limit(PROBLEM, NETWORK, decay=lm.flow(PROBLEM, NETWORK).decay), "write decay=run.decay[-1]"),
        (lambda: lm.limit(PROBLEM, NETWORK, decay=lm.flow(PROBLEM, NETWORK)), "write decay=run.decay[-1]"),
        (lambda: lm.limit(PROBLEM, NETWORK, tol=1e-9), "limit has no argument tol=: write tolerance="),
        (lambda: lm.limit(PROBLEM, NETWORK, alpha=1.0), "write decay=, the integral of alpha"),
        (lambda: lm.descent(PROBLEM, NETWORK, lr=0.1), "descent has no argument lr=: write step_size="),
        (lambda: lm.descent(PROBLEM, NETWORK, 0.1, T=100), "write steps="),
        (lambda: lm.flow(PROBLEM, NETWORK, T=10.0), "flow has no argument T=: write until="),
        (lambda: lm.lasso(PROBLEM, alpha=1.0), "write weight=, which is 2 alpha"),
        (lambda: lm.limits(X, Y, 1e-6), "got float: write Hadamard.from_scale(1e-6, d=d), log_scale=np.log(1e-06) for"),
        (
            lambda: lm.limits(X, Y, np.zeros((2, 1))),
            "got ndarray: write Hadamard.from_scale(1e-6, d=d), or log_scale= for",
        ),
        (lambda: lm.limits(X, Y), "limits needs a start: write log_scale=np.log(b)"),
        (lambda: lm.limits(X, Y, NETWORK, tilt=0.0), "a network has a scale and a tilt of its own: leave tilt out"),
        (lambda: lm.limits(X, Y, b=1e-6), "limits has no argument b=: write log_scale=np.log(b)"),
        (
            lambda: lm.limits(PROBLEM, NETWORK),
            "takes arrays, got a Problem: write limits(problem.X, problem.y, network)",
        ),
        (lambda: lm.minimum_l1s(PROBLEM, Y), "got a Problem: write minimum_l1s(problem.X, problem.y)"),
        (lambda: lm.lassos(X, Y, alpha=1.0), "write weight=, which is 2 alpha of the flow and n alpha of scikit-learn"),
        (lambda: lm.flow(PROBLEM, NETWORK, colour="red"), "unexpected keyword argument 'colour'"),
        (lambda: lm.Problem([["red", 1], ["blue", 2]], [1, 2]), "got 'red' at index (0, 0): make numbers of column 0"),
        (
            lambda: lm.Problem(np.array([[1, "red"]], object), [1]),
            "got 'red' at index (0, 1): make numbers of column 1",
        ),
        (lambda: lm.Problem(X, ["low", "high", "low"]), "y must hold real numbers, got 'low' at index (0,)"),
        (lambda: lm.Problem(X.astype(str), Y), "convert it first, X.astype(float)"),
        *(
            (call, "got float: write Hadamard.from_scale(1e-06, d=problem.d)")
            for call in (
                lambda: lm.limit(PROBLEM, 1e-6),
                lambda: lm.flow(PROBLEM, 1e-6),
                lambda: lm.descent(PROBLEM, 1e-6, 0.1),
                lambda: lm.margin_flow(lm.Problem(X, np.sign(Y)), 1e-6),
                lambda: lm.largest_stable_step(PROBLEM, 1e-6),
            )
        ),
        (lambda: lm.limit(PROBLEM, np.ones(5)), "got ndarray: write Hadamard.from_scale(1e-6, d=problem.d)"),
        (
            lambda: lm.limit(PROBLEM, lm.Hadamard),
            "got the class Hadamard: write Hadamard.from_scale(1e-6, d=problem.d)",
        ),
    ],
)
def test_calls_that_are_nearly_right_say_what_was_meant(call, instead):
    with pytest.raises(TypeError, match=re.escape(instead)):
        call()


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda: lm.Hadamard.from_scale(1e-6), "d, the number of entries, is missing .* Hadamard.from_scale.1e-6, d="),
        (lambda: lm.Hadamard.from_scale(log_b=-1e5), "write Hadamard.from_scale.log_b=-14.0, d=problem.d"),
        (lambda: lm.Hadamard.from_alpha(0.1), "write Hadamard.from_alpha.1e-3, d=problem.d"),
        (lambda: lm.Hadamard.at(0.0), "write Hadamard.at"),
        (
            lambda: lm.Problem([[1, 2], [3]], [1, 2]),
            "X must be an array, got 2 entries at index 0 and 1 entry at index 1",
        ),
        (
            lambda: lm.Problem([[1, 2], [3, 4]], [1, [2, 3]]),
            "y must be an array, got a number at index 0 and 2 entries at",
        ),
    ],
)
def test_values_that_are_nearly_right_say_what_was_meant(call, instead):
    with pytest.raises(ValueError, match=instead):
        call()


def test_solvers_keep_their_signatures():
    assert list(inspect.signature(lm.limit).parameters)[:2] == ["problem", "network"]
    assert lm.flow(problem=PROBLEM, network=NETWORK).status.solved


def test_from_alpha_says_whose_alpha():
    with pytest.raises(ValueError, match=r"alpha, the initial size u0 = v0 of Woodworth et al\., must be positive"):
        lm.Hadamard.from_alpha(-1.0, d=3)


def test_theorems_that_are_not_there_have_neighbours():
    with pytest.raises(KeyError, match=r"no theorem is called 'mirror\.flo'.*mirror\.flow"):
        REGISTRY["mirror.flo"]
    assert REGISTRY.get("mirror.flo") is None
    assert "mirror.flo" not in REGISTRY


@pytest.mark.parametrize("name", ["results/none/report.json", "none.json", "./none"])
def test_paths_that_are_not_there_are_no_theorems(name):
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        lm.citation(name)


@pytest.mark.parametrize("command", [("solve",), ("check", "mirror.limit", "--data")])
def test_exchanged_files_are_noticed(command, tmp_path):
    np.savez(tmp_path / "data.npz", X=Y, y=X)
    np.savetxt(tmp_path / "X.csv", X, delimiter=",")
    np.savetxt(tmp_path / "y.csv", Y, delimiter=",")
    result = CliRunner().invoke(cli.app, [*command, str(tmp_path / "data.npz")])
    assert result.exit_code == 2
    assert "X has shape (3,) and y (3, 5), as if they were exchanged: write np.savez(path, X=y, y=X)" in result.output
    targets = ["--targets"] if command[0] == "check" else []
    result = CliRunner().invoke(cli.app, [*command, str(tmp_path / "y.csv"), *targets, str(tmp_path / "X.csv")])
    assert result.exit_code == 2
    assert f"as if they were exchanged: name {tmp_path / 'X.csv'} first, then" in result.output
