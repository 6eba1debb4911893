"""``dualtune grade``: grade a JSON Lines file of outputs that any tool wrote.

Each row comes out with all of its columns and ``extracted``, ``status``, ``strict`` and
``seconds``; what is no row to grade goes, with its reason, to ``NAME.rejected.jsonl`` beside the
output ``NAME.jsonl``. Rows stream through, so a file may be larger than memory. They are written to
a ``.part`` file that is moved into place when it is complete; after a kill, the same command goes
on behind the rows that stand there, having compared each with its input.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.grade import KINDS, RULES, AnswerKind, Status
from dualtune.grade.pool import SECONDS, Graded, GradeRow, grade_rows
from dualtune.progress import track

log = logging.getLogger(__name__)

STANDARD = "-"  # standard input or output, in place of a file
COLUMNS = ("id", "output", "gold", "kind", "question", "options")
ADDED = ("extracted", "status", "strict", "seconds")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is graded.

    Attributes:
        columns: The file's name of each column of ours that it names otherwise; a dot reaches into
            an object (``gold: doc.answer``).
        kind: The kind of answer of rows that say none; None rejects them.
        workers: Processes; 0 is one a core.
        seconds: CPU time that a row may take.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    kind: AnswerKind | None = None
    workers: int = 0
    seconds: float = SECONDS


@dataclass(slots=True)
class Summary:
    """What became of a file's rows.

    Attributes:
        statuses: Graded rows by status.
        strict: Rows that are correct and in the form that was asked for.
        rejected: Rejected rows by reason.
        rejected_file: Where they are; None where there are none.
    """

    statuses: Counter[Status] = field(default_factory=Counter)
    strict: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_file: Path | None = None


class _Unfit(Exception):
    """A line that cannot be graded.

    Args:
        reason: A short machine-readable cause.
        message: What is wrong, with the value, and the remedy.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def grade_file(source: str, output: str, options: Options) -> Summary:
    """Grade a file of rows ``id, output, gold, kind`` and, where known, ``question, options``.

    Args:
        source: The JSON Lines file; ``-`` for standard input.
        output: Where the rows go; ``-`` for standard output. What is read from standard input or
            written to standard output cannot be resumed.
        options: How.

    Returns:
        Counts by status and by reason.

    Raises:
        BadInput: If a file cannot be read or written, is compressed, both are the same one, or no
            row of it can be graded.
        DualtuneError: If the disk is full, or processes cannot be started.
    """
    unknown = [name for name in options.columns if name not in COLUMNS]
    if unknown:
        raise BadInput(f"--columns: no column {unknown[0]!r}{nearest(unknown[0], COLUMNS)}")
    for path in (source, output):
        if path.endswith(_COMPRESSED):
            raise BadInput(
                f"{path}: compressed files are neither read nor written. Unpack it into a pipe "
                "(gzip -dc FILE.gz | dualtune grade - --output OUT.jsonl)."
            )
    if output != STANDARD and Path(output).is_dir():
        raise BadInput(f"--output {output} is a folder: name a file, such as graded.jsonl in it.")
    if source != STANDARD and Path(source).resolve() in _written(source, output):
        raise BadInput(f"--output {output} would overwrite the file that is graded; name another.")
    try:
        with ExitStack() as stack:
            return _Grading(source, output, options, stack).run()
    except OSError as error:
        where = error.filename or output
        raise DualtuneError(
            f"cannot read or write {where}: {error.strerror or error}. The rows graded so far are "
            "kept: mend it, and the same command goes on."
        ) from error


def _rejected_path(source: str, output: str) -> Path:
    """Return where rejected rows go: beside the output, or here, named after the input."""
    if output != STANDARD:
        path = Path(output)
        return path.with_name(f"{path.stem}.rejected.jsonl")
    return Path(f"{'stdin' if source == STANDARD else Path(source).stem}.rejected.jsonl")


def _part_and_state(output: str) -> tuple[Path, Path]:
    """Return where rows stand until all are there, and the settings that they were graded with."""
    path = Path(output)
    return path.with_name(path.name + ".part"), path.with_name(path.name + ".state.json")


def _written(source: str, output: str) -> set[Path]:
    files = [_rejected_path(source, output)]
    if output != STANDARD:
        files += [Path(output), *_part_and_state(output)]
    return {file.resolve() for file in files}


