"""Image folders that stay files: read by workers, cut at random or in the middle; against Pillow and closed forms."""

import hashlib
import math
import multiprocessing
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from PIL import Image, ImageOps

from linreg_mirror.networks.data import Batches, CropFlip, Data, DeviceGenerator, ResizedCrop, hold_out, load
from linreg_mirror.networks.data import batches as batches_module
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train

MEAN = np.array([0.485, 0.456, 0.406])[:, None, None]
STD = np.array([0.229, 0.224, 0.225])[:, None, None]
# Workers are forked where torch has threads; they use none.
forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def write(place, sizes, seed=0):
    """Write images of these (height, width) in turn, 13 for training and 5 for testing; return them in order."""
    rng = np.random.default_rng(seed)
    images = {}
    for part, label, n in (("train", "cat", 6), ("train", "dog", 7), ("val", "cat", 2), ("val", "dog", 3)):
        (place / part / label).mkdir(parents=True)
        for i in range(n):
            image = rng.integers(0, 256, (*sizes[i % len(sizes)], 3), dtype=np.uint8)
            Image.fromarray(image).save(place / part / label / f"{i}.png")
            images.setdefault(part, []).append(image)
    return images


@pytest.fixture
def small(tmp_path):
    """Images of 8 x 8, which need no resizing."""
    images = write(tmp_path, [(8, 8)])
    return tmp_path, {part: np.stack(of).transpose(0, 3, 1, 2) for part, of in images.items()}


@pytest.fixture
def mixed(tmp_path):
    images = write(tmp_path, [(20, 31), (40, 22), (17, 17), (9, 60)])
    return tmp_path, images


def pixels(inputs):
    """Undo the normalisation."""
    return np.rint((inputs.numpy() * STD + MEAN) * 255).astype(int)


def joined(batches):
    inputs, labels = zip(*batches, strict=True)
    return torch.cat(inputs), torch.cat(labels)


def same(some, others):
    pairs = zip(some, others, strict=True)
    return all(torch.equal(a, b) and torch.equal(labels, other) for (a, labels), (b, other) in pairs)


# What a batch holds


def test_batches_are_those_of_images_in_memory(small):
    place, images = small
    lazy, eager = load("folder", place, lazy=True, size=8, resize=8), load("folder", place)
    assert lazy.classes == eager.classes == 2
    for split, other, arrays in ((lazy.train, eager.train, images["train"]), (lazy.test, eager.test, images["val"])):
        other = replace(other, mean=split.mean, std=split.std)
        for settings in ({}, {"seed": 3}, {"seed": 3, "augment": CropFlip(2)}, {"channels_last": True}):
            assert same(Batches(split, 4, **settings), Batches(other, 4, **settings))
        inputs, labels = joined(Batches(split, 4, dtype=torch.float64))
        np.testing.assert_allclose(inputs, (arrays / 255 - MEAN) / STD, rtol=1e-13, atol=1e-13)
        assert labels.tolist() == other.labels.tolist()
        assert len(split) == len(arrays)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("last", [True, False])
def test_layout(small, dtype, last):
    split = load("folder", small[0], lazy=True, size=8).train
    for inputs, _ in Batches(split, 5, dtype=dtype, channels_last=last):
        assert inputs.dtype == dtype
        assert inputs.is_contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def test_the_middle_by_hand(tmp_path):
    # The shorter side, 16, is 14 * 256 / 224: nothing is resized.
    images = write(tmp_path, [(16, 16), (16, 20), (26, 16)])
    split = load("folder", tmp_path, lazy=True, size=14).test
    middles = [{16: image[1:15], 26: image[6:20]}[len(image)] for image in images["val"]]
    middles = [{16: image[:, 1:15], 20: image[:, 3:17]}[image.shape[1]] for image in middles]
    inputs, _ = joined(Batches(split, 3))
    np.testing.assert_array_equal(pixels(inputs), np.stack(middles).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("size", "resize", "edge"), [(14, None, 1 / 16), (14, 14, 0), (7, 14, 1 / 4)])
def test_the_middle_against_pillow(mixed, size, resize, edge):
    place, images = mixed
    split = load("folder", place, lazy=True, size=size, resize=resize).train
    expected = [ImageOps.fit(Image.fromarray(image), (size, size), bleed=edge) for image in images["train"]]
    inputs, _ = joined(Batches(split, 4))
    np.testing.assert_array_equal(pixels(inputs), np.stack(expected).transpose(0, 3, 1, 2))


