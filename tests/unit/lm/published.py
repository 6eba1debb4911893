"""Configurations of published models, from their config.json on the hub, with their sizes.

Weights cannot be fetched in a test; a configuration is enough to plan a run, and to say whether a
model can be packed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_LLAMA_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@dataclass(frozen=True, slots=True)
class Published:
    """A model as its authors published it.

    Attributes:
        id: On the hub.
        kind: ``model_type``.
        parameters: As the hub counts its weights; of Gemma 3 above 1B those of the text model,
            which are 4,300,079,472, 12,187,325,040 and 27,432,406,640 less the vision tower's
            416,866,032 and 1,152 times one more than the hidden size.
        values: What of its configuration decides its shape and whether it can be packed.
    """

    id: str
    kind: str
    parameters: int
    values: dict[str, Any]

    def config(self, **changes: Any) -> Any:
        """Return the configuration of transformers."""
        from transformers import AutoConfig

        return AutoConfig.for_model(self.kind, **(self.values | changes))


def _shape(
    hidden: int, inner: int, layers: int, heads: int, groups: int, head: int, vocabulary: int
) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": head,
        "vocab_size": vocabulary,
    }


def _llama(factor: float, **shape: Any) -> dict[str, Any]:
    rope = _LLAMA_ROPE | {"factor": factor}
    return {**shape, "rope_parameters": rope, "max_position_embeddings": 131072}


def _gemma(window: int, **shape: Any) -> dict[str, Any]:
    # Five layers with a window, then one without.
    types = [
        "full_attention" if (i + 1) % 6 == 0 else "sliding_attention"
        for i in range(shape["num_hidden_layers"])
    ]
    return {
        **shape,
        "sliding_window": window,
        "layer_types": types,
        "max_position_embeddings": 131072,
    }


_TIED = {"tie_word_embeddings": True}
_UNTIED = {"tie_word_embeddings": False}

MODELS = (
    Published(
        "mistralai/Mistral-7B-v0.1",
        "mistral",
        7_241_732_096,
        {**_shape(4096, 14336, 32, 32, 8, 128, 32000), "sliding_window": 4096, **_UNTIED},
    ),
    Published(
        "codellama/CodeLlama-7b-hf",
        "llama",
        6_738_546_688,
        {
            **_shape(4096, 11008, 32, 32, 32, 128, 32016),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
            "max_position_embeddings": 16384,
            **_UNTIED,
        },
    ),
    Published(
        "Qwen/Qwen3-1.7B",
        "qwen3",
        1_720_574_976,
        {**_shape(2048, 6144, 28, 16, 8, 128, 151936), **_TIED},
    ),
    Published(
        "Qwen/Qwen3-8B",
        "qwen3",
        8_190_735_360,
        {**_shape(4096, 12288, 36, 32, 8, 128, 151936), **_UNTIED},
    ),
    Published(
        "Qwen/Qwen3-32B",
        "qwen3",
        32_762_123_264,
        {**_shape(5120, 25600, 64, 64, 8, 128, 151936), **_UNTIED},
    ),
    Published(
        "meta-llama/Llama-3.2-1B-Instruct",
        "llama",
        1_235_814_400,
        {**_llama(32.0, **_shape(2048, 8192, 16, 32, 8, 64, 128256)), **_TIED},
    ),
    Published(
        "meta-llama/Llama-3.2-3B-Instruct",
        "llama",
        3_212_749_824,
        {**_llama(32.0, **_shape(3072, 8192, 28, 24, 8, 128, 128256)), **_TIED},
    ),
    Published(
        "meta-llama/Llama-3.1-8B-Instruct",
        "llama",
        8_030_261_248,
        {**_llama(8.0, **_shape(4096, 14336, 32, 32, 8, 128, 128256)), **_UNTIED},
    ),
    Published(
        "meta-llama/Llama-3.3-70B-Instruct",
        "llama",
        70_553_706_496,
        {**_llama(8.0, **_shape(8192, 28672, 80, 64, 8, 128, 128256)), **_UNTIED},
    ),
    Published(
        "google/gemma-3-1b-it",
        "gemma3_text",
        999_885_952,
        {**_gemma(512, **_shape(1152, 6912, 26, 4, 1, 256, 262144)), **_TIED},
    ),
    Published(
        "google/gemma-3-4b-it",
        "gemma3_text",
        3_880_263_168,
        {**_gemma(1024, **_shape(2560, 10240, 34, 8, 4, 256, 262208)), **_TIED},
    ),
    Published(
        "google/gemma-3-12b-it",
        "gemma3_text",
        11_766_034_176,
        {**_gemma(1024, **_shape(3840, 15360, 48, 16, 8, 256, 262208)), **_TIED},
    ),
    Published(
        "google/gemma-3-27b-it",
        "gemma3_text",
        27_009_346_304,
        {**_gemma(1024, **_shape(5376, 21504, 62, 32, 16, 128, 262208)), **_TIED},
    ),
)