class _Grading:
    """One run of the command: the files that are open, and the rows between them."""

    def __init__(self, source: str, output: str, options: Options, stack: ExitStack) -> None:
        self._source, self._output, self._options, self._stack = source, output, options, stack
        self._summary = Summary()
        self._waiting: deque[dict[str, Any]] = deque()  # rows that are being graded
        self._rejected_path = _rejected_path(source, output)
        self._rejected: IO[bytes] | None = None
        self._replaced: set[str] = set()  # columns of the file that ours take the place of

    def run(self) -> Summary:
        """Read, grade and write all rows."""
        self._rejected_path.unlink(missing_ok=True)
        rows = self._rows()
        if self._output == STANDARD:
            self._write(rows, sys.stdout.buffer)
        else:
            path = Path(self._output)
            path.parent.mkdir(parents=True, exist_ok=True)
            part, state = _part_and_state(self._output)
            if self._source == STANDARD or not _same_settings(state, self._options):
                part.unlink(missing_ok=True)
            state.write_text(_settings(self._options), encoding="utf-8")
            with part.open("a+b") as file:
                rows = self._skip_done(rows, file)
                self._write(rows, file)
            if not self._summary.statuses:  # nothing to go on from
                part.unlink()
                state.unlink()
            self._check_any()
            part.replace(path)
            state.unlink()
        self._check_any()
        return self._summary

    def _write(self, rows: Iterable[tuple[GradeRow, dict[str, Any]]], file: IO[bytes]) -> None:
        graded = grade_rows(
            self._remembered(rows), workers=self._options.workers, seconds=self._options.seconds
        )
        for done in track(graded, "grade"):
            values = self._waiting.popleft()
            self._count(done.status, done.strict)
            file.write(_line({**values, **_added(done)}))
        file.flush()

    def _remembered(self, rows: Iterable[tuple[GradeRow, dict[str, Any]]]) -> Iterator[GradeRow]:
        for row, values in rows:
            self._waiting.append(values)
            yield row

    def _skip_done(
        self, rows: Iterator[tuple[GradeRow, dict[str, Any]]], file: IO[bytes]
    ) -> Iterator[tuple[GradeRow, dict[str, Any]]]:
        """Pass over the rows that an interrupted run wrote, and cut off what is no row of ours."""
        file.seek(0)
        whole = done = 0
        changed = None
        for line in file:
            old = _graded_before(line)
            row = next(rows, None) if old is not None else None
            if old is None or row is None or _without_added(row[1]) != _without_added(old):
                changed = row
                break
            self._count(old["status"], old["strict"])
            whole += len(line)
            done += 1
        file.truncate(whole)
        if done:
            log.info("%s: %s rows were graded before; going on", self._output, f"{done:,}")
        if changed is not None:
            yield changed
        yield from rows

    def _count(self, status: Status, strict: bool) -> None:
        self._summary.statuses[status] += 1
        self._summary.strict += strict and status == "correct"

    def _rows(self) -> Iterator[tuple[GradeRow, dict[str, Any]]]:
        """Read the rows; those that cannot be graded go to the rejected ones."""
        if self._source == STANDARD:
            lines: IO[bytes] = sys.stdin.buffer
        else:
            lines = self._stack.enter_context(_opened(self._source))
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                values = _object(line)
                row = _grade_row(values, self._options, default_id=str(number))
            except _Unfit as unfit:
                self._reject(number, line, unfit)
            else:
                self._note_replaced(values)
                yield row, {"id": row.id, **values} if "id" not in values else values

    def _note_replaced(self, values: Mapping[str, Any]) -> None:
        if new := values.keys() & set(ADDED) - self._replaced:
            names = ", ".join(sorted(new))
            log.warning("%s: in the output, ours take the place of its %s", self._source, names)
            self._replaced |= new

    def _reject(self, number: int, line: bytes, unfit: _Unfit) -> None:
        if self._rejected is None:
            self._rejected_path.parent.mkdir(parents=True, exist_ok=True)
            self._rejected = self._stack.enter_context(self._rejected_path.open("wb"))
            self._summary.rejected_file = self._rejected_path
        self._summary.rejected[unfit.reason] += 1
        name = "standard input" if self._source == STANDARD else self._source
        values = {
            "where": f"{name}:{number}",
            "reason": unfit.reason,
            "message": str(unfit),
            "raw": line.decode("utf-8", "replace").rstrip("\n"),
        }
        self._rejected.write(_line(values))

    def _check_any(self) -> None:
        if self._summary.statuses:
            return
        if self._rejected is not None:
            self._rejected.flush()
        where = f" The rows with their reasons: {self._rejected_path}" if self._rejected else ""
        causes = ", ".join(f"{cause} {count:,}" for cause, count in self._summary.rejected.items())
        raise BadInput(
            f"{self._source} holds no row that can be graded ({causes or 'it is empty'}). A row is "
            'a line {"id": ..., "output": ..., "gold": ..., "kind": ...}; name other columns with '
            f"--columns output=NAME.{where}"
        )


