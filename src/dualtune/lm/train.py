"""Tune a model on the instances of Problems: from a recipe to a model folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput, DualtuneError
from dualtune.lm.encode import Encoder
from dualtune.lm.models import load_model, load_tokenizer, resolve_model
from dualtune.lm.steps import Layout, Preparer, Step, Steps
from dualtune.lm.support import choose_attention, verify_packing, why_not_packable
from dualtune.lm.trie import Labelled
from dualtune.progress import track
from dualtune.recipe import Recipe, Tasks
from dualtune.records import TASK_NAMES, Problem

log = logging.getLogger(__name__)

# Rows over a dense mask cost their length squared; longer ones share little more.
DENSE_ROW = 512
# How many Problems the preflight encodes to tell what each task supervises.
PREFLIGHT = 2000
# A larger share of dropped instances is warned about.
MANY_DROPPED = 0.05
# Among how many Problems the check of packing looks for instances that share prefixes.
VERIFY_AMONG = 32
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
        BadInput: If the model cannot be loaded or packed, or nothing is left to train on.
        Stopped: If a signal stopped training; the same command goes on.
        DualtuneError: If the loss is not finite or a checkpoint cannot be written.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInput(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but training runs in one process. Start "
            "it without torchrun or accelerate launch."
        )
    import torch
    from transformers import PrinterCallback, set_seed

    from dualtune.lm.trainer import DualTrainer, Evidence, StopOnSignal
    from dualtune.lm.trainlog import TrainLog

    settings = recipe.train
    device = _device(settings.device)
    folder = resolve_model(recipe.model)
    preparer = _preparer(recipe, folder, device)
    preflight = check_labels(preparer, train)
    set_seed(recipe.seed)
    attention = _attention(recipe, folder, device)
    model = load_model(folder, attention=attention).to(device)
    if settings.trie:
        _verify(model, preparer, train)
    steps = Steps(train, preparer, per_step=settings.problems_per_step, epochs=settings.epochs)
    held = _validation_steps(preparer, validation, settings.problems_per_step)
    checkpoints = run / "checkpoints"
    resume = newest_checkpoint(checkpoints, fingerprint=fingerprint)
    done = int(resume.name.partition("-")[2]) if resume else 0
    if resume:
        log.info("resuming from %s of %d steps", resume.name, len(steps))
    train_log = TrainLog(run / "train.jsonl", resumed_step=done)
    bf16 = uses_bf16(settings.precision, device)
    arguments = _arguments(recipe, checkpoints, steps=len(steps), bf16=bf16, device=device)
    trainer = DualTrainer(
        steps=steps,
        validation=held,
        train_log=train_log,
        model=model,
        processing_class=preparer.encoder.tokenizer,
        args=arguments,
    )
    evidence, stop = Evidence(settings.logging_steps), StopOnSignal()
    evidence.trainer = trainer
    trainer.remove_callback(PrinterCallback)  # prints to stdout what train.jsonl holds
    for callback in (evidence, stop):
        trainer.add_callback(callback)
    with stop.watching(), tokenizers_in_workers():
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if trainer.state.global_step < len(steps):
        raise Stopped(
            f"stopped at step {trainer.state.global_step} of {len(steps)}; the checkpoint is "
            f"saved in {checkpoints}. Give the same command again to go on."
        )
    out = run / "model"
    _save_model(model, preparer.encoder, out)
    summary = {
        **train_log.summary(),
        "epochs": settings.epochs,
        "problems": len(train),
        "precision": "bf16" if bf16 else "fp32",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "trie": settings.trie,
        "attention": attention,
        "lengths": preflight,
    }
    (run / "train.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return out


def _arguments(recipe: Recipe, output: Path, *, steps: int, bf16: bool, device: str) -> Any:
    from transformers import TrainingArguments

    settings = recipe.train
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
        bf16=bf16,
        use_cpu=device == "cpu",
        logging_strategy="no",
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=settings.keep_checkpoints,
        dataloader_num_workers=settings.workers,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
    )
    if arguments.n_gpu > 1:
        # Else the Trainer wraps the model in DataParallel, which would scatter the rows of a pack
        # and leave its predictions behind.
        log.warning("%d GPUs are visible; training uses the first one", arguments.n_gpu)
        arguments._n_gpu = 1
    return arguments


def check_labels(preparer: Preparer, problems: Sequence[Problem]) -> dict[str, list[int]]:
    """Encode epoch 0 of the Problems (a sample of them, where they are many) before training.

    Args:
        preparer: Encodes them.
        problems: What will be trained on.

    Returns:
        Tokens of each instance, by task.

    Raises:
        BadInput: If no instance is left, with what was dropped by cause.
    """
    dropped: Counter[str] = Counter()
    lengths: dict[str, list[int]] = {name: [] for name in TASK_NAMES}
    stride = max(1, len(problems) // PREFLIGHT)
    sample = problems[::stride]
    for problem in track(sample, "check labels", total=len(sample)):
        for group in preparer.groups(problem, 0, dropped):
            for instance, labelled in group:
                lengths[instance.task].append(len(labelled.ids))
    kept = {name: len(found) for name, found in lengths.items() if found}
    causes = ", ".join(f"{cause}: {count}" for cause, count in sorted(dropped.items())) or "none"
    if not kept:
        raise BadInput(
            f"no instance is left to train on (dropped by cause: {causes}; train.max_length is "
            f"{preparer.max_length} tokens). Raise train.max_length or look at the data with "
            "dualtune preview."
        )
    log.info("instances of %d Problems: %s; dropped: %s", len(sample), kept, causes)
    lost = sum(dropped.values())
    if lost > MANY_DROPPED * (lost + sum(kept.values())):
        log.warning(
            "%d of %d instances are left out (%s); train.max_length is %d tokens",
            lost,
            lost + sum(kept.values()),
            causes,
            preparer.max_length,
        )
    for task in _asked_for(preparer.tasks):
        if task not in kept and dropped:
            raise BadInput(
                f"no {task} instance is left to train on (dropped by cause: {causes}; "
                f"train.max_length is {preparer.max_length} tokens). Raise train.max_length, or "
                f"turn the task off."
            )
    return lengths


def _asked_for(tasks: Tasks) -> list[str]:
    wanted = {"solve": tasks.solve, "irsp": tasks.irsp.per_problem, "ir": tasks.ir.per_problem}
    weights = tasks.weights.model_dump()
    return [name for name in TASK_NAMES if wanted[name] and weights[name]]


def newest_checkpoint(folder: Path, *, fingerprint: str) -> Path | None:
    """Find the checkpoint to go on from.

    Checkpoints of another fingerprint are removed, and so are those that a kill left unfinished:
    the Trainer writes trainer_state.json last.

    Args:
        folder: The run's ``checkpoints``.
        fingerprint: What they have to belong to.

    Returns:
        The newest whole checkpoint, or None.
    """
    mark = folder / "fingerprint"
    if folder.exists() and (not mark.exists() or mark.read_text() != fingerprint):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(fingerprint)
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.partition("-")[2]))
    whole = None
    for path in found:
        try:
            json.loads((path / "trainer_state.json").read_text())
        except (OSError, json.JSONDecodeError):
            log.warning("removing %s: it was not written to its end", path.name)
            shutil.rmtree(path)
            continue
        whole = path
    return whole


def uses_bf16(setting: str, device: str) -> bool:
    """Say whether to train under bf16 autocast over fp32 weights.

    Args:
        setting: The recipe's ``train.precision``.
        device: ``cpu`` or ``cuda``.

    Returns:
        True where asked for, or where ``auto`` finds hardware that multiplies bf16.
    """
    if setting != "auto":
        return setting == "bf16"
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return any("amx" in flag or "avx512_bf16" in flag for flag in _cpu_flags())


def _cpu_flags() -> set[str]:
    # torch names the widest vector set, not whether it multiplies bf16.
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


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


def _device(setting: str) -> str:
    import torch

    if setting == "cuda" and not torch.cuda.is_available():
        raise BadInput("train.device is cuda, but torch finds no GPU. Set train.device: cpu.")
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def _attention(recipe: Recipe, folder: Path | str, device: str) -> Any:
    config = _config(folder)
    if recipe.train.trie:
        cause = why_not_packable(config)
        if cause:
            raise BadInput(
                f"{config.model_type} {cause}, so trie packing would not be exact. Set "
                "train.trie: false to train it on plain batches."
            )
    return choose_attention(config, recipe.model.attention, device)


def _config(folder: Path | str) -> Any:
    from transformers import AutoConfig

    from dualtune.lm.models import load_failure

    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise BadInput(load_failure("configuration", folder, error)) from error


def _preparer(recipe: Recipe, folder: Path | str, device: str) -> Preparer:
    config = _config(folder).get_text_config()
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
            tokens_per_row=None if attention == "trie" else DENSE_ROW,
            trie=recipe.train.trie,
        ),
    )


def _verify(model: Any, preparer: Preparer, problems: Sequence[Problem]) -> None:
    """Prove on the real model that packing is exact, with instances that do share prefixes."""
    groups: list[list[Labelled]] = []
    branching = 0
    for problem in problems[:VERIFY_AMONG]:
        found = [[one for _, one in g] for g in preparer.groups(problem, 0, Counter())]
        groups.extend(found)
        branching += sum(len(group) > 1 for group in found)
        # Solve alone never branches within a Problem; its system prompt is shared between two.
        if len(groups) >= 2 and branching >= min(2, len(groups) - 1):
            break
    if groups:
        verify_packing(model, groups)


def _validation_steps(preparer: Preparer, problems: Sequence[Problem], per_step: int) -> list[Step]:
    chunks = [problems[i : i + per_step] for i in range(0, len(problems), per_step)]
    return [preparer.step(chunk, 0) for chunk in chunks]


def _save_model(model: Any, encoder: Encoder, out: Path) -> None:
    from safetensors import SafetensorError

    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    # Packing's kernel is ours: others load the model with their own default.
    model.config._attn_implementation = "sdpa"
    _let_stop(model, encoder.stop_id)
    try:
        model.save_pretrained(work)
        encoder.tokenizer.save_pretrained(work)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(work, ignore_errors=True)
        raise DualtuneError(
            f"cannot write the model to {out}: {error}. Free some disk space and give the same "
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
