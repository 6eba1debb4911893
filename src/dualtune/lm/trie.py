"""Trie packing: every distinct prefix of a set of token sequences, stored once.

The sequences are inserted into a trie whose nodes are laid out in depth-first order. Node ``i``
keeps ``depth[i]``, its position id, and ``end[i]``, one past the last node of its subtree, so that
node ``i`` sees node ``j`` exactly if ``j <= i < end[j]``: its ancestors and itself.

        tokens   S  Q  a  b  R  x  y          sequences  S Q a b
        node     0  1  2  3  4  5  6                     S Q a
        depth    0  1  2  3  1  2  3                     S R x y
        end      7  4  4  4  7  7  7

Pure numpy; nothing here knows torch or a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A token sequence of which the last part is predicted.

    Attributes:
        ids: Token ids ``[L]``.
        label_start: Index of the first label token, at least 1.
        weight: Loss weight of each label token.
        task: Index of the task, for losses by task.
    """

    ids: Ints
    label_start: int
    weight: float = 1.0
    task: int = 0


@dataclass(frozen=True, slots=True)
class Trie:
    """One row: the nodes of a trie (or of several, one after the other) and what they predict.

    Attributes:
        tokens: Token id of each node ``[N]``.
        depth: Position id of each node ``[N]``.
        end: One past the last node of each node's subtree ``[N]``.
        node: The node that makes each prediction ``[K]``; siblings share theirs.
        label: The token that it should predict ``[K]``.
        weight: Loss weight of each prediction ``[K]``.
        task: Task index of each prediction ``[K]``.
        tokens_total: Tokens of all sequences, shared prefixes counted each time.
        sequences: How many sequences there are.
    """

    tokens: Ints
    depth: Ints
    end: Ints
    node: Ints
    label: Ints
    weight: Floats
    task: Ints
    tokens_total: int
    sequences: int

    def __len__(self) -> int:
        return len(self.tokens)


def build_trie(sequences: Sequence[Labelled]) -> Trie:
    """Insert sequences into one trie.

    The result does not depend on the order of ``sequences``, up to the order of predictions made
    by equal sequences.

    Args:
        sequences: At least one; each holds at least one token before its labels.

    Returns:
        The trie in depth-first order.

    Raises:
        ValueError: If there is no sequence, or one has no token before its labels.
    """
    if not sequences:
        raise ValueError("a trie needs at least one sequence")
    ordered = _lexicographic(sequences)
    longest = max(len(s.ids) for s in ordered)
    total = sum(len(s.ids) for s in ordered)
    tokens = np.empty(total, np.int32)
    depth = np.empty(total, np.int32)
    end = np.empty(total, np.int32)
    path = np.empty(longest, np.int32)  # the nodes from the root to the current leaf
    nodes: list[Ints] = []
    size, length = 0, 0
    previous: Ints = np.empty(0, np.int32)
    for sequence in ordered:
        ids = sequence.ids
        if not 1 <= sequence.label_start < len(ids):
            raise ValueError(
                f"label_start is {sequence.label_start}, but a sequence of {len(ids)} tokens needs "
                f"it between 1 and {len(ids) - 1}"
            )
        shared = common_prefix(previous, ids)
        end[path[shared:length]] = size  # these subtrees are complete
        length = len(ids)
        new = length - shared
        tokens[size : size + new] = ids[shared:]
        depth[size : size + new] = np.arange(shared, length, dtype=np.int32)
        path[shared:length] = np.arange(size, size + new, dtype=np.int32)
        size += new
        nodes.append(path[sequence.label_start - 1 : length - 1].copy())
        previous = ids
    end[path[:length]] = size
    counts = [len(s.ids) - s.label_start for s in ordered]
    return Trie(
        tokens=tokens[:size].copy(),
        depth=depth[:size].copy(),
        end=end[:size].copy(),
        node=np.concatenate(nodes),
        label=np.concatenate([s.ids[s.label_start :] for s in ordered]),
        weight=np.repeat(np.array([s.weight for s in ordered], np.float32), counts),
        task=np.repeat(np.array([s.task for s in ordered], np.int32), counts),
        tokens_total=total,
        sequences=len(ordered),
    )


def common_prefix(first: Ints, second: Ints) -> int:
    """Return how many leading tokens two sequences share."""
    shortest = min(len(first), len(second))
    differing = np.flatnonzero(first[:shortest] != second[:shortest])
    return int(differing[0]) if len(differing) else shortest


def distinct_tokens(sequences: Sequence[Ints]) -> int:
    """Count the nodes of the trie of some sequences without building it.

    Args:
        sequences: Token ids, each ``[L]``.

    Returns:
        The number of distinct prefixes.
    """
    keyed = sorted(sequences, key=_key)
    count = 0
    previous: Ints = np.empty(0, np.int32)
    for ids in keyed:
        count += len(ids) - common_prefix(previous, ids)
        previous = ids
    return count


def _lexicographic(sequences: Sequence[Labelled]) -> list[Labelled]:
    # Neighbours in lexicographic order share the longest prefixes, so one pass builds the trie.
    return sorted(sequences, key=lambda s: (_key(s.ids), s.label_start, s.task, s.weight))


def _key(ids: Ints) -> bytes:
    # Big-endian bytes of non-negative ids compare as the ids do.
    return ids.astype(">i4").tobytes()
