"""Checkpoints: what is saved comes back, and what cannot be saved leaves the old one whole."""

import json

import pytest
import torch

from linreg_mirror.networks.training import checkpoints


def test_checkpoints_come_back_as_they_were(tmp_path):
    tensors = {"a": torch.randn(3, 2, generator=torch.Generator().manual_seed(0)), "b": torch.tensor([True, False])}
    state = {"epoch": 3, "list": [1.5, None]}
    checkpoints.save(tmp_path / "new" / "x.safetensors", tensors | {"c": tensors["a"]}, state)  # shared memory
    found, again = checkpoints.load(tmp_path / "new" / "x.safetensors")
    assert again == state
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_damaged_checkpoint_is_an_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoints.save(path, {"a": torch.ones(100)}, {})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"is no checkpoint, or damaged .*delete it to start again"):
        checkpoints.load(path)


def test_what_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoints.save(path, {"a": torch.ones(2)}, {})
    with pytest.raises(TypeError):
        checkpoints.save(path, {"a": torch.zeros(2)}, {"epoch": object()})
    assert checkpoints.load(path)[0]["a"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_full_disk_leaves_the_old_one(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "x.safetensors"
    checkpoints.save(path, {"a": torch.ones(2)}, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot write .*x\.safetensors .*free some space"):
            checkpoints.save(path, {"a": torch.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoints.load(path)[0]["a"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def test_optimisers_come_back_as_they_were():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    tensors, state = checkpoints.optimizer_state(optimizer)
    other = torch.optim.Adam([weight], lr=0.7)
    checkpoints.restore_optimizer(other, tensors, json.loads(json.dumps(state)))
    found, expected = other.state_dict(), optimizer.state_dict()
    assert json.dumps(found["param_groups"]) == json.dumps(expected["param_groups"])
    assert str(found["state"]) == str(expected["state"])


def test_others_may_read_it(tmp_path):
    """safetensors writes files that only their owner can read."""
    checkpoints.save(tmp_path / "a", {"a": torch.ones(2)}, {})
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_folder_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").touch()
    message = "cannot write a run: .*; free some space, mend the permissions, or set LINREG_MIRROR_RESULTS"
    with pytest.raises(OSError, match=message), checkpoints.alone(tmp_path / "file" / "run"):
        pass


def test_an_error_within_is_left_as_it_is(tmp_path):
    with pytest.raises(OSError, match=r"^mine$"), checkpoints.alone(tmp_path / "run"):
        raise OSError("mine")
    with checkpoints.alone(tmp_path / "run"):  # and the folder is free again
        pass
