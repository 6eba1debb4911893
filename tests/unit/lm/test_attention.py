"""The trie kernel on batches that are not packed, its masks, and its padding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dualtune.lm import block_attention
from dualtune.lm.attention import (
    additive_mask,
    attention_masks,
    register_trie_attention,
    trie_attention,
    windows,
)
from dualtune.lm.blocks import find_blocks
from dualtune.lm.loss import pack_loss, predict
from dualtune.lm.packing import trie_packs
from tests.unit.lm.tiny import CONFIGS, VOCABULARY, tiny_groups, tiny_model


def batch(rows: int = 3, length: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, VOCABULARY, (rows, length), generator=generator)


def padding(ids: torch.Tensor, side: str) -> torch.Tensor:
    """Rows of unequal length."""
    mask = torch.ones_like(ids)
    for row in range(1, len(ids)):
        cut = slice(0, 7 * row) if side == "left" else slice(ids.shape[1] - 7 * row, None)
        mask[row, cut] = 0
    return mask


def results(name: str, kernel: str, **inputs: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model = tiny_model(name, kernel)
    logits = model(**inputs).logits
    mask = inputs.get("attention_mask")
    seen = logits if mask is None else logits[mask.bool()]
    seen.pow(2).mean().backward()
    return seen.detach(), {n: p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize("side", [None, "left", "right"])
@pytest.mark.parametrize("name", CONFIGS)
def test_ordinary_batches_equal_sdpa(name: str, side: str | None) -> None:
    ids = batch()
    inputs = {"input_ids": ids}
    if side:
        inputs["attention_mask"] = padding(ids, side)
    found, found_gradients = results(name, "trie", **inputs)
    expected, gradients = results(name, "sdpa", **inputs)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    for parameter, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[parameter], gradient, rtol=0, atol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_generation_equals_sdpa(name: str) -> None:
    ids = batch(length=20)
    settings = {
        "attention_mask": padding(ids, "left"),
        "max_new_tokens": 12,
        "do_sample": False,
        "pad_token_id": 0,
        "eos_token_id": None,
    }
    found, expected = (
        tiny_model(name, kernel).eval().generate(ids, **settings) for kernel in ("trie", "sdpa")
    )
    assert found.shape[1] == 32
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kernel", ["trie", "sdpa", "eager"])
@pytest.mark.parametrize("name", CONFIGS)
def test_padded_rows_yield_numbers(name: str, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of unequal length: padding must not put a NaN into loss or gradients."""
    # Small blocks, of any two sizes in one batch of the kernel: it pads queries and keys too.
    monkeypatch.setattr(block_attention, "find_blocks", lambda end: find_blocks(end, 16))
    monkeypatch.setattr(block_attention, "MOST_PADDING", 100.0)
    groups = [g[:n] for g, n in zip(tiny_groups((0, 1, 2, 2)), (1, 4, 2, 3), strict=True)]
    packs = trie_packs(groups, tokens_per_pack=400, tokens_per_row=100)
    assert any((p.tokens == 0).any() and p.tokens.shape[0] > 1 for p in packs)
    model = tiny_model(name, kernel)
    for pack in packs:
        loss = pack_loss(model, pack, tasks=3).weighted
        assert torch.isfinite(loss)
        loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_padding_changes_no_logit() -> None:
    model = tiny_model("gemma3", "trie").eval()
    groups = tiny_groups((0, 2), problems=2)
    (pack,) = trie_packs(groups, tokens_per_pack=1 << 20)
    wide = torch.nn.functional.pad
    extra = 5
    length = pack.tokens.shape[1]
    assert pack.end is not None
    padded = type(pack)(
        tokens=wide(pack.tokens, (0, extra), value=VOCABULARY - 1),
        depth=wide(pack.depth, (0, extra)),
        end=torch.cat(
            [pack.end, torch.arange(length + 1, length + extra + 1, dtype=torch.int32)[None]], 1
        ),
        index=pack.index,
        label=pack.label,
        weight=pack.weight,
        task=pack.task,
        tokens_total=pack.tokens_total,
        tokens_distinct=pack.tokens_distinct,
        sequences=pack.sequences,
    )
    with torch.no_grad():
        torch.testing.assert_close(
            predict(model, padded), predict(model, pack), rtol=1e-5, atol=1e-6
        )


