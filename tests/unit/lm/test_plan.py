"""The plan: tokens equal those that training computes, estimates follow their formulas."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from dualtune.lm import plan
from dualtune.lm.steps import Steps
from dualtune.lm.train import steps_preparer, tune
from dualtune.recipe import Phase, Recipe
from dualtune.run.plan import plan_recipe
from tests.unit.lm.published import MODELS, Published
from tests.unit.lm.test_train import PROBLEMS, recipe_for
from tests.unit.lm.tiny import CONFIGS, tiny_model

SMALL = plan.Counted(
    steps=10,
    instances=100,
    total=4000,
    distinct=2000,
    labels=500,
    predictions=400,
    pairs=100_000,
    widest=512,
    widest_labels=100,
)


def changed(recipe: Recipe, **train: Any) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=train)})


@pytest.fixture
def recipe(tiny_folder: Path, tmp_path: Path) -> Recipe:
    return recipe_for(tiny_folder, tmp_path)


def test_counts_are_those_of_training(tiny_folder: Path, tmp_path: Path) -> None:
    recipe = recipe_for(tiny_folder, tmp_path)
    steps = Steps(PROBLEMS[:8], steps_preparer(recipe, tiny_folder, "cpu"), per_step=4, epochs=2)
    counted = plan.count_tokens(steps)
    tune(recipe, tmp_path, train=PROBLEMS[:8])
    told = json.loads((tmp_path / "train.json").read_text())
    assert counted.steps == told["steps"]
    assert counted.total == told["tokens_total"]
    assert counted.distinct == told["tokens_distinct"]
    assert counted.labels == told["label_tokens"]
    assert counted.instances == sum(told["instances"].values())


@pytest.mark.parametrize("name", CONFIGS)
def test_shape_counts_the_parameters_of_the_model(name: str) -> None:
    shape = plan.model_shape(CONFIGS[name])
    model = tiny_model(name)
    assert shape.parameters == model.num_parameters()
    embeddings = model.get_input_embeddings().weight.numel()
    tied = CONFIGS[name].tie_word_embeddings
    assert shape.body == shape.parameters - embeddings * (1 if tied else 2)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.id)
def test_published_models_have_their_sizes(model: Published) -> None:
    assert plan.model_shape(model.config()).parameters == model.parameters


def test_flops_follow_the_formula(recipe: Recipe) -> None:
    shape = plan.model_shape(CONFIGS["llama"])
    body, head = 6 * shape.body * 2000, 6 * shape.hidden * shape.vocabulary * 400
    attention = 12 * shape.queries * shape.layers * 100_000
    assert plan.training_flops(shape, SMALL, recipe) == body + head + attention
    again = plan.training_flops(shape, SMALL, changed(recipe, gradient_checkpointing=True))
    assert again - (body + head + attention) == pytest.approx((body + attention) / 3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_activations_are_what_autograd_saves(precision: str, recipe: Recipe) -> None:
    """Within 5 % on a real layer; the mask and the weights' casts are counted elsewhere."""
    from transformers import AutoModelForCausalLM

    config = LlamaConfig(
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=64,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    saved: dict[int, int] = {}
    tokens = 1024

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tokens in tensor.shape and tensor.shape[-1] != tokens:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        out = model.model(torch.arange(tokens)[None] % 64)
    assert out.last_hidden_state.requires_grad  # and the tensors were all held until here
    shape = plan.model_shape(config)
    counted = replace(SMALL, widest=tokens)
    found = plan.memory(shape, counted, changed(recipe, precision=precision)).activations
    assert found == pytest.approx(sum(saved.values()), rel=0.05)


def test_fsdp_divides_what_is_kept(recipe: Recipe) -> None:
    """Of 8 devices each keeps an eighth of the weights, gradients and moments."""
    shape = plan.model_shape(MODELS[7].config())

    def needed(devices: int, **train: Any) -> plan.Memory:
        settings = changed(recipe, precision="bf16", **train)
        return plan.memory(shape, SMALL, settings, devices=devices)

    alone, sharded = needed(1, parallel="fsdp"), needed(8, parallel="fsdp")
    assert sharded.optimiser == alone.optimiser // 8 == 12 * shape.parameters // 8
    assert 4 * shape.parameters // 8 < sharded.weights < alone.weights / 3
    assert sharded.activations == alone.activations
    assert needed(8, parallel="ddp") == needed(1, parallel="ddp") == alone
    lora = recipe.train.adapter.model_copy(update={"kind": "lora"})
    assert needed(8, parallel="fsdp", adapter=lora).total < sharded.total


def test_devices_share_the_tokens_of_a_step(recipe: Recipe) -> None:
    preparer = steps_preparer(recipe, recipe.model.id, "cpu")
    steps = Steps(PROBLEMS[:12], preparer, per_step=6, epochs=1)
    alone, shared = (plan.count_tokens(steps, devices=n) for n in (1, 3))
    assert (shared.instances, shared.total, shared.labels) == (
        alone.instances,
        alone.total,
        alone.labels,
    )
    assert shared.steps == alone.steps
    assert shared.widest < alone.widest
    assert alone.balance == 1
    assert 0.6 < shared.balance <= 1
    hardware = plan.HARDWARE[0]
    took = plan.hours(1e18, hardware, devices=3, balance=0.5)
    assert took == pytest.approx(plan.hours(1e18, hardware) / 1.5)


def test_the_plan_follows_a_schedule(recipe: Recipe) -> None:
    tasks = recipe.tasks.model_copy(update={"schedule": (Phase(from_epoch=1, irsp=0, ir=0),)})
    preparer = steps_preparer(recipe.model_copy(update={"tasks": tasks}), recipe.model.id, "cpu")
    steps = Steps(PROBLEMS[:8], preparer, per_step=4, epochs=2)
    counted = plan.count_tokens(steps)
    assert counted.instances == sum(sum(steps[i].instances.values()) for i in range(4))
    assert counted.instances < 2 * sum(sum(steps[i].instances.values()) for i in range(2))


def test_a_configuration_alone_is_enough(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Of a model that cannot be fetched: tokens by the packaged tokenizer, here the tiny one's."""
    monkeypatch.setattr("dualtune.lm.models.SMOLLM2", recipe.model.id)
    file = tmp_path / "config.json"
    MODELS[3].config().to_json_file(file)
    limited = recipe.data.train.model_copy(update={"limit": 20})
    data = recipe.data.model_copy(update={"train": limited})
    model = recipe.model.model_copy(update={"id": MODELS[3].id})
    plan_recipe(recipe.model_copy(update={"data": data, "model": model}), devices=8, config=file)
    out = capsys.readouterr().out
    assert "8,190,735,360" in out
    assert "8 x H100 80 GB" in out
    assert "one of 8 devices" in out
    assert "may differ by some percent" in out


def test_what_saves_memory_does_so_in_the_plan(recipe: Recipe) -> None:
    shape = plan.model_shape(LlamaConfig())

    def needed(**train: Any) -> int:
        return plan.memory(shape, SMALL, changed(recipe, precision="bf16", **train)).total

    lora = recipe.train.adapter.model_copy(update={"kind": "lora"})
    qlora = recipe.train.adapter.model_copy(update={"kind": "qlora"})
    assert needed() > needed(adapter=lora) > needed(adapter=qlora)
    assert needed(gradient_checkpointing=True) < needed()
    assert plan.memory(shape, SMALL, recipe).activations > 0


def test_adapter_parameters_are_those_of_peft(recipe: Recipe) -> None:
    pytest.importorskip("peft")
    from dualtune.lm.adapters import attach

    adapter = recipe.train.adapter.model_copy(update={"kind": "lora", "rank": 4})
    attached = attach(tiny_model("llama"), adapter)
    trained, _ = attached.get_nb_trainable_parameters()
    shape = plan.model_shape(CONFIGS["llama"])
    found = plan.memory(shape, SMALL, changed(recipe, adapter=adapter))
    assert found.optimiser == 12 * trained


def test_a_long_run_is_sampled(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SAMPLE", 3)
    preparer = steps_preparer(recipe, recipe.model.id, "cpu")
    whole = Steps(PROBLEMS[:12], preparer, per_step=2, epochs=1)
    found = plan.count_tokens(whole)
    assert found.steps == 6
    straight = sum(whole[i].tokens_total for i in range(6))
    assert found.total == pytest.approx(straight, rel=0.3)


def test_plan_prints_without_training(
    recipe: Recipe, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    limited = recipe.data.train.model_copy(update={"limit": 20})
    data = recipe.data.model_copy(update={"train": limited})
    plan_recipe(recipe.model_copy(update={"data": data}))
    out = capsys.readouterr().out
    for said in (
        "tokens computed",
        "FLOPs",
        "memory: process",
        "memory in all",
        "H100",
        "this CPU",
    ):
        assert said in out
    assert not list(tmp_path.glob("model"))
