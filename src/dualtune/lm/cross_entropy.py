"""Cross-entropy through the LM head in chunks: the full logits are never held.

Logits of K predictions over a vocabulary of V are the largest tensor of training: 574 predictions
of SmolLM2 make 113 MB in fp32, once more for their gradient; a vocabulary of 262,144 five times
that. Here a chunk of predictions goes through head, softmax and gradient at once. The gradient is
taken in the forward pass already, while the chunk is at hand: the loss is a weighted sum, so all
that is missing then is one factor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

# Logits of a chunk: 128 MB in fp32. Smaller chunks are slower, since each reads the whole head
# again.
CHUNK = 1 << 25


def head_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, label: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Apply an LM head and the cross-entropy, chunk by chunk.

    Args:
        hidden: Hidden states of the predictions ``[K, D]``.
        weight: The head's weight ``[V, D]``.
        bias: The head's bias ``[V]``, or None.
        label: The tokens to predict ``[K]``.
        scale: Weight of each prediction ``[K]``.

    Returns:
        The weighted sum of the cross-entropies (nats), with gradient for hidden, weight and bias,
        and each prediction's cross-entropy ``[K]`` in fp32, without.
    """
    device = hidden.device.type
    autocast = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if autocast else hidden.dtype
    weighted, entropy_K = _HeadCrossEntropy.apply(hidden, weight, bias, label, scale, dtype)  # type: ignore[no-untyped-call]
    return weighted, entropy_K


class _HeadCrossEntropy(torch.autograd.Function):
    """The products are computed in ``dtype``, softmax and sums in fp32."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        label: Tensor,
        scale: Tensor,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        wide = torch.promote_types(dtype, torch.float32)
        d_hidden = torch.empty_like(hidden) if for_hidden else None
        d_weight = d_bias = None
        entropy_K = torch.empty(len(label), dtype=wide, device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            weight, hidden = weight.to(dtype), hidden.to(dtype)
            bias = None if bias is None else bias.to(dtype)
            for part in _chunks(len(label), len(weight)):
                narrow_CV = linear(hidden[part], weight, bias)
                logits_CV = narrow_CV.to(wide)
                place = torch.arange(len(logits_CV), device=label.device), label[part]
                at_label_C = logits_CV[place]
                largest_C1 = logits_CV.amax(-1, keepdim=True)
                powers_CV = logits_CV.sub_(largest_C1).exp_()
                total_C1 = powers_CV.sum(-1, keepdim=True)
                entropy_K[part] = (total_C1.log() + largest_C1)[:, 0] - at_label_C
                if not (for_hidden or for_weight or for_bias):
                    continue
                # The gradient of the cross-entropy: probabilities, less one at the label.
                d_logits_CV = powers_CV.mul_(scale[part, None] / total_C1)
                d_logits_CV[place] -= scale[part]
                narrow_CV = narrow_CV.copy_(d_logits_CV)
                if d_hidden is not None:
                    d_hidden[part] = narrow_CV @ weight
                if for_weight:
                    d_weight = _plus(d_weight, narrow_CV.t() @ hidden[part], wide)
                if for_bias:
                    d_bias = _plus(d_bias, d_logits_CV.sum(0), wide)
        ctx.save_for_backward(d_hidden, d_weight, d_bias)
        ctx.mark_non_differentiable(entropy_K)
        return (entropy_K * scale).sum(), entropy_K

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor, _: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]:
        d_hidden, d_weight, d_bias = (None if d is None else d * grad for d in ctx.saved_tensors)
        return d_hidden, d_weight, d_bias, None, None, None


def _chunks(predictions: int, vocabulary: int) -> list[slice]:
    """Return parts of like size, none with more than ``CHUNK`` logits."""
    count = -(-predictions // max(1, CHUNK // vocabulary))
    size = -(-predictions // max(1, count))
    return [slice(first, first + size) for first in range(0, predictions, size)]


def _plus(total: Tensor | None, more: Tensor, dtype: torch.dtype) -> Tensor:
    return more.to(dtype) if total is None else total.add_(more)
