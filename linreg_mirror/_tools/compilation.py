"""Functions compiled by numba, and where their machine code is kept."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def cache_directory() -> Path:
    """Return where compiled functions are kept: NUMBA_CACHE_DIR if it is set, else a folder of the user's cache."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    # A user without a home has ~ expanded to itself: below the root it cannot be written, in the working directory it
    # could.
    return Path("/", os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "linreg-mirror", "numba")


def compiled(*inlined: ModuleType, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with `numba.njit`, once for all processes, or in each where the cache directory cannot be written.

    By default numba writes into `__pycache__` beside the source. pip does not know those files and leaves them, with
    their folders, when it uninstalls; in site-packages this remainder is an empty namespace package, which shadows an
    editable install. So they go where caches go, each installation's into a folder of its own. numba itself notices
    other versions and processors, and a function's own file when it has changed, and replaces files whole, so processes
    may share them. It does not look at the files of what is inlined: their hash is part of the folder's name.

    Parameters
    ----------
    *inlined : module
        Modules whose functions are compiled into this one.
    **options
        Of `numba.njit`.
    """
    import numba.core.config  # takes half a second

    config: Any = numba.core.config  # whose names are made at run time

    def decorate(function: Callable[..., Any]) -> Any:
        if config.DISABLE_JIT:
            return function
        # A function's folder is chosen when it is decorated, as the first that can be written: below CACHE_DIR, then
        # beside the source, then elsewhere.
        sources = b"".join(Path(str(module.__file__)).read_bytes() for module in inlined)
        folder, before = cache_directory() / hashlib.sha256(sources).hexdigest()[:16], config.CACHE_DIR
        config.CACHE_DIR = str(folder)
        try:
            kept: Any = numba.njit(cache=True, **options)(function)
            if folder in Path(kept.stats.cache_path).parents:
                return kept
        except RuntimeError:  # none can be written
            pass
        finally:
            config.CACHE_DIR = before
        return numba.njit(**options)(function)

    return decorate
