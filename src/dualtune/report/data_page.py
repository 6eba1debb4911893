"""Render the data page: what a run trains on, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualtune.build.store import SPLITS
from dualtune.records import TASK_NAMES, Finding
from dualtune.report import wording
from dualtune.report.collect import RunFiles, collect
from dualtune.report.data_collect import (
    PAGE_PROBLEMS,
    Choice,
    choose,
    measure,
    read_shown,
    rejected_examples,
)
from dualtune.report.data_lengths import distributions
from dualtune.report.data_pack import pack_problems
from dualtune.report.findings import (
    Findings,
    findings_file,
    group_findings,
    read_findings,
)
from dualtune.report.pack import embed
from dualtune.report.render import asset, environment, ranked_causes, script_json, source_name

DATA_PAGE = "data.html"

QUOTED = 240
"""Characters of a rejected row or of a finding's evidence that are quoted outside the list."""

SPLIT_TITLES = {"train": "trained on", "validation": "held out"}


def render_data_page(run: Path) -> str:
    """Return the data page as text: one file that fetches nothing.

    Args:
        run: A run folder with a build in it.

    Raises:
        BadInput: If a file of the run cannot be read, or the ``report`` extra is not installed.
    """
    templates = environment()
    files = collect(run)
    found = group_findings(read_findings(run), keep=PAGE_PROBLEMS)
    choice = choose(run, found.problem_ids)
    shown = read_shown(run, choice.ids, found.by_problem)
    return templates.get_template("data.html").render(
        w=wording,
        css=asset("page.css") + asset("browser.css") + asset("data.css"),
        scripts=[
            asset(name)
            for name in (
                "common.js",
                "data_text.js",
                "data_problem.js",
                "browser.js",
                "data_browse.js",
            )
        ],
        files=files,
        lead=_lead(files),
        source=source_name(files.recipe),
        tasks=_tasks(files),
        skipped=_skipped(files),
        rejected=_rejected(files),
        lengths=distributions(measure(run)),
        audit=_audit(files, found, choice),
        choice=choice,
        notice=_notice(choice),
        splits=[s for s in SPLITS if s == "train" or files.build.get("validation_problems")],
        split_titles=SPLIT_TITLES,
        settings=script_json(_settings(found, choice)),
        problems=embed(pack_problems(shown)),
    )


def _lead(files: RunFiles) -> str:
    build = files.build
    made = sum((build.get("instances") or {}).values())
    held = build.get("validation_problems")
    rest = f"; {wording.plural(held, 'Problem')} more are held out to measure the loss" * bool(held)
    return (
        f"{wording.plural(build.get('problems'), 'Problem')} of {source_name(files.recipe)} give "
        f"{wording.plural(made, 'instance')} in an epoch{rest}."
    )


def _tasks(files: RunFiles) -> list[dict[str, Any]]:
    build = files.build
    return [
        {
            "name": task,
            "title": wording.TASKS[task],
            "short": wording.TASK_SHORT[task],
            "meaning": wording.TASK_MEANING[task],
            "train": (build.get("instances") or {}).get(task, 0),
            "validation": (build.get("validation_instances") or {}).get(task, 0),
        }
        for task in TASK_NAMES
    ]


def _skipped(files: RunFiles) -> list[tuple[str, int]]:
    return ranked_causes(files.build.get("masks_skipped"))


def _rejected(files: RunFiles) -> list[dict[str, Any]]:
    counts: Mapping[str, int] = files.build.get("rejected") or {}
    examples = rejected_examples(files.folder, counts)
    return [
        {
            "words": wording.cause_words(cause),
            "count": counts[cause],
            "examples": [
                {
                    "where": str(row.get("where", "")),
                    "message": str(row.get("message", "")),
                    "raw": _quoted(str(row.get("raw", ""))),
                }
                for row in rows
            ],
        }
        for cause, rows in sorted(examples.items(), key=lambda item: (-counts[item[0]], item[0]))
    ]


def _audit(files: RunFiles, found: Findings, choice: Choice) -> dict[str, Any]:
    return {
        "made": bool(files.audit) or findings_file(files.folder).is_file(),
        "kinds": [
            {
                "kind": one.kind,
                "words": wording.finding_words(one.kind),
                "severities": one.severities,
                "findings": one.findings,
                "problems": one.problems,
                "examples": [_example(finding, choice) for finding in one.examples],
            }
            for one in found.kinds
        ],
        "findings": sum(one.findings for one in found.kinds),
        "problems": len(found.problem_ids),
        "unsearched": "leaks_checked" in files.audit and not files.audit["leaks_checked"],
        "checked": _checked(files.audit),
        "unchecked": [
            (wording.finding_words(kind), str(why))
            for kind, why in (files.audit.get("not_checked") or {}).items()
        ],
        "elsewhere": len(found.problem_ids) - choice.with_findings,
    }


def _checked(audit: Mapping[str, Any]) -> list[str]:
    """Say in sentences how much an audit could check, as far as ``audit.json`` tells."""
    said = []
    if "problems" in audit:
        said.append(f"{wording.plural(audit['problems'], 'Problem')} were audited.")
    sums = audit.get("arithmetic") or {}
    if sums.get("steps"):
        said.append(
            f"Of {wording.plural(sums['steps'], 'step')}, "
            f"{wording.count(sums.get('steps_checkable'))} hold an equation that can be checked: "
            f"{wording.plural(sums.get('holds'), 'equation')} hold, "
            f"{wording.count(sums.get('wrong'))} do not, and "
            f"{wording.count(sums.get('not_checkable'))} more cannot be checked."
        )
    searched = audit.get("leaks_checked") or {}
    if searched:
        named = ", ".join(
            f"{wording.benchmark_title(name)} ({wording.count(number)})"
            for name, number in searched.items()
        )
        said.append(f"Questions of test sets that were looked for: {named}.")
    return said


def _example(finding: Finding, choice: Choice) -> dict[str, Any]:
    return {
        "id": finding.problem_id,
        "evidence": _quoted(finding.evidence),
        "here": finding.problem_id in choice.ids,
    }


def _notice(choice: Choice) -> str:
    """Say which Problems are on the page where it cannot hold them all."""
    shown = len(choice.ids)
    if shown == choice.total:
        return ""
    whole = wording.plural(choice.total, "Problem")
    limit = f"This page holds {wording.count(shown)} of the run's {whole}"
    if not choice.with_findings:
        return f"{limit}: the first of the file."
    if choice.with_findings_shown < choice.with_findings:
        return (
            f"{limit}: the first {wording.count(choice.with_findings_shown)} of the "
            f"{wording.count(choice.with_findings)} with findings."
        )
    return (
        f"{limit}: all {wording.count(choice.with_findings)} with findings, and the first of the "
        "others."
    )


def _settings(found: Findings, choice: Choice) -> dict[str, Any]:
    """Return what the page's script needs to know besides the Problems."""
    return {
        "tasks": [
            {"name": t, "title": wording.TASKS[t], "short": wording.TASK_SHORT[t]}
            for t in TASK_NAMES
        ],
        "splits": [{"name": s, "title": SPLIT_TITLES[s]} for s in SPLITS],
        "kinds": {one.kind: wording.finding_words(one.kind) for one in found.kinds},
        "all": len(choice.ids) == choice.total,
    }


def _quoted(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
