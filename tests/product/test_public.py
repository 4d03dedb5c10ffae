"""What the package offers: names, docstrings, a light and silent import."""

import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import linreg_mirror
import linreg_mirror.citations
import linreg_mirror.claims
import linreg_mirror.mirrors
import linreg_mirror.networks.recipes
import linreg_mirror.parametrizations
import linreg_mirror.plots
import linreg_mirror.theorems
import sketching

CHECKOUT = Path(__file__).resolve().parents[2]
MODULES = [
    *(linreg_mirror, linreg_mirror.mirrors, linreg_mirror.parametrizations, linreg_mirror.theorems),
    *(linreg_mirror.networks, linreg_mirror.networks.models, linreg_mirror.networks.data),
    *(linreg_mirror.networks.methods, linreg_mirror.networks.recipes, linreg_mirror.networks.gates),
    *(linreg_mirror.citations, linreg_mirror.claims, linreg_mirror.plots),
    *(sketching, sketching.network_scores),
]


def python(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("module", "name"), [pytest.param(m, n, id=f"{m.__name__}.{n}") for m in MODULES for n in m.__all__]
)
def test_public_names_exist_and_are_documented(module, name):
    assert_documented(getattr(module, name), name)


def assert_documented(value, name):
    doc = inspect.getdoc(value)
    assert doc
    if inspect.isclass(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "dataclasses get this where nothing is written"
    if inspect.isfunction(value):
        assert len(doc) > 20


def test_all_of_sketching_is_documented_and_stands_alone():
    for info in pkgutil.walk_packages(sketching.__path__, "sketching."):
        module = import_module(info.name)
        assert "linreg_mirror" not in inspect.getsource(module), info.name
        public = not any(part.startswith("_") for part in info.name.split("."))
        for name, value in vars(module).items() if public else ():
            if getattr(value, "__module__", None) == info.name and not name.startswith("_"):
                assert_documented(value, f"{info.name}.{name}")


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_documented_and_list_each_name_once(module):
    assert len(set(module.__all__)) == len(module.__all__)
    assert module.__doc__


def test_help_begins_with_ten_names():
    names = re.findall(r"^    (\w+)  +\S", linreg_mirror.__doc__, re.MULTILINE)
    assert len(names) == len(set(names) & set(linreg_mirror.__all__)) == 10


ONE_AND_MANY = ("flow", "flows"), ("descent", "descents"), ("limit", "limits"), ("minimum_l1", "minimum_l1s")


@pytest.mark.parametrize(("one", "many"), [*ONE_AND_MANY, ("lasso", "lassos")])
def test_what_solves_one_problem_names_what_solves_many(one, many):
    assert f"linreg_mirror.{many} : " in inspect.getdoc(getattr(linreg_mirror, one))


def test_import_is_light():
    heavy = ["torch", "cvxpy", "sklearn", "matplotlib", "numba", "joblib", "flint", "scipy.optimize", "scipy.integrate"]
    done = python("-c", f"import sys, linreg_mirror, sketching; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"


def test_import_is_silent():
    done = python("-W", "error", "-c", "import linreg_mirror, sketching")
    assert done.stdout == ""
    assert done.stderr == ""


def test_version_has_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", linreg_mirror.__version__)
