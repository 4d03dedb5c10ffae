"""Files that take the place of others."""

import os
import subprocess
import sys

import pytest

from linreg_mirror.runtime.files import clear, replacing, write_text


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one µ")
    with pytest.raises(AttributeError), replacing(path) as partial:
        partial.write_text("torn").fails()
    assert path.read_text(encoding="utf-8") == "one µ"
    with replacing(path) as partial:
        partial.write_text("two")
        assert path.read_text(encoding="utf-8") == "one µ"
    assert path.read_text(encoding="utf-8") == "two"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("durable", [True, False])
def test_text_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, durable):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one µ", durable=durable)
    write_text(path, "two µ", durable=durable)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "three", durable=durable)
    assert path.read_text(encoding="utf-8") == "two µ"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("durable", [True, False])
def test_others_may_read_it(tmp_path, durable):
    write_text(tmp_path / "a", "", durable=durable)
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="processes cannot be asked for")
def test_what_the_killed_left_half_written_is_deleted(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    others = [f"metrics.jsonl.1f.{os.getpid()}.partial", "x.1f.2nd.partial", "y.partial", "checkpoint.safetensors"]
    for name in (f"checkpoint.safetensors.1f.{gone.pid}.partial", *others):
        (tmp_path / name).touch()
    clear(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(others)
