"""From a built run to a folder that another trainer reads, and to the hub."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import dualtune
from dualtune.build.export import alpaca, axolotl, llamafactory, plain, trl, verl
from dualtune.build.export.card import data_card
from dualtune.build.export.facts import Facts, read_facts
from dualtune.build.export.files import MARK, check_output, replaced, rows_file
from dualtune.build.export.layout import ExportFormat, Layout, LeftOut, Place
from dualtune.build.store import SPLITS, Split, iter_instances
from dualtune.errors import BadInput, nearest
from dualtune.recipe import Recipe
from dualtune.records import TASK_NAMES, TaskName
from dualtune.tasks.mix import is_kept, keep_rates, mix_shares
from dualtune.upload import check_push, push_folder

logger = logging.getLogger(__name__)

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
CARD = "README.md"

_LAYOUTS: dict[ExportFormat, Layout] = {
    "trl": trl.LAYOUT,
    "llamafactory": llamafactory.LAYOUT,
    "axolotl": axolotl.LAYOUT,
    "alpaca": alpaca.LAYOUT,
    "verl": verl.LAYOUT,
    "parquet": plain.LAYOUT,
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote; ``export.json`` holds the same fields.

    Attributes:
        format: The layout.
        files: Names of the files, in the order of the alphabet.
        rows: Rows by split and task.
        left_out: Instances that the layout cannot hold, or that ``tasks.mix`` leaves out of
            ``train``, by cause.
        dualtune: The version that wrote it.
    """

    format: ExportFormat
    files: tuple[str, ...]
    rows: dict[Split, dict[str, int]]
    left_out: dict[str, int]
    dualtune: str


def export(
    run: Path,
    *,
    format: ExportFormat,
    output: Path,
    recipe: Recipe | None = None,
    push: str | None = None,
    private: bool = False,
    license: str = "unknown",
) -> ExportReport:
    """Write the Instances of a built run in the layout of a trainer.

    The folder holds ``train`` and, where Problems are held out, ``validation``, settings for the
    trainer, a data card (``README.md``) and ``export.json``. It appears whole or not at all, and
    takes the place of an earlier export.

    Args:
        run: The run folder.
        format: Whose layout.
        output: Where to.
        recipe: Whose model and training settings stand in the trainer's settings; by default
            those that the run was built with.
        push: Id of a data set on the hub (``owner/name``) to upload the folder to.
        private: Make the data set private where it is new.
        license: The licence of the data as the hub names it (``mit``), for the card; it is not
            known from the data itself.

    Returns:
        What was written.

    Raises:
        BadInput: If nothing was built in ``run``, ``output`` holds something else, or ``push`` is
            no id.
        DualtuneError: If the disk is full, or the hub refuses the upload; the folder is complete
            then.
    """
    if format not in _LAYOUTS:
        raise BadInput(f"--format: unknown {format!r}{nearest(format, FORMATS)}")
    facts = read_facts(run, recipe=recipe, address=push or f"../{output.absolute().name}")
    check_output(output)
    if push is not None:
        check_push(push, kind="dataset")
    layout = _LAYOUTS[format]
    with replaced(output) as stage:
        facts = _write_rows(run, stage, layout, facts)
        texts = layout.files(facts)
        texts[CARD] = data_card(facts, format=format, layout=layout, license=license)
        for name, text in texts.items():
            (stage / name).write_text(text, encoding="utf-8")
        report = ExportReport(
            format=format,
            files=tuple(sorted(p.name for p in stage.iterdir())),
            rows={split: dict(rows) for split, rows in facts.rows.items()},
            left_out=dict(facts.left_out),
            dualtune=dualtune.__version__,
        )
        (stage / MARK).write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    for cause, count in report.left_out.items():
        logger.warning("export: %d instances left out: %s", count, cause)
    if push is not None:
        logger.info(
            "export: uploaded to %s", push_folder(output, push, kind="dataset", private=private)
        )
    return report


def _write_rows(run: Path, stage: Path, layout: Layout, facts: Facts) -> Facts:
    rows: dict[Split, dict[str, int]] = {}
    left_out: Counter[str] = Counter()
    rates = _keep_rates(run, layout, facts.recipe)
    for split in SPLITS:
        file = stage / f"{split}{layout.suffix}"
        tasks: Counter[str] = Counter()
        with rows_file(file, layout.schema) as write:
            for instance in iter_instances(run, split):
                place = Place(split, tasks.total(), facts.recipe.model.prompt)
                row = layout.row(instance, place)
                if not isinstance(row, LeftOut) and split == "train":
                    rate = rates[instance.task]
                    if not is_kept(instance.id, rate, seed=facts.recipe.seed):
                        row = LeftOut(f"mix_{instance.task}")
                if isinstance(row, LeftOut):
                    left_out[row.cause] += 1
                    continue
                write(row)
                tasks[instance.task] += 1
        if tasks:
            rows[split] = {task: tasks[task] for task in TASK_NAMES}
        else:
            file.unlink()  # loaders take an empty file for a broken one
    if "train" not in rows:
        raise BadInput(
            f"no instance of {run} can be exported in this layout: "
            f"{dict(left_out) or 'the run holds none'}. Choose another --format."
        )
    return facts.written(rows, dict(sorted(left_out.items())))


def _keep_rates(run: Path, layout: Layout, recipe: Recipe) -> dict[TaskName, float]:
    """Return the share of each task's training instances that ``tasks.mix`` keeps."""
    shares = mix_shares(recipe.tasks.mix)
    if shares is None:
        return dict.fromkeys(TASK_NAMES, 1.0)
    if recipe.tasks.mix.by == "label_tokens":
        logger.warning(
            "export: tasks.mix is by label_tokens, which depend on a tokenizer; an export has "
            "none, so every instance is written. tasks.mix.by: instances is applied."
        )
        return dict.fromkeys(TASK_NAMES, 1.0)
    place = Place("train", 0, recipe.model.prompt)
    amounts = Counter(
        instance.task
        for instance in iter_instances(run, "train")
        if not isinstance(layout.row(instance, place), LeftOut)
    )
    return keep_rates(amounts, shares)
