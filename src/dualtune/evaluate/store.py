"""Generations on disk: kept as they come, never made twice, never taken for another model's."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from dualtune.errors import DualtuneError

log = logging.getLogger(__name__)


class Program(TypedDict):
    """What became of a program that a model wrote."""

    status: str
    answer: str | None
    error: str


class Row(TypedDict):
    """One line of ``eval/<model>/<benchmark>.<mode>.jsonl``.

    ``extracted``, ``status`` and ``strict`` are the first output's; the status is empty until all
    outputs of the benchmark are there and graded. Where there are several outputs, those lists
    hold what each gave. An output is None while only later samples of its row have been made.
    """

    id: str
    question: str
    prompt: str
    outputs: list[str | None]
    truncated: list[bool]
    gold: str
    reference: str
    extracted: str | None
    status: str
    strict: bool
    # Absent in generations that were stored before there were these.
    kind: NotRequired[str]
    options: NotRequired[list[str]]
    subject: NotRequired[str]
    level: NotRequired[str]
    # Of several outputs.
    extracted_all: NotRequired[list[str | None]]
    status_all: NotRequired[list[str]]
    # Of modes pot and hybrid: the first output's, and each one's.
    program: NotRequired[Program]
    programs: NotRequired[list[Program]]
    # Of mode hybrid: what each output is, a program (pot) or a solution (cot).
    decoded: NotRequired[list[str]]


class Generations:
    """The generations of one model on one benchmark.

    Beside the rows stands a small file with the fingerprint of what made them (weights, settings)
    and the seconds spent. A row counts as done where the fingerprint and its own prompt agree.
    """

    def __init__(self, file: Path, fingerprint: str) -> None:
        """Read what is there.

        Args:
            file: The JSON Lines file; made when rows are added.
            fingerprint: Of everything but the prompt that decides an output.
        """
        self.file = file
        self.fingerprint = fingerprint
        self.seconds = 0.0
        self.rows: dict[str, Row] = {}
        self._state = file.with_suffix(".state.json")
        self._read()

    def done(self, row_id: str, prompt: str) -> Row | None:
        """Return the row of an id if it was generated from this prompt.

        Some of its samples may be missing.
        """
        row = self.rows.get(row_id)
        return row if row is not None and row["prompt"] == prompt else None

    def add(self, rows: Sequence[Row], *, seconds: float) -> None:
        """Append rows, on disk before this returns; one of an id that is there takes its place.

        Raises:
            DualtuneError: If they cannot be written.
        """
        self.seconds += seconds
        self.rows.update((row["id"], row) for row in rows)
        # The state first: rows without it would be taken for another model's.
        state = {"fingerprint": self.fingerprint, "seconds": round(self.seconds, 3)}
        write_atomically(self._state, json.dumps(state).encode() + b"\n")
        try:
            with self.file.open("ab") as stream:
                stream.write(_lines(rows))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise write_error(self.file, error) from error

    def finish(self, rows: Sequence[Row]) -> None:
        """Write the rows of the benchmark in its order, in place of those in order of making.

        Rows of other ids (of a larger limit, evaluated before) stay behind them.

        Raises:
            DualtuneError: If they cannot be written.
        """
        ids = {row["id"] for row in rows}
        others = [row for row_id, row in self.rows.items() if row_id not in ids]
        write_rows(self.file, [*rows, *others])

    def _read(self) -> None:
        if self._made_by() != self.fingerprint:
            self._set_aside()
            self._take_back()
        if self._made_by() != self.fingerprint or not self.file.exists():
            return
        state = json.loads(self._state.read_text(encoding="utf-8"))
        lines = self.file.read_bytes().splitlines(keepends=True)
        self.seconds = float(state["seconds"])
        whole = 0
        for line in lines:
            try:
                row: Row = json.loads(line)
            except ValueError:  # no JSON, or no UTF-8: torn inside a character
                break
            if not line.endswith(b"\n"):
                break
            self.rows[row["id"]] = row
            whole += len(line)
        if whole < sum(map(len, lines)):
            # A kill while writing: the torn rest would spoil the line that comes after it.
            log.warning("%s: dropping an unfinished last row", self.file)
            with self.file.open("rb+") as stream:
                stream.truncate(whole)

    def _made_by(self) -> str | None:
        """Return the fingerprint of the rows that are there; None where nothing says it."""
        try:
            return str(json.loads(self._state.read_text(encoding="utf-8"))["fingerprint"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _aside(self, fingerprint: str | None) -> tuple[Path, Path]:
        """Return where rows and state of a fingerprint lie while another's are in use."""
        mark = (fingerprint or "unknown")[:8]
        return (
            self.file.with_suffix(f".{mark}.jsonl.old"),
            self.file.with_suffix(f".{mark}.state.json.old"),
        )

    def _set_aside(self) -> None:
        if not self.file.exists():
            return
        rows, state = self._aside(self._made_by())
        log.warning(
            "%s holds generations of another model or other settings: they are kept as %s",
            self.file,
            rows.name,
        )
        # The rows first: a kill between the two then leaves no rows with a wrong maker.
        self.file.replace(rows)
        if self._state.exists():
            self._state.replace(state)

    def _take_back(self) -> None:
        """Put back the rows of this fingerprint that were set aside for another's."""
        rows, state = self._aside(self.fingerprint)
        if rows.exists() and state.exists():
            log.info("%s: taking back %s", self.file, rows.name)
            self._state.unlink(missing_ok=True)  # a kill must not leave it beside others' rows
            rows.replace(self.file)
            state.replace(self._state)


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON Lines, all or none.

    Raises:
        DualtuneError: If they cannot be written.
    """
    write_atomically(file, _lines(rows))


def write_atomically(file: Path, content: bytes, *, remedy: str | None = None) -> None:
    """Write a file so that a kill leaves the old one or the new one.

    Args:
        file: The file.
        content: What it shall hold.
        remedy: What to do where it cannot be written; None: what helps with a file of a run.

    Raises:
        DualtuneError: If it cannot be written.
    """
    part = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        if remedy is None:
            raise write_error(file, error) from error
        raise DualtuneError(f"cannot write {file}: {error.strerror or error}. {remedy}") from error


def write_error(file: Path, error: OSError) -> DualtuneError:
    """Turn a failure to write into a message with its remedy."""
    remedy = "Set run: to a folder that can be written."
    if error.errno == errno.ENOSPC:
        remedy = "Free some space, or set run: to a folder on another disk."
    return DualtuneError(
        f"cannot write {file}: {error.strerror or error}. {remedy} The same command then goes on "
        "where it stopped."
    )


def _lines(rows: Iterable[Any]) -> bytes:
    # Half a surrogate pair has no UTF-8; Python's escape of it is JSON's too.
    return b"".join(
        json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        for row in rows
    )
