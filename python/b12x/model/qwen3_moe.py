"""Qwen3 mixture of experts: tokens -> logits, with every linear layer and expert in a back end of `linear.py`.

In: token ids of one sequence and its KV cache. Out: float32 logits.
    x = embedding[tokens]
    per layer:  x += o(attention(rope(norm(q)), rope(norm(k)), v));  x += sum of top-k experts, weighted by the router
    logits = norm(x) @ lm_head^T
Norms, router, rotary embedding, attention and output head are PyTorch's in float32, as is the residual stream.
q, k and v are one matrix, and so are gate and up of an expert: one GEMM each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from b12x.model.checkpoint import read_tensors
from b12x.model.config import ModelConfig, ModelError, read_config
from b12x.model.linear import Backend, DenseBackend, KernelBackend, ReferenceBackend


@dataclass(frozen=True)
class _Layer:
    input_norm: Tensor  # [hidden]
    post_norm: Tensor  # [hidden]
    q_norm: Tensor  # [head_dim]
    k_norm: Tensor  # [head_dim]
    router: Tensor  # [experts, hidden]
    qkv: Any
    o: Any
    gate_up: tuple[Any, ...]  # per expert
    down: tuple[Any, ...]


class KVCache:
    """Keys and values of one sequence, [layers, kv_heads, capacity, head_dim] each; `length` positions are filled."""

    def __init__(self, config: ModelConfig, capacity: int, device: str) -> None:
        shape = (config.num_hidden_layers, config.num_key_value_heads, capacity, config.head_dim)
        self.keys, self.values = torch.zeros(shape, device=device), torch.zeros(shape, device=device)
        self.capacity, self.length = capacity, 0


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE in the half-split form: x [tokens, heads, head_dim], cos and sin [tokens, 1, head_dim/2]."""
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


