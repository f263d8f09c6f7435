"""The bundled model on b12x's kernels (simulated card) against plain PyTorch on the same quantised numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from b12x import runtime
from b12x.model import Qwen3Moe, TextTokenizer, generate_ids, load_model

MODELS = Path(__file__).resolve().parents[3] / "models"
NVFP4 = MODELS / "kjv-moe-nvfp4"
POSITIONS = 64
CONTINUATION = 32
PROMPTS = (
    "In the beginning",
    "And it came to pass",
    "The LORD is my",
    "Blessed are they",
    "And Jesus said unto",
    "Now the king of Israel",
    "Hear, O Israel",
    "Thus saith the Lord",
    "The children of Israel",
    "And David said to",
)


@pytest.fixture(scope="module")
def kernels() -> Qwen3Moe:
    return load_model(NVFP4, "kernels")


@pytest.fixture(scope="module")
def plain() -> Qwen3Moe:
    return load_model(NVFP4, "reference")


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer(NVFP4, 2048)


def test_logits(kernels: Qwen3Moe, plain: Qwen3Moe, tokenizer: TextTokenizer) -> None:
    text = (MODELS / "kjv-moe-bf16" / "heldout.txt").read_text(encoding="utf-8")
    tokens = torch.tensor(tokenizer.encode(text[:1000])[:POSITIONS])
    ours = kernels.forward(tokens, kernels.new_cache(POSITIONS))
    theirs = plain.forward(tokens, plain.new_cache(POSITIONS))
    cosine = torch.nn.functional.cosine_similarity(ours.double(), theirs.double(), dim=-1)
    assert cosine.min() >= 0.999, f"lowest cosine {cosine.min():.6f} at position {int(cosine.argmin())}"


def test_greedy_continuations(kernels: Qwen3Moe, plain: Qwen3Moe, tokenizer: TextTokenizer) -> None:
    """Equal if the plain model, fed the kernels' text step by step, would have chosen each of its tokens."""
    runtime.reset_kernel_stats()
    equal, passes = 0, 0
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt)
        ours = list(generate_ids(kernels, ids, CONTINUATION))
        cache = plain.new_cache(len(ids) + CONTINUATION)
        steps = [ids, *([token] for token in ours)]
        theirs = [int(plain.forward(torch.tensor(step), cache, last_only=True).argmax()) for step in steps]
        # A shorter text ended with the end-of-text token, which both must choose.
        expected = ours if len(ours) == CONTINUATION else [*ours, plain.config.eos_token_id]
        equal += theirs[: len(expected)] == expected
        passes += len(expected)
    assert equal >= 9, f"{equal} of {len(PROMPTS)} continuations are equal"
    # 4 layers: q k v | o | 2 experts x (gate up | down) = 6 GEMMs a layer and pass, more for prompts.
    calls = {row["name"]: row["calls"] for row in runtime.kernel_stats() if row["calls"]}
    gemms = sum(count for name, count in calls.items() if "gemm" in name)
    assert gemms >= 6 * 4 * passes > 0, calls
