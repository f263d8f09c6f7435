"""A tiny model with random weights, made fresh for each session: its BF16 folder, its NVFP4 folder, their tensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from b12x.model import quantize_folder
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

# The models are small: threads of PyTorch would only take the cores from the simulator's.
torch.set_num_threads(1)

CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "vocab_size": 300,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "max_position_embeddings": 128,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "norm_topk_prob": True,
    "tie_word_embeddings": True,
    "eos_token_id": 0,
}
TEXT = "In the beginning was the word, naïve and small; and the word was with the many, and it was good. " * 30


def random_tensors(config: dict) -> dict[str, torch.Tensor]:
    """BF16 weights of HF's names and shapes, large enough that layers matter."""
    generator = torch.Generator().manual_seed(7)
    hidden, width, dim = config["hidden_size"], config["moe_intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim

    def weight(*shape: int) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * shape[-1] ** -0.5).bfloat16()

    def norm(size: int) -> torch.Tensor:
        return (1 + 0.2 * torch.randn(size, generator=generator)).bfloat16()

    out = {"model.embed_tokens.weight": weight(config["vocab_size"], hidden), "model.norm.weight": norm(hidden)}
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}"
        shapes = {"q_proj": (q, hidden), "k_proj": (kv, hidden), "v_proj": (kv, hidden), "o_proj": (hidden, q)}
        out |= {f"{layer}.self_attn.{name}.weight": weight(*shape) for name, shape in shapes.items()}
        out |= {f"{layer}.self_attn.{name}.weight": norm(dim) for name in ("q_norm", "k_norm")}
        out |= {f"{layer}.{name}.weight": norm(hidden) for name in ("input_layernorm", "post_attention_layernorm")}
        out[f"{layer}.mlp.gate.weight"] = weight(config["num_experts"], hidden) * 4
        for e in range(config["num_experts"]):
            expert = f"{layer}.mlp.experts.{e}"
            out |= {f"{expert}.{name}_proj.weight": weight(width, hidden) for name in ("gate", "up")}
            out[f"{expert}.down_proj.weight"] = weight(hidden, width)
    return out


def write_folder(folder: Path) -> None:
    folder.mkdir()
    save_file(random_tensors(CONFIG), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "calibration.txt").write_text(TEXT)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"], special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="session")
def bf16_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "bf16"
    write_folder(folder)
    return folder


@pytest.fixture(scope="session")
def nvfp4_folder(bf16_folder: Path) -> Path:
    folder = bf16_folder.parent / "nvfp4"
    quantize_folder(bf16_folder, folder, None, lambda *_: None)
    return folder


class Edit:
    """A copy of a model folder in which one thing is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def config(self, **changes: object) -> Path:
        path = self.folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return self.folder

    def tensors(self, **changes: torch.Tensor | None) -> Path:
        """Replaces tensors by name (dots written as they are: pass a dict); None removes one."""
        path = self.folder / "model.safetensors"
        merged = {**load_file(path), **changes}
        path.unlink()
        save_file({name: tensor for name, tensor in merged.items() if tensor is not None}, path)
        return self.folder


@pytest.fixture
def edit_bf16(bf16_folder: Path, tmp_path: Path) -> Edit:
    return Edit(Path(shutil.copytree(bf16_folder, tmp_path / "model")))


@pytest.fixture
def edit_nvfp4(nvfp4_folder: Path, tmp_path: Path) -> Edit:
    return Edit(Path(shutil.copytree(nvfp4_folder, tmp_path / "model")))