def _settings(options: Options) -> str:
    """Return what decides grades beside the rows: rows of other settings are graded anew."""
    values = {
        "rules": RULES,
        "columns": dict(options.columns),
        "kind": options.kind,
        "seconds": options.seconds,
    }
    return json.dumps(values, sort_keys=True) + "\n"


def _same_settings(state: Path, options: Options) -> bool:
    return state.exists() and state.read_text(encoding="utf-8") == _settings(options)


def _opened(source: str) -> IO[bytes]:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise BadInput(
            f"cannot read {source}: {error.strerror or error}. Give the path of a JSON Lines file."
        ) from error


def _object(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Unfit(
            "invalid_json", f"the line is not JSON: {error}. A row is one object on one line."
        ) from None
    if not isinstance(values, dict):
        raise _Unfit("not_an_object", f"the line is {_shown(values)}, not an object.")
    return values


def _graded_before(line: bytes) -> dict[str, Any] | None:
    """Return a row of an interrupted run; None where it was torn, or is not ours."""
    if not line.endswith(b"\n"):
        return None
    try:
        values = _object(line)
    except _Unfit:
        return None
    return values if all(name in values for name in ADDED) else None


def _without_added(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ADDED}


def _grade_row(values: Mapping[str, Any], options: Options, *, default_id: str) -> GradeRow:
    """Read a row from an object.

    Raises:
        _Unfit: If a column is missing, or holds what it cannot.
    """
    kind = _column(values, "kind", options)
    if kind is None:
        kind = options.kind
    if kind is None:
        raise _Unfit("no_kind", f"no column {_name('kind', options)!r}. Say it with --kind.")
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise _Unfit("unknown_kind", f"kind {_shown(kind)} is not graded (known: {known}).")
    identity = _column(values, "id", options)
    question = _column(values, "question", options)
    choices = _column(values, "options", options)
    if choices is not None and not isinstance(choices, list):
        raise _Unfit("invalid_options", f"options is {_shown(choices)}, not a list of texts.")
    return GradeRow(
        id=default_id if identity is None else _text(identity, "id", options),
        output=_text(_column(values, "output", options), "output", options),
        gold=_text(_column(values, "gold", options), "gold", options),
        kind=kind,
        question="" if question is None else _text(question, "question", options),
        options=tuple(_text(choice, "options", options) for choice in choices or ()),
    )


def _name(column: str, options: Options) -> str:
    return options.columns.get(column, column)


def _column(values: Mapping[str, Any], column: str, options: Options) -> Any:
    """Return a column's value, by its name or by a path of names; None where there is none."""
    name = _name(column, options)
    if name in values:
        return values[name]
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _text(value: Any, column: str, options: Options) -> str:
    """Return a value as text; a number as it was written, a list of one as its element."""
    while isinstance(value, list) and len(value) == 1:  # lm-evaluation-harness nests two
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f")
    name = _name(column, options)
    if value is None:
        raise _Unfit(
            f"no_{column}",
            f"no column {name!r}, or it holds null. Name the one that holds it: "
            f"--columns {column}=NAME.",
        )
    raise _Unfit(f"invalid_{column}", f"{name} is {_shown(value)}, not a text.")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _added(done: Graded) -> dict[str, Any]:
    return {
        "extracted": done.extracted,
        "status": done.status,
        "strict": done.strict,
        "seconds": round(done.seconds, 6),
    }


def _line(values: Mapping[str, Any]) -> bytes:
    # Half a surrogate pair has no UTF-8; Python's escape of it is JSON's too.
    return json.dumps(values, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
