"""The model that `train.py` trains: a small Qwen3 mixture of experts, in HF's mathematics and with HF's weight names.

In: token ids [batch, length]. Out: logits and the router's balance loss.
The idea: with few experts, computing all of them and weighting the unchosen by zero is two plain matrix products with
fixed shapes, which a GPU runs faster than gather and scatter at this size. `fake_quant` puts every linear layer's
weights and inputs through NVFP4 with a straight-through gradient; embeddings, router and the tied output head stay.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

_REFERENCE = Path(__file__).resolve().parents[2] / "python/b12x/quant/reference.py"
_spec = importlib.util.spec_from_file_location("nvfp4_reference", _REFERENCE)
nvfp4 = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)  # torch.compile finds it by name
_spec.loader.exec_module(nvfp4)


@dataclass(frozen=True)
class Config:
    vocab_size: int = 2048
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    num_experts: int = 8
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 128
    max_position_embeddings: int = 512
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6

    def to_hf(self) -> dict:
        """config.json of HF's Qwen3MoeForCausalLM."""
        return {
            "architectures": ["Qwen3MoeForCausalLM"],
            "model_type": "qwen3_moe",
            **self.__dict__,
            "intermediate_size": self.moe_intermediate_size,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": True,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "output_router_logits": False,
            "router_aux_loss_coef": 0.01,
            "initializer_range": 0.02,
            "use_cache": True,
            "use_sliding_window": False,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "torch_dtype": "bfloat16",
        }


def through_nvfp4(x: Tensor, fake_quant: bool) -> Tensor:
    """x, or its NVFP4 rounding with the gradient of the identity."""
    return nvfp4.fake_quantize(x).detach().to(x.dtype) + (x - x.detach()) if fake_quant else x


def linear(x: Tensor, weight: Tensor, fake_quant: bool) -> Tensor:
    return fn.linear(through_nvfp4(x, fake_quant), through_nvfp4(weight, fake_quant).to(x.dtype))


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    y = x.float()
    return (weight * (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps))).to(x.dtype)


def dropout(x: Tensor, rate: Tensor | None) -> Tensor:
    """Dropout whose rate is a tensor, so that one compiled graph serves every rate; None = evaluation."""
    if rate is None:
        return x
    return x * (torch.rand_like(x) >= rate) / (1 - rate)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE in the half-split form: x [batch, heads, length, head_dim]."""
    low, high = x.float().chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1).to(x.dtype)


class Block(nn.Module):
    """One decoder layer; parameters only, so that a single compiled function serves all layers."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.config = c
        q_rows, kv_rows = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
        out_std = 0.02 / (2 * c.num_hidden_layers) ** 0.5

        def weight(*shape: int, std: float = 0.02) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape) * std)

        self.input_norm, self.post_norm = (
            nn.Parameter(torch.ones(c.hidden_size)),
            nn.Parameter(torch.ones(c.hidden_size)),
        )
        self.q_norm, self.k_norm = nn.Parameter(torch.ones(c.head_dim)), nn.Parameter(torch.ones(c.head_dim))
        self.q, self.k, self.v = (weight(n, c.hidden_size) for n in (q_rows, kv_rows, kv_rows))
        self.o = weight(c.hidden_size, q_rows, std=out_std)
        self.router = weight(c.num_experts, c.hidden_size)
        # [2, experts, width, hidden]: gate then up; one global scale serves both, as the engines that fuse them need.
        self.gate_up = weight(2, c.num_experts, c.moe_intermediate_size, c.hidden_size)
        self.down = weight(c.num_experts, c.hidden_size, c.moe_intermediate_size, std=out_std)


