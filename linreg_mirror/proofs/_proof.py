"""What a proof is: claims that a reader can check without trusting whoever made them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SMALL = 1e-9  # of the largest entry: what is called a small weight in words

_APART = 1e-8  # what is worth mentioning


@dataclass(frozen=True)
class Proof:
    """Claims about one problem, with all that is needed to check them by exact or ball arithmetic.

    Attributes
    ----------
    kind : {"vertex", "enclosure", "inconsistent", "limit"}
        "vertex": a basis and signs prove that x is an interpolator of least L1 norm, and whether it is the only one.
        "enclosure": two bounds of the least L1 norm, and a bound of the distance to every interpolator that has it.
        "inconsistent": rows prove that Xx = y has no solution. "limit": balls that hold the end of a mirror flow.
    content : dict
        What the file holds, ready for JSON: the kind, the problem's SHA-256, indices, signs, enclosures as decimal
        strings.
    apart : float or None
        Of a proof that was made just now: how far the answer that was given is from what was proved, the largest
        difference relative to the largest entry.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> print(lm.prove(problem, lm.minimum_l1(problem)))
    x is the only interpolator of least L1 norm: 1 nonzero weight, |x|_1 = 1.0000000000000000
    """

    kind: str
    content: dict[str, Any]
    apart: float | None = field(default=None, compare=False)

    @classmethod
    def load(cls, path: str | Path) -> "Proof":
        """Read a proof from a file; `verify` says whether it holds.

        Parameters
        ----------
        path : path
            A JSON file that `save` wrote.

        Returns
        -------
        Proof
            Unchecked.

        Raises
        ------
        ValueError
            If the file does not hold a proof.
        OSError
            If it cannot be read.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(str(content["kind"]), content)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{path} does not hold a proof: {type(error).__name__}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write the proof to a JSON file.

        Parameters
        ----------
        path : path
            Where to write.
        """
        Path(path).write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")

    @property
    def unique(self) -> bool | None:
        """Whether what was found is proved to be unique (True), not to be (False), or neither (None)."""
        return True if self.kind == "limit" else self.content.get("unique")

    def __repr__(self) -> str:
        return f"Proof({self.kind}: {self})"

    def __str__(self) -> str:
        words = _WORDS[self.kind](self.content)
        if self.apart is not None and self.apart > _APART:
            words += f". The answer that was given differs from this x by {self.apart:.1e} of its largest entry"
        return words


def _vertex(content: dict[str, Any]) -> str:
    sizes = [abs(float(value)) for value in content["x"]]
    small = sum(size <= _SMALL * max(sizes) for size in sizes)
    which = {
        True: "the only interpolator of least L1 norm",
        False: "an interpolator of least L1 norm, and not the only one",
        None: "an interpolator of least L1 norm; whether it is the only one is not decided",
    }[content["unique"]]
    weights = f"{len(sizes)} nonzero weight{'s' * (len(sizes) != 1)}"
    if small:
        weights += (
            f", {small} of them below {_SMALL:g} of the largest: y is not exactly a combination of the other columns"
        )
    return f"x is {which}: {weights}, |x|_1 = {content['norm']}"


def _enclosure(content: dict[str, Any]) -> str:
    lower, upper = content["norm"]
    distance = content["distance"]
    near = (
        f"every interpolator that has it is within {distance} of x in L1"
        if distance is not None
        else "how far x is from one that has it is not bounded"
    )
    return f"the least L1 norm lies between {lower} and {upper}; {near}. The exact vertex was not found"


def _inconsistent(content: dict[str, Any]) -> str:
    rows = len(content["rows"])
    return (
        f"no x satisfies Xx = y: row {content['row']} of X is a combination of {rows} other rows, and its target is "
        "not that of theirs"
    )


def _limit(content: dict[str, Any]) -> str:
    size = max(abs(float(value)) for value in content["x"])
    error = max(float(error) for error in content["error"])
    return (
        f"every entry of the limit of the mirror flow is within its error of x: {error:.1e} at most, the largest entry "
        f"is {size:.6g}"
    )


_WORDS = {"vertex": _vertex, "enclosure": _enclosure, "inconsistent": _inconsistent, "limit": _limit}
