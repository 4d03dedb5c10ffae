"""The page on claims of experiments, from `linreg_mirror.claims`."""

from typing import Any

from docs.extension.rst import escape, heading, table
from linreg_mirror import claims
from linreg_mirror.claims.display import lines


def pages() -> dict[str, str]:
    """Return the text of the page."""
    found = claims.as_json(claims.evaluate())
    parts = [
        heading("Claims of experiments"),
        "Theorems are checked to rounding. What papers claim of experiments is another matter, with a table of its\n"
        "own (``linreg-mirror claims``), which passes or fails nothing.\n",
        heading("How a claim is judged", "-"),
        f"{escape(claims.RULE)}\n",
        "The code of this rule is :func:`linreg_mirror.claims.evaluate`. Measurements come from\n"
        "``benchmarks/results``; ``linreg-mirror claims --results DIR`` judges by comparisons of your own.\n",
        heading("What was measured", "-"),
        f"{escape(claims.summary(found))}.\n",
        table(("claim", "measured here", "gain in points [95 %]", "verdict"), (38, 38, 14, 10), _rows(found), "claims"),
    ]
    return {"claims.rst": "\n".join(parts)}


def _rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    for entry in found:
        claim = f"**{entry['id']}** ({escape(entry['source'])}). {escape(entry['statement'])}"
        for where, gain, verdict in lines(entry):
            rows.append((claim, escape(where), gain, verdict))
            claim = ""
    return rows