def block_forward(
    block: Block, x: Tensor, cos: Tensor, sin: Tensor, rate: Tensor | None, fake_quant: bool, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Residual stream x [batch, length, hidden] in float32, products in dtype -> (x, balance loss)."""
    c = block.config
    batch, length, hidden = x.shape
    y = rms_norm(x, block.input_norm, c.rms_norm_eps).to(dtype)

    def heads(weight: Tensor) -> Tensor:
        return linear(y, weight, fake_quant).view(batch, length, -1, c.head_dim)

    q = rotate(rms_norm(heads(block.q), block.q_norm, c.rms_norm_eps).transpose(1, 2), cos, sin)
    k = rotate(rms_norm(heads(block.k), block.k_norm, c.rms_norm_eps).transpose(1, 2), cos, sin)
    v = heads(block.v).transpose(1, 2)
    groups = c.num_attention_heads // c.num_key_value_heads
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    attended = fn.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, length, -1)
    x = x + dropout(linear(attended, block.o, fake_quant).float(), rate)

    y = rms_norm(x, block.post_norm, c.rms_norm_eps).view(-1, hidden)
    probabilities = fn.linear(y, block.router).softmax(-1)  # [tokens, experts]
    top, chosen = probabilities.topk(c.num_experts_per_tok, -1)
    mask = fn.one_hot(chosen, c.num_experts).sum(1)
    weights = probabilities * mask / top.sum(-1, keepdim=True)
    balance = c.num_experts * (mask.float().mean(0) / c.num_experts_per_tok * probabilities.mean(0)).sum()

    gate, up = linear(y.to(dtype), block.gate_up.flatten(0, 2), fake_quant).chunk(2, -1)
    act = (fn.silu(gate) * up).view(-1, c.num_experts, c.moe_intermediate_size)
    act = through_nvfp4(act, fake_quant) * weights.unsqueeze(-1).to(act.dtype)
    down = through_nvfp4(block.down, fake_quant).to(act.dtype)
    mixed = act.flatten(1) @ down.transpose(1, 2).flatten(0, 1)
    return x + dropout(mixed.view(batch, length, hidden).float(), rate), balance


class Model(nn.Module):
    """Embedding, blocks, final norm, output head tied to the embedding."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.config = c
        self.embedding = nn.Parameter(torch.randn(c.vocab_size, c.hidden_size) * 0.02)
        self.final_norm = nn.Parameter(torch.ones(c.hidden_size))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.num_hidden_layers))
        self.dtype = torch.float32
        angles = torch.outer(
            torch.arange(c.max_position_embeddings).float(),
            c.rope_theta ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim),
        )
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens: Tensor, rate: Tensor | None = None, fake_quant: bool = False, run_block=block_forward):
        """tokens [batch, length] -> (logits [batch, length, vocab], mean balance loss)."""
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = dropout(fn.embedding(tokens, self.embedding), rate)
        balance = 0.0
        for block in self.blocks:
            x, block_balance = run_block(block, x, cos, sin, rate, fake_quant, self.dtype)
            balance = balance + block_balance / len(self.blocks)
        x = rms_norm(x, self.final_norm, self.config.rms_norm_eps).to(self.dtype)
        return fn.linear(x, self.embedding.to(self.dtype)), balance

    def hf_tensors(self) -> dict[str, Tensor]:
        """Weights in BF16 under HF's names; the tied output head is not stored twice."""
        out = {"model.embed_tokens.weight": self.embedding, "model.norm.weight": self.final_norm}
        for i, b in enumerate(self.blocks):
            layer = f"model.layers.{i}"
            out |= {
                f"{layer}.input_layernorm.weight": b.input_norm,
                f"{layer}.post_attention_layernorm.weight": b.post_norm,
                f"{layer}.self_attn.q_norm.weight": b.q_norm,
                f"{layer}.self_attn.k_norm.weight": b.k_norm,
                f"{layer}.self_attn.q_proj.weight": b.q,
                f"{layer}.self_attn.k_proj.weight": b.k,
                f"{layer}.self_attn.v_proj.weight": b.v,
                f"{layer}.self_attn.o_proj.weight": b.o,
                f"{layer}.mlp.gate.weight": b.router,
            }
            for e in range(self.config.num_experts):
                out |= {
                    f"{layer}.mlp.experts.{e}.gate_proj.weight": b.gate_up[0, e],
                    f"{layer}.mlp.experts.{e}.up_proj.weight": b.gate_up[1, e],
                    f"{layer}.mlp.experts.{e}.down_proj.weight": b.down[e],
                }
        return {name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in out.items()}
