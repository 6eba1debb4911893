"""Programs that a model wrote as its answer (PoT): find one, run it, read its answer.

They run in ``dualtune.grade.sandbox``, and only where the user allows it (``--allow-code``).
"""

from __future__ import annotations

import ast
import re
import signal
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Literal

from dualtune.grade import _jail
from dualtune.grade.sandbox import Ended, Limits, NoSandbox, run_jailed
from dualtune.processes import cores

__all__ = ["Limits", "Ran", "extract_program", "run_program", "run_programs"]

Status = Literal["ok", "error", "timed_out", "memory", "output", "refused"]

MAX_PROGRAM = 200_000  # characters; a longer program is not run
MAX_ERROR = 2000  # characters of an error that are kept
MAX_ANSWER = 10_000
_BATCH = 64  # programs a worker that are under way at once

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[ \t]*$", re.MULTILINE)
_PYTHON = frozenset(("", "python", "py", "python3", "tool_code"))
# What a bare answer that is a program holds beside being Python: prose is never taken for one.
_OUTPUT = re.compile(r"\bprint\s?\(|^\s*return\b|^(?:ans|answer|result)\s?=[^=]", re.MULTILINE)
_FLOAT = re.compile(r"-?\d+\.\d+")
_EXACT_DIGITS, _NOISE_DIGITS = 12, 9


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a program.

    Attributes:
        status: ``ok`` (it ended by itself, exit code 0), ``error`` (an exception, another exit
            code, a crash), ``timed_out``, ``memory``, ``output`` (it printed more than it may),
            ``refused`` (not run: too long, or no sandbox holds here).
        answer: The last line that it printed; where it printed nothing, the value of
            ``solution()``, ``ans``, ``answer`` or ``result``. None unless the status is ``ok``.
        stdout: All that it printed, up to the limit.
        error: The last line of its error; empty where there was none.
        seconds: Wall time, its imports of sympy left out.
    """

    status: Status
    answer: str | None
    stdout: str
    error: str
    seconds: float


def extract_program(output: str) -> str | None:
    """Find the program in what a model wrote.

    Args:
        output: A program, or a text with programs in Markdown fences; the last fence may be open.

    Returns:
        The last fenced block of Python that prints, returns or names a result (else the last that
        is Python), or the whole text where it is such a program; None where there is none.
    """
    if len(output) > MAX_PROGRAM:
        return None
    marks = list(_FENCE.finditer(output))
    blocks = [
        output[mark.end() : marks[at + 1].start() if at + 1 < len(marks) else None].strip("\n")
        for at, mark in enumerate(marks)
        if at % 2 == 0 and mark[1].lower() in _PYTHON
    ]
    programs = [block for block in blocks if _is_python(block)]
    complete = [program for program in programs if _OUTPUT.search(program)]
    if programs:
        return (complete or programs)[-1]
    if not marks and _OUTPUT.search(output) and _is_python(output):
        return output.strip("\n")
    return None


def run_program(code: str, *, limits: Limits | None = None) -> Ran:
    """Run a program in the sandbox.

    Args:
        code: Python source.
        limits: What it may take.

    Returns:
        What became of it. Nothing of it is left running.
    """
    limits = limits or Limits()
    if len(code) > MAX_PROGRAM:
        told = f"the program has {len(code):,} characters, more than {MAX_PROGRAM:,}"
        return Ran("refused", None, "", told, 0.0)
    try:
        ended = run_jailed(code, limits)
    except NoSandbox as refusal:
        return Ran("refused", None, "", str(refusal), 0.0)
    status = _status(ended, limits)
    error = _last_line(ended.stderr)[:MAX_ERROR]
    if status == "ok":
        return Ran("ok", _answer(ended.stdout), ended.stdout, "", ended.seconds)
    return Ran(status, None, ended.stdout, error or _why(ended.code), ended.seconds)


def run_programs(
    codes: Iterable[str], *, limits: Limits | None = None, workers: int = 0
) -> Iterator[Ran]:
    """Run programs, several at once.

    Args:
        codes: Python sources; taken as they are needed.
        limits: What each may take.
        workers: How many run at once; 0 is one a core.

    Yields:
        What became of each, in order.
    """
    count = workers or cores()
    coming = iter(codes)
    with ThreadPoolExecutor(count) as threads:  # each waits for a process
        while batch := list(islice(coming, count * _BATCH)):
            yield from threads.map(lambda code: run_program(code, limits=limits), batch)


def _status(ended: Ended, limits: Limits) -> Status:
    code = ended.code
    if code is None or code in (128 + signal.SIGPROF, 128 + signal.SIGXCPU):
        return "timed_out"
    killed = code == 128 + signal.SIGKILL  # at the end of its CPU time, else for memory
    if killed and ended.cpu >= limits.seconds:
        return "timed_out"
    if len(ended.stdout.encode()) >= limits.output:
        return "output"
    if code == _jail.OUT_OF_MEMORY or killed:
        return "memory"
    return "ok" if code == 0 else "error"


def _why(code: int | None) -> str:
    if code is None:
        return "killed at the wall limit"
    return f"ended by signal {code - 128}" if code > 128 else f"exit code {code}"


def _answer(stdout: str) -> str | None:
    """Return the last line that was printed, as an answer.

    A list of one value is that value, as sympy's ``solve`` gives it. A float whose print shows
    only the noise of binary arithmetic (0.30000000000000004) is the number it stands for.
    """
    line = _last_line(stdout)[:MAX_ANSWER]
    if not line:
        return None
    if len(line) > 2 and line[0] + line[-1] in ("[]", "{}", "()") and line[1:-1].strip(" ,"):
        inner = line[1:-1].strip(" ,")
        if not re.search(r"[,:()\[\]{}]", inner):
            line = inner
    return _FLOAT.sub(_without_noise, line)


def _without_noise(match: re.Match[str]) -> str:
    text = match[0]
    if len(text.replace("-", "")) <= _EXACT_DIGITS + 2:
        return text
    rounded = Decimal(text).normalize() if len(text) > 60 else Decimal(f"{float(text):.12g}")
    short = format(rounded.normalize(), "f")
    return short if len(short.strip("-").replace(".", "").strip("0")) <= _NOISE_DIGITS else text


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2].strip()


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape sequence
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
