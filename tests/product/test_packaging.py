"""What is released: its files, and that it works where there is no checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import linreg_mirror

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = linreg_mirror.__version__
DESCENT = """
import linreg_mirror as lm
problem = lm.Problem([[1.0, 2.0, 0.5]], [1.0])
lm.descent(problem, lm.Hadamard.at(x0=0.0, beta=1.0, d=3), step_size=0.01, steps=100)
print(lm.__file__)
"""


def run(*command, cwd):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tracked():
    """Return the files that git knows, or would if they were added."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT).splitlines()
    return [name for name in listed if (CHECKOUT / name).is_file()]


@pytest.fixture(scope="module")
def dist(tracked, tmp_path_factory):
    """Build from a copy of the checkout, as `python -m build` does, with the setuptools that is installed."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("release")
    for name in tracked:
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / "checkout" / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", "checkout", cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module", params=[f"linreg_mirror-{VERSION}-py3-none-any.whl", f"linreg_mirror-{VERSION}.tar.gz"])
def installed(request, dist, tmp_path_factory):
    """Install into a new environment, which finds the dependencies in this one; return its folder of commands."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    bin = folder / "env" / "bin"
    site = Path(run(bin / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # The .pth files of a folder that a .pth file adds are not read: so no editable install is found there.
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    pip = [sys.executable, "-m", "pip", "--python", bin / "python"]
    run(*pip, "install", "--no-index", "--no-deps", "--no-build-isolation", dist / request.param, cwd=folder)
    yield bin
    run(*pip, "uninstall", "--yes", "linreg-mirror", cwd=folder)
    left = [path.name for path in site.iterdir() if "linreg" in path.name or "sketching" in path.name]
    assert not left, "what is left in site-packages shadows an editable install"


@pytest.fixture
def command(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path / "results"))
    return lambda *words: run(installed / "linreg-mirror", *words, cwd=tmp_path)


def test_wheel_has_the_packages_and_nothing_else(dist, tracked):
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {name for name in tracked if name.startswith(("linreg_mirror/", "sketching/"))}
    assert {".py", ".toml", ".json", ".bib", ".typed", ".css", ".js"} == {Path(name).suffix or name for name in names}


def test_sdist_has_the_packages_and_what_they_are_built_from(dist, tracked):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert {name for name in names if name != "PKG-INFO" and ".egg-info/" not in name} == {
        *(name for name in tracked if name.startswith(("linreg_mirror/", "sketching/"))),
        *("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "MANIFEST.in", "setup.cfg", "pyproject.toml"),
    }


def test_the_index_would_take_them(dist):
    pytest.importorskip("twine")
    run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir(), cwd=dist)


def test_package_comes_from_the_new_environment(installed, command, tmp_path):
    assert command("--version") == f"linreg-mirror {VERSION}\n"
    # The descent compiles, and the end of `installed` sees whether that has left anything.
    assert str(installed.parent) in run(installed / "python", "-c", DESCENT, cwd=tmp_path)
    assert f"{VERSION} from" in command("doctor")


def test_theorems_hold(command, tmp_path):
    assert "mirror.optimality" in command("check", "mirror.optimality", "--instance", "planted/geometric/0")
    assert list((tmp_path / "results" / "check").rglob("report.html"))


def test_data_are_solved(command, tmp_path):
    np.savez(tmp_path / "data.npz", X=[[1.0, 2.0, 0.0]], y=[1.0])
    assert "minimum L1" in command("solve", "data.npz", "--scale", "1e-9")


def test_recipes_claims_and_bibliography_travel(command, tmp_path):
    pytest.importorskip("torch")
    command("train", "pilot-digits", "--set", "epochs=1")
    assert list((tmp_path / "results").rglob("*.safetensors"))
    assert len(command("claims").splitlines()) > 10
    assert "@inproceedings" in command("cite", "pilot")
