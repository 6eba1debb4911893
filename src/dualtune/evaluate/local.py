"""What backends that load weights by themselves have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def base_and_adapter(folder: Path | str) -> tuple[str, str | None]:
    """Return the model to load and the adapter to load on it, where a folder holds one alone."""
    file = Path(folder) / "adapter_config.json"
    if not file.is_file():
        return str(folder), None
    return json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"], str(folder)


def stop_ids(tokenizer: Any, stop_id: int, generation_config: Any = None) -> list[int]:
    """Return the tokens that end an output: end of turn, end of text, or any special token.

    An answer holds no special token, so one means that the model has begun another turn.

    Args:
        tokenizer: The model's tokenizer.
        stop_id: The token that ends the model's turn.
        generation_config: The model's, which may name further ones.
    """
    named = generation_config.eos_token_id if generation_config else None
    ids = {stop_id, *tokenizer.all_special_ids, *(named if isinstance(named, list) else [named])}
    return sorted(i for i in ids if i is not None)