def test_the_middle_in_two_steps(tmp_path):
    rows, columns = np.mgrid[:300, :400] / 60
    smooth = 127 + 60 * np.stack([np.sin(rows), np.cos(columns), np.sin(rows - columns)], axis=2)
    write(tmp_path, [(8, 8)])
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "val" / "cat" / "0.png")
    split = load("folder", tmp_path, lazy=True, size=224).test
    shown = Image.fromarray(smooth.astype(np.uint8)).resize((341, 256)).crop((58, 16, 282, 240))
    inputs, _ = next(iter(Batches(split, 1)))
    assert abs(pixels(inputs)[0] - np.asarray(shown, int).transpose(2, 0, 1)).max() <= 3


@pytest.mark.parametrize("flip", [True, False])
def test_random_crops_against_pillow(mixed, flip):
    place, images = mixed
    split = load("folder", place, lazy=True, size=11).train
    crop = split.augmentation(flip=flip)
    assert crop == ResizedCrop(flip=flip)
    settings = {"seed": 5, "augment": crop}
    inputs, _ = joined(Batches(split, 4, **settings).epoch(2))
    order, seeds = Batches(split, 4, **settings)._drawn(2)
    mirrors = 0
    for shown, i, seed in zip(pixels(inputs), order, seeds, strict=True):
        image = Image.fromarray(images["train"][i])
        box, mirrored = crop.place(*image.size, int(seed))
        expected = image.resize((11, 11), Image.Resampling.BICUBIC, box=box)
        expected = ImageOps.mirror(expected) if mirrored else expected
        np.testing.assert_array_equal(shown, np.asarray(expected).transpose(2, 0, 1))
        mirrors += mirrored
    assert 0 < mirrors < 13 if flip else mirrors == 0


def test_crops_of_whole_images(small):
    split = load("folder", small[0], lazy=True, size=8, resize=8).train
    plain = Batches(split, 13, seed=1)
    assert same(Batches(split, 13, seed=1, augment=ResizedCrop(area=1.0, flip=False)), plain)
    ((inputs, _),), ((flipped, _),) = plain, Batches(split, 13, seed=1, augment=ResizedCrop(area=1.0))
    pairs = list(zip(inputs, flipped, strict=True))
    turned = [torch.equal(one, other.flip(2)) for one, other in pairs]
    assert 0 < sum(turned) < 13
    assert all(mirrored or torch.equal(*pair) for mirrored, pair in zip(turned, pairs, strict=True))


# Where random crops are


def near(values, expected):
    return abs(np.mean(values) - expected) < 5 * np.std(values) / math.sqrt(len(values))


@pytest.mark.parametrize("area", [0.08, 0.5])
def test_crops_have_the_distribution_they_should(area):
    side, end = 1000, math.log(4 / 3)
    crop = ResizedCrop(area)
    seeds = crop.draw(20_000, DeviceGenerator(0, like=torch.empty(0)))
    assert (seeds.shape, seeds.dtype) == ((20_000,), torch.int64)
    boxes, mirrored = zip(*(crop.place(side, side, int(seed)) for seed in seeds), strict=True)
    left, top, right, bottom = np.array(boxes).T
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= side
    width, height = right - left, bottom - top
    shares, ratios = width * height / side**2, np.log(width / height)
    assert shares.min() > area - 0.002
    assert abs(ratios).max() < end + 0.01
    # Of (a, u), uniform on [area, 1] x [-end, end], those with a <= exp(-|u|) fit: integrals over u >= 0 of 1, a and u.
    kept = 1 / 4 - area * end
    assert near(shares, ((1 - 9 / 16) / 4 - area**2 * end / 2) / kept)
    assert near(abs(ratios), (1 / 4 - 3 / 4 * end - area * end**2 / 2) / kept)
    assert near(ratios, 0)
    for first, length in ((left, width), (top, height)):
        free = length < side
        assert near(first[free] / (side - length[free]), 1 / 2)
        assert near((first[free] / (side - length[free])) ** 2, 1 / 3)
    assert near(mirrored, 1 / 2)


