from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.lm.trie import Labelled, build_trie, distinct_tokens

# Few symbols, so that prefixes are shared often.
sequences = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=9), min_size=1, max_size=8)


def labelled(ids: list[int], start: int = 1) -> Labelled:
    return Labelled(np.array(ids, np.int32), start)


def read_back(trie, node: int) -> list[int]:
    """Follow the ancestors of a node by the rule j <= i < end[j]."""
    return [int(trie.tokens[j]) for j in range(node + 1) if node < trie.end[j]]


@given(sequences)
def test_every_prediction_sees_exactly_its_own_prefix(rows: list[list[int]]) -> None:
    trie = build_trie([labelled(row) for row in rows])
    made = sorted(
        (tuple(read_back(trie, int(n))), int(t)) for n, t in zip(trie.node, trie.label, strict=True)
    )
    expected = sorted((tuple(row[:i]), row[i]) for row in rows for i in range(1, len(row)))
    assert made == expected


@given(sequences)
def test_nodes_are_the_distinct_prefixes(rows: list[list[int]]) -> None:
    prefixes = {tuple(row[: i + 1]) for row in rows for i in range(len(row))}
    trie = build_trie([labelled(row) for row in rows])
    assert len(trie) == len(prefixes)
    assert distinct_tokens([np.array(row, np.int32) for row in rows]) == len(prefixes)
    assert {tuple(read_back(trie, i)) for i in range(len(trie))} == prefixes
    assert trie.tokens_total == sum(map(len, rows))


@given(sequences)
def test_depth_is_the_position_in_the_sequence(rows: list[list[int]]) -> None:
    trie = build_trie([labelled(row) for row in rows])
    assert [len(read_back(trie, i)) - 1 for i in range(len(trie))] == trie.depth.tolist()


@given(sequences, st.randoms())
def test_order_of_sequences_does_not_matter(rows: list[list[int]], random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    first = build_trie([labelled(row) for row in rows])
    second = build_trie([labelled(row) for row in shuffled])
    for name in ("tokens", "depth", "end", "node", "label"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_drawing_of_the_module_docstring() -> None:
    S, Q, a, b, R, x, y = range(1, 8)
    trie = build_trie([labelled([S, Q, a, b]), labelled([S, Q, a]), labelled([S, R, x, y])])
    assert trie.tokens.tolist() == [S, Q, a, b, R, x, y]
    assert trie.depth.tolist() == [0, 1, 2, 3, 1, 2, 3]
    assert trie.end.tolist() == [7, 4, 4, 4, 7, 7, 7]


@pytest.mark.parametrize("start", [0, 3, 4])
def test_label_start_outside_the_sequence_is_an_error(start: int) -> None:
    with pytest.raises(ValueError, match=f"label_start is {start}"):
        build_trie([labelled([1, 2, 3], start)])


def test_no_sequence_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_trie([])
