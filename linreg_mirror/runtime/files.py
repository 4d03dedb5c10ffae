"""Files that appear whole or not at all, whoever is killed while they are written."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ELSEWHERE = "set LINREG_MIRROR_RESULTS to a folder that can be read and written"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write, which then takes the place of `path`; whoever reads finds the old one or the new one.

    What a killed process was about to write is named after it, NAME.*.PID.partial.

    Parameters
    ----------
    path : Path
        Its folder is made. What is written survives a power cut.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk; then the old one is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        partial.touch()  # with the permissions that the umask leaves, whatever libraries make of them
        mode = partial.stat().st_mode
        yield partial
        partial.chmod(mode)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder is made.
    text : str
        In UTF-8.
    durable : bool
        Whether it is to survive a power cut; without, as few calls of the system as can be are made.

    Raises
    ------
    OSError
        If it cannot be written; then the old one is still there.
    """
    if durable:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
        return
    partial = _partial(path)
    try:
        try:
            partial.write_text(text, encoding="utf-8")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _partial(path: Path) -> Path:
    # Not the tempfile module, whose files only their owner can read: folders of results are shared.
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}.{os.getpid()}.partial")


def explained(error: OSError, purpose: str, path: Path, instead: str = _ELSEWHERE) -> OSError:
    """Return the same kind of error, saying what to do.

    Parameters
    ----------
    error : OSError
        What happened.
    purpose : str
        What for, such as "save a result".
    path : Path
        The file or folder.
    instead : str
        What else to write to.
    """
    # Three arguments let OSError choose its subclass by errno, so that PermissionError stays one.
    return OSError(
        error.errno,
        f"cannot {purpose}: {error.strerror}; free some space, mend the permissions, or {instead}",
        str(path),
    )


@contextmanager
def explaining(purpose: str, path: Path, instead: str = _ELSEWHERE) -> Iterator[None]:
    """Let an OSError say what to do, as `explained`."""
    try:
        yield
    except OSError as error:
        raise explained(error, purpose, path, instead) from error


def clear(folder: Path) -> None:
    """Delete what killed processes of this machine left half written.

    Parameters
    ----------
    folder : Path
        Not those in it.
    """
    if os.name != "posix":  # elsewhere one cannot ask for a process without ending it
        return
    for partial in folder.glob("*.partial"):
        try:
            os.kill(int(partial.suffixes[-2][1:]), 0)
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except (ValueError, IndexError, PermissionError):
            continue  # not one of these files, or the process of somebody else
