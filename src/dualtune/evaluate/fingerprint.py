"""Fingerprints of generations and results: everything that decides an output, and no more.

How many outputs are made at once is not part of them: it changes no prompt and no seed. (In
bfloat16 the neighbours in a batch can change how a sum is rounded, and so, rarely, a word.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dualtune.evaluate.requests import Decoding, row_limit
from dualtune.recipe import Eval, Model

# Raise it where decoding changes what an output is.
DECODING = "greedy-1"
SAMPLING = "sampling-1"


def generation_key(
    *,
    weights: str,
    settings: Eval,
    kind: Decoding,
    precision: str,
    stop: str,
    device: str,
    seed: int,
) -> str:
    """Return the fingerprint of everything but the prompt and the sample's number.

    Args:
        weights: Hash of the model, or its name on a server.
        settings: The recipe's eval section.
        kind: What is asked for.
        precision: ``fp32`` or ``bf16``; ``server`` where only the server knows.
        stop: What ends the model's turn.
        device: ``cpu``, ``cuda``, or ``server``.
        seed: The recipe's seed; it counts only where outputs are sampled.
    """
    made_by: dict[str, Any] = {
        "weights": weights,
        "precision": precision,
        "max_new_tokens": settings.max_new_tokens,
        "mode": kind,
        "backend": settings.backend,
        "stop": stop,
        "decoding": DECODING,
    }
    # What follows is absent where it is at its default, so that generations made before there was
    # such a setting, all of them at its default, stay valid.
    if device != "cpu":
        made_by["device"] = device
    if settings.temperature > 0:
        made_by |= {
            "decoding": SAMPLING,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": seed,
        }
    if settings.backend == "vllm" and settings.engine:
        made_by["engine"] = settings.engine
    if settings.backend == "openai":
        made_by["api"] = settings.api
    return _digest(made_by)


def result_key(
    benchmark: str, generations: Mapping[Decoding, str], *, settings: Eval, model: Model
) -> str:
    """Return the fingerprint of a result: of its generations, and of which rows were asked how.

    Args:
        benchmark: Its name.
        generations: The fingerprints of what it is made from; hybrid decoding has two.
        settings: The recipe's eval section.
        model: The recipe's model section.
    """
    keys = list(generations.values())
    made_by: dict[str, Any] = {
        "generations": keys[0] if len(keys) == 1 else keys,
        "prompt": model.prompt,
        "system": model.system,
        "limit": row_limit(benchmark, settings),
    }
    if settings.exclude:
        made_by["exclude"] = sorted(settings.exclude)
    if benchmark in settings.files:
        made_by["file"] = settings.files[benchmark].model_dump(mode="json")
    if settings.shots:
        made_by["shots"] = settings.shots
    if settings.samples > 1:
        made_by["samples"] = settings.samples
    return _digest(made_by)


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
