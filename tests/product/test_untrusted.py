"""Files from others run no code: nothing but arrays is unpickled, and a recipe names code only where it may."""

import ast
import gzip
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import linreg_mirror
import sketching
from linreg_mirror.citations import citation
from linreg_mirror.claims import evidence
from linreg_mirror.cli import app
from linreg_mirror.networks import data, models
from linreg_mirror.networks.pruning.masking import read_batch
from linreg_mirror.networks.recipes import names, read, read_comparison
from linreg_mirror.networks.training import checkpoints, train
from linreg_mirror.problems import from_file
from linreg_mirror.runtime.store import Store

PACKAGES = [Path(package.__file__).parent for package in (linreg_mirror, sketching)]


@pytest.fixture
def opened(tmp_path):
    """A file that is there once a pickle of `Hostile` has been opened."""
    return tmp_path / "opened"


class Hostile:
    """What its pickle does is what pickles can do: anything."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def contents(opened):
    """The pickle in the formats in which files are read, by the ending that such a file has."""
    hostile = Hostile(opened)
    folder = opened.parent / "made"
    folder.mkdir()
    np.savez(folder / "objects.npz", X=np.array([hostile], dtype=object), y=np.array([hostile], dtype=object))
    np.save(folder / "objects.npy", np.array([hostile], dtype=object))
    torch.save({"weight": hostile}, folder / "torch.pt")
    assert not opened.exists()
    return {
        "pickle": pickle.dumps(hostile),
        "old pickle": pickle.dumps(hostile, protocol=0),
        "gzip": gzip.compress(pickle.dumps(hostile)),
        **{file.name: file.read_bytes() for file in folder.iterdir()},
    }


def of_store(path):
    store = Store(path.parent)
    path.rename(store.path({"a": 1}))
    assert store.load({"a": 1}) is None
    assert list(store.records()) == []
    raise ValueError("counts as absent")


def small(epochs):
    return read("dense-digits", [f"epochs={epochs}", 'data={"name": "teacher", "train": 64, "test": 16}'])


def of_checkpoint(path):
    recipe, folder = small(epochs=2), path.parent / "run"

    def killed(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder=folder, progress=killed)
    path.replace(folder / "checkpoint.safetensors")
    train(recipe, folder=folder)


def of_settings(path):
    recipe, folder = small(epochs=1), path.parent / "run"
    folder.mkdir()
    path.replace(folder / "recipe.json")
    train(recipe, folder=folder)


def of_claims(path):
    path.rename(path.with_name("fashion-lenet.json"))
    evidence.collect(path.parent)


def of_dataset(name, file):
    def reader(path):
        path.rename(path.parent / file)
        data.load(name, path.parent)

    return reader


def of_images(path):
    for part in ("train", "val"):
        (path.parent / part / "class").mkdir(parents=True)
        (path.parent / part / "class" / "image.png").write_bytes(path.read_bytes())
    data.load("folder", path.parent, size=8)


READERS = {
    "solve, npz": (".npz", from_file),
    "solve, csv": (".csv", lambda path: from_file(path, path)),
    "masks --data": (".npz", lambda path: read_batch(models.create("mlp", seed=0), path, 3, np.random.default_rng(0))),
    "recipe": (".toml", read),
    "checkpoint": (".safetensors", checkpoints.load),
    "run that goes on": (".safetensors", of_checkpoint),
    "settings of a run": (".json", of_settings),
    "store": (".json", of_store),
    "cite": (".json", citation),
    "claims --results": (".json", of_claims),
    "mnist": (".raw", of_dataset("mnist", "train-images-idx3-ubyte")),
    "cifar10": (".raw", of_dataset("cifar10", "data_batch_1")),
    "images": (".raw", of_images),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_file_is_unpickled(tmp_path, opened, reader):
    suffix, read_it = READERS[reader]
    for number, content in enumerate(contents(opened).values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / f"file{suffix}"
        path.write_bytes(content)
        with pytest.raises((ValueError, OSError)):
            read_it(path)
        assert not opened.exists()


def test_the_pickles_of_these_tests_would_run(opened):
    pickle.loads(contents(opened)["pickle"])
    assert opened.exists()


def calls():
    """All calls in the packages: the file, the name that is called, and the call."""
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path.relative_to(package.parent).as_posix(), ast.unparse(node.func), node


def test_nothing_in_the_packages_opens_pickles_or_runs_text():
    forbidden = {
        *("eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "torch.load", "joblib.load"),
        *("cloudpickle.load", "cloudpickle.loads", "dill.load", "shelve.open", "pandas.read_pickle", "runpy.run_path"),
    }
    # Theorems of a user's own: the one file that is run, and only with --allow-code.
    own = [("linreg_mirror/verification/own.py", name) for name in ("compile", "exec")]
    assert sorted({(file, name) for file, name, _ in calls() if name in forbidden}) == own
    loads = [call for _, name, call in calls() if name in ("np.load", "numpy.load")]
    assert len(loads) == 2
    for call in loads:
        assert {"allow_pickle": "False"}.items() <= {
            word.arg: ast.unparse(word.value) for word in call.keywords
        }.items()
    importers = {file for file, name, _ in calls() if name.rpartition(".")[2] == "import_module"}
    # The names of submodules, of installed packages, and the one place where a name may come from a recipe.
    assert importers == {
        "sketching/__init__.py",
        "linreg_mirror/runtime/environment.py",
        "linreg_mirror/networks/models/registry.py",
    }


MODULE = """
import torch
{touch}

