"""The sandbox that a model's program runs in: one process of its own, in layers.

What each layer covers, and what none does, stands in ``docs/programs.md``. bubblewrap makes the
namespaces where it is installed; else ``dualtune.grade._jail`` asks the kernel for them. Landlock,
seccomp and resource limits come on top of either.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from dualtune.grade import _jail

log = logging.getLogger(__name__)

LAYERS = ("namespaces", "tmpfs", "landlock", "seccomp")
_MISSING = {
    "namespaces": "no namespaces: it may see other processes",
    "tmpfs": "no file system of its own: it cannot write files where Landlock holds",
    "landlock": "no Landlock: it can read every file that you can, and write where you can",
    "seccomp": "no seccomp: its system calls are not filtered",
}
_SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_GRACE = 10.0  # seconds that the jail has beyond its own wall limit
# Where even the jail had to be killed.
_NO_REPORT: dict[str, Any] = {"code": None, "cpu": 0.0, "held": [], "unlocked": ""}
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may take.

    Attributes:
        seconds: CPU time, its imports of sympy left out.
        wall: Seconds of wall time; None is twice ``seconds`` and 5 more.
        memory: Bytes of address space of each process.
        output: Bytes that it may print, and of each file that it writes.
        space: Bytes of all of its files.
        files: Files that it may hold open.
        processes: Processes and threads, itself included; 1 allows neither.
    """

    seconds: float = 10.0
    wall: float | None = None
    memory: int = 1 << 30
    output: int = 1 << 16
    space: int = 16 << 20
    files: int = 64
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program's process ended.

    Attributes:
        code: Its exit code, 128 and more for a signal; None where the wall limit ended it.
        stdout: What it printed.
        stderr: What it wrote to standard error.
        seconds: Wall time.
        cpu: CPU time, in seconds.
        held: The layers that held it, of ``LAYERS``.
    """

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    cpu: float
    held: tuple[str, ...]


class NoSandbox(Exception):
    """This machine cannot hold a program."""


def run_jailed(program: str, limits: Limits) -> Ended:
    """Run a Python program in a process of its own.

    Args:
        program: Its source.
        limits: What it may take.

    Returns:
        How it ended. Nothing of it is left, neither processes nor files.

    Raises:
        NoSandbox: If the jail cannot be closed on this machine; the program was not started.
    """
    if sys.platform != "linux":
        raise NoSandbox(f"programs run on Linux only, not on {sys.platform}")
    wall = 2 * limits.seconds + 5 if limits.wall is None else limits.wall
    bwrap = shutil.which("bwrap")
    with tempfile.TemporaryDirectory(prefix="dualtune-program-") as folder:
        nobody = _becomes_nobody()
        _check_root(nobody, limits)
        if nobody:
            os.chown(folder, _jail.NOBODY, _jail.NOBODY)
        job = {
            "program": program,
            "folder": folder,
            "limits": {**asdict(limits), "wall": wall},
            "readable": readable_paths(),
            "nobody": nobody and bwrap is None,
            "outer": bwrap is not None,
        }
        ended = _run(job, wall + _GRACE, bwrap=bwrap, nobody=nobody)
    _notice(ended.held)
    return ended


def bubblewrap_command(bwrap: str, folder: str, *, space: int) -> list[str]:
    """Return the command that runs what follows it in bubblewrap.

    Args:
        bwrap: Its path.
        folder: The program's folder: a ``tmpfs`` inside, the only place to write.
        space: Its size, in bytes.
    """
    command = [bwrap, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL"]
    for path in readable_paths():
        command += ["--ro-bind", path, path]
    command += ["--dev", "/dev", "--proc", "/proc"]
    command += ["--size", str(space), "--tmpfs", folder, "--chdir", folder, "--"]
    return command


@lru_cache(maxsize=1)
def readable_paths() -> list[str]:
    """Return what a program may read: the interpreter, its packages and the system's libraries."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    prefixes = [sys.prefix, sys.base_prefix, sys.base_exec_prefix, *paths, *_SYSTEM]
    real = [str(Path(path)) for path in prefixes if path and Path(path).exists()]
    return list(dict.fromkeys([*real, str(Path(_jail.__file__).resolve())]))


def _check_root(nobody: bool, limits: Limits) -> None:
    """Refuse what would leave root's program without a limit on its processes.

    The kernel counts no processes of root; seccomp, which forbids any, holds for root as well.
    """
    if os.geteuid() != 0 or nobody:
        return
    if limits.processes > 1 or platform.machine() not in _jail.ARCHITECTURES:
        raise NoSandbox(
            "root's processes cannot be limited, and the user nobody cannot read "
            f"{sys.executable}: run as another user, or leave processes at 1"
        )


def _run(job: dict[str, Any], wall: float, *, bwrap: str | None, nobody: bool) -> Ended:
    folder, limits = job["folder"], job["limits"]
    read_end, write_end = os.pipe()
    command = [sys.executable, "-I", "-B", _jail.__file__, str(write_end)]
    if bwrap is not None:
        command = [*bubblewrap_command(bwrap, folder, space=limits["space"]), *command]
    as_nobody = nobody and bwrap is not None
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=folder,
            pass_fds=[write_end],
            env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
            | _ONE_THREAD,
            start_new_session=True,
            user=_jail.NOBODY if as_nobody else None,
            group=_jail.NOBODY if as_nobody else None,
            extra_groups=[] if as_nobody else None,
        )
        os.close(write_end)
        try:
            process.communicate(json.dumps(job).encode(), timeout=wall)
        except subprocess.TimeoutExpired:
            process.kill()  # all that it started ends with it
            process.wait()
        with os.fdopen(read_end, "rb") as pipe:
            report = pipe.read()
        said = [_read(file, limits["output"]) for file in (out, err)]
    if not report and process.returncode >= 0:
        raise NoSandbox(f"the sandbox did not start: {_last_line(said[1])}")
    values = json.loads(report) if report else _NO_REPORT | {"seconds": wall}
    if values["unlocked"]:
        raise NoSandbox(values["unlocked"])
    return Ended(
        values["code"],
        stdout=said[0],
        stderr=said[1],
        seconds=values["seconds"],
        cpu=values["cpu"],
        held=tuple(values["held"]),
    )


def _read(file: IO[bytes], most: int) -> str:
    file.seek(0)
    return file.read(most).decode("utf-8", "replace")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "it said nothing"


@lru_cache(maxsize=1)
def _becomes_nobody() -> bool:
    """Say whether root becomes nobody: where that user exists (it may not, in a container) and can
    read the interpreter's files.
    """
    if os.geteuid() != 0:
        return False
    ranges = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    users = [(int(first), int(count)) for first, _, count in map(str.split, ranges)]
    if not any(first <= _jail.NOBODY < first + count for first, count in users):
        return False
    paths = [Path(path).resolve() for path in (*readable_paths(), sys.executable)]
    folders = {parent for path in paths for parent in path.parents}
    return all(folder.stat().st_mode & 1 for folder in folders)


@lru_cache(maxsize=8)
def _notice(held: tuple[str, ...]) -> None:
    """Say once what does not hold here."""
    missing = [_MISSING[layer] for layer in LAYERS if layer not in held]
    if missing:
        log.warning("programs run with less than the whole sandbox: %s", "; ".join(missing))
