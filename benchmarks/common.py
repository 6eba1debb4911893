"""What the benchmarks of training share: their data, the instances as rows, a timed pass."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any


def add_data_and_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, GSM8K train where DUALTUNE_DATA names the data, and ``--model``."""
    data = os.environ.get("DUALTUNE_DATA")
    default = f"{data}/train/gsm8k.jsonl" if data else "builtin:sample"
    parser.add_argument("--data", default=default, help="GSM8K train file (default %(default)s)")
    parser.add_argument("--model", default="smollm2-135m")


def labelled_rows(preparer: Any, problems: Iterable[Any]) -> list[dict[str, list[int]]]:
    """Return the instances of Problems in their order, as input ids and labels for a trainer."""
    rows = []
    for problem in problems:
        for group in preparer.groups(problem, 0, Counter()):
            for _, labelled in group:
                ids, start = labelled.ids.tolist(), labelled.label_start
                rows.append({"input_ids": ids, "labels": [-100] * start + ids[start:]})
    return rows


def forward_backward(model: Any, packs: Iterable[Any]) -> float:
    """Return the seconds of a forward and backward pass over packs, in bf16 autocast on the CPU."""
    import torch

    from dualtune.lm.loss import pack_loss

    model.zero_grad()
    started = time.perf_counter()
    for pack in packs:
        with torch.autocast("cpu", torch.bfloat16):
            loss = pack_loss(model, pack, tasks=3).weighted
        loss.backward()
    return time.perf_counter() - started
