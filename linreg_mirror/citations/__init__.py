"""What to cite: papers as BibTeX, and which of them a name, a result or a run rests on."""

from linreg_mirror.citations._citation import citation
from linreg_mirror.citations.bibliography import PACKAGE, entries, package_entry
from linreg_mirror.citations.sources import PAPER_KEYS, SOURCES

__all__ = ["PACKAGE", "PAPER_KEYS", "SOURCES", "citation", "entries", "package_entry"]
