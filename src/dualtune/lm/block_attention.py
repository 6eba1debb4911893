"""Attention that computes the blocks of a packed trie alone, with few kernel calls.

A row is cut into blocks of queries with a shared set of keys (``dualtune.lm.blocks``); blocks of
similar shape are padded to a bucket and computed in one batch. On a CPU the arithmetic of short
blocks costs less than the calls around it, so whatever can be done for all buckets at once is:
one gather lays the queries (keys, values) of all of them out in the order in which the buckets
need them, one gather brings the results back.

Shapes: G key heads, F query heads a key head, H = G * F; a bucket holds b blocks of n queries and
m keys. Query heads that share a key head are folded into the query axis, so that keys and values
are never repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dualtune.lm.blocks import find_blocks, visible

NO_WINDOW = 0

# Query-key pairs of one batch of blocks, and how much of it may be padding. Small enough for the
# scores of all heads to stay in a CPU's cache, large enough for few kernel calls.
LARGEST_BATCH = 1 << 18
MOST_PADDING = 1.25


@dataclass(frozen=True, slots=True)
class _Part:
    """A block: its queries and keys, numbered over the rows of a batch, ``row * L + node``."""

    query: NDArray[np.int64]  # [n]
    key: NDArray[np.int64]  # [m]
    hidden: NDArray[np.bool_]  # [n, m]


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Where a bucket lies among the gathered queries and keys of all buckets."""

    shape: tuple[int, int, int]  # b, n, m
    query: slice  # of [Q, D]
    key: slice  # of [K, D]
    hidden: Tensor  # [b, 1, 1, n, m] true where the query must not see the key


@dataclass(frozen=True, slots=True)
class _Plan:
    """The buckets of a batch for a number of heads.

    Q counts the queries of all buckets with their heads and padding, K the keys.

    Attributes:
        buckets: The buckets.
        query: Which of the ``[N * H]`` rows of the queries goes where ``[Q]``.
        key: Which of the ``[N * G]`` rows of the keys goes where ``[K]``.
        padding: Places of padded queries, which must add nothing to a gradient.
        inverse: Where each of the ``[N * H]`` queries lies in the buckets.
    """

    buckets: tuple[_Bucket, ...]
    query: Tensor
    key: Tensor
    padding: Tensor
    inverse: Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, scale: float) -> Tensor:
    """Attend within the blocks of packed tries.

    Scores and softmax are in fp32, whatever the type of the queries.

    Args:
        query: ``[B, H, L, D]``.
        key: ``[B, G, L, D]``, G a divisor of H.
        value: ``[B, G, L, D]``.
        mask: End, depth and window of each node ``[B, 3, 1, L]``. All layers get the same object,
            so that the blocks are found once a forward pass.
        scale: Scale of the scores.

    Returns:
        ``[B, L, H, D]``.
    """
    plan = _plan(mask, heads=query.shape[1], key_heads=key.shape[1])
    result: Tensor = _BlockAttention.apply(query, key, value, plan, scale)  # type: ignore[no-untyped-call]
    return result


