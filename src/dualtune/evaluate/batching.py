"""How many outputs are generated at once: as many as fit, found without being told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SHARE = 0.25  # of the free memory: the rest is for activations, logits and other processes
CPU_ROWS = 64  # more rows gain nothing on a CPU, and a kill loses the batch
GPU_ROWS = 512


def cache_bytes_per_token(config: Any, *, bytes_per_value: int) -> int:
    """Return the size of a token's keys and values in all layers.

    Args:
        config: The model's configuration.
        bytes_per_value: 2 in bfloat16, 4 in fp32.
    """
    text = config.get_text_config()
    heads = text.num_attention_heads
    key_heads = getattr(text, "num_key_value_heads", None) or heads
    dim = getattr(text, "head_dim", None) or text.hidden_size // heads
    return int(2 * text.num_hidden_layers * key_heads * dim * bytes_per_value)


def rows_at_once(*, tokens: int, bytes_per_token: int, free: int, most: int) -> int:
    """Return how many outputs to generate at once.

    Args:
        tokens: Longest prompt and output together.
        bytes_per_token: What a token takes in the key-value cache.
        free: Free memory in bytes.
        most: No more than so many.

    Returns:
        At least 1: a single row that does not fit is told by the allocator.
    """
    # Twice: a cache that grows is held in its old and its new size for a moment.
    row = 2 * tokens * bytes_per_token
    return max(1, min(most, int(free * SHARE) // max(row, 1)))


def free_memory() -> int:
    """Return how many bytes of main memory can be taken without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # no Linux: all of the memory is the best that can be known
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
