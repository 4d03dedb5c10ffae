"""What can be cited by its name. Each thing says by itself what it cites."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def of_core() -> Iterator[tuple[str, Any]]:
    """Yield names and things that need no torch: what is public, other people's solvers, integrators."""
    from linreg_mirror import parametrizations, problems
    from linreg_mirror.solvers import continuous, discrete, independent, lasso, limit, saddles, separable
    from linreg_mirror.solvers.continuous.integration import INTEGRATORS

    for room in (continuous, limit, discrete, saddles, lasso, separable, parametrizations, problems):
        yield from ((name, getattr(room, name)) for name in room.__all__ if callable(getattr(room, name)))
    yield "minimum_l2", independent.minimum_l2
    yield from independent.ROUTES.items()
    yield from INTEGRATORS.items()


def of_networks() -> Mapping[str, Mapping[str, Any]]:
    """Return what recipes name, by what the name is for; ModuleNotFoundError without torch."""
    from linreg_mirror.networks import data, methods, models
    from linreg_mirror.networks.pruning import masking
    from linreg_mirror.networks.recipes.iterative import CYCLES
    from sketching import n_of_m

    return {
        "method": methods.METHODS,
        "score": masking.SCORES,
        "select": masking.SELECTIONS,
        "pattern": {"n-of-m": n_of_m},
        "allocate": masking.ALLOCATIONS,
        "model": models.MODELS,
        "data": data.DATASETS,
        "cycles": CYCLES,
    }


def called(name: str, things: Iterable[tuple[str, Any]]) -> list[Any]:
    """Return the things of a name, however it is written: DeepLinear, deep_linear, deep-linear."""
    return [thing for known, thing in things if _plain(known) == _plain(name)]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