class Qwen3Moe:
    """A loaded model. `forward` is all it does; `generate.py` makes text of it."""

    def __init__(self, config: ModelConfig, tensors: dict[str, Tensor], backend: Backend, device: str) -> None:
        self.config, self.backend, self.device = config, backend, device

        def dense(name: str) -> Tensor:
            return tensors[f"{name}.weight"].to(device).float()

        self.embedding = dense("model.embed_tokens")
        self.final_norm = dense("model.norm")
        self.lm_head = self.embedding if config.tie_word_embeddings else dense("lm_head")
        self.layers = [self._layer(f"model.layers.{i}", dense, tensors) for i in range(config.num_hidden_layers)]
        inverse_frequency = config.rope_theta ** (-torch.arange(0, config.head_dim, 2).float() / config.head_dim)
        angles = torch.outer(torch.arange(config.max_position_embeddings).float(), inverse_frequency).unsqueeze(1)
        self.cos, self.sin = angles.cos().to(device), angles.sin().to(device)

    def _layer(self, name: str, dense: Any, tensors: dict[str, Tensor]) -> _Layer:
        prepare = self.backend.prepare
        experts = [f"{name}.mlp.experts.{e}" for e in range(self.config.num_experts)]
        return _Layer(
            input_norm=dense(f"{name}.input_layernorm"),
            post_norm=dense(f"{name}.post_attention_layernorm"),
            q_norm=dense(f"{name}.self_attn.q_norm"),
            k_norm=dense(f"{name}.self_attn.k_norm"),
            router=dense(f"{name}.mlp.gate"),
            qkv=prepare([f"{name}.self_attn.{p}_proj" for p in "qkv"], tensors),
            o=prepare([f"{name}.self_attn.o_proj"], tensors),
            gate_up=tuple(prepare([f"{e}.gate_proj", f"{e}.up_proj"], tensors) for e in experts),
            down=tuple(prepare([f"{e}.down_proj"], tensors) for e in experts),
        )

    def new_cache(self, capacity: int) -> KVCache:
        """An empty cache for up to `capacity` positions. Raises ModelError beyond max_position_embeddings."""
        limit = self.config.max_position_embeddings
        if capacity > limit:
            raise ModelError(f"{capacity} positions are more than the model's max_position_embeddings {limit}")
        return KVCache(self.config, capacity, self.device)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, cache: KVCache, last_only: bool = False) -> Tensor:
        """Appends `tokens` (int64 [n], n >= 1) to the cache's sequence.

        Returns float32 logits [n, vocab], or [1, vocab] of the last token if last_only.
        Raises ModelError if the cache is full or an id is outside the vocabulary.
        """
        begin, end = cache.length, cache.length + tokens.numel()
        if end > cache.capacity:
            raise ModelError(f"the KV cache holds {cache.capacity} positions, position {end} was asked for")
        if tokens.min() < 0 or tokens.max() >= self.config.vocab_size:
            bad = tokens[(tokens < 0) | (tokens >= self.config.vocab_size)][0].item()
            raise ModelError(f"token id {bad} is outside the vocabulary of {self.config.vocab_size}")
        x = self.embedding[tokens.to(self.device)]
        # Row i sees the cache and the new tokens up to itself; a single row sees everything.
        positions = torch.arange(end, device=self.device)
        mask = None if tokens.numel() == 1 else positions <= positions[begin:].unsqueeze(1)
        for i, layer in enumerate(self.layers):
            x = x + self._attention(i, layer, x, cache, begin, mask)
            x = x + self._experts(layer, x)
        cache.length = end
        x = _rms_norm(x[-1:] if last_only else x, self.final_norm, self.config.rms_norm_eps)
        return fn.linear(x, self.lm_head)

    def _attention(self, i: int, layer: _Layer, x: Tensor, cache: KVCache, begin: int, mask: Tensor | None) -> Tensor:
        c, backend, n = self.config, self.backend, x.shape[0]
        end = begin + n
        y = _rms_norm(x, layer.input_norm, c.rms_norm_eps)
        qkv = backend.matmul(backend.quantize(y, layer.qkv), layer.qkv).float()
        q, k, v = (part.view(n, -1, c.head_dim) for part in qkv.split((c.q_rows, c.kv_rows, c.kv_rows), -1))
        cos, sin = self.cos[begin:end], self.sin[begin:end]
        q = _rotate(_rms_norm(q, layer.q_norm, c.rms_norm_eps), cos, sin)
        cache.keys[i, :, begin:end] = _rotate(_rms_norm(k, layer.k_norm, c.rms_norm_eps), cos, sin).transpose(0, 1)
        cache.values[i, :, begin:end] = v.transpose(0, 1)
        keys, values = cache.keys[i, :, :end], cache.values[i, :, :end]
        attended = fn.scaled_dot_product_attention(q.transpose(0, 1), keys, values, attn_mask=mask, enable_gqa=True)
        attended = attended.transpose(0, 1).reshape(n, -1)
        return backend.matmul(backend.quantize(attended, layer.o), layer.o).float()

    def _experts(self, layer: _Layer, x: Tensor) -> Tensor:
        c, backend = self.config, self.backend
        y = _rms_norm(x, layer.post_norm, c.rms_norm_eps)
        weights, chosen = fn.linear(y, layer.router).softmax(-1).topk(c.num_experts_per_tok, -1)
        if c.norm_topk_prob:
            weights = weights / weights.sum(-1, keepdim=True)
        out = torch.zeros_like(y)
        quantized, shared_scale = None, None
        # Ascending expert ids: sums have one order, so equal inputs give equal bits.
        for e in sorted(set(chosen.flatten().tolist())):
            gate_up, down = layer.gate_up[e], layer.down[e]
            row, slot = (chosen == e).nonzero(as_tuple=True)
            if y.shape[0] > 1:
                quantized = backend.quantize(y[row], gate_up)
            elif backend.input_scale(gate_up) != shared_scale:
                # Decode: the experts read the same row, quantised once per scale.
                quantized, shared_scale = backend.quantize(y, gate_up), backend.input_scale(gate_up)
            act = backend.silu_mul_quantize(backend.matmul(quantized, gate_up), down)
            out[row] += weights[row, slot].unsqueeze(-1) * backend.matmul(act, down).float()
        return out


def load_model(folder: str | Path, backend: str = "kernels", device: str = "cpu") -> Qwen3Moe:
    """Loads an HF folder of Qwen3MoeForCausalLM.

    backend: "kernels" (NVFP4 folder; b12x's kernels on `device`: "cpu" is the simulated card), "reference" (NVFP4
        folder; float32 PyTorch on the same quantised numbers) or "dense" (BF16 folder; float32, nothing quantised).
    Raises ModelError for a folder that is incomplete, mis-shaped, of another architecture or of the wrong kind.
    """
    folder = Path(folder)
    config = read_config(folder)
    kinds = {"kernels": True, "reference": True, "dense": False}
    if backend not in kinds:
        raise ValueError(f"backend is {backend!r}, want one of {sorted(kinds)}")
    if config.is_nvfp4 != kinds[backend]:
        have, want = ("NVFP4", "BF16") if config.is_nvfp4 else ("BF16", "NVFP4")
        hint = "" if want == "BF16" else f"; make one with: b12x quantize {folder} DST"
        raise ModelError(f"{folder}: holds {have} weights, back end {backend!r} wants {want}{hint}")
    made: Backend
    if backend == "kernels":
        made = KernelBackend(device)
    elif backend == "reference":
        made = ReferenceBackend()
    else:
        made = DenseBackend()
    return Qwen3Moe(config, read_tensors(folder, config), made, device if backend == "kernels" else "cpu")
