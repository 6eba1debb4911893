"""Does the cost of a token grow? Time per distinct token by data size and by row length.

Two tables. First, the same optimiser steps of a run over more and more Problems (the data's own,
repeated under new ids): drawing, encoding, packing and computing, with the order of the epoch.
Second, packs of the same number of tokens in rows of one sequence each, from 128 to 2,048 tokens,
beside what the FLOPs of longer attention demand. Best of ``--repeats``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from typing import Any

from common import add_data_and_model, forward_backward
from dualtune.processes import set_thread_waiting

LENGTHS = (128, 256, 512, 1024, 2048)


def main() -> None:
    """Time both."""
    set_thread_waiting(os.environ)
    from dualtune.lm.models import load_model, resolve_model
    from dualtune.lm.train import steps_preparer
    from dualtune.recipe import parse_recipe
    from dualtune.sources.readers import load_problems

    options = _options()
    recipe = parse_recipe(
        {
            "data": {"train": {"path": options.data}},
            "tasks": {"irsp": {"per_problem": 3}, "ir": {"per_problem": 3}},
            "model": {"id": options.model},
            "run": "unused",
        }
    )
    folder = resolve_model(recipe.model)
    preparer = steps_preparer(recipe, folder, "cpu")
    problems = load_problems(recipe.data.train)
    model = load_model(folder, attention="trie")
    by_size = {size: _of_size(model, preparer, problems, size, options) for size in options.sizes}
    by_length = {length: _of_length(model, length, options) for length in LENGTHS}
    print(json.dumps({"ms_per_token_by_problems": by_size, "by_row_length": by_length}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_and_model(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--problems-per-step", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2, help="optimiser steps timed of each size")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens of a pack of rows")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def _of_size(
    model: Any, preparer: Any, problems: Any, size: int, options: argparse.Namespace
) -> dict[str, float]:
    from dualtune.lm.steps import Steps

    many = [
        replace(problems[i % len(problems)], id=f"{problems[i % len(problems)].id}+{i}")
        for i in range(size)
    ]
    started = time.perf_counter()
    steps = Steps(many, preparer, per_step=options.problems_per_step, epochs=1)
    steps.problems_of(0)
    order = time.perf_counter() - started
    preparing = computing = tokens = 0.0
    for number in range(options.steps):
        started = time.perf_counter()
        step = steps[number]
        preparing += time.perf_counter() - started
        computing += min(forward_backward(model, step.packs) for _ in range(options.repeats))
        tokens += step.tokens_distinct
    found = {
        "order_seconds": round(order, 3),
        "prepare": round(1000 * preparing / tokens, 3),
        "compute": round(1000 * computing / tokens, 3),
    }
    print(
        f"{size:,} Problems: {found['compute']:.2f} ms a distinct token to compute, "
        f"{found['prepare']:.2f} ms to prepare; the order of an epoch {order:.2f} s",
        flush=True,
    )
    return found


def _of_length(model: Any, length: int, options: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    from dualtune.lm.packing import trie_packs
    from dualtune.lm.plan import model_shape, useful_flops
    from dualtune.lm.trie import Labelled

    draw = np.random.default_rng(length)
    rows = [
        # Sequences that share no prefix; a quarter of each is predicted, as on real data.
        Labelled(
            ids=draw.integers(100, 40_000, length).astype(np.int32), label_start=3 * length // 4
        )
        for _ in range(max(1, options.tokens // length))
    ]
    packs = trie_packs([[row] for row in rows], tokens_per_pack=options.tokens)
    seconds = min(forward_backward(model, packs) for _ in range(options.repeats))
    tokens = sum(len(row.ids) for row in rows)
    shape = model_shape(model.config)
    flops = useful_flops(
        shape,
        tokens=tokens,
        predictions=tokens // 4,
        pairs=len(rows) * length * (length + 1) // 2,
    )
    found = {"ms_per_token": 1000 * seconds / tokens, "gflops_per_token": flops / tokens / 1e9}
    print(
        f"rows of {length:,}: {found['ms_per_token']:.2f} ms a token, "
        f"{found['gflops_per_token']:.3f} GFLOP a token, {flops / seconds / 1e9:.0f} GFLOP/s",
        flush=True,
    )
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
