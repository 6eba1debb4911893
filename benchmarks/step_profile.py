"""Where the time of a training step goes: kinds of work, and the distance to the machine's peak.

Runs optimiser steps of one size, forward, backward, clipping and AdamW, times the best of them,
and profiles one more. The last line is JSON: seconds of the best step, its share of the measured
peak of matrix products (useful FLOPs alone), and the share of each kind of work.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from typing import Any

from common import add_data_and_model
from dualtune.processes import set_thread_waiting

# Kinds of work by the operators that do it; what is in no list is "other".
KINDS = {
    "matrix products": {"mm", "addmm"},
    "attention products": {"bmm"},
    "copies and casts": {"copy_", "clone", "_to_copy", "contiguous", "cat", "fill_", "zero_"},
    "gathers and scatters": {
        "index_select", "index_add_", "scatter_add_", "index_fill_", "index", "index_put_",
        "embedding", "embedding_dense_backward", "gather", "index_copy_",
    },
    "elementwise and sums": {
        "mul", "mul_", "add", "add_", "sub", "sub_", "neg", "div", "div_", "pow", "exp_", "exp",
        "rsqrt", "silu", "silu_backward", "sum", "mean", "amax", "log", "_softmax", "masked_fill_",
        "_log_softmax", "_log_softmax_backward_data", "logsumexp", "sigmoid", "square_", "clamp",
    },
    "optimiser and clipping": {"_fused_adamw_", "linalg_vector_norm", "_foreach_mul_"},
}  # fmt: skip
WHOLE = {"attention": "_BlockAttention", "head and cross-entropy": "_HeadCrossEntropy"}


def main() -> None:
    """Time and profile."""
    set_thread_waiting(os.environ)
    import torch
    from torch.profiler import ProfilerActivity, profile

    from dualtune.lm.hardware import measured_peak
    from dualtune.lm.models import load_model, resolve_model
    from dualtune.lm.plan import model_shape, useful_flops
    from dualtune.lm.steps import Steps
    from dualtune.lm.train import steps_preparer
    from dualtune.recipe import parse_recipe
    from dualtune.sources.readers import load_problems

    options = _options()
    recipe = parse_recipe(
        {
            "data": {"train": {"path": options.data, "limit": options.problems}},
            "tasks": {"irsp": {"per_problem": 3}, "ir": {"per_problem": 3}},
            "model": {"id": options.model},
            "run": "unused",
        }
    )
    folder = resolve_model(recipe.model)
    preparer = steps_preparer(recipe, folder, "cpu")
    step = Steps(load_problems(recipe.data.train), preparer, per_step=options.problems, epochs=1)[0]
    model = load_model(folder, attention="trie").train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    seconds = min(_seconds(model, optimiser, step) for _ in range(options.repeats))
    peak = measured_peak("cpu", "bf16")
    flops = useful_flops(
        model_shape(model.config),
        tokens=step.tokens_distinct,
        predictions=step.predictions,
        pairs=step.pairs,
    )
    print(
        f"{sum(step.instances.values())} instances, {step.tokens_distinct:,} distinct tokens: "
        f"{seconds:.2f} s, {flops / seconds / 1e9:.0f} GFLOP/s of {peak / 1e9:.0f} "
        f"({flops / seconds / peak:.0%})"
    )
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        _seconds(model, optimiser, step)
    shares = _shares(profiled.key_averages())
    for kind, share in shares.items():
        print(f"  {kind}: {share:.1%}")
    print(json.dumps({"seconds": seconds, "peak_share": flops / seconds / peak, "profile": shares}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_and_model(parser)
    parser.add_argument("--problems", type=int, default=4, help="Problems of the step")
    parser.add_argument("--repeats", type=int, default=4)
    return parser.parse_args()


def _seconds(model: Any, optimiser: Any, step: Any) -> float:
    import torch

    from dualtune.lm.loss import pack_loss

    started = time.perf_counter()
    for pack in step.packs:
        with torch.autocast("cpu", torch.bfloat16):
            loss = pack_loss(model, pack, tasks=3).weighted / step.weight
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return time.perf_counter() - started


def _shares(events: Any) -> dict[str, float]:
    """Return the share of processor time by kind of work, and of two parts with all in them."""
    total = sum(event.self_cpu_time_total for event in events)
    spent: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for event in events:
        name = event.key.removeprefix("aten::")
        kind = next((kind for kind, names in KINDS.items() if name in names), "other")
        spent[kind] += event.self_cpu_time_total
        for part, function in WHOLE.items():
            if event.key in (function, function + "Backward"):
                whole[f"of all, {part}"] += event.cpu_time_total
    return {kind: time / total for kind, time in [*spent.most_common(), *whole.most_common()]}


if __name__ == "__main__":
    main()
