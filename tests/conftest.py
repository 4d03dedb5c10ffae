"""What tests of any part may ask for."""

from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from linreg_mirror import cli
from tests.helpers.clusters import Dask

pytest.register_assert_rewrite("tests.helpers.training")  # whose helpers assert, as tests do

# Without torch there are no networks, and so no tests of them, nor of all that is public or drawn.
_OF_ALL = ("citations", "docs", "docstrings", "figures", "public", "torture", "untrusted")
IN_TORCH = [
    *("networks", "sketching/networks", "sketching/test_hostile.py"),
    *(f"product/test_{part}.py" for part in _OF_ALL),
]
collect_ignore = [] if find_spec("torch") else IN_TORCH


@pytest.fixture(scope="module")
def one_thread():
    """Threads of tests that run side by side are in each other's way."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command line: called with words, it returns what they did; results go to tmp_path/results."""
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(cli.console, "width", 130)
    return lambda *words: CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture
def dask(tmp_path):
    """A Dask scheduler whose workers a test starts."""
    pytest.importorskip("distributed")
    (folder := tmp_path / "elsewhere").mkdir()
    cluster = Dask(folder)
    yield cluster
    cluster.stop()
