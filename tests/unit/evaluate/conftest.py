"""A tiny random model with a real tokenizer, saved as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny import tiny_tokenizer


def tiny_model(kind: str, vocabulary: int, *, seed: int = 0) -> Any:
    """A random model whose greedy outputs vary with the prompt and end at different lengths."""
    import torch
    from transformers import (
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "initializer_range": 0.4,
    }
    torch.manual_seed(seed)
    if kind == "mistral":
        return MistralForCausalLM(MistralConfig(**shape, sliding_window=7)).eval()
    if kind == "gemma3":
        # Untied: with its scaled embeddings tied, a random model echoes its input.
        config = Gemma3TextConfig(**shape, head_dim=8, sliding_window=7, tie_word_embeddings=False)
        config.layer_types = ["sliding_attention", "full_attention"]
        return Gemma3ForCausalLM(config).eval()
    return LlamaForCausalLM(LlamaConfig(**shape)).eval()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tiny_tokenizer()
    tiny_model("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
