"""What is installed, what this machine has, what is missing and how to get it."""

import importlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
from threadpoolctl import threadpool_info

from linreg_mirror._tools.compilation import cache_directory
from linreg_mirror.runtime.store import results_directory

# The dependencies of setup.cfg, known also where this package is run without having been installed.
_CORE = (
    "numpy",
    "scipy",
    "cvxpy",
    "matplotlib",
    "numba",
    "array-api-compat",
    "typer",
    "joblib",
    "scikit-learn",
    "threadpoolctl",
)
# name: (what for, what to install)
_OPTIONAL = {
    "torch": ("networks, CUDA", "linreg-mirror[torch]"),
    "safetensors": ("checkpoints and saved masks", "linreg-mirror[torch]"),
    "distributed": ("clusters", "linreg-mirror[cluster]"),
    "python-flint": ("proofs", "linreg-mirror[proof]"),
    "sympy": ("proofs of theorems", "linreg-mirror[proof]"),
    "diffrax": ("a peer in the benchmarks", "diffrax"),
    "sphinx": ("the documentation", "linreg-mirror[docs]"),
    "pytest": ("the tests", "linreg-mirror[test]"),
}


@dataclass(frozen=True)
class Part:
    """One part that was examined.

    Attributes
    ----------
    name : str
        What was looked at.
    value : str
        What was found.
    remedy : str or None
        What to do or to type where something is missing or wrong.
    """

    name: str
    value: str
    remedy: str | None = None


def examine() -> list[Part]:
    """Look at Python, this package, its dependencies, the machine, and the optional parts.

    Every dependency is imported, and torch too if it is there: this takes seconds, and finds installations that are
    complete and do not work.

    Returns
    -------
    list of Part
        In that order. It never raises; what goes wrong is a finding.
    """
    return [
        Part("Python", f"{platform.python_version()} ({sys.executable})"),
        _this_package(),
        *(_dependency(name) for name in _CORE),
        *_blas_findings(),
        Part("CPU", f"{joblib.cpu_count()} of {os.cpu_count()} cores usable, {_cpu_model()}"),
        Part("memory", "unknown" if (memory := _memory_gib()) is None else f"{memory} GiB"),
        _gpu(),
        _folder("results", results_directory(), "LINREG_MIRROR_RESULTS"),
        _folder("compiled code", cache_directory(), "NUMBA_CACHE_DIR"),
        *(_optional(name, purpose, requirement) for name, (purpose, requirement) in _OPTIONAL.items()),
    ]


def environment() -> dict[str, Any]:
    """Return what a result should say about where it was made.

    Returns
    -------
    dict
        JSON-ready: `version` of this package and `commit` ("-dirty" appended where tracked files differ from it; None
        outside a checkout), `python`, `packages` (name to version), `platform`, and `machine` with `cpu`, `cores`,
        `memory_gib` and `blas`.
    """
    # Clarabel comes with cvxpy and is what it is measured with.
    packages = {name: _version(name) for name in (*_CORE, "clarabel", *_OPTIONAL)}
    return {
        "version": _version("linreg-mirror"),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name, found in packages.items() if found is not None},
        "platform": platform.platform(),
        "machine": {
            "cpu": _cpu_model(),
            "cores": joblib.cpu_count(),
            "memory_gib": _memory_gib(),
            "blas": [_described(library) for library in _blas_libraries()],
        },
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _pip_install(requirement: str, *options: str) -> str:
    """Return a command for the shell that installs into the environment of this process, active or not."""
    pip = shutil.which("pip")
    ours = pip is not None and Path(pip).parent == Path(sys.executable).parent
    command = "pip" if ours else f"{shlex.quote(sys.executable)} -m pip"
    return " ".join([command, "install", *options, f'"{requirement}"'])


def _this_package() -> Part:
    here, found, commit = Path(__file__).parents[1], _version("linreg-mirror"), _commit()
    value = f"{found or 'not installed, run'} from {here}" + (f", commit {commit}" if commit else "")
    return Part("linreg-mirror", value, None if found else _pip_install(str(here.parent), "--editable"))


def _dependency(name: str) -> Part:
    found = _version(name)
    if found is None:
        return Part(name, "missing", _pip_install(name))
    try:
        importlib.import_module({"scikit-learn": "sklearn"}.get(name, name.replace("-", "_")))
    except Exception as error:  # a compiled module that does not fit can raise anything
        return Part(name, f"{found}, import fails: {error}", _pip_install(name, "--force-reinstall"))
    return Part(name, found)


def _optional(name: str, purpose: str, requirement: str) -> Part:
    found = _version(name)
    return Part(name, f"missing ({purpose})", _pip_install(requirement)) if found is None else Part(name, found)


def _blas_libraries() -> list[dict[str, Any]]:
    importlib.import_module("scipy.linalg")  # NumPy's and SciPy's libraries are found once they are loaded
    return [library for library in threadpool_info() if library["user_api"] == "blas"]


def _described(library: dict[str, Any]) -> str:
    # The path tells NumPy's own library from SciPy's.
    owner = Path(library["filepath"]).parent.name.removesuffix(".libs")
    kind = " ".join(str(library[name]) for name in ("internal_api", "version", "architecture") if library.get(name))
    threads = library["num_threads"]
    return f"{kind} ({owner}), {threads} thread{'s' * (threads != 1)}"


def _blas_findings() -> Iterator[Part]:
    cores, libraries = joblib.cpu_count(), _blas_libraries()
    if not libraries:
        yield Part("BLAS", "none whose threads can be counted")
    for library in libraries:
        # Containers hide this: the library counts the machine's cores, and its threads then wait for one another.
        crowded = library["num_threads"] > cores
        remedy = f"export {library['internal_api'].upper()}_NUM_THREADS={cores}" if crowded else None
        yield Part("BLAS", _described(library), remedy)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # not POSIX
        return None


def _gpu() -> Part:
    if find_spec("torch") is None:
        return Part("GPU", "unknown without torch", _pip_install(_OPTIONAL["torch"][1]))
    try:
        torch = importlib.import_module("torch")
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    except Exception as error:  # drivers and compiled modules that do not fit can raise anything
        return Part("GPU", f"unknown, torch fails: {error}", _pip_install(_OPTIONAL["torch"][1]))
    return Part("GPU", f"{', '.join(names) or 'none'} (torch {torch.__version__}, {built})")


def _folder(name: str, folder: Path, variable: str) -> Part:
    folder = folder.absolute()
    there = next(parent for parent in (folder, *folder.parents) if os.path.exists(parent))
    if os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK):
        return Part(name, str(folder))
    return Part(name, f"{folder} cannot be written", f"set {variable} to a folder that can")


def _commit() -> str | None:
    """Return the commit of the checkout that this package is run from, or None."""

    def git(*arguments: str) -> str:
        # Reading must not take the lock from someone who commits meanwhile.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    here = Path(__file__).parent
    try:
        # An environment inside somebody else's repository is not a checkout of ours: there this file is not tracked.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):  # no git, no checkout, no commit yet
        return None
