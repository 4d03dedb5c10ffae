"""What REPLs and notebooks show: one line, or a small table that loads nothing."""

from html.parser import HTMLParser

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror._tools.cards import sparkline
from linreg_mirror._tools.reprs import short_repr

PROBLEM = lm.problems.planted_sparse(n=20, d=600, nonzeros=2, rng=np.random.default_rng(0))
NETWORK = lm.Hadamard.from_scale(1e-2, d=600)
SHOWN = {
    "problem": PROBLEM,
    "limit": lm.limit(PROBLEM, NETWORK),
    "minimum_l1": lm.minimum_l1(PROBLEM),
    "flow": lm.flow(PROBLEM, NETWORK),
    "descent": lm.descent(PROBLEM, NETWORK, 1e-5, steps=10, tolerance=0.0),
    "saddles": lm.saddles(PROBLEM),
    "ladder": lm.ladder(PROBLEM, NETWORK, [1.0]),
    "certificate": lm.minimum_l1(PROBLEM).certificate,
}
NETWORKS = (
    *(NETWORK, NETWORK.mirror(), lm.Power.from_scale(0.1, depth=3, d=600), lm.Direct.at(0.0, d=600)),
    *(lm.DeepLinear([np.eye(30), np.ones((20, 30))]), lm.HAM.at(0.0, a=1.0, d=600)),
    lm.Factorized.symmetric(np.eye(24)),
)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("one", [*SHOWN.values(), *NETWORKS], ids=lambda one: type(one).__name__)
def test_one_line(one):
    if not isinstance(one, lm.Certificate):
        assert "\n" not in repr(one)
        assert len(repr(one)) < 200


@pytest.mark.parametrize("name", [name for name in SHOWN if name not in ("problem", "ladder", "certificate")])
def test_the_line_says_how_good_the_answer_is(name):
    text = repr(SHOWN[name])
    assert all(word in text for word in ("d=600", "n=20", "|x|_1=", "digits=", "status="))


@pytest.mark.parametrize("name", SHOWN)
def test_a_small_table_that_loads_nothing(name):
    text = SHOWN[name]._repr_html_()
    tags = Tags(text)
    assert not tags.open
    assert not tags.links
    assert tags.seen[0] == "table"
    assert ("svg" in tags.seen) == (name not in ("ladder", "certificate"))
    assert len(text) < 60_000


def test_text_is_escaped():
    certificate = lm.Certificate((lm.Check("<b>", 1.0, 2.0),))
    assert "&lt;b&gt;" in certificate._repr_html_()


def test_a_sparkline_has_a_line_for_each_curve_and_none_for_what_is_not_finite():
    assert sparkline(np.arange(6.0).reshape(3, 2)).count("polyline") == 2
    assert sparkline(np.array([1.0, np.nan])) == ""
    assert sparkline(np.ones(1)) == ""


def test_objects_of_ones_own_are_shown_as_python_does():
    class Mine(lm.Parametrization):
        pass

    assert repr(object.__new__(Mine)).startswith("<")
    assert short_repr(lm.Direct.at(np.array([1.0, 2.0]))) == "Direct(x0=[1.0, 2.0])"


def test_a_diagnosis_is_a_table_too():
    torch, sketching = pytest.importorskip("torch"), pytest.importorskip("sketching")
    model = torch.nn.Sequential(torch.nn.Linear(4, 2, bias=False))
    found = sketching.diagnosis(model, {"0.weight": torch.ones(2, 4, dtype=torch.bool)}, inputs=(4,))
    text = found._repr_html_()
    assert not Tags(text).open
    assert text.count("<tr>") == 3
    assert "<td>0.weight</td><td>2 x 4</td><td>8</td><td>8</td>" in text
