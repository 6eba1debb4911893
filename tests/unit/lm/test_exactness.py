"""Loss and every gradient of packed tries equal those of the instances run one by one."""

from __future__ import annotations

import pytest
import torch

from dualtune.lm import block_attention
from dualtune.lm.blocks import find_blocks
from dualtune.lm.loss import pack_loss
from dualtune.lm.packing import Pack, plain_packs, trie_packs
from dualtune.recipe import Adapter
from tests.unit.lm.tiny import CONFIGS, tiny_groups, tiny_model

TOLERANCE = 1e-5
# bfloat16 has 8 bits of precision; a few layers lose a little more.
BF16 = 2e-2
MIXTURES = {"solve": (0,), "irsp": (1, 1, 1), "ir": (2, 2), "all": (0, 1, 1, 2, 2)}
# (tokens a pack, tokens a row): one pack; several packs; several rows a pack.
LAYOUTS = [(1 << 20, None), (120, None), (400, 90)]


def gradients(model) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def distance(found, expected) -> float:
    """Return how far all gradients together are from others."""
    apart = sum(float((found[1][n] - g).norm() ** 2) for n, g in expected[1].items())
    return (apart / sum(float(g.norm() ** 2) for g in expected[1].values())) ** 0.5


def run(model, packs: list[Pack]) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    total = 0.0
    for pack in packs:
        loss = pack_loss(model, pack, tasks=3).weighted
        loss.backward()
        total += float(loss)
    return total, gradients(model)


def one_by_one(model, groups) -> tuple[float, dict[str, torch.Tensor]]:
    """The reference: each instance alone, plain causal attention, no packing code involved."""
    model.zero_grad()
    total = 0.0
    for sequence in (s for group in groups for s in group):
        ids = torch.from_numpy(sequence.ids).long()[None]
        labels = ids.clone()
        labels[:, : sequence.label_start] = -100
        count = int((labels != -100).sum())
        loss = model(input_ids=ids, labels=labels).loss * count * sequence.weight
        loss.backward()
        total += float(loss)
    return total, gradients(model)


def assert_equal(found, expected) -> None:
    assert found[0] == pytest.approx(expected[0], rel=TOLERANCE)
    for name, gradient in expected[1].items():
        difference = (found[1][name] - gradient).norm() / gradient.norm()
        assert difference < TOLERANCE, f"{name}: {difference:.2e}"


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("kernel", ["sdpa", "eager", "trie"])
@pytest.mark.parametrize("name", CONFIGS)
def test_packed_equals_one_by_one(
    name: str, kernel: str, mixture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blocks and batches far below their defaults, so that short test rows are cut as long ones.
    monkeypatch.setattr(block_attention, "find_blocks", lambda end: find_blocks(end, 16))
    monkeypatch.setattr(block_attention, "LARGEST_BATCH", 2000)
    model = tiny_model(name)
    groups = tiny_groups(MIXTURES[mixture])
    expected = one_by_one(model, groups)
    model.set_attn_implementation(kernel)
    for tokens_per_pack, tokens_per_row in LAYOUTS:
        packs = trie_packs(groups, tokens_per_pack=tokens_per_pack, tokens_per_row=tokens_per_row)
        assert_equal(run(model, packs), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_plain_batches_equal_one_by_one(name: str) -> None:
    model = tiny_model(name, "sdpa")
    groups = tiny_groups(MIXTURES["all"])
    packs = plain_packs([s for g in groups for s in g], tokens_per_pack=200)
    assert len(packs) > 1
    assert_equal(run(model, packs), one_by_one(model, groups))


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "trie"])
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_bf16_autocast_is_as_near_as_bf16_is(name: str, kernel: str) -> None:
    """Packed and one by one differ from fp32 alike: packing adds no error of its own."""
    model = tiny_model(name)
    groups = tiny_groups(MIXTURES["all"])
    exact = one_by_one(model, groups)
    with torch.autocast("cpu", torch.bfloat16):
        alone = one_by_one(model, groups)
        model.set_attn_implementation(kernel)
        packed = run(model, trie_packs(groups, tokens_per_pack=400, tokens_per_row=90))
    assert packed[0] == pytest.approx(exact[0], rel=BF16)
    assert distance(packed, exact) < 2 * distance(alone, exact)
    assert distance(packed, exact) < BF16


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_adapters_and_gradient_checkpointing(name: str, checkpointing: bool, kind: str) -> None:
    pytest.importorskip("peft")
    from dualtune.lm.adapters import attach

    model = attach(tiny_model(name, "sdpa"), Adapter(kind=kind, rank=4))
    for parameter in model.parameters():  # else half of the adapter's gradients are zero
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.02)
    groups = tiny_groups(MIXTURES["all"])
    expected = one_by_one(model, groups)
    model.set_attn_implementation("trie")
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
    found = run(model, trie_packs(groups, tokens_per_pack=120))
    assert set(found[1]) == set(expected[1]) != set()
    assert_equal(found, expected)


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "trie"])
@pytest.mark.parametrize("name", CONFIGS)
def test_gradient_checkpointing(name: str, kernel: str) -> None:
    model = tiny_model(name)
    groups = tiny_groups(MIXTURES["all"])
    expected = one_by_one(model, groups)
    model.set_attn_implementation(kernel)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    assert_equal(run(model, trie_packs(groups, tokens_per_pack=120)), expected)


def test_a_mask_that_forgets_the_window_is_found_out() -> None:
    """The tolerance can tell: full attention instead of windows moves the loss far beyond it."""
    model = tiny_model("gemma3")
    groups = tiny_groups(MIXTURES["all"])
    expected, _ = one_by_one(model, groups)
    for layer in model.model.layers:
        layer.self_attn.sliding_window = None
    model.config.sliding_window = 10_000
    found, _ = run(model, trie_packs(groups, tokens_per_pack=1 << 20))
    assert abs(found - expected) / expected > 1e-4


def test_packing_shares_tokens() -> None:
    groups = tiny_groups(MIXTURES["all"])
    packs = trie_packs(groups, tokens_per_pack=1 << 20)
    total = sum(len(s.ids) for g in groups for s in g)
    assert sum(p.tokens_total for p in packs) == total
    assert sum(p.tokens_distinct for p in packs) < 0.75 * total


def test_losses_by_task_add_up() -> None:
    model = tiny_model("llama")
    groups = tiny_groups(MIXTURES["all"])
    (pack,) = trie_packs(groups, tokens_per_pack=1 << 20)
    loss = pack_loss(model, pack, tasks=3)
    weights = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64)
    assert float(loss.weighted) == pytest.approx(float((loss.by_task * weights).sum()), rel=1e-5)
    assert loss.tokens.tolist() == [
        sum(len(s.ids) - s.label_start for g in groups for s in g if s.task == t) for t in range(3)
    ]
