"""Training speed side by side: dualtune against TRL's SFTTrainer on the same instances.

All sides train the same model on the same tokens with the same precision for the same number of
optimiser steps, each in a process of its own, one after the other in one run, so that the ratios
hold where the machine's speed drifts. TRL runs at its best: gradient checkpointing off, rows of
similar length together, tokens prepared beforehand, threads that wait as it comes. The last line
is JSON:

    ours, ours_unpacked, trl_padded, trl_packed   instances a second, optimiser steps included
    ratio                                         ours over the better TRL
    steady_ratio                                  the same without each side's first step, which
                                                  makes the optimiser's moments and first kernels
    sharing                                       ours over ours with trie packing off
    epoch_ratio                                   seconds of our epoch over the better TRL's
                                                  epoch of the solve instances alone
    peak_share                                    useful FLOPs a second of ours over the measured
                                                  peak of matrix products

Run it with ``make bench-train``, or on a GPU with ``--device cuda``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import add_data_and_model, labelled_rows
from dualtune.processes import set_thread_waiting

SIDES = (
    "ours",
    "trl_padded",
    "trl_packed",
    "ours_unpacked",
    "trl_solve_padded",
    "trl_solve_packed",
)


def main() -> None:
    """Measure every side in a process of its own and print the figures."""
    options = _options()
    if options.side:
        print(json.dumps(_SIDES[options.side](options)))
        return
    figures: dict[str, Any] = {}
    for repeat in range(options.repeats):
        for side in options.sides.split(","):
            found = _in_own_process(side)
            print(
                f"{side:>14}: {found['instances_per_second']:.3f} instances/s, "
                f"{found['instances']} instances in {found['seconds']:.1f} s, "
                f"{found['steps']} optimiser steps, peak {found['peak_mib']:,} MiB"
                + (f" (run {repeat + 1})" if options.repeats > 1 else ""),
                flush=True,
            )
            figures.setdefault(side, []).append(found)
    print(json.dumps(_summary(figures, options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_and_model(parser)
    parser.add_argument("--problems", type=int, default=16, help="Problems trained on")
    parser.add_argument("--problems-per-step", type=int, default=8)
    parser.add_argument("--irsp", type=int, default=3, help="IRSP instances a Problem")
    parser.add_argument("--ir", type=int, default=3, help="IR instances a Problem")
    parser.add_argument(
        "--form", default="plain", choices=("plain", "conversation"), help="of IRSP"
    )
    parser.add_argument("--tokens-per-pack", type=int, default=4096, help="of ours")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, default=8, help="rows a micro-batch of TRL padded")
    parser.add_argument("--pack", type=int, default=1024, help="tokens a row of TRL packed")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_own_process(side: str) -> dict[str, Any]:
    environment = dict(os.environ)
    if side.startswith("ours"):
        set_thread_waiting(environment)  # what the command line does
    done = subprocess.run(
        [sys.executable, *sys.argv, "--side", side],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _summary(
    figures: dict[str, list[dict[str, Any]]], options: argparse.Namespace
) -> dict[str, Any]:
    best = {
        side: max(found["instances_per_second"] for found in runs) for side, runs in figures.items()
    }
    seconds = {side: min(found["seconds"] for found in runs) for side, runs in figures.items()}
    result: dict[str, Any] = {side: round(best[side], 4) for side in best}
    trl = max((best[s] for s in ("trl_padded", "trl_packed") if s in best), default=None)
    if "ours" in best and trl:
        result["ratio"] = round(best["ours"] / trl, 3)
    steady = {side: max(found["steady"] for found in runs) for side, runs in figures.items()}
    trl = max((steady[s] for s in ("trl_padded", "trl_packed") if s in steady), default=None)
    if "ours" in steady and trl:
        result["steady"] = {side: round(value, 4) for side, value in steady.items()}
        result["steady_ratio"] = round(steady["ours"] / trl, 3)
    if "ours" in best and "ours_unpacked" in best:
        result["sharing"] = round(best["ours"] / best["ours_unpacked"], 3)
    solve = min((seconds[s] for s in seconds if s.startswith("trl_solve")), default=None)
    if "ours" in seconds and solve:
        result["epoch_ratio"] = round(seconds["ours"] / solve, 3)
    if "ours" in figures:
        result["peak_share"] = round(max(found["peak_share"] for found in figures["ours"]), 3)
    result["peak_mib"] = {s: max(f["peak_mib"] for f in runs) for s, runs in figures.items()}
    result["masks"], result["form"] = [options.irsp, options.ir], options.form
    result["tokens_per_pack"] = options.tokens_per_pack
    result["instances"] = {side: runs[0]["instances"] for side, runs in figures.items()}
    result["precision"], result["device"] = options.precision, options.device
    return result


def _recipe(options: argparse.Namespace, run: str, *, trie: bool = True) -> Any:
    from dualtune.recipe import parse_recipe

    return parse_recipe(
        {
            "data": {"train": {"path": options.data, "limit": options.problems}},
            "tasks": {
                "irsp": {"per_problem": options.irsp, "form": options.form},
                "ir": {"per_problem": options.ir},
            },
            "model": {"id": options.model},
            "train": {
                "epochs": 1,
                "problems_per_step": options.problems_per_step,
                "tokens_per_pack": options.tokens_per_pack,
                "precision": options.precision,
                "device": options.device,
                "trie": trie,
                "save_steps": 10_000,
                "logging_steps": 1,
            },
            "run": run,
        }
    )


def _ours(options: argparse.Namespace, *, trie: bool = True) -> dict[str, Any]:
    from dualtune.lm.train import tune
    from dualtune.sources.readers import load_problems

    with tempfile.TemporaryDirectory() as run:
        recipe = _recipe(options, run, trie=trie)
        tune(recipe, Path(run), train=load_problems(recipe.data.train))
        told = json.loads((Path(run) / "train.json").read_text())
        lines = (Path(run) / "train.jsonl").read_text(encoding="utf-8").splitlines()
    first = next(line for line in map(json.loads, lines) if "loss" in line)
    figures = _figures(
        sum(told["instances"].values()),
        told["seconds"],
        told["steps"],
        first=(sum(task["instances"] for task in first["tasks"].values()), first["seconds"]),
    )
    return {**figures, "peak_share": told["peak_share"]}


def _trl(options: argparse.Namespace, *, packed: bool, solve: bool = False) -> dict[str, Any]:
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer, pack_dataset

    from dualtune.lm.models import load_model, load_tokenizer, resolve_model

    if solve:
        options = argparse.Namespace(**{**vars(options), "irsp": 0, "ir": 0})
    recipe = _recipe(options, "unused")
    folder = resolve_model(recipe.model)
    rows = _encoded(options, recipe, folder)
    steps = -(-options.problems // options.problems_per_step)
    batch = 1 if packed else options.batch
    if packed:
        # As many rows as the trainer's own packing makes, so that every instance is trained on.
        micro_batches = len(pack_dataset(Dataset.from_list(rows), options.pack))
    else:
        micro_batches = -(-len(rows) // batch)
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out,
            max_steps=steps,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=-(-micro_batches // steps),
            gradient_checkpointing=False,
            train_sampling_strategy="random" if packed else "group_by_length",
            learning_rate=recipe.train.learning_rate,
            lr_scheduler_type=recipe.train.schedule,
            warmup_steps=round(recipe.train.warmup * steps),
            optim="adamw_torch_fused",
            bf16=options.precision == "bf16",
            use_cpu=options.device == "cpu",
            packing=packed,
            max_length=options.pack if packed else None,
            save_strategy="no",
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
        )
        model = load_model(folder, attention="sdpa").to(options.device)
        trainer = SFTTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=load_tokenizer(folder),
        )
        ends: list[float] = []

        class Clock(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                ends.append(time.monotonic())

        trainer.add_callback(Clock())
        prepared = len(trainer.train_dataset)
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        taken = trainer.state.global_step * config.gradient_accumulation_steps * batch
        if taken < prepared:
            raise RuntimeError(f"TRL took {taken} of {prepared} rows: the sides do not compare")
    done = trainer.state.global_step
    # Its steps hold the same number of rows, and packed rows about the same number of instances.
    return _figures(len(rows), seconds, done, first=(len(rows) / done, ends[0] - started))


def _encoded(options: argparse.Namespace, recipe: Any, folder: Any) -> list[dict[str, list[int]]]:
    """Return the instances that dualtune trains on, as input ids and labels."""
    from dualtune.lm.train import steps_preparer
    from dualtune.sources.readers import load_problems

    preparer = steps_preparer(recipe, folder, options.device)
    return labelled_rows(preparer, load_problems(recipe.data.train))


def _figures(
    instances: int, seconds: float, steps: int, *, first: tuple[float, float]
) -> dict[str, Any]:
    """Return the figures of a side; ``first`` holds instances and seconds of its first step."""
    later = (instances - first[0]) / (seconds - first[1]) if steps > 1 else instances / seconds
    return {
        "steady": later,
        "instances": instances,
        "seconds": seconds,
        "steps": steps,
        "instances_per_second": instances / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


_SIDES = {
    "ours": _ours,
    "ours_unpacked": lambda options: _ours(options, trie=False),
    "trl_padded": lambda options: _trl(options, packed=False),
    "trl_packed": lambda options: _trl(options, packed=True),
    "trl_solve_padded": lambda options: _trl(options, packed=False, solve=True),
    "trl_solve_packed": lambda options: _trl(options, packed=True, solve=True),
}


if __name__ == "__main__":
    main()
