"""A ladder has the limits of every scale, from one start."""

import sys

import numpy as np
import pytest

import linreg_mirror as lm

PROBLEM = lm.problems.planted_sparse(n=6, d=12, nonzeros=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("depth", [2, 3])
def test_each_limit_is_that_of_its_scale_and_start(depth):
    x0 = np.linspace(-1, 1, 12)
    network = lm.Hadamard.at(x0) if depth == 2 else lm.Power.from_scale(0.3, depth=3, x0=x0)
    found = lm.ladder(PROBLEM, network, [1e-3, 10.0], decay=0.1)
    assert np.allclose(np.exp(found.log_scales), [10.0, 1e-3])
    assert len(found) == 2
    for b, one in zip((10.0, 1e-3), found, strict=True):
        other = lm.Hadamard.from_scale(b, x0=x0) if depth == 2 else lm.Power.from_scale(b, depth=3, x0=x0)
        assert np.allclose(one.x, lm.limit(PROBLEM, other, 0.1).x, rtol=0, atol=1e-12)


def test_norms_run_from_the_least_l2_to_the_least_l1():
    found = lm.ladder(PROBLEM, lm.Hadamard.at(0.0, d=12))
    assert found.l2_excess[0] < 1e-4 < found.l2_excess[-1]
    assert found.l1_excess[-1] < 1e-2 < found.l1_excess[0]
    assert (found.l1_excess > -1e-12).all()
    tiny = lm.ladder(PROBLEM, lm.Hadamard.at(0.0, d=12), log_scales=[-1e4])
    assert tiny.l1_excess[0] < 1e-4
    zero = lm.ladder(lm.Problem(np.eye(2, 3), np.zeros(2)), lm.Hadamard.at(0.0, d=3), [1.0])
    assert np.isnan(zero.l1_excess).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scales": [1.0, 0.0]}, ValueError, "scales must be positive, got 0"),
        ({"scales": []}, ValueError, "a ladder needs a scale"),
        ({"scales": [1.0], "log_scales": [0.0]}, ValueError, "give one of them"),
        ({"scales": [np.nan]}, ValueError, "scales"),
        ({"network": lm.Direct.at(0.0, d=12)}, TypeError, "must be Hadamard or Power"),
        ({"problem": PROBLEM.X}, TypeError, "must be a Problem"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        lm.ladder(**{"problem": PROBLEM, "network": lm.Hadamard.at(0.0, d=12)} | arguments)


def test_frames_need_pandas_and_say_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (lm.ladder(PROBLEM, lm.Hadamard.at(0.0, d=12), [1.0]), lm.saddles(PROBLEM)):
        with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
            table.to_dataframe()


def test_frames(monkeypatch):
    class Pandas:
        DataFrame = dict

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    network = lm.Hadamard.from_scale(0.1, d=12)
    found, run, path = lm.ladder(PROBLEM, network, [1.0, 0.1]), lm.flow(PROBLEM, network), lm.saddles(PROBLEM)
    frame = found.to_dataframe()
    assert frame["status"] == ["converged", "converged"]
    assert np.array_equal(frame["l1_norm"], np.abs(found.x).sum(axis=1))
    assert list(run.to_dataframe()) == ["t", "decay", *(f"x{i}" for i in range(12))]
    assert np.array_equal(path.to_dataframe()["x3"], path.points[:, 3])


@pytest.mark.parametrize("depth", [3, 4])
def test_default_scales_of_deep_networks_are_those_that_float64_can_tell_apart(depth):
    rng = np.random.default_rng(0)
    problem = lm.Problem(rng.standard_normal((10, 30)), rng.standard_normal(10))
    found = lm.ladder(problem, lm.Power.from_scale(0.1, depth=depth, d=30))
    assert all(one.status is lm.Status.converged for one in found)
    assert found.l1_excess[-1] < 1e-6
