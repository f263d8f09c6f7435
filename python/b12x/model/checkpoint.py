"""Weights of an HF model folder: which tensors there must be, and reading them with every shape and dtype checked.

In: a folder and its ModelConfig. Out: tensors by HF name. The one table `expected_tensors` says what a BF16 or an NVFP4
folder holds, so the loader, the quantiser and the tests agree on it. Nothing is returned unless all of it is right.

ModelOpt's NVFP4 layout of a linear layer with N outputs and K inputs: weight uint8 [N, K/2] (low nibble = even k),
weight_scale float8_e4m3fn [N, K/16] row-major, weight_scale_2 and input_scale float32 scalars;
w ~ value * weight_scale * weight_scale_2, and inputs are quantised under input_scale.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from b12x.model.config import ModelConfig, ModelError, read_json

BF16 = torch.bfloat16
# GEMM reads K in chunks of 64 (one MMA) and writes N in rows of 16 bytes.
K_MULTIPLE, N_MULTIPLE = 64, 8

Expected = dict[str, tuple[tuple[int, ...], torch.dtype]]


def linear_shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """[N, K] of every layer that is quantised, by module name."""
    c = config
    shapes: dict[str, tuple[int, int]] = {}
    for i in range(c.num_hidden_layers):
        attention, mlp = f"model.layers.{i}.self_attn", f"model.layers.{i}.mlp"
        shapes |= {
            f"{attention}.q_proj": (c.q_rows, c.hidden_size),
            f"{attention}.k_proj": (c.kv_rows, c.hidden_size),
            f"{attention}.v_proj": (c.kv_rows, c.hidden_size),
            f"{attention}.o_proj": (c.hidden_size, c.q_rows),
        }
        for e in range(c.num_experts):
            shapes |= {
                f"{mlp}.experts.{e}.gate_proj": (c.moe_intermediate_size, c.hidden_size),
                f"{mlp}.experts.{e}.up_proj": (c.moe_intermediate_size, c.hidden_size),
                f"{mlp}.experts.{e}.down_proj": (c.hidden_size, c.moe_intermediate_size),
            }
    return shapes


def fused_groups(config: ModelConfig) -> list[tuple[str, ...]]:
    """Modules that one GEMM computes, in the order of its rows; the members of a group share both global scales."""
    groups: list[tuple[str, ...]] = []
    for i in range(config.num_hidden_layers):
        attention, mlp = f"model.layers.{i}.self_attn", f"model.layers.{i}.mlp"
        groups += [tuple(f"{attention}.{p}_proj" for p in "qkv"), (f"{attention}.o_proj",)]
        for e in range(config.num_experts):
            expert = f"{mlp}.experts.{e}"
            groups += [(f"{expert}.gate_proj", f"{expert}.up_proj"), (f"{expert}.down_proj",)]
    return groups


def dense_tensors(config: ModelConfig) -> Expected:
    """Tensors that stay BF16: embeddings, norms, routers, an untied output head."""
    c = config
    out: Expected = {
        "model.embed_tokens.weight": ((c.vocab_size, c.hidden_size), BF16),
        "model.norm.weight": ((c.hidden_size,), BF16),
    }
    if not c.tie_word_embeddings:
        out["lm_head.weight"] = ((c.vocab_size, c.hidden_size), BF16)
    for i in range(c.num_hidden_layers):
        layer = f"model.layers.{i}"
        out |= {
            f"{layer}.input_layernorm.weight": ((c.hidden_size,), BF16),
            f"{layer}.post_attention_layernorm.weight": ((c.hidden_size,), BF16),
            f"{layer}.self_attn.q_norm.weight": ((c.head_dim,), BF16),
            f"{layer}.self_attn.k_norm.weight": ((c.head_dim,), BF16),
            f"{layer}.mlp.gate.weight": ((c.num_experts, c.hidden_size), BF16),
        }
    return out


def expected_tensors(config: ModelConfig) -> Expected:
    """Every tensor of the folder: name -> (shape, dtype)."""
    out = dense_tensors(config)
    for module, (n, k) in linear_shapes(config).items():
        if k % K_MULTIPLE or n % N_MULTIPLE:
            raise ModelError(
                f"{module}.weight: has {n} outputs and {k} inputs; NVFP4 GEMM wants outputs (N) a multiple of "
                f"{N_MULTIPLE} and inputs (K) a multiple of {K_MULTIPLE}"
            )
        if config.is_nvfp4:
            out |= {
                f"{module}.weight": ((n, k // 2), torch.uint8),
                f"{module}.weight_scale": ((n, k // 16), torch.float8_e4m3fn),
                f"{module}.weight_scale_2": ((), torch.float32),
                f"{module}.input_scale": ((), torch.float32),
            }
        else:
            out[f"{module}.weight"] = ((n, k), BF16)
    return out


def _files_of(folder: Path) -> dict[str, Path]:
    """Tensor name -> file, from the index of a sharded folder or the one file."""
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.exists():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise ModelError(f"{index}: has no weight_map")
        return {name: folder / str(file) for name, file in weight_map.items()}
    if not single.exists():
        raise ModelError(f"{single}: no such file, and no model.safetensors.index.json beside it")
    with _open(single) as file:
        return dict.fromkeys(file.keys(), single)


def _open(path: Path):
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file: {error}") from None


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check(path: Path, name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    if tensor.dtype != dtype:
        raise ModelError(f"{path}: {name} has dtype {_name_of(tensor.dtype)}, want {_name_of(dtype)}")
    if shape == () and tensor.numel() == 1:  # some writers store scalars as [1]
        tensor = tensor.reshape(())
    if tuple(tensor.shape) != shape:
        raise ModelError(f"{path}: {name} has shape {list(tensor.shape)}, want {list(shape)}")
    if shape == () and not (tensor.isfinite() and tensor > 0):
        raise ModelError(f"{path}: {name} is {tensor.item()}, want a positive finite scale")
    return tensor


def read_tensors(folder: Path, config: ModelConfig) -> dict[str, Tensor]:
    """All expected tensors, on the CPU. Raises ModelError at the first that is missing, mis-shaped or of a wrong dtype.

    Tensors that the model does not use are ignored.
    """
    files = _files_of(folder)
    expected = expected_tensors(config)
    for name, (shape, dtype) in expected.items():
        if name not in files:
            raise ModelError(f"{folder}: tensor {name} is missing, want {_name_of(dtype)} {list(shape)}")
    out: dict[str, Tensor] = {}
    for path in sorted({files[name] for name in expected}):
        with _open(path) as file:
            present = set(file.keys())
            for name, (shape, dtype) in expected.items():
                if files[name] != path:
                    continue
                if name not in present:
                    raise ModelError(f"{path}: tensor {name} is missing although the index promises it")
                out[name] = _check(path, name, file.get_tensor(name), shape, dtype)
    return out
