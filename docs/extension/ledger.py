"""Pages of the ledger: a table of all theorems, and a page for each group of them."""

import inspect
from collections.abc import Sequence
from typing import Any

from docs.extension.links import TONES, label
from docs.extension.rst import escape, formula, heading, prose, table
from docs.ledger import read
from linreg_mirror._tools.counting import counted
from linreg_mirror.citations.bibliography import address
from linreg_mirror.ledger import Theorem, Verdict
from linreg_mirror.ledger.algebra import ALGEBRA
from linreg_mirror.ledger.groups import GROUPS, group_of, ordered
from linreg_mirror.ledger.papers import PAPERS
from linreg_mirror.theorems import REGISTRY

PROOFS = {
    "algebra": "by computer algebra, ``linreg-mirror prove {}``",
    "written": "below",
    "cited": "in the source",
    "code": "none: both sides are code",
}
NOT_YET = "not in the stored check"


def pages() -> dict[str, str]:
    """Return the text of each page."""
    stored = read()
    found = dict.fromkeys(group_of(id) for id in REGISTRY)
    groups = {name: [t for t in REGISTRY.values() if group_of(t.id) == name] for name in ordered(found)}
    return {
        "parts/ledger.rst": _summary(stored) + "\n" + _table([t for ts in groups.values() for t in ts], stored),
        "parts/ledger_groups.rst": ".. toctree::\n   :maxdepth: 1\n\n"
        + "".join(f"   /generated/ledger/{name}\n" for name in groups),
        "parts/ledger_sources.rst": "".join(f"* **{name}**: {reference(name)}\n" for name in PAPERS),
        **{f"ledger/{name}.rst": _group(name, theorems, stored) for name, theorems in groups.items()},
    }


def outcome(theorem: Theorem, stored: dict[str, Any]) -> str:
    """Return what the stored check says about a theorem as it reads today."""
    entry = stored["theorems"].get(theorem.id)
    if entry is None or entry["statement"] != theorem.statement:
        return NOT_YET
    as_expected = entry["verdict"] == entry["expected"] != "holds"
    return f"{entry['verdict']}, as expected" if as_expected else entry["verdict"]


def reference(paper: str) -> str:
    """Return a paper of `PAPERS` in words, with a link to where it can be read."""
    key, text = PAPERS[paper]
    where = address(key) if key else None
    return escape(text) if where is None else f"`{escape(text)} <{where}>`__"


def _summary(stored: dict[str, Any]) -> str:
    commit = f", commit {stored['commit'][:7]}" if stored["commit"] else ""
    return (
        f"Checked on {stored['date']} (version {stored['version']}{commit}, Python {stored['python']}, "
        f"{stored['cpu']}, {stored['cores']} cores): {escape(stored['summary'])}.\n"
    )


def _table(theorems: Sequence[Theorem], stored: dict[str, Any]) -> str:
    rows = []
    for t in theorems:
        verdict = outcome(t, stored)
        rows.append(
            (f":theorem:`{t.id}`", formula(t.statement), escape(str(t.source)), t.kind, t.proof, _toned(verdict))
        )
    return table(("theorem", "statement", "source", "kind", "proof", "verdict"), (25, 36, 14, 10, 7, 8), rows, "ledger")


def _toned(verdict: str) -> str:
    tone = verdict.split(",")[0]
    return f":{tone}:`{verdict}`" if tone in TONES else verdict


def _group(name: str, theorems: Sequence[Theorem], stored: dict[str, Any]) -> str:
    title = f"{name}: {GROUPS[name]}" if name in GROUPS else name
    return heading(title) + "\n" + "\n".join(_described(t, stored) for t in theorems)


def _described(t: Theorem, stored: dict[str, Any]) -> str:
    entry = stored["theorems"].get(t.id)
    doc = inspect.getdoc(t.observe)
    conditions = ", ".join(hypothesis.name for hypothesis in t.hypotheses) or "none"
    verdict = outcome(t, stored)
    fields = {
        "Source": escape(str(t.source)),
        "Kind": t.kind,
        "Hypotheses": escape(conditions),
        "Control": f"{formula(t.control.description)}, on ``{t.control.witness}``",
        "Verdict": _toned(verdict),
    }
    if t.expected is not Verdict.refuted:
        fields["Proof"] = PROOFS[t.proof].format(t.id)
    if entry and verdict != NOT_YET:
        fields["Control"] += f": {formula(entry['control'])}"
        fields["Verdict"] += f" on {counted(entry['instances'], 'instance')}; the worst: {formula(entry['detail'])}"
        fields["Repeat"] = f"``{entry['repeat']}``"
    if t.corrected:
        fields["Right is"] = ", ".join(f":theorem:`{id}`" for id in t.corrected)
    lines = "\n".join(f":{key}: {value}" for key, value in fields.items())
    proof = "\n".join(prose(text) for text in (doc, _derivation(t)) if text)
    return (
        f".. _{label(t.id)}:\n\n{heading(t.id, '-')}\n.. rst-class:: statement\n\n{formula(t.statement)}\n\n"
        f".. rst-class:: facts\n\n{lines}\n\n" + proof
    )


def _derivation(t: Theorem) -> str:
    """Return what is derived, and for how many entries, of a theorem that is proved by algebra."""
    doc = inspect.getdoc(ALGEBRA[t.id].derive) if t.id in ALGEBRA else None
    return f"By algebra. {doc}" if doc else ""
