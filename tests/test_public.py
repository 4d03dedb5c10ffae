"""What the package offers: names, docstrings, a light and silent import, a README that is true."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import linreg_mirror
import linreg_mirror.mirrors
import linreg_mirror.parametrizations
import linreg_mirror.theorems
from linreg_mirror.theorems import REGISTRY, instance
from linreg_mirror.theorems.check import select

CHECKOUT = Path(__file__).resolve().parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
MODULES = [linreg_mirror, linreg_mirror.mirrors, linreg_mirror.parametrizations, linreg_mirror.theorems]


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
    value = getattr(module, name)
    doc = inspect.getdoc(value)
    assert doc
    if inspect.isclass(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "dataclasses get this where nothing is written"
    if inspect.isfunction(value):
        assert len(doc) > 20


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_documented_and_list_each_name_once(module):
    assert len(set(module.__all__)) == len(module.__all__)
    assert module.__doc__


def test_import_is_light():
    heavy = ["torch", "cvxpy", "sklearn.linear_model", "matplotlib"]
    done = python("-c", f"import sys, linreg_mirror; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"


def test_import_is_silent():
    done = python("-W", "error", "-c", "import linreg_mirror")
    assert done.stdout == ""
    assert done.stderr == ""


def test_version_is_that_of_the_distribution():
    text = (CHECKOUT / "setup.cfg").read_text(encoding="utf-8")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", linreg_mirror.__version__)
    assert linreg_mirror.__version__ in text or "linreg_mirror.__version__" in text


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_readme_code_runs(capsys):
    names = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("converged")
    assert len(printed) == 3
    gap, _, certificate = printed[1].partition(" ")
    assert float(gap) < 1e-6
    assert certificate.startswith("valid")
    assert float(printed[2].split()[0]) >= 0
    assert names["run"].x.shape[1] == names["problem"].d == 100


def test_readme_theorem_is_the_one_in_the_ledger():
    (snippet,) = [block for block in blocks("python") if "@theorem" in block]
    sources = "".join(p.read_text(encoding="utf-8") for p in (CHECKOUT / "linreg_mirror" / "theorems").glob("*.py"))
    assert snippet[snippet.index("@theorem") :].strip() in sources


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
