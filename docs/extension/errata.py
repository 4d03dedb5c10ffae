"""The errata page: statements that were printed wrongly, what is right, and the command that shows it."""

import inspect

from docs.extension.ledger import outcome, reference
from docs.extension.rst import formula, heading, prose
from docs.ledger import read
from linreg_mirror.ledger import Theorem, Verdict
from linreg_mirror.theorems import REGISTRY


def pages() -> dict[str, str]:
    """Return the text of the page."""
    stored = read()
    parts = [
        heading("Errata"),
        "Statements that were printed and are wrong. The ledger keeps each of them as it was printed, expects it to\n"
        "be refuted, and has what is right beside it. Each command below exits with 0, which means that the statement\n"
        "was refuted, on one instance.\n",
    ]
    for t in printed_wrongly():
        entry = stored["theorems"].get(t.id, {})
        right = "\n".join(f"    | :theorem:`{id}`: {formula(REGISTRY[id].statement)}" for id in t.corrected)
        parts += [
            heading(f"{t.source.paper}, {t.source.number}", "-"),
            f"{reference(t.source.paper)}.\n",
            f"Printed\n    {formula(t.statement)}\n",
            f"Verdict\n    {outcome(t, stored)} (:theorem:`{t.id}`): {formula(entry.get('detail', ''))}\n",
            f"Right\n{right}\n",
            f"See for yourself::\n\n    {command(t)}\n",
        ]
        if t.observe.__doc__:
            parts.append(prose(_after_first(t.observe.__doc__)))
    return {"errata.rst": "\n".join(parts)}


def printed_wrongly() -> list[Theorem]:
    """Return the theorems that are known to be wrong."""
    return [t for t in REGISTRY.values() if t.expected is Verdict.refuted]


def command(t: Theorem) -> str:
    """Return the command that refutes a misprinted statement, which is its own control, on its witness."""
    return f"linreg-mirror check {t.id} --instance {t.control.witness}"


def _after_first(doc: str) -> str:
    _, _, rest = inspect.cleandoc(doc).partition("\n\n")
    return rest
