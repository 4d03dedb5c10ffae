"""Data sets in files: the official layouts, written here byte by byte, and what is damaged, missing or hostile."""

import gzip
import hashlib
import struct
import sys

import numpy as np
import pytest
import torch

from linreg_mirror.networks.data import cifar, idx, load
from linreg_mirror.networks.data.unpickling import arrays_only

# MNIST and Fashion-MNIST


def idx_bytes(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + bytes(array.ravel().tolist())


def write_idx(place, *, n=5, test=3, compressed=True, seed=0):
    rng = np.random.default_rng(seed)
    place.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, count in (("train", n), ("t10k", test)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        content = idx_bytes(array)
        (place / f"{name}{'.gz' * compressed}").write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    return arrays


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    ("name", "place"),
    [("mnist", "."), ("mnist", "MNIST/raw"), ("fashion-mnist", "."), ("fashion-mnist", "FashionMNIST/raw")],
)
def test_idx_files(tmp_path, name, place, compressed):
    arrays = write_idx(tmp_path / place, compressed=compressed)
    data = load(name, tmp_path)
    assert (data.name, data.classes) == (name, 10)
    for split, part in ((data.train, "train"), (data.test, "t10k")):
        np.testing.assert_array_equal(split.inputs[:, 0], arrays[f"{part}-images-idx3-ubyte"])
        np.testing.assert_array_equal(split.labels, arrays[f"{part}-labels-idx1-ubyte"])
    assert set(data.unverified) == set(arrays)


def test_the_folder_of_the_set_comes_first(tmp_path):
    write_idx(tmp_path)
    arrays = write_idx(tmp_path / "MNIST" / "raw", seed=1)
    np.testing.assert_array_equal(
        load("mnist", str(tmp_path)).train.inputs[:, 0], arrays["train-images-idx3-ubyte"]
    )  # fmt: skip


@pytest.mark.parametrize("compressed", [True, False])
def test_checksums_are_of_contents(tmp_path, monkeypatch, compressed):
    arrays = write_idx(tmp_path, compressed=compressed)
    md5 = {name: hashlib.md5(idx_bytes(array)).hexdigest() for name, array in arrays.items()}
    monkeypatch.setitem(idx._RELEASES, "fashion-mnist", idx._RELEASES["fashion-mnist"]._replace(md5=md5))
    assert load("fashion-mnist", tmp_path).unverified == ()
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\S* is train-images-idx3-ubyte of fashion-mnist"):
        load("mnist", tmp_path)
    changed = bytearray(idx_bytes(arrays["t10k-images-idx3-ubyte"]))
    changed[100] ^= 1
    ending = ".gz" * compressed
    (tmp_path / f"t10k-images-idx3-ubyte{ending}").write_bytes(changed)
    assert load("fashion-mnist", tmp_path).unverified == ("t10k-images-idx3-ubyte",)


LABELS_FILE, IMAGES_FILE = "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (IMAGES_FILE, b"", "is not an IDX file of bytes with 3 dimensions: it begins with '', '00000803' is expected"),
        (IMAGES_FILE, b"\x89PNG\r\n\x1a\n" + bytes(20), "begins with '89504e47'"),
        (IMAGES_FILE, idx_bytes(np.zeros(3, np.uint8)), "begins with '00000801', '00000803' is expected"),
        (IMAGES_FILE, struct.pack("<4I", 2051, 3, 28, 28) + bytes(3 * 784), "begins with '03080000'"),
        (IMAGES_FILE, idx_bytes(np.zeros((3, 28, 28), np.uint8))[:-1],
         "is truncated or damaged: 2351 bytes follow its header, which announces 3 x 28 x 28"),
        (IMAGES_FILE, idx_bytes(np.zeros((3, 28, 28), np.uint8)) + b"x", "2353 bytes follow"),
        (IMAGES_FILE, idx_bytes(np.zeros((3, 28, 28), np.uint8))[:9], "begins with '00000803'"),
        (IMAGES_FILE, struct.pack(">4I", 2051, *[2**32 - 1] * 3), "announces 4294967295 x 4294967295 x 4294967295"),
        (IMAGES_FILE, idx_bytes(np.zeros((3, 32, 32), np.uint8)), r"holds images of \(32, 32\), \(28, 28\) is expect"),
        (IMAGES_FILE, gzip.compress(idx_bytes(np.zeros((3, 28, 28), "u1")), mtime=0)[:-9], "is a damaged gzip file"),
        (IMAGES_FILE, b"\x1f\x8b" + bytes(30), "is a damaged gzip file"),
        (LABELS_FILE, idx_bytes(np.zeros(4, np.uint8)), "holds 4 labels for 5 images"),
        (LABELS_FILE, idx_bytes(np.array([0, 9, 10, 0, 0], np.uint8)), r"labels must be in 0..9, got 10 for example 2"),
    ],
)  # fmt: skip
def test_idx_files_that_are_none(tmp_path, file, content, message):
    write_idx(tmp_path)
    (tmp_path / f"{file}.gz").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load("mnist", tmp_path)
    assert str(tmp_path / f"{file}.gz") in str(caught.value)


