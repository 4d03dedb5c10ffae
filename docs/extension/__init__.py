"""What this documentation adds to Sphinx: pages made from README, ledger, claims, experiments, figures and names."""

from pathlib import Path

from sphinx.application import Sphinx

from docs.extension import claims, docstrings, errata, experiments, gallery, ledger, links, notebooks, readme, reference


def write_pages(app: Sphinx) -> None:
    """Write all generated pages into docs/generated, leaving alone those that are as they were."""
    folder = Path(app.srcdir) / "generated"
    made = [part.pages() for part in (readme, ledger, errata, claims, experiments, notebooks, reference)]
    pages = {name: text for some in (*made, gallery.pages(folder)) for name, text in some.items()}
    wanted = {folder / name: text for name, text in pages.items()}
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in {*folder.rglob("*.rst"), *folder.rglob("*.ipynb")} - set(wanted):
        path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", docstrings.escape_symbols, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", docstrings.of_others)
    app.add_role("theorem", links.theorem)
    app.add_role("formula", links.formula)
    for tone in links.TONES:
        app.add_role(tone, links.tone)
    app.add_directive("evidence", links.EvidenceDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
