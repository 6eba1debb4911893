"""The model and train sections: what is tuned, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dualtune.recipe.section import Section


class Model(Section):
    """The model that is tuned."""

    id: str = Field(
        "smollm2-135m", description="hub id, folder, .gguf file, or the alias smollm2-135m"
    )
    prompt: Literal["chat", "alpaca"] = Field(
        "chat", description="the model's chat template, or the Alpaca format"
    )
    system: str | None = Field(
        None, description="system prompt; null: what the template puts by itself"
    )
    attention: Literal["auto", "trie", "sdpa", "eager", "flex"] = Field(
        "auto",
        description="attention kernel; auto: trie (skips what is masked out) on CPU, sdpa on a "
        "GPU; flex: FlexAttention, GPU only",
    )
    cache_dir: str | None = Field(
        None, description="where converted models are kept; null: the user's cache folder"
    )


class Adapter(Section):
    """Train few weights beside frozen ones (PEFT) instead of all weights."""

    kind: Literal["none", "lora", "dora", "qlora"] = Field(
        "none", description="none: all weights; qlora: over 4-bit weights (needs a GPU)"
    )
    rank: int = Field(16, ge=1, description="rank of the adapter's matrices")
    alpha: int = Field(32, ge=1, description="its scale is alpha over rank")
    targets: tuple[str, ...] = Field(
        ("all-linear",), description="layers that get one, by the end of their name"
    )
    merge: bool = Field(
        True, description="model/ holds merged weights; false: the adapter alone, over its base"
    )

    @model_validator(mode="after")
    def _targets(self) -> Adapter:
        if not self.targets:
            raise ValueError("no layer is named: leave targets out for all linear layers")
        return self


class Train(Section):
    """How the model is tuned."""

    epochs: int = Field(2, ge=1, description="passes over the Problems")
    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="learning rate after the warm-up"
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay")
    max_grad_norm: float = Field(1.0, gt=0, description="gradient clipping")
    problems_per_step: int = Field(
        8, ge=1, description="Problems, with all their instances, in an optimiser step"
    )
    tokens_per_pack: int = Field(
        4096, ge=1, description="distinct tokens computed at once: memory only, not the result"
    )
    max_length: int = Field(
        1024, ge=8, description="longer instances are left out and counted (tokens)"
    )
    trie: bool = Field(True, description="pack instances as a trie; false: one by one, padded")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="auto: bf16 autocast over fp32 weights where the machine has it; fp16 on CUDA",
    )
    adapter: Adapter = Field(default_factory=Adapter, description="LoRA, DoRA, QLoRA")
    gradient_checkpointing: bool = Field(
        False, description="keep no activations of layers, compute them again: less memory, slower"
    )
    max_dropped: float = Field(
        0.5,
        ge=0,
        le=1,
        description="largest share of a task's instances that may be left out before training is "
        "refused (tasks.mix does not count)",
    )
    probe_rows: int = Field(
        0, ge=0, description="held-out Problems that are answered at the end of each epoch"
    )
    probe_tokens: int = Field(256, ge=1, description="longest answer of the probe (tokens)")
    stop_on: Literal["loss", "accuracy"] = Field(
        "loss",
        description="what patience and keep go by: held-out solve loss, or the probe's accuracy",
    )
    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without a better loss or accuracy"
    )
    keep: Literal["last", "best"] = Field(
        "last", description="the model of the last epoch, or of the one with the best loss/accuracy"
    )
    trackers: tuple[str, ...] = Field(
        (), description="trackers of the Trainer besides train.jsonl: tensorboard, wandb, trackio"
    )
    workers: int = Field(1, ge=0, description="processes that derive, encode and pack ahead")
    logging_steps: int = Field(5, ge=1, description="steps between two lines of train.jsonl")
    save_steps: int = Field(50, ge=1, description="steps between two checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints kept, newest first")
    parallel: Literal["auto", "ddp", "fsdp"] = Field(
        "auto",
        description="how several processes (torchrun, accelerate launch) share the work; auto: "
        "ddp; fsdp: weights and optimiser state divided among them as well (FSDP2)",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")

    @model_validator(mode="after")
    def _probe_is_there(self) -> Train:
        if self.stop_on == "accuracy" and not self.probe_rows:
            raise ValueError(
                "stop_on is accuracy, but probe_rows is 0: say how many held-out Problems are to "
                "be answered, such as probe_rows: 100"
            )
        return self
