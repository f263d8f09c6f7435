"""config.json of an HF model folder -> the numbers that the forward pass needs, each checked by name.

In: a folder. Out: ModelConfig, with the quantisation of the stored weights. Whatever the forward pass does not do
(sliding windows, dense layers, another activation) is refused here, before any weight is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURE = "Qwen3MoeForCausalLM"


class ModelError(ValueError):
    """A model folder that cannot be used: the message names the file or tensor, what came and what was wanted."""


@dataclass(frozen=True)
class ModelConfig:
    """Shapes of a Qwen3 mixture of experts; names are HF's."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    norm_topk_prob: bool
    tie_word_embeddings: bool
    eos_token_id: int | None
    is_nvfp4: bool  # linear layers are stored in ModelOpt's NVFP4 layout

    @property
    def q_rows(self) -> int:
        return self.num_attention_heads * self.head_dim

    @property
    def kv_rows(self) -> int:
        return self.num_key_value_heads * self.head_dim


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelError if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path}: no such file; a model folder holds config.json, tokenizer.json and weights"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: holds a {type(value).__name__}, want a JSON object")
    return value


def _number(path: Path, raw: dict[str, Any], key: str, default: float | None = None) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ModelError(f"{path}: {key} is {value!r}, want a positive number")
    return value


def _rope_theta(path: Path, raw: dict[str, Any]) -> float:
    nested = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    kind = nested.get("rope_type", nested.get("type", "default"))
    if kind != "default":
        raise ModelError(f"{path}: rope_type is {kind!r}, want 'default'; scaled rotary embeddings are not supported")
    return float(_number(path, {**nested, **raw}, "rope_theta", 10000.0))


def _is_nvfp4(folder: Path, raw: dict[str, Any]) -> bool:
    """Whether the weights are NVFP4, after config.json's quantization_config or else hf_quant_config.json."""
    where, quant = folder / "config.json", raw.get("quantization_config")
    if quant is None and (folder / "hf_quant_config.json").exists():
        where = folder / "hf_quant_config.json"
        quant = read_json(where).get("quantization")
    if quant is None:
        return False
    if quant.get("quant_algo") != "NVFP4" or quant.get("group_size", 16) != 16:
        got = f"quant_algo {quant.get('quant_algo')!r}, group_size {quant.get('group_size')!r}"
        raise ModelError(f"{where}: quantisation is {got}; want NVFP4 with group_size 16, or none")
    return True


def read_config(folder: Path) -> ModelConfig:
    """Reads and checks config.json. Raises ModelError for what is missing or not supported."""
    path = folder / "config.json"
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    raw = read_json(path)
    if ARCHITECTURE not in raw.get("architectures", []):
        raise ModelError(f"{path}: architectures is {raw.get('architectures')!r}, want [{ARCHITECTURE!r}]")
    wanted = {"hidden_act": "silu", "attention_bias": False, "decoder_sparse_step": 1, "mlp_only_layers": []}
    for key, want in wanted.items():
        if raw.get(key, want) != want:
            raise ModelError(f"{path}: {key} is {raw[key]!r}, want {want!r}; nothing else is supported")
    if raw.get("use_sliding_window"):
        raise ModelError(f"{path}: use_sliding_window is set; sliding windows are not supported")

    def integer(key: str, default: int | None = None) -> int:
        return int(_number(path, raw, key, default))

    heads = integer("num_attention_heads")
    config = ModelConfig(
        vocab_size=integer("vocab_size"),
        hidden_size=integer("hidden_size"),
        num_hidden_layers=integer("num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=integer("num_key_value_heads", heads),
        head_dim=integer("head_dim", integer("hidden_size") // heads),
        num_experts=integer("num_experts"),
        num_experts_per_tok=integer("num_experts_per_tok"),
        moe_intermediate_size=integer("moe_intermediate_size"),
        max_position_embeddings=integer("max_position_embeddings"),
        rms_norm_eps=float(_number(path, raw, "rms_norm_eps", 1e-6)),
        rope_theta=_rope_theta(path, raw),
        norm_topk_prob=bool(raw.get("norm_topk_prob", False)),
        tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
        eos_token_id=raw.get("eos_token_id"),
        is_nvfp4=_is_nvfp4(folder, raw),
    )
    if config.num_attention_heads % config.num_key_value_heads:
        raise ModelError(
            f"{path}: num_attention_heads {heads} is not a multiple of num_key_value_heads {config.num_key_value_heads}"
        )
    if config.num_experts_per_tok > config.num_experts:
        raise ModelError(
            f"{path}: num_experts_per_tok {config.num_experts_per_tok} exceeds num_experts {config.num_experts}"
        )
    return config