def test_flips_leave_crops_where_they_are():
    one, other = (ResizedCrop(flip=flip) for flip in (True, False))
    assert [one.place(50, 40, seed)[0] for seed in range(30)] == [other.place(50, 40, seed)[0] for seed in range(30)]
    assert not any(other.place(50, 40, seed)[1] for seed in range(30))


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1000, 10, (493, 0, 506, 10)), (10, 1000, (0, 493, 10, 506)), (1, 1, (0, 0, 1, 1)), (90, 1, (44, 0, 45, 1))],
)
def test_images_that_no_crop_fits(width, height, expected):
    assert {ResizedCrop(1.0).place(width, height, seed)[0] for seed in range(20)} == {expected}


@pytest.mark.parametrize("area", [0, -0.1, 1.1, math.nan, True, "0.08", None])
def test_bad_areas(area):
    with pytest.raises(ValueError, match="area is the smallest share of an image"):
        ResizedCrop(area)


# Order


@forks
def test_batches_depend_on_seed_and_epoch_alone(mixed):
    split = load("folder", mixed[0], lazy=True, size=7).train

    def made(seed, epoch, start=0, **settings):
        return list(Batches(split, 3, seed=seed, augment=ResizedCrop(), **settings).epoch(epoch, start))

    whole = made(0, 1)
    assert len(whole) == 5
    for workers, start in ((1, 0), (2, 0), (2, 2), (0, 2), (0, 4), (0, 5)):
        assert same(made(0, 1, start, workers=workers), whole[start:])
    for others in (made(0, 2), made(1, 1)):
        assert not same(others, whole)
    assert same(made(0, 1, drop_last=True), whole[:4])


def test_parts_of_batches_make_up_the_whole(mixed):
    lazy, eager = load("folder", mixed[0], lazy=True, size=7).train, load("folder", mixed[0], size=7).train
    for split in (lazy, eager):
        settings = {"seed": 2, "augment": split.augmentation()}
        parts = [list(Batches(split, 4, part=(k, 3), **settings)) for k in range(3)]
        for step, (inputs, labels) in enumerate(Batches(split, 4, **settings)):
            for k in range(3):
                assert torch.equal(parts[k][step][0], inputs[k::3])
                assert torch.equal(parts[k][step][1], labels[k::3])
    assert [len(labels) for _, labels in parts[1]] == [1, 1, 1, 0]  # the last of the batches has one example


def test_held_out_images(mixed):
    data = load("folder", mixed[0], lazy=True, size=7)
    cut = hold_out(data, 4, np.random.default_rng(0))
    paths = [*cut.train.inputs.paths, *cut.test.inputs.paths]
    assert (len(cut.train), len(cut.test)) == (9, 4)
    assert sorted(paths) == sorted(data.train.inputs.paths)
    for split in (cut.train, cut.test):
        assert [Path(path).parent.name for path in split.inputs.paths] == [("cat", "dog")[i] for i in split.labels]
        assert (split.mean, split.std) == (data.train.mean, data.train.std)
    assert same([next(iter(Batches(data.to("cpu").train, 1)))], [next(iter(Batches(data.train, 1)))])


# Workers


@forks
def test_loops_that_are_left_early(small):
    batches = Batches(load("folder", small[0], lazy=True, size=8).train, 1, workers=2)
    before = set(multiprocessing.active_children())
    for _ in batches:
        assert len(set(multiprocessing.active_children()) - before) == 2
        break
    assert set(multiprocessing.active_children()) <= before


def test_generators_of_torch_are_left_alone(small):
    before = torch.get_rng_state()
    list(Batches(load("folder", small[0], lazy=True, size=8).train, 4))
    assert torch.equal(torch.get_rng_state(), before)


@forks
def test_workers_of_a_job(small):
    """As where a comparison runs several jobs."""
    split = load("folder", small[0], lazy=True, size=8).train
    (found,) = Parallel(n_jobs=2)([delayed(list)(Batches(split, 4, workers=1))])
    assert same(found, Batches(split, 4))


@pytest.mark.parametrize(("images", "process", "workers"), [(999, (0, 1), 0), (1000, (0, 1), 6), (1000, (1, 4), 1)])
def test_the_default_number_of_workers(small, images, process, workers, monkeypatch):
    monkeypatch.setattr(batches_module, "cpu_count", lambda: 6)
    split = load("folder", small[0], lazy=True, size=8).train
    many = replace(split, inputs=replace(split.inputs, paths=split.inputs.paths[:1] * images))
    asked = []
    monkeypatch.setattr(batches_module, "DataLoader", lambda *_, num_workers, **__: asked.append(num_workers) or [])
    list(Batches(many, images, part=process).epoch(0, 1))
    assert asked == [workers]