def _plan(mask: Tensor, *, heads: int, key_heads: int) -> _Plan:
    known: dict[tuple[int, int], _Plan] | None = getattr(mask, "_dualtune_plans", None)
    if known is None:
        known = {}
        mask._dualtune_plans = known  # type: ignore[attr-defined]
    if (heads, key_heads) not in known:
        groups = _groups(_parts(mask))
        nodes = mask.shape[0] * mask.shape[-1]
        known[heads, key_heads] = _lay_out(
            groups, nodes=nodes, heads=(key_heads, heads // key_heads), device=mask.device
        )
    return known[heads, key_heads]


def _parts(mask: Tensor) -> list[_Part]:
    parts = []
    length = mask.shape[-1]
    for row, (end, depth, size) in enumerate(mask[:, :, 0].cpu().numpy().astype(np.int32)):
        window = None if size[0] == NO_WINDOW else int(size[0])
        for block in find_blocks(end):
            query = np.arange(block.start, block.stop, dtype=np.int64) + row * length
            key = block.key_index().astype(np.int64) + row * length
            parts.append(_Part(query, key, ~visible(end, depth, block, window)))
    return parts


def _groups(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Put blocks of similar shape together."""
    groups: list[list[_Part]] = []
    # Neighbours in this order waste little padding.
    for part in sorted(parts, key=lambda p: (len(p.key), len(p.query))):
        if groups and _fits([*groups[-1], part]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _fits(parts: Sequence[_Part]) -> bool:
    """Say whether blocks go into one batch: little padding, and scores that stay in the cache."""
    n, m = max(len(p.query) for p in parts), max(len(p.key) for p in parts)
    padded = len(parts) * n * m
    useful = sum(len(p.query) * len(p.key) for p in parts)
    return padded <= LARGEST_BATCH and padded <= MOST_PADDING * useful


def _lay_out(
    groups: Sequence[Sequence[_Part]], *, nodes: int, heads: tuple[int, int], device: torch.device
) -> _Plan:
    key_heads, folded = heads
    query_head = np.arange(key_heads * folded).reshape(key_heads, folded, 1)
    key_head = np.arange(key_heads)[:, None]
    buckets, queries, keys, padded = [], [], [], []
    q_at = k_at = 0
    for parts in groups:
        b, n, m = len(parts), max(len(p.query) for p in parts), max(len(p.key) for p in parts)
        query, key = np.zeros((b, n), np.int64), np.zeros((b, m), np.int64)
        used = np.zeros((b, n), np.bool_)
        hidden = np.ones((b, 1, 1, n, m), np.bool_)
        for number, part in enumerate(parts):
            query[number, : len(part.query)] = part.query
            used[number, : len(part.query)] = True
            key[number, : len(part.key)] = part.key
            hidden[number, 0, 0, : len(part.query), : len(part.key)] = part.hidden
        # [b, G, F, n] and [b, G, m]
        queries.append((query[:, None, None] * query_head.size + query_head).ravel())
        padded.append(np.broadcast_to(~used[:, None, None], (b, *heads, n)).ravel())
        keys.append((key[:, None] * key_heads + key_head).ravel())
        q_to, k_to = q_at + len(queries[-1]), k_at + len(keys[-1])
        seen = torch.from_numpy(hidden).to(device)
        buckets.append(_Bucket((b, n, m), slice(q_at, q_to), slice(k_at, k_to), seen))
        q_at, k_at = q_to, k_to
    query_index, padding = np.concatenate(queries), np.concatenate(padded)
    inverse = np.empty(nodes * query_head.size, np.int64)
    inverse[query_index[~padding]] = np.flatnonzero(~padding)
    return _Plan(
        buckets=tuple(buckets),
        query=torch.from_numpy(query_index).to(device),
        key=torch.from_numpy(np.concatenate(keys)).to(device),
        padding=torch.from_numpy(np.flatnonzero(padding)).to(device),
        inverse=torch.from_numpy(inverse).to(device),
    )


class _BlockAttention(torch.autograd.Function):
    """Softmax attention over buckets of blocks, with the probabilities kept for the backward."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: _Plan, scale: float
    ) -> Tensor:
        B, H, L, D = query.shape
        G = key.shape[1]
        with torch.autocast(query.device.type, enabled=False):
            q_QD = _rows(query).index_select(0, plan.query)
            k_KD, v_KD = (_rows(x).index_select(0, plan.key) for x in (key, value))
            # Scores are sums of many products: in bf16 their error would be that of the softmax.
            scaled_QD, wide_KD = q_QD.float() * scale, k_KD.float()
            out_QD = torch.empty_like(q_QD)
            kept = []
            for bucket in plan.buckets:
                b, n, m = bucket.shape
                q, out = (x[bucket.query].view(b * G, -1, D) for x in (scaled_QD, out_QD))
                k, v = (x[bucket.key].view(b * G, m, D) for x in (wide_KD, v_KD))
                scores = torch.bmm(q, k.transpose(1, 2))
                # The lowest float, not -inf: a padded query sees nothing, and must not be NaN.
                scores.view(b, G, H // G, n, m).masked_fill_(
                    bucket.hidden, torch.finfo(scores.dtype).min
                )
                p = torch.softmax(scores, -1).to(v.dtype)
                torch.bmm(p, v, out=out)
                kept.append(p)
        ctx.plan, ctx.scale, ctx.key_shape = plan, scale, key.shape
        ctx.save_for_backward(q_QD, k_KD, v_KD, out_QD, *kept)
        return out_QD.index_select(0, plan.inverse).view(B, L, H, D)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q_QD, k_KD, v_KD, out_QD, *kept = ctx.saved_tensors
        plan: _Plan = ctx.plan
        B, L, H, D = grad.shape
        G = ctx.key_shape[1]
        with torch.autocast(grad.device.type, enabled=False):
            g_QD = grad.reshape(-1, D).to(q_QD.dtype).index_select(0, plan.query)
            g_QD.index_fill_(0, plan.padding, 0)
            # Sum over the keys of p * dp, for each query and head.
            sums_Q1 = (g_QD.float() * out_QD).sum(-1, keepdim=True).to(q_QD.dtype)
            d_q_QD = torch.empty_like(q_QD)
            d_k_KD, d_v_KD = torch.empty_like(k_KD), torch.empty_like(v_KD)
            of_queries, of_keys = (q_QD, g_QD, sums_Q1, d_q_QD), (k_KD, v_KD, d_k_KD, d_v_KD)
            for bucket, p in zip(plan.buckets, kept, strict=True):
                groups = bucket.shape[0] * G
                q, g, sums, d_q = (x[bucket.query].view(groups, -1, x.shape[1]) for x in of_queries)
                k, v, d_k, d_v = (x[bucket.key].view(groups, -1, D) for x in of_keys)
                torch.bmm(p.transpose(1, 2), g, out=d_v)
                d_scores = torch.bmm(g, v.transpose(1, 2)).sub_(sums).mul_(p)
                torch.bmm(d_scores, k, out=d_q)
                torch.bmm(d_scores.transpose(1, 2), q, out=d_k)
            d_query = d_q_QD.index_select(0, plan.inverse).mul_(ctx.scale)
            d_key = _added(d_k_KD, plan.key, rows=B * L * G).mul_(ctx.scale)
            d_value = _added(d_v_KD, plan.key, rows=B * L * G)
        return (
            d_query.view(B, L, H, D).transpose(1, 2),
            d_key.to(k_KD.dtype).view(B, L, G, D).transpose(1, 2),
            d_value.to(v_KD.dtype).view(B, L, G, D).transpose(1, 2),
            None,
            None,
        )


def _rows(source: Tensor) -> Tensor:
    """Return ``[B * L * H, D]`` from ``[B, H, L, D]``."""
    return source.transpose(1, 2).reshape(-1, source.shape[-1])


def _added(values: Tensor, index: Tensor, *, rows: int) -> Tensor:
    """Add rows ``[K, D]`` up at their places ``[rows, D]``, in fp32: many blocks share a key."""
    total = torch.zeros(rows, values.shape[-1], dtype=torch.float32, device=values.device)
    return total.index_add_(0, index, values.float())
