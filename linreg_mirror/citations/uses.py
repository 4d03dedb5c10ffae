"""What a name, an object or a file rests on."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from linreg_mirror.citations.sources import CLASSES, PAPER_KEYS, REWINDS, SOLUTIONS, SOURCES


class Use(NamedTuple):
    """That something rests on a paper.

    Attributes
    ----------
    key : str or None
        Of the BibTeX entry; None is this package.
    reason : str
        What rests on it, and the number of the theorem where it is known.
    """

    key: str | None
    reason: str


def uses_of(subject: object) -> list[Use]:
    """Return what something rests on; arguments and errors as those of `citation`."""
    if isinstance(subject, str):
        return _of_name(subject)
    if isinstance(subject, Path):
        return _of_path(subject)
    for cls in type(subject).__mro__:
        if cls.__module__.partition(".")[0] == "linreg_mirror":
            if cls.__name__ in CLASSES:
                return _of_known(CLASSES[cls.__name__])
            if cls.__name__ in _OBJECTS:
                return list(_OBJECTS[cls.__name__](subject))
    raise TypeError(
        f"there is nothing to cite for a {type(subject).__name__}: give the result of a solver, a method, a recipe, a "
        'theorem, a path, or a name such as "mirror.optimality" or "pilot"'
    )


def _of_known(name: str) -> list[Use]:
    return [Use(key, name) for key in SOURCES[name]]


def _of_name(name: str) -> list[Use]:
    from linreg_mirror.claims import CLAIMS
    from linreg_mirror.theorems import REGISTRY

    known = name.lower().replace("_", "-")
    if name in PAPER_KEYS:
        return [Use(PAPER_KEYS[name], name)]
    theorems = [theorem for theorem in REGISTRY.values() if f"{theorem.id}.".startswith(f"{name}.")]
    stated = [*theorems, *(claim for claim in CLAIMS if claim.id == name)]
    if stated or known in SOURCES:  # several things may have one name, such as spred, a method and a group of theorems
        return [*(_of_known(known) if known in SOURCES else ()), *map(_of_statement, stated)]
    if Path(name).exists():
        return _of_path(Path(name))
    groups = dict.fromkeys(id.partition(".")[0] for id in REGISTRY)
    names = [*SOURCES, *PAPER_KEYS, *groups, *REGISTRY, *(claim.id for claim in CLAIMS)]
    near = get_close_matches(name, names, n=5) or get_close_matches(known, names, n=5, cutoff=0.4)
    hint = f"near are {', '.join(near)}" if near else f"groups of theorems are {', '.join(groups)}"
    raise ValueError(
        f"no theorem, method, score or the like is called {name!r}, and there is no such file: {hint}; `linreg-mirror "
        "theorems` lists all theorems"
    )


def _of_statement(stated: Any) -> Use:
    source = stated.source
    return Use(PAPER_KEYS[source.paper], f"{stated.id}: {source.number}" + (", as printed" if source.printed else ""))


def _of_run(run: Any) -> list[Use]:
    integrators = _of_known("lsoda") if "LSODA" in run.stats.method else []
    return [*_of_known("flow"), *integrators]


def _of_solution(solution: Any) -> Iterator[Use]:
    for beginning, names in SOLUTIONS.items():
        if solution.stats.method.startswith(beginning):
            for name in names:
                yield from _of_known(name)


def _of_settings(settings: Mapping[str, Any]) -> Iterator[Use]:
    """Yield what a recipe rests on: method, its score, selection and allocation, model, data, cycles."""
    method = settings.get("method") or {}
    for name in (
        *(method.get(part) for part in ("name", "score", "select", "allocate")),
        *((settings.get(part) or {}).get("name") for part in ("model", "data")),
        REWINDS.get((settings.get("iterative") or {}).get("rewind", "")),
    ):
        if isinstance(name, str) and name in SOURCES:  # a model may be the user's own, package.module:factory
            yield from _of_known(name)


def _of_recipe(recipe: Any) -> Iterator[Use]:
    return _of_settings(asdict(recipe))


_OBJECTS: Mapping[str, Callable[[Any], Iterable[Use]]] = {
    "Trajectory": _of_run,
    "Solution": _of_solution,
    "Masked": lambda method: _of_settings({"method": {"name": "masked", **method.options}}),
    "Recipe": _of_recipe,
    "Run": lambda run: _of_recipe(run.recipe),
    "Theorem": lambda theorem: [_of_statement(theorem)],
    "Claim": lambda claim: [_of_statement(claim)],
    "Finding": lambda finding: uses_of(finding.theorem),
    "Assessment": lambda assessment: uses_of(assessment.claim),
}


def _of_path(path: Path) -> list[Use]:
    """Return what the run in a folder rests on, or what the report or the comparison in a file speaks of."""
    if path.is_dir():
        inside = [path / name for name in ("recipe.json", "cycle-00/recipe.json", "report.json")]
        found = next((file for file in inside if file.exists()), None)
        if found is None:
            raise ValueError(
                f"{path} holds no recipe.json and no report.json: give the folder of one run, the report that "
                "`linreg-mirror check` writes, or a file of `linreg-mirror compare`"
            )
        path = found
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return list(_of_content(content, recipe=path.name == "recipe.json"))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no recipe, report or comparison of this package ({type(error).__name__}: {error}): give a file "
            "that `linreg-mirror train`, `check` or `compare` has written"
        ) from None


def _of_content(content: Any, recipe: bool) -> Iterable[Use]:
    if recipe:
        return _of_settings(content)
    if "theorems" in content:
        return [use for entry in content["theorems"] if entry["instances"] for use in _exactly(entry["id"])]
    return [use for entry in content["entries"] for use in _of_settings(entry["recipe"])]


def _exactly(id: str) -> list[Use]:
    from linreg_mirror.theorems import REGISTRY

    if id not in REGISTRY:
        raise KeyError(f"there is no theorem {id} in this version")
    return [_of_statement(REGISTRY[id])]
