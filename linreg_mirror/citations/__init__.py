"""What to cite: papers as BibTeX, and which of them a name, a result or a run rests on."""

from linreg_mirror.citations._citation import citation
from linreg_mirror.citations.bibliography import PACKAGE, entries, package_entry

__all__ = ["PACKAGE", "citation", "entries", "package_entry"]
