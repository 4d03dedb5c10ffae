"""Methods by name."""

import inspect
import re
from pathlib import Path

import pytest

from linreg_mirror.networks import methods
from linreg_mirror.networks.methods import PILoT
from linreg_mirror.networks.methods.controllers import AlphaRule

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs" / "networks.rst"
pytestmark = pytest.mark.usefixtures("one_thread")


def test_methods_by_name():
    made = methods.create("pilot", epochs=4, alpha=0.1, K=3, delta=1.5)
    assert isinstance(made, PILoT)
    assert (made.alpha, made.beta, made.rule) == (0.1, 1.0, AlphaRule(4, 3, 1.5))
    with pytest.raises(
        ValueError, match="unknown method 'spread': known are dense, masked, l1, spred, pilot, pilot-mirror"
    ):
        methods.create("spread", alpha=0.1)
    with pytest.raises(TypeError, match=r"l1: .*'beta'; it takes alpha, proximal=False"):
        methods.create("l1", alpha=0.1, beta=1)
    with pytest.raises(TypeError, match=r"pilot: missing a required .*'epochs'; it takes"):
        methods.create("pilot", alpha=0.1, delta=1.5)
    with pytest.raises(ValueError, match="alpha must be"):
        methods.create("spred", alpha=-0.1)


def test_a_misspelt_option_is_answered_with_those_that_there_are():
    with pytest.raises(
        TypeError, match=r"PILoT: got an unexpected .*'alfa'; it takes epochs, alpha=0\.001, K=100\.0, "
    ):
        PILoT(epochs=1, alfa=1)
    with pytest.raises(TypeError, match=r"L1: missing a required argument: 'alpha'; it takes alpha, proximal=False"):
        methods.L1()
    assert "epochs" in inspect.signature(PILoT).parameters


def test_the_documentation_counts_and_lists_them():
    number = {13: "thirteen", 14: "fourteen", 15: "fifteen"}[len(methods.METHODS) - 1]
    readme, page = (Path(path).read_text(encoding="utf-8") for path in (CHECKOUT / "README.md", PAGE))
    assert f"beside {number} other methods" in readme
    assert f"PILoT and {number} other methods" in page
    listed = [name for row in re.findall(r"^   \* - (.+)$", page, re.MULTILINE) for name in row.split(", ")]
    assert {*methods.METHODS} <= {*listed}


def test_a_method_shows_its_numbers():
    assert repr(PILoT(epochs=1, alpha=0.25)) == "PILoT(alpha=0.25, A=0)"
