"""Rows a second of generation: vLLM, lm-evaluation-harness's Hugging Face backend, and ours.

The same rendered prompts of SVAMP, greedy, on the same weights and precision. Each side runs in a
process of its own, in turn, and is timed without loading, after a warm-up of two rows; the best of
``--repeats`` counts. Where texts differ from those of lm-evaluation-harness's Hugging Face backend,
that is said and counted, and so are rows whose grade differs. The last line is JSON.

vLLM may need an environment of its own (docs/evaluation.md): give its Python as ``--vllm-python``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Read when torch is loaded: sleep instead of spin where the cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REFERENCE = "lm_eval_hf"
SIDES = (REFERENCE, "ours_hf", "vllm")
WARM_UP = 2


def main() -> None:
    """Time all sides, or, in a process of its own, one of them."""
    options = _options()
    if options.side:
        _time_side(options)
        return
    best: dict[str, dict[str, Any]] = {}
    for _ in range(options.repeats):
        for side in options.sides:
            found = _in_process(side, options)
            print(f"{side}: {len(found['texts'])} rows in {found['seconds']:.1f} s", flush=True)
            if side not in best or found["seconds"] < best[side]["seconds"]:
                best[side] = found
    speeds = {side: len(found["texts"]) / found["seconds"] for side, found in best.items()}
    texts = {side: found["texts"] for side, found in best.items()}
    result = {
        "rows": options.rows,
        "max_new_tokens": options.max_new_tokens,
        "precision": options.precision,
        "hf_batch_size": options.batch_size,
        "vllm_engine": options.engine,
        "rows_per_second": {side: round(speed, 3) for side, speed in speeds.items()},
        "ratio": round(speeds["vllm"] / speeds[REFERENCE], 2)
        if {"vllm", REFERENCE} <= speeds.keys()
        else None,
        **_differences(texts, options),
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", default="smollm2-135m", help="alias, folder or hub id")
    add("--data-dir", help="folder of the benchmark files; default: $DUALTUNE_DATA")
    add("--rows", type=int, default=200, help="SVAMP rows (default 200)")
    add("--max-new-tokens", type=int, default=160, help="longest output (default 160)")
    add("--precision", choices=["bf16", "fp32"], default="bf16")
    add("--batch-size", type=int, default=32, help="of the Hugging Face sides (default 32)")
    add("--repeats", type=int, default=1, help="runs of each side; the best counts")
    add("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    add("--engine", type=json.loads, default={}, help="further arguments of vLLM's engine, as JSON")
    add("--vllm-python", default=sys.executable, help="Python of the environment that has vLLM")
    add("--side", choices=SIDES, help=argparse.SUPPRESS)
    add("--output", type=Path, help=argparse.SUPPRESS)
    add("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_process(side: str, options: argparse.Namespace) -> dict[str, Any]:
    from dualtune.lm.models import resolve_model
    from dualtune.recipe import Model

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "side.json"
        command = [
            options.vllm_python if side == "vllm" else sys.executable,
            __file__,
            *("--side", side, "--output", str(output)),
            # Found here once: the environment of vLLM need not hold the packaged model.
            *("--folder", str(resolve_model(Model(id=options.model)))),
            *("--rows", str(options.rows), "--max-new-tokens", str(options.max_new_tokens)),
            *("--precision", options.precision, "--batch-size", str(options.batch_size)),
            *("--engine", json.dumps(options.engine)),
            *(("--data-dir", options.data_dir) if options.data_dir else ()),
        ]
        subprocess.run(command, check=True)
        found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return found


def _time_side(options: argparse.Namespace) -> None:
    from dualtune.evaluate.requests import Ask

    settings = _settings(options)
    encoder, requests = _requests(options, settings)
    asks = [Ask(request) for request in requests]
    if options.side == REFERENCE:
        generate = _harness(options, encoder)
    else:
        generate = _ours(options, settings, encoder)
    generate(asks[:WARM_UP])
    began = time.perf_counter()
    texts = generate(asks)
    seconds = time.perf_counter() - began
    options.output.write_text(json.dumps({"seconds": seconds, "texts": texts}), encoding="utf-8")


def _settings(options: argparse.Namespace) -> Any:
    from dualtune.recipe import Eval

    return Eval(
        benchmarks=("svamp",),
        limit=options.rows,
        max_new_tokens=options.max_new_tokens,
        precision=options.precision,
        batch_size="auto" if options.side == "vllm" else options.batch_size,
        data_dir=options.data_dir,
        engine=options.engine,
    )


def _requests(options: argparse.Namespace, settings: Any) -> tuple[Any, Any]:
    from dualtune.evaluate.requests import build_requests
    from dualtune.lm.encode import Encoder
    from dualtune.lm.models import load_tokenizer

    encoder = Encoder(load_tokenizer(options.folder))
    requests = build_requests(
        "svamp", render=encoder.render, settings=settings, stop=encoder.stop_text
    )
    requests.sort(key=lambda r: (-len(encoder.tokenizer.encode(r.prompt)), r.prompt))
    return encoder, requests


def _harness(options: argparse.Namespace, encoder: Any) -> Any:
    """The harness's own way, from its model class to its loop."""
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(
        pretrained=options.folder,
        tokenizer=encoder.tokenizer,
        dtype="bfloat16" if options.precision == "bf16" else "float32",
        device="cuda" if torch.cuda.is_available() else "cpu",
        batch_size=options.batch_size,
        add_bos_token=False,
    )

    def generate(asks: Any) -> list[str]:
        settings = {
            "until": list(asks[0].request.until),
            "max_gen_toks": options.max_new_tokens,
            "do_sample": False,
        }
        given = [
            Instance("generate_until", {}, (ask.request.prompt, dict(settings)), number)
            for number, ask in enumerate(asks)
        ]
        texts: list[str] = model.generate_until(given, disable_tqdm=True)
        return texts

    return generate


