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

from dualtune.lm.attention import attention_masks
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
    logits_KV = predict(model, pack)
    entropy_K = torch.nn.functional.cross_entropy(logits_KV.float(), pack.label, reduction="none")
    sums = torch.zeros(tasks, dtype=torch.float64, device=entropy_K.device)
    sums.index_add_(0, pack.task, entropy_K.detach().double())
    counts = torch.bincount(pack.task, minlength=tasks)
    return PackLoss(weighted=(entropy_K * pack.weight).sum(), by_task=sums, tokens=counts)


def predict(model: Any, pack: Pack) -> Tensor:
    """Return the logits at the predicting nodes of a pack.

    Args:
        model: A causal language model of transformers.
        pack: The pack, on the model's device.

    Returns:
        ``[K, V]``. A node that predicts several continuations stands several times.
    """
    inner = getattr(model, "module", model)
    masks = None
    if pack.end is not None:
        masks = attention_masks(
            pack.end,
            pack.depth,
            config=inner.config,
            implementation=inner.config._attn_implementation,
        )
    with _head_only_at(inner.get_output_embeddings(), pack.index):
        logits_1KV: Tensor = model(
            input_ids=pack.tokens, position_ids=pack.depth, attention_mask=masks, use_cache=False
        ).logits
    return logits_1KV[0]


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
