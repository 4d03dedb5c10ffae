"""Roles for theorems and formulas, and the directive `evidence`, which says what checks and what computes."""

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.utils import unescape
from sphinx import addnodes

from linreg_mirror._tools.formulas import to_html
from linreg_mirror.theorems import REGISTRY

TONES = ("holds", "refuted", "vacuous")  # verdicts with a colour


def tone(name: str, raw: str, text: str, *_: Any) -> tuple[list, list]:
    """Return text in the colour of the role's name."""
    return [nodes.inline(raw, text, classes=[name])], []


def formula(name: str, raw: str, text: str, *_: Any) -> tuple[list, list]:
    """Return a sentence of the ledger with its formulas set, as in the report."""
    return [nodes.raw(raw, f"<span class=formula>{to_html(unescape(text))}</span>", format="html")], []


def theorem(name: str, raw: str, text: str, line: int, inliner: Any, *_: Any) -> tuple[list, list]:
    """Return a link to a theorem of the ledger, or an error where there is none of that id."""
    if text not in REGISTRY:
        message = inliner.reporter.error(f"the ledger has no theorem {text!r}", line=line)
        return [inliner.problematic(raw, raw, message)], [message]
    return [_to_theorem(text)], []


def _to_theorem(id: str) -> nodes.Node:
    link = addnodes.pending_xref(
        "", refdomain="std", reftype="ref", reftarget=label(id), refexplicit=True, refwarn=True
    )
    link += nodes.literal(id, id)
    return link


def label(id: str) -> str:
    """Return where a theorem is described."""
    return f"theorem-{id}".lower()


class EvidenceDirective(Directive):
    """`.. evidence:: ID ...` with `:code: NAME ...`: which theorems check what was just said, and what computes it."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"code": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return one paragraph."""
        paragraph = nodes.paragraph(classes=["evidence"])
        ids = self.arguments[0].split() if self.arguments else []
        for k, id in enumerate(ids):
            if id not in REGISTRY:
                raise self.error(f"the ledger has no theorem {id!r}")
            paragraph += [nodes.Text(", " if k else "Checked by "), _to_theorem(id)]
        names = self.options.get("code", "").split()
        for k, name in enumerate(names):
            paragraph += [nodes.Text(", " if k else ". Code: " if ids else "Code: "), _to_code(name)]
        paragraph += nodes.Text(".")
        return [paragraph]


def _to_code(name: str) -> nodes.Node:
    link = addnodes.pending_xref("", refdomain="py", reftype="obj", reftarget=name, refexplicit=True, refwarn=True)
    link += nodes.literal(name, name)
    return link