def test_empty_sets_are_refused(tmp_path):
    write_idx(tmp_path, test=0)
    with pytest.raises(ValueError, match=r"mnist, test set: .* not empty"):
        load("mnist", tmp_path)


# CIFAR


NAMES = {"cifar10": [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"], "cifar100": ["train", "test"]}
CLASSES = {"cifar10": 10, "cifar100": 100}
FOLDERS = {
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar100", "binary"): "cifar-100-binary",
    ("cifar100", "python"): "cifar-100-python",
}


def cifar_batch(name, file, n=4):
    rng = np.random.default_rng(len(file) + sum(map(ord, file)))
    return rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, CLASSES[name], n).tolist()


def binary_batch(name, images, labels):
    """One label byte, or a coarse and a fine one, then the planes red, green, blue."""
    head = b"" if name == "cifar10" else b"\x13"
    rows = (head + bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))
    return b"".join(rows)


def python2_batch(name, images, labels):
    """What cPickle of Python 2 writes, opcode by opcode: a dict of strings, an array and a list."""

    def text(value):
        return b"T" + struct.pack("<i", len(value)) + value

    def integer(value):
        return b"J" + struct.pack("<i", value)

    def integers(values):
        return b"](" + b"".join(map(integer, values)) + b"e"

    kind = b"cnumpy\ndtype\n(" + text(b"u1") + integer(0) + integer(1) + b"tR"
    kind += b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + integer(0) + b"\x85" + text(b"b") + b"tR"
    shape = integer(len(images)) + integer(3072) + b"\x86"
    array += b"(" + integer(1) + shape + kind + b"I00\n" + text(images.tobytes()) + b"tb"
    items = {b"batch_label": text(b"of a test"), b"data": array}
    if name == "cifar10":
        items[b"labels"] = integers(labels)
    else:
        items |= {b"coarse_labels": integers([19] * len(labels)), b"fine_labels": integers(labels)}
    return b"\x80\x02}" + b"".join(text(key) + value + b"s" for key, value in items.items()) + b"."


WRITERS = {"binary": (binary_batch, ".bin"), "python": (python2_batch, "")}


def write_cifar(place, name, release):
    write, ending = WRITERS[release]
    place.mkdir(parents=True, exist_ok=True)
    batches = [cifar_batch(name, file) for file in NAMES[name]]
    contents = {}
    for file, batch in zip(NAMES[name], batches, strict=True):
        contents[f"{file}{ending}"] = write(name, *batch)
        (place / f"{file}{ending}").write_bytes(contents[f"{file}{ending}"])
    return batches, contents


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(("name", "release"), FOLDERS)
def test_cifar(tmp_path, name, release, inside):
    batches, contents = write_cifar(tmp_path / (FOLDERS[name, release] if inside else "."), name, release)
    data = load(name, tmp_path)
    assert (data.name, data.classes) == (name, CLASSES[name])
    for split, parts in ((data.train, batches[:-1]), (data.test, batches[-1:])):
        np.testing.assert_array_equal(split.inputs, np.concatenate([images for images, _ in parts]))
        assert split.labels.tolist() == [label for _, labels in parts for label in labels]
    assert data.unverified == tuple(contents)


def test_cifar_that_is_official(tmp_path, monkeypatch):
    _, contents = write_cifar(tmp_path, "cifar10", "python")
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in contents.items()}
    monkeypatch.setattr(cifar, "_CIFAR10", cifar._CIFAR10._replace(python=cifar._CIFAR10.python._replace(md5=md5)))
    assert load("cifar10", tmp_path).unverified == ()


