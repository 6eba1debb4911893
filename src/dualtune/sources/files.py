"""Rows out of local files: JSON Lines, JSON arrays, CSV, TSV and Parquet.

Every row comes with the place it was read from, and a row that cannot be read is given as a
Rejected with that place while the rows after it are still read. Only a file that cannot be read
at all raises. Files are streamed; only a JSON array's text is held in memory.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput, nearest
from dualtune.records import Rejected

# Rows of a Parquet file held at once.
PARQUET_BATCH = 1024
# Longest text that a message quotes.
SHOWN = 80
# A field of a CSV file may be a whole rationale; csv's own limit of 128 KiB is too short for some.
CSV_FIELD_LIMIT = 16 * 1024 * 1024
# Byte order marks of encodings that are not UTF-8.
_OTHER_ENCODINGS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True, slots=True)
class Row:
    """A row as read.

    Attributes:
        where: The file and the line (``train.jsonl:17``), or the row where a file has no lines
            or a line says little (``train.parquet row 17``). Both count from 1.
        values: Column to value.
    """

    where: str
    values: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row | Rejected]:
    """Read a file row by row; its suffix says how.

    Args:
        path: A ``.jsonl``, ``.json`` (an array, or JSON Lines), ``.csv``, ``.tsv`` or ``.parquet``
            file.

    Yields:
        Each row, or what is wrong with it, in file order.

    Raises:
        BadInput: If the file is missing, empty, of an unknown type or cannot be read any further.
    """
    check_file(path)
    try:
        yield from _reader(path)(path)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def check_file(path: Path) -> None:
    """Check that ``path`` is a file that holds something.

    Raises:
        BadInput: If it does not; a missing file's message names the nearest file that is there.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give a file in it (it holds: {_listed(path)}).")
    if not path.exists():
        raise BadInput(_missing(path))
    if path.is_file() and path.stat().st_size == 0:
        raise BadInput(f"{path} is empty: it holds no rows.")


def row_text(values: Any) -> str:
    """Return a row as JSON, for ``Rejected.raw``; what JSON cannot hold becomes text."""
    return json.dumps(values, ensure_ascii=False, default=str)


