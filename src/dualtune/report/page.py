"""Render the report: gather the sections of the page and fill the template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualtune.records import TASK_NAMES
from dualtune.report import charts, headline, samples, wording
from dualtune.report.accuracy import left_out, pairs, sample_lines, table
from dualtune.report.breakdown import breakdowns, compared_with_first
from dualtune.report.browse import by_benchmark, model_order, pack_rows
from dualtune.report.collect import RunFiles, collect
from dualtune.report.data_collect import is_built
from dualtune.report.data_page import DATA_PAGE, render_data_page
from dualtune.report.pack import embed
from dualtune.report.render import (
    asset,
    environment,
    ranked_causes,
    script_json,
    write_page,
)

Json = Mapping[str, Any]

_SCRIPTS = ("common.js", "charts.js", "latex.js", "rows_row.js", "browser.js", "rows_browse.js")
_MARKER = re.compile(r"(<MASK(?:_\d+)?>)")


def write_report(run: Path) -> Path:
    """Write the pages of a run into its folder, from the other files of the folder alone.

    There are two, so that ``report.html`` stays small and holds no training text beyond a few
    samples: ``data.html``, which it links to, holds the Problems and their instances.

    Args:
        run: The run folder; stages that have not run are named as such on the page.

    Returns:
        The path of ``report.html``.

    Raises:
        BadInput: If the folder is no run, a file in it is broken, or the ``report`` extra is not
            installed.
    """
    page, data_page = run / "report.html", run / DATA_PAGE
    text = render_report(run)
    if is_built(run):
        write_page(data_page, render_data_page(run))
    else:
        data_page.unlink(missing_ok=True)  # of a build that is not there any more
    write_page(page, text)
    return page


def render_report(run: Path) -> str:
    """Return the page as text: one file that fetches nothing.

    Raises:
        BadInput: As ``write_report`` does.
    """
    templates = environment("plotly.graph_objects", "scipy.stats")
    files = collect(run)
    lengths = samples.measure_lengths(files.instances, trained=files.train)
    compared = pairs(files)
    lines = table(files, compared)
    figures = {
        "loss": charts.loss_charts(files.log, notes=not files.train),
        "length": charts.length_charts(lengths) if lengths else [],
        "accuracy": charts.accuracy_charts(lines, list(files.evaluation)),
        "difference": charts.difference_charts(lines, compared),
    }
    drawn = {c.id: c.figure for group in figures.values() for c in group}
    bundle, bundle_name = charts.plotly_bundle() if drawn else ("", "")
    groups = by_benchmark(files.generations, files.evaluation)
    return templates.get_template("page.html").render(
        w=wording,
        css=asset("page.css") + asset("browser.css") + asset("rows.css"),
        scripts=[asset(name) for name in _SCRIPTS],
        title=headline.title(files),
        lead=headline.lead(files),
        results=headline.results(files, compared, lines),
        facts=_facts(files),
        stages=_stages(files),
        data_page=DATA_PAGE if is_built(run) else "",
        files=files,
        sections=_sections(files),
        counts=_counts(files),
        losses=_losses(files),
        lengths=lengths,
        samples=[_sample(one) for one in samples.sample_problems(files.instances)],
        charts=figures,
        drawn=script_json(drawn),
        lines=lines,
        averages=[line for line in lines if line["average"]],
        pairs=compared,
        notices=list(dict.fromkeys(said for one in compared for said in one.comparison.notices)),
        breakdowns=breakdowns(groups, list(files.evaluation)),
        compared=compared_with_first(list(files.evaluation)),
        rows=embed(pack_rows(groups, files.evaluation)) if groups else "",
        groups={key: wording.benchmark_key_title(key) for key in groups},
        models=model_order(files.generations),
        statuses=_statuses(files),
        sample_lines=sample_lines(files),
        left_out=left_out(files),
        bundle=bundle,
        bundle_name=bundle_name,
    )


def _facts(files: RunFiles) -> list[tuple[str, str]]:
    manifest, train, recipe = files.manifest, files.train, files.recipe
    model = manifest.get("model") or {}
    packages = manifest.get("packages") or {}
    first = ("torch", "transformers", "lm_eval", "lm-eval")
    named = [p for p in first if p in packages] + sorted(p for p in packages if p not in first)
    facts = [
        ("Model", headline.tail(model.get("id") or (recipe.get("model") or {}).get("id") or "")),
        ("Weights (SHA‑256)", model.get("sha256")),
        ("Seed", manifest.get("seed", recipe.get("seed"))),
        ("Device", ", ".join(str(train[k]) for k in ("device", "precision") if train.get(k))),
        ("Trie packing", ("on" if train["trie"] else "off") if "trie" in train else None),
        ("dualtune", manifest.get("dualtune")),
        ("Python", manifest.get("python")),
        ("Platform", manifest.get("platform")),
        ("Packages", ", ".join(f"{p}\u00a0{packages[p]}" for p in named)),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _stages(files: RunFiles) -> list[dict[str, Any]]:
    known = files.manifest.get("stages") or {}
    extra = [name for name in known if name not in wording.STAGES and name != "report"]
    table = []
    for name in [*wording.STAGES, *extra]:
        stage = known.get(name) or {}
        # A stage that was run by its own command may stand in its own file alone.
        seconds = stage.get("seconds", _seconds(files, name))
        table.append(
            {
                "title": wording.STAGES.get(name, f"Evaluate {name.removeprefix('eval_')}"),
                "done": bool(stage) or seconds is not None,
                "unfinished": "unfinished" in stage,
                "seconds": seconds,
                "finished": _finished(stage.get("finished")),
            }
        )
    return table


def _seconds(files: RunFiles, stage: str) -> float | None:
    written = {"build": files.build, "audit": files.audit, "train": files.train}
    if stage in written:
        return written[stage].get("seconds")
    results = files.evaluation.get(stage.removeprefix("eval_"), {})
    return sum(r.get("seconds") or 0 for r in results.values()) if results else None


def _finished(when: Any) -> str:
    from datetime import UTC, datetime

    if isinstance(when, int | float) and not isinstance(when, bool):
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return str(when)[:16].replace("T", " ") if when else ""


def _sections(files: RunFiles) -> dict[str, str]:
    """Say of each part of the page what is missing; an empty text where it is there."""
    base, tuned = files.evaluation.get("base"), files.evaluation.get("tuned")
    wanted = (files.recipe.get("eval") or {}).get("baseline", True)
    evaluation = ""
    if not files.evaluation:
        evaluation = "No evaluation has finished in this run."
    elif headline.is_comparison(files):
        evaluation = ""
    elif not base:
        evaluation = (
            "The untuned model has not been evaluated yet, so there is nothing to compare with."
            if wanted
            else "The recipe turns the evaluation of the untuned model off (eval.baseline: false), "
            "so there is nothing to compare with."
        )
    elif not tuned:
        evaluation = "The tuned model has not been evaluated yet."
    unfinished = sorted(
        {
            f"{wording.benchmark_title(g.benchmark)} "
            f"({wording.MODELS.get(g.model, g.model).lower()})"
            for g in files.generations
            if g.rows and g.benchmark not in files.evaluation.get(g.model, {})
        }
    )
    return {
        "build": "" if files.build else "The instances have not been built yet.",
        "train": "" if files.train or files.log else "The model has not been tuned in this run.",
        "training": "Tuning has not finished; the curves show how far it came."
        if files.log and not files.train
        else "",
        "evaluation": evaluation,
        "unfinished": "; ".join(unfinished),
    }


def _counts(files: RunFiles) -> dict[str, Any]:
    build, train = files.build, files.train
    total, distinct = train.get("tokens_total"), train.get("tokens_distinct")

    return {
        "rejected": ranked_causes(build.get("rejected")),
        "skipped": ranked_causes(build.get("masks_skipped")),
        "dropped": ranked_causes(train.get("dropped")),
        "rejected_rows": build.get("rejected_rows", 0),
        "built": sum((build.get("instances") or {}).values()),
        "ratio": total / distinct if total and distinct else None,
        "tasks": [
            {
                "name": task,
                "title": wording.TASKS[task],
                "meaning": wording.TASK_MEANING[task],
                "built": (build.get("instances") or {}).get(task, 0),
                "trained": (train.get("instances") or {}).get(task),
            }
            for task in TASK_NAMES
        ],
    }


def _losses(files: RunFiles) -> list[dict[str, Any]]:
    train, validation = files.train, files.train.get("validation") or {}

    def cell(where: Json, key: str, task: str) -> float | None:
        value = (where.get(key) or {}).get(task)
        return value.get("loss") if isinstance(value, dict) else value

    table = []
    for task in TASK_NAMES:
        row = {
            "title": wording.TASKS[task],
            "first": cell(train, "first", task),
            "final": cell(train, "final", task),
            "validation_first": cell(validation, "first", task),
            "validation_final": cell(validation, "final", task),
        }
        if any(value is not None for key, value in row.items() if key != "title"):
            table.append(row)
    return table


def _statuses(files: RunFiles) -> list[dict[str, Any]]:
    table = []
    for name in dict.fromkeys(n for results in files.evaluation.values() for n in results):
        for model, results in files.evaluation.items():
            if name in results:
                found = results[name].get("statuses") or {}
                counts = [found.get(status, 0) for status in wording.STATUSES]
                table.append(
                    {
                        "benchmark": wording.benchmark_title(name),
                        "model": wording.MODELS.get(model, model),
                        "counts": list(zip(wording.STATUSES.values(), counts, strict=True)),
                        "strict": results[name].get("strict"),
                        "seconds": results[name].get("seconds"),
                    }
                )
    return table


def _sample(sample: samples.Sample) -> dict[str, Any]:
    """Cut the prompts of a Problem's instances at their mask markers."""
    instances = []
    for row in sample.instances:
        masked = {m["marker"]: m for m in row["masked"] or ()}
        turns = [
            {
                "role": turn["role"],
                "parts": [
                    (part, masked.get(part)) for part in _MARKER.split(turn["content"]) if part
                ],
            }
            for turn in row["prompt"]
        ]
        instances.append(
            {
                "task": row["task"],
                "title": wording.TASKS[row["task"]],
                "turns": turns,
                "target": row["target"],
                "kinds": ", ".join(m["kind"] for m in masked.values()),
            }
        )
    return {"id": sample.source_id, "instances": instances}