def factory():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
"""
RECIPES = {
    "model": 'model = { name = "hostile:factory" }',
    "dotted": 'model = { name = "hostile:factory.__call__" }',
    "of the machine": 'model = { name = "os:system", command = "true" }',
    "teacher": 'data = { name = "teacher", model = "hostile:factory" }',
    "grid": 'compare = { methods = { a = { grid = { "model.name" = ["mlp", "hostile:factory"] } } } }',
    "of a method": 'compare = { methods = { a = { model = { name = "hostile:factory" } } } }',
}


@pytest.fixture
def hostile_module(tmp_path, monkeypatch, opened):
    (tmp_path / "hostile.py").write_text(MODULE.format(touch=f"open({str(opened)!r}, 'w').close()"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path / "results"))
    yield
    sys.modules.pop("hostile", None)


@pytest.mark.parametrize("where", RECIPES)
def test_a_recipe_names_code_only_where_that_is_allowed(tmp_path, hostile_module, opened, where):
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 1\n" + RECIPES[where], encoding="utf-8")
    for read_it in (read, read_comparison):
        with pytest.raises(ValueError, match=r"recipe\.toml names code, (hostile|os):\S+, .* write --allow-code"):
            read_it(path)
    for command in ("train", "compare"):
        done = CliRunner().invoke(app, [command, str(path)])
        assert done.exit_code == 2
        assert "--allow-code" in done.output
    assert not opened.exists()
    assert (read_comparison if "compare" in RECIPES[where] else read)(path, allow_code=True)
    assert not opened.exists(), "to read is not to run"


def test_code_that_is_allowed_runs(tmp_path, hostile_module, opened):
    path = tmp_path / "recipe.toml"
    path.write_text(f"epochs = 1\n{RECIPES['model']}", encoding="utf-8")
    done = CliRunner().invoke(app, ["train", str(path), "--allow-code"])
    assert done.exit_code == 0, done.output
    assert opened.exists()


def test_what_is_typed_needs_no_flag(tmp_path, hostile_module, opened):
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 1", encoding="utf-8")
    done = CliRunner().invoke(app, ["train", str(path), "--set", "model.name=hostile:factory"])
    assert done.exit_code == 0, done.output
    assert opened.exists()


def test_modules_in_the_current_folder_are_left_alone(tmp_path, monkeypatch, opened):
    (tmp_path / "safetensors.py").write_text(f"open({str(opened)!r}, 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    done = CliRunner().invoke(app, ["masks", "mlp", "--score", "magnitude", "--output", "masks.safetensors"])
    assert done.exit_code == 0, done.output
    assert sys.path == before
    assert not opened.exists()


def test_recipes_of_the_package_name_no_code():
    assert all(read(name) for name in names())  # which refuses code
    assert len(names()) > 20
