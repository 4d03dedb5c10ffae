"""Integrals over a step of what is known at the six points of Lobatto's rule, exact up to degree 9 at the end."""

import numpy as np
from numpy.polynomial import legendre

_DEGREE = 5
_points = np.concatenate([[-1.0], legendre.Legendre.basis(_DEGREE).deriv().roots(), [1.0]])
_values = legendre.legvander(_points, _DEGREE)
_coefficients = np.linalg.inv(_values)  # of Legendre's polynomials, from values at the points
_integrals = [legendre.legint(one, lbnd=-1) / 2 for one in np.eye(_DEGREE + 1)]
_slopes = [2 * legendre.legder(one) for one in np.eye(_DEGREE + 1)]

POINTS = (_points + 1) / 2  # from 0 to 1, both among them
INTEGRALS = np.stack([legendre.legval(_points, c) for c in _integrals], axis=1) @ _coefficients  # from 0 to each point
SLOPES = np.stack([legendre.legval(_points, c) for c in _slopes], axis=1) @ _coefficients  # at each point
LAST = np.ascontiguousarray(_coefficients[-2:])  # coefficients of degrees 4 and 5
