"""Claims as JSON, terminal table and HTML."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import table
from linreg_mirror.claims.effect import Effect
from linreg_mirror.claims.findings import Assessment, Measurement
from linreg_mirror.claims.verdict import RULE, Reproduction

_COLOURS = {
    Reproduction.reproduced.value: "green",
    Reproduction.not_reproduced.value: "yellow",
    Reproduction.inconclusive.value: "magenta",
    Reproduction.not_measured.value: "dim",
}
_TONES = {Reproduction.reproduced.value: "good", Reproduction.not_reproduced.value: "known"}


def as_json(findings: Sequence[Assessment]) -> list[dict[str, Any]]:
    """Return claims as JSON-ready data.

    Parameters
    ----------
    findings : sequence of Assessment
        From `evaluate`.

    Returns
    -------
    list of dict
        `id`, `source`, `statement`, `relation`, `published`, `recipes`, `verdict`, `unmeasured` (the reason, or None),
        and in `measurements`: `recipe`, `command`, `version`, `commit`, `machine`, `method`, `rival`, `setting`
        (network, data, epochs, seeds, in words), `settings` of both, `cost` (what is equal: "weights" or "operations"
        that are left; None where shares are pruned to), `seeds`, `effect`, `low` and `high` (shares of the examples;
        None for what is not finite), `by_share` (the same with `keep`), `verdict`.
    """
    return [
        {
            "id": finding.claim.id,
            "source": str(finding.claim.source),
            "statement": finding.claim.statement,
            "relation": finding.claim.relation,
            "published": finding.claim.published,
            "recipes": [pair.recipe for pair in finding.claim.pairs],
            "verdict": finding.verdict.value,
            "unmeasured": None if finding.measurements else finding.claim.unmeasured,
            "measurements": [_measurement(one) for one in finding.measurements],
        }
        for finding in findings
    ]


def _measurement(one: Measurement) -> dict[str, Any]:
    pair, evidence = one.pair, one.evidence
    return {
        "recipe": pair.recipe,
        **{name: evidence[name] for name in ("command", "version", "commit", "machine")},
        "method": pair.method,
        "rival": pair.rival,
        "setting": _setting(one),
        "settings": {label: side["settings"] for label, side in zip((pair.method, pair.rival), one.sides, strict=True)},
        "cost": pair.cost,
        "seeds": list(one.seeds),
        **_numbers(one.effect),
        "by_share": [{"keep": keep, **_numbers(effect)} for keep, effect in one.by_share.items()],
        "verdict": one.verdict.value,
    }


def _numbers(effect: Effect) -> dict[str, float | None]:
    """JSON has no NaN and no infinity."""
    found = {"effect": effect.mean, "low": effect.low, "high": effect.high}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _setting(one: Measurement) -> str:
    settings, cycles = one.settings, one.settings.get("iterative")
    epochs = f"{cycles['cycles']} cycles of {settings['epochs']} epochs" if cycles else f"{settings['epochs']} epochs"
    seeds = f"{len(one.seeds)} seed{'s' * (len(one.seeds) != 1)}"
    return f"{settings['model']['name']} on {settings['data']['name']}, {epochs}, {seeds}, {_range(one)}"


def _range(one: Measurement) -> str:
    shares = [f"{100 * keep:.3g}" for keep in one.by_share]
    if one.pair.cost is None:
        return f"{', '.join(shares)} % kept"
    return f"{shares[0]} to {shares[-1]} % of the {one.pair.cost} left" if shares else f"no {one.pair.cost} in common"


def _points(entry: Mapping[str, Any]) -> str:
    """Return the gain and its interval in percentage points."""
    if entry["effect"] is None:
        return "diverged" if entry["by_share"] else "nothing in common"
    gain = f"{100 * entry['effect']:+.2f}"
    return gain if entry["low"] is None else f"{gain} [{100 * entry['low']:+.2f}, {100 * entry['high']:+.2f}]"


def _shares(one: Mapping[str, Any]) -> str:
    """Return the gain at each share, without intervals."""
    return ", ".join(
        f"{100 * share['keep']:.3g} %: " + ("diverged" if share["effect"] is None else f"{100 * share['effect']:+.2f}")
        for share in one["by_share"]
    )


def as_table(claims: Sequence[Mapping[str, Any]]) -> Table:
    """Return claims, from `as_json`, as a table: a line for each measurement, the gain in percentage points.

    Parameters
    ----------
    claims : sequence of mapping
        From `as_json`.

    Returns
    -------
    rich.table.Table
        For a terminal.
    """
    gain = escape("gain [95 %]")
    shown = table(
        *("claim", "source", "measured on", gain, "verdict"),
        numbers=(gain,),
        folded=("source", "measured on"),
        least={"source": 12, "measured on": 40},
        dropped=("source",),
    )
    shorter = table(
        *("claim", "measured on", "gain", "verdict"),
        numbers=("gain",),
        folded=("measured on", "verdict"),
        least={"verdict": 14},
        title="gain in percentage points, half its 95 % interval",
    )
    for entry in claims:
        names = escape(entry["id"]), escape(entry["source"])
        for where, gain, verdict in lines(entry):
            shown.add_row(*names, escape(where), escape(gain), f"[{_COLOURS[verdict]}]{verdict}[/]")
            names = "", ""
        id = escape(entry["id"])
        for one in entry["measurements"]:
            where = escape(f"{one['recipe']}: {one['method']} over {one['rival']}")
            shorter.add_row(id, where, escape(_half(one)), f"[{_COLOURS[one['verdict']]}]{one['verdict']}[/]")
            id = ""
        if len(entry["measurements"]) != 1:
            said = escape(entry["unmeasured"] or "together")
            shorter.add_row(id, said, "", f"[{_COLOURS[entry['verdict']]}]{entry['verdict']}[/]")
    shown.shorter = shorter
    return shown


def _half(one: Mapping[str, Any]) -> str:
    """Return the gain and half its interval, in percentage points."""
    if one["effect"] is None or one["low"] is None:
        return _points(one)
    return f"{100 * one['effect']:+.2f} ± {50 * (one['high'] - one['low']):.2f}"


def as_text(claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what the table has no room for: statements, what was published, settings, gains by share.

    Parameters
    ----------
    claims : sequence of mapping
        From `as_json`.

    Yields
    ------
    str
        Lines for the terminal, with markup.
    """
    for entry in claims:
        yield f"\n[bold]{escape(entry['id'])}[/] ({escape(entry['source'])}): {escape(entry['statement'])}"
        yield f"  there: {escape(entry['published'])}"
        for one in entry["measurements"]:
            yield f"  {escape(_where(one))}: {escape(_points(one))}, {one['verdict']}"
            yield f"    by share: {escape(_shares(one))}"


