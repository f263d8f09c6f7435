"""Model folders that are wrong in one way each: one sentence names the file or tensor, what came, what was wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from b12x.model import ModelError, TextTokenizer, load_model

EXPERT = "model.layers.1.mlp.experts.2"


def refused(folder: Path, *parts: str, backend: str = "reference") -> None:
    with pytest.raises(ModelError) as caught:
        load_model(folder, backend)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_missing_tensor(edit_nvfp4) -> None:
    name = f"{EXPERT}.up_proj.weight_scale"
    refused(edit_nvfp4.tensors(**{name: None}), f"{name} is missing", "float8_e4m3fn [64, 4]")


@pytest.mark.parametrize(
    ("name", "tensor", "parts"),
    [
        (f"{EXPERT}.gate_proj.weight", torch.zeros(64, 31, dtype=torch.uint8), ["shape [64, 31], want [64, 32]"]),
        (f"{EXPERT}.gate_proj.weight", torch.zeros(32, 32, dtype=torch.uint8), ["shape [32, 32], want [64, 32]"]),
        (f"{EXPERT}.gate_proj.weight", torch.zeros(64, 64).bfloat16(), ["dtype bfloat16, want uint8"]),
        (f"{EXPERT}.down_proj.weight_scale", torch.zeros(64, 4, dtype=torch.uint8), ["uint8, want float8_e4m3fn"]),
        (f"{EXPERT}.down_proj.input_scale", torch.tensor(0.0), ["is 0.0, want a positive finite scale"]),
        (f"{EXPERT}.down_proj.input_scale", torch.tensor(float("nan")), ["is nan, want a positive finite scale"]),
        (f"{EXPERT}.down_proj.weight_scale_2", torch.ones(64), ["shape [64], want []"]),
        ("model.norm.weight", torch.ones(64), ["dtype float32, want bfloat16"]),
        ("model.embed_tokens.weight", torch.ones(300, 65).bfloat16(), ["shape [300, 65], want [300, 64]"]),
        (f"{EXPERT}.gate_proj.weight_scale_2", torch.tensor(9.0), ["differs within", "must share one"]),
    ],
)
def test_wrong_tensor(edit_nvfp4, name: str, tensor: torch.Tensor, parts: list[str]) -> None:
    refused(edit_nvfp4.tensors(**{name: tensor}), name.rsplit(".", 1)[0], *parts)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, ["LlamaForCausalLM", "want ['Qwen3MoeForCausalLM']"]),
        ({"hidden_size": "wide"}, ["hidden_size is 'wide', want a positive number"]),
        ({"num_experts": None}, ["num_experts is None"]),
        ({"hidden_act": "gelu"}, ["hidden_act is 'gelu', want 'silu'"]),
        ({"use_sliding_window": True}, ["sliding windows are not supported"]),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, ["rope_type is 'yarn'"]),
        ({"num_key_value_heads": 3}, ["num_attention_heads 4 is not a multiple of num_key_value_heads 3"]),
        ({"num_experts_per_tok": 5}, ["num_experts_per_tok 5 exceeds num_experts 4"]),
        ({"moe_intermediate_size": 72}, ["down_proj.weight: has 64 outputs and 72 inputs", "multiple of 64"]),
        ({"quantization_config": {"quant_algo": "FP8"}}, ["quant_algo 'FP8'", "want NVFP4"]),
        ({"quantization_config": {"quant_algo": "NVFP4", "group_size": 32}}, ["group_size 32"]),
    ],
)
def test_wrong_config(edit_nvfp4, changes: dict, parts: list[str]) -> None:
    refused(edit_nvfp4.config(**changes), "config.json" if "down_proj" not in parts[0] else "", *parts)


def test_scalars_of_shape_one_are_accepted(edit_nvfp4, nvfp4_folder: Path) -> None:
    name = f"{EXPERT}.down_proj.input_scale"
    folder = edit_nvfp4.tensors(**{name: torch.tensor([0.25])})
    assert load_model(folder, "reference").layers[1].down[2].input_scale == 0.25


def test_hf_quant_config_alone_is_enough(edit_nvfp4) -> None:
    assert (edit_nvfp4.folder / "hf_quant_config.json").exists()
    assert load_model(edit_nvfp4.config(quantization_config=None), "reference").config.is_nvfp4


def test_wrong_kind_of_folder(bf16_folder: Path, nvfp4_folder: Path) -> None:
    refused(bf16_folder, "holds BF16 weights", "wants NVFP4", "b12x quantize")
    refused(nvfp4_folder, "holds NVFP4 weights", "wants BF16", backend="dense")


def test_broken_files(edit_nvfp4, tmp_path: Path) -> None:
    folder = edit_nvfp4.folder
    refused(tmp_path / "nowhere", "no such model folder")
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}")
    refused(folder, "model.safetensors", "not a readable safetensors file")
    (folder / "model.safetensors").unlink()
    refused(folder, "model.safetensors: no such file")
    (folder / "config.json").write_text("[1, 2")
    refused(folder, "config.json: not readable as JSON")
    (folder / "config.json").unlink()
    refused(folder, "config.json: no such file")


def test_sharded_folder(edit_nvfp4) -> None:
    folder = edit_nvfp4.folder
    whole = load_model(folder, "reference")
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, members in parts.items():
        save_file({name: tensors[name] for name in members}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, members in parts.items() for name in members}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    split = load_model(folder, "reference")
    assert torch.equal(split.layers[1].down[3].weight, whole.layers[1].down[3].weight)
    (folder / "b.safetensors").unlink()
    refused(folder, "b.safetensors")


def test_tokenizer_errors(edit_nvfp4) -> None:
    folder = edit_nvfp4.folder
    with pytest.raises(ModelError, match="has 300 tokens, the model knows 299"):
        TextTokenizer(folder, 299)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a tokenizer"):
        TextTokenizer(folder, 300)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="no such file"):
        TextTokenizer(folder, 300)
