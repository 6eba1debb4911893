"""The top of the report: what ran in a sentence, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualtune.evaluate.compare import Average, BenchmarkComparison
from dualtune.records import TASK_NAMES
from dualtune.report import wording
from dualtune.report.accuracy import Pair
from dualtune.report.collect import RunFiles
from dualtune.report.render import source_name

Json = Mapping[str, Any]

FEW = 3
"""Of so many benchmarks each one is told in full at the top; of more, the averages are."""


def is_comparison(files: RunFiles) -> bool:
    """Tell whether a run does no more than evaluate models from elsewhere."""
    others = files.evaluation.keys() - {"base", "tuned"}
    return bool(others) and "tuned" not in files.evaluation and not files.train


def title(files: RunFiles) -> str:
    """Return the page's title: the model and the data, or which models are compared."""
    if is_comparison(files):
        return f"{wording.plural(len(files.evaluation), 'model')} compared"
    model = _model(files)
    return f"{model} on {source_name(files.recipe)}" if model else files.folder.resolve().name


def _model(files: RunFiles) -> str:
    known = (files.recipe.get("model") or {}).get("id") or (files.manifest.get("model") or {}).get(
        "id"
    )
    return tail(known) if known else ""


def tail(name: Any) -> str:
    """Return the part of a model's name that tells a reader something."""
    # A hub id keeps its owner; a path on someone's disk does not help a reader.
    text = str(name)
    return Path(text).name if text.startswith(("/", ".", "~")) or text.count("/") > 1 else text


def _tasks(files: RunFiles) -> str:
    made = files.train.get("instances") or files.build.get("instances") or {}
    names = {"solve": "solve", "irsp": "step prediction", "ir": "question reconstruction"}
    on = [names[task] for task in TASK_NAMES if made.get(task)]
    if on == ["solve"]:
        return "solve alone"
    return ", ".join(on[:-1]) + f" and {on[-1]}" if len(on) > 1 else "".join(on)


def lead(files: RunFiles) -> str:
    """Say in a sentence what was trained on what."""
    train, source = files.train, source_name(files.recipe)
    if is_comparison(files):
        first, *others = map(wording.model_words, files.evaluation)
        if "base" in files.evaluation:
            first = f"{_model(files)} {first}"
        every = {name for results in files.evaluation.values() for name in results}
        against = f" against {first}" if others else ""
        return (
            f"{', '.join(others) or first}{against}, on {wording.plural(len(every), 'benchmark')}. "
            f"Domains are those of a model tuned on {source}; nothing was built or tuned in this "
            "run."
        )
    if not train:
        if not files.build:
            return "Nothing has been built or tuned in this run yet."
        problems = wording.plural(files.build.get("problems"), "Problem")
        return f"{problems} of {source} were built into instances. The model is not tuned yet."
    device = {"cpu": "the CPU", "cuda": "a GPU"}.get(train.get("device", ""), train.get("device"))
    where = f" on {device}" if device else ""
    precision = f" in {train['precision']}" if train.get("precision") else ""
    adapter = train.get("adapter", "none")
    how = "" if adapter == "none" else f" with {wording.ADAPTERS.get(adapter, adapter)}"
    stopped = (
        " It was stopped early: the held-out solve loss fell no more."
        if train.get("stopped_early")
        else ""
    )
    return (
        f"Tuned{how} on {wording.plural(train.get('problems'), 'Problem')} of {source} for "
        f"{wording.plural(train.get('epochs'), 'epoch')} with {_tasks(files)}, in "
        f"{wording.duration(train.get('seconds'))}{where}{precision}.{stopped}"
    )


def results(
    files: RunFiles, compared: Sequence[Pair], lines: Sequence[Json]
) -> list[dict[str, Any]]:
    """Say what tuning did: the averages first, then each benchmark, shortly where they are many.

    Args:
        files: The run.
        compared: Its models compared.
        lines: The lines of its table.

    Returns:
        Of each line its ``title``, ``note``, ``sentence``, ``verdict``, the ``paired`` comparison
        or None, and whether it is told in ``short``.
    """
    if is_comparison(files):
        return _differences(compared, lines)
    base, tuned = files.evaluation.get("base", {}), files.evaluation.get("tuned", {})
    place = next((i for i, one in enumerate(compared) if (one.a, one.b) == ("base", "tuned")), None)
    pair = compared[place] if place is not None else None
    names = list(dict.fromkeys([*base, *tuned]))
    shown = []
    for line in lines:
        if line["average"] and place is not None and len(names) > FEW:
            change = line["changes"][place]
            shown.append(
                {
                    "title": line["title"],
                    "note": line["note"],
                    "sentence": wording.average_sentence(line, change),
                    "verdict": wording.sign_of(change.difference) if change else "unknown",
                    "paired": None,
                    "short": False,
                }
            )
    for name in names:
        one, other = base.get(name), tuned.get(name)
        any_result = other or one or {}
        paired = pair.benchmark(name) if pair else None
        short = paired is not None and len(names) > FEW
        domain = wording.domain_words(any_result.get("domain"))
        shown.append(
            {
                "title": wording.benchmark_title(name),
                "note": f"{domain} · {wording.rows_of(any_result)}",
                "sentence": wording.short_sentence(paired)
                if paired and short
                else wording.result_sentence(one, other, paired),
                "verdict": wording.verdict(one, other, paired),
                "paired": paired,
                "short": short,
            }
        )
    return shown


def _differences(compared: Sequence[Pair], lines: Sequence[Json]) -> list[dict[str, Any]]:
    """Say how each further model differs from the first: the averages first."""
    shown = []
    for line in sorted(lines, key=lambda line: not line["average"]):
        changes = [
            (wording.model_words(pair.b), change)
            for pair, change in zip(compared, line["changes"], strict=True)
            if change is not None
        ]
        told = [f"{name} {_change_sentence(change)}" for name, change in changes]
        kinds = {_kind(change) for _, change in changes}
        benchmarks = [c for _, c in changes if isinstance(c, BenchmarkComparison)]
        shown.append(
            {
                "title": line["title"],
                "note": line["note"],
                "sentence": "\n".join(told) or "no rows in common.",
                "verdict": kinds.pop() if len(kinds) == 1 else "unknown",
                "paired": next(iter(benchmarks), None),
                "short": True,
            }
        )
    return shown


def _change_sentence(change: BenchmarkComparison | Average) -> str:
    if isinstance(change, BenchmarkComparison):
        return wording.short_sentence(change)
    return wording.average_change(change)


def _kind(change: BenchmarkComparison | Average) -> str:
    if isinstance(change, BenchmarkComparison):
        return wording.verdict(None, None, change)
    return wording.sign_of(change.difference)
