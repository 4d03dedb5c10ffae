"""One coordinate of the flow of f(m w) + alpha (m^2 + w^2), in symbols."""

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
    """

    def __init__(self, sp: Any) -> None:
        self.u, self.v = sp.symbols("u v", positive=True)
        self.g, self.A, self.G = sp.symbols("g A G", real=True)
        self.alpha = sp.Symbol("alpha", nonnegative=True)
        self.m, self.w = (self.u + self.v) / sp.sqrt(2), (self.u - self.v) / sp.sqrt(2)
        self.x, self.b = sp.expand(self.m * self.w), sp.expand((self.m**2 - self.w**2) / 2)
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