def _ours(options: argparse.Namespace, settings: Any, encoder: Any) -> Any:
    given = {
        "settings": settings,
        "bf16": options.precision == "bf16",
        "stop_id": encoder.stop_id,
    }
    backend: Any
    if options.side == "vllm":
        from dualtune.evaluate import vllm

        backend = vllm.Backend(options.folder, encoder.tokenizer, **given)
    else:
        from dualtune.evaluate import hf

        backend = hf.Backend(options.folder, encoder.tokenizer, **given)

    def generate(asks: Any) -> list[str]:
        made = [output for group in backend.generate(asks) for output in group]
        texts = {output.ask.request.row.id: output.text for output in made}
        return [texts[ask.request.row.id] for ask in asks]

    return generate


def _differences(texts: dict[str, list[str]], options: argparse.Namespace) -> dict[str, Any]:
    """Count, for each side, texts and grades that are not the reference's."""
    from dualtune.grade import grade
    from dualtune.lm.models import resolve_model
    from dualtune.recipe import Model

    if REFERENCE not in texts:
        return {}
    options.folder, options.side = str(resolve_model(Model(id=options.model))), None
    _, requests = _requests(options, _settings(options))
    differ, grades, correct = {}, {}, {}
    for side, written in texts.items():
        statuses = [grade(t, r.row.gold).status for t, r in zip(written, requests, strict=True)]
        correct[side] = statuses.count("correct")
        pairs = list(zip(texts[REFERENCE], written, strict=True))
        differ[side] = sum(one != other for one, other in pairs)
        theirs = [
            grade(t, r.row.gold).status for t, r in zip(texts[REFERENCE], requests, strict=True)
        ]
        grades[side] = sum(one != other for one, other in zip(theirs, statuses, strict=True))
        for one, other in pairs:
            if one != other:
                print(f"{side} differs, first of {differ[side]}:\n  {one!r}\n  {other!r}")
                break
    return {"texts_differ": differ, "statuses_differ": grades, "correct": correct}


if __name__ == "__main__":
    main()
