import hashlib
import json
import multiprocessing
import resource
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_mirror.store import Store, code_fingerprint, key, results_directory

SETTINGS = {"theorem": "mirror.flow", "n": 20, "scale": 1e-9, "real": False, "tags": ["a", None]}
RECORD = {"margin": 0.25, "seeds": [1, 2]}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "check")


def leftovers(store):
    return [path.name for path in store.root.iterdir() if path.suffix != ".json"]


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(SETTINGS.items())),
        OrderedDict(SETTINGS),
        SETTINGS | {"n": np.int32(20), "scale": np.float64(1e-9), "real": np.bool_(False)},
        SETTINGS | {"n": 20.0},
        SETTINGS | {"n": np.longdouble(20)},
        SETTINGS | {"n": np.array(20)},
        SETTINGS | {"tags": ("a", None)},
        SETTINGS | {"tags": np.array(["a", None], dtype=object)},
    ],
)
def test_equal_settings_have_one_key(same):
    assert key(same) == key(SETTINGS)


@pytest.mark.parametrize(
    "other",
    [
        SETTINGS | {"n": 21},
        SETTINGS | {"scale": np.nextafter(1e-9, 1)},
        SETTINGS | {"real": 0},
        SETTINGS | {"tags": ["a"]},
        SETTINGS | {"n": "20"},
        {name: value for name, value in SETTINGS.items() if name != "tags"},
    ],
)
def test_other_settings_have_another_key(other):
    assert key(other) != key(SETTINGS)


def test_key_is_pinned():
    # Results of earlier versions stay findable.
    canonical = rb'{"a":[true,null,"\u00b5"],"b":1}'
    assert key({"b": 1.0, "a": [True, None, "µ"]}) == hashlib.sha256(canonical).hexdigest()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32("nan")])
def test_settings_must_be_finite(value):
    with pytest.raises(ValueError, match=r"settings\['a'\]\[1\] must be finite .* got (nan|inf|-inf)"):
        key({"a": [0, value]})


@pytest.mark.parametrize("value", [1j, Fraction(1, 2), Path("x"), {1, 2}, b"x", np.datetime64("2026-01-01")])
def test_settings_must_have_a_form_in_json(value):
    with pytest.raises(TypeError, match=rf"settings\['a'\] must be a number.*got {type(value).__name__}"):
        key({"a": value})


def test_names_of_settings_must_be_text():
    with pytest.raises(TypeError, match=r"settings\['a'\] must have str keys, got 1: write str\(1\)"):
        key({"a": {1: 2}})


def test_what_was_saved_is_loaded(store):
    assert store.load(SETTINGS) is None
    path = store.save(SETTINGS, RECORD | {"x": np.arange(3.0), "margin": np.float64(0.1), "path": (1, 2)})
    assert path == store.path(SETTINGS)
    assert Store(str(store.root)).load(SETTINGS) == RECORD | {"x": [0, 1, 2], "margin": 0.1, "path": [1, 2]}
    assert store.load(SETTINGS | {"n": 21}) is None
    assert not leftovers(store)


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.text() | st.none() | st.lists(st.booleans())))
def test_records_come_back_exactly(tmp_path_factory, record):
    store = Store(tmp_path_factory.mktemp("store"))
    store.save(SETTINGS, record)
    # repr tells -0.0 from 0.0 and does not tell NaN from NaN.
    assert repr(store.load(SETTINGS)) == repr(record)


def test_a_later_result_replaces_the_earlier(store):
    store.save(SETTINGS, {"margin": 1})
    store.save(SETTINGS, {"margin": 2})
    assert store.load(SETTINGS) == {"margin": 2}


def test_records_lists_whole_results_only(store):
    assert list(store.records()) == []
    for n in (1, 2, 3):
        store.save({"n": n}, {"square": n**2})
    store.path({"n": 2}).write_text("{")
    assert sorted(record["square"] for _, record in store.records()) == [1, 9]
    assert all(record["square"] == settings["n"] ** 2 for settings, record in store.records())


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: b"\xff\xfe\x00",
        lambda whole: b"[1, 2]",
        lambda whole: b'{"settings": {}, "record": {}}',
        lambda whole: json.dumps(json.loads(whole) | {"record": 3}).encode(),
    ],
    ids=["truncated", "empty", "binary", "list", "of other settings", "no record"],
)
def test_a_damaged_file_is_absent_and_set_aside(store, damage):
    path = store.save(SETTINGS, RECORD)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert store.load(SETTINGS) is None
    assert leftovers(store) == [path.with_suffix(".corrupt").name]
    assert path.with_suffix(".corrupt").read_bytes() == damaged
    store.save(SETTINGS, RECORD)
    assert store.load(SETTINGS) == RECORD


def test_a_write_that_fails_half_way_leaves_the_earlier_result(store):
    path = store.save(SETTINGS, RECORD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match=r"cannot save a result: .* set LINREG_MIRROR_RESULTS") as failure:
            store.save(SETTINGS, {"x": np.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(failure.value)
    assert store.load(SETTINGS) == RECORD
    assert not leftovers(store)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"free some space, mend the permissions.*file/results"):
        Store(tmp_path / "file" / "results").save(SETTINGS, RECORD)


def test_a_file_that_cannot_be_read_is_named(store):
    store.path(SETTINGS).mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="cannot read a result"):
        store.load(SETTINGS)


def write_and_read(root, writer):
    store = Store(root)
    for i in range(50):
        store.save({"shared": True}, {"writer": writer, "same": [writer] * 200})
        store.save({"writer": writer, "i": i}, {"i": i})
        seen = store.load({"shared": True})
        assert seen is not None
        assert seen["same"] == [seen["writer"]] * 200


def test_many_processes_write_at_once(store):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawn) as pool:
        for future in [pool.submit(write_and_read, store.root, writer) for writer in range(3)]:
            future.result()
    assert len(list(store.records())) == 1 + 3 * 50
    assert not leftovers(store)


def test_code_fingerprint_is_of_every_source_and_its_name(tmp_path, monkeypatch):
    def fingerprint():
        code_fingerprint.cache_clear()
        return code_fingerprint()

    try:
        assert fingerprint() == fingerprint()
        (tmp_path / "linreg_mirror" / "deep").mkdir(parents=True)
        monkeypatch.setattr("linreg_mirror.store.__file__", str(tmp_path / "linreg_mirror" / "store.py"))
        source = tmp_path / "linreg_mirror" / "deep" / "a.py"
        seen = {fingerprint()}
        source.write_text("x = 1\n")
        seen.add(fingerprint())
        source.write_text("x = 2\n")
        seen.add(fingerprint())
        source.rename(source.with_name("b.py"))
        seen.add(fingerprint())
        (tmp_path / "sketching").mkdir()
        (tmp_path / "sketching" / "b.py").touch()
        seen.add(fingerprint())
        assert len(seen) == 5
        (tmp_path / "linreg_mirror" / "notes.txt").touch()
        assert fingerprint() in seen
    finally:
        code_fingerprint.cache_clear()


def test_results_directory_can_be_chosen(monkeypatch):
    monkeypatch.delenv("LINREG_MIRROR_RESULTS", raising=False)
    assert results_directory() == Path("results")
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", "/elsewhere")
    assert results_directory() == Path("/elsewhere")
