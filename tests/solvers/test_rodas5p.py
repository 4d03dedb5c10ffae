"""The coefficients of Rodas5P: what its paper says of them, on systems that are not the flow."""

import numpy as np
import pytest
import scipy.integrate

from linreg_mirror.solvers.continuous import rodas5p

END = 1.0


def field(t, s):
    """A nonlinear system that depends on time."""
    return np.array([s[1] * s[2] + np.cos(t), -s[0] * s[2] - 0.2 * s[1] ** 2, s[0] * s[1] - 0.5 * t * s[2]])


def jacobian(t, s):
    return np.array([[0, s[2], s[1]], [-s[2], -0.4 * s[1], -s[0]], [s[1], s[0], -0.5 * t]])


def time_derivative(t, s):
    return np.array([-np.sin(t), 0, -0.5 * s[2]])


def step(f, J, dfdt, t, s, h):
    """One step, written down as the module's docstring has it: U, and the end."""
    M, U = np.eye(len(s)) / (rodas5p.GAMMA * h) - J(t, s), np.zeros((rodas5p.SIZE, len(s)))
    for i in range(rodas5p.SIZE):
        slope = f(t + rodas5p.NODES[i] * h, s + rodas5p.STAGES[i] @ U)
        U[i] = np.linalg.solve(M, slope + rodas5p.COUPLING[i] @ U / h + rodas5p.RATES[i] * h * dfdt(t, s))
    return U, s + rodas5p.STAGES[-1] @ U + U[-1]


def exact(t):
    answer = scipy.integrate.solve_ivp(field, (0, END), [1.0, 0.5, -0.3], "DOP853", rtol=1e-13, atol=1e-14, t_eval=[t])
    return answer.y[:, -1]


def test_order_five_with_an_embedded_four():
    errors, estimates = [], []
    for steps in (8, 16, 32):
        s, h = np.array([1.0, 0.5, -0.3]), END / steps
        for k in range(steps):
            U, s = step(field, jacobian, time_derivative, k * h, s, h)
        errors.append(np.abs(s - exact(END)).max())
        estimates.append(np.abs(U[-1]).max())
    assert np.log2(errors[1] / errors[2]) == pytest.approx(5, abs=0.3)
    assert np.log2(estimates[1] / estimates[2]) == pytest.approx(5, abs=0.5)  # of one step


def test_dense_output_of_order_four():
    start, theta, errors = np.array([1.0, 0.5, -0.3]), 0.4, []
    for h in (0.1, 0.05, 0.025):
        U, end = step(field, jacobian, time_derivative, 0.0, start, h)
        k = rodas5p.DENSE @ U
        dense = (1 - theta) * start + theta * end + theta * (1 - theta) * (k[0] + theta * k[1] + theta**2 * k[2])
        errors.append(np.abs(dense - exact(theta * h)).max())
    assert np.log2(errors[1] / errors[2]) == pytest.approx(5, abs=0.3)  # of one step


def test_stiff_directions_are_forgotten_at_once():
    for h in (1e3, 1e6, 1e9):
        _, end = step(lambda t, s: -s, lambda t, s: -np.eye(1), lambda t, s: np.zeros(1), 0.0, np.ones(1), h)
        assert abs(end[0]) < 20 / h  # R(z) is about 12/z
