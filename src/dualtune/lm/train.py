"""Tune a model on the instances of Problems: from a recipe to a model folder."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.lm import adapters
from dualtune.lm.checkpoints import check_layout, newest_checkpoint
from dualtune.lm.distributed import Ranks, deal, warn_of_idle
from dualtune.lm.encode import Encoder
from dualtune.lm.gauge import gauge_of
from dualtune.lm.hardware import choose_precision, find_device
from dualtune.lm.launch import Launch, find_place
from dualtune.lm.mixing import with_mix
from dualtune.lm.models import Dtype, load_model, load_tokenizer, resolve_model
from dualtune.lm.preflight import check_labels, verify_on_model
from dualtune.lm.save import save_tuned
from dualtune.lm.steps import Layout, Preparer, Step, Steps
from dualtune.lm.support import choose_attention, why_not_packable
from dualtune.lm.trainlog import TrainLog
from dualtune.recipe import Recipe, Train, held_out_tasks
from dualtune.records import Problem

log = logging.getLogger(__name__)

# Rows over a dense mask cost their length squared; longer ones share little more.
DENSE_ROW = 512
_CHECKPOINTING: dict[str, Any] = {
    "gradient_checkpointing": True,
    "gradient_checkpointing_kwargs": {"use_reentrant": False},
}
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class Stopped(DualtuneError):
    """Training was stopped by a signal after saving a checkpoint."""

    exit_code = 130


def tune(
    recipe: Recipe,
    run: Path,
    *,
    train: Sequence[Problem],
    validation: Sequence[Problem] = (),
    fingerprint: str = "",
    launch: Launch | None = None,
) -> Path:
    """Tune the recipe's model on Problems.

    Writes ``train.jsonl``, ``train.json``, ``checkpoints/`` and ``model/`` under ``run``. A run
    that was stopped goes on from its newest whole checkpoint if ``fingerprint`` is the same.

    Where torchrun or ``accelerate launch`` started several processes, all of them call this and
    train one model together.

    Args:
        recipe: The recipe.
        run: The run folder.
        train: Problems to train on; their instances are derived here, epoch by epoch.
        validation: Held-out Problems.
        fingerprint: Says what the checkpoints belong to; others are removed.
        launch: Of this process, where it has met the others already.

    Returns:
        The folder of the tuned model.

    Raises:
        BadInput: If the model cannot be loaded or packed, nothing is left to train on, patience
            is asked for without held-out Problems, or the processes that were started do not
            suit the recipe or the machine.
        Stopped: If a signal stopped training; the same command goes on.
        DualtuneError: If the loss is not finite or a checkpoint cannot be written.
    """
    place = find_place() if launch is None else None
    if place is not None:
        with Launch(place) as met:
            return tune(
                recipe, run, train=train, validation=validation, fingerprint=fingerprint, launch=met
            )
    settings = recipe.train
    _check_settings(settings, validation)
    device = find_device(settings.device)
    if settings.parallel == "fsdp":
        from dualtune.lm.shards import check_shardable

        precision = choose_precision(settings.precision, device)
        check_shardable(adapter=settings.adapter.kind, precision=precision)
    job = _Job(recipe, run, train, validation, fingerprint, device)
    if launch is None:
        if settings.parallel == "fsdp":
            raise BadInput(
                "train.parallel is fsdp, but this process runs alone. Start it with torchrun "
                "--nproc-per-node N (or accelerate launch), or set train.parallel: auto."
            )
        done = _tune(job, Ranks())
    else:
        with launch.together(device, parallel=settings.parallel) as ranks:
            done = _tune(job, ranks)
    if isinstance(done, Stopped):  # on all ranks, which have parted in peace
        raise done
    return done


@dataclass(frozen=True, slots=True)
class _Job:
    """What ``tune`` was asked for, and the device that was found for it."""

    recipe: Recipe
    run: Path
    train: Sequence[Problem]
    validation: Sequence[Problem]
    fingerprint: str
    device: str


def _tune(job: _Job, ranks: Ranks) -> Path | Stopped:
    import torch
    from transformers import PrinterCallback, set_seed

    from dualtune.lm.best import check_best
    from dualtune.lm.callbacks import Evidence, StopOnSignal
    from dualtune.lm.probe import choose_probe
    from dualtune.lm.spikes import Spikes
    from dualtune.lm.trainer import DualTrainer

    recipe, settings, device = job.recipe, job.recipe.train, job.device
    folder = resolve_model(recipe.model)
    preparer = with_mix(steps_preparer(recipe, folder, device), job.train)
    preflight = check_labels(
        preparer, job.train, epochs=settings.epochs, max_dropped=settings.max_dropped
    )
    probe = choose_probe(preparer, job.validation, settings) if settings.probe_rows else None
    precision = choose_precision(settings.precision, device)
    gauge = gauge_of(model_config(folder), settings, preflight, device=device, precision=precision)
    gauge = replace(gauge, peak=sum(ranks.gather(gauge.peak)))
    set_seed(recipe.seed)
    attention = _attention(recipe, folder, device)
    load = partial(_load, recipe, folder, attention, device)
    if ranks.sharded:
        from dualtune.lm.shards import mesh_of, shard

        # Whole it may be too large for one device: sharding moves it there layer by layer. The
        # machine holds one whole copy at a time, and not one a process.
        mesh = mesh_of(ranks.size, device)
        model = ranks.in_turns(lambda: shard(load(whole=False), mesh, precision=precision))
    else:
        model = load(whole=True)
    if settings.trie:
        verify_on_model(model, preparer, job.train, epoch=preflight.busiest)
    steps = Steps(job.train, preparer, per_step=settings.problems_per_step, epochs=settings.epochs)
    warn_of_idle(ranks, settings.problems_per_step)
    checkpoints = job.run / "checkpoints"
    resume = ranks.on_first(lambda: newest_checkpoint(checkpoints, fingerprint=job.fingerprint))
    done = int(resume.name.partition("-")[2]) if resume else 0
    if resume:
        check_layout(resume, sharded=ranks.sharded)
        log.info("resuming from %s of %d steps", resume.name, len(steps))
    train_log = _open_log(
        job.run / "train.jsonl", ranks, resumed_step=done, gauge=gauge, goal=settings.stop_on
    )
    keeps_best = settings.keep == "best"
    if keeps_best:
        check_best(checkpoints, train_log.best_step())
    arguments = _arguments(
        recipe, checkpoints, steps=len(steps), precision=precision, device=device
    )
    trainer = DualTrainer(
        steps=steps,
        validation=_held_out(preparer, job, ranks),
        train_log=train_log,
        keep_checkpoints=settings.keep_checkpoints,
        keeps_best=keeps_best,
        probe=probe,
        ranks=ranks,
        model=model,
        processing_class=preparer.encoder.tokenizer,
        args=arguments,
    )
    evidence = Evidence(trainer, logging_steps=settings.logging_steps, patience=settings.patience)
    stop = StopOnSignal(trainer)
    trainer.remove_callback(PrinterCallback)  # prints to stdout what train.jsonl holds
    for callback in (evidence, stop):
        trainer.add_callback(callback)
    if resume:
        trainer.spikes = Spikes(resume)
    if resume and evidence.must_stop_at(done):  # stopped there, and killed before it was written
        trainer.restore(resume)
    else:
        with stop.watching():
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if trainer.state.global_step < len(steps) and not evidence.ran_out_of_patience:
        return Stopped(
            f"stopped at step {trainer.state.global_step} of {len(steps)}; the checkpoint is "
            f"saved in {checkpoints}. Give the same command again to go on."
        )
    kept = trainer.restore_best() if keeps_best else trainer.state.global_step
    summary = train_log.summary()
    stopped = evidence.ran_out_of_patience  # which is at the end of an epoch
    epochs = summary["steps"] // steps.per_epoch if stopped else settings.epochs
    summary |= {
        "epochs": epochs,
        "problems": len(job.train),
        "precision": precision,
        "adapter": settings.adapter.kind,
        "stopped_early": stopped,
        "kept": train_log.told_of(kept, steps.per_epoch) | {"keep": settings.keep},
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "processes": ranks.size,
        "parallel": ("fsdp" if ranks.sharded else "ddp") if ranks.size > 1 else None,
        "trie": settings.trie,
        "attention": attention,
        "preflight": preflight.summary(),
        "lengths": preflight.lengths,
    }
    weights = trainer.gathered_weights()

    def save() -> Path:
        out = save_tuned(
            model,
            job.run,
            settings=settings.adapter,
            encoder=preparer.encoder,
            base=folder,
            weights=weights,
        )
        told = json.dumps(summary, indent=2) + "\n"
        (job.run / "train.json").write_text(told, encoding="utf-8")
        return out

    return ranks.on_first(save)


def _open_log(path: Path, ranks: Ranks, **settings: Any) -> TrainLog:
    """Open the log on all ranks: what it says decides when to stop; rank 0 alone writes it."""
    opened: list[TrainLog] = []
    # One after the other: rank 0 drops the lines of steps that are taken again.
    ranks.on_first(lambda: opened.append(TrainLog(path, **settings)))
    return opened[0] if opened else TrainLog(path, **settings, writes=False)


def _check_settings(settings: Train, validation: Sequence[Problem]) -> None:
    """Refuse before a minute of work what would stop training after it."""
    from transformers.integrations.integration_utils import (
        get_available_reporting_integrations,
    )

    asked = {
        "train.patience": settings.patience,
        "train.probe_rows": settings.probe_rows,
        "train.keep: best": settings.keep == "best",
    }
    for key in (key for key, wanted in asked.items() if wanted and not validation):
        raise BadInput(
            f"{key} asks for held-out Problems, but none is held out. Raise data.validation, or "
            f"leave {key} out."
        )
    available: list[str] = get_available_reporting_integrations()  # type: ignore[no-untyped-call]
    for name in settings.trackers:
        if name not in available:
            raise BadInput(
                f"train.trackers: {name!r} is not installed or unknown{nearest(name, available)}"
            )


def _load(recipe: Recipe, folder: Path | str, attention: Any, device: str, *, whole: bool) -> Any:
    """Load the model, ``whole`` on its device, with an adapter where one is asked for."""
    adapter = recipe.train.adapter
    quantised = adapters.quantisation(adapter, device)
    # Frozen weights lose nothing in bf16, which is how nearly all models are published.
    small = adapter.kind != "none" and device == "cuda" and recipe.train.precision != "fp32"
    dtype: Dtype = "bfloat16" if small else "float32"
    model = load_model(folder, attention=attention, dtype=dtype, quantisation=quantised)
    if quantised is None and whole:
        model = model.to(device)
    return model if adapter.kind == "none" else adapters.attach(model, adapter)


def _arguments(recipe: Recipe, output: Path, *, steps: int, precision: str, device: str) -> Any:
    from transformers import TrainingArguments

    settings = recipe.train
    with warnings.catch_warnings():
        # Newer releases call it activation checkpointing; all that we support know this name.
        warnings.filterwarnings("ignore", "`gradient_checkpointing", FutureWarning)
        arguments = TrainingArguments(
            output_dir=str(output),
            max_steps=steps,
            per_device_train_batch_size=1,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=_SCHEDULES[settings.schedule],
            warmup_steps=round(settings.warmup * steps),
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            optim="adamw_torch_fused",
            bf16=precision == "bf16",
            fp16=precision == "fp16",
            **_CHECKPOINTING if settings.gradient_checkpointing else {},
            use_cpu=device == "cpu",
            logging_strategy="no",
            save_strategy="steps",
            save_steps=settings.save_steps,
            dataloader_num_workers=settings.workers,
            remove_unused_columns=False,
            report_to=list(settings.trackers) or "none",
            disable_tqdm=True,
            seed=recipe.seed,
        )
    if arguments.n_gpu > 1:
        # Else the Trainer wraps the model in DataParallel, which would scatter the rows of a pack
        # and leave its predictions behind.
        log.warning("%d GPUs are visible; training uses the first one", arguments.n_gpu)
        arguments._n_gpu = 1
    return arguments


def _attention(recipe: Recipe, folder: Path | str, device: str) -> Any:
    config = model_config(folder)
    if recipe.train.trie:
        cause = why_not_packable(config)
        if cause:
            raise BadInput(
                f"{config.model_type} {cause}, so trie packing would not be exact. Set "
                "train.trie: false to train it on plain batches."
            )
    return choose_attention(config, recipe.model.attention, device)


def model_config(folder: Path | str) -> Any:
    """Load the configuration of a model.

    Args:
        folder: Of the model, or its hub id.

    Raises:
        BadInput: If it cannot be loaded.
    """
    from transformers import AutoConfig

    from dualtune.lm.models import load_failure

    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise BadInput(load_failure("configuration", folder, error)) from error


def steps_preparer(recipe: Recipe, folder: Path | str, device: str) -> Preparer:
    """Return what turns Problems into packed steps, as a recipe and a model ask for.

    Args:
        recipe: The recipe.
        folder: Of the model, or its hub id.
        device: ``cpu`` or ``cuda``; decides the attention kernel, and with it the rows.
    """
    config = model_config(folder).get_text_config()
    longest = getattr(config, "max_position_embeddings", None)
    limit = recipe.train.max_length
    if longest is not None and limit > longest:
        log.warning("train.max_length %d is cut to the model's limit of %d", limit, longest)
        limit = longest
    attention = choose_attention(config, recipe.model.attention, device)
    return Preparer(
        encoder=Encoder(load_tokenizer(folder), recipe.model.prompt),
        tasks=recipe.tasks,
        seed=recipe.seed,
        system=recipe.model.system,
        max_length=limit,
        layout=Layout(
            tokens_per_pack=recipe.train.tokens_per_pack,
            tokens_per_row=DENSE_ROW if attention in ("sdpa", "eager") else None,
            trie=recipe.train.trie,
        ),
    )


def _held_out(preparer: Preparer, job: _Job, ranks: Ranks) -> list[Step]:
    """Pack this rank's share of the held-out Problems, as steps are packed."""
    settings = job.recipe.train
    held = replace(preparer, tasks=held_out_tasks(job.recipe.tasks, settings.epochs))
    size = settings.problems_per_step
    chunks = [job.validation[i : i + size] for i in range(0, len(job.validation), size)]
    return [held.step(deal(chunk, ranks.size)[ranks.rank], 0) for chunk in chunks]
