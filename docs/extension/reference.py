"""Pages of the reference: every public name, by the lists in the packages' `__init__` files."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from docs.extension.rst import heading, plain, prose, table

PACKAGES = (
    "linreg_mirror",
    "linreg_mirror.problems",
    "linreg_mirror.parametrizations",
    "linreg_mirror.mirrors",
    "linreg_mirror.plots",
    "linreg_mirror.solvers",
    "linreg_mirror.hard_concrete",
    "linreg_mirror.ledger",
    "linreg_mirror.theorems",
    "linreg_mirror.verification",
    "linreg_mirror.runtime",
    "linreg_mirror.claims",
    "linreg_mirror.networks",
    "linreg_mirror.networks.models",
    "linreg_mirror.networks.data",
    "linreg_mirror.networks.methods",
    "linreg_mirror.networks.gates",
    "linreg_mirror.networks.export",
    "linreg_mirror.networks.recipes",
    "linreg_mirror.networks.training",
    "sketching",
    "sketching.network_scores",
)


def pages() -> dict[str, str]:
    """Return the text of each page."""
    found, home = {}, {}
    modules = _modules()
    for module in modules.values():
        for name, value in public(module).items():
            if not inspect.ismodule(value):
                home.setdefault(_key(name, value), module.__name__)
    for name, module in modules.items():
        found[f"reference/{name}.rst"] = _page(module, home, modules)
    found["reference/index.rst"] = _index(modules)
    return found


def _modules() -> dict[str, ModuleType]:
    """Return all packages, and the modules that these list, but for those that hold theorems."""
    found: dict[str, ModuleType] = {}
    for name in PACKAGES:
        package = import_module(name)
        found[name] = package
        for value in public(package).values():
            if inspect.ismodule(value) and not name.endswith("theorems"):
                found.setdefault(value.__name__, value)
    return found


def public(module: ModuleType) -> dict[str, Any]:
    """Return the public names of a module: its list, or what is defined in it."""
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }


def _key(name: str, value: Any) -> Any:
    return value if inspect.isclass(value) or inspect.isfunction(value) else (name, id(value))


def _page(module: ModuleType, home: Mapping[Any, str], modules: Mapping[str, ModuleType]) -> str:
    names = public(module)
    here = module.__name__
    rows, details = [], []
    for name, value in names.items():
        full = f"{here}.{name}"
        if inspect.ismodule(value):
            target = f":doc:`{name} <{value.__name__}>`" if value.__name__ in modules else f"``{name}``"
            rows.append((target, plain(_first_line(value))))
            continue
        where = home[_key(name, value)]
        kind = "class" if inspect.isclass(value) else "func" if inspect.isfunction(value) else "data"
        rows.append((f":py:{kind}:`{name} <{where}.{name}>`", plain(_first_line(value))))
        if where == here:
            details.append(_detail(full, value))
    listed = table(("name", ""), (25, 75), rows, "names")
    return f"{heading(here)}\n.. py:module:: {here}\n\n{_introduction(module)}\n{listed}\n" + "\n".join(details)


def _detail(full: str, value: Any) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {full}\n   :members:\n   :special-members: __call__\n"
    if inspect.isfunction(value):
        return f".. autofunction:: {full}\n"
    return f".. py:data:: {full}\n\n   {plain(_first_line(value))}\n"


def _first_line(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} entries by name: {', '.join(map(str, list(value)[:14]))}" + ", ..." * (len(value) > 14)
    if isinstance(value, tuple):
        return f"{len(value)} entries, each a {type(value[0]).__name__}."
    if isinstance(value, str):
        return f"{value.partition(': ')[0].partition('. ')[0]}."
    doc = inspect.getdoc(value) or ""
    return " ".join(doc.partition("\n\n")[0].split())


def _introduction(module: ModuleType) -> str:
    return prose(inspect.getdoc(module) or "")


def _index(modules: Mapping[str, ModuleType]) -> str:
    rows = [(f":doc:`{name}`", plain(_first_line(module))) for name, module in modules.items()]
    listed = "\n".join(f"   {name.removeprefix('linreg_mirror.')} <{name}>" for name in modules)
    return (
        heading("Reference")
        + "\nEvery public name, from the lists in the packages. Each is described once, where it is imported from\n"
        "most shortly; :doc:`/ledger` has the theorems.\n\n"
        + table(("module", ""), (35, 65), rows, "names")
        + f"\n.. toctree::\n   :hidden:\n\n{listed}\n"
    )
