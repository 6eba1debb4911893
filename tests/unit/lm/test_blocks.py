from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dualtune.lm.blocks import find_blocks, visible
from dualtune.lm.trie import Labelled, build_trie

rows = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=30), min_size=1, max_size=12)


def dense(end: np.ndarray, depth: np.ndarray, window: int | None) -> np.ndarray:
    node = np.arange(len(end))
    seen = (node[None] <= node[:, None]) & (node[:, None] < end[None])
    if window is not None:
        seen &= depth[:, None] - depth[None] < window
    return seen


@given(rows, st.integers(1, 12), st.sampled_from([None, 1, 3]))
def test_blocks_see_what_the_dense_mask_shows(
    lists: list[list[int]], largest: int, window: int | None
) -> None:
    trie = build_trie([Labelled(np.array(ids, np.int32), 1) for ids in lists])
    seen = np.zeros((len(trie), len(trie)), bool)
    covered = 0
    for block in find_blocks(trie.end, largest):
        assert block.start == covered, "query runs are in order, without gap or overlap"
        covered = block.stop
        part = visible(trie.end, trie.depth, block, window)
        seen[np.ix_(range(block.start, block.stop), block.key_index())] = part
    assert covered == len(trie)
    assert np.array_equal(seen, dense(trie.end, trie.depth, window))


def test_branches_do_not_pay_for_each_other() -> None:
    shared = list(range(40))
    lists = [shared + [100 + n] * 50 for n in range(10)]
    trie = build_trie([Labelled(np.array(ids, np.int32), 1) for ids in lists])
    pairs = sum((b.stop - b.start) * len(b.key_index()) for b in find_blocks(trie.end, largest=64))
    assert pairs < 0.25 * len(trie) ** 2
