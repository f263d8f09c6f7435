"""What a trained model is worth: bits per byte, a sample of its text, and agreement with transformers.

In: a model of `model.py`. Out: figures and text for the training log.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from model import Model
from tokenizers import Tokenizer
from torch.nn import functional as fn

WINDOW = 512  # tokens of context, in training and in evaluation


@torch.no_grad()
def bits_per_byte(model: Model, tokens: torch.Tensor, n_bytes: int, fake_quant: bool) -> float:
    """Bits of all tokens but the first, in windows of 512 that start afresh, per byte of text.

    Separators cost bits and weigh no bytes.
    """
    nats = 0.0
    usable = (len(tokens) - 1) // WINDOW * WINDOW
    windows = tokens[: usable + 1].unfold(0, WINDOW + 1, WINDOW)
    for batch in [*windows.split(32), tokens[usable:].unsqueeze(0)]:
        if batch.shape[1] > 1:
            logits, _ = model(batch[:, :-1], fake_quant=fake_quant)
            nats += fn.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="sum").item()
    return nats / math.log(2) / n_bytes


@torch.no_grad()
def sample(model: Model, tokenizer: Tokenizer, prompt: str, n_tokens: int, fake_quant: bool) -> str:
    generator = torch.Generator().manual_seed(1)
    ids = tokenizer.encode(prompt).ids
    for _ in range(n_tokens):
        window = torch.tensor([ids[-WINDOW:]], device=model.embedding.device)
        logits, _ = model(window, fake_quant=fake_quant)
        probabilities = (logits[0, -1].float() / 0.8).softmax(-1).cpu()
        ids.append(int(torch.multinomial(probabilities, 1, generator=generator)))
        if ids[-1] == 0:
            break
    return tokenizer.decode(ids[1:])


@torch.no_grad()
def compare_with_transformers(model: Model, folder: Path, tokens: torch.Tensor) -> float:
    """Lowest cosine over positions between our logits and HF's from the written folder, both in float32 on the CPU."""
    from transformers import Qwen3MoeForCausalLM

    theirs = Qwen3MoeForCausalLM.from_pretrained(folder, dtype=torch.float32)(tokens.cpu()[None]).logits[0]
    ours_model = Model(model.config)
    ours_model.load_state_dict({k: v.cpu() for k, v in model.state_dict().items()})
    ours = ours_model(tokens.cpu()[None])[0][0]
    print(f"transformers: logits up to {ours.abs().max():.1f} differ by at most {(ours - theirs).abs().max():.1e}")
    return fn.cosine_similarity(ours, theirs, dim=-1).min().item()
