"""The head and the cross-entropy in chunks equal those over full logits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from dualtune.lm import cross_entropy as chunked
from dualtune.lm.loss import pack_loss, plain_head
from dualtune.lm.packing import trie_packs
from tests.unit.lm.tiny import tiny_groups, tiny_model

PREDICTIONS, WIDTH, WORDS = 23, 16, 57


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(4)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    label = torch.randint(0, WORDS, (PREDICTIONS,), generator=generator)
    scale = torch.rand(PREDICTIONS, generator=generator)
    return [draw(PREDICTIONS, WIDTH), draw(WORDS, WIDTH), draw(WORDS), label, scale]


@pytest.mark.parametrize("chunk", [1, WORDS, 5 * WORDS, 1 << 25])
@pytest.mark.parametrize("with_bias", [False, True])
def test_equals_full_logits(chunk: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK", chunk)
    hidden, weight, bias, label, scale = inputs()
    given = [hidden, weight, bias] if with_bias else [hidden, weight]
    expected_K = cross_entropy(
        linear(hidden, weight, bias if with_bias else None), label, reduction="none"
    )
    expected = torch.autograd.grad(3 * (expected_K * scale).sum(), given)
    weighted, found_K = chunked.head_cross_entropy(
        hidden, weight, bias if with_bias else None, label, scale
    )
    found = torch.autograd.grad(3 * weighted, given)
    torch.testing.assert_close(found_K, expected_K.detach())
    torch.testing.assert_close(weighted.detach(), (expected_K * scale).sum().detach())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_very_large_logits_do_not_overflow() -> None:
    hidden, weight, _, label, scale = inputs()
    weighted, found_K = chunked.head_cross_entropy(hidden * 1e4, weight, None, label, scale)
    assert torch.isfinite(found_K).all()
    torch.testing.assert_close(
        found_K, cross_entropy(linear(hidden * 1e4, weight), label, reduction="none").detach()
    )
    assert torch.isfinite(torch.autograd.grad(weighted, weight)[0]).all()


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, _, label, scale = inputs()
    frozen = weight.detach()
    weighted, _ = chunked.head_cross_entropy(hidden, frozen, None, label, scale)
    weighted.backward()
    assert frozen.grad is None
    expected = (cross_entropy(linear(hidden, frozen), label, reduction="none") * scale).sum()
    torch.testing.assert_close(hidden.grad, torch.autograd.grad(expected, hidden)[0])


def test_autocast_is_as_near_as_full_logits_are() -> None:
    hidden, weight, _, label, scale = inputs()
    exact = torch.autograd.grad(
        (cross_entropy(linear(hidden, weight), label, reduction="none") * scale).sum(), weight
    )[0]
    with torch.autocast("cpu", torch.bfloat16):
        full = (cross_entropy(linear(hidden, weight), label, reduction="none") * scale).sum()
        found, _ = chunked.head_cross_entropy(hidden, weight, None, label, scale)
    errors = [
        float((torch.autograd.grad(loss, weight)[0] - exact).norm()) for loss in (found, full)
    ]
    assert errors[0] < 1.2 * errors[1]


def test_no_full_logits_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK", 4 * WORDS)
    rows: list[int] = []

    def watched(hidden: torch.Tensor, *rest: Any) -> torch.Tensor:
        rows.append(len(hidden))
        return linear(hidden, *rest)

    monkeypatch.setattr(chunked, "linear", watched)
    hidden, weight, _, label, scale = inputs()
    chunked.head_cross_entropy(hidden, weight, None, label, scale)
    assert sum(rows) == PREDICTIONS
    assert max(rows) <= 4


@pytest.mark.parametrize("after", ["nothing", "cap", "scale"])
def test_what_comes_after_the_head_is_found_out(after: str) -> None:
    """Gemma 2 caps its logits, Granite scales them: there the full logits are taken."""
    packs = trie_packs(tiny_groups((0, 1, 2)), tokens_per_pack=1 << 20)
    plain = tiny_model("llama")
    assert plain_head(plain)
    model = tiny_model("llama")
    inner = model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        logits = inner(*args, **kwargs).logits
        if after == "cap":
            logits = 0.05 * torch.tanh(logits / 0.05)
        if after == "scale":
            logits = logits / 7
        return SimpleNamespace(logits=logits)

    model.forward = forward
    assert plain_head(model) == (after == "nothing")
    loss, other = (float(pack_loss(m, packs[0], tasks=3).weighted.detach()) for m in (model, plain))
    assert (loss == pytest.approx(other, rel=1e-4)) == (after == "nothing")
