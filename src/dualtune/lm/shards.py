"""FSDP2: a model whose weights, gradients and optimiser state are divided among the ranks.

Checkpoints are written by torch.distributed.checkpoint, each rank its own part, so that no rank
ever holds all of it, and are read by any number of ranks. Only the tuned model is gathered, on
the CPU of rank 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from dualtune.errors import BadInput
from dualtune.lm.checkpoints import SHARDED_OPTIMISER, SHARDED_WEIGHTS

# The weights of an adapter's base are those of its model, and are not written again.
_TRAINED = StateDictOptions(ignore_frozen_params=True, strict=False)
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def check_shardable(*, adapter: str, precision: str) -> None:
    """Refuse what FSDP2 is not offered for.

    Args:
        adapter: The recipe's ``train.adapter.kind``.
        precision: ``fp32``, ``bf16`` or ``fp16``.

    Raises:
        BadInput: If it is asked for.
    """
    if adapter == "qlora":
        raise BadInput(
            "train.parallel is fsdp, but the 4-bit weights of qlora cannot be divided. Set "
            "train.parallel: ddp (each process holds them all), or train.adapter.kind: lora."
        )
    if precision == "fp16":
        raise BadInput(
            "train.parallel is fsdp, which scales no fp16 gradients. Set train.precision: bf16."
        )


def mesh_of(size: int, device: str) -> DeviceMesh:
    """Return the mesh of all ranks. All of them have to call it.

    Args:
        size: How many ranks there are.
        device: ``cpu`` or ``cuda``.
    """
    return init_device_mesh(device, (size,))


def shard(model: Any, mesh: DeviceMesh, *, precision: str) -> Any:
    """Divide a model among all ranks, layer by layer (``fully_shard``), without a message.

    Args:
        model: A causal language model of transformers, with or without an adapter, the same on
            all ranks; it may lie on the CPU and is moved to the device layer by layer.
        mesh: Of all ranks.
        precision: ``bf16`` gathers weights and computes in bf16 and sums gradients in fp32; the
            weights that are kept and trained stay as they are.

    Returns:
        The same model; its parameters are ``DTensor``.

    Raises:
        RuntimeError: If a parameter was left whole.
    """
    policy = MixedPrecisionPolicy(cast_forward_inputs=False)
    if precision == "bf16":
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
    # Not the adapter's shell around the model, which generation passes by.
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    kinds = set(getattr(base, "_no_split_modules", None) or ())
    for layer in (module for module in base.modules() if type(module).__name__ in kinds):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(base, mesh=mesh, mp_policy=policy)
    base.register_forward_hook(_rest)
    check_sharded(model)
    return model


def _rest(model: Any, _: Any, output: Any) -> None:
    # After a forward pass the root (embeddings, head) stays whole until its backward pass. Where
    # none follows, an optimiser or a checkpoint would find weights that belong to no rank.
    if not torch.is_grad_enabled():
        model.reshard()


def check_sharded(model: Any) -> None:
    """Prove that a model is divided.

    Raises:
        RuntimeError: If a parameter is whole.
    """
    whole = [name for name, p in model.named_parameters() if not isinstance(p, DTensor)]
    if whole:
        raise RuntimeError(f"{len(whole)} parameters are not sharded, such as {whole[0]}")


def whole_weights(model: Any) -> dict[str, Tensor]:
    """Gather the weights of a sharded model. All ranks have to call it.

    Returns:
        All weights on the CPU, on rank 0; nothing on the others.
    """
    weights: Any = get_model_state_dict(model, options=_WHOLE)
    return dict(weights)


def save_shards(folder: Path, model: Any, optimiser: Any) -> None:
    """Write a rank's part of weights and optimiser state. All ranks have to call it.

    Args:
        folder: Of the checkpoint.
        model: The sharded model.
        optimiser: Its optimiser.
    """
    save_weights(folder, model)
    save(get_optimizer_state_dict(model, optimiser), checkpoint_id=folder / SHARDED_OPTIMISER)


def save_weights(folder: Path, model: Any) -> None:
    """Write a rank's part of the weights. All ranks have to call it.

    Args:
        folder: Where to.
        model: The sharded model.
    """
    save(get_model_state_dict(model, options=_TRAINED), checkpoint_id=folder / SHARDED_WEIGHTS)


def load_weights(folder: Path, model: Any) -> None:
    """Read a rank's part of the weights of a checkpoint. All ranks have to call it.

    Args:
        folder: Of the checkpoint.
        model: The sharded model.
    """
    state = get_model_state_dict(model, options=_TRAINED)
    load(state, checkpoint_id=folder / SHARDED_WEIGHTS)
    set_model_state_dict(model, state, options=_TRAINED)


def load_optimiser(folder: Path, model: Any, optimiser: Any) -> None:
    """Read a rank's part of the optimiser state of a checkpoint. All ranks have to call it.

    Args:
        folder: Of the checkpoint.
        model: The sharded model.
        optimiser: Its optimiser.
    """
    state = get_optimizer_state_dict(model, optimiser)
    load(state, checkpoint_id=folder / SHARDED_OPTIMISER)
    set_optimizer_state_dict(model, optimiser, state)