def lines(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield where it was measured, gain, and verdict; of several measurements also what they say together."""
    for one in entry["measurements"]:
        yield _where(one), _points(one), one["verdict"]
    if len(entry["measurements"]) != 1:
        yield entry["unmeasured"] or "together", "", entry["verdict"]


def _where(one: Mapping[str, Any]) -> str:
    return f"{one['recipe']}, {one['method']} over {one['rival']}: {one['setting']}"


def summary(claims: Sequence[Mapping[str, Any]]) -> str:
    """Return how many claims there are of each verdict, in one line.

    Parameters
    ----------
    claims : sequence of mapping
        From `as_json`.

    Returns
    -------
    str
        For a terminal or a page.
    """
    counts = {verdict.value: sum(entry["verdict"] == verdict.value for entry in claims) for verdict in Reproduction}
    return f"{counted(len(claims), 'claim')} of experiments: " + ", ".join(f"{n} {name}" for name, n in counts.items())


def as_html(claims: Sequence[Mapping[str, Any]]) -> str:
    """Return claims, from `as_json`, as a section of a page.

    Parameters
    ----------
    claims : sequence of mapping
        From `as_json`.

    Returns
    -------
    str
        A heading and a table.
    """
    rows = "\n".join(_row(entry) for entry in claims)
    return f"""<h2 id="claims">Claims of experiments</h2>
<p>{html.escape(summary(claims))}.</p>
<p>{html.escape(RULE)}</p>
<table class=claims><thead><tr><th>claim</th><th>measured here</th><th>gain, points</th><th>verdict</th></tr></thead>
{rows}
</table>
"""


def _row(entry: Mapping[str, Any]) -> str:
    e = html.escape
    recipes = f"<br><span class=small>tested by: {e(', '.join(entry['recipes']))}</span>" if entry["recipes"] else ""
    rows = [
        f"<td>{e(_where(one))}<br><code>{e(one['command'])}</code></td>"
        f"<td class=number>{e(_points(one))}<br><span class=small>{e(_shares(one))}</span></td>{_verdict(one)}"
        for one in entry["measurements"]
    ]
    if len(rows) != 1:
        rows.append(f"<td colspan=2>{e(entry['unmeasured'] or 'together')}</td>{_verdict(entry)}")
    claim = (
        f"<td rowspan={len(rows)}><b>{e(entry['id'])}</b><p class=statement>{e(entry['statement'])}</p>"
        f"<span class=small>{e(entry['source'])}; there: {e(entry['published'])}</span>{recipes}</td>"
    )
    return f'<tbody id="{e(entry["id"])}"><tr>{claim}{"</tr><tr>".join(rows)}</tr></tbody>'


def _verdict(entry: Mapping[str, Any]) -> str:
    return f'<td class="{_TONES.get(entry["verdict"], "small")}">{html.escape(entry["verdict"])}</td>'
