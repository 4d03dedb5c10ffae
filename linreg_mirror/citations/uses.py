"""What a name, an object or a file rests on."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from linreg_mirror._tools.cites import cited
from linreg_mirror.citations.names import called, of_core, of_networks
from linreg_mirror.solvers.results import Stats


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
        if cls.__module__.partition(".")[0] == "linreg_mirror" and cls.__name__ in _OBJECTS:
            return list(_OBJECTS[cls.__name__](subject))
    stats = getattr(subject, "stats", None)
    if isinstance(stats, Stats):
        return [Use(key, stats.method) for key in stats.cites]
    if hasattr(subject, "cites"):
        return [Use(key, getattr(subject, "__name__", type(subject).__name__)) for key in cited(subject)]
    raise TypeError(
        f"there is nothing to cite for a {type(subject).__name__}: give the result of a solver, a method, a recipe, a "
        'theorem, a path, or a name such as "mirror.optimality" or "pilot"'
    )


def _of_name(name: str) -> list[Use]:
    from linreg_mirror.claims import CLAIMS
    from linreg_mirror.ledger.papers import PAPERS
    from linreg_mirror.theorems import REGISTRY

    if name in PAPERS:
        return [Use(PAPERS[name].key, name)]
    stated = [theorem for id, theorem in REGISTRY.items() if f"{id}.".startswith(f"{name}.")]
    stated += [claim for claim in CLAIMS if claim.id == name]
    things = called(name, of_core())  # something stated may have the same name: saddles, a solver and a group
    networks, lacking = {}, ""
    if not (things or stated or "." in name or "/" in name):  # torch takes a while to import
        try:
            networks = of_networks()
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            lacking = f"; methods, scores, models and data sets are not known, as {error}"
        things = [thing for known in networks.values() for thing in called(name, known.items())]
    if things or stated:
        keys = dict.fromkeys(key for thing in things for key in cited(thing))
        return [*(Use(key, name.lower().replace("_", "-")) for key in keys), *map(_of_statement, stated)]
    if Path(name).exists():
        return _of_path(Path(name))
    if set(name) & set("/\\") or Path(name).suffix in (".json", ".toml", ".npz"):
        raise FileNotFoundError(
            f"there is no file or folder {name!r}, seen from {Path.cwd()}: `linreg-mirror check` writes "
            "results/check/report.json, and `train` a folder for each run"
        )
    groups = dict.fromkeys(id.partition(".")[0] for id in REGISTRY)
    registries = (dict(of_core()), *networks.values(), PAPERS, groups, REGISTRY, {claim.id: claim for claim in CLAIMS})
    known = [name for registry in registries for name in registry]
    near = get_close_matches(name, known, n=5) or get_close_matches(name.lower(), known, n=5, cutoff=0.4)
    hint = f"near are {', '.join(near)}" if near else f"groups of theorems are {', '.join(groups)}"
    raise ValueError(
        f"no theorem, method, score or the like is called {name!r}, and there is no such file: {hint}; `linreg-mirror "
        f"theorems` lists all theorems{lacking}"
    )


def _of_statement(stated: Any) -> Use:
    from linreg_mirror.ledger.papers import PAPERS

    source = stated.source
    reason = f"{stated.id}: {source.number}" + (", as printed" if source.printed else "")
    return Use(PAPERS[source.paper].key, reason)


def _of_settings(settings: Mapping[str, Any]) -> Iterator[Use]:
    """Yield what a recipe rests on: method, its score, selection and allocation, model, data, cycles."""
    networks, method = of_networks(), settings.get("method") or {}
    rewind = (settings.get("iterative") or {}).get("rewind")
    named = {
        **{part: (settings.get(part) or {}).get("name") for part in ("method", "model", "data")},
        **{part: method.get(part) for part in ("score", "select", "allocate")},
        "cycles": next((name for name, cycles in networks["cycles"].items() if cycles.rewind == rewind), None),
    }
    for part, known in networks.items():
        name = named.get(part)  # patterns are asked for at the end of a run
        if isinstance(name, str) and name in known:  # a model may be the user's own, package.module:factory
            yield from (Use(key, name) for key in cited(known[name]))


def _of_recipe(recipe: Any) -> Iterator[Use]:
    return _of_settings(asdict(recipe))


_OBJECTS: Mapping[str, Callable[[Any], Iterable[Use]]] = {
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