def test_the_binary_release_is_preferred(tmp_path):
    batches, _ = write_cifar(tmp_path, "cifar100", "binary")
    write_cifar(tmp_path, "cifar100", "python")
    (tmp_path / "train").write_bytes(b"not looked at")
    assert load("cifar100", tmp_path).train.labels.tolist() == batches[0][1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cifar10", b"", "is truncated or another file: it has 0 bytes, a multiple of 3073 is expected"),
        ("cifar10", bytes(3 * 3073 - 1), "it has 9218 bytes"),
        ("cifar10", bytes(3074 * 2), "it has 6148 bytes, a multiple of 3073 .* binary release of cifar10"),
        ("cifar10", bytes(3073) + b"\x0a" + bytes(3072), "labels must be in 0..9, got 10 for example 1"),
        ("cifar100", bytes(3073), "a multiple of 3074 is expected for the binary release of cifar100"),
        ("cifar100", b"\x00\x64" + bytes(3072), "labels must be in 0..99, got 100 for example 0"),
    ],
)
def test_binary_files_that_are_none(tmp_path, name, content, message):
    write_cifar(tmp_path, name, "binary")
    path = tmp_path / f"{NAMES[name][-1]}.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load(name, tmp_path)
    assert str(path) in str(caught.value)


IMAGES, FINE = cifar_batch("cifar10", "test_batch")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated or another file: it is not a pickle of arrays"),
        (b"\x89PNG\r\n", "it is not a pickle of arrays"),
        (python2_batch("cifar10", IMAGES, FINE)[:-500], "is truncated or another file"),
        (python2_batch("cifar10", IMAGES, FINE)[:40], "is truncated or another file"),
        (b"\x80\x02N.", r"is not of the Python release of cifar10: a dict with the array data, \(n, 3072\) of uint8"),
        (b"\x80\x02}.", "and the list labels of n integers is expected"),
        (python2_batch("cifar100", IMAGES, FINE), "is not of the Python release of cifar10"),
        (python2_batch("cifar10", IMAGES, FINE[:-1]), "is not of the Python release of cifar10"),
        (python2_batch("cifar10", IMAGES[:0], []), "is not of the Python release of cifar10"),
        (python2_batch("cifar10", IMAGES, [0, 1, -1, 0]), "is not of the Python release of cifar10"),
        (python2_batch("cifar10", IMAGES, [0, 1, 10, 0]), "labels must be in 0..9, got 10 for example 2"),
        (python2_batch("cifar10", IMAGES, FINE).replace(b"u1", b"i1"), "is not of the Python release of cifar10"),
    ],
)
def test_python_files_that_are_none(tmp_path, content, message):
    write_cifar(tmp_path, "cifar10", "python")
    path = tmp_path / "test_batch"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load("cifar10", tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "instructions",
    [
        b"cos\nsystem\n(S'touch {0}'\ntR.",
        b"cposix\nsystem\n(S'touch {0}'\ntR.",
        b'cbuiltins\neval\n(S\'open("{0}", "w")\'\ntR.',
        b'c__builtin__\neval\n(S\'open("{0}", "w")\'\ntR.',
        b"(S'touch {0}'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x99touch {0}\x85R.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93\x8c\x04file\x85R.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy\nfromfile\n.",
        b"chostile_module\nanything\n.",
        b"\x80\x02\x82\x01.",
        b"Pidentity\n.",
    ],
)
def test_pickles_run_nothing(tmp_path, monkeypatch, instructions):
    ran = tmp_path / "ran"
    (tmp_path / "hostile_module.py").write_text(f"open({str(ran)!r}, 'w')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    write_cifar(tmp_path, "cifar10", "python")
    content = instructions.replace(b"{0}", str(ran).encode())
    if b"\x8c\x99" in content:
        content = content.replace(b"\x99", bytes([len(f"touch {ran}")]))
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_1 is truncated or another file"):
        load("cifar10", tmp_path)
    assert not ran.exists()
    assert "hostile_module" not in sys.modules


def test_what_is_refused_is_named():
    with pytest.raises(ValueError, match=r"it asks for os\.system, nothing but NumPy arrays is admitted"):
        arrays_only(b"cos\nsystem\n(S'true'\ntR.")


def test_pickles_of_todays_numpy_are_read():
    import pickle

    value = {b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2.5, None, (True, "text")]}
    read = arrays_only(pickle.dumps(value, protocol=4))
    np.testing.assert_array_equal(read[b"data"], value[b"data"])
    assert read["labels"] == value["labels"]


# Image folders


def write_images(place, images):
    from PIL import Image

    for path, image in images.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / path)


@pytest.fixture
def folders(tmp_path):
    pytest.importorskip("PIL")
    rng = np.random.default_rng(0)
    paths = [f"{part}/{label}/{i}.png" for part in ("train", "val") for label in ("dog", "cat") for i in range(3)]
    images = {path: rng.integers(0, 256, (5, 4, 3), dtype=np.uint8) for path in paths}
    write_images(tmp_path, images)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "train" / "notes.txt").write_text("no class", encoding="utf-8")
    return tmp_path, images


