"""What tuning leaves behind: the adapter, and a model that others load as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from dualtune.errors import DualtuneError
from dualtune.lm import adapters
from dualtune.lm.encode import Encoder
from dualtune.lm.models import Dtype, load_model
from dualtune.recipe import Adapter

Weights = Mapping[str, Tensor]


def save_tuned(
    model: Any,
    run: Path,
    *,
    settings: Adapter,
    encoder: Encoder,
    base: Path | str,
    weights: Weights | None = None,
) -> Path:
    """Write what was tuned to a run folder: ``model/``, and ``adapter/`` where there is one.

    Args:
        model: The tuned model.
        run: The run folder.
        settings: The recipe's ``train.adapter``.
        encoder: Whose tokenizer and end of turn the model was trained with.
        base: Of the untuned model, for adapters that are merged into weights of their own.
        weights: All weights of the model by name, where ``model`` holds but a shard of them.

    Returns:
        The folder of the model.

    Raises:
        DualtuneError: If it cannot be written; what was there before is kept.
    """
    alone, out = run / adapters.FOLDER, run / "model"
    if settings.kind == "none":
        shutil.rmtree(alone, ignore_errors=True)  # of earlier settings
    else:
        with replaced(alone) as work:
            model.save_pretrained(work, state_dict=weights)
    if settings.kind != "none" and settings.merge:
        model = _merged(model, settings, base, alone, sharded=weights is not None)
        weights = None
    # Packing's kernel is ours: others load the model with their own default.
    model.config._attn_implementation = "sdpa"
    _let_stop(model, encoder.stop_id)
    with replaced(out) as work:
        model.save_pretrained(work, state_dict=weights)
        encoder.tokenizer.save_pretrained(work)
    return out


def _merged(
    model: Any, settings: Adapter, base: Path | str, adapter: Path, *, sharded: bool
) -> Any:
    quantised = settings.kind == "qlora"
    if not quantised and not sharded:
        return adapters.merged(model)
    dtype: Dtype = "float32" if model.dtype.itemsize == 4 and not quantised else "bfloat16"
    return adapters.merged_into(load_model(base, attention="sdpa", dtype=dtype), adapter)


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """Open a folder to write to, which takes the place of ``out`` once the block is done.

    Raises:
        DualtuneError: If it cannot be written; ``out`` is then as it was.
    """
    from safetensors import SafetensorError

    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
    except (OSError, SafetensorError) as error:
        shutil.rmtree(work, ignore_errors=True)
        raise DualtuneError(
            f"cannot write {out}: {error}. Free some disk space and give the same "
            "command again; it goes on from the last checkpoint."
        ) from error
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)


def _let_stop(model: Any, stop_id: int) -> None:
    """Let generation stop at the token that the model was trained to end with."""
    config = model.generation_config
    known = config.eos_token_id
    ids = [] if known is None else [known] if isinstance(known, int) else list(known)
    if stop_id not in ids:
        config.eos_token_id = [*ids, stop_id]
