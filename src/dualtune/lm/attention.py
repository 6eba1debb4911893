"""Attention over packed tries: masks for the stock kernels, and a kernel that skips the rest.

``sdpa`` and ``eager`` get an additive float mask ``[B, 1, L, L]`` (a boolean one is silently
wrong under eager). ``trie`` gets three integers a node instead, ``[B, 3, 1, L]`` (end, depth,
window), which the model passes through untouched since it is four-dimensional, and computes the
blocks of ``dualtune.lm.blocks`` alone (``dualtune.lm.block_attention``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dualtune.lm import flex
from dualtune.lm.block_attention import NO_WINDOW, attend

NAME = "trie"


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
    return {kind: window if kind == "sliding_attention" else None for kind in dict.fromkeys(types)}


def attention_masks(end: Tensor, depth: Tensor, *, config: Any, implementation: str) -> Any:
    """Build the masks of a packed batch for a model.

    Args:
        end: One past the last node of each node's subtree ``[B, L]``.
        depth: Position ids ``[B, L]``.
        config: The model's configuration.
        implementation: ``trie``, ``sdpa``, ``eager`` or ``flex_attention``.

    Returns:
        One mask, or a dict of one a layer type where the model mixes windowed and full layers:
        tensors, or block masks for FlexAttention.
    """
    makers = {NAME: _integer_mask, flex.NAME: flex.trie_block_mask}
    make: Any = makers.get(implementation, additive_mask)
    kinds = windows(config.get_text_config())
    masks = {kind: make(end, depth, window) for kind, window in kinds.items()}
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
    size = torch.full_like(end, NO_WINDOW if window is None else window)
    return torch.stack([end, depth, size], dim=1)[:, :, None, :].to(torch.int32)


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
        ValueError: If attention sinks are asked for, or dropout or a score cap on packed tries.
    """
    if kwargs.get("s_aux") is not None:
        raise ValueError("trie attention has no attention sinks: use eager")
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
    return attend(query, key, value, attention_mask, scale=scale), None
