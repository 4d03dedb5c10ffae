"""What is wrong with arguments is said in a sentence."""

import numpy as np
import pytest

import linreg_mirror as lm

torch = pytest.importorskip("torch")

B, N, D = 2, 3, 5
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((B, N, D)), RNG.standard_normal((B, N))
DESIGN = r"X must be one design \(n, d\) or one for each problem \(B, n, d\), got shape \(.*\)"
TARGETS = r"y must be \(n,\) or \(B, n\), and X has n = 3 rows, got shape \(.*\)"
COUNTS = r"X, y{} must be of one number of problems, got {}: give as many, or one for all"


def with_nan(a):
    a = np.array(a)
    a[(0,) * a.ndim] = np.nan
    return a


@pytest.mark.parametrize(
    "solve", [lm.minimum_l1s, lambda X, y: lm.limits(X, y, log_scale=0), lambda X, y: lm.lassos(X, y, 1)]
)
@pytest.mark.parametrize(
    ("features", "targets", "error", "message"),
    [
        (X[0, 0], Y, ValueError, DESIGN),
        (X[None], Y, ValueError, DESIGN),
        (X[:0], Y, ValueError, DESIGN),
        (X[:, :, :0], Y, ValueError, DESIGN),
        (2.0, Y, ValueError, DESIGN),
        (X + 1j, Y, TypeError, "X must hold real numbers, got dtype complex128: write X.real"),
        (X, Y + 1j, TypeError, "y must hold real numbers, got dtype complex128: write y.real"),
        (torch.as_tensor(X + 1j), Y, TypeError, r"X must hold real numbers, got torch.complex128: write X.real"),
        (X, torch.as_tensor(Y + 1j), TypeError, r"y must hold real numbers, got torch.complex128: write y.real"),
        (with_nan(X), Y, ValueError, r"X must be finite, got nan at index \(0, 0, 0\): remove or impute"),
        (torch.as_tensor(with_nan(X)), Y, ValueError, r"X must be finite, got nan at index \(0, 0, 0\): remove"),
        (X, np.inf * Y, ValueError, r"y must be finite, got -?inf at index \(0, 0\)"),
        (X, torch.as_tensor(with_nan(Y)), ValueError, r"y must be finite, got nan at index \(0, 0\)"),
        (np.full((N, D), "a"), Y, TypeError, "X must hold real numbers, got 'a'"),
        (None, Y, TypeError, "X must hold real numbers"),
        (X, Y[:, :-1], ValueError, TARGETS),
        (X, Y[:, :1], ValueError, TARGETS),
        (X, Y[None], ValueError, TARGETS),
        (X, 1.0, ValueError, TARGETS),
        (X, np.ones((3, N)), ValueError, COUNTS.format(".*", "2 by X, 3 by y")),
        (X[0], Y[:0], ValueError, TARGETS),
        (X * [[[1]], [[1e200]]], Y, ValueError, r"the largest entry of X must lie between 1e-152 and 1e\+152, .* got"),
        (X, Y * [[1], [1e-200]], ValueError, r"the largest entry of y must lie between 1e-152 and 1e\+152, .* got"),
    ],
)
def test_features_and_targets(solve, features, targets, error, message):
    with pytest.raises(error, match=message):
        solve(features, targets)


ENTRIES = r"{} must be one number, \(d,\), \(B, 1\) or \(B, d\), and X has d = 5 columns, got shape {}: .*\[:, None\]"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"log_scale": np.zeros(B)}, ValueError, ENTRIES.format("log_scale", r"\(2,\)")),
        ({"tilt": np.zeros((B, D - 1))}, ValueError, ENTRIES.format("tilt", r"\(2, 4\)")),
        ({"tilt": np.zeros((1, B, D))}, ValueError, ENTRIES.format("tilt", r"\(1, 2, 5\)")),
        ({"log_scale": np.zeros((3, 1))}, ValueError, COUNTS.format(", log_scale, tilt, decay", ".* 3 by log_scale")),
        ({"log_scale": -np.inf}, ValueError, r"log_scale must be finite, got -inf"),
        ({"tilt": 1j}, TypeError, "tilt must hold real numbers"),
        (
            {"decay": np.zeros((B, 1))},
            ValueError,
            r"decay must be one number, or one for each problem \(B,\), got shape",
        ),
        ({"decay": [0, -1]}, ValueError, "decay must not be negative, the integral of alpha, got -1: leave it out"),
        ({"decay": np.inf}, ValueError, "decay must be finite, got inf"),
        ({"decay": np.zeros(3)}, ValueError, COUNTS.format(".*", "2 by X, 2 by y, 3 by decay")),
        (
            {"tolerance": -1e-9},
            ValueError,
            "tolerance must be a finite number >= 0, got -1e-09: write tolerance=0 or",
        ),
        ({"tolerance": None}, ValueError, "tolerance must be a finite number >= 0, got None"),
        ({"tolerance": np.nan}, ValueError, "tolerance must be a finite number >= 0, got nan"),
        ({"threads": 0}, ValueError, "threads must be an integer >= 1, got 0: write threads=1 or more"),
        ({"threads": 1.0}, ValueError, "threads must be an integer >= 1, got 1.0: write it without a decimal point"),
    ],
)
def test_of_limits(options, error, message):
    with pytest.raises(error, match=message):
        lm.limits(X, Y, **({"log_scale": 0} | options))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (0.0, ValueError, r"weight must be positive, got 0: for weight 0 ask minimum_l1s\(X, y\)"),
        ([1.0, -2.0], ValueError, "weight must be positive, got -2"),
        (np.inf, ValueError, "weight must be finite, got inf"),
        (with_nan([1.0, 1.0]), ValueError, r"weight must be finite, got nan at index \(0,\)"),
        ("1", TypeError, "weight must hold real numbers"),
        (None, TypeError, "weight must hold real numbers"),
        (np.ones((B, D)), ValueError, r"weight must be one number, or one for each problem \(B,\), got shape \(2, 5\)"),
        (np.ones(4), ValueError, COUNTS.format(", weight", "2 by X, 2 by y, 4 by weight")),
    ],
)
def test_of_lassos(weight, error, message):
    with pytest.raises(error, match=message):
        lm.lassos(X, Y, weight)


@pytest.mark.parametrize("solve", [lm.minimum_l1s, lambda X, y, **o: lm.lassos(X, y, 1, **o)])
def test_threads(solve):
    for threads in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="threads must be an integer >= 1"):
            solve(X, Y, threads=threads)
