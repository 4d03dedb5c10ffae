"""The ledger as a terminal table, JSON and HTML."""

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from linreg_mirror import claims
from linreg_mirror._tools.tables import table
from linreg_mirror.ledger import Verdict
from linreg_mirror.ledger.papers import PAPERS
from linreg_mirror.runtime.environment import environment
from linreg_mirror.verification._check import Finding


def as_json(findings: Sequence[Finding], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole report as JSON-ready data.

    Parameters
    ----------
    findings : sequence of Finding
        What `check` returned.
    run : mapping
        What is to be said about the run itself, such as seeds and seconds.

    Returns
    -------
    dict
        `theorems`: a list with `id`, `source`, `statement`, `kind`, `proof`, `instances` (their number),
        `worst_margin`, `tightness`, `detail`, `repeat`, `control` (`description`, `witness`, `failed`, `error`,
        `detail`), `verdict`, `expected`, `as_expected`, `partial` (only some instances were asked for, so that an
        erratum need not be refuted, nor every theorem apply), `missing` (evaluations left to other shards), `failing`
        (instance, margin or error, and command of each that does not hold); `claims`: what papers claim of experiments,
        as in `claims.as_json`; `environment`; `run`; `passed`: all theorems as expected, and something evaluated.
    """
    return {
        "passed": all(finding.as_expected for finding in findings)
        and any(finding.records or finding.missing for finding in findings),
        "run": dict(run),
        "environment": environment(),
        "theorems": [_entry(finding) for finding in findings],
        "claims": claims.as_json(claims.evaluate()),
    }


def _entry(finding: Finding) -> dict[str, Any]:
    theorem, worst, control = finding.theorem, finding.worst, finding.control
    evidence = worst.evidence if worst else None
    shares = [r.evidence.tightness for r in finding.records if r.evidence and r.evidence.tightness is not None]
    return {
        "id": theorem.id,
        "source": str(theorem.source),
        "statement": theorem.statement,
        "kind": theorem.kind,
        "proof": theorem.proof,
        "hypotheses": [hypothesis.name for hypothesis in theorem.hypotheses],
        "instances": len(finding.records),
        "worst_instance": worst.instance if worst else None,
        "worst_margin": _finite(evidence.margin) if evidence else None,
        "tightness": max(shares) if shares else None,
        "detail": evidence.detail if evidence else (worst.error if worst else "no instance met the hypotheses"),
        "repeat": finding.repeat,
        "control": {
            "description": theorem.control.description,
            "witness": theorem.control.witness,
            "failed": finding.control_failed,
            "missing": control is None,
            "error": bool(control and control.error),
            "detail": control.error or str(control.evidence and control.evidence.detail) if control else "not run",
        },
        "verdict": finding.verdict.name,
        "expected": theorem.expected.name,
        "as_expected": finding.as_expected,
        "partial": finding.partial,
        "missing": finding.missing,
        "failing": [
            {
                "instance": record.instance,
                "margin": _finite(record.evidence.margin) if record.evidence else None,
                "error": record.error or None,
                "repeat": finding.own.command(theorem.id, record.instance),
            }
            for record in finding.records
            if record.evidence is None or not record.evidence.holds
        ],
    }


def _control(control: Mapping[str, Any]) -> str:
    if control["failed"]:
        return "fails"
    if control["missing"]:
        return "-"
    return "[bold red]error[/]" if control["error"] else "[bold red]passes[/]"


def _finite(value: float) -> float | None:
    """JSON has no NaN and no infinity; the detail beside the number names them."""
    return value if math.isfinite(value) else None


_COLOURS = {"holds": "green", "refuted": "yellow", "vacuous": "yellow", "untested": "magenta", "error": "red"}


def _outcome(entry: Mapping[str, Any]) -> str:
    """Return the verdict in words; part of the grid says less than all of it."""
    verdict, expected = entry["verdict"], entry["expected"]
    if verdict == expected:
        return verdict if verdict == "holds" else f"{verdict}, as expected"
    if not entry["as_expected"]:
        return f"{verdict}, not expected"
    if entry["missing"]:
        return "incomplete"
    if verdict == "untested":
        return "does not apply here"
    return "not refuted here" if expected == "refuted" else "holds here"


def as_table(report: Mapping[str, Any]) -> Table:
    """Return the ledger as a table: a theorem a row."""
    shown = table(
        *("theorem", "source", "kind", "proof", "instances", "worst margin", "control", "verdict"),
        numbers=("instances", "worst margin"),
        folded=("source",),
    )
    for entry in report["theorems"]:
        colour = _COLOURS[entry["verdict"]] if entry["as_expected"] else "bold red"
        shown.add_row(
            entry["id"],
            escape(entry["source"]),
            entry["kind"],
            entry["proof"],
            str(entry["instances"]),
            _number(entry["worst_margin"]),
            _control(entry["control"]),
            f"[{colour}]{_outcome(entry)}[/]",
        )
    return shown


def legend(report: Mapping[str, Any]) -> str:
    """Return what the columns mean, and the papers behind the sources in use."""
    used = [key for key in PAPERS if any(entry["source"].startswith(f"{key},") for entry in report["theorems"])]
    papers = "\n".join(f"  {key:7}{PAPERS[key].text}" for key in used)
    return (
        "margin: the smallest of all instances; the theorem holds if it is >= 0. control: a false variant of the "
        "theorem, which must fail on its witness.\n"
        "proof: by computer algebra, in our documentation (written), in the source (cited); comparisons of code have "
        f"none.\n{papers}"
    )


def summary(report: Mapping[str, Any]) -> str:
    """Return the outcome in one line."""
    entries = report["theorems"]
    good = sum(entry["as_expected"] for entry in entries)
    errata = sum(entry["expected"] == entry["verdict"] == "refuted" for entry in entries)
    evaluations = sum(entry["instances"] for entry in entries)
    controls = sum(entry["control"]["failed"] for entry in entries)
    missing = sum(entry["missing"] for entry in entries)
    return (
        f"{good} of {len(entries)} theorems as expected ({errata} printed statements refuted among them), "
        f"{evaluations} evaluations, {controls} controls failed as they must"
        + (f"; {missing} evaluations are left to other shards" if missing else "")
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def write(report: Mapping[str, Any], directory: Path, pictures: Mapping[str, bytes]) -> tuple[Path, Path]:
    """Write report.json and report.html into a directory and return their paths.

    Parameters
    ----------
    report : mapping
        From `as_json`.
    directory : path
        Made if it is not there.
    pictures : mapping of str to bytes
        Caption and SVG of each picture; they go into the page itself.

    Raises
    ------
    OSError
        If the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / "report.json", directory / "report.html"
    data.write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
    page.write_text(as_html(report, pictures), encoding="utf-8")
    return data, page


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --known: #9a6700; --bad: #cf222e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.theorems th:nth-child(1) { width: 38%; } .theorems th:nth-child(4) { width: 18%; }
.theorems th:nth-child(5) { width: 24%; } .claims th:nth-child(1), .claims th:nth-child(2) { width: 35%; }
th:nth-child(3), .theorems th:nth-child(4) { text-align: right; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.statement { margin: .2rem 0; } .small { font-size: 13px; opacity: .8; }
.good { color: var(--good); } .known { color: var(--known); } .bad { color: var(--bad); font-weight: 600; }
figure { margin: 1.5rem 0; } figure img { width: 100%; max-width: 60rem; background: white; border-radius: 6px; }
figcaption { max-width: 60rem; }
"""


def as_html(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return one self-contained page: outcome, pictures, ledger, claims, environment. It loads nothing."""
    rows = "\n".join(_row(entry) for entry in report["theorems"])
    figures = "\n".join(
        f'<figure><img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, svg in pictures.items()
    )
    verdicts = "".join(f"<li><b>{v.name}</b>: {html.escape(v.value)}</li>" for v in Verdict)
    mood = "good" if report["passed"] else "bad"
    papers = "".join(f"<li><b>{key}</b>: {html.escape(paper.text)}</li>" for key, paper in PAPERS.items())
    details = html.escape(json.dumps({"run": report["run"], "environment": report["environment"]}, indent=1))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>linreg-mirror: the ledger</title><style>{_STYLE}</style></head><body>
<h1>The ledger</h1>
<p class="{mood}">{html.escape(summary(report))}</p>
<h2>Pictures</h2>
{figures}
<h2>Theorems</h2>
<p>Each statement is evaluated on every instance that meets its hypotheses. A margin of at least 0 means that it holds;
the worst one is shown, with the command that repeats it. Each statement has a control, a false variant of it, that
must fail on its witness: where it does not, the theorem counts as untested.</p>
<table class=theorems><thead><tr><th>theorem</th><th>kind, proof</th><th>instances</th><th>worst margin</th>
<th>control</th><th>verdict</th></tr></thead><tbody>
{rows}
</tbody></table>
<ul class="small">{verdicts}</ul>
{claims.as_html(report["claims"])}
<ul class="small">{papers}</ul>
<h2>Run and machine</h2>
<pre class="small">{details}</pre>
</body></html>
"""


def _row(entry: Mapping[str, Any]) -> str:
    control = entry["control"]
    tone = "bad" if not entry["as_expected"] else "good" if entry["verdict"] == "holds" else "known"
    verdict = entry["verdict"] if entry["verdict"] == entry["expected"] or not entry["as_expected"] else _outcome(entry)
    expected = "" if entry["verdict"] == "holds" and entry["as_expected"] else f" (expected: {entry['expected']})"
    used = (
        ""
        if entry["tightness"] is None
        else f"<br><span class=small>at most {entry['tightness']:.2g} of the bound</span>"
    )
    failed = "fails" if control["failed"] else '<span class="bad">does not fail</span>'
    e = html.escape
    return (
        f'<tr id="{e(entry["id"])}"><td><b>{e(entry["id"])}</b><p class=statement>{e(entry["statement"])}</p>'
        f"<span class=small>{e(entry['source'])}</span><br><code>{e(entry['repeat'])}</code></td>"
        f"<td>{e(entry['kind'])}<br><span class=small>{e(entry['proof'])}</span></td>"
        f"<td class=number>{entry['instances']}</td>"
        f"<td class=number>{_number(entry['worst_margin'])}{used}<br><span class=small>{e(entry['detail'])}</span></td>"
        f"<td>{e(control['description'])}<br><span class=small>on {e(control['witness'])}: {failed}, "
        f"{e(control['detail'])}</span></td>"
        f'<td class="{tone}">{e(verdict)}{e(expected)}</td></tr>'
    )
