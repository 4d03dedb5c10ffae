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
    with replacing(path, durable=False) as partial:
        partial.write_text("two")
        assert path.read_text(encoding="utf-8") == "one µ"
    assert path.read_text(encoding="utf-8") == "two"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_others_may_read_it(tmp_path):
    write_text(tmp_path / "a", "")
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
