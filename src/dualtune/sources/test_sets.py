"""The questions of the nine test sets, for the search for leaks; no answers, no grading."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dualtune.errors import BadInput
from dualtune.recipe import Source
from dualtune.records import Problem, Rejected
from dualtune.sources.benchmarks import BENCHMARKS, NINE, Benchmark, find_file, load_benchmark
from dualtune.sources.benchmarks.rows import without_choices
from dualtune.sources.files import read_rows
from dualtune.sources.readers import read

logger = logging.getLogger(__name__)

# Where rows of a usual layout hold their question.
_QUESTION_COLUMNS = (
    "question problem query prompt instruction Question Problem text content input".split()
)
_OPTION_LABEL = re.compile(r"\s*\(?[A-Za-z][).:]\s*")


@dataclass(frozen=True, slots=True)
class TestQuestion:
    """A question that must not be trained on.

    Attributes:
        test_set: The name of its test set, or of the file that it is from.
        id: Its row.
        question: The question, without a list of its choices.
        options: Its choices without their letters.
    """

    __test__: ClassVar[bool] = False

    test_set: str
    id: str
    question: str
    options: tuple[str, ...] = ()


TEST_SETS: Mapping[str, Benchmark] = {name: BENCHMARKS[name] for name in NINE}


def files_of_test_sets(data_dir: str | Path | None = None) -> tuple[Path, ...]:
    """Return the files of the test sets that are there, as ``load_test_set`` finds them."""
    files = (test_set.file for test_set in TEST_SETS.values())
    found = (find_file(file, data_dir) for file in files if file is not None)
    return tuple(file for file in found if file is not None)


def load_test_set(
    name: str, *, data_dir: str | Path | None = None
) -> tuple[TestQuestion, ...] | None:
    """Load the questions of a test set.

    Args:
        name: One of ``TEST_SETS``.
        data_dir: The folder of benchmark files, as ``load_benchmark`` takes it.

    Returns:
        The questions in the order of ``load_benchmark``, or None where its file is not there.

    Raises:
        BadInput: If the file cannot be read, or its rows are not those of the test set: a search
            against a part of a test set would pass for a search against all of it.
    """
    test_set = TEST_SETS[name]
    if test_set.file is None or find_file(test_set.file, data_dir) is None:
        return None
    try:
        rows = load_benchmark(name, data_dir=data_dir)
    except BadInput as error:
        raise BadInput(
            f"{error} To search for no test set: set audit.benchmarks: false."
        ) from error
    return tuple(TestQuestion(name, r.id, without_choices(r), r.options) for r in rows)


def load_questions(path: str | Path) -> tuple[TestQuestion, ...]:
    """Read the questions of a file that a user names, whatever else its rows hold.

    Args:
        path: A file of any type that ``sources.files`` reads.

    Returns:
        The questions in file order; rows without one are counted and logged.

    Raises:
        BadInput: If the file cannot be read, or no row has a question.
    """
    file = Path(path).expanduser()
    questions: list[TestQuestion] = []
    without, columns = 0, ""
    for number, row in enumerate(read_rows(file), start=1):
        text = None if isinstance(row, Rejected) else _asked(row.values)
        if text is None:
            without += 1
            columns = columns or ("" if isinstance(row, Rejected) else ", ".join(row.values))
            continue
        assert not isinstance(row, Rejected)
        questions.append(TestQuestion(file.name, str(number), text, _choices(row.values)))
    if not questions:
        # Files whose rows need more than a column: what the readers know as a format.
        problems = (p for p in read(Source(path=str(file))) if isinstance(p, Problem))
        questions = [TestQuestion(file.name, p.id, p.question, p.options) for p in problems]
    elif without:
        logger.warning("%s: %d rows have no question and are not searched for", file, without)
    return tuple(questions)


def _asked(row: Mapping[str, Any]) -> str | None:
    """Return the question of a row of any usual layout."""
    if isinstance(row.get("Body"), str) and isinstance(row.get("Question"), str):
        return f"{row['Body'].strip()} {row['Question'].strip()}"
    for turns in (row.get("messages"), row.get("conversations")):
        for turn in turns if isinstance(turns, list) else ():
            if isinstance(turn, dict) and turn.get("role", turn.get("from")) in ("user", "human"):
                text = turn.get("content", turn.get("value"))
                return text if isinstance(text, str) and text.strip() else None
    for column in _QUESTION_COLUMNS:
        text = row.get(column)
        if isinstance(text, str) and text.strip():
            more = row.get("input") if column == "instruction" else None
            return f"{text}\n{more}" if isinstance(more, str) and more.strip() else text
    return None


def _choices(row: Mapping[str, Any]) -> tuple[str, ...]:
    for column in ("options", "choices"):
        given = row.get(column)
        if isinstance(given, list) and all(isinstance(text, str) for text in given):
            return _bare(given)
    return ()


def _bare(options: Sequence[str]) -> tuple[str, ...]:
    """Take the letters off choices where all have one: ``A)21`` is 21."""
    if not all(_OPTION_LABEL.match(text) for text in options):
        return tuple(options)
    return tuple(_OPTION_LABEL.sub("", text, count=1) for text in options)
