"""The report in the terminal: a table, what its columns mean, and the outcome in one line."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import table
from linreg_mirror.ledger.papers import PAPERS

_COLOURS = {"holds": "green", "refuted": "yellow", "vacuous": "yellow", "untested": "magenta", "error": "red"}


def as_table(report: Mapping[str, Any]) -> Table:
    """Return the ledger as a table: a theorem a row.

    Parameters
    ----------
    report : mapping
        From `as_json`.

    Returns
    -------
    rich.table.Table
        Where the terminal is narrow kind, proof and source are left out, in this order.
    """
    shown = table(
        *("theorem", "source", "kind", "proof", "instances", "margin", "control", "verdict"),
        numbers=("instances", "margin"),
        folded=("source", "verdict"),
        least={"source": 12, "verdict": 12},
        dropped=("kind", "proof", "source"),
    )
    for entry in report["theorems"]:
        colour = _COLOURS[entry["verdict"]] if entry["as_expected"] else "bold red"
        shown.add_row(
            entry["id"],
            escape(entry["source"]),
            entry["kind"],
            entry["proof"],
            str(entry["instances"]),
            number(entry["worst_margin"]),
            _control(entry["control"]),
            f"[{colour}]{outcome(entry)}[/]",
        )
    return shown


def as_text(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the table has no room for: of each theorem its statement, its worst instance, its control.

    Parameters
    ----------
    report : mapping
        From `as_json`.

    Yields
    ------
    str
        Lines with colours, for the terminal.
    """
    for entry in report["theorems"]:
        control = entry["control"]
        yield f"\n[bold]{escape(entry['id'])}[/] ({escape(entry['source'])}; {entry['kind']}, {entry['proof']})"
        yield f"  {escape(entry['statement'])}"
        yield f"  worst: {escape(str(entry['worst_instance']))}: {escape(entry['detail'])}"
        yield f"  control: {escape(control['description'])}, on {control['witness']}: {escape(control['detail'])}"
        yield f"  repeat: {escape(entry['repeat'])}"


def legend(report: Mapping[str, Any], *, papers: bool = True) -> str:
    """Return what the columns mean, and the papers behind the sources in use.

    Parameters
    ----------
    report : mapping
        From `as_json`.
    papers : bool
        Whether to name the papers.
    """
    used = [key for key in PAPERS if any(entry["source"].startswith(f"{key},") for entry in report["theorems"])]
    named = "".join(f"\n  {key:7}{PAPERS[key].text}" for key in used) if papers else ""
    return (
        "margin: the smallest of all instances; the theorem holds if it is >= 0.\n"
        "control: a false variant of the theorem, which must fail on its witness.\n"
        "proof: by computer algebra, in our documentation (written), in the source (cited); comparisons of code have "
        f"none.{named}"
    )


def summary(report: Mapping[str, Any]) -> str:
    """Return the outcome in one line.

    Parameters
    ----------
    report : mapping
        From `as_json`.
    """
    entries = report["theorems"]
    good = sum(entry["as_expected"] for entry in entries)
    errata = sum(entry["expected"] == entry["verdict"] == "refuted" for entry in entries)
    evaluations = counted(sum(entry["instances"] for entry in entries), "evaluation")
    missing = sum(entry["missing"] for entry in entries)
    if missing:
        wrong = len(entries) - good
        found = f"{counted(wrong, 'theorem')} not as expected" if wrong else "nothing that is not expected"
        return (
            f"a share of {counted(len(entries), 'theorem')}: {found} so far, {evaluations}; "
            f"{counted(missing, 'evaluation')} left to other shards"
        )
    controls = sum(entry["control"]["failed"] for entry in entries)
    among = f" ({counted(errata, 'printed statement')} refuted among them)" if errata else ""
    return (
        f"{good} of {counted(len(entries), 'theorem')} as expected{among}, {evaluations}, "
        f"{counted(controls, 'control')} failed as {'it' if controls == 1 else 'they'} must"
    )


def outcome(entry: Mapping[str, Any]) -> str:
    """Return the verdict in words; part of the grid says less than all of it.

    Parameters
    ----------
    entry : mapping
        Of a theorem, from `as_json`.
    """
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


def number(value: float | None) -> str:
    """Return two digits, or a dash.

    Parameters
    ----------
    value : float or None
        A margin.
    """
    return "-" if value is None else f"{value:.2g}"


def _control(control: Mapping[str, Any]) -> str:
    if control["failed"]:
        return "fails"
    if control["missing"]:
        return "-"
    return "[bold red]error[/]" if control["error"] else "[bold red]passes[/]"