@forks
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_images_that_cannot_be_read(small, content, workers):
    place, _ = small
    data, path = load("folder", place, lazy=True, size=8), place / "train" / "dog" / "0.png"
    path.write_bytes(path.read_bytes()[:-60] if content is None else content)
    seen = []
    with pytest.raises(ValueError, match=r"dog.0\.png cannot be read as an image"):
        seen.extend(labels.tolist() for _, labels in Batches(data.train, 2, workers=workers))
    assert seen == [[0, 0]] * 3
    path.unlink()
    with pytest.raises(ValueError, match=r"dog.0\.png cannot be read as an image"):
        list(Batches(data.train, 13, workers=workers))
    with pytest.raises(FileNotFoundError, match=r"0\.png"):
        data.digest()


def test_without_pillow(small, monkeypatch):
    data = load("folder", small[0], lazy=True, size=8)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match="images are read by Pillow: pip install pillow"):
        list(Batches(data.train, 2))


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lazy": True}, "lazy images are brought to one size .* write size=224"),
        ({"lazy": True, "size": 8, "resize": 7}, "resize must be an integer >= 8, got 7"),
        ({"lazy": True, "size": 0}, "size must be an integer >= 1"),
        ({"resize": 9, "size": 8}, "resize is for lazy images, got resize=9: write lazy=True"),
        ({"lazy": "no", "size": 8}, "lazy must be true or false, got 'no'"),
    ],
)
def test_bad_options(small, options, message):
    with pytest.raises(ValueError, match=message):
        load("folder", small[0], **options)


def test_bad_batches(small):
    lazy, eager = load("folder", small[0], lazy=True, size=8).train, load("folder", small[0]).train
    for split, options, message in (
        (eager, {"augment": ResizedCrop(), "seed": 0}, r"for images in files, .* write augment=CropFlip\(\)"),
        (lazy, {"augment": ResizedCrop()}, "needs a seed"),
        (lazy, {"workers": -1}, "workers must be an integer >= 0"),
        (lazy, {"part": (2, 2)}, r"part\[0\] must be an integer from 0 to 1, got 2"),
        (lazy, {"part": (0, 0)}, r"part\[1\] must be an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Batches(split, 2, **options)
    assert eager.augmentation(padding=1) == CropFlip(1)
    with pytest.raises(TypeError, match="padding"):
        lazy.augmentation(padding=1)


# What runs are known by, and runs


def test_digests(small, tmp_path):
    place, images = small
    first = load("folder", place, lazy=True, size=8).digest()
    copied = shutil.copytree(place, tmp_path / "elsewhere" / "copy", copy_function=shutil.copyfile)
    assert load("folder", copied, lazy=True, size=8).digest() == first
    with (copied / "val" / "dog" / "2.png").open("ab") as file:
        file.write(b"\0")
    longer = load("folder", copied, lazy=True, size=8).digest()
    (copied / "val" / "dog" / "1.png").rename(copied / "val" / "dog" / "9.png")
    renamed = load("folder", copied, lazy=True, size=8).digest()
    (copied / "val" / "dog" / "2.png").rename(copied / "val" / "cat" / "2.png")
    moved = load("folder", copied, lazy=True, size=8).digest()
    assert len({first, longer, renamed, moved}) == 4
    arrays = images["train"], np.array([0] * 6 + [1] * 7), images["val"], np.array([0, 0, 1, 1, 1])
    content = b"".join(array.tobytes() for array in arrays)
    assert load("folder", place).digest() == hashlib.sha256(content).hexdigest()
    assert Data.of("mine", train=arrays[:2], test=arrays[2:], classes=2).digest() == hashlib.sha256(content).hexdigest()


def test_runs_go_on_where_they_were(small, tmp_path):
    options = {"name": "folder", "lazy": True, "size": 8}
    recipe = Recipe(data=options, model={"name": "mlp", "widths": [192, 5, 2]}, epochs=2, batch=4, validation=3)
    whole = train(recipe, folder=tmp_path / "whole", data_directory=small[0])

    def killed(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder=tmp_path / "parts", data_directory=small[0], progress=killed)
    parts = train(recipe, folder=tmp_path / "parts", data_directory=small[0])
    assert all(torch.equal(one, parts.model.state_dict()[name]) for name, one in whole.model.state_dict().items())
    assert len(parts.history) == 2
