"""Attention over packed tries: masks for the stock kernels, and a kernel that skips the rest.

``sdpa`` and ``eager`` get an additive float mask ``[B, 1, L, L]`` (a boolean one is silently
wrong under eager). ``trie`` gets three integers a node instead, ``[B, 3, 1, L]`` (end, depth,
window), which the model passes through untouched since it is four-dimensional, and computes the
blocks of ``dualtune.lm.blocks`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dualtune.lm.blocks import Block, find_blocks, visible

NAME = "trie"
_NO_WINDOW = 0


def register_trie_attention() -> None:
    """Make ``attn_implementation="trie"`` known to transformers. Safe to call again."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, trie_attention)
    # Used for ordinary (unpacked) inputs, which get the mask that sdpa would get.
    AttentionMaskInterface.register(NAME, sdpa_mask)


def windows(config: Any) -> dict[str, int | None]:
    """Return the sliding window of each layer type of a model.

    Args:
        config: The model's text configuration.

    Returns:
        Layer type to window in tokens; None for full attention.
    """
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None)
    if types is None:
        return {"full_attention": window}
    return {
        kind: window if kind == "sliding_attention" else None for kind in dict.fromkeys(types)
    }


def attention_masks(
    end: Tensor, depth: Tensor, *, config: Any, implementation: str
) -> Tensor | dict[str, Tensor]:
    """Build the masks of a packed batch for a model.

    Args:
        end: One past the last node of each node's subtree ``[B, L]``.
        depth: Position ids ``[B, L]``.
        config: The model's configuration.
        implementation: ``trie``, ``sdpa`` or ``eager``.

    Returns:
        One mask, or one a layer type where the model mixes windowed and full layers.
    """
    text = config.get_text_config()
    kinds = windows(text)
    masks = {
        kind: _integer_mask(end, depth, window)
        if implementation == NAME
        else additive_mask(end, depth, window)
        for kind, window in kinds.items()
    }
    return masks if len(masks) > 1 else next(iter(masks.values()))


def additive_mask(end: Tensor, depth: Tensor, window: int | None) -> Tensor:
    """Expand a trie to an additive mask.

    Args:
        end: ``[B, L]``.
        depth: ``[B, L]``.
        window: Sliding window in tokens, or None.

    Returns:
        ``[B, 1, L, L]`` float32: 0 where row sees column, the lowest float elsewhere.
    """
    node = torch.arange(end.shape[1], device=end.device)
    seen_BLL = (node[None, None, :] <= node[None, :, None]) & (
        node[None, :, None] < end[:, None, :]
    )
    if window is not None:
        seen_BLL &= depth[:, :, None] - depth[:, None, :] < window
    mask = torch.zeros(seen_BLL.shape, dtype=torch.float32, device=end.device)
    return mask.masked_fill_(~seen_BLL, torch.finfo(torch.float32).min)[:, None]


def _integer_mask(end: Tensor, depth: Tensor, window: int | None) -> Tensor:
    size = torch.full_like(end, _NO_WINDOW if window is None else window)
    return torch.stack([end, depth, size], dim=1)[:, :, None, :].to(torch.int32)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A block of one row with its mask, ready for every layer."""

    row: int
    block: Block
    hidden: Tensor | None  # [n, m] true where the query must not see the key; None: sees all


def trie_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within the blocks of packed tries; anything else goes to sdpa.

    Args:
        module: The attention layer.
        query: ``[B, H, L, D]``.
        key: ``[B, G, L, D]``, G a divisor of H.
        value: ``[B, G, L, D]``.
        attention_mask: ``[B, 3, 1, L]`` integers from ``attention_masks``; any other mask means
            an ordinary batch.
        scaling: Scale of the scores; the default is ``D ** -0.5``.
        dropout: Has to be 0 on packed tries.
        **kwargs: What transformers gives to every attention function.

    Returns:
        ``[B, L, H, D]`` and no weights.

    Raises:
        ValueError: If dropout or a score cap is asked for on packed tries.
    """
    packed = attention_mask is not None and not (
        attention_mask.is_floating_point() or attention_mask.dtype == torch.bool
    )
    if not packed:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return result
    assert attention_mask is not None
    if dropout or kwargs.get("softcap") is not None:
        raise ValueError("trie attention has neither dropout nor a score cap: use sdpa or eager")
    device = query.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out: Tensor = _BlockAttention.apply(query, key, value, _prepare(attention_mask), scale)
    return out, None


