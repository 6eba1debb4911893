"""Do both learn the same? dualtune's loss, step by step, against TRL's SFTTrainer.

Both train the same model on the same instances in the same optimiser steps, with the same
schedule: dualtune packed as tries, TRL one by one in padded rows. The losses may differ by the
rounding of bf16 alone. Prints both curves; the last line is JSON:

    largest_difference   the largest relative difference at a step
    ours, trl            the losses (nats a label token)
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from common import add_data_and_model, labelled_rows

PER_PROBLEM = 7  # solve, three IRSP, three IR: TRL wants the same number of rows in each step


def main() -> None:
    """Train both and print the curves."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options = _options()
    recipe, steps = _steps(options)
    ours = _ours(recipe, steps)
    trl = _trl(recipe, steps, device=options.device, bf16=options.precision == "bf16")
    differences = [abs(a - b) / b for a, b in zip(ours, trl, strict=True)]
    for step, (a, b, apart) in enumerate(zip(ours, trl, differences, strict=True), start=1):
        print(f"step {step}: dualtune {a:.4f}, TRL {b:.4f}, {100 * apart:.2f} % apart")
    print(json.dumps({"largest_difference": max(differences), "ours": ours, "trl": trl}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_and_model(parser)
    parser.add_argument("--steps", type=int, default=8, help="optimiser steps")
    parser.add_argument("--problems-per-step", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    return parser.parse_args()


def _steps(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the recipe and its steps, of Problems that all have the same number of instances."""
    from collections import Counter

    from dualtune.lm.models import resolve_model
    from dualtune.lm.steps import Steps
    from dualtune.lm.train import steps_preparer
    from dualtune.recipe import parse_recipe
    from dualtune.sources.readers import load_problems

    recipe = parse_recipe(
        {
            "data": {"train": {"path": options.data}},
            "tasks": {"irsp": {"per_problem": 3}, "ir": {"per_problem": 3}},
            "model": {"id": options.model},
            "train": {
                "epochs": 1,
                "problems_per_step": options.problems_per_step,
                "learning_rate": options.learning_rate,
                "precision": options.precision,
                "device": options.device,
                "logging_steps": 1,
                "save_steps": 10_000,
            },
            "run": "unused",
        }
    )
    preparer = steps_preparer(recipe, resolve_model(recipe.model), options.device)
    wanted = options.steps * options.problems_per_step
    problems = []
    for problem in load_problems(recipe.data.train):
        groups = preparer.groups(problem, 0, Counter())
        if sum(map(len, groups)) == PER_PROBLEM:
            problems.append(problem)
        if len(problems) == wanted:
            break
    return recipe, Steps(problems, preparer, per_step=options.problems_per_step, epochs=1)


def _ours(recipe: Any, steps: Any) -> list[float]:
    from dualtune.lm.train import tune

    with tempfile.TemporaryDirectory() as run:
        tune(recipe, Path(run), train=steps.problems)
        lines = (Path(run) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


def _trl(recipe: Any, steps: Any, *, device: str, bf16: bool) -> list[float]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from dualtune.lm.models import load_model, load_tokenizer, resolve_model

    folder = resolve_model(recipe.model)
    train = recipe.train
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out,
            max_steps=len(steps),
            per_device_train_batch_size=PER_PROBLEM,
            gradient_accumulation_steps=train.problems_per_step,
            gradient_checkpointing=False,
            train_sampling_strategy="sequential",
            learning_rate=train.learning_rate,
            lr_scheduler_type=train.schedule,
            warmup_steps=round(train.warmup * len(steps)),
            weight_decay=train.weight_decay,
            max_grad_norm=train.max_grad_norm,
            optim="adamw_torch_fused",
            bf16=bf16,
            use_cpu=device == "cpu",
            max_length=None,
            save_strategy="no",
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=load_model(folder, attention="sdpa").to(device),
            args=config,
            train_dataset=Dataset.from_list(_rows(steps)),
            processing_class=load_tokenizer(folder),
        )
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _rows(steps: Any) -> list[dict[str, list[int]]]:
    """Return the instances of all steps in their order."""
    problems = [problem for number in range(len(steps)) for problem in steps.problems_of(number)]
    return labelled_rows(steps.preparer, problems)


if __name__ == "__main__":
    main()
