"""What a run will cost, before it starts: tokens, steps, FLOPs, memory, hours.

Tokens are counted, by deriving and packing a sample of the optimiser steps as training will.
FLOPs and memory are estimates from the model's shape; the formulas stand at their functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dualtune.errors import BadInput
from dualtune.lm.cross_entropy import CHUNK
from dualtune.lm.distributed import deal
from dualtune.lm.steps import Step, Steps
from dualtune.recipe import Recipe

GIB = 1 << 30
# Optimiser steps that are prepared to count tokens.
SAMPLE = 64
# What a process holds besides tensors: the CUDA context and libraries, or Python and torch.
OVERHEAD = 1 << 30
# Share of the peak that training reaches. An assumption for GPUs: nothing here was measured there.
UTILISATION = 0.35


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine to train on.

    Attributes:
        name: As it is sold.
        peak: bf16 matrix products without sparsity, FLOP/s.
        memory: Bytes.
    """

    name: str
    peak: float
    memory: int


# Peaks and sizes from the vendor's data sheets: dense bf16 with fp32 accumulation.
HARDWARE = (
    Hardware("RTX 4090", 165e12, 24 * GIB),
    Hardware("L4", 121e12, 24 * GIB),
    Hardware("A100 80 GB", 312e12, 80 * GIB),
    Hardware("H100 80 GB", 989e12, 80 * GIB),
    Hardware("H200 141 GB", 989e12, 141 * GIB),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides its cost.

    Attributes:
        parameters: All of them.
        body: Those that every token passes through: all but embeddings and head.
        hidden: Width of the residual stream.
        queries: Width of all query heads.
        keys: Width of all key heads.
        inner: Width of the feed-forward layers.
        layers: How many layers.
        vocabulary: Size of the head.
        linear: Sum over the body's matrices of rows plus columns, for the size of an adapter.
    """

    parameters: int
    body: int
    hidden: int
    queries: int
    keys: int
    inner: int
    layers: int
    vocabulary: int
    linear: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of a whole run.

    Attributes:
        steps: Optimiser steps.
        instances: Instances trained on.
        total: Tokens of all instances.
        distinct: Tokens that are computed.
        labels: Label tokens.
        predictions: Positions that the head is computed at.
        pairs: Query-key pairs that are visible.
        widest: Tokens of the largest pack, padding included.
        widest_labels: Predictions of the pack with most of them.
        balance: Mean over largest share of a step's tokens that a device computes: 1 where all
            have equal work, and for one device.
    """

    steps: int
    instances: int
    total: int
    distinct: int
    labels: int
    predictions: int
    pairs: int
    widest: int
    widest_labels: int
    balance: float = 1.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one device at the peak of a step, without the overhead of the process.

    Attributes:
        weights: Weights, and what autocast or FSDP keeps of them for a while.
        optimiser: Gradients and AdamW's two moments, of what is trained.
        activations: What the backward pass needs of the largest pack.
        logits: A chunk of logits with its softmax and gradient, and the head's own gradient, which
            is taken in the forward pass (``lm/cross_entropy.py``).
    """

    weights: int
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it, with the overhead of a process."""
        return self.weights + self.optimiser + self.activations + self.logits + OVERHEAD


def model_shape(config: Any) -> Shape:
    """Read a model's shape from its configuration, without loading its weights.

    Args:
        config: The configuration of a causal language model.

    Raises:
        BadInput: If transformers cannot build the model from it.
    """
    import torch
    from transformers import AutoModelForCausalLM

    text = config.get_text_config()
    try:
        with torch.device("meta"):
            auto: Any = AutoModelForCausalLM
            model = auto.from_config(config)
    except ValueError as error:
        raise BadInput(f"model.id: {config.model_type} is no causal language model") from error
    embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    body = linear = 0
    for weight in model.parameters():
        if id(weight) not in embeddings:
            body += weight.numel()
            linear += sum(weight.shape) if weight.dim() == 2 else 0
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    groups = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return Shape(
        parameters=sum(p.numel() for p in model.parameters()),
        body=body,
        hidden=text.hidden_size,
        queries=head * text.num_attention_heads,
        keys=head * groups,
        inner=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        vocabulary=text.vocab_size,
        linear=linear,
    )


def count_tokens(steps: Steps, *, devices: int = 1) -> Counted:
    """Count the tokens of a run from a sample of its optimiser steps.

    Args:
        steps: All steps; at most ``SAMPLE`` of them, evenly spaced, are prepared. Tasks that
            differ by epoch are counted where they fall.
        devices: Each step's Problems are dealt to so many, as training deals them.

    Returns:
        The counts, scaled up to all steps where a sample was taken.
    """
    chosen = sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(SAMPLE, len(steps)))})
    sums = np.zeros(6)
    widest = widest_labels = 0
    slowest = 0.0
    for index in chosen:
        epoch = steps.epoch_of(index)
        shares = deal(steps.problems_of(index), devices)
        parts = [steps.preparer.step(share, epoch) for share in shares if share]
        for part in parts:
            sums += _counts(part)
            for pack in part.packs:
                widest = max(widest, pack.tokens.numel())
                widest_labels = max(widest_labels, len(pack.label))
        slowest += max(part.tokens_distinct for part in parts)
    instances, total, distinct, labels, predictions, pairs = (
        round(float(value) * len(steps) / len(chosen)) for value in sums
    )
    return Counted(
        steps=len(steps),
        instances=instances,
        total=total,
        distinct=distinct,
        labels=labels,
        predictions=predictions,
        pairs=pairs,
        widest=widest,
        widest_labels=widest_labels,
        balance=float(sums[2]) / (devices * slowest) if slowest else 1.0,
    )


