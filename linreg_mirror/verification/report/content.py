"""The report as data, and its files."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linreg_mirror import claims
from linreg_mirror.runtime.environment import environment
from linreg_mirror.verification._check import Finding
from linreg_mirror.verification.report.page import as_html


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


def _finite(value: float) -> float | None:
    """JSON has no NaN and no infinity; the detail beside the number names them."""
    return value if math.isfinite(value) else None


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
