"""Which pairs of nodes a trie's attention has to look at, as few dense blocks.

A packed row of N nodes would need an N x N mask of which most is masked out: different Problems,
and different branches of one Problem, do not see each other. This module cuts the row where it
branches. Each block is a run of consecutive queries with one shared set of keys: the ancestors
that all of them see, and the run itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

# Below this many nodes a subtree stays one block: smaller matrix products cost more than the
# masked pairs that they would spare (measured on CPU at head size 64).
LARGEST_BLOCK = 192


@dataclass(frozen=True, slots=True)
class Block:
    """Queries ``start..stop`` and the key ranges that they may see.

    Attributes:
        start: First query node.
        stop: One past the last query node.
        keys: Disjoint ranges ``(first, one past last)`` in rising order; the last one ends at
            ``stop``.
    """

    start: int
    stop: int
    keys: tuple[tuple[int, int], ...]

    def key_index(self) -> Ints:
        """Return the key nodes ``[m]``."""
        return np.concatenate([np.arange(a, b, dtype=np.int32) for a, b in self.keys])


def find_blocks(end: Ints, largest: int = LARGEST_BLOCK) -> list[Block]:
    """Cut a row into blocks.

    Args:
        end: One past the last node of each node's subtree ``[N]``, in depth-first order.
        largest: Subtrees up to this size are not cut.

    Returns:
        Blocks whose query runs cover ``0..N`` without overlap, in order.
    """
    blocks: list[Block] = []
    # Each task: nodes [lo, hi) that hold whole subtrees, below these ancestors.
    pending: list[tuple[int, int, tuple[tuple[int, int], ...]]] = [(0, len(end), ())]
    while pending:
        lo, hi, above = pending.pop()
        later: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
        root = lo
        while root < hi:
            stop = int(end[root])
            if stop - root <= largest:
                while stop < hi and int(end[stop]) - root <= largest:
                    stop = int(end[stop])  # small neighbours share a block
                blocks.append(_block(root, stop, above))
                root = stop
                continue
            trunk = _trunk(end, root)
            for first in range(root, trunk, largest):
                last = min(first + largest, trunk)
                inside = (*above, (root, first)) if first > root else above
                blocks.append(_block(first, last, inside))
            if trunk < stop:
                later.append((trunk, stop, (*above, (root, trunk))))
            root = stop
        pending.extend(later)
    return sorted(blocks, key=lambda b: b.start)


def visible(end: Ints, depth: Ints, block: Block, window: int | None) -> NDArray[np.bool_]:
    """Say which keys each query of a block sees.

    Args:
        end: Subtree ends ``[N]``.
        depth: Positions ``[N]``.
        block: The block.
        window: Sliding window in tokens; None where every ancestor is seen.

    Returns:
        ``[n, m]``: n queries, m keys in the order of ``block.key_index()``.
    """
    key = block.key_index()
    query = np.arange(block.start, block.stop, dtype=np.int32)
    seen = (key[None, :] <= query[:, None]) & (query[:, None] < end[key][None, :])
    if window is not None:
        seen &= depth[query][:, None] - depth[key][None, :] < window
    return np.asarray(seen)


def _trunk(end: Ints, root: int) -> int:
    """Return one past the last node of the unbranched chain that starts at ``root``."""
    # A node's only child ends where the node ends; ends never rise along a chain.
    last = int(end[root])
    same = end[root:last] == last
    branching = np.flatnonzero(~same)
    return root + int(branching[0]) if len(branching) else last


def _block(start: int, stop: int, above: tuple[tuple[int, int], ...]) -> Block:
    merged: list[tuple[int, int]] = []
    for first, last in (*above, (start, stop)):
        if merged and merged[-1][1] == first:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return Block(start=start, stop=stop, keys=tuple(merged))