def _counts(step: Step) -> np.ndarray:
    labels = sum(len(pack.label) for pack in step.packs)
    instances = sum(step.instances.values())
    return np.array(
        [
            instances,
            step.tokens_total,
            step.tokens_distinct,
            labels,
            step.predictions,
            step.pairs,
        ],
        float,
    )


def useful_flops(
    shape: Shape, *, tokens: int, predictions: int, pairs: int, frozen: bool = False
) -> float:
    """Return the FLOPs that training on some tokens asks for, whatever it computes beside them.

    Forward 2 FLOPs a weight and token, backward 4, of which the half for the gradient of frozen
    weights falls away under an adapter; attention 4 a visible pair and query width forward, 8
    backward; the head at predicting positions alone. Padding, masked-out pairs and what gradient
    checkpointing computes again are no use.

    Args:
        shape: The model's shape.
        tokens: Distinct tokens.
        predictions: Positions that the head is computed at.
        pairs: Query-key pairs that are visible.
        frozen: Whether an adapter alone is trained.
    """
    products = 4 if frozen else 6
    body = products * shape.body * tokens
    attention = 12 * shape.queries * shape.layers * pairs
    head = products * shape.hidden * shape.vocabulary * predictions
    return float(body + attention + head)


def training_flops(shape: Shape, counted: Counted, recipe: Recipe) -> float:
    """Estimate the FLOPs of a run: the useful ones, and those of gradient checkpointing.

    Args:
        shape: The model's shape.
        counted: Counts of the run.
        recipe: The recipe.
    """
    useful = useful_flops(
        shape,
        tokens=counted.distinct,
        predictions=counted.predictions,
        pairs=counted.pairs,
        frozen=recipe.train.adapter.kind != "none",
    )
    if not recipe.train.gradient_checkpointing:
        return useful
    # One more forward pass of the layers.
    attention = 4 * shape.queries * shape.layers * counted.pairs
    return useful + 2 * shape.body * counted.distinct + attention


def memory(shape: Shape, counted: Counted, recipe: Recipe, *, devices: int = 1) -> Memory:
    """Estimate the memory of one device at the peak of a step.

    Full tuning keeps fp32 weights, their bf16 copies under autocast, gradients and AdamW's
    moments. An adapter's base is kept in bf16 on a GPU, or in 4 bits (with scales, 0.55 bytes a
    parameter). Activations a token and layer are what autograd saves of a Llama's layer, counted
    on the model: of each of two norms input and normalised input in fp32, the inputs of seven
    linear layers (cast one by one under autocast, else shared), queries, keys and values at the
    width of the queries (they are repeated for each group), the attention's output, and four
    feed-forward widths. Biases, norms of queries and keys, masks and rotary tables are left out.

    With ``train.parallel: fsdp`` weights, gradients and moments are divided among the devices. A
    device holds beside its part what is gathered to compute with: two layers (one is fetched
    ahead), embeddings and head; and the gradient of the largest of these before it is divided.

    Args:
        shape: The model's shape.
        counted: Counts of the run, with as many devices.
        recipe: The recipe.
        devices: How many share the work.
    """
    adapter = recipe.train.adapter
    trained = shape.parameters
    wide = 2 if recipe.train.precision == "fp32" else 1
    kept = 4 * shape.parameters
    if adapter.kind != "none":
        trained = adapter.rank * shape.linear  # over all linear layers
        quantised = 0.55 if adapter.kind == "qlora" else 2
        kept = int(quantised * shape.body) + 2 * (shape.parameters - shape.body) + 4 * trained
    sharded = recipe.train.parallel == "fsdp" and devices > 1
    parts = devices if sharded else 1
    copies = 2 * shape.parameters if wide == 1 and adapter.kind == "none" else 0
    if sharded:
        layer, rest = shape.body // shape.layers, shape.parameters - shape.body
        copies = 2 * wide * (2 * layer + rest)
        if adapter.kind == "none":
            copies += (2 * wide + 4) * max(layer, rest)
    if wide == 2:
        layer = 24 * shape.hidden + 16 * (shape.queries + shape.inner)
    else:
        layer = 26 * shape.hidden + 8 * (shape.queries + shape.inner)
    held = layer * shape.layers
    if recipe.train.gradient_checkpointing:
        held = layer + 4 * shape.hidden * shape.layers
    head = 4 * shape.vocabulary * shape.hidden if adapter.kind == "none" else 0
    return Memory(
        weights=kept // parts + copies,
        optimiser=12 * trained // parts,
        activations=held * counted.widest,
        logits=10 * min(shape.vocabulary * counted.widest_labels, CHUNK) + head,
    )


def hours(flops: float, hardware: Hardware, *, devices: int = 1, balance: float = 1.0) -> float:
    """Return the hours that a run takes at the assumed utilisation of the hardware's peak.

    Args:
        flops: Of the whole run.
        hardware: One device.
        devices: How many share the work; their messages are not counted.
        balance: Mean over largest share of a step: the others wait for the slowest.
    """
    return flops / (hardware.peak * UTILISATION * devices * balance) / 3600


def this_machine() -> Hardware:
    """Measure the CPU's peak of matrix products, in bf16 where it has them: about a second."""
    import os

    import torch

    from dualtune.lm.hardware import choose_precision, measured_peak

    peak = measured_peak("cpu", choose_precision("auto", "cpu"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware(f"this CPU ({torch.get_num_threads()} threads)", peak, memory)