# The trie of trie.py's own picture: S Q a b, S Q a, S R x y.
END = torch.tensor([[7, 4, 4, 4, 7, 7, 7]])
DEPTH = torch.tensor([[0, 1, 2, 3, 1, 2, 3]])
SEEN = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 4], [0, 4, 5], [0, 4, 5, 6]]


def test_additive_mask_shows_ancestors_alone() -> None:
    mask = additive_mask(END, DEPTH, None)
    assert mask.shape == (1, 1, 7, 7)
    assert mask.dtype == torch.float32
    assert [torch.nonzero(row == 0).flatten().tolist() for row in mask[0, 0]] == SEEN
    assert torch.isfinite(mask).all()


def test_additive_mask_within_a_window_counts_by_depth() -> None:
    mask = additive_mask(END, DEPTH, 2)
    expected = [[0], [0, 1], [1, 2], [2, 3], [0, 4], [4, 5], [5, 6]]
    assert [torch.nonzero(row == 0).flatten().tolist() for row in mask[0, 0]] == expected


@pytest.mark.parametrize("implementation", ["trie", "sdpa"])
def test_one_mask_a_layer_type(implementation: str) -> None:
    masks = attention_masks(END, 5 * DEPTH, config=CONFIGS["gemma3"], implementation=implementation)
    assert isinstance(masks, dict)
    assert masks.keys() == {"sliding_attention", "full_attention"}
    assert not torch.equal(masks["sliding_attention"], masks["full_attention"])
    one = attention_masks(END, DEPTH, config=CONFIGS["llama"], implementation=implementation)
    assert isinstance(one, torch.Tensor)
    assert one.shape == ((1, 3, 1, 7) if implementation == "trie" else (1, 1, 7, 7))


def test_windows() -> None:
    assert windows(SimpleNamespace()) == {"full_attention": None}
    assert windows(SimpleNamespace(sliding_window=8)) == {"full_attention": 8}
    assert windows(CONFIGS["gemma3"]) == {"sliding_attention": 8, "full_attention": None}
    assert windows(CONFIGS["qwen3"]) == {"full_attention": None}


def heads(dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (1, 4, 7, 8), (1, 2, 7, 8), (1, 2, 7, 8)
    return tuple(torch.randn(s, generator=generator).to(dtype) for s in shapes)


def integers() -> torch.Tensor:
    masks = attention_masks(END, DEPTH, config=CONFIGS["llama"], implementation="trie")
    assert isinstance(masks, torch.Tensor)
    return masks


def test_kernel_equals_softmax_over_ancestors() -> None:
    query, key, value = heads()
    found, weights = trie_attention(None, query, key, value, integers(), scaling=0.3)
    assert weights is None
    assert found.shape == (1, 7, 4, 8)
    for node, seen in enumerate(SEEN):
        for head in range(4):
            scores = 0.3 * query[0, head, node] @ key[0, head // 2, seen].T
            expected = scores.softmax(-1) @ value[0, head // 2, seen]
            torch.testing.assert_close(found[0, node, head], expected)


def test_kernel_in_bf16_keeps_its_type() -> None:
    query, key, value = heads(torch.bfloat16)
    found, _ = trie_attention(None, query, key, value, integers())
    exact, _ = trie_attention(None, *heads(), integers())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 0.1}, "neither dropout nor a score cap"),
        ({"softcap": 50.0}, "neither dropout nor a score cap"),
        ({"s_aux": torch.zeros(4)}, "no attention sinks"),
    ],
)
def test_what_the_kernel_does_not_compute(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trie_attention(None, *heads(), integers(), **settings)


def test_registering_twice_is_harmless() -> None:
    register_trie_attention()
    register_trie_attention()
    assert tiny_model("llama", "trie").config._attn_implementation == "trie"
