"""How close is a step of gradient descent on x = m*w to the two matrix-vector products that it cannot do without?

One run: ours is `descent`, compiled. Its peers take the same steps in m and w: NumPy, torch without autograd, and the
loop that a user of torch writes, autograd with torch.optim.SGD. From below it is bounded by the bare products Xx - y
and X'r, compiled in the same way. Many runs: ours is `descents`; its peer is the loop over tensors with autograd that
holds all runs in one batch, on the CPU and, where there is one, on a CUDA device. From below it is bounded by the
machine's rate of matrix products. On tensors each kernel is a launch: a table counts them.
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from benchmarks.harness import Answer, Array, Competitor, Judgement, Settings, compare, fastest
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete import descent, descents
from linreg_mirror.solvers.discrete.kernels import residual_and_gradient
from linreg_mirror.solvers.discrete.steppers import aligned

_SCALE = 0.1
_ERROR = 1e-10
_TORCH = importlib.util.find_spec("torch") is not None


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    one = [(10, 30, 200)] if settings.quick else [(40, 100, 100_000), (100, 1000, 5_000)]
    many = [(10, 30, 8, 100)] if settings.quick else [(40, 100, 1000, 200), (200, 10_000, 256, 100)]
    if _TORCH:
        import torch

        torch.set_num_threads(1)
    rows, bounds = [], []
    for n, d, steps in one:
        run = _Run(n, d, steps)
        new = compare({"n": n, "d": d, "steps": steps}, run.competitors(), run.judge, settings, progress)
        rows += new
        bounds.append(run.bound())
    rates = []
    for n, d, B, steps in many:
        batch = _Batch(n, d, B, steps, "cpu")
        case = {"n": n, "d": d, "runs": B, "steps": steps}
        new = compare(case, batch.competitors(), batch.judge, settings, progress)
        rows += new
        rates.append(batch.rates(new[0]["seconds"]))
    if _has_cuda():
        n, d, B, steps = (40, 100, 10_000, 2_000) if not settings.quick else (10, 30, 100, 100)
        batch = _Batch(n, d, B, steps, "cuda")
        case = {"n": n, "d": d, "runs": B, "steps": steps, "device": "cuda"}
        rows += compare(case, batch.competitors(), batch.judge, settings, progress)
    tables = {"One run, against two bare compiled products": bounds, "Many runs, one thread": rates}
    if _TORCH:
        device = "cuda" if _has_cuda() else "cpu"
        title = f"Many runs on tensors, kernels a step and waits for the device, {device}"
        tables[title] = [_launches(device, name, settings.quick) for name in _SETTINGS]
    notes = ["right means: after the same steps x differs by at most 1e-10 of its largest entry from NumPy's"]
    if not _TORCH:
        notes.append("torch is not installed: its loops were not measured")
    elif not _has_cuda():
        notes.append("no CUDA device: the batched loops there were not measured")
    return {
        "question": "Time of gradient descent on x = m*w for a given number of steps",
        "rows": rows,
        "tables": tables,
        "notes": notes,
    }


def _has_cuda() -> bool:
    if not _TORCH:
        return False
    import torch

    return torch.cuda.is_available()


class _Run:
    """One run from x = 0."""

    def __init__(self, n: int, d: int, steps: int) -> None:
        rng = np.random.default_rng(0)
        self.X, self.y = rng.standard_normal((n, d)) / np.sqrt(n), rng.standard_normal(n)
        self.eta, self.steps = 1e-2, steps
        self.network = Hadamard.from_scale(_SCALE, d=d)
        self.expected = self._numpy().x

    def competitors(self) -> list[Competitor]:
        # The first call compiles, or loads what was compiled.
        peers = [
            Competitor("descent (ours)", self._ours, ours=True, prepare=lambda: _discard(self._ours())),
            Competitor("NumPy", self._numpy),
        ]
        if _TORCH:
            peers += [
                Competitor("torch, no autograd", self._torch),
                Competitor("torch, autograd and SGD", self._autograd),
            ]
        return peers

    def judge(self, answer: Answer) -> Judgement:
        return _judge(answer, self.expected)

    def _ours(self) -> Answer:
        run = descent(Problem(self.X, self.y), self.network, self.eta, steps=self.steps, tolerance=0.0, keep=())
        return Answer(run.x[-1], True)

    def _numpy(self) -> Answer:
        X, y, m, w = self.X, self.y, self.network.m0.copy(), self.network.w0.copy()
        for _ in range(self.steps):
            g = X.T @ (X @ (m * w) - y)
            m, w = m - self.eta * w * g, w - self.eta * m * g
        return Answer(m * w, True)

    def _torch(self) -> Answer:
        import torch

        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        m, w = torch.from_numpy(self.network.m0.copy()), torch.from_numpy(self.network.w0.copy())
        with torch.no_grad():
            for _ in range(self.steps):
                g = X.T @ (X @ (m * w) - y)
                m, w = m - self.eta * w * g, w - self.eta * m * g
        return Answer((m * w).numpy(), True)

    def _autograd(self) -> Answer:
        import torch

        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        m, w = (torch.from_numpy(a.copy()).requires_grad_() for a in (self.network.m0, self.network.w0))
        optimizer = torch.optim.SGD([m, w], lr=self.eta)
        for _ in range(self.steps):
            optimizer.zero_grad()
            loss = 0.5 * ((X @ (m * w) - y) ** 2).sum()
            loss.backward()
            optimizer.step()
        return Answer((m * w).detach().numpy(), True)

    def bound(self) -> dict[str, Any]:
        """Return the time of a step beside that of a pair of products alone, both the shortest of many, in turn."""
        (n, d), x, X = self.X.shape, np.zeros(self.X.shape[1]), aligned(self.X)
        times = [(fastest(self._ours, 0.1), fastest(lambda: _products(X, self.y, x, self.steps), 0.1))
                 for _ in range(10)]  # fmt: skip
        ours, bare = (1e6 * min(column) / self.steps for column in zip(*times, strict=True))
        return {"n": n, "d": d, "ours / bare": ours / bare, "us a step": ours, "us of two bare products": bare}


@numba.njit(fastmath={"reassoc", "contract", "nsz", "arcp"})
def _products(X: Array, y: Array, x: Array, steps: int) -> None:
    r, g = np.empty(X.shape[0]), np.empty(X.shape[1])
    for _ in range(steps):
        residual_and_gradient(X, y, x, r, g)
        x[0] -= 1e-9 * g[0]  # so that no product can be left out


_SETTINGS: dict[str, dict[str, Any]] = {
    "all samples": {},
    "momentum, a penalty that changes": {"momentum": 0.8, "penalty": lambda k: 0.3 * 0.9**k},
    "batches": {"batch_size": 5},
    "batches with replacement": {"batch_size": 5, "replacement": True},
}


def _launches(device: str, name: str, quick: bool) -> dict[str, Any]:
    """Return what a step launches one by one and as a graph, and how often it waits."""
    import torch
    from torch._inductor import config

    from benchmarks.kernels import kernels_a_step

    n, d, B = (10, 30, 8) if quick else (40, 100, 1000)
    rng = np.random.default_rng(0)
    X, y = (torch.as_tensor(rng.standard_normal(shape), device=device) for shape in ((n, d), n))

    def run(compiled: bool, steps: int) -> None:
        settings = {"steps": steps, "tolerance": 0.0, "compiled": compiled, "rng": np.random.default_rng(0)}
        descents(
            X,
            y,
            log_scale=np.linspace(-4, 0, B)[:, None],
            step_size=1e-3,
            **{"penalty": 0.1} | _SETTINGS[name] | settings,
        )

    counts = {}
    for compiled in (False, True):
        torch.compiler.reset()  # what was compiled before does not say what it runs
        with config.patch({"cpp.enable_kernel_profile": True}):
            counts[compiled] = kernels_a_step(partial(run, compiled), device)
    return {
        "n": n,
        "d": d,
        "runs": B,
        "setting": name,
        "one by one": counts[False]["kernels"],
        "as a graph": counts[True]["kernels"],
        "waits": counts[True]["waits"],
    }


class _Batch:
    """Many runs from x = 0 at different scales."""

    def __init__(self, n: int, d: int, B: int, steps: int, device: str) -> None:
        rng = np.random.default_rng(0)
        self.X, self.y = rng.standard_normal((n, d)) / np.sqrt(n), rng.standard_normal(n)
        self.log_scale = np.linspace(-4.0, 0.0, B)[:, None]
        self.eta, self.steps, self.device = 1e-3, steps, device
        self.shape = (n, d, B)
        self.expected = self._expected()

    def _start(self) -> Array:
        _, d, _ = self.shape
        return np.repeat(np.sqrt(2 * np.exp(self.log_scale)), d, axis=1)

    def _expected(self) -> Array:
        X, y, m = self.X, self.y, self._start()
        w = np.zeros_like(m)
        for _ in range(self.steps):
            g = ((m * w) @ X.T - y) @ X
            m, w = m - self.eta * w * g, w - self.eta * m * g
        return m * w

    def competitors(self) -> list[Competitor]:
        ours = self._on_arrays if self.device == "cpu" else self._on_tensors
        peers = [Competitor("descents (ours)", ours, ours=True, prepare=lambda: _discard(ours()))]
        if _TORCH:
            if self.device == "cpu":
                peers.append(
                    Competitor(
                        "descents on tensors (ours)",
                        self._on_tensors,
                        ours=True,
                        prepare=lambda: _discard(self._on_tensors()),
                    )
                )
            peers.append(Competitor("batched torch loop, autograd and SGD", self._autograd))
        return peers

    def judge(self, answer: Answer) -> Judgement:
        return _judge(answer, self.expected)

    def _on_arrays(self) -> Answer:
        answer = descents(self.X, self.y, log_scale=self.log_scale, step_size=self.eta, steps=self.steps, tolerance=0.0)
        return Answer(answer.x, True)

    def _on_tensors(self) -> Answer:
        import torch

        X, y, log_scale = (torch.as_tensor(a, device=self.device) for a in (self.X, self.y, self.log_scale))
        answer = descents(X, y, log_scale=log_scale, step_size=self.eta, steps=self.steps, tolerance=0.0, compiled=True)
        return Answer(answer.x.cpu().numpy(), True)

    def _autograd(self) -> Answer:
        import torch

        X, y = (torch.as_tensor(a, device=self.device) for a in (self.X, self.y))
        m = torch.as_tensor(self._start(), device=self.device).requires_grad_()
        w = torch.zeros_like(m).requires_grad_()
        optimizer = torch.optim.SGD([m, w], lr=self.eta)
        for _ in range(self.steps):
            optimizer.zero_grad()
            loss = 0.5 * (((m * w) @ X.T - y) ** 2).sum()
            loss.backward()
            optimizer.step()
        return Answer((m * w).detach().cpu().numpy(), True)

    def rates(self, seconds: float) -> dict[str, Any]:
        """Return the rate of matrix products in a step, and that of the machine on square matrices and on these."""
        n, d, B = self.shape
        flops = 4 * n * d * B
        rng = np.random.default_rng(0)
        x, r, X = rng.standard_normal((B, d)), rng.standard_normal((B, n)), self.X
        A = rng.standard_normal((1000, 1000))
        square = 2e9 / fastest(lambda: A @ A)
        ours = flops * self.steps / seconds
        return {
            "n": n,
            "d": d,
            "runs": B,
            "share of the square rate": ours / square,
            "share of these products' rate": ours * fastest(lambda: (x @ X.T, r @ X)) / flops,
            "Gflop/s": ours / 1e9,
            "Gflop/s of a square product": square / 1e9,
        }


def _judge(answer: Answer, expected: Array) -> Judgement:
    error = float(np.abs(answer.x - expected).max() / np.abs(expected).max())
    return Judgement({"difference": error}, error <= _ERROR)


def _discard(_: object) -> None:
    return None
