"""Training loops that share nothing with the library."""

import numpy as np


def train(problem, m, w, eta, alpha=None, *, momentum=0.0, batches=None, slope=lambda r: r):
    """Descent on l(X(m*w) - y) + alpha (|m|^2 + |w|^2): all (m, w), shape (K+1, 2, d), and sums of eta l', (K+1, n)."""
    theta, dual, n = np.array([m, w], dtype=float), np.zeros(problem.n), problem.n
    path, duals, before = [theta], [dual], theta
    for k in range(len(eta)):
        rows = np.arange(n) if batches is None else batches[k]
        m, w = theta
        s = np.zeros(n)
        np.add.at(s, rows, slope(problem.X[rows] @ (m * w) - problem.y[rows]) * n / len(rows))
        force = np.array([w, m]) * (problem.X.T @ s) + (0.0 if alpha is None else alpha[k]) * 2 * theta
        theta, before = theta + momentum * (theta - before) - eta[k] * force, theta
        dual = dual + eta[k] * s
        path.append(theta)
        duals.append(dual)
    return np.array(path), np.array(duals)


def slope_by_complex_step(function, theta):
    """Gradient of an analytic function, to rounding: f(theta + ih e_j) = f + ih df/dtheta_j."""
    return np.array([function(theta + 1e-30j * unit).imag / 1e-30 for unit in np.eye(theta.size)])
