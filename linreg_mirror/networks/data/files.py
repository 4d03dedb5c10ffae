"""Where the files of a published data set are, and whether they are the ones that were published."""

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Release(NamedTuple):
    """One form in which a data set is published.

    Attributes
    ----------
    folder : str
        Where its files are once it is unpacked.
    md5 : mapping of str to str
        Names of the files, and the MD5 checksums of their contents, not of the gzip files around them.
    """

    folder: str
    md5: Mapping[str, str]


class Contents(NamedTuple):
    """Files that were read.

    Attributes
    ----------
    release : Release
        Which they are of.
    paths, contents : dict of str to Path, and to bytes
        By their names in the release.
    unverified : tuple of str
        Those whose checksums are others than the published ones.
    """

    release: Release
    paths: dict[str, Path]
    contents: dict[str, bytes]
    unverified: tuple[str, ...]


def read(name: str, directory: str | Path | None, releases: Sequence[Release], page: str) -> Contents:
    """Return the files of the first release that is complete, in the directory or in the release's folder there.

    Files may be compressed by gzip.

    Parameters
    ----------
    name : str
        Of the data set.
    directory : path or None
        Where to look.
    releases : sequence of Release
        What to look for.
    page : str
        Where the set is published.

    Raises
    ------
    ValueError
        If there is no directory to look in, or a file is damaged.
    OSError
        If the directory does not hold all files of a release, or one cannot be read.
    """
    wanted = " or ".join(f"{', '.join(release.md5)} (in it or in its folder {release.folder})" for release in releases)
    expected = f"expected are {wanted}, as published at {page}, unpacked; single files may be gzipped"
    if directory is None:
        raise ValueError(
            f"{name} is read from files: name the directory they are in, by --data-dir or directory=; {expected}"
        )
    if not Path(directory).is_dir():
        raise FileNotFoundError(f"{name}: there is no directory {directory}; {expected}")
    nearest: dict[str, Path] = {}
    for release in releases:
        for place in (Path(directory, release.folder), Path(directory)):
            paths = _found(place, release)
            if len(paths) == len(release.md5):
                contents = {file: _content(path) for file, path in paths.items()}
                others = tuple(file for file, content in contents.items() if md5(content) != release.md5[file])
                return Contents(release, paths, contents, others)
            nearest = max(nearest, paths, key=len)
    there = f"only {', '.join(str(path) for path in nearest.values())}" if nearest else "none of its files"
    raise FileNotFoundError(f"{name}: {directory} holds {there}; {expected}")


def md5(content: bytes) -> str:
    """Return the MD5 checksum: published ones are of that kind."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _found(place: Path, release: Release) -> dict[str, Path]:
    candidates = ((file, place / f"{file}{ending}") for file in release.md5 for ending in (".gz", ""))
    return {file: path for file, path in candidates if path.is_file()}


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file ({error}): get it again") from None
