"""Where compiled code is kept: in the user's cache, never beside the sources."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numba
import pytest

import linreg_mirror
from linreg_mirror._tools.compilation import cache_directory, compiled

PACKAGE = Path(linreg_mirror.__file__).parent
DESCENT = """
import numpy as np, linreg_mirror as lm
from linreg_mirror.solvers.discrete import kernels
problem = lm.Problem(np.array([[1.0, 2.0, 0.5]]), np.array([1.0]))
run = lm.descent(problem, lm.Hadamard.at(x0=0.0, beta=1.0, d=3), step_size=0.01, steps=100)
print(run.x[-1].tolist(), sum(kernels.take_steps.stats.cache_hits.values()))
"""


def half(x):
    return 0.5 * x


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "linreg-mirror" / "numba"


def sources():
    # Other tests write bytecode meanwhile.
    return {path for path in PACKAGE.rglob("*") if not path.name.rpartition(".pyc")[1]}


def run_descents(count):
    command = [sys.executable, "-c", DESCENT]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PACKAGE.parent, text=True) for _ in range(count)]
    printed = [process.communicate(timeout=300)[0].rpartition(" ") for process in running]
    assert [process.returncode for process in running] == [0] * count
    return [x for x, _, _ in printed], [int(hits) for _, _, hits in printed]


def test_a_descent_leaves_nothing_beside_the_sources_and_is_compiled_once(cache):
    before = sources()
    first, _ = run_descents(2)  # side by side, so that both write
    again, hits = run_descents(1)
    assert hits == [1]
    assert len({*first, *again}) == 1
    assert sources() == before
    names = [path.name.partition("-")[0] for path in cache.rglob("*.nbi")]
    # And what its distance to the limit is proved with.
    assert sorted(names) == ["double_double_kernels." + name for name in ("exp", "product", "scaled_sinh")] + [
        "kernels.take_steps"
    ]


def test_a_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = numba.config.CACHE_DIR
    function = compiled()(half)
    assert before == numba.config.CACHE_DIR, "the functions of others stay where they are"
    assert tmp_path in Path(function.stats.cache_path).parents
    assert function(1.0) == 0.5
    assert list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("writable_sources", [True, False])
def test_without_a_folder_that_can_be_written_nothing_is_kept(cache, tmp_path, writable_sources):
    (tmp_path / "cache").touch()
    function = half
    if not writable_sources:  # nor is there a file that numba could write beside
        names = {}
        exec("def half(x): return 0.5 * x", names)
        function = names["half"]
    function = compiled()(function)
    assert function.stats.cache_path is None
    assert function(1.0) == 0.5


def test_uncompiled_functions_stay_what_they_are(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert compiled()(half) is half


def test_a_user_without_a_home_has_no_cache_in_the_working_directory(monkeypatch):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache_directory() == Path("/~/.cache/linreg-mirror/numba")


def test_what_is_inlined_counts(cache, tmp_path):
    inlined = ModuleType("inlined")
    folders = set()
    for text in ("FACTOR = 1", "FACTOR = 2"):
        (tmp_path / "inlined.py").write_text(text)
        inlined.__file__ = str(tmp_path / "inlined.py")
        folders.add(compiled(inlined)(half).stats.cache_path)
    assert len(folders) == 2
