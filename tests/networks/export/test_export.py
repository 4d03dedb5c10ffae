"""Export: files come back, sizes are those on disk, verdicts follow from the times, runs of others run no code."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import sketching
from linreg_mirror.networks import export, models
from linreg_mirror.networks.export.latency import with_rows
from linreg_mirror.networks.methods import PILoT
from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.training import train
from linreg_mirror.networks.training.defaults import settled

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=1, batch=100)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(RECIPE, folder=tmp_path_factory.mktemp("run") / "mlp")


def sparse(name="mlp", keep=0.1):
    finished = export.Finished(replace(RECIPE, model={"name": name}), models.create(name, seed=0).eval())
    finished.prune(keep)
    return finished.model


@pytest.mark.parametrize("name", ["mlp", "resnet8"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 1.0])
def test_files_come_back_to_the_bit(tmp_path, name, keep):
    model = sparse(name, keep)
    for form, read in (("safetensors", load_file), ("csr", export.read_csr)):
        state = read(export.export(model, tmp_path / form, form))
        assert state.keys() == model.state_dict().keys()
        assert all(torch.equal(state[key], tensor) for key, tensor in model.state_dict().items())
    models.create(name, seed=1).load_state_dict(state)


@pytest.mark.parametrize("form", ["safetensors", "csr"])
def test_masks_are_folded_into_what_is_written(tmp_path, form):
    model, masked = sparse("mlp", 0.1), models.create("mlp", seed=0).eval()
    sketching.apply_masks(masked, {name: weight != 0 for name, weight in sketching.prunable(model).items()})
    path = export.export(masked, str(tmp_path / "model"), form)
    state = {"safetensors": load_file, "csr": export.read_csr}[form](path)
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[key], tensor) for key, tensor in model.state_dict().items())
    assert sketching.masks_of(masked)  # it keeps its own
    PILoT(epochs=1).attach(model)
    with pytest.raises(ValueError, match=r"are made of other parameters: call method\.finish\(\)"):
        export.export(model, tmp_path / "other", form)


def test_sizes_are_those_of_the_files(tmp_path):
    model = sparse()
    sizes = export.sizes_of(model)
    assert sizes.dense == export.export(model, tmp_path / "a", "safetensors").stat().st_size
    assert sizes.csr == export.export(model, tmp_path / "b", "csr").stat().st_size
    # 4 bytes each of 17,024 weights; 8 of each that is kept, and 4 of each of 203 ends of rows.
    assert sizes.dense > 4 * 17_024 > sizes.csr > 8 * 1702 + 4 * (129 + 65 + 11)
    assert sizes.compressed < sizes.dense
    whole = export.sizes_of(sparse(keep=1.0))
    assert whole.csr > whole.dense


def test_sparse_rows_compute_the_same():
    model = sparse()
    inputs = torch.randn(5, 64)
    other = with_rows(model)
    assert not any(isinstance(module, torch.nn.Linear) for module in other.modules())
    torch.testing.assert_close(other(inputs), model(inputs))
    layer = torch.nn.Linear(4, 3, bias=False)
    torch.testing.assert_close(with_rows(layer)(torch.ones(2, 5, 4)), layer(torch.ones(2, 5, 4)))
    assert with_rows(torch.nn.ReLU()) is None


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (2, 3), "stride": (2, 1), "dilation": (1, 2), "bias": False},
        {"kernel_size": (2, 3), "padding": "same", "dilation": 2},
        {"kernel_size": 1, "stride": 2},
    ],
)
def test_sparse_rows_of_convolutions_compute_the_same(options):
    layer = torch.nn.Conv2d(3, 5, **options)
    with torch.no_grad():
        layer.weight *= torch.rand_like(layer.weight) < 0.3
    images = torch.randn(4, 3, 9, 11)
    torch.testing.assert_close(with_rows(layer)(images), layer(images))


def test_convolutions_without_sparse_rows_stay():
    for options in ({"groups": 2}, {"padding": 1, "padding_mode": "circular"}):
        assert with_rows(torch.nn.Conv2d(4, 4, 3, **options)) is None
    model = sparse("resnet8")
    images = torch.randn(2, *models.input_shape(model))
    other = with_rows(model)
    assert not any(isinstance(module, torch.nn.Conv2d) for module in other.modules())
    torch.testing.assert_close(other(images), model(images))


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        ((1.0, None, None), "No time is gained: no channel is empty, and torch has no sparse form of these layers."),
        ((1.0, None, 1.8), "No time is gained: with sparse rows a pass takes 1.80 times as long as dense."),
        ((2.0, 1.96, 4.0), "No time is gained: without empty channels a pass takes 0.98 times as long as dense."),
        ((2.0, 1.0, 4.0), "Without empty channels a pass takes 0.50 of the time that it takes dense."),
    ],
)
def test_one_honest_sentence(times, verdict):
    assert export.Latency(1, *times).verdict == verdict


def test_latency_has_the_forms_that_there_are():
    model = sparse("resnet8", 1.0)
    found = export.latency_of(model, seconds=0.001)
    assert found.dense > 0
    assert found.csr > 0
    assert found.extracted is None  # no channel is empty
    with torch.no_grad():
        model.layer1[0].bn1.weight[:8] = 0
        model.layer1[0].bn1.bias[:8] = 0
    assert export.latency_of(model, seconds=0.001).extracted > 0


# ---- runs


def test_the_command_writes_a_run(run, command):
    for form, ending in (("safetensors", "safetensors"), ("csr", "csr.safetensors")):
        result = command("export", run.folder, "--format", form, "--keep", "0.1")
        assert result.exit_code == 0, result.output
        path = run.folder / f"export-0.1.{ending}"
        assert str(path) in result.output.replace("\n", "")
        state = (load_file if form == "safetensors" else export.read_csr)(path)
        assert sum(int((state[key] != 0).sum()) for key in ("1.weight", "3.weight")) == round(0.1 * 1184)
    assert "a pass takes" in result.output or "No time" in result.output
    said = json.loads(command("export", run.folder, "--keep", "0.1", "--json").output)
    assert said["file"] == str(run.folder / "export-0.1.safetensors")
    assert said["bytes"].keys() == {"dense", "csr", "compressed"}
    assert said["seconds"]["dense"] > 0
    result = command("export", run.folder, "--keep", "2:4", "--output", run.folder / "half")
    assert result.exit_code == 0, result.output
    state = load_file(run.folder / "half")
    assert (state["1.weight"].view(16, 16, 4) != 0).sum(2).max() == 2


def test_a_run_as_it_has_ended(run):
    finished = export.read_run(run.folder)
    assert finished.recipe == run.recipe == settled(RECIPE, torch.device("cpu"))
    assert all(
        torch.equal(one, other) for one, other in zip(finished.model.parameters(), run.model.parameters(), strict=True)
    )


def test_onnx_says_what_it_needs(run, command, monkeypatch):
    monkeypatch.setattr("linreg_mirror.networks.export.files.find_spec", lambda name: None)
    result = command("export", run.folder, "--format", "onnx")
    assert result.exit_code == 2
    assert "to write ONNX torch needs onnx and onnxscript: pip install onnx onnxscript" in result.output
    assert not list(run.folder.glob("*onnx*"))


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch's exporter
def test_onnx_computes_the_same(tmp_path):
    reference = pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxscript")
    model = sparse()
    path = export.export(model, tmp_path / "x.onnx", "onnx")
    x = torch.linspace(-1, 1, math.prod(models.input_shape(model))).reshape(1, *models.input_shape(model))
    (outputs,) = reference.ReferenceEvaluator(str(path)).run(["outputs"], {"inputs": x.numpy()})
    torch.testing.assert_close(torch.as_tensor(outputs), model.eval()(x).detach())
    assert list(tmp_path.iterdir()) == [path]  # which holds the weights


def test_onnx_is_one_file(tmp_path, monkeypatch):
    """By a stand-in for torch's exporter, which writes weights beside the file unless it is told not to."""

    def exporter(model, arguments, path, *, external_data=True, **_):
        path.touch()
        if external_data:
            path.with_name(f"{path.name}.data").touch()

    monkeypatch.setattr("linreg_mirror.networks.export.files.find_spec", lambda name: name)
    monkeypatch.setattr(torch.onnx, "export", exporter)
    path = export.export(sparse(), tmp_path / "x.onnx", "onnx")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_explained(run, command, tmp_path):
    (tmp_path / "file").touch()
    result = command("export", run.folder, "--output", tmp_path / "file" / "x.safetensors")
    assert result.exit_code == 2
    output = " ".join(result.output.split())
    assert "cannot export a network: " in output
    assert "mend the permissions, or name another file by --output" in output


