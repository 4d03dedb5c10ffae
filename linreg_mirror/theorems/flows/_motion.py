"""One coordinate of the flow of f(m w) + alpha (m^2 + w^2), in symbols, and what derivations share."""

from typing import Any


class Motion:
    """The equations of motion, from which statements are derived by algebra.

    Parameters
    ----------
    sp : module
        SymPy.

    Attributes
    ----------
    u, v : symbols
        (m + w)/sqrt 2 and (m - w)/sqrt 2, positive as where |m| > |w| and after a change of signs.
    m, w, x, b : expressions
        The factors, their product, and (m^2 - w^2)/2.
    g, alpha : symbols
        The derivative of f by x, and the penalty.
    A, G : symbols
        Their integrals over time.
    u0, v0 : expressions
        u exp(2A + G) and v exp(2A - G), which are u and v at the start: their `rate` is 0 (mirror.closed_form).
    """

    def __init__(self, sp: Any) -> None:
        self.u, self.v = sp.symbols("u v", positive=True)
        self.g, self.A, self.G = sp.symbols("g A G", real=True)
        self.alpha = sp.Symbol("alpha", nonnegative=True)
        self.m, self.w = (self.u + self.v) / sp.sqrt(2), (self.u - self.v) / sp.sqrt(2)
        self.x, self.b = sp.expand(self.m * self.w), sp.expand((self.m**2 - self.w**2) / 2)
        self.u0, self.v0 = self.u * sp.exp(2 * self.A + self.G), self.v * sp.exp(2 * self.A - self.G)
        m, w = sp.symbols("m w")
        # Minus the gradient; the loss is f with derivative g at x, linear for the purpose.
        energy = self.g * m * w + self.alpha * (m**2 + w**2)
        down = [-energy.diff(one).subs({m: self.m, w: self.w}) for one in (m, w)]
        self._rates = {
            self.u: sp.expand((down[0] + down[1]) / sp.sqrt(2)),
            self.v: sp.expand((down[0] - down[1]) / sp.sqrt(2)),
            self.A: self.alpha,
            self.G: self.g,
        }

    def rate(self, expression: Any) -> Any:
        """Return the derivative of an expression by time."""
        return sum(expression.diff(one) * rate for one, rate in self._rates.items())

    def step(self, expression: Any, eta: Any) -> Any:
        """Return an expression after a step of gradient descent in m and w, of which u and v are linear functions."""
        return expression.subs({one: one + eta * rate for one, rate in self._rates.items()}, simultaneous=True)


def potential(sp: Any, x: Any, b: Any, tilt: Any = 0) -> Any:
    """Return R_b(x), one entry of it; `tilt` is log(u0/v0)."""
    return (x * sp.asinh(x / b) - sp.sqrt(x**2 + b**2) - x * tilt) / 2


def divergence(R: Any, p: Any, q: Any) -> Any:
    """Return the Bregman divergence of a function of one entry, between two symbols."""
    return R(p) - R(q) - R(q).diff(q) * (p - q)


def bracket_of(first: Any, second: Any, theta: Any) -> Any:
    """Return the Lie bracket of two vector fields, columns of expressions in theta."""
    return second.jacobian(theta) * first - first.jacobian(theta) * second


def descent_of(energy: Any, parameters: Any) -> Any:
    """Return minus the gradient of an energy by a matrix of parameters, in the shape of that matrix."""
    return parameters.applyfunc(lambda one: -energy.diff(one))
