"""Tune a model on the instances of Problems: from a recipe to a model folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput, DualtuneError, nearest
from dualtune.lm import adapters
from dualtune.lm.checkpoints import newest_checkpoint
from dualtune.lm.encode import Encoder
from dualtune.lm.hardware import choose_precision, find_device
from dualtune.lm.mixing import with_mix
from dualtune.lm.models import Dtype, load_model, load_tokenizer, resolve_model
from dualtune.lm.preflight import check_labels, verify_on_model
from dualtune.lm.steps import Layout, Preparer, Step, Steps
from dualtune.lm.support import choose_attention, why_not_packable
from dualtune.recipe import Adapter, Recipe, Train, held_out_tasks
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
) -> Path:
    """Tune the recipe's model on Problems.

    Writes ``train.jsonl``, ``train.json``, ``checkpoints/`` and ``model/`` under ``run``. A run
    that was stopped goes on from its newest whole checkpoint if ``fingerprint`` is the same.

    Args:
        recipe: The recipe.
        run: The run folder.
        train: Problems to train on; their instances are derived here, epoch by epoch.
        validation: Held-out Problems.
        fingerprint: Says what the checkpoints belong to; others are removed.

    Returns:
        The folder of the tuned model.

    Raises:
        BadInput: If the model cannot be loaded or packed, nothing is left to train on, or
            patience is asked for without held-out Problems.
        Stopped: If a signal stopped training; the same command goes on.
        DualtuneError: If the loss is not finite or a checkpoint cannot be written.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but training runs in one process. Start "
            "it without torchrun or accelerate launch."
        )
    _check_settings(recipe.train, validation)
    import torch
    from transformers import PrinterCallback, set_seed

    from dualtune.lm.trainer import DualTrainer, Evidence, Spikes, StopOnSignal
    from dualtune.lm.trainlog import TrainLog

    settings = recipe.train
    device = find_device(settings.device)
    folder = resolve_model(recipe.model)
    preparer = with_mix(steps_preparer(recipe, folder, device), train)
    preflight = check_labels(
        preparer, train, epochs=settings.epochs, max_dropped=settings.max_dropped
    )
    set_seed(recipe.seed)
    attention = _attention(recipe, folder, device)
    model = _load(recipe, folder, attention, device)
    if settings.trie:
        verify_on_model(model, preparer, train, epoch=preflight.busiest)
    steps = Steps(train, preparer, per_step=settings.problems_per_step, epochs=settings.epochs)
    held = _validation_steps(
        replace(preparer, tasks=held_out_tasks(recipe.tasks, settings.epochs)),
        validation,
        settings.problems_per_step,
    )
    checkpoints = run / "checkpoints"
    resume = newest_checkpoint(checkpoints, fingerprint=fingerprint)
    done = int(resume.name.partition("-")[2]) if resume else 0
    if resume:
        log.info("resuming from %s of %d steps", resume.name, len(steps))
    train_log = TrainLog(run / "train.jsonl", resumed_step=done)
    precision = choose_precision(settings.precision, device)
    arguments = _arguments(
        recipe, checkpoints, steps=len(steps), precision=precision, device=device
    )
    trainer = DualTrainer(
        steps=steps,
        validation=held,
        train_log=train_log,
        keep_checkpoints=settings.keep_checkpoints,
        model=model,
        processing_class=preparer.encoder.tokenizer,
        args=arguments,
    )
    evidence = Evidence(trainer, logging_steps=settings.logging_steps, patience=settings.patience)
    stop = StopOnSignal()
    trainer.remove_callback(PrinterCallback)  # prints to stdout what train.jsonl holds
    for callback in (evidence, stop):
        trainer.add_callback(callback)
    if resume:
        trainer.spikes = Spikes(resume)
    if resume and evidence.must_stop_at(done):  # stopped there, and killed before it was written
        trainer.restore(resume)
    else:
        with stop.watching(), tokenizers_in_workers():
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if trainer.state.global_step < len(steps) and not evidence.ran_out_of_patience:
        raise Stopped(
            f"stopped at step {trainer.state.global_step} of {len(steps)}; the checkpoint is "
            f"saved in {checkpoints}. Give the same command again to go on."
        )
    alone, out = run / adapters.FOLDER, run / "model"
    _save_adapter(model, settings.adapter, alone)
    if settings.adapter.kind != "none" and settings.adapter.merge:
        model = _merged(model, recipe, folder, alone)
    _save_model(model, preparer.encoder, out)
    summary = train_log.summary()
    stopped = evidence.ran_out_of_patience  # which is at the end of an epoch
    epochs = summary["steps"] // steps.per_epoch if stopped else settings.epochs
    summary |= {
        "epochs": epochs,
        "problems": len(train),
        "precision": precision,
        "adapter": settings.adapter.kind,
        "stopped_early": stopped,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "trie": settings.trie,
        "attention": attention,
        "preflight": preflight.summary(),
        "lengths": preflight.lengths,
    }
    (run / "train.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return out


def _check_settings(settings: Train, validation: Sequence[Problem]) -> None:
    """Refuse before a minute of work what would stop training after it."""
    from transformers.integrations.integration_utils import (
        get_available_reporting_integrations,
    )

    if settings.patience and not validation:
        raise BadInput(
            "train.patience waits for a lower held-out loss, but no Problem is held out. Raise "
            "data.validation, or leave train.patience out."
        )
    available: list[str] = get_available_reporting_integrations()  # type: ignore[no-untyped-call]
    for name in settings.trackers:
        if name not in available:
            raise BadInput(
                f"train.trackers: {name!r} is not installed or unknown{nearest(name, available)}"
            )


def _load(recipe: Recipe, folder: Path | str, attention: Any, device: str) -> Any:
    """Load the model on its device, with an adapter where one is asked for."""
    adapter = recipe.train.adapter
    quantised = adapters.quantisation(adapter, device)
    # Frozen weights lose nothing in bf16, which is how nearly all models are published.
    small = adapter.kind != "none" and device == "cuda" and recipe.train.precision != "fp32"
    dtype: Dtype = "bfloat16" if small else "float32"
    model = load_model(folder, attention=attention, dtype=dtype, quantisation=quantised)
    if quantised is None:
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


@contextmanager
def tokenizers_in_workers() -> Iterator[None]:
    """Keep tokenizers single-threaded while worker processes encode."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


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


def _validation_steps(preparer: Preparer, problems: Sequence[Problem], per_step: int) -> list[Step]:
    chunks = [problems[i : i + per_step] for i in range(0, len(problems), per_step)]
    return [preparer.step(chunk, 0) for chunk in chunks]


def _save_adapter(model: Any, settings: Adapter, out: Path) -> None:
    """Write the adapter alone; where there is none, remove one of earlier settings."""
    if settings.kind == "none":
        shutil.rmtree(out, ignore_errors=True)
        return
    with _replaced(out) as work:
        model.save_pretrained(work)


def _merged(model: Any, recipe: Recipe, folder: Path | str, adapter: Path) -> Any:
    if recipe.train.adapter.kind != "qlora":
        return adapters.merged(model)
    base = load_model(folder, attention="sdpa", dtype="bfloat16")
    return adapters.merged_into(base, adapter)


def _save_model(model: Any, encoder: Encoder, out: Path) -> None:
    # Packing's kernel is ours: others load the model with their own default.
    model.config._attn_implementation = "sdpa"
    _let_stop(model, encoder.stop_id)
    with _replaced(out) as work:
        model.save_pretrained(work)
        encoder.tokenizer.save_pretrained(work)


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """Open a folder to write to, which takes the place of ``out`` once the block is done."""
    from safetensors import SafetensorError

    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
    except (OSError, SafetensorError) as error:
        shutil.rmtree(work, ignore_errors=True)
        raise DualtuneError(
            f"cannot write {out}: {error}. Free some disk space and give the same "
            "command again; it goes on from the last checkpoint."
        ) from error
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)


def _let_stop(model: Any, stop_id: int) -> None:
    """Let generation stop at the token that the model was trained to end with."""
    config = model.generation_config
    known = config.eos_token_id
    ids = [] if known is None else [known] if isinstance(known, int) else list(known)
    if stop_id not in ids:
        config.eos_token_id = [*ids, stop_id]