def test_what_cannot_be_exported(run, command, tmp_path):
    for words, message in (
        ((tmp_path,), "holds no run: name the folder of one"),
        ((run.folder, "--format", "pt"), "the format must be one of safetensors, csr, onnx, got 'pt'"),
        ((run.folder, "--keep", "much"), "--keep is a share in [0, 1], or n:m"),
        ((run.folder, "--keep", "2"), "keep must be in [0, 1]"),
    ):
        result = command("export", *words)
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no sparse rows, or is damaged"):
        export.read_csr(tmp_path / "x")


def test_runs_that_are_not_finished_or_of_others(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    settings = {"model": {"name": "mine:network"}}
    (folder / "recipe.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ValueError, match="is not finished: train it to the end"):
        export.read_run(folder)
    (folder / "final.safetensors").touch()
    with pytest.raises(ValueError, match=r"is code, mine:network, which would be run: .* write --allow-code"):
        export.read_run(folder)
    (folder / "recipe.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        export.read_run(folder)


def test_a_cycle_can_be_exported_and_all_of_them_not(tmp_path):
    recipe = replace(RECIPE, iterative=Iterative("learning-rate", cycles=2, keep=0.5))
    train(recipe, folder=tmp_path / "lrr")
    with pytest.raises(FileNotFoundError, match="cycle-00 to cycle-01"):
        export.read_run(tmp_path / "lrr")
    model = export.read_run(tmp_path / "lrr" / "cycle-01").model
    assert sum(int((model.get_parameter(name) != 0).sum()) for name in ("1.weight", "3.weight")) == 592