def _prepare(mask: Tensor) -> list[_Prepared]:
    # All layers get the same mask object, so the blocks are found once a forward pass.
    known: list[_Prepared] | None = getattr(mask, "_dualtune_blocks", None)
    if known is not None:
        return known
    prepared = []
    for row, (end, depth, size) in enumerate(mask[:, :, 0].cpu().numpy().astype(np.int32)):
        window = None if size[0] == _NO_WINDOW else int(size[0])
        for block in find_blocks(end):
            hidden = torch.from_numpy(~visible(end, depth, block, window))
            shown = hidden.to(mask.device) if bool(hidden.any()) else None
            prepared.append(_Prepared(row, block, shown))
    mask._dualtune_blocks = prepared  # type: ignore[attr-defined]
    return prepared


class _BlockAttention(torch.autograd.Function):
    """Softmax attention block by block, with the probabilities kept for the backward pass.

    Scores and softmax are in fp32. Query heads that share a key head are folded into the query
    axis, so that keys and values are never repeated.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: list[_Prepared], scale: float
    ) -> Tensor:
        B, H, L, D = query.shape
        groups = key.shape[1]
        fold = H // groups
        grouped = query.view(B, groups, fold, L, D)
        out = query.new_empty(B, L, groups, fold, D)
        kept = []
        with torch.autocast(query.device.type, enabled=False):
            for part in blocks:
                b, span = part.row, slice(part.block.start, part.block.stop)
                q_GnD = grouped[b, :, :, span].reshape(groups, -1, D)
                k_GmD, v_GmD = _rows(key[b], part.block), _rows(value[b], part.block)
                scores = torch.bmm(q_GnD.float(), k_GmD.float().transpose(1, 2)).mul_(scale)
                if part.hidden is not None:
                    n, m = part.hidden.shape
                    scores.view(groups, fold, n, m).masked_fill_(part.hidden, float("-inf"))
                p_Gnm = torch.softmax(scores, -1).to(value.dtype)
                done = torch.bmm(p_Gnm, v_GmD).view(groups, fold, -1, D)
                out[b, span] = done.permute(2, 0, 1, 3)
                kept.append(p_Gnm)
        ctx.blocks, ctx.scale = blocks, scale
        ctx.save_for_backward(query, key, value, out, *kept)
        return out.view(B, L, H, D)

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, out, *kept = ctx.saved_tensors
        B, H, L, D = query.shape
        groups = key.shape[1]
        fold = H // groups
        grouped = query.view(B, groups, fold, L, D)
        grad = grad.reshape(B, L, groups, fold, D)
        d_query = torch.empty_like(grouped)
        d_key = torch.zeros_like(key, dtype=torch.float32)
        d_value = torch.zeros_like(value, dtype=torch.float32)
        with torch.autocast(query.device.type, enabled=False):
            # sum over keys of p * dp, for each query and head
            row_sum = (grad.float() * out.float()).sum(-1)
            for part, p_Gnm in zip(ctx.blocks, kept, strict=True):
                b, span = part.row, slice(part.block.start, part.block.stop)
                n = part.block.stop - part.block.start
                q_GnD = grouped[b, :, :, span].reshape(groups, -1, D)
                k_GmD, v_GmD = _rows(key[b], part.block), _rows(value[b], part.block)
                g_GnD = grad[b, span].permute(1, 2, 0, 3).reshape(groups, -1, D)
                sums = row_sum[b, span].permute(1, 2, 0).reshape(groups, -1, 1)
                d_p = torch.bmm(g_GnD, v_GmD.transpose(1, 2))
                d_scores = ((d_p.float() - sums) * p_Gnm).mul_(ctx.scale).to(key.dtype)
                d_query[b, :, :, span] = torch.bmm(d_scores, k_GmD).view(groups, fold, n, D)
                _add_rows(d_value[b], part.block, torch.bmm(p_Gnm.transpose(1, 2), g_GnD))
                _add_rows(d_key[b], part.block, torch.bmm(d_scores.transpose(1, 2), q_GnD))
        return d_query.view(B, H, L, D), d_key.to(key.dtype), d_value.to(value.dtype), None, None


def _rows(source: Tensor, block: Block) -> Tensor:
    """Return the keys of a block, ``[G, m, D]`` from ``[G, L, D]``."""
    parts = [source[:, first:last] for first, last in block.keys]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _add_rows(target: Tensor, block: Block, values: Tensor) -> None:
    """Add ``[G, m, D]`` to the key rows of a block."""
    at = 0
    for first, last in block.keys:
        target[:, first:last] += values[:, at : at + last - first]
        at += last - first
