"""The store: keys, files that are damaged or half written, several writers, formats of earlier versions."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_mirror.runtime.store import _FORMAT, Store, code_fingerprint, key, results_directory

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


@hypothesis.settings(deadline=None)  # what takes long is the disk, when others write
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
        lambda whole: b'{"format": "1", "settings": {}, "record": {}}',
        lambda whole: b'{"settings": {}, "record": {}}',
        lambda whole: json.dumps(json.loads(whole) | {"record": 3}).encode(),
    ],
    ids=["truncated", "empty", "binary", "list", "format of no number", "of other settings", "no record"],
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


# Eight writers from the start, of which five never end unless they are killed; then more of these, one by one, until
# one has been killed in the midst of a file.
CHURN = """
import os, signal, sys, time
from linreg_mirror.runtime.store import Store

store = Store(sys.argv[1])

def churn(writer, rounds):
    i = 0
    while rounds is None or i < rounds:
        k = (writer + i) % 4
        store.save({"shared": k}, {"writer": writer, "long": f"{writer}" * 2_000_000})
        seen = store.load({"shared": k})
        assert seen and seen["long"] == str(seen["writer"]) * 2_000_000, "a torn result"
        store.save({"writer": writer, "i": i}, {"i": i})
        i += 1

def start(writer, rounds=None):
    if child := os.fork():
        return child
    try:
        churn(writer, rounds)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)

def partial():
    return any(path.suffix == ".partial" for path in store.root.iterdir())

def kill(child):
    while not partial():
        pass
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL

store.root.mkdir(parents=True)
finite, endless = [start(writer, 10) for writer in (1, 2, 3)], [start(writer) for writer in (4, 5, 6, 7, 8)]
for child in endless:
    time.sleep(0.1)
    kill(child)
assert [os.waitpid(child, 0)[1] for child in finite] == [0, 0, 0]
while not partial():
    kill(start(9))
"""


def test_writers_that_are_killed_leave_whole_results_or_none(store):
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # forks want no threads
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHURN, str(store.root)],
        env=alone,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert {Path(name).suffix for name in leftovers(store)} == {".partial"}, "killed in the midst, nothing torn"
    files = sorted(store.root.glob("*.json"))
    found = list(store.records())
    assert len(found) == len(files)
    for settings, record in found:
        if "shared" in settings:
            assert record["long"] == str(record["writer"]) * 2_000_000
        else:
            assert record == {"i": settings["i"]}
    assert {settings["shared"] for settings, _ in found if "shared" in settings} == {0, 1, 2, 3}
    assert all(store.load({"writer": writer, "i": i}) == {"i": i} for writer in (1, 2, 3) for i in range(10))
    store.save({"shared": 0}, RECORD)
    assert store.load({"shared": 0}) == RECORD


# Formats. The files in tests/runtime/stores were written by the versions that had these formats, and stay as they are.

STORES = Path(__file__).parent / "stores"
OLD = {
    "what": "check", "theorem": "mirror.flow", "instance": "planted/plain/0", "control": False, "step": 0.25,
    "code": "0" * 64,
}  # fmt: skip
OLD_RECORD = {"evidence": {"margin": np.nan, "detail": "0 < µ", "sizes": [1, 2.5, np.inf]}, "seconds": 0.125}


def test_there_is_a_file_of_every_format():
    assert [folder.name for folder in sorted(STORES.iterdir())] == [str(number) for number in range(_FORMAT + 1)]


@pytest.mark.parametrize("number", range(_FORMAT + 1))
def test_every_format_that_ever_was_is_read(number, tmp_path):
    shutil.copytree(STORES / str(number), tmp_path, dirs_exist_ok=True)
    store = Store(tmp_path)
    assert repr(store.load(OLD)) == repr(OLD_RECORD)
    assert store.load(OLD | {"control": True}) == {"evidence": None, "seconds": 1e-9}
    assert store.load(OLD | {"code": "1" * 64}) is None, "of other code"
    assert len(list(store.records())) == 2
    assert not leftovers(store)


def test_the_format_is_pinned(store):
    path = store.save(OLD, OLD_RECORD)
    assert path.read_bytes() == (STORES / str(_FORMAT) / path.name).read_bytes(), "another format has another number"


def test_a_file_of_a_newer_version_is_refused_and_left_alone(store):
    path = store.save(SETTINGS, RECORD)
    newer = json.dumps({"format": _FORMAT + 1, "packed": "AAAA"})
    path.write_text(newer)
    for read in (lambda: store.load(SETTINGS), lambda: list(store.records())):
        with pytest.raises(
            ValueError, match=rf"{path.name} has format {_FORMAT + 1}, .* reads up to {_FORMAT}: install"
        ):
            read()
    assert path.read_text() == newer


def test_code_fingerprint_is_of_every_source_and_its_name(tmp_path, monkeypatch):
    def fingerprint():
        code_fingerprint.cache_clear()
        return code_fingerprint()

    try:
        assert fingerprint() == fingerprint()
        (tmp_path / "linreg_mirror" / "deep").mkdir(parents=True)
        monkeypatch.setattr(
            "linreg_mirror.runtime.store.__file__", str(tmp_path / "linreg_mirror" / "runtime" / "store.py")
        )
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
