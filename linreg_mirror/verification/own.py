"""What a user brings to a check: theorems in a file, data in a file. Both travel to the workers."""

import hashlib
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Self

from linreg_mirror.ledger import FAMILIES, REGISTRY, Theorem
from linreg_mirror.problems import Problem

FAMILY = "data"  # what instances on a user's data are called: data/SETTING/SEED
_PREFIX = "own_theorems."


@dataclass(frozen=True)
class TheoremFile:
    """A Python file whose theorems join the ledger.

    Parameters
    ----------
    path : Path
        Where it lies; its folder is searched for what it imports.
    source : str
        What it says.
    """

    path: Path
    source: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises
        ------
        ValueError
            If it is no Python file, or cannot be read.
        """
        if path.suffix != ".py":
            raise ValueError(f"theorems of your own stand in a Python file, got {path}: write --module mine.py")
        try:
            return cls(path.absolute(), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None

    @property
    def module(self) -> str:
        """The name under which it is imported."""
        return _PREFIX + self.path.stem

    @property
    def theorems(self) -> list[Theorem]:
        """What it has entered into the ledger."""
        return [entry for entry in REGISTRY.values() if entry.observe.__module__ == self.module]

    def install(self) -> None:
        """Run the file, unless this process has done so already.

        Raises
        ------
        ValueError
            If it raises an exception, or enters a theorem that the ledger has.
        """
        known = sys.modules.get(self.module)
        if known is not None and known.__dict__.get("__source__") == self.source:
            return
        for entry in self.theorems:  # of the file as it was before
            del REGISTRY[entry.id]
        folder = str(self.path.parent)
        if folder not in sys.path:
            sys.path.append(folder)
        module = ModuleType(self.module)
        module.__dict__.update(__file__=str(self.path), __source__=self.source)
        sys.modules[self.module] = module
        try:
            exec(compile(self.source, str(self.path), "exec"), module.__dict__)
        except Exception as error:
            del sys.modules[self.module]
            raise ValueError(f"{self.path} failed: {type(error).__name__}: {error}") from error
        if not self.theorems:
            raise ValueError(
                f"{self.path} enters no theorem: decorate a function with linreg_mirror.ledger.theorem, as in "
                "docs/howto/add_theorem.rst"
            )


@dataclass(frozen=True, eq=False)
class OwnData:
    """A problem whose settings of start, loss and penalty are instances of the ledger.

    Parameters
    ----------
    problem : Problem
        X and y.
    """

    problem: Problem
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for array in (self.problem.X, self.problem.y):
            digest.update(f"{array.shape}\0".encode() + array.tobytes())
        object.__setattr__(self, "digest", digest.hexdigest())

    def install(self) -> None:
        """Make instances data/SETTING/SEED known to this process."""
        FAMILIES[FAMILY] = lambda *, rng: self.problem


@dataclass(frozen=True)
class Own:
    """What a user brings, and how it is brought again.

    Parameters
    ----------
    files : tuple of TheoremFile
        Theorems.
    data : OwnData, optional
        Data.
    words : tuple of str
        What the command line needs to bring the same.
    """

    files: tuple[TheoremFile, ...] = ()
    data: OwnData | None = None
    words: tuple[str, ...] = ()

    def install(self) -> None:
        """Make it known to this process."""
        for part in (*self.files, *([self.data] if self.data else ())):
            part.install()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Make it known inside the block. Theorems stay, so that what was found can be shown; data do not."""
        self.install()
        try:
            yield
        finally:
            FAMILIES.pop(FAMILY, None)

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """Names and sources of the files."""
        return tuple((file.module, file.source) for file in self.files)

    def command(self, theorem: str, instance: str) -> str:
        """Return the command that checks a theorem on an instance.

        Parameters
        ----------
        theorem, instance : str
            Id and name.
        """
        return shlex.join(["linreg-mirror", "check", theorem, "--instance", instance, *self.words])

    def marks(self, instance: str) -> dict[str, str]:
        """Return what identifies results on an instance besides its name: the hash of data, if it is made of them.

        Parameters
        ----------
        instance : str
            Its name.
        """
        return {"data": self.data.digest} if self.data and instance.startswith(f"{FAMILY}/") else {}


NOTHING = Own()
