"""The model in `models/`: it predicts text it never saw, NVFP4 costs it little, and the quantiser makes it again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from b12x.model import TextTokenizer, bits_per_byte, load_model, quantize_folder
from safetensors.torch import load_file

MODELS = Path(__file__).resolve().parents[3] / "models"
BF16, NVFP4 = MODELS / "kjv-moe-bf16", MODELS / "kjv-moe-nvfp4"
WINDOWS = 3  # of 512 tokens; the whole held-out text (109 windows) is in the model card


def test_bits_per_byte() -> None:
    text = (BF16 / "heldout.txt").read_text(encoding="utf-8")
    tokenizer = TextTokenizer(NVFP4, 2048)
    dense = bits_per_byte(load_model(BF16, "dense"), tokenizer, text, WINDOWS)
    quantised = bits_per_byte(load_model(NVFP4, "reference"), tokenizer, text, WINDOWS)
    assert quantised <= 2.0
    assert 0.9 * dense < quantised <= 1.03 * dense, f"NVFP4 {quantised:.4f}, BF16 {dense:.4f} bits per byte"


def test_size() -> None:
    assert sum(file.stat().st_size for file in NVFP4.iterdir()) <= 16e6


def test_quantiser_makes_it_again(tmp_path: Path) -> None:
    """Weights bit for bit; input scales up to the rounding of float32 sums, which differs between CPUs."""
    quantize_folder(BF16, tmp_path / "again", None, lambda *_: None)
    stored, made = (load_file(folder / "model.safetensors") for folder in (NVFP4, tmp_path / "again"))
    assert set(stored) == set(made)
    for name, tensor in stored.items():
        if name.endswith("input_scale"):
            assert made[name].item() == pytest.approx(tensor.item(), rel=1e-3), name
        else:
            assert torch.equal(made[name].flatten().view(torch.uint8), tensor.flatten().view(torch.uint8)), name
    for name in ("config.json", "hf_quant_config.json", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (NVFP4 / name).read_bytes()
