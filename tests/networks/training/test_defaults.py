"""What the device decides where a recipe says nothing, and what a run keeps of it."""

import json
from dataclasses import replace

import pytest
import torch

from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from linreg_mirror.networks.training.defaults import settled, tuned
from linreg_mirror.networks.training.precision import autocast, dtype_of
from linreg_mirror.networks.training.runs import run_folder
from tests.helpers.training import Killed, killed_after

pytestmark = pytest.mark.usefixtures("one_thread")

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=2, batch=400, recalibrate=0)
OPEN = ("precision", "channels_last", "cudnn_benchmark")


def settings(recipe):
    return tuple(getattr(recipe, name) for name in OPEN)


def test_fast_on_cuda_and_plain_elsewhere():
    assert settings(Recipe()) == (None, None, None)
    assert settings(settled(Recipe(), GPU)) == ("bfloat16", True, True)
    assert settings(settled(Recipe(), CPU)) == ("float32", False, False)
    assert settings(settled(Recipe(), GPU, images=False)) == ("bfloat16", False, True)
    assert settled(Recipe(epochs=3), GPU).epochs == 3


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("said", [{"precision": "float64"}, {"channels_last": True}, {"channels_last": False}])
def test_what_a_recipe_says_stays(device, said):
    assert said.items() <= vars(settled(Recipe(**said), device, images=False)).items()


def test_weights_stay_in_single_precision_under_bfloat16():
    recipe = settled(Recipe(), GPU)
    assert dtype_of(recipe) == dtype_of(Recipe()) == torch.float32
    with autocast(recipe, CPU):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16


def test_open_settings_leave_the_name_of_a_run_alone():
    assert Recipe().unusual == {}
    assert run_folder(Recipe()) != run_folder(Recipe(precision="float32"))


def test_a_run_keeps_what_it_used(tmp_path):
    run = train(SMALL, folder=tmp_path)
    kept = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert tuple(kept[name] for name in OPEN) == settings(run.recipe) == ("float32", False, False)


def test_a_run_goes_on_with_its_own(tmp_path):
    """Here bfloat16, as if it had begun on CUDA; what says otherwise is refused."""
    with pytest.raises(Killed):
        train(replace(SMALL, precision="bfloat16"), folder=tmp_path, progress=killed_after(1))
    with pytest.raises(ValueError, match="precision = 'bfloat16', now 'float32'"):
        train(replace(SMALL, precision="float32"), folder=tmp_path)
    run = train(SMALL, folder=tmp_path)
    assert run.recipe.precision == "bfloat16"
    assert run.history == train(SMALL, folder=tmp_path).history


def test_cudnn_is_left_as_it_was(monkeypatch):
    for before in (False, True):
        monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
        for wanted in (True, False):
            with tuned(Recipe(cudnn_benchmark=wanted)):
                assert torch.backends.cudnn.benchmark == wanted
            assert torch.backends.cudnn.benchmark == before
        with pytest.raises(Killed), tuned(Recipe(cudnn_benchmark=not before)):
            raise Killed
        assert torch.backends.cudnn.benchmark == before


def test_a_run_tunes_cudnn_while_it_trains(tmp_path):
    seen = []
    recipe = replace(SMALL, epochs=1, cudnn_benchmark=True)
    train(recipe, folder=tmp_path, progress=lambda record: seen.append(torch.backends.cudnn.benchmark))
    assert seen == [True]
    assert not torch.backends.cudnn.benchmark


def test_a_run_of_a_version_without_these_settings_goes_on(tmp_path):
    with pytest.raises(Killed):
        train(SMALL, folder=tmp_path, progress=killed_after(1))
    path = tmp_path / "recipe.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    del kept["cudnn_benchmark"]
    path.write_text(json.dumps(kept), encoding="utf-8")
    assert len(train(SMALL, folder=tmp_path).history) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compile": "graphs"}, "compile must be true, false or \"graph\", got 'graphs'"),
        ({"compile": None}, 'compile must be true, false or "graph", got None'),
        ({"precision": "half"}, "precision must be one of float32, float64, bfloat16, got 'half'"),
        ({"channels_last": 1}, "channels_last must be true or false, got 1: leave it out for the device's default"),
        ({"cudnn_benchmark": "yes"}, "cudnn_benchmark must be true or false, got 'yes'"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)
