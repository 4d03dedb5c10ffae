"""What searches for counterexamples came to: lines, a table, JSON."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import table
from linreg_mirror.ledger import Verdict
from linreg_mirror.verification._falsify import Falsification

REPEAT = "  repeat: "


def as_text(outcome: Falsification) -> Iterator[str]:
    """Yield what a search came to in lines for the terminal, with colours; one that begins with `REPEAT` is to copy."""
    theorem, evidence = outcome.theorem, outcome.evidence
    yield f"[bold]{theorem.id}[/]: {escape(theorem.statement)}"
    yield f"  {_coloured(outcome)}"
    if outcome.worst is not None and evidence is not None:
        yield f"  worst case: {outcome.worst.instance}"
        yield f"  margin {evidence.margin:.3g}; {escape(evidence.detail)}"
    yield (
        f"  {counted(outcome.evaluated, 'instance')} evaluated, {outcome.passed_over} did not meet the hypotheses, "
        f"{len(outcome.errors)} could not be evaluated; {outcome.seconds:.1f} s"
    )
    if outcome.errors:
        yield f"  the first of these: {outcome.errors[0].instance}: {escape(outcome.errors[0].error)}"
    if outcome.repeat is not None:
        yield f"{REPEAT}{outcome.repeat}"


def entry_of(outcome: Falsification) -> dict[str, Any]:
    """Return a search as JSON-ready data."""
    evidence, worst = outcome.evidence, outcome.worst
    return {
        "id": outcome.theorem.id,
        "verdict": outcome.verdict.name,
        "as_expected": outcome.as_expected,
        "worst_instance": worst.instance if worst else None,
        "margin": evidence.margin if evidence and math.isfinite(evidence.margin) else None,
        "tightness": evidence.tightness if evidence else None,
        "detail": evidence.detail if evidence else None,
        "evaluated": outcome.evaluated,
        "passed_over": outcome.passed_over,
        "errors": [{"instance": one.instance, "error": one.error} for one in outcome.errors],
        "seconds": outcome.seconds,
        "repeat": outcome.repeat,
    }


def as_table(outcomes: Sequence[Falsification]) -> Table:
    """Return many searches as a table: theorem, instances evaluated, margin, share of the bound, seconds, outcome."""
    numbers = ("evaluated", "errors", "margin", "of the bound", "seconds")
    shown = table(
        *("theorem", *numbers, "outcome"),
        numbers=numbers,
        folded=("outcome",),
        least={"outcome": 12},
        dropped=("seconds", "errors", "of the bound"),
    )
    for outcome in outcomes:
        evidence = outcome.evidence
        shown.add_row(
            outcome.theorem.id,
            str(outcome.evaluated),
            str(len(outcome.errors)),
            "-" if evidence is None else f"{evidence.margin:.2g}",
            "-" if evidence is None or evidence.tightness is None else f"{100 * evidence.tightness:.3g} %",
            f"{outcome.seconds:.1f}",
            _coloured(outcome),
        )
    return shown


def _coloured(outcome: Falsification) -> str:
    text = {Verdict.refuted: "refuted", Verdict.holds: "survives"}.get(outcome.verdict, "not tested")
    if outcome.errors:
        text += f", {counted(len(outcome.errors), 'error')}"
    if not outcome.as_expected:
        return f"[bold red]{text}, not expected[/]"
    return "[yellow]refuted, as expected[/]" if outcome.verdict is Verdict.refuted else f"[green]{text}[/]"
