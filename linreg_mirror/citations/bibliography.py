"""The BibTeX entries: those of papers, in references.bib, and that of this package."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata, resources

PACKAGE = "linreg_mirror"  # the key of the package itself


@cache
def entries() -> Mapping[str, str]:
    """Return the entries of references.bib by their keys.

    Returns
    -------
    mapping of str to str
        BibTeX, without the empty lines between.
    """
    text = (resources.files("linreg_mirror.citations") / "references.bib").read_text(encoding="utf-8")
    return {key: entry.rstrip() for entry, key in re.findall(r"^(@\w+{([^,]+),.*?^}$)", text, re.M | re.S)}


def package_entry() -> str:
    """Return the entry of this package, in the version that is installed.

    Returns
    -------
    str
        BibTeX.
    """
    try:
        version = metadata.version("linreg-mirror")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        version = "not released"
    return f"""@misc{{{PACKAGE},
  author = {{{{The linreg-mirror authors}}}},
  title = {{linreg-mirror}},
  note = {{Version {version}}}
}}"""


def address(key: str) -> str | None:
    """Return where a paper of references.bib can be read: on arXiv, or else at its DOI.

    Parameters
    ----------
    key : str
        Of its entry.

    Returns
    -------
    str or None
        None where the entry has neither.
    """
    fields = dict(re.findall(r"^  (doi|eprint) = {([^}]+)}", entries().get(key, ""), re.M))
    if "eprint" in fields:
        return f"https://arxiv.org/abs/{fields['eprint']}"
    return f"https://doi.org/{fields['doi']}" if "doi" in fields else None
