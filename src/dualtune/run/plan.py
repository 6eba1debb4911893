"""What a recipe's training will cost, on the terminal, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from dualtune.recipe import Recipe


def plan_recipe(recipe: Recipe, *, devices: int = 1, config: Path | None = None) -> None:
    """Print tokens, steps, FLOPs, memory, and hours on named hardware.

    Args:
        recipe: The recipe; its data is read and a sample of its steps is packed.
        devices: How many devices share the work.
        config: ``config.json`` of the model, or a folder that holds it, where the model itself is
            out of reach. Tokens are then counted with the packaged model's tokenizer and chat
            template.

    Raises:
        BadInput: If the data or the model's configuration cannot be read.
    """
    from rich.console import Console
    from rich.table import Table

    from dualtune.build.split import split_problems
    from dualtune.lm import plan
    from dualtune.lm.mixing import with_mix
    from dualtune.lm.models import SMOLLM2, resolve_model
    from dualtune.lm.steps import Steps
    from dualtune.lm.train import model_config, steps_preparer
    from dualtune.sources.readers import load_problems

    counted_with = recipe.model
    if config is not None:
        counted_with = counted_with.model_copy(update={"id": SMOLLM2})
    folder = resolve_model(counted_with)
    problems, _ = split_problems(
        load_problems(recipe.data.train), recipe.data.validation, seed=recipe.seed
    )
    settings = recipe.train
    device = "cpu" if settings.device == "auto" else settings.device
    steps = Steps(
        problems,
        with_mix(steps_preparer(recipe, folder, device), problems),
        per_step=settings.problems_per_step,
        epochs=settings.epochs,
    )
    counted = plan.count_tokens(steps, devices=devices)
    shape = plan.model_shape(model_config(folder if config is None else config))
    flops = plan.training_flops(shape, counted, recipe)
    needed = plan.memory(shape, counted, recipe, devices=devices)

    table = Table(title="plan")
    table.add_column("what")
    table.add_column("value", justify="right")
    shared = 1 - counted.distinct / max(counted.total, 1)
    for name, value in (
        ("parameters", f"{shape.parameters:,}"),
        ("Problems", f"{len(problems):,}"),
        ("instances", f"{counted.instances:,}"),
        ("optimiser steps", f"{counted.steps:,}"),
        ("tokens of all instances", f"{counted.total:,}"),
        ("tokens computed", f"{counted.distinct:,} ({shared:.0%} shared)"),
        ("label tokens", f"{counted.labels:,}"),
        ("largest pack", f"{counted.widest:,} tokens"),
        ("FLOPs", f"{flops:.3g}"),
        ("memory: weights", _gib(needed.weights)),
        ("memory: gradients, optimiser", _gib(needed.optimiser)),
        ("memory: activations", _gib(needed.activations)),
        ("memory: logits", _gib(needed.logits)),
        ("memory: process", _gib(plan.OVERHEAD)),
        ("memory in all", _gib(needed.total)),
    ):
        table.add_row(name, value)
    console = Console()
    console.print(table)

    times = Table(title=f"time at {plan.UTILISATION:.0%} of the peak of matrix products (assumed)")
    times.add_column("hardware")
    times.add_column("time", justify="right")
    times.add_column("memory")
    for hardware in (*([plan.this_machine()] if devices == 1 else []), *plan.HARDWARE):
        room = f"{_gib(hardware.memory)}: " + (
            "fits" if needed.total <= hardware.memory else "too small"
        )
        took = plan.hours(flops, hardware, devices=devices, balance=counted.balance)
        name = hardware.name if devices == 1 else f"{devices} x {hardware.name}"
        times.add_row(name, _time(took), room)
    console.print(times)
    if devices > 1:
        console.print(
            f"memory is that of one of {devices} devices, tuned with train.parallel "
            f"{settings.parallel}; the largest share of a step is {1 / counted.balance:.2f} times "
            "the mean; messages between devices are not counted",
            soft_wrap=True,
        )
    if config is not None:
        console.print(
            f"tokens are counted with the tokenizer and chat template of {SMOLLM2}: those of the "
            "model may differ by some percent",
            soft_wrap=True,
        )
    if counted.steps > plan.SAMPLE:
        console.print(f"counted on {plan.SAMPLE} of the {counted.steps:,} steps and scaled up")


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    if hours >= 1 / 60:
        return f"{60 * hours:.1f} min"
    return f"{3600 * hours:.0f} s" if hours >= 1 / 3600 else "under 1 s"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
