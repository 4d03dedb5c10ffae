"""The settings of tools name files that exist: a moved file would silently leave a gate or a list."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# Of any top folder, with wildcards; the name of a test may follow.
NAMED = re.compile(r"\b((?:linreg_mirror|sketching|tests|tools|benchmarks|docs)/[\w/.*]*[\w*])(?:::(\w+))?")
MADE = re.compile("docs/(_build|generated)")


@pytest.mark.parametrize("file", ["pyproject.toml", "Makefile"])
def test_paths_in_settings_exist(file):
    named = NAMED.findall((CHECKOUT / file).read_text(encoding="utf-8"))
    assert len(named) > 2
    for path, test in named:
        if not MADE.match(path):
            found = list(CHECKOUT.glob(path))
            assert found, path
            assert not test or f"\ndef {test}(" in found[0].read_text(encoding="utf-8"), test