def test_folders(folders):
    place, images = folders
    data = load("folder", place)
    assert data.classes == 2
    for split, part in ((data.train, "train"), (data.test, "val")):
        assert split.inputs.shape == (6, 3, 5, 4)
        expected = [images[f"{part}/{label}/{i}.png"].transpose(2, 0, 1) for label in ("cat", "dog") for i in range(3)]
        np.testing.assert_array_equal(split.inputs, expected)
        assert split.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(load("folder", place, test="train").test.inputs, data.train.inputs)


def test_folders_as_in_tiny_imagenet(folders):
    place, _ = folders
    nested = {f"train/ant/images/{i}.png": np.full((5, 4, 3), i, np.uint8) for i in range(2)}
    flat = {f"val/images/val_{i}.png": np.full((5, 4, 3), 10 + i, np.uint8) for i in range(2)}
    write_images(place, nested | flat)
    (place / "val" / "val_annotations.txt").write_text(
        "val_0.png\tdog\t0\t0\t62\t62\nval_1.png\tant\t0\t0\t62\t62\n", encoding="utf-8"
    )
    data = load("folder", place)
    assert data.classes == 3
    assert data.train.labels.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert data.train.inputs[:2, 0, 0, 0].tolist() == [0, 1]
    assert data.test.labels.tolist() == [2, 0]
    assert data.test.inputs[:, 0, 0, 0].tolist() == [10, 11]


def test_images_are_resized(folders):
    place, _ = folders
    wide = np.random.default_rng(1).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    write_images(place, {"train/cat/0.png": wide, "train/cat/1.png": np.full((9, 3), 200, np.uint8)})
    with pytest.raises(ValueError, match=r"\.png has \d x \d pixels, .*0\.png has 4 x 8: write size=4 to bring all"):
        load("folder", place)
    data = load("folder", place, size=4)
    assert data.train.inputs.shape == (6, 3, 4, 4)
    np.testing.assert_array_equal(data.train.inputs[0], wide[:, 2:6].transpose(2, 0, 1))
    assert (data.train.inputs[1] == 200).all()  # gray becomes RGB
    for size in (0, 4.0):
        with pytest.raises(ValueError, match="size must be an integer >= 1"):
            load("folder", place, size=size)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_images_that_are_none(folders, content):
    place, _ = folders
    (place / "val" / "cat" / "2.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"2\.png cannot be read as an image"):
        load("folder", place)


def test_images_that_are_truncated(folders):
    place, _ = folders
    path = place / "train" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"1\.png cannot be read as an image"):
        load("folder", place)


def test_folders_that_do_not_fit(folders):
    place, images = folders
    with pytest.raises(FileNotFoundError, match=r"test does not exist: expected are images in folders named after"):
        load("folder", place, test="test")
    with pytest.raises(FileNotFoundError, match="train does not exist"):
        load("folder", place / "nowhere")
    (place / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no images"):
        load("folder", place, train="empty")
    write_images(place, {"val/ant/0.png": images["val/dog/0.png"]})
    with pytest.raises(ValueError, match=r"val has classes that .*train has not: ant; name another"):
        load("folder", place)


def test_without_pillow(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match="images are read by Pillow: pip install pillow"):
        load("folder", folders[0])


# Where things are missing


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_missing_files_are_listed(tmp_path, name):
    page = {"m": "exdb/mnist", "f": "zalandoresearch/fashion-mnist", "c": "kriz/cifar.html"}[name[0]]
    wanted = NAMES.get(name, ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
    for directory, error, message in (
        (None, ValueError, f"{name} is read from files: name the directory"),
        (tmp_path / "nowhere", FileNotFoundError, f"{name}: there is no directory {tmp_path / 'nowhere'}"),
        (tmp_path, FileNotFoundError, f"{name}: {tmp_path} holds none of its files"),
    ):
        with pytest.raises(error) as caught:
            load(name, directory)
        assert str(caught.value).startswith(message)
        assert all(word in str(caught.value) for word in [page, *wanted])


def test_files_that_are_there_are_told_from_those_that_are_not(tmp_path):
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load("mnist", tmp_path)
    there = str(caught.value).partition("expected")[0]
    assert str(tmp_path / "t10k-images-idx3-ubyte.gz") in there
    assert "t10k-labels" not in there


def test_a_folder_without_a_directory():
    with pytest.raises(ValueError, match="name the directory that holds train/CLASS and val/CLASS, by --data-dir"):
        load("folder")
