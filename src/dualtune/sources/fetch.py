"""Downloading the benchmark files: resumed, repeated, and refused where the bytes are wrong.

Files come from the commits that their authors' repositories had when the checksums were taken, or
from a mirror. A download goes to ``NAME.part``; it becomes ``NAME`` only when its SHA-256 is the
expected one and its rows are those of the benchmark. Of MATH, whose 5,000 problems are a file each
in the protocol's repository, one file of another repository is tried first, and where its rows are
not MATH's the whole repository is fetched and its files are merged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Literal

from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.progress import bar
from dualtune.sources.benchmarks import BENCHMARKS, fetched_folder, how_to_get, read_benchmark

log = logging.getLogger(__name__)

ATTEMPTS = 5
TIMEOUT = 30.0  # seconds that a server may be silent
_BLOCK = 1 << 16
_PERMANENT = (400, 401, 403, 404, 405, 410, 451)  # asking again will not help

_COMMIT = "9c67cb137b87e3c2f68ab412c6731b1f47a51b55"
_MAMMOTH = f"https://raw.githubusercontent.com/TIGER-AI-Lab/MAmmoTH2/{_COMMIT}/math_eval/dataset/"
_MAMMOTH_ARCHIVE = f"https://codeload.github.com/TIGER-AI-Lab/MAmmoTH2/tar.gz/{_COMMIT}"
_TORA = (
    "https://raw.githubusercontent.com/microsoft/ToRA/"
    "213c1c995038c73fab10343814df7a42f990f026/src/data/"
)
_PRM800K = (
    "https://media.githubusercontent.com/media/openai/prm800k/"
    "00811d6de065642a6967b9017d4cee59550c0ef4/prm800k/"
)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a benchmark's file is.

    Attributes:
        url: Its address.
        sha256: Of its bytes; None where the rows alone are checked.
        folder: Where the address is that of a repository's archive: its folder that holds the rows
            as JSON files, one a row.
    """

    url: str
    sha256: str | None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a file: ``fetched``, or ``kept`` because it was there and right."""

    name: str
    file: Path
    outcome: Literal["fetched", "kept"]


REMOTES: Mapping[str, Remote] = {
    "gsm8k": Remote(
        f"{_MAMMOTH}gsm8k/gsm8k.jsonl",
        "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
    ),
    # Order and columns of that file may be others, so its rows are checked, which are compared in
    # an order of their own.
    "math": Remote(f"{_TORA}math/test.jsonl", None),
    "aqua": Remote(
        f"{_MAMMOTH}AQuA/AQuA.json",
        "de41581881ef95c5588c44ddc701c77fd480839241dd422a0d181262af24520c",
    ),
    "numglue": Remote(
        f"{_MAMMOTH}numglue/numglue.json",
        "88d16c07e08b36492566ad0f35f95504cc1f1b15694c94052be0170d81d85936",
    ),
    "svamp": Remote(
        f"{_MAMMOTH}SVAMP/SVAMP.json",
        "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e",
    ),
    "mathematics": Remote(
        f"{_MAMMOTH}deepmind/deepmind.json",
        "1caa7e191af2df1c110ca405dcaf7fc663a1bac16f589e6af853bff5d1012a11",
    ),
    "simuleq": Remote(
        f"{_MAMMOTH}simuleq/simuleq.json",
        "2fdc97194c641c7c969866a2a25f01e6c6ae36b00391467d33e15a1a7d4e75e1",
    ),
    "sat": Remote(
        f"{_MAMMOTH}sat/sat.json",
        "8e551d655828c4162e3f098c7c8fa560f8ba4bc7b6f24a9caa205f23bcd861d9",
    ),
    "mmlu_math": Remote(
        f"{_MAMMOTH}mmlu/mathematics.json",
        "4d07b027d398890e5bc1bbee5ed568fd4b3ba9bb4539d076fe082107d0e9d8bf",
    ),
    # The checksum is the one in the repository's own Git LFS pointer.
    "math500": Remote(
        f"{_PRM800K}math_splits/test.jsonl",
        "35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132",
    ),
}

# Where else a benchmark is, should the first place not have it.
FURTHER: Mapping[str, Remote] = {
    "math": Remote(_MAMMOTH_ARCHIVE, None, folder="math_eval/dataset/math"),
}


def fetch_benchmarks(
    names: Sequence[str] = (),
    *,
    folder: Path | None = None,
    mirror: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Fetched]:
    """Download benchmark files.

    Args:
        names: Benchmarks; none: all that can be downloaded.
        folder: Where to; None: the folder where ``load_benchmark`` looks without being told.
        mirror: Address of a folder that holds the files under the names that dualtune uses
            (``svamp.json``), in place of the authors' repositories.
        pause: Waits between attempts, given seconds.

    Yields:
        What became of each file.

    Raises:
        BadInput: If a name is unknown or cannot be downloaded, the server has no such file, or
            what it sent is not the benchmark.
        DualtuneError: If the server cannot be reached, or the folder not be written.
    """
    wanted = tuple(names) or tuple(REMOTES)
    for name in wanted:
        _check_name(name)
    if mirror is not None and not mirror.startswith(("http://", "https://", "file://")):
        raise BadInput(f"--from {mirror}: write an address, such as https://example.org/bench")
    target = folder or fetched_folder()
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DualtuneError(f"cannot write to {target}: {error}. Name another folder.") from error
    for name in wanted:
        yield _fetch(name, target, mirror=mirror, pause=pause)


def _check_name(name: str) -> None:
    if name in REMOTES:
        return
    if name in BENCHMARKS and BENCHMARKS[name].file is None:
        raise BadInput(f"{name} is generated where it is used: there is nothing to fetch")
    if name in BENCHMARKS:
        raise BadInput(f"{name} cannot be fetched. {how_to_get(BENCHMARKS[name])}")
    raise BadInput(f"cannot fetch {name!r}{nearest(name, tuple(REMOTES))}")


def _fetch(
    name: str, folder: Path, *, mirror: str | None, pause: Callable[[float], None]
) -> Fetched:
    own = BENCHMARKS[name].file
    assert own is not None
    file, remote, further = folder / own, REMOTES[name], FURTHER.get(name)
    if file.is_file() and _fault(name, file, remote) is None:
        return Fetched(name, file, "kept")
    if mirror:
        remote, further = replace(remote, url=f"{mirror.rstrip('/')}/{own}"), None
    try:
        _fetch_from(name, file, remote, pause=pause)
    except DualtuneError as error:
        if further is None:
            raise
        log.warning("%s Trying %s.", error, further.url)
        _fetch_from(name, file, further, pause=pause)
    return Fetched(name, file, "fetched")


def _fetch_from(name: str, file: Path, remote: Remote, *, pause: Callable[[float], None]) -> None:
    part = file.with_name(file.name + (".tar.gz.part" if remote.folder else ".part"))
    resumed = part.exists()
    _download(remote.url, part, pause=pause)
    fault = _unpack(part, remote) or _fault(name, part, remote)
    if fault is not None and resumed:
        # The beginning was of an earlier call, perhaps of another address: once more, from 0.
        log.warning("%s: what an earlier download left does not fit; starting anew", file.name)
        part.unlink()
        _download(remote.url, part, pause=pause)
        fault = _unpack(part, remote) or _fault(name, part, remote)
    if fault is not None:
        part.unlink()
        raise BadInput(
            f"{remote.url}: {fault}. The file was not kept; try again, or another --from."
        )
    part.replace(file)


def _unpack(part: Path, remote: Remote) -> str | None:
    """Put the rows of a repository's archive in the archive's place.

    Returns:
        What is wrong with the archive, or None.
    """
    if remote.folder is None:
        return None
    try:
        rows = _merged(part, remote.folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        return f"it is no archive of JSON files: {error}"
    part.write_text("".join(rows), encoding="utf-8")
    return None


def _merged(archive: Path, folder: str) -> list[str]:
    """Return the JSON files of a folder in an archive, a line each."""
    lines = {}
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            # Above all stands a folder that is named by repository and commit.
            place = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            stream = opened.extractfile(member)
            if (
                stream is None
                or place.suffix != ".json"
                or place.parent.parent != PurePosixPath(folder)
            ):
                continue
            row = json.loads(stream.read().decode("utf-8"))
            lines[place] = json.dumps(row, ensure_ascii=False) + "\n"
    order = sorted(lines, key=lambda place: (place.parent.name, len(place.stem), place.stem))
    return [lines[place] for place in order]


def _fault(name: str, file: Path, remote: Remote) -> str | None:
    """Return what is wrong with a downloaded file, or None."""
    if remote.sha256 is not None:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != remote.sha256:
            return f"its SHA-256 is {found[:16]}, expected {remote.sha256[:16]}"
    try:
        read_benchmark(BENCHMARKS[name], file)
    except BadInput as error:
        return str(error).rstrip(".")
    return None


def _download(url: str, part: Path, *, pause: Callable[[float], None]) -> None:
    """Download to ``part``, going on from what it holds."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _receive(url, part)
            return
        except urllib.error.HTTPError as error:
            if error.code in _PERMANENT:
                raise BadInput(
                    f"{url}: the server answered {error.code} {error.reason}. Name a mirror with "
                    "--from, or set DUALTUNE_DATA to a folder that holds the files."
                ) from error
            cause: Exception = error
        except (OSError, HTTPException) as error:
            if isinstance(getattr(error, "reason", None), FileNotFoundError):
                raise BadInput(f"{url}: there is no such file. Name another --from.") from error
            cause = error
        if attempt < ATTEMPTS:
            log.warning("%s: %s; attempt %d of %d", url, cause, attempt + 1, ATTEMPTS)
            pause(2.0 ** (attempt - 1))
    raise DualtuneError(
        f"cannot download {url}: {cause} ({ATTEMPTS} attempts; what came is kept, the same command "
        "goes on). Without a network: copy the files by hand and set DUALTUNE_DATA to their folder."
    )


def _receive(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "dualtune"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing lies behind what we have. If that is the whole file its checksum says so;
        # the header names the whole size.
        if (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
            return
        part.unlink()
        raise ConnectionError("what an earlier download left is longer than the file") from error
    with response:
        goes_on = response.status == 206
        if goes_on and not (response.headers.get("Content-Range") or "").startswith(
            f"bytes {have}-"
        ):
            raise ConnectionError("the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        start = have if goes_on else 0
        total = start + int(length) if length and length.isdecimal() else None
        _write(response, part, start=start, total=total)
    if total is not None and part.stat().st_size != total:
        raise ConnectionError(f"the connection ended at {part.stat().st_size} of {total} bytes")


def _write(response: HTTPResponse, part: Path, *, start: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    with (
        part.open("ab" if start else "wb") as out,
        bar(name, total=total, unit="B", initial=start) as shown,
    ):
        while block := response.read(_BLOCK):
            out.write(block)
            shown.update(len(block))
