"""What packing saves and costs: tokens a Problem, packing's own speed, seconds a step by layout.

Prints the tokens of a Problem, in all and distinct, for several numbers of masks and both forms of
IRSP; how many instances a second one core packs, alone and with deriving and encoding them; then
the time of forward and backward of one optimiser step under each attention kernel and layout, in
turn, the best of ``--repeats``. The last line is JSON. Give ``--repeats 0`` to leave the last out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from common import add_data_and_model, forward_backward
from dualtune.processes import set_thread_waiting

LAYOUTS: tuple[tuple[str, int, int | None], ...] = (
    ("trie", 4096, None),
    ("trie", 2048, None),
    ("sdpa", 4096, 512),
    ("sdpa", 4096, 1024),
)


def main() -> None:
    """Count and time."""
    set_thread_waiting(os.environ)
    from dualtune.lm.encode import Encoder
    from dualtune.lm.models import load_model, load_tokenizer, resolve_model
    from dualtune.recipe import Model, Source
    from dualtune.sources.readers import load_problems

    options = _options()
    folder = resolve_model(Model(id=options.model))
    encoder = Encoder(load_tokenizer(folder))
    problems = load_problems(Source(path=options.data, limit=options.problems))
    tokens = {}
    for masks, form in ((0, "plain"), *((m, f) for m in (1, 3) for f in ("plain", "conversation"))):
        steps = [
            _preparer(encoder, masks, 4096, None, form).step(problems[i : i + 16], 0)
            for i in range(0, len(problems), 16)
        ]
        total = sum(s.tokens_total for s in steps) / len(problems)
        distinct = sum(s.tokens_distinct for s in steps) / len(problems)
        name = f"({masks},{masks}) {form}"
        tokens[name] = [round(total), round(distinct)]
        print(f"{name}: {total:.0f} tokens a Problem, {distinct:.0f} distinct")
    speed = _packing(_preparer(encoder, 3, 4096, None), problems)
    print(
        f"packing: {speed['alone']:,} instances a second and core, with deriving and encoding "
        f"{speed['all']:,}"
    )
    seconds: dict[str, float] = {}
    if options.repeats:
        model = load_model(folder, attention="trie")
        for kernel, pack, row in LAYOUTS:
            step = _preparer(encoder, 3, pack, row).step(problems[: options.step_problems], 0)
            best = min(_seconds(model, kernel, step) for _ in range(options.repeats))
            name = f"{kernel} pack {pack} row {row or pack}"
            seconds[name] = round(best, 2)
            print(f"{name}: {best:.1f} s for {step.tokens_distinct:,} tokens", flush=True)
    print(json.dumps({"tokens": tokens, "packing": speed, "seconds": seconds}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_and_model(parser)
    parser.add_argument("--problems", type=int, default=128, help="Problems counted")
    parser.add_argument("--step-problems", type=int, default=4, help="Problems of the timed step")
    parser.add_argument("--repeats", type=int, default=2, help="0 times nothing")
    return parser.parse_args()


def _packing(preparer: Any, problems: Any) -> dict[str, int]:
    """Return instances packed in a second of processor time, alone and with all before it."""
    from collections import Counter

    from dualtune.lm.packing import trie_packs

    started = time.process_time()
    groups = [
        [one for _, one in group]
        for problem in problems
        for group in preparer.groups(problem, 0, Counter())
    ]
    encoded = time.process_time()
    for first in range(0, len(groups), 16):
        trie_packs(groups[first : first + 16], tokens_per_pack=4096)
    packed = time.process_time()
    instances = sum(map(len, groups))
    return {
        "alone": round(instances / (packed - encoded)),
        "all": round(instances / (packed - started)),
    }


def _preparer(encoder: Any, masks: int, pack: int, row: int | None, form: Any = "plain") -> Any:
    from dualtune.lm.steps import Layout, Preparer
    from dualtune.recipe import Ir, Irsp, Tasks

    return Preparer(
        encoder=encoder,
        tasks=Tasks(irsp=Irsp(per_problem=masks, form=form), ir=Ir(per_problem=masks)),
        seed=0,
        system=None,
        max_length=1024,
        layout=Layout(tokens_per_pack=pack, tokens_per_row=row),
    )


def _seconds(model: Any, kernel: str, step: Any) -> float:
    model.set_attn_implementation(kernel)
    return forward_backward(model, step.packs)


if __name__ == "__main__":
    main()
