"""Every label of every sequence is predicted exactly once, however the sequences are laid out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.lm.packing import Pack, plain_packs, trie_packs
from dualtune.lm.trie import Labelled, build_trie


@st.composite
def sequences(draw: st.DrawFn) -> Labelled:
    # Few token ids, so that prefixes are shared, sequences repeat and groups share with groups.
    ids = draw(st.lists(st.integers(1, 3), min_size=2, max_size=12))
    return Labelled(
        ids=np.array(ids, np.int32),
        label_start=draw(st.integers(1, len(ids) - 1)),
        weight=draw(st.sampled_from([0.25, 1.0, 2.0])),
        task=draw(st.integers(0, 2)),
    )


GROUPS = st.lists(st.lists(sequences(), min_size=1, max_size=6), min_size=1, max_size=6)

# What is predicted from which tokens, with which weight, for which task.
Predictions = Counter[tuple[tuple[int, ...], int, float, int]]


def wanted(groups: list[list[Labelled]]) -> Predictions:
    found: Predictions = Counter()
    for one in (s for group in groups for s in group):
        for place in range(one.label_start, len(one.ids)):
            before = tuple(one.ids[:place].tolist())
            found[before, int(one.ids[place]), one.weight, one.task] += 1
    return found


def predicted(packs: list[Pack]) -> Predictions:
    """Read back what each prediction sees: the ancestors of its node, or the row before it."""
    found: Predictions = Counter()
    for pack in packs:
        width = pack.tokens.shape[1]
        for index, label, weight, task in zip(
            pack.index.tolist(),
            pack.label.tolist(),
            pack.weight.tolist(),
            pack.task.tolist(),
            strict=True,
        ):
            row, node = divmod(index, width)
            seen = [j for j in range(node + 1) if pack.end is None or node < int(pack.end[row, j])]
            assert pack.depth[row, seen].tolist() == list(range(len(seen)))
            found[tuple(pack.tokens[row, seen].tolist()), label, weight, task] += 1
    return found


@given(groups=GROUPS, per_pack=st.integers(1, 60), per_row=st.none() | st.integers(1, 40))
def test_every_label_is_predicted_once_from_its_own_prefix(
    groups: list[list[Labelled]], per_pack: int, per_row: int | None
) -> None:
    packs = trie_packs(groups, tokens_per_pack=per_pack, tokens_per_row=per_row)
    assert predicted(packs) == wanted(groups)
    flat = [s for group in groups for s in group]
    assert sum(p.sequences for p in packs) == len(flat)
    assert sum(p.tokens_total for p in packs) == sum(len(s.ids) for s in flat)


@given(groups=GROUPS, per_pack=st.integers(1, 60), per_row=st.none() | st.integers(1, 40))
def test_limits_are_kept_but_for_a_sequence_that_is_longer(
    groups: list[list[Labelled]], per_pack: int, per_row: int | None
) -> None:
    packs = trie_packs(groups, tokens_per_pack=per_pack, tokens_per_row=per_row)
    row_limit = min(per_row or per_pack, per_pack)
    for pack in packs:
        rows, width = pack.tokens.shape
        if width > row_limit:
            assert rows * width <= per_pack or rows == 1
            assert width in {len(s.ids) for group in groups for s in group}
        else:
            assert rows * width <= per_pack
        assert pack.tokens_distinct <= rows * width


@given(groups=GROUPS, per_pack=st.integers(1, 60))
def test_padding_sees_itself_alone(groups: list[list[Labelled]], per_pack: int) -> None:
    for pack in trie_packs(groups, tokens_per_pack=per_pack, tokens_per_row=per_pack // 3 + 1):
        assert pack.end is not None
        rows, width = pack.tokens.shape
        padding = 0
        for row in range(rows):
            for node in range(width):
                if pack.tokens[row, node] == 0:
                    padding += 1
                    assert int(pack.end[row, node]) == node + 1
                    assert not any(int(pack.end[row, j]) > node for j in range(node))
        assert rows * width - padding == pack.tokens_distinct
        assert (pack.tokens.flatten()[pack.index] != 0).all()


@given(groups=GROUPS, per_pack=st.integers(1, 60))
def test_plain_packs(groups: list[list[Labelled]], per_pack: int) -> None:
    flat = [s for group in groups for s in group]
    packs = plain_packs(flat, tokens_per_pack=per_pack)
    assert predicted(packs) == wanted(groups)
    assert sum(p.sequences for p in packs) == len(flat)
    for pack in packs:
        rows, width = pack.tokens.shape
        assert pack.end is None
        assert rows == 1 or rows * width <= per_pack
        assert pack.tokens_total == pack.tokens_distinct == int((pack.tokens != 0).sum())


def random_group(size: int, length: int, shared: int, seed: int = 0) -> list[Labelled]:
    draw = np.random.default_rng(seed)
    opening = np.arange(1, shared + 1)
    return [
        Labelled(
            ids=np.concatenate([opening, draw.integers(1, 1000, length - shared)]).astype(np.int32),
            label_start=shared,
        )
        for _ in range(size)
    ]


def test_a_group_larger_than_a_pack_is_divided() -> None:
    group = random_group(8, length=20, shared=10)
    assert len(build_trie(group)) == 90
    packs = trie_packs([group], tokens_per_pack=50)
    assert len(packs) > 1
    assert all(p.tokens.numel() <= 50 for p in packs)
    assert predicted(packs) == wanted([group])
    # Each half shares its opening still.
    assert sum(p.tokens_distinct for p in packs) < 8 * 20


def test_a_sequence_longer_than_a_pack_has_one_of_its_own() -> None:
    group = random_group(3, length=30, shared=5)
    packs = trie_packs([group], tokens_per_pack=10)
    assert [tuple(p.tokens.shape) for p in packs] == [(1, 30)] * 3


def test_groups_of_a_row_share_what_they_have_in_common() -> None:
    first = random_group(2, length=20, shared=10, seed=1)
    second = random_group(2, length=25, shared=10, seed=2)
    (pack,) = trie_packs([first, second], tokens_per_pack=1000)
    assert pack.tokens.shape[0] == 1
    assert pack.tokens_distinct == 10 + 2 * 10 + 2 * 15


def test_rows_of_similar_length_stand_together() -> None:
    groups = [random_group(1, length=n, shared=1, seed=n) for n in (10, 50, 12, 48, 11, 49)]
    packs = trie_packs(groups, tokens_per_pack=150, tokens_per_row=50)
    shapes = [tuple(p.tokens.shape) for p in packs]
    assert shapes[0] == (3, 50)
    assert sum(p.tokens.numel() - p.tokens_distinct for p in packs) < 20


@pytest.mark.parametrize("groups", [[], [[]]])
def test_nothing_makes_no_pack(groups: list[list[Labelled]]) -> None:
    assert trie_packs(groups, tokens_per_pack=10) == []
    assert plain_packs([], tokens_per_pack=10) == []


def test_to_a_device_keeps_everything() -> None:
    (pack,) = trie_packs([random_group(3, length=20, shared=5)], tokens_per_pack=1000)
    moved = pack.to("meta")
    for name in ("tokens", "depth", "end", "index", "label", "weight", "task"):
        assert getattr(moved, name).device.type == "meta"
        assert getattr(moved, name).shape == getattr(pack, name).shape
    assert (moved.tokens_total, moved.tokens_distinct, moved.sequences) == (60, 50, 3)
