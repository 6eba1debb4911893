"""Random tiny models and sequences for exactness tests."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from dualtune.lm.attention import register_trie_attention
from dualtune.lm.trie import Labelled

VOCABULARY = 100
_SIZE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
# Windows are shorter than the rows, so that a mask that disregards them is found out.
CONFIGS: dict[str, Any] = {
    "llama": LlamaConfig(**_SIZE),
    "mistral": MistralConfig(**_SIZE, sliding_window=8),
    "qwen2": Qwen2Config(**_SIZE, use_sliding_window=True, sliding_window=8, max_window_layers=2),
    "qwen3": Qwen3Config(**_SIZE),
    "gemma3": Gemma3TextConfig(
        **_SIZE, sliding_window=8, layer_types=["sliding_attention", "full_attention"] * 2
    ),
}


def tiny_model(name: str, attention: str = "eager") -> Any:
    """Return a random model in fp32."""
    register_trie_attention()
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(
        copy.deepcopy(CONFIGS[name]), attn_implementation=attention
    ).float()


def tiny_groups(
    tasks: tuple[int, ...], *, problems: int = 4, seed: int = 0
) -> list[list[Labelled]]:
    """Return groups of sequences as a dual build makes them: a shared system prompt, a shared
    question in each Problem, different endings, some of which share tokens after the question."""
    draw = np.random.default_rng(seed)
    system = draw.integers(1, VOCABULARY, 5)
    groups = []
    for _ in range(problems):
        question = draw.integers(1, VOCABULARY, 12)
        rationale = draw.integers(1, VOCABULARY, 20)
        group = []
        for number, task in enumerate(tasks):
            ending = draw.integers(1, VOCABULARY, draw.integers(3, 25))
            ids = np.concatenate([system, question, rationale[: 7 * number], ending])
            group.append(
                Labelled(
                    ids=ids.astype(np.int32),
                    label_start=len(system) + len(question) - 2 + number,
                    weight=0.5 + task,
                    task=task,
                )
            )
        groups.append(group)
    return groups
