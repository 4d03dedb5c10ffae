"""Masks in files: they come back by name, for whoever may read the folder."""

import pytest
import torch

import sketching
from linreg_mirror.networks.pruning import largest, load_masks, save_masks
from tests.helpers.methods import make
from tests.helpers.training import network


def test_masks_come_back_and_apply(tmp_path):
    method, model = make("dense"), network()
    method.attach(model)
    masks = method.finish(0.25)
    path = save_masks(tmp_path / "new" / "masks.safetensors", masks)
    found = load_masks(path)
    assert found.keys() == masks.keys()
    assert all(torch.equal(found[name], mask) for name, mask in masks.items())
    other = sketching.apply_masks(network(1), found)
    assert int((other[0].weight != 0).sum() + (other[3].weight != 0).sum()) == 18
    again, third = make("pilot"), network(2)
    again.attach(third, load_masks(path))


def test_others_may_read_them(tmp_path):
    path = save_masks(tmp_path / "a.safetensors", largest({"w": torch.ones(2, 2)}, 0.5))
    (tmp_path / "b").touch()
    assert path.stat().st_mode == (tmp_path / "b").stat().st_mode


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"masks are kept in safetensors files, got a\.pt: write a\.safetensors"):
        save_masks("a.pt", {})
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no masks, or is damaged"):
        load_masks(tmp_path / "x.safetensors")
