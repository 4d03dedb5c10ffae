"""What `solve` saves: solutions in the units of the data, with their certificates, as JSON, npz or CSV."""

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from linreg_mirror.cli._own_data import Given
    from linreg_mirror.solvers import Solution

ENDINGS = (".npz", ".json", ".csv")
_KEYS = ("limit", "minimum_l1", "minimum_l2")


def save(output: Path, scale: float, log_scale: float, solutions: "dict[str, Solution]", given: "Given") -> None:
    """Write solutions to a file of the kind that its ending says.

    Parameters
    ----------
    output : path
        With one of `ENDINGS`. CSV has coefficients alone.
    scale, log_scale : float
        b of the limit, 0 where float64 does not hold it, and log b.
    solutions : dict of str to Solution
        The limit, the minimum-L1 and the minimum-L2 solution.
    given : Given
        What they solve.
    """
    if output.suffix == ".json":
        output.write_text(json.dumps(content(scale, log_scale, solutions, given), indent=1), encoding="utf-8")
    elif output.suffix == ".csv":
        _save_csv(output, solutions, given)
    else:
        _save_npz(output, scale, log_scale, solutions, given)


def content(scale: float, log_scale: float, solutions: "dict[str, Solution]", given: "Given") -> dict[str, object]:
    """Return what is saved and printed as JSON; parameters as of `save`."""
    head: dict[str, object] = {
        "scale": scale, "log_scale": log_scale, "target": given.target, "features": given.features,
        "units": given.units.tolist(), "notes": given.notes,
    }  # fmt: skip
    return head | {key: _entry(s, given) for key, s in zip(_KEYS, solutions.values(), strict=True)}


def _entry(solution: "Solution", given: "Given") -> dict[str, object]:
    coefficients, intercept = given.coefficients(solution.x)
    return {
        "coefficients": dict(zip(given.features, coefficients.tolist(), strict=True)),
        "intercept": intercept,
        "x": solution.x.tolist(),
        "dual": solution.dual.tolist(),
        "status": solution.status.name,
        "unique": solution.unique,
        "error": solution.error if np.isfinite(solution.error) else None,
        "digits": solution.digits if np.isfinite(solution.digits) else None,
        "notes": solution.stats.notes,
        "certificate": [vars(check) | {"passed": check.passed} for check in solution.certificate.checks],
    }


def _save_csv(output: Path, solutions: "dict[str, Solution]", given: "Given") -> None:
    found = [given.coefficients(solution.x) for solution in solutions.values()]
    columns = [[*coefficients.tolist(), intercept] for coefficients, intercept in found]
    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["feature", *_KEYS])
        writer.writerows(zip((*given.features, "(intercept)"), *columns, strict=True))


def _save_npz(output: Path, scale: float, log_scale: float, solutions: "dict[str, Solution]", given: "Given") -> None:
    arrays: dict[str, object] = {}
    for key, solution in zip(_KEYS, solutions.values(), strict=True):
        coefficients, intercept = given.coefficients(solution.x)
        arrays |= {f"{key}_{part}": getattr(solution, part) for part in ("x", "dual", "error")}
        arrays |= {f"{key}_coefficients": coefficients, f"{key}_intercept": intercept}
        arrays[f"{key}_certified"] = solution.certificate.valid
    names = {"target": np.array(given.target), "features": np.array(given.features), "units": given.units}
    np.savez(output, scale=scale, log_scale=log_scale, **names, **arrays)  # pyright: ignore[reportArgumentType]
