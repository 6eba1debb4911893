"""The loss of a pack: weighted cross-entropy over label tokens, the head only where it predicts.

The loss of an optimiser step is the weighted **sum** over its label tokens divided by the
weighted label-token count of the whole step. A mean of the means of micro-batches would weigh
short micro-batches, and the short targets of IR, up without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from dualtune.lm.attention import attention_masks
from dualtune.lm.cross_entropy import head_cross_entropy
from dualtune.lm.packing import Pack


@dataclass(frozen=True, slots=True)
class PackLoss:
    """Loss sums of a pack.

    Attributes:
        weighted: Weighted sum of the cross-entropies (nats), with gradient.
        by_task: Unweighted sum of each task's cross-entropies ``[T]``, without gradient.
        tokens: Label tokens of each task ``[T]``.
    """

    weighted: Tensor
    by_task: Tensor
    tokens: Tensor


def pack_loss(model: Any, pack: Pack, *, tasks: int) -> PackLoss:
    """Run a pack through a model.

    Args:
        model: A causal language model of transformers.
        pack: The pack, on the model's device.
        tasks: How many tasks there are (T).

    Returns:
        The sums; divide ``weighted`` by the weight of the whole optimiser step.
    """
    if not plain_head(model):
        logits_KV = predict(model, pack)
        entropy_K = cross_entropy(logits_KV.float(), pack.label, reduction="none")
        weighted = (entropy_K * pack.weight).sum()
    else:
        with _head_takes_loss(_head(model), pack):
            told = _run(model, pack).flatten()
        weighted, entropy_K = told[0], told[1:].detach()
    sums = torch.zeros(tasks, dtype=torch.float64, device=entropy_K.device)
    sums.index_add_(0, pack.task, entropy_K.detach().double())
    counts = torch.bincount(pack.task, minlength=tasks)
    return PackLoss(weighted=weighted, by_task=sums, tokens=counts)


def predict(model: Any, pack: Pack) -> Tensor:
    """Return the logits at the predicting nodes of a pack.

    Args:
        model: A causal language model of transformers.
        pack: The pack, on the model's device.

    Returns:
        ``[K, V]``. A node that predicts several continuations stands several times.
    """
    with _head_only_at(_head(model), pack.index):
        logits_1KV: Tensor = _run(model, pack)
    return logits_1KV[0]


def plain_head(model: Any) -> bool:
    """Say whether logits are the head's output alone, so that the head can be applied outside.

    Some models cap or scale what their head says. That is found out by giving them an output of
    the head that is known, once a model.

    Args:
        model: A causal language model of transformers.
    """
    inner = getattr(model, "module", model)
    known: bool | None = getattr(inner, "_dualtune_plain_head", None)
    if known is None:
        head = _head(model)
        # An adapter's or a quantised layer is more than its weight.
        known = type(head) is torch.nn.Linear and _is_last(model, head)
        inner._dualtune_plain_head = known
    return known


def _is_last(model: Any, head: torch.nn.Linear) -> bool:
    told = torch.linspace(-50, 50, head.out_features, device=head.weight.device)[None, None]
    handle = head.register_forward_hook(lambda *_: told)
    try:
        with torch.no_grad():
            found = model(input_ids=torch.zeros_like(told[..., 0], dtype=torch.long)).logits
    finally:
        handle.remove()
    return torch.equal(found.to(told.dtype), told)


def _head(model: Any) -> Any:
    return getattr(model, "module", model).get_output_embeddings()


def _run(model: Any, pack: Pack) -> Tensor:
    """Run a pack through a model whose head is hooked."""
    inner = getattr(model, "module", model)
    masks = None
    if pack.end is not None:
        masks = attention_masks(
            pack.end,
            pack.depth,
            config=inner.config,
            implementation=inner.config._attn_implementation,
        )
    logits: Tensor = model(
        input_ids=pack.tokens, position_ids=pack.depth, attention_mask=masks, use_cache=False
    ).logits
    return logits


@contextmanager
def _head_takes_loss(head: Any, pack: Pack) -> Iterator[None]:
    """Let the LM head return, instead of logits, the loss of a pack and its cross-entropies.

    Inside the model's forward pass the head's weights are whole where they are divided among
    ranks (FSDP2), products are in the precision of the model's autocast, and the loss is an
    output of the model, from which DDP finds what was used.
    """

    def loss_instead(hidden_BLD: Tensor) -> Tensor:
        weighted, entropy_K = head_cross_entropy(
            hidden_BLD.flatten(0, 1)[pack.index], head.weight, head.bias, pack.label, pack.weight
        )
        # No view: FSDP2 warns of those, which may be changed in place.
        return torch.cat([weighted.expand(1, 1, 1), entropy_K[None, None]], dim=-1)

    head.forward = loss_instead
    try:
        yield
    finally:
        del head.forward


@contextmanager
def _head_only_at(head: torch.nn.Module, index: Tensor) -> Iterator[None]:
    """Let the LM head see only the chosen positions of all rows.

    A hook does for several rows what ``logits_to_keep`` does for one, and leaves to the model
    what comes after its head (scaling, soft caps).
    """

    def gather(_: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden_BLD = args[0]
        hidden_KD = hidden_BLD.reshape(-1, hidden_BLD.shape[-1])[index]
        return (hidden_KD[None], *args[1:])

    handle = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()
