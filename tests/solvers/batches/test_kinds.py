"""NumPy arrays and torch tensors, on the CPU and on an accelerator, in parts and in threads: the answers are one."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror.solvers.batches import parts

torch = pytest.importorskip("torch")
from tests.helpers.accelerator import DEVICE, Simulated, simulated  # noqa: E402

B, N, D = 6, 5, 14
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((B, N, D)), RNG.standard_normal((B, N))
SPARSE = np.einsum("bnd,bd->bn", X, np.where(np.arange(D) < 2, RNG.standard_normal((B, D)), 0.0))
DEPENDENT = np.concatenate([X[:, :-1], X[:, :1]], axis=1)  # the last row is the first
REPEATED = np.concatenate([Y[:, :-1], Y[:, :1]], axis=1)
WEIGHT = 0.1 * np.abs(np.einsum("bnd,bn->bd", X, Y)).max(axis=1)


def limits(X, y, log_scale, tilt=0.0, decay=0.0, **more):
    return lm.limits(X, y, log_scale=log_scale, tilt=tilt, decay=decay, **more)


CALLS = {
    "limits": (limits, (X, Y, np.full((B, 1), -10.0), np.ones(D), np.linspace(0, 1, B))),
    "limits of one design": (limits, (X[0], Y, -200.0)),
    "limits of few weights": (limits, (X, SPARSE, -60.0)),
    "limits of dependent rows": (limits, (DEPENDENT, REPEATED, -3.0)),
    "minimum_l1s": (lm.minimum_l1s, (X, Y)),
    "minimum_l1s of sparse ones": (lm.minimum_l1s, (X, SPARSE)),
    "minimum_l1s of one design": (lm.minimum_l1s, (X[0], Y)),
    "minimum_l1s of dependent rows": (lm.minimum_l1s, (DEPENDENT, REPEATED)),
    "lassos": (lm.lassos, (X, Y, WEIGHT)),
    "lassos of one design": (lm.lassos, (X[0], Y, 0.3)),
    "lassos of repeated columns": (lm.lassos, (np.concatenate([X, X], axis=2), Y, WEIGHT)),
}


def assert_same(found, expected):
    assert found.status == expected.status
    x, bars = (np.asarray(one.cpu() if hasattr(one, "cpu") else one) for one in (found.x, found.error))
    for k in np.flatnonzero(expected.error < np.inf):
        assert np.abs(x[k] - expected.x[k]).sum() <= bars[k] + expected.error[k]


def on(device, arguments):
    return [torch.as_tensor(one).to(device) if isinstance(one, np.ndarray) else one for one in arguments]


@pytest.mark.parametrize("name", CALLS)
def test_tensors(name):
    solve, arguments = CALLS[name]
    expected, found = solve(*arguments), solve(*on("cpu", arguments))
    assert_same(found, expected)
    assert found.singly == expected.singly == (0 if "dependent" not in name and "repeated" not in name else B)
    for array in (found.x, found.dual, found.dual_rest, found.error, found.digits):
        assert isinstance(array, torch.Tensor)
        assert array.dtype == torch.float64
    np.testing.assert_allclose(found.digits.numpy(), expected.digits, atol=3)
    one, other = found[1], expected[1]
    assert isinstance(one.x, np.ndarray)
    assert one.status is other.status
    assert one.certificate.valid == other.certificate.valid
    assert repr(found) == repr(expected).rpartition(" ")[0] + repr(found)[repr(found).rindex(" ") :]


@pytest.mark.parametrize("name", CALLS)
def test_an_accelerator(monkeypatch, name):
    solve, arguments = CALLS[name]
    expected = solve(*arguments)
    with simulated(monkeypatch):
        found = solve(*on(DEVICE, arguments))
        for array in (found.x, found.dual, found.dual_rest, found.error, found.digits):
            assert isinstance(array, Simulated)
        assert_same(found, expected)
        assert found.singly == expected.singly
        assert found[2].status is expected[2].status
        assert repr(found).startswith(f"Solutions({B} problems")


def test_only_X_decides_where(monkeypatch):
    for name in ("limits", "minimum_l1s", "lassos"):
        solve, (features, *others) = CALLS[name]
        as_tensors = on("cpu", others)
        assert isinstance(solve(features, *as_tensors).x, np.ndarray)
        assert isinstance(solve(torch.as_tensor(features), *others).x, torch.Tensor)
        with simulated(monkeypatch):
            assert isinstance(solve(torch.as_tensor(features).to(DEVICE), *others).x, Simulated)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads(name, threads):
    solve, arguments = CALLS[name]
    expected, found = solve(*arguments), solve(*arguments, threads=threads)
    assert_same(found, expected)
    if arguments[0].ndim == 3:  # else products with all targets at once are summed in an order that depends on them
        np.testing.assert_array_equal(found.x, expected.x)
        np.testing.assert_array_equal(found.error, expected.error)


@pytest.mark.parametrize("name", CALLS)
def test_parts(monkeypatch, name):
    """As of many problems, here of few, with room for two of them or less than for one."""
    solve, arguments = CALLS[name]
    expected = solve(*arguments)
    for room in (2 * N * D, 1):
        monkeypatch.setattr(parts, "_CACHE", room)
        assert_same(solve(*arguments), expected)
        assert_same(solve(*on("cpu", arguments)), expected)


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.longdouble, ">f8", bool, "list", "F", "readonly", "strided"])
def test_arrays_of_other_types_are_converted(kind):
    whole = np.array([[2.0, -1, 0, 3], [1, 1, 1, 0]]), np.array([[1.0, 2], [0, 1]])
    make = {
        "list": lambda a: a.tolist(),
        "F": np.asfortranarray,
        "readonly": lambda a: np.broadcast_to(a, a.shape),
        "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    }.get(kind, lambda a: (a > 0).astype(kind) if kind is bool else a.astype(kind))
    features, targets = map(make, whole)
    plain = [(a > 0).astype(float) if kind is bool else a for a in whole]
    for solve, others in ((limits, (-3,)), (lm.lassos, (0.37,))):
        found, expected = solve(features, targets, *others), solve(*plain, *others)
        assert found.x.dtype == np.float64
        np.testing.assert_array_equal(found.x, expected.x)
    features = torch.as_tensor(plain[0]).to(torch.float32)
    assert lm.limits(features, plain[1], log_scale=-3).x.dtype == torch.float64
    np.testing.assert_array_equal(lm.lassos(features.requires_grad_(), plain[1], 0.37).x, expected.x)
