"""From encoded instances to the packs that a model computes at once.

How instances are laid out is a matter of memory and speed alone: loss and gradients of an
optimiser step do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dualtune.lm.trie import Labelled, Trie, build_trie, distinct_tokens


@dataclass(frozen=True, slots=True)
class Pack:
    """A batch of rows and what they predict.

    Attributes:
        tokens: Token ids ``[B, L]``.
        depth: Position ids ``[B, L]``.
        end: One past the last node of each node's subtree ``[B, L]``; None where the rows are
            plain sequences, each padded at its right end.
        index: Where each prediction is made: row times L plus node ``[K]``.
        label: The token to predict ``[K]``.
        weight: Loss weight ``[K]``.
        task: Task index ``[K]``.
        tokens_total: Tokens of all instances in it, shared prefixes counted each time.
        tokens_distinct: Tokens that are computed, padding left out.
        sequences: Instances in it.
    """

    tokens: Tensor
    depth: Tensor
    end: Tensor | None
    index: Tensor
    label: Tensor
    weight: Tensor
    task: Tensor
    tokens_total: int
    tokens_distinct: int
    sequences: int

    def to(self, device: torch.device | str) -> Pack:
        """Return the pack with its tensors on ``device``."""
        return Pack(
            tokens=self.tokens.to(device),
            depth=self.depth.to(device),
            end=None if self.end is None else self.end.to(device),
            index=self.index.to(device),
            label=self.label.to(device),
            weight=self.weight.to(device),
            task=self.task.to(device),
            tokens_total=self.tokens_total,
            tokens_distinct=self.tokens_distinct,
            sequences=self.sequences,
        )


def trie_packs(
    groups: Sequence[Sequence[Labelled]], *, tokens_per_pack: int, tokens_per_row: int | None = None
) -> list[Pack]:
    """Lay groups of sequences out as packed tries.

    Args:
        groups: Sequences that share prefixes belong in one group (solve and IRSP of a Problem;
            its IR). A group larger than a pack is divided.
        tokens_per_pack: Distinct tokens of a pack, padding included.
        tokens_per_row: Distinct tokens of a row. None puts a pack into one row, which suits
            attention that skips what is masked out; a short row suits attention over a dense
            mask, whose cost grows with the square of the row.

    Returns:
        Packs of rows of similar length.
    """
    row_limit = min(tokens_per_row or tokens_per_pack, tokens_per_pack)
    rows = [build_trie(row) for row in _rows(groups, row_limit)]
    rows.sort(key=len, reverse=True)  # rows of one length need no padding
    packs: list[list[Trie]] = []
    for row in rows:
        # Rows fall in length, so the first row of a pack is its width.
        if packs and (len(packs[-1]) + 1) * len(packs[-1][0]) <= tokens_per_pack:
            packs[-1].append(row)
        else:
            packs.append([row])
    return [_trie_pack(rows) for rows in packs]


def plain_packs(sequences: Sequence[Labelled], *, tokens_per_pack: int) -> list[Pack]:
    """Lay sequences out one by one, padded at the right, rows of similar length together.

    Args:
        sequences: What to lay out.
        tokens_per_pack: Tokens of a pack, padding included.

    Returns:
        Packs for ordinary causal attention, without masks.
    """
    packs: list[list[Labelled]] = []
    for sequence in sorted(sequences, key=lambda s: len(s.ids), reverse=True):
        if packs and (len(packs[-1]) + 1) * len(packs[-1][0].ids) <= tokens_per_pack:
            packs[-1].append(sequence)
        else:
            packs.append([sequence])
    return [_plain_pack(rows) for rows in packs]


def _rows(groups: Sequence[Sequence[Labelled]], limit: int) -> list[list[Labelled]]:
    rows: list[list[Labelled]] = []
    room = 0
    for group in groups:
        for part in _divide(list(group), limit):
            # An upper bound: the prefix that groups share (the system prompt) is counted again.
            size = distinct_tokens([one.ids for one in part])
            if size > room:
                rows.append([])
                room = limit
            rows[-1].extend(part)
            room -= size
    return rows


def _divide(group: list[Labelled], limit: int) -> list[list[Labelled]]:
    if not group:
        return []
    if len(group) == 1 or distinct_tokens([one.ids for one in group]) <= limit:
        return [group]
    half = len(group) // 2
    return _divide(group[:half], limit) + _divide(group[half:], limit)


def _trie_pack(rows: list[Trie]) -> Pack:
    width = max(len(row) for row in rows)
    tokens = np.zeros((len(rows), width), np.int64)
    depth = np.zeros((len(rows), width), np.int64)
    # A padding node is a root without children: it sees itself alone and nothing sees it.
    end = np.tile(np.arange(1, width + 1, dtype=np.int32), (len(rows), 1))
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = row.tokens
        depth[number, : len(row)] = row.depth
        end[number, : len(row)] = row.end
    offsets = [number * width for number in range(len(rows))]
    return Pack(
        tokens=torch.from_numpy(tokens),
        depth=torch.from_numpy(depth),
        end=torch.from_numpy(end),
        index=torch.from_numpy(
            np.concatenate(
                [r.node.astype(np.int64) + o for r, o in zip(rows, offsets, strict=True)]
            )
        ),
        label=torch.from_numpy(np.concatenate([r.label for r in rows]).astype(np.int64)),
        weight=torch.from_numpy(np.concatenate([r.weight for r in rows])),
        task=torch.from_numpy(np.concatenate([r.task for r in rows]).astype(np.int64)),
        tokens_total=sum(r.tokens_total for r in rows),
        tokens_distinct=sum(len(r) for r in rows),
        sequences=sum(r.sequences for r in rows),
    )


def _plain_pack(rows: list[Labelled]) -> Pack:
    width = max(len(row.ids) for row in rows)
    tokens = np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        tokens[number, : len(row.ids)] = row.ids
    spans = [np.arange(r.label_start - 1, len(r.ids) - 1) + n * width for n, r in enumerate(rows)]
    counts = [len(span) for span in spans]
    total = sum(len(r.ids) for r in rows)
    return Pack(
        tokens=torch.from_numpy(tokens),
        depth=torch.arange(width).expand(len(rows), width),
        end=None,
        index=torch.from_numpy(np.concatenate(spans)),
        label=torch.from_numpy(
            np.concatenate([r.ids[r.label_start :] for r in rows]).astype(np.int64)
        ),
        weight=torch.from_numpy(np.repeat(np.array([r.weight for r in rows], np.float32), counts)),
        task=torch.from_numpy(np.repeat(np.array([r.task for r in rows], np.int64), counts)),
        tokens_total=total,
        tokens_distinct=total,
        sequences=len(rows),
    )
