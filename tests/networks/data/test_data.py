"""Data sets of one's own, digits and teachers, and the batches of all: plain loops to compare with."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from linreg_mirror.networks.data import DATASETS, Batches, CropFlip, Data, DeviceGenerator, Split, hold_out, load
from linreg_mirror.networks.models import create


def random_images(n, channels, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, side, side), dtype=np.uint8)


def data_of(n=20, channels=3, side=6, classes=4):
    labels = np.arange(n) % classes
    train, test = random_images(n, channels, side), random_images(5, channels, side, seed=1)
    return Data.of("mine", train=(train, labels), test=(test, labels[:5]), classes=classes)


def numbered(n):
    """A split whose labels tell examples apart."""
    inputs = torch.arange(2.0 * n).reshape(n, 2)
    return Data.of("numbered", train=(inputs, torch.arange(n)), test=(inputs[:1], [0]), classes=n).train


# Data of one's own


def test_statistics_are_those_of_the_training_images():
    data = data_of()
    images = data.train.inputs.numpy().astype(float)
    np.testing.assert_allclose(data.train.mean, images.mean((0, 2, 3)), rtol=1e-14)
    np.testing.assert_allclose(data.train.std, images.std((0, 2, 3)), rtol=1e-14)
    assert (data.test.mean, data.test.std) == (data.train.mean, data.train.std)
    assert len(data.train) == 20
    assert data.train.labels.dtype == torch.int64
    assert data.unverified == ()


def test_statistics_by_hand():
    images = np.array([[[[0, 255]]], [[[255, 255]]]], np.uint8).repeat(2, axis=1)
    images[:, 1] = 7  # a constant channel
    split = Data.of("mine", train=(images, [0, 1]), test=(images, [0, 1]), classes=2).train
    assert split.mean == (191.25, 7.0)
    assert split.std == pytest.approx((255 * math.sqrt(3) / 4, 1.0), rel=1e-15)
    (inputs, labels), *rest = Batches(split, 2)
    assert not rest
    np.testing.assert_allclose(inputs[:, 0].flatten(), [-math.sqrt(3), *[1 / math.sqrt(3)] * 3], rtol=2e-7)
    assert not inputs[:, 1].any()
    assert labels.tolist() == [0, 1]


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint16, np.int64])
def test_labels_of_any_integer_type(kind):
    train, test = (random_images(3, 1, 2), np.array([0, 2, 1], kind)), (random_images(1, 1, 2), np.zeros(1, kind))
    data = Data.of("mine", train=train, test=test, classes=3)
    assert data.train.labels.tolist() == [0, 2, 1]


GOOD, LABELS = np.zeros((4, 1, 2, 2), np.uint8), np.zeros(4, np.int64)


@pytest.mark.parametrize(
    ("inputs", "labels", "classes", "message"),
    [
        (GOOD[:, 0], LABELS, 1, r"training set: inputs must be images .* got shape \(4, 2, 2\) of torch.uint8; gray"),
        (GOOD.astype(np.int64), LABELS, 1, r"inputs must be images .* of torch.int64"),
        (GOOD[:0], LABELS[:0], 1, r"not empty, got shape \(0, 1, 2, 2\)"),
        (np.zeros(4), LABELS, 1, r"got shape \(4,\) of torch.float64"),
        (np.array([[1.0], [np.nan]]), LABELS[:2], 1, "an entry of inputs is NaN or infinite"),
        (GOOD, LABELS[:3], 1, r"for 4 inputs labels must be classes \(n,\) of integers, got shape \(3,\)"),
        (GOOD, LABELS[:, None], 1, r"got shape \(4, 1\) of torch.int64"),
        (GOOD, LABELS + 0.5, 1, "of torch.float64"),
        (GOOD, LABELS == 0, 2, "of torch.bool"),
        (GOOD, LABELS, None, r"labels must be targets \(n, ...\) of floats, got shape \(4,\) of torch.int64"),
        (GOOD, LABELS + np.array([0, 0, 3, 0]), 3, r"labels must be in 0..2, got 3 for example 2"),
        (GOOD, LABELS - np.array([0, 1, 0, 0]), 3, r"labels must be in 0..2, got -1 for example 1"),
        (GOOD[:, :, :1], LABELS, 1, r"\(1, 1, 2\) of torch.uint8 in the training set, \(1, 2, 2\) of .* make them"),
    ],
)
def test_arrays_that_do_not_fit(inputs, labels, classes, message):
    test_labels = LABELS.astype(float) if classes is None else LABELS
    with pytest.raises(ValueError, match=message):
        Data.of("mine", train=(inputs, labels), test=(GOOD, test_labels), classes=classes)
    if "make them" not in message:
        with pytest.raises(ValueError, match=message.replace("training", "test")):
            Data.of("mine", train=(GOOD, test_labels), test=(inputs, labels), classes=classes)


def test_arrays_that_are_read_only():
    images = random_images(2, 1, 2)
    images.flags.writeable = False
    assert torch.equal(Data.of("m", train=(images, [0, 0]), test=(images, [0, 0]), classes=1).train.inputs,
                       torch.tensor(images.copy()))  # fmt: skip


@pytest.mark.parametrize("device", ["meta", "nowhere", "cpu:x", 2.5, None])
def test_devices_that_hold_nothing(device):
    with pytest.raises(ValueError, match=r"cannot be used here .*: there are cpu"):
        data_of().to(device)
    assert data_of().to("cpu").train.inputs.device == torch.device("cpu")


@pytest.mark.parametrize(("n", "classes", "examples"), [(20, 4, 5), (23, 4, 7), (50, 7, 49), (10, 10, 3), (9, 2, 1)])
def test_held_out_examples_are_in_proportion(n, classes, examples):
    labels = np.random.default_rng(1).integers(0, classes, n)
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
    data = Data.of("mine", train=(images, labels), test=(images[:1] + 200, labels[:1]), classes=classes)
    cut = hold_out(data, examples, np.random.default_rng(0))
    out, left = cut.test.inputs.flatten().tolist(), cut.train.inputs.flatten().tolist()
    assert len(out) == examples
    assert sorted(out + left) == list(range(n))
    assert cut.test.labels.tolist() == [labels[i] for i in out]
    counts, whole = Counter(cut.test.labels.tolist()), Counter(labels.tolist())
    for label, count in whole.items():
        assert abs(counts[label] - count * examples / n) < 1
    assert cut.train.mean == cut.test.mean == pytest.approx((np.mean(left),))


def test_held_out_examples_are_drawn_uniformly():
    split = numbered(6)
    data = Data("numbered", split, split, 6)
    runs = [hold_out(data, 2, np.random.default_rng(seed)).test.labels.tolist() for seed in range(600)]
    counts = np.bincount(np.concatenate(runs), minlength=6)
    assert np.all(abs(counts - 200) < 5 * math.sqrt(600 * 2 / 9))


def test_held_out_targets_and_bad_counts():
    data = load("teacher", widths=(3, 2), train=10, test=1, outputs=True)
    assert hold_out(data, 4, np.random.default_rng(0)).test.labels.shape == (4, 2)
    for examples in (0, 10, 2.0):
        with pytest.raises(ValueError, match="examples must be an integer from 1 to 9"):
            hold_out(data, examples, np.random.default_rng(0))
    with pytest.raises(TypeError, match="rng must be"):
        hold_out(data, 1, 0)


def test_a_limit_takes_some_of_each_class_and_always_the_same():
    whole, part = load("digits"), load("digits", limit=200)
    assert len(part.train) == 200
    assert len(part.test) == len(whole.test)
    counts, all_counts = part.train.labels.bincount(), whole.train.labels.bincount()
    assert (counts - all_counts * 200 / len(whole.train)).abs().max() <= 1
    assert torch.equal(part.train.inputs, load("digits", limit=200).train.inputs)
    rows = {tuple(row) for row in whole.train.inputs.flatten(1).tolist()}
    assert {tuple(row) for row in part.train.inputs.flatten(1).tolist()} <= rows
    # Both sets are normalised by the training images that are left.
    assert part.test.mean == part.train.mean != whole.train.mean
    for limit in (0, len(whole.train) + 1, 1.5):
        with pytest.raises(ValueError, match="limit"):
            load("digits", limit=limit)
    targets = load("teacher", model="mlp", train=50, test=5, limit=20)
    assert len(targets.train) == 20


def test_a_split_of_ones_own():
    split = Split(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.arange(3), (1.0,), (2.0,))
    ((inputs, labels),) = Batches(split, 3)
    assert inputs.unique().tolist() == [-0.5]
    assert labels.tolist() == [0, 1, 2]


# Augmentation


def drawing():
    return DeviceGenerator(0, like=torch.empty(0))


def cropped_one_by_one(images, drawn, padding):
    out = np.empty_like(images)
    for i, (top, left, mirrored) in enumerate(drawn):
        channels, height, width = images[i].shape
        canvas = np.zeros((channels, height + 2 * padding, width + 2 * padding), images.dtype)
        canvas[:, padding : padding + height, padding : padding + width] = images[i]
        crop = canvas[:, top : top + height, left : left + width]
        out[i] = crop[:, :, ::-1] if mirrored else crop
    return out


@pytest.mark.parametrize(("channels", "height", "width", "padding"), [(3, 32, 32, 4), (1, 5, 7, 2), (2, 3, 2, 6)])
@pytest.mark.parametrize("flip", [True, False])
def test_crop_and_flip_against_a_loop(channels, height, width, padding, flip):
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (60, channels, height, width), dtype=np.uint8)
    augment = CropFlip(padding, flip)
    drawn = augment.draw(60, drawing())
    changed = augment(torch.as_tensor(images), drawn)
    assert changed.dtype == torch.uint8
    np.testing.assert_array_equal(changed, cropped_one_by_one(images, drawn.numpy(), padding))
    assert bool(drawn[:, 2].any()) == flip


def test_crop_and_flip_by_hand():
    image = torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8)
    augment = CropFlip(padding=1)
    for drawn, expected in {
        (1, 1, 0): [[1, 2], [3, 4]],
        (1, 1, 1): [[2, 1], [4, 3]],
        (0, 0, 0): [[0, 0], [0, 1]],
        (2, 0, 0): [[0, 3], [0, 0]],
        (2, 0, 1): [[3, 0], [0, 0]],
        (1, 2, 1): [[0, 2], [0, 4]],
    }.items():
        assert augment(image, torch.tensor([drawn]))[0, 0].tolist() == expected


def test_nothing_is_changed_without_padding_and_flip():
    images = torch.as_tensor(random_images(5, 3, 4))
    augment = CropFlip(padding=0, flip=False)
    assert torch.equal(augment(images, augment.draw(5, drawing())), images)


def test_draws_are_uniform_and_independent():
    n, padding = 40_500, 4
    drawn = CropFlip(padding).draw(n, drawing()).numpy()
    counts = np.zeros((9, 9, 2))
    np.add.at(counts, tuple(drawn.T), 1)
    assert counts.sum() == n
    # 162 cells of 250 each: chi squared has mean 161 and standard deviation 18.
    assert ((counts - 250) ** 2 / 250).sum() < 161 + 5 * 18


@pytest.mark.parametrize("padding", [-1, 1.5, None])
def test_bad_padding(padding):
    with pytest.raises(ValueError, match="padding must be an integer >= 0"):
        CropFlip(padding)


# Batches


@pytest.mark.parametrize("size", [1, 3, 7, 20])
@pytest.mark.parametrize("drop_last", [True, False])
def test_an_epoch_has_each_example_once(size, drop_last):
    split = numbered(20)
    batches = Batches(split, size, seed=3, drop_last=drop_last)
    made = list(batches.epoch(2))
    assert len(made) == len(batches) == (20 // size if drop_last else -(-20 // size))
    assert [len(labels) for _, labels in made[:-1]] == [size] * (len(made) - 1)
    seen = torch.cat([labels for _, labels in made])
    assert len(set(seen.tolist())) == len(seen) == (20 // size * size if drop_last else 20)
    assert torch.equal(torch.cat([inputs for inputs, _ in made]), split.inputs[seen])


def orders(batches, *epochs):
    return [torch.cat([labels for _, labels in batches.epoch(epoch)]).tolist() for epoch in epochs]


def test_order_depends_on_seed_and_epoch_alone():
    split = numbered(50)
    one = orders(Batches(split, 8, seed=0), 0, 1, 2, 0)
    assert one[0] == one[3]
    assert len({tuple(order) for order in [*one, *orders(Batches(split, 8, seed=1), 0, 1, 2)]}) == 6
    assert orders(Batches(split, 5, seed=0), 1) == one[1:2]
    assert orders(Batches(split, 8), 0, 5) == [list(range(50))] * 2
    assert [labels.tolist() for _, labels in Batches(split, 50, seed=0)] == one[:1]


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (2**100, 7)])
def test_order_is_that_of_numpys_philox(seed, epoch):
    bits = np.random.Philox([0x64617461, seed], counter=[0, epoch, 0, 0])
    expected = np.argsort(bits.random_raw(50).view(np.int64)).tolist()
    assert orders(Batches(numbered(50), 8, seed=seed), epoch) == [expected]


def test_order_is_uniform():
    split = numbered(3)
    batches = Batches(split, 3, seed=7)
    counts = Counter(map(tuple, orders(batches, *range(1200))))
    assert len(counts) == 6
    assert all(abs(count - 200) < 5 * math.sqrt(1200 * 5 / 36) for count in counts.values())


def test_order_does_not_depend_on_augmentation():
    split = data_of(40, classes=40).train
    assert orders(Batches(split, 7, seed=1), 4) == orders(Batches(split, 7, seed=1, augment=CropFlip(1)), 4)


@pytest.mark.parametrize("start", [0, 1, 4, 6])
def test_resuming_gives_what_would_have_come(start):
    split = data_of(40, classes=40).train
    settings = {"size": 7, "seed": 5, "augment": CropFlip(2)}
    whole = list(Batches(split, **settings).epoch(3))
    rest = list(Batches(split, **settings).epoch(3, start))
    assert len(whole) == 6
    assert len(rest) == 6 - start
    for (inputs, labels), (again, same) in zip(whole[start:], rest, strict=True):
        assert torch.equal(inputs, again)
        assert torch.equal(labels, same)


def test_batches_are_augmented_and_normalised():
    split = data_of(40, classes=40).train
    augment = CropFlip(2)
    inputs, labels = (torch.cat(parts) for parts in zip(*Batches(split, 7, seed=5, augment=augment), strict=True))
    again, _ = (torch.cat(parts) for parts in zip(*Batches(split, 11, seed=5, augment=augment), strict=True))
    assert torch.equal(inputs, again)
    mean, std = (np.array(of)[:, None, None] for of in (split.mean, split.std))
    frames = set()
    for i, label in zip(inputs.numpy(), labels, strict=True):
        image = split.inputs[label].numpy()[None]
        crops = {}
        for drawn in np.ndindex(5, 5, 2):
            crops[drawn] = (cropped_one_by_one(image, [drawn], 2)[0] - mean) / std
        hits = [drawn for drawn, crop in crops.items() if np.allclose(i, crop, rtol=1e-6, atol=1e-6)]
        assert len(hits) == 1
        frames.add(hits[0])
    assert len(frames) > 20  # images are not all moved alike


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-15), ("float32", 3e-7), ("bfloat16", 2**-8)])
def test_dtypes(dtype, tolerance):
    split = data_of().train
    ((inputs, _),) = Batches(split, 20, dtype=getattr(torch, dtype))
    assert inputs.dtype == getattr(torch, dtype)
    mean, std = (np.array(of)[:, None, None] for of in (split.mean, split.std))
    np.testing.assert_allclose(inputs.double(), (split.inputs.numpy() - mean) / std, rtol=2 * tolerance, atol=tolerance)


def test_channels_last():
    split = data_of().train
    plain, last = (list(Batches(split, 8, seed=0, channels_last=on)) for on in (False, True))
    for (one, _), (other, _) in zip(plain, last, strict=True):
        assert torch.equal(one, other)
        assert one.is_contiguous()
        assert other.is_contiguous(memory_format=torch.channels_last)


def test_batches_leave_data_and_global_generators_alone():
    split = numbered(6)
    before = split.inputs.clone(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for inputs, labels in Batches(split, 6):
        inputs.zero_()
        labels.zero_()
    list(Batches(data_of().train, 3, seed=0, augment=CropFlip(1)))
    assert torch.equal(split.inputs, before[0])
    assert split.labels.tolist() == list(range(6))
    assert torch.equal(torch.get_rng_state(), before[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 21}, "1..20 examples, because there are 20 in all, got size=21: write size=20"),
        ({"size": 0}, "got size=0"),
        ({"size": 2.0}, "got size=2.0"),
        ({"size": True}, "got size=True"),
        ({"size": 2, "seed": -1}, "seed must be an integer >= 0"),
        ({"size": 2, "augment": CropFlip()}, "needs a seed: write seed=0"),
        ({"size": 2, "dtype": torch.int64}, "dtype must be a floating one, got torch.int64"),
    ],
)
def test_bad_batches(options, message):
    with pytest.raises(ValueError, match=message):
        Batches(data_of().train, **options)


@pytest.mark.parametrize("options", [{"augment": CropFlip()}, {"channels_last": True}])
def test_vectors_are_no_images(options):
    with pytest.raises(ValueError, match=r"for images of uint8, but inputs are torch.float32 of shape \(20, 2\)"):
        Batches(numbered(20), 5, seed=0, **options)


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0.0, 0), (0, -1), (0, 4), (0, 1.0)])
def test_bad_places_to_start_are_refused_at_once(epoch, start):
    with pytest.raises(ValueError, match=r"(epoch|start) must be an integer"):
        Batches(numbered(20), 7, seed=0).epoch(epoch, start)


# Digits, teachers


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    data = load("digits")
    assert data.train.inputs.shape == (1437, 1, 8, 8)
    assert data.test.inputs.shape == (360, 1, 8, 8)
    assert (data.classes, data.unverified) == (10, ())
    rows = [
        (*image.flatten().tolist(), int(label))
        for split in (data.train, data.test)
        for image, label in zip(split.inputs, split.labels, strict=True)
    ]
    assert Counter(rows) == Counter((*map(int, image), int(label)) for image, label in zip(images, labels, strict=True))
    share = np.bincount(data.test.labels, minlength=10) - np.bincount(labels) * 360 / 1797
    assert abs(share).max() < 1


def test_digits_are_split_by_their_seed():
    one, again, other = (load("digits", "a directory that is not looked at", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.test.inputs, again.test.inputs)
    assert torch.equal(one.train.inputs, load("digits").train.inputs)
    assert not torch.equal(one.test.inputs, other.test.inputs)
    with pytest.raises(ValueError, match="seed must be an integer"):
        load("digits", seed=0.5)


def matrix_of(data):
    """The teacher, found from its outputs, given that it is linear."""
    return np.linalg.lstsq(data.train.inputs.double().numpy(), data.train.labels.double().numpy(), rcond=None)[0]


def test_linear_teacher():
    options = {"model": "deep-linear", "widths": (12, 9, 5), "train": 300, "test": 40, "seed": 2}
    data = load("teacher", outputs=True, **options)
    assert data.classes is None
    assert data.test.labels.shape == (40, 5)
    matrix = matrix_of(data)
    np.testing.assert_allclose(data.test.inputs.double().numpy() @ matrix, data.test.labels, atol=2e-6)
    classes = load("teacher", **options)
    assert classes.classes == 5
    assert torch.equal(classes.train.inputs, data.train.inputs)
    np.testing.assert_array_equal(classes.test.labels, data.test.labels.numpy().argmax(1))
    student = create("deep-linear", seed=2, widths=(12, 9, 5))
    product = student[2].weight @ student[1].weight
    assert np.abs(product.detach().numpy().T - matrix).max() > 0.1


def test_sparse_teacher_keeps_its_largest_weights():
    options = {"model": "deep-linear", "widths": (12, 5), "train": 100, "test": 1, "outputs": True}
    dense, sparse = (matrix_of(load("teacher", keep=keep, **options)) for keep in (1.0, 0.25))
    largest = abs(dense) >= np.sort(abs(dense).ravel())[-15]
    np.testing.assert_allclose(sparse, np.where(largest, dense, 0), atol=2e-6)


def test_teacher_inputs_are_standard_normal_and_seeded():
    one, again, other = (load("teacher", train=2000, test=2000, seed=seed) for seed in (0, 0, 1))
    for inputs in (one.train.inputs, one.test.inputs):
        assert inputs.shape == (2000, 64)
        assert abs(inputs.mean()) < 5 / math.sqrt(128_000)
        assert abs(inputs.var() - 1) < 5 * math.sqrt(2 / 128_000)
    assert torch.equal(one.train.inputs, again.train.inputs)
    assert torch.equal(one.train.labels, again.train.labels)
    assert not torch.equal(one.train.inputs, other.train.inputs)
    assert not torch.equal(one.train.inputs, one.test.inputs)
    ((inputs, _),) = Batches(one.train, 2000, dtype=torch.bfloat16)
    assert torch.equal(inputs, one.train.inputs.bfloat16())


def test_teacher_of_images():
    data = load("teacher", model="lenet-5", train=3, test=2)
    assert data.train.inputs.shape == (3, 1, 28, 28)
    assert data.classes == 10


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"train": 0}, ValueError, "train must be an integer >= 1"),
        ({"test": 1.0}, ValueError, "test must be an integer >= 1"),
        ({"seed": None}, ValueError, "seed must be an integer >= 0"),
        ({"keep": 1.5}, ValueError, r"keep must be in \[0, 1\]"),
        ({"model": "mpl"}, ValueError, "unknown model 'mpl'"),
        ({"depth": 3}, TypeError, "'depth'; it takes widths"),
    ],
)
def test_bad_teachers(options, error, message):
    with pytest.raises(error, match=message):
        load("teacher", **options)


def test_unknown_names_and_options():
    with pytest.raises(ValueError, match=f"unknown data set 'cifar': known are {', '.join(DATASETS)}"):
        load("cifar")
    with pytest.raises(TypeError, match=r"digits: .*'size'; it takes seed=0"):
        load("digits", size=3)
    with pytest.raises(TypeError, match=r"mnist: .*'size'; it takes directory"):
        load("mnist", "nowhere", size=3)
