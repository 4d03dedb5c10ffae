"""Errors as shares of bars that were proved for them."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Evidence, inequality
from linreg_mirror.theorems import _exact


class Shares(list[float]):
    """Errors as shares of their bars; what has no bar has no share."""

    def of(self, errors: Any, bars: Any) -> None:
        pairs = zip(np.ravel(errors), np.ravel(bars), strict=True)
        self.extend(float(error) / float(bar) if bar > 0 else np.inf for error, bar in pairs if error != 0)

    def add(self, x: Array, error: Array, answers: list[Any], entries: Array | None = None) -> None:
        for k in np.flatnonzero(np.isfinite(error)):
            apart = _exact.distances(x[k], answers[k])
            self.of(apart.sum(), error[k])
            if entries is not None:
                self.of(apart, entries[k])

    def evidence(self, share: float) -> Evidence:
        return inequality(np.array(self), np.full(len(self), share), rounding=0.0)
