"""The browsable test problems: the outputs of all models side by side, as compact rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dualtune.evaluate.results import Generations, Results
from dualtune.files import Json
from dualtune.report import wording
from dualtune.report.breakdown import DIMENSIONS, parts_of, value_words
from dualtune.report.pack import Table, split_parts

QUESTION = -1
"""The part of a prompt that is the row's question."""


def by_benchmark(
    generations: Sequence[Generations], evaluation: Results
) -> dict[str, list[Generations]]:
    """Group generations by benchmark and mode, in the order of the results.

    Returns:
        The key of the group on the page (``svamp``, or ``svamp.pot`` where the mode is not
        ``cot``) to the generations, in the order of ``model_order``.
    """
    order = list(dict.fromkeys(name for results in evaluation.values() for name in results))
    order += [one.benchmark for one in generations]
    ranked = sorted(generations, key=lambda g: (order.index(g.benchmark), g.mode))
    groups: dict[str, list[Generations]] = {}
    for model in model_order(generations):
        for one in ranked:
            if one.rows and one.model == model:
                key = one.benchmark if one.mode == "cot" else f"{one.benchmark}.{one.mode}"
                groups.setdefault(key, []).append(one)
    keys = [one.benchmark if one.mode == "cot" else f"{one.benchmark}.{one.mode}" for one in ranked]
    return {key: groups[key] for key in dict.fromkeys(keys) if key in groups}


def model_order(generations: Sequence[Generations]) -> list[str]:
    """Return the models: before tuning, after it, then the others by name."""
    first = {"base": 0, "tuned": 1}
    return sorted({one.model for one in generations}, key=lambda m: (first.get(m, 2), m))


def pack_rows(groups: Mapping[str, Sequence[Generations]], evaluation: Results) -> dict[str, Any]:
    """Join the generations of all models by row, as the page's script reads them.

    Args:
        groups: As ``by_benchmark`` gives them.
        evaluation: Model, then benchmark, to its result; gives the domain.

    Returns:
        ``strings``, the table of texts; ``models``, lists of name and title; ``benchmarks``;
        ``parts``, lists of name, value and words; and ``rows``, one list each: ``[benchmark, id,
        question, gold, reference, kind, parts, options, prompt, answers]``, where kind is a place
        in ``strings``, parts are places in ``parts`` and the prompt is a list of places in
        ``strings``, or ``QUESTION``. Of each model an answer ``[in the asked form, samples]``, or
        null; a sample is ``[output, extracted, status, cut off, program, decoded]``, with the
        places of status and decoded in ``strings`` and a program of ``[status, answer, error]``.
    """
    table = Table()
    models = model_order([one for files in groups.values() for one in files])
    parts: dict[tuple[str, str], int] = {}
    rows = [
        row
        for place, files in enumerate(groups.values())
        for row in _rows(place, files, models, table, parts)
    ]
    return {
        "strings": table.texts,
        "models": [[name, wording.MODELS.get(name, name)] for name in models],
        "benchmarks": [_benchmark(key, files, evaluation) for key, files in groups.items()],
        "dimensions": DIMENSIONS,
        "parts": [[name, value, value_words(name, value)] for name, value in parts],
        "rows": rows,
    }


def _benchmark(key: str, files: Sequence[Generations], evaluation: Results) -> dict[str, str]:
    results = [evaluation.get(one.model, {}).get(one.benchmark) for one in files]
    domain = next((r.get("domain") for r in results if r), None)
    return {
        "key": key,
        "title": wording.benchmark_key_title(key),
        "domain": wording.domain_words(domain) if domain else "",
    }


def _rows(
    place: int,
    files: Sequence[Generations],
    models: Sequence[str],
    table: Table,
    parts: dict[tuple[str, str], int],
) -> list[list[Any]]:
    found: dict[str, list[Any]] = {}
    for file in files:
        for row in file.rows:
            key = str(row["id"])
            if key not in found:
                found[key] = [*_asked(place, row, table, parts), [None] * len(models)]
            found[key][-1][models.index(file.model)] = _answer(row, table)
    return list(found.values())


def _asked(place: int, row: Json, table: Table, parts: dict[tuple[str, str], int]) -> list[Any]:
    question, prompt = _shown(row.get("question")), _shown(row.get("prompt"))
    cut = split_parts(prompt, [(QUESTION, question)])
    return [
        place,
        str(row["id"]),
        question,
        _shown(row.get("gold")),
        _shown(row.get("reference")),
        table.place(_shown(row.get("kind"))),
        [parts.setdefault(part, len(parts)) for part in parts_of(row).items()],
        [str(option) for option in row.get("options") or ()],
        [table.place(part) if isinstance(part, str) else part for part in cut],
    ]


def _answer(row: Json, table: Table) -> list[Any]:
    outputs = list(row.get("outputs") or [None])
    # Of a single output, and in older rows, what was read stands once.
    extracted = row.get("extracted_all") or [row.get("extracted")]
    statuses = row.get("status_all") or [row.get("status")]
    truncated = list(row.get("truncated") or ())
    programs = row.get("programs") or [row.get("program")]
    decoded = row.get("decoded") or ()
    samples = []
    for k, output in enumerate(outputs):
        program = _at(programs, k)
        samples.append(
            [
                output,
                _at(extracted, k),
                table.place(_shown(_at(statuses, k))),
                bool(_at(truncated, k)),
                program and [program.get(name) for name in ("status", "answer", "error")],
                table.place(_shown(_at(decoded, k))),
            ]
        )
    return [row.get("strict"), samples]


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
