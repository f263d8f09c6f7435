"""How well a model predicts a text: bits per byte.

In: a model and the ids of a text. Out: bits that the model needs for it, per UTF-8 byte.
The text is cut into windows that start afresh, each predicting its tokens from those before it in the window; the first
token of the text is given. Chapter separators cost bits and weigh no bytes.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as fn

from b12x.model.qwen3_moe import Qwen3Moe
from b12x.model.tokenizer import TextTokenizer

WINDOW = 512


def bits_per_byte(model: Qwen3Moe, tokenizer: TextTokenizer, text: str, max_windows: int | None = None) -> float:
    """Bits per byte of `text`, whose documents are separated by form feeds, over its first `max_windows` windows."""
    separator = [] if model.config.eos_token_id is None else [model.config.eos_token_id]
    ids = [i for document in text.split("\f") for i in separator + tokenizer.encode(document)]
    if max_windows is not None:
        ids = ids[: max_windows * WINDOW + 1]
    n_bytes = len(tokenizer.decode(ids[1:]).encode())
    nats = 0.0
    for begin in range(0, len(ids) - 1, WINDOW):
        window = torch.tensor(ids[begin : begin + WINDOW + 1])
        logits = model.forward(window[:-1], model.new_cache(window.numel() - 1))
        nats += fn.cross_entropy(logits.cpu(), window[1:], reduction="sum").item()
    return nats / math.log(2) / n_bytes
