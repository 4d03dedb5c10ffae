"""Loops, solvers and formulas that share nothing with the library."""

import numpy as np
import scipy.linalg
import scipy.optimize

from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh

# Losses, and their gradients written out once more.
LOSSES = {
    "huber": (Huber(0.5), lambda r: np.clip(r, -0.5, 0.5)),
    "logcosh": (LogCosh(), np.tanh),
    "joint cauchy": (JointCauchy(), lambda r: 2 * r / (1 + r @ r)),
    "entrywise cauchy": (EntrywiseCauchy(), lambda r: 2 * r / (1 + r * r)),
}


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


def least_l1(X, y):
    """The least |x|_1 over Xx = y, and one x that attains it, by a linear programme in (x+, x-)."""
    d = X.shape[1]
    answer = scipy.optimize.linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y, method="highs")
    assert answer.status == 0, answer.message
    return answer.fun, answer.x[:d] - answer.x[d:]


def hyperbolic_limit(X, y, b, x0, decay):
    """argmin R_b(x) - <z_0, x> over the (least-squares) solutions of Xx = y, minimised over the null space of X."""
    tilt, b = np.arcsinh(x0 / b), b * np.exp(-4 * decay)
    N, particular = scipy.linalg.null_space(X), np.linalg.lstsq(X, y)[0]
    if not N.size:
        return particular

    def value(c):
        x = particular + N @ c
        return np.sum(x * np.arcsinh(x / b) - np.sqrt(x**2 + b**2) - tilt * x)

    def gradient(c):
        return N.T @ (np.arcsinh((particular + N @ c) / b) - tilt)

    def hessian(c):
        return N.T @ (N / np.sqrt((particular + N @ c) ** 2 + b**2)[:, None])

    c = scipy.optimize.minimize(
        value, np.zeros(N.shape[1]), jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-8}
    ).x
    for _ in range(3):  # plain Newton steps on the gradient take the last digits
        c = c - np.linalg.solve(hessian(c), gradient(c))
    return particular + N @ c
