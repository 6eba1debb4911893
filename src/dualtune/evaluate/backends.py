"""Which backend generates, how it wants its prompts, and what its outputs depend on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dualtune.errors import BadInput
from dualtune.evaluate.fingerprint import generation_key
from dualtune.evaluate.generation import Backend
from dualtune.evaluate.requests import Decoding, Render
from dualtune.recipe import Eval, Model

# Of the extra "eval", what generating, grading and counting need: found out before the first of
# them, not after hours.
_NEEDED = {"lm_eval": "lm-evaluation-harness", "math_verify": "Math-Verify", "scipy": "SciPy"}


@dataclass(slots=True)
class Setup:
    """All about a model but its weights in memory.

    Attributes:
        render: Turns the messages of a prompt into its text.
        stop: Text that ends the model's turn; None where only a server knows.
        key: The fingerprint of outputs of a decoding.
        load: Loads the model.
    """

    render: Render
    stop: str | None
    key: Callable[[Decoding], str]
    load: Callable[[], Backend]
    _loaded: Backend | None = field(default=None, init=False)

    def backend(self) -> Backend:
        """Return the backend, loaded when the first output has to be generated."""
        if self._loaded is None:
            self._loaded = self.load()
        return self._loaded

    def close(self) -> None:
        """Give back what the backend holds, if it was loaded."""
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None


def set_up(folder: Path | str, *, settings: Eval, model: Model, seed: int) -> Setup:
    """Prepare a model for generation, without loading it.

    Args:
        folder: Model folder or hub id; the model's name where a server has it.
        settings: The recipe's eval section.
        model: The recipe's model section.
        seed: The recipe's seed.

    Raises:
        BadInput: If the backend is not installed, or the tokenizer cannot be loaded.
    """
    if settings.backend == "openai":
        return _server(str(folder), settings=settings, model=model, seed=seed)
    return _local(folder, settings=settings, model=model, seed=seed)


def check_backend(settings: Eval) -> None:
    """Find out early whether the chosen backend can be used.

    Raises:
        BadInput: If what it needs is not installed.
    """
    for module, name in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise BadInput(f"evaluation needs {name}: pip install 'dualtune[eval]'")
    if settings.backend == "vllm" and importlib.util.find_spec("vllm") is None:
        raise BadInput(
            "eval.backend vllm: vLLM is not installed. With an NVIDIA GPU: pip install "
            "'dualtune[vllm]'; on a CPU it needs an environment of its own, see "
            "docs/evaluation.md. Or set eval.backend: hf."
        )


def _local(folder: Path | str, *, settings: Eval, model: Model, seed: int) -> Setup:
    import torch

    from dualtune.lm.encode import Encoder
    from dualtune.lm.hardware import uses_bf16
    from dualtune.lm.models import load_tokenizer, weights_digest

    encoder = Encoder(load_tokenizer(folder), prompt=model.prompt)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bf16 = uses_bf16(settings.precision, device)
    weights = weights_digest(folder)

    def key(kind: Decoding) -> str:
        return generation_key(
            weights=weights,
            settings=settings,
            kind=kind,
            precision="bf16" if bf16 else "fp32",
            stop=encoder.stop_text,
            device=device,
            seed=seed,
        )

    def load() -> Backend:
        given: dict[str, Any] = {"settings": settings, "bf16": bf16, "stop_id": encoder.stop_id}
        if settings.backend == "vllm":
            from dualtune.evaluate import vllm

            return vllm.Backend(folder, encoder.tokenizer, **given)
        from dualtune.evaluate import hf

        return hf.Backend(folder, encoder.tokenizer, **given)

    return Setup(encoder.render, encoder.stop_text, key, load)


def _server(name: str, *, settings: Eval, model: Model, seed: int) -> Setup:
    from dualtune.evaluate import openai

    tokenizer, stop, render = None, None, openai.render_messages
    if settings.api == "completions":
        from dualtune.lm.encode import Encoder
        from dualtune.lm.models import load_tokenizer, resolve_model

        encoder = Encoder(load_tokenizer(resolve_model(model)), prompt=model.prompt)
        tokenizer, stop, render = encoder.tokenizer, encoder.stop_text, encoder.render

    def key(kind: Decoding) -> str:
        return generation_key(
            weights=name,
            settings=settings,
            kind=kind,
            precision="server",
            stop=stop or "",
            device="server",
            seed=seed,
        )

    return Setup(
        render, stop, key, lambda: openai.Backend(name, tokenizer, settings=settings, stop=stop)
    )
