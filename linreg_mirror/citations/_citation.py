"""From names, results and folders of runs to the BibTeX of what they rest on."""

from collections.abc import Iterable

from linreg_mirror.citations.bibliography import PACKAGE, entries, package_entry
from linreg_mirror.citations.uses import Use, uses_of


def citation(*subjects: object) -> str:
    """Return what to cite, as BibTeX: this package, and the papers that what is given rests on.

    Parameters
    ----------
    *subjects : object
        Any number of

        - results of solvers, problems, networks, methods, recipes, theorems, claims and findings;
        - functions and classes with an attribute `cites`;
        - names: of theorems and groups of them ("mirror.optimality", "masks"), claims, solvers ("flow"), methods
          ("pilot", "rigl"), scores ("snip"), selections, allocations, models, data sets, and the abbreviations of
          `ledger.papers.PAPERS` ("W20");
        - paths: folders of runs, and the files that `linreg-mirror check` and `compare` write.

    Returns
    -------
    str
        Entries one after the other, each once. Comments, which BibTeX skips, say what a paper is cited for.

    Raises
    ------
    ValueError
        If there is nothing of a name, or a file is none of these; the message lists names that are near. If something
        cites a paper that is not in `entries`.
    TypeError
        If a subject is something else.
    OSError
        If a file cannot be read.
    ModuleNotFoundError
        If it takes torch to know what a recipe rests on, and there is none.

    Notes
    -----
    What can be told from a result is cited, and no more: a `Solution` knows its solver, not the network it is about.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> run = lm.saddles(lm.Problem([[1, 2]], [2]))
    >>> for line in lm.citation(run, "rigl").splitlines():
    ...     if line.startswith("@"):
    ...         print(line)
    @misc{linreg_mirror,
    @inproceedings{pesme2023saddle,
    @inproceedings{evci2020rigging,
    """
    return _as_text(use for subject in subjects for use in uses_of(subject))


def _as_text(uses: Iterable[Use]) -> str:
    reasons: dict[str, list[str]] = {PACKAGE: []}
    for use in uses:
        key = use.key or PACKAGE
        lines = reasons.setdefault(key, [])
        if use.reason not in lines:
            lines.append(use.reason)
    papers = entries()
    unknown = reasons.keys() - papers.keys() - {PACKAGE}
    for key in sorted(unknown):
        raise ValueError(f"{reasons[key][0]} cites {key}, which is not in citations/references.bib: enter it there")
    return "\n\n".join(
        "\n".join([*(f"% {reason}" for reason in lines), package_entry() if key == PACKAGE else papers[key]])
        for key, lines in reasons.items()
    )
