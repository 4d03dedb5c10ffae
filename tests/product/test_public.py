"""What the package offers: names, docstrings, a light and silent import, a README that is true."""

import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import linreg_mirror
import linreg_mirror.citations
import linreg_mirror.claims
import linreg_mirror.mirrors
import linreg_mirror.networks.recipes
import linreg_mirror.parametrizations
import linreg_mirror.theorems
import sketching
from linreg_mirror.ledger import instance
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import select

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
MODULES = [
    *(linreg_mirror, linreg_mirror.mirrors, linreg_mirror.parametrizations, linreg_mirror.theorems),
    *(linreg_mirror.networks, linreg_mirror.networks.models, linreg_mirror.networks.data),
    *(linreg_mirror.networks.methods, linreg_mirror.networks.recipes, linreg_mirror.networks.gates),
    *(linreg_mirror.citations, linreg_mirror.claims),
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


def test_import_is_light():
    heavy = ["torch", "cvxpy", "sklearn", "matplotlib", "numba", "joblib", "scipy.optimize", "scipy.integrate"]
    done = python("-c", f"import sys, linreg_mirror, sketching; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"


def test_import_is_silent():
    done = python("-W", "error", "-c", "import linreg_mirror, sketching")
    assert done.stdout == ""
    assert done.stderr == ""


def test_version_has_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", linreg_mirror.__version__)


def blocks():
    return re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def run(code, names):
    exec(compile(code, "README.md", "exec"), names)


def test_readme_code_runs(capsys):
    names = {}
    run(blocks()[0], names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("converged")
    assert len(printed) == 3
    gap, _, certificate = printed[1].partition(" ")
    assert float(gap) < 1e-6
    assert certificate.startswith("valid")
    assert float(printed[2].split()[0]) >= 0
    assert names["run"].x.shape[1] == names["problem"].d == 100


def test_readme_search_finds_the_smallest_scale(capsys):
    names = {}
    (search,) = (block for block in blocks() if "GridSearchCV" in block)
    run(blocks()[0] + search, names)
    assert names["search"].best_params_ == {"scale": 1e-9}  # the planted vector is sparse
    assert ": 1e-09} converged" in capsys.readouterr().out


def test_readme_masks_are_what_they_are_said_to_be(capsys):
    names = {}
    linear, network, data_free, factory = (
        block for block in blocks() if re.search("_masks|sketch_error|input_shape", block)
    )
    run(linear, names)
    expected, drawn = capsys.readouterr().out.splitlines()
    assert expected.startswith("signal")
    assert float(drawn) >= 0
    assert np.count_nonzero(names["factors"]) == 40

    def kept():
        masks = names["masks"]
        return sum(int(mask.sum()) for mask in masks.values()), sum(mask.numel() for mask in masks.values())

    run(network, names)
    assert "total" in capsys.readouterr().out
    assert kept()[0] == int(kept()[1] * 0.05 + 0.5)
    assert kept()[0] == sum(int((w != 0).sum()) for w in sketching.prunable(names["model"]).values())
    run(data_free.replace("rounds=100", "rounds=2"), names)
    assert kept()[0] == int(kept()[1] * 0.05 + 0.5)
    run(factory, names)
    model = names["network"]()
    assert model(names["torch"].ones(2, *model.input_shape)).shape == (2, 10)


def test_readme_training_ends_sparse(capsys):
    names = {}
    network, training = (block for block in blocks() if "digits" in block)
    run("import numpy as np, sketching; rng = np.random.default_rng(0)\n" + network, names)
    capsys.readouterr()
    run(training, names)
    assert float(capsys.readouterr().out.strip("tensor()\n")) > 0.8
    assert names["method"].decay > 0.5
    left = sum(int((weight != 0).sum()) for weight in sketching.prunable(names["model"]).values())
    assert left == sum(int(mask.sum()) for mask in names["masks"].values()) == 851


def test_readme_names_of_sketching_exist():
    for name in re.findall(r"`sketching\.(\w+)`", README):
        assert hasattr(sketching, name), name
    for name in re.findall(r"(?:Allocation|Selection)[^*]*", README)[:2]:
        for one in re.findall(r"`(\w+)[`(]", name):
            assert one in sketching.__all__, one


def test_readme_names_theorems_and_instances_that_exist():
    commands = re.findall(r"linreg-mirror check +(\S.*)$", README, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        words = shlex.split(command, comments=True)
        assert select([words[0]])
        if "--instance" in words:
            assert instance(words[words.index("--instance") + 1]).name
    for name in re.findall(r"^ +([a-z]+\.[a-z0-9_.]+) +(?:MM|W20|ZW23|LWLA22|ours)\b", README, re.MULTILINE):
        assert name in REGISTRY


def test_readme_names_that_are_called_exist():
    for name in re.findall(r"`lm\.([a-z_0-9.]+)", README):
        assert hasattr(linreg_mirror, name), name
    for name in re.findall(r"`schedules\.(\w+)`", README):
        assert hasattr(linreg_mirror.schedules, name), name
    listed = re.search(r"`schedules\.Constant`((?:,\s+`\w+`)+)", README)
    for name in re.findall(r"`(\w+)`", listed[1]):
        assert hasattr(linreg_mirror.schedules, name), name
    for name in ("at", "from_scale", "from_alpha", "balanced"):
        assert f"`.{name}`" in README or f"Hadamard.{name}" in README
        assert callable(getattr(linreg_mirror.Hadamard, name))
