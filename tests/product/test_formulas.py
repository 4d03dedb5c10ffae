"""Formulas in ASCII become HTML, and words stay words."""

import re
from html.parser import HTMLParser

import pytest

from linreg_mirror._tools.formulas import to_html
from linreg_mirror.theorems import REGISTRY

TEXTS = [text for one in REGISTRY.values() for text in (one.statement, one.control.description, str(one.source))]
SIGNS = "alpha|beta|gamma|delta|eta|theta|kappa|lambda|mu|rho|sigma|tau|phi|zeta|eps|inf|int|prod|sum"
VOID = re.compile(rf"\b(?:{SIGNS})\b")


class Parsed(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in {"i", "sup", "sub", "code"}
        self.open.append(tag)
        self.text += " "

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(
    ("ascii", "made"),
    [
        ("x^2", "<i>x</i><sup>2</sup>"),
        ("x^(2-D) y", "<i>x</i><sup>2−<i>D</i></sup> <i>y</i>"),
        ("x_{k+1}", "<i>x</i><sub><i>k</i>+1</sub>"),
        ("R_b_inf(x*)", "<i>R</i><sub><i>b</i><sub>∞</sub></sub>(<i>x</i><sup>*</sup>)"),
        ("|W_l|_F^2", "|<i>W</i><sub><i>l</i></sub>|<sub><i>F</i></sub><sup>2</sup>"),
        ("exp(-4A)", "<i>e</i><sup>−4<i>A</i></sup>"),
        ("exp(1 - exp(-2))", "exp(1 − <i>e</i><sup>−2</sup>)"),
        ("|eta g_i| > sqrt 2", "|<i>η</i> <i>g</i><sub><i>i</i></sub>| &gt; √2"),
        ("X^+ y", "<i>X</i><sup>+</sup> <i>y</i>"),
        ("X_S^-1 X_j", "<i>X</i><sub><i>S</i></sub><sup>−1</sup> <i>X</i><sub><i>j</i></sub>"),
        ("x = m*w", "<i>x</i> = <i>m</i>⊙<i>w</i>"),
        ("w* * m", "<i>w</i><sup>*</sup> ⊙ <i>m</i>"),
        ("u0 and w0_i, x1", "<i>u</i><sub>0</sub> and <i>w</i><sub>0,<i>i</i></sub>, <i>x</i>1"),
        ("p+^2, rho-", "(<i>p</i><sup>+</sup>)<sup>2</sup>, <i>ρ</i><sup>−</sup>"),
        ("int_0^t grad f", "∫<sub>0</sub><sup><i>t</i></sup> ∇<i>f</i>"),
        ("<z_0, x> <= 1", "⟨<i>z</i><sub>0</sub>, <i>x</i>⟩ ≤ 1"),
        ("a <= min{1, 2} => b", "<i>a</i> ≤ min{1, 2} ⇒ <i>b</i>"),
        ("off by 7.2e-09, 1e-08 allowed", "off by 7.2·10<sup>−9</sup>, 10<sup>−8</sup> allowed"),
        ("2.8e-03 of 4.2e+01, 6.4e4", "0.0028 of 42, 6.4·10<sup>4</sup>"),
        ("Huber's loss, X's, s~'", "Huber's loss, <i>X</i>′<i>s</i>, <i>s</i>̃′"),
        ("L2 norm of a step, top-k of p-q", "L2 norm of a step, top-<i>k</i> of <i>p</i>−<i>q</i>"),
        ("the sum of all: sum x_i", "the sum of all: ∑\u2009<i>x</i><sub><i>i</i></sub>"),
        ("with_replacement, <b>", "<code>with_replacement</code>, &lt;<i>b</i>&gt;"),
        ("lambda_max, x_alpha,i", "<i>λ</i><sub>max</sub>, <i>x</i><sub><i>α</i>,<i>i</i></sub>"),
        ("a_ b^ (x^(2", "<i>a</i>_ <i>b</i>^ (<i>x</i>^(2"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_written_is_set(ascii, made):
    assert to_html(ascii) == made


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_of_the_ledger_is_lost(text):
    """Words in their order, digits, brackets and bars are all there; no mark or name of a sign is left over."""
    parsed = Parsed(to_html(text))
    gone = ("exp", "sqrt", "sum", "grad")
    words = [word for word in re.findall(r"[A-Za-z]{3,}", text) if not VOID.fullmatch(word) and word not in gone]
    assert [word for word in re.findall(r"[A-Za-z]{3,}", parsed.text) if word not in gone] == words
    assert re.sub(r"\D", "", parsed.text) == re.sub(r"\D", "", text)
    assert parsed.text.count("|") == text.count("|")
    assert parsed.text.count("[") == text.count("[")
    assert parsed.text.count("(") == parsed.text.count(")")
    assert not re.search(r"\^\w|\b\w_\w", parsed.text)  # names of code keep theirs
    assert not re.search(VOID.pattern.replace("|sum", ""), parsed.text)  # "sum" is a word, too


def test_the_documentation_sets_them_too():
    pytest.importorskip("sphinx")
    from docs.extension import links, rst

    assert rst.formula("x^2 | a_i") == r":formula:`x^2 \| a\_i`"
    (node,), messages = links.formula("formula", "", "x^2", 1, None)
    assert (node.astext(), messages) == ("<span class=formula><i>x</i><sup>2</sup></span>", [])
