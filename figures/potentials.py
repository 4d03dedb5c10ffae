"""The potential of x = m*w turns from the squared L2 norm into the L1 norm as its scale b falls.

Left, between x^2 and |x|: R_b along one coordinate, from 0 at 0 to 1 at 1. Middle: its unit ball in two dimensions,
from the circle to the diamond. Right: the potential of a start at x0 = 1 is smallest at x0 exp(-4A), so that a penalty
does two things: it moves the minimum to 0 and makes the shape that of L1.
Mask in the Mirror (arXiv 2408.09966), Theorem 2.1 (in the corrected form, the scale decays with exp(-4A)).
"""

import numpy as np
from matplotlib.figure import Figure

from figures import style, tables
from linreg_mirror.mirrors import Hyperbolic

_START = 1.0  # x0 of the right panel, with b = 1/2 before any penalty


def cells(quick: bool) -> tables.Table:
    points = 41 if quick else 401
    shapes = tables.product(log10_b=[1, -1, -3, -16], points=[points])
    moves = tables.product(decay=[0.0, 0.1, 0.25, 0.5, 2.0], points=[points])
    return [{"panel": "shape", **cell} for cell in shapes] + [{"panel": "move", **cell} for cell in moves]


def compute(cell: tables.Row) -> tables.Row:
    if cell["panel"] == "shape":
        mirror = Hyperbolic(np.array([cell["log10_b"] * np.log(10)]), np.zeros(1))
        x = np.linspace(-1, 1, cell["points"])
        angle = np.linspace(0, 2 * np.pi, cell["points"])
        return {"x": x, "value": _normalised(mirror, x), "angle": angle, "radius": _radius(mirror, angle)}
    straight = Hyperbolic(np.log([0.5]), np.zeros(1))
    mirror = Hyperbolic(straight.log_scale, 2 * straight.dual(np.array([_START]), 0.0))
    x = np.linspace(-0.75, 1.5, cell["points"])
    value = mirror.potential(x, cell["decay"])
    least = _START * np.exp(-4 * cell["decay"])
    value = value - mirror.potential(np.array([least]), cell["decay"])
    return {"x": x, "value": value / value[0], "least": least}


def _normalised(mirror, x):
    """Return R_b(x), shifted and scaled to 0 at 0 and 1 at 1."""
    at_0, at_1 = mirror.potential(np.array([0.0, 1.0]), 0.0)
    return (mirror.potential(x, 0.0) - at_0) / (at_1 - at_0)


def _radius(mirror, angle):
    """Return how far the unit ball reaches in these directions, by bisection."""
    low, high = np.full(angle.shape, 0.5), np.ones(angle.shape)
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = _normalised(mirror, middle * np.cos(angle)) + _normalised(mirror, middle * np.sin(angle)) <= 1
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def draw(table: tables.Table) -> Figure:
    figure, ((shape, ball, move),) = style.panels(2.45, columns=3, subplot_kw={"box_aspect": 1})
    shapes = tables.select(table, panel="shape")
    for k, row in enumerate(shapes):
        label = f"$b = 10^{{{row['log10_b']}}}$"
        shape.plot(row["x"], row["value"], label=label, **style.line(k))
        x = np.array(row["radius"]) * [np.cos(row["angle"]), np.sin(row["angle"])]
        ball.plot(*x, **style.line(k))
    x = np.array(shapes[0]["x"])
    shape.plot(x, x**2, **style.REFERENCE)
    shape.plot(x, abs(x), **style.REFERENCE)
    angle = np.array(shapes[0]["angle"])
    ball.plot(np.cos(angle), np.sin(angle), **style.REFERENCE)
    ball.plot([1, 0, -1, 0, 1], [0, 1, 0, -1, 0], **style.REFERENCE)
    shape.set(title="(a) along one coordinate", xlabel="$x$", ylabel="$(R_b(x) - R_b(0))\\,/\\,(R_b(1) - R_b(0))$")
    shape.legend(loc="upper center")
    ball.set(title="(b) unit balls", xlabel="$x_1$", ylabel="$x_2$", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    for k, row in enumerate(tables.select(table, panel="move")):
        move.plot(row["x"], row["value"], label=f"$A = {row['decay']:g}$", **style.line(k))
        move.plot(row["least"], 0.0, clip_on=False, **style.points(k))
    move.set(title="(c) start at $x_0 = 1$", xlabel="$x$", ylabel="$R_A(x) - \\min R_A$, scaled", ylim=(0, 2.4))
    move.legend(loc="upper left", ncols=2, columnspacing=1)
    return figure


def caption(table: tables.Table) -> str:
    least = [row["least"] for row in tables.select(table, panel="move")]
    return (
        "Potential R_b of x = m*w. (a), (b) start at 0: between the squared L2 and the L1 norm (grey). (c) Start at "
        f"x0 = {_START:g} with b = 1/2 and total penalty A: smallest (dots) at x0 exp(-4A) = "
        f"{', '.join(f'{x:.2g}' for x in least)}; scaled to 1 at the left end."
    )
