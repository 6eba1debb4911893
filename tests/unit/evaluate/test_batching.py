"""How many outputs are generated at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualtune.evaluate.batching import cache_bytes_per_token, free_memory, rows_at_once


@given(
    tokens=st.integers(1, 200_000),
    size=st.integers(1, 10**7),
    free=st.integers(0, 10**13),
    most=st.integers(1, 4096),
)
def test_there_is_always_a_row_and_never_too_many(
    tokens: int, size: int, free: int, most: int
) -> None:
    rows = rows_at_once(tokens=tokens, bytes_per_token=size, free=free, most=most)
    assert 1 <= rows <= most
    assert rows == 1 or 2 * rows * tokens * size <= free / 4
    larger = rows_at_once(tokens=tokens, bytes_per_token=size, free=2 * free, most=most)
    assert larger >= rows


def test_a_small_model_on_a_common_machine_gets_a_full_batch() -> None:
    # SmolLM2-135M: 30 layers, 3 key heads of 64, bf16.
    assert rows_at_once(tokens=600, bytes_per_token=23_040, free=8 << 30, most=64) == 64
    # A 7B model without grouped keys, 2,000 tokens, 8 GiB free: two rows of 1 GiB.
    assert rows_at_once(tokens=2048, bytes_per_token=524_288, free=8 << 30, most=64) == 1


@pytest.mark.parametrize(
    ("key_heads", "expected"), [(2, 2 * 3 * 2 * 8 * 2), (4, 2 * 3 * 4 * 8 * 2)]
)
def test_the_cache_of_a_token(key_heads: int, expected: int) -> None:
    from transformers import LlamaConfig

    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=key_heads,
    )
    assert cache_bytes_per_token(config, bytes_per_value=2) == expected


def test_free_memory_is_read() -> None:
    assert (1 << 20) < free_memory() < (1 << 50)
