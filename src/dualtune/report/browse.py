"""The browsable test problems: both models' outputs side by side, as compact rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualtune.evaluate.results import Generations
from dualtune.report import wording

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pairing:
    """How two models compare on the rows that both answered.

    Attributes:
        both: Rows that both answered.
        gained: Rows that only the tuned model has right.
        lost: Rows that only the untuned model has right.
    """

    both: int
    gained: int
    lost: int


def browser_data(
    generations: Sequence[Generations], evaluation: Mapping[str, Mapping[str, Json]]
) -> list[dict[str, Any]]:
    """Join the generations of all models by benchmark and row.

    Args:
        generations: Every generations file of the run.
        evaluation: Model, then benchmark, to its result; gives the domain.

    Returns:
        One entry a benchmark and mode: ``key``, ``title``, ``models``, ``prompt`` (of its first
        row) and ``rows``, each ``[id, question, gold, answer of each model or null]`` with an
        answer ``[output, extracted, status, in the asked form]``. Lists, as there may be
        thousands of rows in the page.
    """
    groups: dict[tuple[str, str], list[Generations]] = {}
    for one in sorted(generations, key=lambda g: (g.model != "base", g.model != "tuned", g.model)):
        if one.rows:
            groups.setdefault((one.benchmark, one.mode), []).append(one)
    order = list(dict.fromkeys(name for results in evaluation.values() for name in results))
    ranked = sorted(
        groups, key=lambda key: (order.index(key[0]) if key[0] in order else len(order), key)
    )
    return [_benchmark(name, mode, groups[name, mode], evaluation) for name, mode in ranked]


def pair_up(generations: Sequence[Generations], benchmark: str) -> Pairing | None:
    """Count the rows that tuning won and lost on one benchmark.

    Returns:
        The counts over the rows that both models answered; None where there are none.
    """
    right = {
        one.model: {row["id"]: row.get("status") == "correct" for row in one.rows}
        for one in generations
        if one.benchmark == benchmark and one.model in ("base", "tuned")
    }
    base, tuned = right.get("base", {}), right.get("tuned", {})
    shared = base.keys() & tuned.keys()
    if not shared:
        return None
    return Pairing(
        both=len(shared),
        gained=sum(tuned[key] and not base[key] for key in shared),
        lost=sum(base[key] and not tuned[key] for key in shared),
    )


def _benchmark(
    name: str, mode: str, files: Sequence[Generations], evaluation: Mapping[str, Mapping[str, Json]]
) -> dict[str, Any]:
    results = [evaluation[f.model][name] for f in files if name in evaluation.get(f.model, {})]
    rows: dict[str, list[Any]] = {}
    for place, file in enumerate(files):
        for row in file.rows:
            entry = rows.setdefault(
                str(row["id"]),
                [str(row["id"]), _shown(row.get("question")), _shown(row.get("gold"))]
                + [None] * len(files),
            )
            entry[3 + place] = [
                _shown(next(iter(row.get("outputs") or ()), "")),
                _shown(row.get("extracted")),
                row.get("status"),
                row.get("strict"),
            ]
    first = files[0].rows[0]
    domain = results[0].get("domain") if results else None
    return {
        "key": name if mode == "cot" else f"{name}.{mode}",
        "title": wording.benchmark_title(name) + ("" if mode == "cot" else f" ({mode})"),
        "domain": wording.domain_words(domain) if domain else "",
        "models": [[f.model, wording.MODELS.get(f.model, f.model)] for f in files],
        "prompt": _shown(first.get("prompt")),
        "rows": list(rows.values()),
    }


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)