def shorten(text: str, length: int = SHOWN) -> str:
    """Return ``text`` on one line, cut to ``length`` characters, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _reader(path: Path) -> Callable[[Path], Iterator[Row | Rejected]]:
    readers: dict[str, Callable[[Path], Iterator[Row | Rejected]]] = {
        ".jsonl": _read_lines,
        ".ndjson": _read_lines,
        ".json": _read_json,
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".parquet": _read_parquet,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise BadInput(
            f"{path}: the file type {suffix or '(no suffix)'!r} is not known. "
            f"Known are {', '.join(readers)}: rename or convert the file."
        )
    return readers[suffix]


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        existing = next(p for p in path.absolute().parents if p.is_dir())
        return f"file not found: {path}. There is no folder {folder}; {existing} is there."
    names = [p.name for p in folder.iterdir() if p.is_file()]
    hint = nearest(path.name, names) if len(names) <= 1000 else ""
    if hint.startswith(" (valid"):
        hint = f" (the folder holds: {_listed(folder)})"
    return f"file not found: {path}{hint or ' (the folder holds no files)'}."


def _listed(folder: Path, most: int = 8) -> str:
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "nothing"


def _read_lines(path: Path) -> Iterator[Row | Rejected]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                _refuse_other_encodings(path, line)
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                text = line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                yield _wrong_encoding(where, line, error)
                continue
            yield _parsed(where, text)


def _parsed(where: str, text: str) -> Row | Rejected:
    try:
        value = json.loads(text)
    except RecursionError:
        return Rejected(where, "invalid_json", f"{where}: the JSON is nested too deep.", text)
    except ValueError as error:  # JSONDecodeError, or a number with thousands of digits
        said = str(error)
        if isinstance(error, JSONDecodeError):
            said = f"{error.msg} at column {error.colno}"
        message = f"{where}: invalid JSON ({said}): {shorten(text)!r}. Mend or remove the line."
        return Rejected(where, "invalid_json", message, text)
    return _row(where, value, text)


def _row(where: str, value: Any, raw: str | None = None) -> Row | Rejected:
    if isinstance(value, dict):
        return Row(where, value)
    raw = row_text(value) if raw is None else raw
    message = (
        f"{where}: a row must be a JSON object with named columns, "
        f"not {_json_type(value)}: {shorten(raw)!r}."
    )
    return Rejected(where, "not_an_object", message, raw)


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _wrong_encoding(where: str, line: bytes, error: UnicodeDecodeError) -> Rejected:
    message = (
        f"{where}: not UTF-8 (byte 0x{line[error.start]:02x} at position {error.start + 1}). "
        "Convert the file to UTF-8, for example with iconv."
    )
    return Rejected(where, "wrong_encoding", message, line.decode("utf-8", "backslashreplace"))


def _refuse_other_encodings(path: Path, start: bytes) -> None:
    for mark, name in _OTHER_ENCODINGS:
        if start.startswith(mark):
            raise BadInput(
                f"{path} is written in {name}, not UTF-8. Convert it, for example with "
                f"iconv -f {name} -t UTF-8."
            )


def _read_json(path: Path) -> Iterator[Row | Rejected]:
    """Read an array of objects; a file of JSON Lines that is named ``.json`` is read as such."""
    with path.open("rb") as file:
        start = file.read(64 * 1024)
    _refuse_other_encodings(path, start)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from _read_array(path)
    else:
        _refuse_one_object(path)
        yield from _read_lines(path)


def _refuse_one_object(path: Path) -> None:
    # An object that spans lines would be rejected line by line: say what it is instead.
    with path.open("rb") as file:
        first = next((line.strip() for line in file if line.strip()), b"")
    if first == b"{":
        raise BadInput(
            f"{path} holds one JSON object over several lines: give an array of rows ([…]), "
            "or one row a line."
        )


def _read_array(path: Path) -> Iterator[Row | Rejected]:
    # Element by element, so that a broken one is named by its line and the ones before it count.
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path} is not UTF-8 (byte {error.start + 1}): convert it, for example with iconv."
        ) from error
    decoder, at, number = JSONDecoder(), _skip(text, text.index("[") + 1), 0
    if text[at : at + 1] == "]":
        return
    while True:
        number += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise BadInput(_broken_array(path, text, at, number, error)) from None
        yield _row(f"{path.name} row {number}", value)
        at = _skip(text, end)
        closing = text[at : at + 1]
        if closing == "]":
            return
        if closing != ",":
            raise BadInput(_broken_array(path, text, at, number + 1, None))
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _broken_array(
    path: Path, text: str, at: int, number: int, error: ValueError | RecursionError | None
) -> str:
    said = "expected ',' or ']'"
    if isinstance(error, JSONDecodeError):
        said, at = error.msg, error.pos
    elif error is not None:
        said = str(error)
    line = text.count("\n", 0, at) + 1
    cut = " The file seems to be cut off." if not text[at:].strip() else ""
    return f"{path.name}:{line}: invalid JSON in row {number} of the array ({said}).{cut}"


def _read_csv(path: Path) -> Iterator[Row | Rejected]:
    taken: list[str] = []  # the lines of the row that is being read

    def lines() -> Iterator[str]:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    _refuse_other_encodings(path, line)
                    line = line.removeprefix(b"\xef\xbb\xbf")
                # Bytes that are not UTF-8 stay visible as lone surrogates: their row is rejected.
                text = line.decode("utf-8", "surrogateescape")
                taken.append(text)
                yield text

    csv.field_size_limit(CSV_FIELD_LIMIT)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        first_line = reader.line_num + 1
        where = f"{path.name}:{first_line}"
        taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise BadInput(
                    f"{where}: a quote that opens in this row is never closed."
                ) from None
            message = f"{where}: not a CSV row ({error}): {shorten(''.join(taken))!r}."
            yield Rejected(where, "invalid_csv", message, _visible("".join(taken)))
            continue
        if fields is None:
            return
        if not fields:
            continue
        if header is None:
            header = fields
            _check_header(path, header)
            continue
        yield _csv_row(where, header, fields, "".join(taken))


def _csv_row(where: str, header: list[str], fields: list[str], raw: str) -> Row | Rejected:
    if _visible(raw) != raw:
        message = f"{where}: not UTF-8. Convert the file to UTF-8, for example with iconv."
        return Rejected(where, "wrong_encoding", message, _visible(raw))
    if len(fields) != len(header):
        message = (
            f"{where}: {len(fields)} fields, but the header names {len(header)} columns. "
            "Quote fields that hold the separator or line breaks."
        )
        return Rejected(where, "wrong_field_count", message, raw)
    return Row(where, dict(zip(header, fields, strict=True)))


def _check_header(path: Path, header: list[str]) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise BadInput(f"{path.name}:1: the header repeats the column {repeated[0]!r}.")


def _visible(text: str) -> str:
    """Return ``text`` with undecodable bytes written out, so that it can be stored as UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_parquet(path: Path) -> Iterator[Row | Rejected]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path.name} row {number}", values)
    except pyarrow.ArrowException as error:
        after = f" after row {number}" if number else ""
        raise BadInput(f"{path} is not a readable Parquet file{after}: {error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: text that is not UTF-8 after row {number}: {error}") from error
