"""How fast is the m, w ODE in diffrax? An optional peer: nothing else here imports JAX."""

import os
import time
from functools import partial

from benchmarks.harness import Answer, Array, OverBudget

# JAX reads these once, when it is imported.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import diffrax  # pyright: ignore[reportMissingImports]
import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def _field(t, theta, data):
    X, y = data[:2]
    m, w = jnp.split(theta, 2)
    g = X.T @ (X @ (m * w) - y)
    return -jnp.concatenate([w * g, m * g])


def _stationary(t, theta, data, **_):
    X, y, gradient_scale, tolerance = data
    m, w = jnp.split(theta, 2)
    return jnp.abs(X.T @ (X @ (m * w) - y)).max() <= tolerance * gradient_scale


@partial(jax.jit, static_argnames=("solver", "steps"))
def _chunk(solver, steps, theta, t, data, rtol, atol, state):
    return diffrax.diffeqsolve(
        diffrax.ODETerm(_field),
        getattr(diffrax, solver)(),
        t0=t,
        t1=1e15,
        dt0=None,
        y0=theta,
        args=data,
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        event=diffrax.Event(_stationary),
        max_steps=steps,
        throw=False,
        solver_state=state[0],
        controller_state=state[1],
        made_jump=state[2],
        saveat=diffrax.SaveAt(t1=True, solver_state=True, controller_state=True, made_jump=True),
    )


def solve(
    solver: str, X: Array, y: Array, theta0: Array, rtol: float, atol: float, tolerance: float, budget: float
) -> Answer:
    """Integrate until stationary, or until the budget of seconds is spent."""
    started = time.perf_counter()
    data = (jnp.asarray(X), jnp.asarray(y), jnp.abs(jnp.asarray(X).T @ jnp.asarray(y)).max(), tolerance)
    theta, t, state, steps = jnp.asarray(theta0), jnp.asarray(0.0), (None, None, None), 0
    while True:
        piece = _chunk(solver, _steps_between_looks(solver, theta0.size), theta, t, data, rtol, atol, state)
        theta, t = piece.ys[-1], piece.ts[-1]
        state = (piece.solver_state, piece.controller_state, piece.made_jump)
        steps += int(piece.stats["num_steps"])
        if piece.result != diffrax.RESULTS.max_steps_reached:
            break
        # A negative budget means: twice around, which compiles both the beginning and the continuation.
        if time.perf_counter() - started > budget and (
            budget >= 0 or steps > _steps_between_looks(solver, theta0.size)
        ):
            raise OverBudget
    m, w = jnp.split(theta, 2)
    success = bool(piece.result == diffrax.RESULTS.event_occurred)
    return Answer(jax.device_get(m * w), success, "" if success else str(piece.result), counts={"steps": steps})


def _steps_between_looks(solver: str, size: int) -> int:
    """Return how many steps to take before looking at the clock: implicit ones factorise matrices of this size."""
    return 256 if solver == "Tsit5" else max(4, min(256, int(2e9 / size**3)))
