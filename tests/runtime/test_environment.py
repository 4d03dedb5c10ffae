"""What the doctor finds, in this environment and in others that are made up."""

import configparser
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from linreg_mirror.runtime import environment
from linreg_mirror.runtime.environment import Part, examine

CHECKOUT = Path(__file__).parents[2]


def finding(name):
    return next(finding for finding in examine() if finding.name == name)


@pytest.fixture
def modules(monkeypatch):
    """Stand-ins for modules, by name; an exception is raised by the import."""
    stand_ins = {}
    real = importlib.import_module

    def import_module(name):
        if isinstance(stand_in := stand_ins.get(name), Exception):
            raise stand_in
        return stand_in or real(name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr(environment, "find_spec", stand_ins.get)
    return stand_ins


def fake_torch(*devices, cuda="13.0"):
    gpu = SimpleNamespace(device_count=lambda: len(devices), get_device_name=devices.__getitem__)
    return SimpleNamespace(cuda=gpu, version=SimpleNamespace(cuda=cuda), __version__="2.13.0")


def test_everything_is_looked_at():
    names = [finding.name for finding in examine()]
    assert names[:3] == ["Python", "linreg-mirror", "numpy"]
    assert {"BLAS", "CPU", "memory", "GPU", "results", "torch", "diffrax", "sphinx"} <= set(names)


def test_dependencies_are_those_of_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    required = setup["options"]["install_requires"].split("\n")
    assert list(environment._CORE) == [line.split()[0] for line in required if line]
    lowest = dict(re.findall(r"^([\w-]+)==(\S+)", (CHECKOUT / "constraints-lowest.txt").read_text(), re.MULTILINE))
    for name, bound in re.findall(r"^([\w-]+) >=([\d.]+),", "\n".join(required), re.MULTILINE):
        assert f"{lowest[name]}.0".startswith(f"{bound}."), f"{name} is tested at {lowest[name]}, not at {bound}"


def test_a_missing_part_comes_with_its_command(monkeypatch):
    monkeypatch.setattr(environment, "_version", lambda name: None)
    install = re.escape(sys.executable) + r'|pip install "linreg-mirror\[torch\]"'
    assert finding("torch").value == "missing (networks, CUDA)"
    assert re.search(install, finding("torch").remedy)
    assert finding("cvxpy").value == "missing"
    assert finding("cvxpy").remedy.endswith('install "cvxpy"')
    assert finding("linreg-mirror").value.startswith("not installed, run from")
    assert "--editable" in finding("linreg-mirror").remedy


def test_the_command_is_for_this_environment(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "other" / name))
    assert environment._pip_install("a") == f"'{tmp_path}/my env/python' -m pip install \"a\""
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "my env" / name))
    assert environment._pip_install("a") == 'pip install "a"'


def test_a_dependency_that_cannot_be_imported_is_found(modules):
    modules["numba"] = ImportError("Numba needs NumPy 2.0 or less")
    assert "import fails: Numba needs NumPy 2.0 or less" in finding("numba").value
    assert finding("numba").remedy.endswith('install --force-reinstall "numba"')


@pytest.mark.parametrize(
    ("torch", "value"),
    [
        (None, "unknown without torch"),
        (fake_torch("A", "B"), "A, B (torch 2.13.0, CUDA 13.0)"),
        (fake_torch(), "none (torch 2.13.0, CUDA 13.0)"),
        (fake_torch(cuda=None), "none (torch 2.13.0, built without CUDA)"),
        (OSError("libcudart.so not found"), "unknown, torch fails: libcudart.so not found"),
    ],
)
def test_the_gpu_is_known_through_torch_alone(modules, torch, value):
    modules["torch"] = torch
    assert finding("GPU").value == value
    assert bool(finding("GPU").remedy) == ("unknown" in value)


def test_torch_is_not_imported_with_the_module():
    program = (
        "import sys, linreg_mirror.runtime.environment; sys.exit('torch' in sys.modules or 'cvxpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=CHECKOUT)


def test_more_blas_threads_than_cores_is_found(monkeypatch):
    monkeypatch.setattr(environment.joblib, "cpu_count", lambda: 2)
    library = {"user_api": "blas", "internal_api": "openblas", "version": "0.3", "filepath": "/a/numpy.libs/b.so"}
    info = [library | {"num_threads": 64}, library | {"num_threads": 1}, {"user_api": "openmp"}]
    monkeypatch.setattr(environment, "threadpool_info", lambda: info)
    assert [found for found in examine() if found.name == "BLAS"] == [
        Part("BLAS", "openblas 0.3 (numpy), 64 threads", "export OPENBLAS_NUM_THREADS=2"),
        Part("BLAS", "openblas 0.3 (numpy), 1 thread"),
    ]
    monkeypatch.setattr(environment, "threadpool_info", list)
    assert finding("BLAS") == Part("BLAS", "none whose threads can be counted")


@pytest.mark.parametrize(
    ("name", "variable"), [("results", "LINREG_MIRROR_RESULTS"), ("compiled code", "NUMBA_CACHE_DIR")]
)
def test_a_folder_that_cannot_be_written_is_found(monkeypatch, tmp_path, name, variable):
    monkeypatch.setenv(variable, str(tmp_path / "new" / "folder"))
    assert finding(name) == Part(name, str(tmp_path / "new" / "folder"))
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file" / "folder"))
    assert finding(name).value == f"{tmp_path / 'file' / 'folder'} cannot be written"
    assert variable in finding(name).remedy


def test_environment_is_json_and_says_versions_and_machine():
    found = json.loads(json.dumps(environment.environment(), allow_nan=False))
    assert {"numpy", "scipy", "cvxpy"} <= set(found["packages"])
    assert found["python"] == sys.version.split()[0]
    assert found["machine"]["cpu"]
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["blas"]


def test_commit_is_of_our_checkout_only(tmp_path, monkeypatch):
    package = tmp_path / "linreg_mirror"
    package.mkdir()
    source = package / "doctor.py"
    source.touch()
    (tmp_path / "theirs.txt").touch()
    monkeypatch.setattr(environment, "__file__", str(source))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    assert environment._commit() is None
    git("init")
    git("add", "theirs.txt")
    git("commit", "-m", "theirs")
    assert environment._commit() is None
    git("add", "linreg_mirror")
    git("commit", "-m", "ours")
    commit = git("rev-parse", "HEAD")
    assert environment._commit() == commit
    source.write_text("changed")
    assert environment._commit() == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment._commit() is None
