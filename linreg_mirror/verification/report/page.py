"""The report as one page that loads nothing: verdict, pictures, ledger by groups with a filter, claims, machine."""

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from linreg_mirror import claims
from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.formulas import to_html
from linreg_mirror.citations.bibliography import address
from linreg_mirror.ledger import Verdict
from linreg_mirror.ledger.groups import group_of, ordered, title_of
from linreg_mirror.ledger.papers import PAPERS
from linreg_mirror.verification.report.terminal import outcome, summary

# Even if something slipped in that asks for a file elsewhere, browsers would not fetch it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_PROOFS = {
    "algebra": "proved by computer algebra",
    "written": "proof in our documentation",
    "cited": "proof in the source",
    "code": "compares two pieces of code",
    "refuted": "printed, and wrong",
    "none": "no proof",
}
_e = html.escape


def as_html(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return one page that needs nothing else.

    Parameters
    ----------
    report : mapping
        From `as_json`.
    pictures : mapping of str to bytes
        Caption and SVG of each picture.

    Returns
    -------
    str
        HTML. What is shown of the ledger can be chosen in the page, and in its address, such as ?verdict=refuted.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in report["theorems"]:
        groups.setdefault(group_of(entry["id"]), []).append(entry)
    names = ordered(groups)
    contents = "\n".join(
        f'<li><a href="#group-{_e(name)}">{to_html(title_of(name))}</a> '
        f"<span class=small>{len(groups[name])}</span></li>"
        for name in names
    )
    verdicts = "".join(f"<dt>{v.name}</dt><dd>{_e(v.value)}</dd>" for v in Verdict)
    details = _e(json.dumps({"run": report["run"], "environment": report["environment"]}, indent=1))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>linreg-mirror: the ledger</title><style>{_file("page.css")}</style></head><body>
<header>
<h1>The ledger of linreg-mirror</h1>
<p>Theorems about mirror flows, linear networks, masks and gates, each evaluated on problems that meet its hypotheses.
Every one has a control, a false variant, which must fail: evidence that accepts both says nothing.</p>
<p class="verdict {"good" if report["passed"] else "bad"}">{"Passed" if report["passed"] else "Not passed"}:
{_e(summary(report))}.</p>
</header>
<section class=pictures>
{_figures(pictures)}
</section>
<nav><h2>Contents</h2>
<ul>
{contents}
<li><a href="#claims">Claims of experiments</a></li>
<li><a href="#papers">Papers</a></li>
<li><a href="#machine">Run and machine</a></li>
</ul></nav>
<main>
<h2 id="theorems">Theorems</h2>
<details><summary>How to read an entry</summary>
<p>An evaluation has a margin; the statement holds there if it is at least 0. Shown are the smallest one, in words, and
the command that repeats it. In formulas m⊙w is the product entry by entry, x<sup>*</sup> an optimum, X′ the transpose
of X; the text as it was written appears where the pointer rests on it.</p>
<dl>{verdicts}</dl></details>
{_form(report["theorems"])}
{"".join(_group(name, groups[name]) for name in names)}
</main>
{claims.as_html(report["claims"])}
<h2 id="papers">Papers</h2>
<ul class=small>{"".join(_paper(key) for key in PAPERS)}</ul>
<h2 id="machine">Run and machine</h2>
<details><summary>Versions, machine, settings</summary><pre class=small>{details}</pre></details>
<script>{_file("page.js")}</script>
</body></html>
"""


def _file(name: str) -> str:
    return (resources.files("linreg_mirror.verification.report") / name).read_text(encoding="utf-8")


def _figures(pictures: Mapping[str, bytes]) -> str:
    return "\n".join(
        f'<figure><img alt="{_e(caption)}" src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}">'
        f"<figcaption>{to_html(caption)}</figcaption></figure>"
        for caption, svg in pictures.items()
    )


def _form(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the filter. Without JavaScript it stays hidden, and all is shown."""
    known = {paper_of(entry) for entry in entries}
    papers = [key for key in PAPERS if key in known]
    verdicts = dict.fromkeys(entry["verdict"] for entry in entries)
    return (
        '<form id="filter" hidden><label>Theorem <input name=q type=search placeholder="words of ids or statements">'
        f"</label> {_choice('paper', papers)} {_choice('verdict', verdicts)} <output></output></form>"
    )


def _choice(name: str, values: Iterable[str]) -> str:
    options = "".join(f"<option>{_e(value)}</option>" for value in values)
    return f'<label>{name} <select name={name}><option value="">all</option>{options}</select></label>'


def _group(name: str, entries: Sequence[Mapping[str, Any]]) -> str:
    cards = "\n".join(_card(entry) for entry in entries)
    title = f'<h3 id="group-{_e(name)}">{to_html(title_of(name))}</h3>'
    return f"<section class=group>{title}\n{cards}\n</section>\n"


def _card(entry: Mapping[str, Any]) -> str:
    control, id = entry["control"], _e(entry["id"])
    tone = "bad" if not entry["as_expected"] else "good" if entry["verdict"] == "holds" else "known"
    facts = [_linked(entry["source"]), _e(entry["kind"]), _PROOFS.get(entry["proof"], _e(entry["proof"]))]
    failed = "fails" if control["failed"] else '<b class="bad">does not fail</b>'
    return f"""<article id="{id}" data-paper="{_e(paper_of(entry))}" data-verdict="{_e(entry["verdict"])}">
<h4><a href="#{id}">{id}</a> <span class="mark {tone}">{_e(_verdict(entry))}</span></h4>
{_set("p", entry["statement"], "statement")}
<p class=small>{" · ".join(facts)}</p>
<p>{_evidence(entry)}</p>
<p>Control: {_set("span", control["description"], "math")}; on <code>{_e(control["witness"])}</code> this {failed}:
{_set("span", control["detail"], "math")}.</p>
<code class=command>{_e(entry["repeat"])}</code>
</article>"""


def _verdict(entry: Mapping[str, Any]) -> str:
    said = outcome(entry)
    return said if entry["as_expected"] else f"{entry['verdict']} (expected: {entry['expected']})"


def _evidence(entry: Mapping[str, Any]) -> str:
    """Return in a sentence or two what the instances say."""
    number, wrong = entry["instances"], len(entry["failing"])
    if number == 0:
        return "No instance that was tried meets the hypotheses."
    meet = f"that {'meets' if number == 1 else 'meet'} the hypotheses"
    which = (
        f"Fails on {wrong} of {counted(number, 'instance')} {meet}."
        if wrong
        else (f"Holds on the instance {meet}." if number == 1 else f"Holds on all {number} instances {meet}.")
    )
    worst = _set("span", entry["detail"], "math")
    place = "" if entry["worst_instance"] is None else f", on <code>{_e(entry['worst_instance'])}</code>"
    return f"{which} {'Worst' if wrong else 'Closest'}{place}: {worst}."


def _set(tag: str, text: str, kind: str) -> str:
    """Return a sentence with its formulas set, and as it was written where the pointer rests on it."""
    return f'<{tag} class={kind} title="{_e(text)}">{to_html(text)}</{tag}>'


def paper_of(entry: Mapping[str, Any]) -> str:
    """Return the abbreviation of the paper that a theorem comes from.

    Parameters
    ----------
    entry : mapping
        Of a theorem, from `as_json`.
    """
    return entry["source"].partition(", ")[0]


def _linked(source: str) -> str:
    key, comma, number = source.partition(", ")
    paper = PAPERS.get(key)
    where, text = address(paper.key) if paper and paper.key else None, f"{_e(key)}{comma}{to_html(number)}"
    if where is None or paper is None:
        return text
    return f'<a href="{_e(where)}" rel="noreferrer" title="{_e(paper.text)}">{text}</a>'


def _paper(key: str) -> str:
    paper = PAPERS[key]
    where = address(paper.key) if paper.key else None
    text = _e(paper.text) if where is None else f'<a href="{_e(where)}" rel="noreferrer">{_e(paper.text)}</a>'
    return f"<li><b>{_e(key)}</b>: {text}</li>"
