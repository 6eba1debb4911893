"""Where training runs, and in which precision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from dualtune.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

# Squares whose product is timed; a GPU is not filled by those that fill a CPU.
_SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}
_SECONDS = 0.15  # that the products of one size are repeated for


def find_device(setting: str) -> str:
    """Return ``cpu`` or ``cuda`` for the recipe's ``train.device``.

    Raises:
        BadInput: If a GPU is asked for and there is none.
    """
    import torch

    if setting == "cuda" and not torch.cuda.is_available():
        raise BadInput("train.device is cuda, but torch finds no GPU. Set train.device: cpu.")
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_precision(setting: str, device: str) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16`` for the recipe's ``train.precision``.

    Args:
        setting: The setting.
        device: ``cpu`` or ``cuda``.

    Raises:
        BadInput: If fp16 is asked for on a CPU, whose small gradients it would lose unscaled.
    """
    if setting == "fp16":
        if device != "cuda":
            raise BadInput(
                "train.precision is fp16, which needs an NVIDIA GPU. Set train.precision: auto."
            )
        return "fp16"
    return "bf16" if uses_bf16(setting, device) else "fp32"


def uses_bf16(setting: str, device: str) -> bool:
    """Say whether to train under bf16 autocast over fp32 weights.

    Args:
        setting: The recipe's ``train.precision``.
        device: ``cpu`` or ``cuda``.

    Returns:
        True where asked for, or where ``auto`` finds hardware that multiplies bf16.
    """
    if setting != "auto":
        return setting == "bf16"
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return any("amx" in flag or "avx512_bf16" in flag for flag in _cpu_flags())


def measured_peak(device: str, precision: str) -> float:
    """Measure how fast this machine multiplies matrices: what a share of its peak is a share of.

    The best of several products of two sizes; less than a second.

    Args:
        device: ``cpu`` or ``cuda``.
        precision: ``fp32``, ``bf16`` or ``fp16``: what the matrices hold.

    Returns:
        FLOP/s.
    """
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    peak = 0.0
    for side in _SIDES[device]:
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        _seconds_of_product(left, right)  # the first one loads kernels
        seconds: list[float] = []
        until = time.perf_counter() + _SECONDS
        while not seconds or time.perf_counter() < until:
            seconds.append(_seconds_of_product(left, right))
        peak = max(peak, 2 * side**3 / min(seconds))
        if min(seconds) > _SECONDS / 8:  # the next size takes eight times as long
            break
    return peak


def _seconds_of_product(left: Tensor, right: Tensor) -> float:
    import torch

    started = time.perf_counter()
    torch.matmul(left, right)
    if left.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _cpu_flags() -> set[str]:
    # torch names the widest vector set, not whether it multiplies bf16.
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()
